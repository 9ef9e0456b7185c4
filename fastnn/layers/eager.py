"""Layers on arrays: the same lowering, but every operation is computed at once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.operations import Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastnn.layers.base import Layer


class Value:
    """An array in the place of a program's tensor: `shape` is that of one sample."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape[1:]

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def features(self) -> int:
        return self.shape[-1] if self.shape else 1


class EagerBuilder:
    """A `program.Builder` that computes instead of recording.

    Dense layers and activations run on the chosen engine's kernels, so their bits are those of
    ``predict``; the remaining operations are elementwise and exact.
    """

    def __init__(self, *, training: bool) -> None:
        from fastnn.numpy_engine.operations import Step

        seed = config.next_seed() if training else 0
        self._step = Step(training=training, number=0, seed=seed)
        self._streams = 0

    def stream(self) -> int:
        self._streams += 1
        return self._streams - 1

    def view(self, value: Value, shape: Sequence[int]) -> Value:
        return Value(value.array.reshape(len(value.array), *shape))

    def operation(
        self,
        kind: str,
        inputs: Iterable[Value],
        shape: Sequence[int],
        *,
        params: Iterable[Any] = (),
        layer_name: str = "",
        **attrs: Any,
    ) -> Value:
        arrays = [value.array for value in inputs]
        params = tuple(params)
        if config.engine() == "c" and kind in ("dense", "activation"):
            from fastnn import kernels

            activation, slope = attrs["activation"], attrs.get("slope", 0.0)
            if kind == "activation":
                result = kernels.activation(arrays[0], activation, slope=slope)
            else:
                bias = params[1].value if len(params) == 2 else None
                result = kernels.dense(
                    arrays[0], params[0].value, bias, activation=activation, slope=slope
                )
        else:
            from fastnn.numpy_engine.operations import FORWARD

            op = Operation(kind, (), 0, params, attrs, layer_name)
            result = FORWARD[kind](self._step, op, *arrays)
        return Value(np.asarray(result, arrays[0].dtype).reshape(len(arrays[0]), *shape))


def run(layer: Layer, inputs: Any, *, training: bool) -> np.ndarray:
    """Compute a layer's output for arrays; the first axis is the batch."""
    several = isinstance(inputs, (list, tuple)) and any(
        isinstance(x, np.ndarray) and x.ndim for x in inputs
    )
    arrays = [as_batch(layer, x) for x in (inputs if several else [inputs])]
    layer.prepare(arrays if several else arrays[0])
    if len({len(x) for x in arrays}) > 1:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}': the inputs have different numbers of "
            f"samples: {[len(x) for x in arrays]}"
        )
    output = layer.emit(EagerBuilder(training=training), [Value(x) for x in arrays])
    return output.array


def as_batch(layer: Layer, x: Any) -> np.ndarray:
    try:
        array = None if x is None else np.asarray(x, layer.dtype)
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}': cannot make an array of numbers from "
            f"{type(x).__name__}: pass an array of shape (samples, ...) or a symbolic tensor"
        )
    if array.ndim == 0:
        raise ValueError(
            f"{type(layer).__name__} '{layer.name}': expected an array of shape (samples, ...), "
            f"got the single number {x!r}"
        )
    return array
