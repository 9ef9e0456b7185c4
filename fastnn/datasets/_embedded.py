"""The small datasets inside the package, in the folder ``data``.

Each is an ``.npz`` file of x and y with all rows in their original order: Boston housing from
StatLib (the order of Keras's file), the digits and the breast cancer data from the UCI Machine
Learning Repository (the order of its files). The modules that load them name authors and licences.
"""

from __future__ import annotations

import os

import numpy as np

from fastnn.store.npz import read_npz


def load(
    name: str, x: tuple[tuple[int, ...], str], y: tuple[tuple[int, ...], str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y, given shapes and dtypes, of an embedded dataset."""
    path = os.path.join(os.path.dirname(__file__), "data", name)
    arrays = read_npz(path, {"x": x, "y": y})
    return arrays["x"], arrays["y"]


def split(
    x: np.ndarray, y: np.ndarray, test_split: float, seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Shuffle and cut as Keras's boston_housing does: the last `test_split` is for tests."""
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split is the share kept for tests, 0 <= it < 1, got {test_split}")
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    cut = int(len(x) * (1 - test_split))
    train, test = order[:cut], order[cut:]
    return (x[train], y[train]), (x[test], y[test])
