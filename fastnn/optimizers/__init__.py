"""Optimizers: how a gradient changes the weights. One rule a file; base.py has what they share."""

from __future__ import annotations

from typing import Any

from fastnn.optimizers import schedules
from fastnn.optimizers.adam import Adam
from fastnn.optimizers.adamw import AdamW
from fastnn.optimizers.base import Optimizer
from fastnn.optimizers.rmsprop import RMSprop
from fastnn.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

_NAMES: dict[str, type[Optimizer]] = {
    cls.__name__.lower(): cls for cls in (Adam, AdamW, RMSprop, SGD)
}


def get(identifier: Any) -> Optimizer:
    """Return the optimizer that a name, a class, a config or an instance stands for.

    Parameters
    ----------
    identifier : str, dict, type or Optimizer
        ``"adam"``, ``"SGD"``, what `serialize` returned, or an instance (returned as it is).

    Raises
    ------
    ValueError
        If it names no optimizer.

    Examples
    --------
    >>> get("adam").learning_rate
    0.001
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    raise ValueError(
        f"optimizer: expected a name such as 'adam' or an Optimizer, got {identifier!r}"
    )


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer's class and settings as data that `deserialize` understands."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that `serialize` wrote down; `custom_objects` names those of yours."""
    name = config.get("class_name", "")
    cls = (custom_objects or {}).get(name) or _NAMES.get(name.lower())
    if cls is None:
        import difflib

        near = difflib.get_close_matches(name.lower(), _NAMES, n=1)
        guess = f": did you mean '{near[0]}'?" if near else ""
        raise ValueError(f"Unknown optimizer '{name}'{guess} (known: {', '.join(_NAMES)})")
    return cls.from_config(config.get("config", {}))
