"""Optimizers: how a gradient changes the weights. One rule a file; base.py has what they share."""

from __future__ import annotations

import functools
from typing import Any

from fastnn import lookup
from fastnn.missing import explain_missing, instead
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

_LOOKUP = lookup.Lookup(
    "optimizer",
    {cls.__name__.lower(): cls for cls in (Adam, AdamW, RMSprop, SGD)},
    base=Optimizer,
    instead=functools.partial(instead, __name__),
)


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
    found = _LOOKUP.get(identifier)
    if isinstance(found, Optimizer):
        return found
    raise ValueError(
        f"optimizer: expected a name such as 'adam' or an Optimizer, got {identifier!r}"
    )


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return an optimizer's class and settings as data that `deserialize` understands."""
    return lookup.serialize(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """Return the optimizer that `serialize` wrote down; `custom_objects` names those of yours."""
    settings = config.get("config") if isinstance(config, dict) else None
    if isinstance(settings, dict) and isinstance(settings.get("learning_rate"), dict):
        rate = schedules.deserialize(settings["learning_rate"], custom_objects)
        config = {**config, "config": {**settings, "learning_rate": rate}}
    return get(_LOOKUP.deserialize(config, custom_objects))


explain_missing(__name__)
