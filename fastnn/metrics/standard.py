"""The metrics: as classes, and as functions that give one value per row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import losses
from fastnn.metrics.base import RowMetric, values_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Accuracy(RowMetric):
    """How often y_pred equals y_true exactly."""

    kind = "accuracy"
    direction = "max"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class BinaryAccuracy(RowMetric):
    """How often y_pred > threshold agrees with y_true, labels 0 and 1."""

    kind = "binary_accuracy"
    direction = "max"

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(name, dtype)
        if not 0 < threshold < 1:
            raise ValueError(
                f"BinaryAccuracy: expected a threshold between 0 and 1, got {threshold!r}"
            )
        self.threshold = float(threshold)
        self.attrs = {"threshold": self.threshold}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold}


class CategoricalAccuracy(RowMetric):
    """How often the largest prediction stands at the one of a one-hot label."""

    kind = "categorical_accuracy"
    direction = "max"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class SparseCategoricalAccuracy(RowMetric):
    """How often the largest prediction stands at the place an integer label names."""

    kind = "sparse_categorical_accuracy"
    direction = "max"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class MeanSquaredError(RowMetric):
    """The mean of (y_pred - y_true)^2."""

    kind = "mean_squared_error"
    direction = "min"

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class RootMeanSquaredError(MeanSquaredError):
    """The square root of the mean of (y_pred - y_true)^2."""

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def finish(self, total: float, count: float) -> float:
        return math.sqrt(super().finish(total, count))


class MeanAbsoluteError(RowMetric):
    """The mean of abs(y_pred - y_true)."""

    kind = "mean_absolute_error"
    direction = "min"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class _LossMetric(RowMetric):
    """A metric that is the mean of a crossentropy loss."""

    direction = "min"
    loss_class: type[losses.Loss]

    def __init__(self, name: str | None, settings: dict[str, Any]) -> None:
        super().__init__(name)
        loss = self.loss_class(**settings)  # checks the settings
        self.settings = settings
        self.kind, self.attrs = loss.kind, loss.attrs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}


class BinaryCrossentropy(_LossMetric):
    """The mean of the binary crossentropy, see `losses.BinaryCrossentropy`."""

    loss_class = losses.BinaryCrossentropy

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(name, {"from_logits": from_logits, "label_smoothing": label_smoothing})


class CategoricalCrossentropy(_LossMetric):
    """The mean of the crossentropy of one-hot labels, see `losses.CategoricalCrossentropy`."""

    loss_class = losses.CategoricalCrossentropy

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            name, {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        )


class SparseCategoricalCrossentropy(_LossMetric):
    """The mean of the crossentropy of labels, see `losses.SparseCategoricalCrossentropy`."""

    loss_class = losses.SparseCategoricalCrossentropy

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(name, {"from_logits": from_logits, "axis": axis})


class Huber(RowMetric):
    """The mean of the Huber loss with delta 1, for ``metrics=["huber"]``."""

    kind = "huber"
    direction = "min"


# --- functions: one value per row ------------------------------------------------------------


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return the share of equal entries in every row."""
    return values_of("accuracy", {}, y_true, y_pred)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> np.ndarray:
    """Return the share of entries in every row on the right side of the threshold."""
    return values_of("binary_accuracy", {"threshold": threshold}, y_true, y_pred)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return 1 for every row whose largest prediction is at the label's one, else 0."""
    return values_of("categorical_accuracy", {}, y_true, y_pred)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return 1 for every row whose largest prediction is at the integer label, else 0."""
    return values_of("sparse_categorical_accuracy", {}, y_true, y_pred)
