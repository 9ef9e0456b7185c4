"""Points of a plane in two or more classes, for pictures of what a network learns."""

from __future__ import annotations

import numpy as np


def moons(
    samples: int = 500, *, noise: float = 0.1, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return two half circles that reach into each other.

    Parameters
    ----------
    samples : int
        Number of points, the classes as equal as can be.
    noise : float
        Standard deviation of normal noise added to both coordinates.
    seed : int, optional
        None draws new points at every call.

    Returns
    -------
    x : ndarray of float32, shape (samples, 2)
    y : ndarray of int64, shape (samples,)
        0 for the upper moon, around (0, 0); 1 for the lower one, around (1, 0.5).

    Examples
    --------
    >>> x, y = fastnn.datasets.moons(200, seed=1)
    """
    random, y = _start(samples, 2, noise, seed)
    angle = np.pi * random.uniform(size=samples)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = np.where(y[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
    return _finish(x, y, noise, random)


def circles(
    samples: int = 500, *, factor: float = 0.5, noise: float = 0.05, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return two circles around one centre: class 0 of radius 1, class 1 of radius `factor`.

    The other parameters and the result are those of `moons`.
    """
    if not 0 < factor < 1:
        raise ValueError(f"circles: factor is the inner radius, between 0 and 1, got {factor}")
    random, y = _start(samples, 2, noise, seed)
    angle = 2 * np.pi * random.uniform(size=samples)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.where(y == 0, 1.0, factor)[:, None]
    return _finish(x, y, noise, random)


def spirals(
    samples: int = 500,
    *,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.02,
    seed: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return spirals that wind around each other from the centre to radius 1, one for a class.

    `turns` says how often each goes round; the other parameters and the result are those of
    `moons`.
    """
    random, y = _start(samples, classes, noise, seed)
    radius = np.sqrt(random.uniform(size=samples))  # the points lie equally dense along the arm
    angle = 2 * np.pi * (turns * radius + y / classes)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _finish(x, y, noise, random)


def blobs(
    samples: int = 500,
    *,
    classes: int = 3,
    features: int = 2,
    noise: float = 1.0,
    seed: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return normal clouds of standard deviation `noise`, one for a class.

    Their centres are drawn uniformly from [-10, 10] on every one of `features` axes; the result
    is that of `moons`, with x of shape (samples, features).
    """
    if features < 1:
        raise ValueError(f"blobs: features is the number of axes, at least 1, got {features}")
    random, y = _start(samples, classes, noise, seed)
    centres = random.uniform(-10.0, 10.0, size=(classes, features))
    return _finish(centres[y], y, noise, random)


def _start(
    samples: int, classes: int, noise: float, seed: int | None
) -> tuple[np.random.Generator, np.ndarray]:
    """Check the arguments; return the generator and the classes in a random order."""
    if samples < 1:
        raise ValueError(f"samples is the number of points, at least 1, got {samples}")
    if classes < 1:
        raise ValueError(f"classes is the number of classes, at least 1, got {classes}")
    if not noise >= 0:
        raise ValueError(f"noise is a standard deviation, at least 0, got {noise}")
    random = np.random.default_rng(seed)
    return random, random.permutation(np.arange(samples) % classes)


def _finish(
    x: np.ndarray, y: np.ndarray, noise: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    return (x + noise * random.normal(size=x.shape)).astype(np.float32), y
