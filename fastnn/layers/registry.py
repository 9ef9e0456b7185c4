"""Layers as data: by class name and configuration. Nothing is imported that a file names."""

from __future__ import annotations

from typing import Any

from fastnn import lookup
from fastnn.layers.base import Layer

CLASSES: dict[str, type[Layer]] = {}
"""The classes that a configuration may name."""

_LOOKUP = lookup.Lookup("layer", CLASSES)


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer as data: ``{"class_name": ..., "config": {...}}``; own classes are marked."""
    data = lookup.serialize(layer)
    own = not type(layer).__module__.startswith("fastnn.")
    return {**data, "registered_name": f"Custom>{data['class_name']}"} if own else data


def deserialize(data: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Layer:
    """Return the layer that `serialize` described.

    Parameters
    ----------
    data : dict
    custom_objects : dict, optional
        Your own classes and functions by name.

    Raises
    ------
    ValueError
        If the class is unknown, or its arguments do not fit.
    """
    name = data.get("class_name") if isinstance(data, dict) else None
    own = isinstance(data, dict) and str(data.get("registered_name")).startswith("Custom>")
    try:
        if own and name in CLASSES and name not in (custom_objects or {}):
            raise ValueError(f"layer {name!r} is not fastnn's of this name, but one of your own")
        cls = _LOOKUP.find(name, custom_objects)
    except ValueError as error:
        raise ValueError(
            f"{error}. Pass a layer of your own as custom_objects={{{name!r}: ...}}"
        ) from None
    config = dict(data.get("config") or {})
    if getattr(cls, "takes_custom_objects", False):
        return cls.from_config(config, custom_objects)
    for key, value in config.items():  # functions of the user's own
        if custom_objects and isinstance(value, str) and value in custom_objects:
            config[key] = custom_objects[value]
    return cls.from_config(config)
