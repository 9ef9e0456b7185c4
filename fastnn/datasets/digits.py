"""Digits: 1,797 handwritten digits of 8 x 8 pixels, MNIST's small sister."""

from __future__ import annotations

import numpy as np

from fastnn.datasets import _embedded


def load_data(
    test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    test_split : float
        Share of the rows kept for the test.
    seed : int
        Of the shuffle before the cut. A shuffled split has digits of the same writers on both
        sides, so test accuracies are higher than on strangers' digits.

    Returns
    -------
    x_train, x_test : ndarray of uint8, shape (n, 8, 8)
        Ink from 0 (paper) to 16.
    y_train, y_test : ndarray of uint8, shape (n,)
        The digit, 0 to 9.

    Notes
    -----
    From E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998 (its test set); licence CC BY 4.0.
    """
    x, y = _embedded.load("digits.npz", ((1797, 8, 8), "|u1"), ((1797,), "|u1"))
    return _embedded.split(x, y, test_split, seed)
