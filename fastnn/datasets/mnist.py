"""MNIST: 70,000 handwritten digits of 28 x 28 pixels."""

from __future__ import annotations

import numpy as np

from fastnn.datasets import _cache
from fastnn.store.npz import read_npz

SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(
    path: str = "mnist.npz",
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : str
        Name of the file below the datasets folder, or an absolute path.

    Returns
    -------
    x_train, x_test : ndarray of uint8, shape (60000, 28, 28) and (10000, 28, 28)
        Ink from 0 (paper) to 255.
    y_train, y_test : ndarray of uint8, shape (60000,) and (10000,)
        The digit, 0 to 9.

    Raises
    ------
    OSError
        If the file is neither on this machine nor can be downloaded.
    ValueError
        If the file holds something else.

    Notes
    -----
    The file is looked for in the folder ``datasets`` of ``$FASTNN_HOME``, ``~/.fastnn``,
    ``$KERAS_HOME`` and ``~/.keras``, and else downloaded (11 MB) to the first of them. From
    Y. LeCun, C. Cortes and C. Burges; licence CC BY-SA 3.0.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = fastnn.datasets.mnist.load_data()
    """
    return _cache.load("mnist.npz", read, checksum=SHA256, path=path)


def read(path: str) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the content of the file at `path`, checked."""
    images, labels = ((28, 28), "|u1"), ((), "|u1")
    parts = {"x_train": (60000, images), "y_train": (60000, labels),
             "x_test": (10000, images), "y_test": (10000, labels)}  # fmt: skip
    arrays = read_npz(
        path, {name: ((n, *shape), dtype) for name, (n, (shape, dtype)) in parts.items()}
    )
    for name in ("y_train", "y_test"):
        if arrays[name].max() > 9:
            raise ValueError(f"{name} holds labels above 9")
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
