"""Wisconsin breast cancer: 569 tumours, 30 measurements, benign or malignant."""

from __future__ import annotations

import numpy as np

from fastnn.datasets import _embedded

CLASSES = ("malignant", "benign")
"""What the labels 0 and 1 mean."""


def load_data(
    test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    test_split : float
        Share of the rows kept for the test.
    seed : int
        Of the shuffle before the cut.

    Returns
    -------
    x_train, x_test : ndarray of float64, shape (n, 30)
        Mean, standard error and worst value of ten measurements of cell nuclei.
    y_train, y_test : ndarray of uint8, shape (n,)
        0 for malignant (212 tumours), 1 for benign (357).

    Notes
    -----
    From W. Wolberg, O. Mangasarian, N. Street and W. Street, "Breast Cancer Wisconsin
    (Diagnostic)", UCI Machine Learning Repository, 1993; licence CC BY 4.0.
    """
    x, y = _embedded.load("breast_cancer.npz", ((569, 30), "<f8"), ((569,), "|u1"))
    return _embedded.split(x, y, test_split, seed)
