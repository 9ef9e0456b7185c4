"""Joining and cutting: arrays or tensors side by side, and their parts along an axis."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fastnn.ops import elementwise as e
from fastnn.ops.operation import (
    as_ndarray,
    as_tensor,
    broadcast,
    dtype_among,
    holds_tensor,
    of_floatx,
)
from fastnn.ops.shapes import (
    _concatenate,
    _place,
    _reshape,
    _slice,
    expand_dims,
    ndim,
    squeeze,
    zeros_like,
)
from fastnn.ops.tensor import NotTraceable, Shape, Tensor, where
from fastnn.variable import trace_dtype


def concatenate(xs: Any, axis: int = 0) -> Any:
    """Return arrays or tensors one behind the other along an axis."""
    if not holds_tensor(xs):
        arrays = [as_ndarray(x) for x in xs]
        return of_floatx(np.concatenate(arrays, axis), *arrays)
    tensors, first = _tensors(xs)
    axis = axis % first.ndim
    if first.batched:
        if axis == 0:
            raise NotTraceable(
                f"{where()}concatenate along the batch (axis 0) would change the number of rows: "
                "use axis=-1"
            )
        tensors = [t if t.batched else _rows_of(t, first) for t in tensors]
    return _concatenate(*tensors, axis=axis) if len(tensors) > 1 else tensors[0]


def _tensors(xs: Any) -> tuple[list[Tensor], Tensor]:
    """Return all as tensors, and the first of them that has rows of the batch, or the first."""
    dtype = dtype_among(xs) or trace_dtype()
    tensors = [as_tensor(x, dtype) for x in xs]
    return tensors, next((t for t in tensors if t.batched), tensors[0])


def _rows_of(x: Tensor, like: Tensor) -> Tensor:
    """Return numbers repeated for every row of a batch."""
    zero = like
    for axis in range(1, like.ndim):
        zero = _slice(zero, axis=axis, start=0, step=1, count=1)
    zero = zeros_like(zero)
    return e.add(zero, x)


def stack(x: Any, axis: int = 0) -> Any:
    """Return arrays or tensors side by side along a new axis."""
    if not holds_tensor(x):
        arrays = [as_ndarray(item) for item in x]
        return of_floatx(np.stack(arrays, axis), *arrays)
    tensors, first = _tensors(x)
    axis = axis + first.ndim + 1 if axis < 0 else axis
    if axis == 0 and first.batched:
        raise NotTraceable(
            f"{where()}stack(axis=0) would put an axis before the batch: use axis=-1 and reduce "
            "along it"
        )
    joined, _ = broadcast(*tensors)
    tensors = [t if t.shape == joined else e.add(t, zeros_like(first)) for t in tensors]
    return concatenate([expand_dims(t, axis) for t in tensors], axis)


def hstack(xs: Any) -> Any:
    """Return arrays or tensors side by side: along axis 1, of one axis along it."""
    return concatenate(xs, axis=0 if ndim(next(iter(xs))) == 1 else 1)


def vstack(xs: Any) -> Any:
    """Return arrays below each other."""
    if holds_tensor(xs):
        return concatenate(xs, axis=0)
    arrays = [as_ndarray(x) for x in xs]
    return of_floatx(np.vstack(arrays), *arrays)


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Return parts of x along an axis: so many equal ones, or cut before the given places."""
    if not isinstance(x, Tensor):
        return list(np.split(as_ndarray(x), indices_or_sections, axis))
    axis = axis % x.ndim
    length = inner_length(x, axis, "split")
    if isinstance(indices_or_sections, (int, np.integer)):
        parts = int(indices_or_sections)
        if length % parts:
            raise ValueError(f"{where()}split: {length} elements cannot be {parts} equal parts")
        cuts = [length // parts * k for k in range(1, parts)]
    else:
        cuts = [int(c) for c in indices_or_sections]
    edges = [0, *cuts, length]
    return [
        _slice(x, axis=axis, start=a, step=1, count=b - a) for a, b in itertools.pairwise(edges)
    ]


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """Return the parts of x along an axis, without that axis."""
    if not isinstance(x, Tensor):
        return [np.take(as_ndarray(x), k, axis) for k in range(np.shape(as_ndarray(x))[axis])]
    axis = axis % x.ndim
    return [squeeze(part, axis) for part in split(x, inner_length(x, axis, "unstack"), axis)]


def inner_length(x: Tensor, axis: int, who: str) -> int:
    length = x.shape[axis]
    if length is None:
        raise NotTraceable(
            f"{where()}{who} along the batch would depend on the order of its rows, which is "
            "another in each epoch: use another axis"
        )
    return length


def flip(x: Any, axis: Any = None) -> Any:
    """Return x backwards along an axis."""
    if not isinstance(x, Tensor):
        return np.flip(as_ndarray(x), axis)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, (tuple, list)) else [axis]
    for a in axes:
        length = inner_length(x, a % x.ndim, "flip")
        x = _slice(x, axis=a % x.ndim, start=length - 1, step=-1, count=length)
    return x


def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """Return x moved along an axis; what leaves at the end comes in at the front."""
    if not isinstance(x, Tensor):
        return np.roll(as_ndarray(x), shift, axis)
    if axis is None:
        raise NotTraceable(f"{where()}roll of a tensor needs axis=..., not that of the batch")
    length = inner_length(x, axis % x.ndim, "roll")
    cut = -shift % length
    if cut == 0:
        return x
    first, second = split(x, [cut], axis)
    return concatenate([second, first], axis)


def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Return x with every element along an axis so many times."""
    if not isinstance(x, Tensor):
        return np.repeat(as_ndarray(x), repeats, axis)
    axis = named_axis(axis, x, "repeat")
    wide = concatenate([expand_dims(x, axis + 1)] * int(repeats), axis + 1)
    return _reshape(wide, shape=_scaled(x, axis, int(repeats)), fold=x.fold)


def tile(x: Any, repeats: Any) -> Any:
    """Return x so many times along each axis."""
    if holds_tensor(repeats) and not holds_tensor(x) and np.shape(as_ndarray(x))[:1] == (1,):
        return tile(x, (1, *repeats[1:]))  # for every row of the batch: it broadcasts by itself
    if not isinstance(x, Tensor):
        return np.tile(as_ndarray(x), repeats)
    given = list(repeats) if isinstance(repeats, (tuple, list)) else [repeats]
    counts = [int(r) for r in given]
    counts = [1] * (x.ndim - len(counts)) + counts
    for axis, count in enumerate(counts):
        if count != 1:
            inner_length(x, axis, "tile")
            x = concatenate([x] * count, axis)
    return x


def named_axis(axis: int | None, x: Tensor, who: str) -> int:
    if axis is None:
        raise NotTraceable(f"{where()}{who} of a tensor needs axis=..., not that of the batch")
    inner_length(x, axis % x.ndim, who)
    return axis % x.ndim


def _scaled(x: Tensor, axis: int, factor: int) -> Shape:
    return tuple(d * factor if k == axis else d for k, d in enumerate(x.shape))  # type: ignore[operator]


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """Return x with so many elements before and after along each axis."""
    value = 0 if constant_values is None else constant_values
    if not isinstance(x, Tensor):
        more: dict[str, Any] = {"constant_values": value} if mode == "constant" else {}
        return np.pad(as_ndarray(x), pad_width, mode, **more)  # type: ignore[call-overload]
    if mode != "constant":
        raise NotTraceable(f"{where()}pad of a tensor takes mode='constant', got {mode!r}")
    widths = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2))
    for axis, (before, after) in enumerate(widths):
        if before or after:
            length = inner_length(x, axis, "pad")
            total = length + int(before) + int(after)
            y = _place(x, axis=axis, start=int(before), step=1, length=total)
            if value:
                edge = np.full(total, float(value))
                edge[int(before) : int(before) + length] = 0
                y = e.add(y, edge.reshape([-1] + [1] * (x.ndim - axis - 1)))
            x = y
    return x
