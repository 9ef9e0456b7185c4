"""Tensors as a trace has them, and what they are worth."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops import Tensor
from fastnn.ops.operation import CONSTANT, INPUT, ROWS


def leaf(name: str, *sample: int) -> Tensor:
    """Return a tensor that stands for a batch of such samples."""
    return Tensor(INPUT, (), {"source": (name, 0)}, (None, *sample), 1, "float64")


def evaluate(x: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return the value of a tensor where leaves stand for these arrays, by their names."""
    if isinstance(x, (tuple, list)):
        return type(x)(evaluate(item, arrays) for item in x)
    if not isinstance(x, Tensor):
        return np.asarray(x)
    if x.op is INPUT:
        return arrays[x.attrs["source"][0]]
    if x.op is CONSTANT:
        return x.attrs["value"]
    if x.op is ROWS:
        return np.asarray(float(len(next(iter(arrays.values())))))
    value = x.op.numpy(*(evaluate(arg, arrays) for arg in x.args), **x.attrs)
    return np.asarray(value, np.float64)  # of truth values, ones and zeros


def shape_of(x: Any, rows: int) -> tuple[int, ...]:
    """Return the shape that a tensor says it has, for so many samples."""
    if not isinstance(x, Tensor):
        return np.shape(x)
    return tuple(rows * x.fold if d is None else d for d in x.shape)
