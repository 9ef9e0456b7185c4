"""From a function to a metric: the class that is its mean, and all its names."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from fastnn.losses.base import fitted
from fastnn.metrics.base import MeanMetricWrapper, RowMetric
from fastnn.ops.operation import holds_tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""All functions that stand for a metric, by name."""

CLASSES: dict[str, type[RowMetric]] = {}
"""The metrics by the name of the class."""

NAMES: dict[str, type[RowMetric]] = {}
"""The same by every name in lower case that stands for one."""


def metric(
    class_name: str,
    *aliases: str,
    direction: str | None = "max",
    check: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a metric of a function that gives one value for each row.

    Parameters
    ----------
    class_name : str
    aliases : str
        Short names for ``compile(metrics=[...])``.
    direction : {"max", "min", None}
        Whether good is large or small.
    check : callable, optional
        Gets the options, and raises ValueError for those that make no sense.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        own = function.__name__

        @functools.wraps(function)
        def call(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            if not holds_tensor((y_true, y_pred)):
                y_true, y_pred = fitted(own, y_true, y_pred)
            return function(y_true, y_pred, *args, **kwargs)

        mean_of(class_name, call, *aliases, direction=direction, check=check)
        return call

    return decorate


def mean_of(
    class_name: str,
    function: Callable[..., Any],
    *aliases: str,
    direction: str | None,
    check: Callable[..., None] | None = None,
    name: str | None = None,
    without: Sequence[str] = (),
) -> type[RowMetric]:
    """Make the class of the metric that is a function's mean, and enter its names.

    Parameters
    ----------
    name : str, optional
        What the class calls itself in logs; default the function's name.
    without : list of str, optional
        Options of the function that the class does not take.
    """
    own = function.__name__
    defaults = {
        key: parameter.default
        for key, parameter in list(inspect.signature(function).parameters.items())[2:]
        if key not in without
    }
    order = ["name", "dtype", *defaults]
    usual = {"name": name or own, "dtype": None, **defaults}
    parameters = [
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=usual[key])
        for key in order
    ]
    signature = inspect.Signature(parameters)

    def __init__(self: RowMetric, *args: Any, **kwargs: Any) -> None:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{class_name}: {error}; it takes {', '.join(order)}") from None
        given.apply_defaults()
        options = {key: given.arguments[key] for key in defaults}
        if check is not None:
            check(class_name, **options)
        MeanMetricWrapper.__init__(self, function, given.arguments["name"], None, **options)
        for key, value in options.items():
            setattr(self, key, value)

    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *parameters]
    )
    made = type(
        class_name,
        (RowMetric,),
        {
            "__doc__": function.__doc__,
            "__init__": __init__,
            "__module__": "fastnn.metrics",
            "__qualname__": class_name,
            "direction": direction,
            "function": staticmethod(function),
        },
    )
    FUNCTIONS[own] = function
    CLASSES[class_name] = made
    for known in (own, *aliases):
        NAMES[known] = made
    return made
