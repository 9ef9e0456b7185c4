"""Metrics: what training reports.

A metric collects batches (`update_state`), gives a number (`result`) and starts again
(`reset_state`). In ``compile(metrics=[...])`` use its name, its class, an instance, or a function
of ``(y_true, y_pred)`` that gives one value per row.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, losses
from fastnn.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    huber,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from fastnn.losses.base import fitted, row_values, spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

__all__ = [
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "FunctionMetric",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Metric",
    "RootMeanSquaredError",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "Sum",
    "accuracy",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "resolve",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
]


class Metric:
    """Base of all metrics; subclass it to write your own.

    A subclass defines `update_state`, `result` and `reset_state`; the engines call `update_state`
    with every batch.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case.
    dtype : optional
        Accepted for Keras's sake; sums are float64.

    Examples
    --------
    >>> import numpy as np
    >>> class LargestError(Metric):
    ...     direction = "min"
    ...     def reset_state(self):
    ...         self.largest = 0.0
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest = max(self.largest, float(np.max(np.abs(y_pred - y_true))))
    ...     def result(self):
    ...         return self.largest
    >>> LargestError()(np.zeros(3), np.array([1.0, -4.0, 2.0]))
    4.0
    """

    kind = "python"
    """A name in operations.ROW_VALUES, which both engines know, or "python"."""

    direction: str | None = None
    """Whether good is large ("max") or small ("min"); None if unknown."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or config.snake_case(type(self).__name__)
        self.attrs: dict[str, float] = {}  # what the engines' kernel of this kind needs
        self.reset_state()

    def reset_state(self) -> None:
        """Forget all batches."""
        raise NotImplementedError(f"{type(self).__name__}: write reset_state(self)")

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch."""
        raise NotImplementedError(
            f"{type(self).__name__}: write update_state(self, y_true, y_pred, sample_weight=None)"
        )

    def result(self) -> float:
        """Return the metric of all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__}: write result(self)")

    def finish(self, total: float, count: float) -> float:
        """Return the metric from the sums of weighted values and of weights; 0 without weights."""
        return total / count if count else 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """Take in a batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make a metric from `get_config`'s result."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class _Averaging(Metric):
    """A metric that needs only the sum of weighted values and the sum of weights."""

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def _add(self, values: np.ndarray, sample_weight: ArrayLike | None) -> None:
        if sample_weight is None:
            self.total += float(np.sum(values, dtype=np.float64))
            self.count += values.size
        else:
            weights = spread(sample_weight, values)
            self.total += float(np.sum(values * weights, dtype=np.float64))
            self.count += float(np.sum(weights, dtype=np.float64))

    def result(self) -> float:
        return self.finish(self.total, self.count)


class Mean(_Averaging):
    """The (weighted) mean of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._add(np.asarray(values, dtype=np.float64), sample_weight)


class Sum(Mean):
    """The (weighted) sum of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def finish(self, total: float, count: float) -> float:
        return total


class RowMetric(_Averaging):
    """The mean over all rows of one of operations.ROW_VALUES."""

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        self._add(_values(self.kind, self.attrs, y_true, y_pred), sample_weight)


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


class FunctionMetric(_Averaging):
    """The mean of a Python function ``f(y_true, y_pred)`` that gives one value per row."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function = function

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_pred = np.asarray(y_pred)
        values = np.asarray(self.function(np.asarray(y_true), y_pred))
        if values.ndim == 0:  # one value for the batch: every sample's
            values = np.full(len(y_pred), values)
        self._add(values, sample_weight)


# --- functions: one value per row ------------------------------------------------------------


def accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return the share of equal entries in every row."""
    return _values("accuracy", {}, y_true, y_pred)


def binary_accuracy(y_true: ArrayLike, y_pred: ArrayLike, threshold: float = 0.5) -> np.ndarray:
    """Return the share of entries in every row on the right side of the threshold."""
    return _values("binary_accuracy", {"threshold": threshold}, y_true, y_pred)


def categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return 1 for every row whose largest prediction is at the label's one, else 0."""
    return _values("categorical_accuracy", {}, y_true, y_pred)


def sparse_categorical_accuracy(y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return 1 for every row whose largest prediction is at the integer label, else 0."""
    return _values("sparse_categorical_accuracy", {}, y_true, y_pred)


def _values(kind: str, attrs: dict[str, float], y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    return row_values(kind, attrs, *fitted(kind, y_true, y_pred))


# --- names -----------------------------------------------------------------------------------

_CLASSES: tuple[type[Metric], ...] = (
    Accuracy, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy,
    Huber, Mean, MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, Sum,
)  # fmt: skip

_NAMES: dict[str, type[Metric]] = {
    **{config.snake_case(cls.__name__): cls for cls in _CLASSES},
    **{cls.__name__: cls for cls in _CLASSES},
    "acc": Accuracy,
    "bce": BinaryCrossentropy,
    "mae": MeanAbsoluteError,
    "mse": MeanSquaredError,
    "rmse": RootMeanSquaredError,
}

_FUNCTIONS: dict[Any, type[Metric]] = {
    accuracy: Accuracy,
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    binary_crossentropy: BinaryCrossentropy,
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    huber: Huber,
    mean_absolute_error: MeanAbsoluteError,
    mean_squared_error: MeanSquaredError,
}


def get(identifier: Any) -> Metric | None:
    """Return the metric that a name, a function, a config or an instance stands for.

    Parameters
    ----------
    identifier : str, callable, dict, Metric, Loss or None
        Names and functions keep their own name: ``get("mse").name`` is ``"mse"``.

    Raises
    ------
    ValueError
        If it names no metric.

    Examples
    --------
    >>> get("mse").name
    'mse'
    """
    if identifier is None or isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        cls = _NAMES.get(identifier) or _NAMES.get(identifier.lower())
        if cls is None:
            raise ValueError(_unknown(identifier))
        return _named(cls, identifier)
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if isinstance(identifier, losses.Loss):
        return FunctionMetric(identifier.call, identifier.name)
    if callable(identifier):
        try:
            known = _FUNCTIONS.get(identifier)
        except TypeError:  # a callable that cannot be hashed
            known = None
        return _named(known, identifier.__name__) if known else FunctionMetric(identifier)
    raise ValueError(
        f"metrics: expected a name such as 'accuracy', a function or a Metric, got {identifier!r}"
    )


def resolve(
    identifier: Any, y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]
) -> Metric | None:
    """Return the metric of one output: as `get`, with the short names chosen by the shapes.

    Parameters
    ----------
    identifier : str, callable, Metric ...
        "accuracy", "acc", "crossentropy" and "ce" mean the binary, categorical or sparse
        categorical kind; the metric keeps the name given.
    y_true_shape, y_pred_shape : tuple of int
        Shapes of one sample.

    Examples
    --------
    >>> resolve("acc", (), (10,)).kind
    'sparse_categorical_accuracy'
    """
    kinds = {"accuracy": "accuracy", "acc": "accuracy", "crossentropy": "crossentropy",
             "ce": "crossentropy"}  # fmt: skip
    kind = kinds.get(identifier.lower()) if isinstance(identifier, str) else None
    if kind is None:
        return get(identifier)
    return _named(_NAMES[f"{losses.flavor(y_true_shape, y_pred_shape)}_{kind}"], identifier)


def serialize(metric: Any) -> dict[str, Any] | str:
    """Return a metric as data that `deserialize` understands."""
    metric = get(metric)
    if isinstance(metric, FunctionMetric):
        return metric.name
    return {"class_name": type(metric).__name__, "config": metric.get_config()}


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Metric | None:
    """Return the metric that `serialize` wrote down; `custom_objects` names those of yours."""
    if not isinstance(config, dict):
        return get((custom_objects or {}).get(config, config))
    name = config.get("class_name", "")
    cls = (custom_objects or {}).get(name) or _NAMES.get(name)
    if cls is None:
        raise ValueError(_unknown(name))
    return cls.from_config(config.get("config", {}))


def _named(cls: type[Metric], name: str) -> Metric:
    metric = cls()
    metric.name = name
    return metric


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, [*_NAMES, "crossentropy"], n=1)
    known = ", ".join(sorted(n for n in _NAMES if n.islower()))
    guess = f": did you mean '{near[0]}'?" if near else ""
    return f"Unknown metric '{name}'{guess} (known: {known})"
