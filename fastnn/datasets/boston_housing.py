"""Boston housing: 506 districts, 13 measurements, the median price of a house."""

from __future__ import annotations

import numpy as np

from fastnn.datasets import _embedded

FEATURES = (
    "CRIM", "ZN", "INDUS", "CHAS", "NOX", "RM", "AGE", "DIS", "RAD", "TAX", "PTRATIO", "B",
    "LSTAT",
)  # fmt: skip
"""The names of the 13 columns, as StatLib's description of the data explains them."""


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``: the split of Keras, row for row.

    Parameters
    ----------
    path : str
        For code written for Keras; the data are in the package and nothing is downloaded.
    test_split : float
        Share of the rows kept for the test.
    seed : int
        Of the shuffle before the cut.

    Returns
    -------
    x_train, x_test : ndarray of float64, shape (n, 13)
        ``boston_housing.FEATURES`` names the columns.
    y_train, y_test : ndarray of float64, shape (n,)
        Median value of the homes, in thousands of dollars of 1970, cut off at 50.

    Notes
    -----
    From D. Harrison and D. L. Rubinfeld, "Hedonic prices and the demand for clean air",
    J. Environ. Economics & Management 5, 81-102, 1978, through StatLib. One column, B, is made
    from the share of Black residents, on the assumption that it moves prices. The data are here
    because so much course material uses them; that column is worth a class's discussion.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = fastnn.datasets.boston_housing.load_data()
    >>> x_train.shape, x_test.shape
    ((404, 13), (102, 13))
    """
    x, y = _embedded.load("boston_housing.npz", ((506, 13), "<f8"), ((506,), "<f8"))
    return _embedded.split(x, y, test_split, seed)
