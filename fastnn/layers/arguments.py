"""The arguments of a layer's ``__init__``: old spellings, unknown ones, those written down."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from fastnn.lookup import did_you_mean

if TYPE_CHECKING:
    from fastnn.layers.base import Layer, Shape

_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def old_input_shape(kwargs: dict[str, Any]) -> Shape | None:
    """Take Keras 1 and 2's ways to say an input shape out of `kwargs`."""
    shape = kwargs.pop("input_shape", None)
    size = kwargs.pop("input_dim", None)
    batch_shape = kwargs.pop("batch_input_shape", None)
    if batch_shape is not None:
        return tuple(batch_shape)
    if shape is not None:
        return (None, *shape) if isinstance(shape, (list, tuple)) else (None, shape)
    return None if size is None else (None, size)


def unknown_argument(cls: type, kwargs: dict[str, Any]) -> str:
    """Say that no class knows the first of these arguments, and which one may be meant."""
    known: set[str] = set()
    for base in cls.__mro__[:-1]:
        known.update(inspect.signature(base.__init__).parameters)  # type: ignore[misc]
    known -= {"self", "args", "kwargs"}
    name = next(iter(kwargs))
    hint = did_you_mean(name, known) or f": it takes {', '.join(sorted(known))}"
    return f"{cls.__name__}: unrecognized argument {name!r}{hint}"


def plain_arguments(layer: Layer, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return the named arguments of `__init__` that are numbers, strings, lists of these, None."""
    signature = inspect.signature(type(layer).__init__)
    try:
        given = signature.bind(layer, *args, **kwargs).arguments
    except TypeError:
        return {}  # __init__ will say so; or a copy is being made, which brings its own
    named = [n for n, p in signature.parameters.items() if p.kind in _NAMED]
    return {name: given[name] for name in named[1:] if name in given and _is_plain(given[name])}


def _is_plain(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def unwritten_argument(layer: Layer, config: dict[str, Any]) -> str | None:
    """Return the first argument that ``__init__`` needs and `config` has not, if there is one."""
    for name, parameter in inspect.signature(type(layer).__init__).parameters.items():
        needed = parameter.default is parameter.empty and parameter.kind in _NAMED
        if needed and name != "self" and name not in config:
            return name
    return None
