"""Shapes: the operations that move elements; reshaping, broadcasting, the order of axes."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from fastnn.ops import elementwise as e
from fastnn.ops.operation import (
    INPUT,
    as_ndarray,
    as_tensor,
    broadcast,
    constant,
    holds_tensor,
    of_batch,
    recorded,
    rows,
)
from fastnn.ops.tensor import METHODS, NotTraceable, Shape, Tensor, where

# mypy: disable-error-code="has-type"
# derivatives name operations that are defined, by a decorator, further below

# --- operations ------------------------------------------------------------------------------


def _given(x: Tensor, *, shape: Shape, fold: int) -> tuple[Shape, int]:
    return shape, fold


@recorded(_given, lambda g, y, x, shape, fold: (_reshape(g, shape=x.shape, fold=x.fold),))
def _reshape(x: Any, shape: Any, fold: int) -> Any:
    return np.reshape(x, tuple(-1 if d is None else d for d in shape))


@recorded(
    lambda x, like: (like.shape, like.fold),
    lambda g, y, x, like: (sum_to(g, x), None),
)
def _broadcast_like(x: Any, like: Any) -> Any:
    return np.broadcast_to(x, np.shape(like))


def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """Return x with the shape of another tensor."""
    return x if (x.shape, x.fold) == (like.shape, like.fold) else _broadcast_like(x, like)


def keep_axes(g: Tensor, x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return a reduction's result with the axes of x that it has lost, each of length 1."""
    shape = tuple(1 if k in axes else d for k, d in enumerate(x.shape))
    return g if g.shape == shape else _reshape(g, shape=shape, fold=g.fold)


def sum_to(g: Tensor, x: Tensor) -> Tensor:
    """Return the sum of g over the axes along which x was broadcast to its shape."""
    from fastnn.ops import reductions

    if g.shape == x.shape:
        return g
    extra = g.ndim - x.ndim
    axes = tuple(range(extra)) + tuple(
        k + extra for k, d in enumerate(x.shape) if d == 1 and g.shape[k + extra] != 1
    )
    y = reductions._sum(g, axes=axes, keepdims=True) if axes else g
    return y if y.shape == x.shape else _reshape(y, shape=x.shape, fold=x.fold)


@recorded(
    lambda x, *, order: (tuple(x.shape[k] for k in order), x.fold),
    lambda g, y, x, order: (_transpose(g, order=tuple(int(k) for k in np.argsort(order))),),
)
def _transpose(x: Any, order: Any) -> Any:
    return np.transpose(x, order)


def _sliced(x: Tensor, *, axis: int, start: int, step: int, count: int) -> tuple[Shape, int]:
    return (*x.shape[:axis], count, *x.shape[axis + 1 :]), x.fold


def _range(start: int, step: int, count: int) -> slice:
    stop = start + step * count
    return slice(start, None if stop < 0 else stop, step)


@recorded(
    _sliced,
    lambda g, y, x, axis, start, step, count: (
        _place(g, axis=axis, start=start, step=step, length=x.shape[axis]),
    ),
)
def _slice(x: Any, axis: int, start: int, step: int, count: int) -> Any:
    return x[(slice(None),) * axis + (_range(start, step, count),)]


def _placed(x: Tensor, *, axis: int, start: int, step: int, length: int) -> tuple[Shape, int]:
    return (*x.shape[:axis], length, *x.shape[axis + 1 :]), x.fold


@recorded(
    _placed,
    lambda g, y, x, axis, start, step, length: (
        _slice(g, axis=axis, start=start, step=step, count=x.shape[axis]),
    ),
)
def _place(x: Any, axis: int, start: int, step: int, length: int) -> Any:
    """Return zeros with x at start, start + step ... of an axis of so many elements."""
    y = np.zeros((*x.shape[:axis], length, *x.shape[axis + 1 :]), x.dtype)
    y[(slice(None),) * axis + (_range(start, step, x.shape[axis]),)] = x
    return y


def _joined(*tensors: Tensor, axis: int) -> tuple[Shape, int]:
    first = tensors[0]
    length = 0
    for t in tensors:
        same = t.ndim == first.ndim and t.fold == first.fold
        if not same or any(a != b for k, (a, b) in enumerate(zip(t.shape, first.shape, strict=True))
                           if k != axis):  # fmt: skip
            raise ValueError(
                f"{where()}concatenate: shapes {[t.shape for t in tensors]} differ in another axis "
                f"than {axis}: bring them to one shape first"
            )
        length += t.shape[axis]  # type: ignore[operator]
    return (*first.shape[:axis], length, *first.shape[axis + 1 :]), first.fold


def _joined_gradient(g: Tensor, y: Tensor, *tensors: Tensor, axis: int) -> list[Tensor]:
    parts, start = [], 0
    for t in tensors:
        count = t.shape[axis]
        parts.append(_slice(g, axis=axis, start=start, step=1, count=count))
        start += count  # type: ignore[operator]
    return parts


@recorded(_joined, _joined_gradient)
def _concatenate(*xs: Any, axis: int) -> Any:
    return np.concatenate(xs, axis=axis)


def _picked(x: Tensor, indices: Tensor) -> tuple[Shape, int]:
    return indices.shape, indices.fold


def _pick_gradient(g: Tensor, y: Tensor, x: Tensor, indices: Tensor) -> tuple[Tensor, None]:
    from fastnn.ops import reductions

    place = np.arange(x.sample[-1])[:, None]  # of (..., classes, picked)
    here = e.equal(expand_dims(indices, -2), place)
    return reductions.sum(e.where(here, expand_dims(g, -2), 0.0), axis=-1), None


@recorded(_picked, _pick_gradient)
def _pick(x: Any, indices: Any) -> Any:
    """Return x at indices along the last axis; NaN where an index is none."""
    inside = (indices >= 0) & (indices < x.shape[-1])
    places = np.where(inside, indices, 0).astype(np.int64)
    return np.where(inside, np.take_along_axis(x, places, axis=-1), np.nan)


@recorded(lambda x: (x.shape, x.fold), lambda g, y, x: (None,), lower=lambda x: x)
def _stop_gradient(x: Any) -> Any:
    return x


def stop_gradient(variable: Any) -> Any:
    """Return the same values, which training takes for constants."""
    return _stop_gradient(variable) if isinstance(variable, Tensor) else as_ndarray(variable)


# --- looking at shapes -----------------------------------------------------------------------


def shape(x: Any) -> tuple[Any, ...]:
    """Return the shape; of tensors the number of rows of the batch is a tensor."""
    if not isinstance(x, Tensor):
        return np.shape(as_ndarray(x))
    return tuple(_length(x, k) for k in range(x.ndim))


def _length(x: Tensor, axis: int) -> Any:
    if x.shape[axis] is not None:
        return x.shape[axis]
    n = rows(x.dtype)
    return n if x.fold == 1 else e.multiply(n, float(x.fold))


def size(x: Any) -> Any:
    """Return the number of elements; a tensor if there is a batch axis."""
    if not isinstance(x, Tensor):
        return np.size(as_ndarray(x))
    return e.multiply(rows(x.dtype), float(x.elements)) if x.batched else x.elements


def ndim(x: Any) -> int:
    """Return the number of axes."""
    return x.ndim if isinstance(x, Tensor) else np.ndim(as_ndarray(x))


# --- reshaping -------------------------------------------------------------------------------


def reshape(x: Any, newshape: Any) -> Any:
    """Return the elements in another shape; one length may be -1.

    On tensors the first axis stays the batch: ``(-1, 2, 3)``; a flattened batch, ``(-1,)``, can be
    computed with element by element, and summed as a whole.
    """
    wanted = tuple(newshape) if isinstance(newshape, (tuple, list)) else (newshape,)
    if not isinstance(x, Tensor):
        return np.reshape(as_ndarray(x), tuple(int(d) for d in wanted))
    lengths = [d if d is None or isinstance(d, Tensor) else operator.index(d) for d in wanted]
    if not x.batched:
        fixed = [d for d in lengths if isinstance(d, int)]
        if len(fixed) < len(lengths):
            raise ValueError(f"{where()}reshape: {x.shape} has no batch axis, got {wanted}")
        target = np.empty(x.sample, np.bool_).reshape(fixed).shape
        return x if target == x.shape else _reshape(x, shape=target, fold=1)
    first: Any = lengths[0] if lengths else 1
    rest: list[Any] = lengths[1:]
    known: list[Any] = [d for d in rest if isinstance(d, int) and d >= 0]
    if isinstance(first, Tensor) or first is None:  # ops.shape(x)[0]: one row stays one row
        fold = 1 if first is None else _rows_of_sample(first)
        per_sample, left = divmod(x.elements, fold)
        if -1 in rest and math.prod(known) and per_sample % math.prod(known) == 0:
            rest = [per_sample // math.prod(known) if d == -1 else d for d in rest]
        fits = left == 0 and math.prod(rest) == per_sample
    else:
        inner = math.prod(known)
        fits = first == -1 and len(known) == len(rest) and inner > 0 and x.elements % inner == 0
        fold = x.elements // inner if fits else 1
    if not fits:
        raise ValueError(
            f"{where()}reshape: {x.shape} cannot become {wanted}: the first axis is the batch, so "
            "begin with -1 (or ops.shape(x)[0]) and keep the number of elements"
        )
    target_shape = (None, *rest)
    if (target_shape, fold) == (x.shape, x.fold):
        return x
    return _reshape(x, shape=target_shape, fold=fold)


def _rows_of_sample(length: Tensor) -> int:
    """Return k of a length that is k times the number of rows of the batch."""
    factor: float | None = None
    if length.op.name == "rows":
        factor = 1.0
    elif length.op.name == "multiply":
        numbers = [a.attrs["value"].item() for a in length.args if a.op.name == "constant"
                   and a.elements == 1]  # fmt: skip
        if len(numbers) == 1 and any(a.op.name == "rows" for a in length.args):
            factor = numbers[0]
    if factor is None or factor < 1 or factor != int(factor):
        raise NotTraceable(
            f"{where()}reshape: the first length must be -1, ops.shape(x)[0], or that times a "
            f"whole number, got {length.op.name} of tensors"
        )
    return int(factor)


def ravel(x: Any) -> Any:
    """Return all elements in one axis."""
    return reshape(x, (-1,))


def expand_dims(x: Any, axis: Any) -> Any:
    """Return x with axes of length 1 more."""
    if not isinstance(x, Tensor):
        return np.expand_dims(as_ndarray(x), axis)
    axes = sorted(
        a + x.ndim + 1 if a < 0 else a
        for a in (axis if isinstance(axis, (tuple, list)) else [axis])
    )
    lengths = list(x.shape)
    for a in axes:
        lengths.insert(a, 1)
    if x.batched and lengths[0] is not None:
        raise NotTraceable(
            f"{where()}expand_dims(axis=0) would put an axis before the batch, so that every row "
            "meets every other: compare rows by what np.sum or np.mean over axis 0 gives"
        )
    return _reshape(x, shape=tuple(lengths), fold=x.fold)


def squeeze(x: Any, axis: Any = None) -> Any:
    """Return x without axes of length 1."""
    if not isinstance(x, Tensor):
        return np.squeeze(
            as_ndarray(x), axis if axis is None or isinstance(axis, int) else tuple(axis)
        )
    if axis is None:
        axes = [k for k, d in enumerate(x.shape) if d == 1]
    else:
        axes = [a % x.ndim for a in (axis if isinstance(axis, (tuple, list)) else [axis])]
    for a in axes:
        if x.shape[a] != 1:
            raise ValueError(f"{where()}squeeze: axis {a} of shape {x.shape} has not length 1")
    lengths = tuple(d for k, d in enumerate(x.shape) if k not in axes)
    return x if lengths == x.shape else _reshape(x, shape=lengths, fold=x.fold)


def broadcast_to(x: Any, shape: Any) -> Any:
    """Return x repeated along axes of length 1 up to a shape."""
    if isinstance(x, Tensor) or holds_tensor(tuple(shape)):
        dtype = next(t.dtype for t in (x, *shape) if isinstance(t, Tensor))
        lengths = tuple(None if isinstance(d, Tensor) else d for d in shape)
        like = Tensor(INPUT, (), {}, lengths, 1, dtype)
        x = as_tensor(x, dtype)
        broadcast(x, like)
        if lengths and lengths[0] is None and not x.batched:
            return broadcast_like(x, of_batch(lengths, dtype))
        return _repeat_to(x, lengths)
    return np.broadcast_to(as_ndarray(x), tuple(shape))


def _repeat_to(x: Tensor, lengths: Shape) -> Tensor:
    """Multiply by ones: a constant of the wanted inner shape brings the axes."""
    inner = tuple(1 if d is None else d for d in lengths)
    return e.multiply(x, np.ones(inner))


def transpose(x: Any, axes: Any = None) -> Any:
    """Return x with its axes in another order, by default the reverse; the batch stays first."""
    if not isinstance(x, Tensor):
        return np.transpose(as_ndarray(x), axes)
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(int(a) % x.ndim for a in axes)
    if x.batched and order[:1] != (0,):
        raise NotTraceable(
            f"{where()}transpose would move the batch axis of shape {x.shape}: rows would meet "
            "each other; name the axes and keep 0 first, as in (0, 2, 1)"
        )
    return x if order == tuple(range(x.ndim)) else _transpose(x, order=order)


def swapaxes(x: Any, axis1: int, axis2: int) -> Any:
    """Return x with two axes exchanged."""
    if not isinstance(x, Tensor):
        return np.swapaxes(as_ndarray(x), axis1, axis2)
    order = list(range(x.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return transpose(x, order)


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Return x with axes moved to other places."""
    if not isinstance(x, Tensor):
        return np.moveaxis(as_ndarray(x), source, destination)
    return transpose(x, _moved(list(range(x.ndim)), source, destination))


def _moved(order: list[int], source: Any, destination: Any) -> list[int]:
    rank = len(order)
    sources = [s % rank for s in (source if isinstance(source, (tuple, list)) else [source])]
    targets = [d % rank for d in (
        destination if isinstance(destination, (tuple, list)) else [destination])]  # fmt: skip
    left = [k for k in order if k not in sources]
    for target, s in sorted(zip(targets, sources, strict=True)):
        left.insert(target, s)
    return left


# --- as an array or a tensor -----------------------------------------------------------------


def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Return zeros of x's shape."""
    return full_like(x, 0, dtype)


def ones_like(x: Any, dtype: Any = None) -> Any:
    """Return ones of x's shape."""
    return full_like(x, 1, dtype)


def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return one value in x's shape."""
    if isinstance(x, Tensor):
        return broadcast_like(as_tensor(fill_value, x.dtype), x)
    return np.full_like(as_ndarray(x), as_ndarray(fill_value), dtype=dtype)


def convert_to_tensor(x: Any, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """Return x as an array; tensors stay as they are."""
    if isinstance(x, Tensor):
        return x if dtype is None else e.cast(x, dtype)
    if holds_tensor(x):
        from fastnn.ops.joining import stack

        return stack(x, axis=-1)
    array = as_ndarray(x)
    return array if dtype is None else e.cast(array, dtype)


def constant_of(value: Any, like: Tensor) -> Tensor:
    return constant(value, like.dtype)


METHODS.update({
    "reshape": lambda x, *shape, **kwargs: reshape(x, shape[0] if len(shape) == 1 else shape),
    "ravel": lambda x, order="C": ravel(x),
    "flatten": lambda x, order="C": ravel(x),
    "transpose": lambda x, *axes: transpose(
        x, (axes[0] if len(axes) == 1 and isinstance(axes[0], (tuple, list)) else axes) or None
    ),
    "astype": lambda x, dtype, **kwargs: e.cast(x, dtype),
    "copy": lambda x, order="C": x,
})  # fmt: skip
"""Those that are no functions of NumPy's; the others are in numpy_names."""


def clip_between(x: Any, low: Any, high: Any) -> Any:
    """Return x between bounds, one of which may be None."""
    if low is None and high is None:
        return x
    if low is None:
        return e.clip(x, -math.inf, high)
    return e.clip(x, low, math.inf if high is None else high)
