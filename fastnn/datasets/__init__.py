"""Datasets: Keras's loaders for the classics, two embedded ones, and generated ones.

``mnist``, ``fashion_mnist`` and ``imdb`` are looked for on this machine and downloaded once;
``boston_housing``, ``digits`` and ``breast_cancer`` come with the package; ``moons``,
``circles``, ``spirals`` and ``blobs`` are drawn from a seed.
"""

from fastnn.datasets import (
    boston_housing,
    breast_cancer,
    digits,
    fashion_mnist,
    imdb,
    mnist,
)
from fastnn.datasets.generated import blobs, circles, moons, spirals
from fastnn.missing import explain_missing

__all__ = [
    "blobs",
    "boston_housing",
    "breast_cancer",
    "circles",
    "digits",
    "fashion_mnist",
    "imdb",
    "mnist",
    "moons",
    "spirals",
]

explain_missing(__name__)
