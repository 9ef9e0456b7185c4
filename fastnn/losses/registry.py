"""From a function to a loss: what ``@loss`` adds to one value for each row.

A loss is one function ``f(y_true, y_pred, option=default ...)`` in ops. The decorator makes of it
what Keras has: the function itself, which checks shapes on arrays; a class of the given name, whose
arguments are the function's options; short names; and, in `fastnn.metrics`, the metric that is its
mean.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.losses.base import RowLoss, fitted
from fastnn.ops.operation import holds_tensor
from fastnn.ops.tensor import where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""All built-in losses as functions, by name."""

CLASSES: dict[str, type[RowLoss]] = {}
"""The same as classes, by the name of the class."""

NAMES: dict[str, type[RowLoss]] = {}
"""The same by every name in lower case that stands for one."""


def loss(
    class_name: str,
    *aliases: str,
    name: str | None = None,
    sparse: bool = False,
    arguments: Sequence[str] = (),
    check: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Make a loss of a function that gives one value for each row.

    Parameters
    ----------
    class_name : str
        Of the class that is made: ``"MeanSquaredError"``.
    aliases : str
        Short names for ``compile(loss=...)``: ``"mse"``.
    name : str, optional
        What the class calls itself in logs; default the function's name.
    sparse : bool
        Targets are class numbers: they lack the predictions' last axis.
    arguments : list of str, optional
        The order of the class's arguments where it is not the options' own, then reduction, name.
    check : callable, optional
        Gets the options, and raises ValueError for those that make no sense.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        own = function.__name__

        @functools.wraps(function)
        def call(y_true: Any, y_pred: Any, *args: Any, **kwargs: Any) -> Any:
            if check is not None:
                given = inspect.signature(function).bind(y_true, y_pred, *args, **kwargs)
                given.apply_defaults()
                check(own, **{k: given.arguments[k] for k in defaults})
            if holds_tensor((y_true, y_pred)):
                y_true, y_pred = _matched(own, y_true, y_pred, sparse)
            else:
                y_true, y_pred = fitted(own, y_true, y_pred)
                if not y_pred.ndim:
                    y_true, y_pred = y_true.reshape(y_true.shape or 1), y_pred.reshape(1)
            return function(y_true, y_pred, *args, **kwargs)

        defaults = options_of(function)
        order = list(arguments) or [*defaults, "reduction", "name", "dtype"]
        made = _class(class_name, call, defaults, order, name or own, check)
        FUNCTIONS[own] = call
        CLASSES[class_name] = made
        for known in (own, *aliases):
            NAMES[known] = made
        return call

    return decorate


def _class(
    class_name: str,
    function: Callable[..., Any],
    defaults: dict[str, Any],
    order: Sequence[str],
    name: str,
    check: Callable[..., None] | None,
) -> type[RowLoss]:
    """Return the class of a loss: its arguments are the options, then what all losses have."""

    def begin(self: RowLoss, given: dict[str, Any]) -> None:
        RowLoss.__init__(self, given["name"], given["reduction"], given.get("dtype"))
        self.options = {key: given.get(key, default) for key, default in defaults.items()}
        set_options(self, class_name, self.options, check)

    usual = {"reduction": "sum_over_batch_size", "name": name, "dtype": None}
    arguments = {key: {**defaults, **usual}[key] for key in order}
    return class_of(class_name, "fastnn.losses", RowLoss, function, arguments, begin)


def class_of(
    class_name: str,
    module: str,
    base: type,
    function: Callable[..., Any],
    arguments: dict[str, Any],
    begin: Callable[[Any, dict[str, Any]], None],
    **members: Any,
) -> Any:
    """Return a class that wraps a function.

    Parameters
    ----------
    class_name, module : str
        Where it says it is defined, so that it can be pickled.
    base : type
    function : callable
        Its attribute `function`, and its documentation.
    arguments : dict
        Of ``__init__``, in their order, with their defaults.
    begin : callable
        Gets the instance and its arguments.
    members
        Further attributes of the class.
    """
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(key, kind, default=v) for key, v in arguments.items()]
    signature = inspect.Signature(parameters)

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            given = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{class_name}: {error}; it takes {', '.join(arguments)}") from None
        given.apply_defaults()
        begin(self, given.arguments)

    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter("self", kind), *parameters]
    )
    members |= {
        "__doc__": function.__doc__,
        "__init__": __init__,
        "__module__": module,
        "__qualname__": class_name,
        "function": staticmethod(function),
    }
    return type(class_name, (base,), members)


def options_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what a function takes behind y_true and y_pred, with the defaults."""
    parameters = list(inspect.signature(function).parameters.items())[2:]
    return {key: parameter.default for key, parameter in parameters}


def set_options(
    instance: Any, who: str, options: dict[str, Any], check: Callable[..., None] | None
) -> None:
    """Check the options of a loss or metric, and make them its attributes."""
    if check is not None:
        check(who, **options)
    for key, value in options.items():
        setattr(instance, key, value)


def _matched(who: str, y_true: Any, y_pred: Any, sparse: bool) -> tuple[Any, Any]:
    """Return tensors whose shapes fit: a last axis of length 1 may be missing or too much."""
    dtype = next(x.dtype for x in (y_true, y_pred) if isinstance(x, ops.Tensor))
    from fastnn.ops.operation import as_tensor

    t, p = as_tensor(y_true, dtype), as_tensor(y_pred, dtype)
    if sparse:
        if t.shape == (*p.shape[:-1], 1) and t.ndim == p.ndim:
            t = ops.squeeze(t, -1)
        return t, p
    if t.ndim == p.ndim + 1 and t.shape[-1] == 1:
        t = ops.squeeze(t, -1)
    elif p.ndim == t.ndim + 1 and p.shape[-1] == 1:
        t = ops.expand_dims(t, -1)
    if t.shape != p.shape and len(t.shape) == len(p.shape) and not _broadcasts(t, p):
        raise ValueError(
            f"{where()}{who}: y_true has shape {t.shape} and y_pred {p.shape}: bring them to one"
        )
    return t, p


def _broadcasts(t: Any, p: Any) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(t.shape, p.shape, strict=True))
