"""The metrics of Keras that are a mean of one value for each row."""

from __future__ import annotations

import math
from typing import Any

from fastnn import losses, ops
from fastnn.losses.registry import CLASSES as LOSSES
from fastnn.losses.registry import NAMES as LOSS_NAMES
from fastnn.metrics.registry import CLASSES, FUNCTIONS, mean_of, metric

# --- accuracies ------------------------------------------------------------------------------


@metric("Accuracy", "acc")
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """How often y_pred equals y_true exactly."""
    return ops.mean(ops.equal(y_true, y_pred), axis=-1)


def _inner_threshold(who: str, threshold: float) -> None:
    if not 0 < threshold < 1:
        raise ValueError(f"{who}: expected a threshold between 0 and 1, got {threshold!r}")


@metric("BinaryAccuracy", check=_inner_threshold)
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """How often y_pred > threshold agrees with y_true, labels 0 and 1."""
    return ops.mean(ops.equal(y_true, ops.greater(y_pred, threshold)), axis=-1)


@metric("CategoricalAccuracy")
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """How often the largest prediction stands at the one of a one-hot label."""
    return _hits(ops.argmax(y_true, axis=-1), y_pred)


@metric("SparseCategoricalAccuracy")
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """How often the largest prediction stands at the place an integer label names."""
    if ops.ndim(y_true) == ops.ndim(y_pred):
        y_true = ops.squeeze(y_true, -1)
    return _hits(y_true, y_pred)


def _hits(labels: Any, y_pred: Any) -> Any:
    hits = ops.equal(labels, ops.argmax(y_pred, axis=-1))
    return ops.cast(hits, y_pred.dtype)


# --- the losses as metrics -------------------------------------------------------------------

_OTHERS: dict[str, dict[str, Any]] = {
    "LogCosh": {"class_name": "LogCoshError", "name": "logcosh"},
    "BinaryCrossentropy": {"without": ("axis",)},
}
"""What Keras calls the metric of a loss where it is not the loss's name, and what it takes."""

for _name, _loss in LOSSES.items():
    if _name != "CosineSimilarity":  # whose sign is another, see below
        _short = [known for known, made in LOSS_NAMES.items() if made is _loss]
        _options = {"class_name": _name, **_OTHERS.get(_name, {})}
        mean_of(_options.pop("class_name"), _loss.function, *_short, direction="min", **_options)


@metric("CosineSimilarity")
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between y_true and y_pred: 1 where they point one way."""
    return -losses.cosine_similarity(y_true, y_pred, axis)


_MeanSquaredError: Any = CLASSES["MeanSquaredError"]


class RootMeanSquaredError(_MeanSquaredError):
    """The square root of the mean of (y_pred - y_true)^2."""

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def result(self) -> float:
        """Return the root of the mean."""
        return math.sqrt(super().result())


__all__ = ["RootMeanSquaredError", *(name for name in FUNCTIONS if name in globals())]
