"""Layers that give the same numbers another shape; they cost nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence


class Flatten(Layer):
    """Make one axis of all axes but the batch: (None, 28, 28) becomes (None, 784)."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if data_format not in (None, "channels_last"):
            raise ValueError(
                f"Flatten '{self.name}': data_format must be None or 'channels_last', got "
                f"{data_format!r}"
            )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (input_shape[0], math.prod(input_shape[1:]))

    def call(self, inputs: Any) -> Any:
        return ops.reshape(inputs, (ops.shape(inputs)[0], math.prod(inputs.shape[1:])))


class Reshape(Layer):
    """Give every sample another shape with as many elements.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one size may be -1, which then follows from the others.

    Raises
    ------
    ValueError
        If the number of elements differs.
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(n) for n in target_shape)
        if self.target_shape.count(-1) > 1 or any(n < -1 or n == 0 for n in self.target_shape):
            raise ValueError(
                f"Reshape '{self.name}': target_shape must be positive sizes, of which one may "
                f"be -1, got {self.target_shape}"
            )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        size = math.prod(input_shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        shape = tuple(size // known if n == -1 else n for n in self.target_shape)
        if math.prod(shape) != size:
            raise ValueError(
                f"Reshape '{self.name}': cannot give samples of shape {tuple(input_shape[1:])}, "
                f"{size} elements, the shape {self.target_shape}"
            )
        return (input_shape[0], *shape)

    def call(self, inputs: Any) -> Any:
        sample = self.compute_output_shape(tuple(inputs.shape))[1:]
        return ops.reshape(inputs, (ops.shape(inputs)[0], *sample))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": list(self.target_shape)}
