"""Metrics: what training reports.

A metric collects batches (`update_state`), gives a number (`result`) and starts again
(`reset_state`). In ``compile(metrics=[...])`` use its name, its class, an instance, or a function
of ``(y_true, y_pred)`` that gives one value per row.
"""

from __future__ import annotations

import functools
from typing import Any

from fastnn import config, lookup, losses
from fastnn.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    huber,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from fastnn.metrics.base import FunctionMetric, Mean, Metric, Sum
from fastnn.metrics.standard import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
)
from fastnn.missing import explain_missing, instead

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

_CLASSES: tuple[type[Metric], ...] = (
    Accuracy, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy,
    Huber, Mean, MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, Sum,
)  # fmt: skip

_LOOKUP = lookup.Lookup(
    "metric",
    {
        **{config.snake_case(cls.__name__): cls for cls in _CLASSES},
        **{cls.__name__: cls for cls in _CLASSES},
        "acc": Accuracy,
        "bce": BinaryCrossentropy,
        "mae": MeanAbsoluteError,
        "mse": MeanSquaredError,
        "rmse": RootMeanSquaredError,
    },
    base=Metric,
    instead=functools.partial(instead, __name__),
    functions={
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
    },
    also=["crossentropy"],  # see `resolve`
)


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
    if isinstance(identifier, str):
        return _named(identifier, identifier)
    found = _LOOKUP.get(identifier)
    if found is None or isinstance(found, Metric):
        return found
    if isinstance(found, losses.Loss):
        return FunctionMetric(found.call, found.name)
    if callable(found):
        return FunctionMetric(found)
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
    return _named(f"{losses.flavor(y_true_shape, y_pred_shape)}_{kind}", identifier)


def serialize(metric: Any) -> dict[str, Any] | str:
    """Return a metric as data that `deserialize` understands."""
    metric = get(metric)
    if isinstance(metric, FunctionMetric):
        return metric.name
    return lookup.serialize(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Metric | None:
    """Return the metric that `serialize` wrote down; `custom_objects` names those of yours."""
    return get(_LOOKUP.deserialize(config, custom_objects))


def _named(known: str, name: str) -> Metric:
    """Return the metric of a known name under the name it was asked for."""
    metric = _LOOKUP.get(known)
    metric.name = name
    return metric


explain_missing(__name__)
