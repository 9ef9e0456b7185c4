"""Layers on arrays: `call`, with NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.layers.nested import is_array, mapped

if TYPE_CHECKING:
    from fastnn.layers.base import Layer


def run(layer: Layer, inputs: Any, *, training: bool) -> Any:
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
    with np.errstate(all="ignore"):
        return as_arrays(layer.compute(arrays, training=training))


def run_nested(
    layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any], *, training: bool
) -> Any:
    """Compute a layer's output for arrays wherever they stand in the arguments."""
    args, kwargs = mapped(lambda x: as_batch(layer, x), (args, kwargs), is_array)
    layer._build_for(args)
    with np.errstate(all="ignore"):
        return as_arrays(layer._invoke(args, kwargs, training))


def as_arrays(output: Any) -> Any:
    """Return what a call returned as an array, or the list or dict of arrays."""
    if output is None:
        raise ValueError("call() returned nothing: has it a return?")
    if isinstance(output, dict):
        return {key: np.asarray(one) for key, one in output.items()}
    if isinstance(output, (list, tuple)):
        return [np.asarray(one) for one in output]
    return np.asarray(output)


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
