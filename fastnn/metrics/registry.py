"""From a function to a metric: the class that is its mean, and all its names."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastnn.losses.base import fitted
from fastnn.losses.registry import class_of, options_of, set_options
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
    defaults = {key: v for key, v in options_of(function).items() if key not in without}

    def begin(self: RowMetric, given: dict[str, Any]) -> None:
        options = {key: given[key] for key in defaults}
        MeanMetricWrapper.__init__(self, function, given["name"], given["dtype"], **options)
        set_options(self, class_name, options, check)

    made: type[RowMetric] = class_of(
        class_name, "fastnn.metrics", RowMetric, function,
        {"name": name or own, "dtype": None, **defaults}, begin, direction=direction,
    )  # fmt: skip
    FUNCTIONS[own] = function
    CLASSES[class_name] = made
    for known in (own, *aliases):
        NAMES[known] = made
    return made
