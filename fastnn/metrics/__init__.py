"""Metrics: what training reports.

A metric collects batches (`update_state`), gives a number (`result`) and starts again
(`reset_state`). In ``compile(metrics=[...])`` use its name, its class, an instance, or a function
of ``(y_true, y_pred)`` that gives one value per row.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastnn import config, lookup, losses
from fastnn.metrics.base import FunctionMetric, Mean, MeanMetricWrapper, Metric, Sum
from fastnn.metrics.registry import CLASSES, FUNCTIONS, NAMES
from fastnn.metrics.standard import *  # noqa: F403
from fastnn.metrics.standard import RootMeanSquaredError
from fastnn.missing import explain_missing, instead

_MEANS = (Mean, MeanMetricWrapper, RootMeanSquaredError, Sum)

__all__ = [
    "FunctionMetric",
    "Metric",
    "deserialize",
    "get",
    "resolve",
    "serialize",
    *(cls.__name__ for cls in _MEANS),
    *CLASSES,
    *NAMES,
]

globals().update(CLASSES)
globals().update({name: FUNCTIONS[made.function.__name__] for name, made in NAMES.items()})
globals().update({name: getattr(losses, name) for name in losses.UPPER})  # metrics.MSE

if TYPE_CHECKING:  # type checkers do not see what is made of the table

    def __getattr__(name: str) -> Any: ...


_LOOKUP = lookup.Lookup(
    "metric",
    {
        **{config.snake_case(cls.__name__): cls for cls in (*_MEANS, *CLASSES.values())},
        **{cls.__name__: cls for cls in _MEANS},
        **NAMES,
        **CLASSES,
        "rmse": RootMeanSquaredError,
    },
    base=Metric,
    instead=functools.partial(instead, __name__),
    functions={function: NAMES[name] for name, function in FUNCTIONS.items()},
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
    >>> type(resolve("acc", (), (10,))).__name__
    'SparseCategoricalAccuracy'
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
