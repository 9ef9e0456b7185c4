"""Layers as data: by class name and configuration. Nothing is imported that a file names."""

from __future__ import annotations

from typing import Any

from fastnn.layers.base import Layer

CLASSES: dict[str, type[Layer]] = {}
"""The classes that a configuration may name."""


def serialize(layer: Layer) -> dict[str, Any]:
    """Return a layer as data: ``{"class_name": ..., "config": {...}}``."""
    return {"class_name": type(layer).__name__, "config": layer.get_config()}


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
    known = {**CLASSES, **(custom_objects or {})}
    if name not in known:
        raise ValueError(
            f"deserialize: there is no layer class {name!r}: pass your own as "
            f"custom_objects={{{name!r}: ...}}"
        )
    cls = known[name]
    config = dict(data.get("config") or {})
    if getattr(cls, "takes_custom_objects", False):
        return cls.from_config(config, custom_objects)
    for key, value in config.items():  # functions of the user's own
        if custom_objects and isinstance(value, str) and value in custom_objects:
            config[key] = custom_objects[value]
    return cls.from_config(config)
