"""Rescaling: y = x scale + offset."""

from __future__ import annotations

import numbers
from typing import Any

from fastnn import ops
from fastnn.layers.base import Layer


class Rescaling(Layer):
    """Multiply and shift, e.g. ``Rescaling(1 / 255)`` for bytes of an image.

    Parameters
    ----------
    scale, offset : float
        ``y = x * scale + offset``.
    """

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for argument, value in (("scale", scale), ("offset", offset)):
            if not isinstance(value, numbers.Real):
                raise ValueError(
                    f"Rescaling '{self.name}': {argument} must be a number, got {value!r}"
                )
        self.scale = float(scale)
        self.offset = float(offset)

    def call(self, inputs: Any) -> Any:
        return ops.add(ops.multiply(inputs, self.scale), self.offset)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}
