"""The losses of Keras: each as a class, and as a function that gives one value per row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.losses.base import Loss, fitted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

# --- the losses ------------------------------------------------------------------------------


class MeanSquaredError(Loss):
    """Mean over the last axis of (y_pred - y_true)^2."""

    kind = "mean_squared_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class MeanAbsoluteError(Loss):
    """Mean over the last axis of abs(y_pred - y_true)."""

    kind = "mean_absolute_error"

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)


class Huber(Loss):
    """Squared error near zero, absolute error beyond `delta` (Huber 1964).

    With e = y_pred - y_true: e^2/2 where abs(e) <= delta, else delta abs(e) - delta^2/2.
    """

    kind = "huber"

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if not delta > 0:
            raise ValueError(f"Huber: expected a positive delta, got {delta!r}")
        self.delta = float(delta)
        self.attrs = {"delta": self.delta}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "delta": self.delta}


class _Crossentropy(Loss):
    """What the crossentropies share: logits or probabilities, smoothing, the last axis."""

    smoothable = True

    def __init__(
        self,
        from_logits: bool,
        label_smoothing: float,
        axis: int,
        reduction: str | None,
        name: str | None,
    ) -> None:
        super().__init__(name, reduction)
        if axis != -1:
            raise ValueError(
                f"{type(self).__name__}: expected axis=-1, got {axis!r}: the classes must be on "
                "the last axis, move them there"
            )
        if not 0 <= label_smoothing <= 1:
            raise ValueError(
                f"{type(self).__name__}: expected label_smoothing from 0 to 1, got "
                f"{label_smoothing!r}"
            )
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(label_smoothing)
        if self.from_logits:
            self.kind += "_logits"
        if self.label_smoothing:
            self.attrs = {"smoothing": self.label_smoothing}

    def get_config(self) -> dict[str, Any]:
        settings = {**super().get_config(), "from_logits": self.from_logits}
        if self.smoothable:
            settings["label_smoothing"] = self.label_smoothing
        return settings


class BinaryCrossentropy(_Crossentropy):
    """Crossentropy of independent yes/no labels: the mean of -t log p - (1-t) log(1-p).

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits, not probabilities (behind a sigmoid layer fastnn computes from the
        logits by itself).
    label_smoothing : float
        Moves the labels this far towards 1/2.
    """

    kind = "binary_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)


class CategoricalCrossentropy(_Crossentropy):
    """Crossentropy of one-hot labels: -sum of t log p over the classes.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits, not probabilities (behind a softmax layer fastnn computes from the
        logits by itself).
    label_smoothing : float
        Spreads this much of every label over all classes.
    """

    kind = "categorical_crossentropy"

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, label_smoothing, axis, reduction, name)


class SparseCategoricalCrossentropy(_Crossentropy):
    """Crossentropy of integer labels: -log p of the right class."""

    kind = "sparse_categorical_crossentropy"
    smoothable = False

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, 0.0, axis, reduction, name)
        if ignore_class is not None:
            raise ValueError(
                "SparseCategoricalCrossentropy: ignore_class is not supported yet: give those "
                "rows a sample_weight of 0 instead"
            )


# --- functions: one value per row ------------------------------------------------------------


def _values(loss: Loss, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    return loss.call(*fitted(loss.kind, y_true, y_pred))


def mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return the mean squared error of every row."""
    return _values(MeanSquaredError(), y_true, y_pred)


def mean_absolute_error(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return the mean absolute error of every row."""
    return _values(MeanAbsoluteError(), y_true, y_pred)


def huber(y_true: ArrayLike, y_pred: ArrayLike, delta: float = 1.0) -> np.ndarray:
    """Return the Huber loss of every row."""
    return _values(Huber(delta), y_true, y_pred)


def binary_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """Return the binary crossentropy of every row, its mean over the last axis."""
    return _values(BinaryCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> np.ndarray:
    """Return the crossentropy of every row, for one-hot labels."""
    return _values(CategoricalCrossentropy(from_logits, label_smoothing, axis), y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> np.ndarray:
    """Return the crossentropy of every row, for integer labels."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
    return _values(loss, y_true, y_pred)
