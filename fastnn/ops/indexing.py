"""Indexing: blocks, ``x[...]``, and looking up along an axis."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from fastnn.ops import elementwise as e
from fastnn.ops.joining import concatenate, inner_length
from fastnn.ops.operation import INPUT, as_ndarray, as_tensor, broadcast, holds_tensor, recorded
from fastnn.ops.shapes import _pick, _slice, expand_dims, squeeze, zeros_like
from fastnn.ops.tensor import NotTraceable, Tensor, where

# mypy: disable-error-code="has-type"
# a derivative names an operation that is defined, by a decorator, further below

_slice_type = slice  # whose name is taken by the function


def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """Return the block of a shape that begins at the given indices."""
    if not isinstance(inputs, Tensor):
        x = np.asarray(as_ndarray(inputs))
        return x[tuple(_slice_type(s, s + n) for s, n in zip(start_indices, shape, strict=True))]
    for axis, (start, count) in enumerate(zip(start_indices, shape, strict=True)):
        if inputs.shape[axis] is not None and count != inputs.shape[axis]:
            inputs = _slice(inputs, axis=axis, start=int(start), step=1, count=int(count))
    return inputs


def get_item(x: Any, key: Any) -> Any:
    """Return x[key]; on tensors key is made of slices, whole numbers, None and ``...``."""
    if not isinstance(x, Tensor):
        return as_ndarray(x)[key]
    keys = list(key) if isinstance(key, tuple) else [key]
    if holds_tensor(keys):
        raise NotTraceable(
            f"{where()}a tensor is not indexed by a mask or by numbers that are not known yet: to "
            "leave values out of a mean write np.sum(np.where(mask, x, 0)) / np.sum(mask); to pick "
            "by index, np.take_along_axis(x, indices, axis=-1)"
        )
    lists = [one for one in keys if isinstance(one, (np.ndarray, list))]
    if len(lists) > 1 or any(np.ndim(one) != 1 for one in lists):
        raise NotTraceable(
            f"{where()}a tensor is indexed by one list of whole numbers at a time, as x[:, [0, 2]]"
        )
    given = sum(1 for one in keys if one is not None and one is not Ellipsis)
    if given > x.ndim:
        raise IndexError(f"{where()}too many indices for shape {x.shape}: {given}")
    place = next((k for k, one in enumerate(keys) if one is Ellipsis), None)
    if place is not None:
        keys[place : place + 1] = [_slice_type(None)] * (x.ndim - given)
    if lists and any(not isinstance(one, (_slice_type, list, np.ndarray)) for one in keys):
        raise NotTraceable(f"{where()}a tensor is indexed by a list and slices, nothing beside")
    axis = 0
    for one in keys:
        if one is None:
            x = expand_dims(x, axis)
            axis += 1
        elif isinstance(one, _slice_type):
            if one != _slice_type(None):
                length = inner_length(x, axis, "a slice")
                start, stop, step = one.indices(length)
                count = len(range(start, stop, step))
                if (start, step, count) != (0, 1, length):
                    x = _slice(x, axis=axis, start=start, step=step, count=count)
            axis += 1
        elif isinstance(one, (np.ndarray, list)):
            numbers = np.asarray(one)
            if numbers.dtype == np.bool_:
                length = inner_length(x, axis, "a mask")
                if len(numbers) != length:
                    raise IndexError(f"{where()}a mask of {len(numbers)} for {length} elements")
                numbers = np.flatnonzero(numbers)
            x = take(x, numbers, axis)
            axis += 1
        else:
            index = operator.index(one)
            length = inner_length(x, axis, "an index")
            if not -length <= index < length:
                raise IndexError(f"{where()}index {index} is out of range for shape {x.shape}")
            x = squeeze(_slice(x, axis=axis, start=index % length, step=1, count=1), axis)
    return x


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Return x at indices along an axis; on tensors the last, NaN where an index is none."""
    if not holds_tensor((x, indices)):
        x, indices = np.asarray(as_ndarray(x)), np.asarray(as_ndarray(indices))
        if axis is None:
            x, indices, axis = x.ravel(), indices.ravel(), 0
        return np.take_along_axis(x, indices.astype(np.int64), axis)
    dtype = next(t.dtype for t in (x, indices) if isinstance(t, Tensor))
    x, indices = as_tensor(x, dtype), as_tensor(indices, dtype)
    if axis not in (-1, x.ndim - 1):
        raise NotTraceable(f"{where()}take_along_axis of a tensor takes axis=-1, got {axis}")
    if indices.ndim != x.ndim:
        raise ValueError(
            f"{where()}take_along_axis: indices of shape {indices.shape} need as many axes as "
            f"{x.shape}: write indices[:, None]"
        )
    indices = _from_front(indices, x.shape[-1])
    leading, _ = broadcast(
        *(Tensor(INPUT, (), {}, (*t.shape[:-1], 1), t.fold, dtype) for t in (x, indices))
    )
    first_x, first = (_slice(t, axis=t.ndim - 1, start=0, step=1, count=1) for t in (x, indices))
    if first_x.shape != leading:
        x = e.add(x, zeros_like(first))
    if first.shape != leading:
        indices = e.add(indices, zeros_like(first_x))
    return _pick(x, indices)


def _from_front(indices: Tensor, length: Any) -> Tensor:
    """Return indices in which negative ones, which count from the end, count from the front."""
    if indices.op.name in ("argmax", "argmin"):
        return indices
    return e.where(e.less(indices, 0.0), e.add(indices, float(length)), indices)


@recorded(
    lambda table, indices: ((*indices.shape, table.shape[1]), indices.fold),
    lambda g, y, table, indices: (_put(g, table, indices), None),
)
def _take(table: Any, indices: Any) -> Any:
    return np.take(table, indices.astype(np.int64), axis=0)


@recorded(lambda g, table, indices: (table.shape, 1), None)
def _put(g: Any, table: Any, indices: Any) -> Any:
    """Return the sums of the rows of g by the row of a table that their index names."""
    y = np.zeros_like(table)
    np.add.at(y, indices.astype(np.int64), g)
    return y


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Return x at indices along an axis; on tensors by constant indices, or from a table.

    Indices of rows of a weight must be whole numbers from 0; training and predicting raise
    IndexError for others.
    """
    if not holds_tensor((x, indices)):
        return np.take(as_ndarray(x), np.asarray(as_ndarray(indices)).astype(np.int64), axis)
    if isinstance(indices, Tensor):
        table = as_tensor(x, indices.dtype)
        if table.op.name == "variable" and table.ndim == 2 and axis == 0 and indices.batched:
            return _take(table, indices)
        if table.ndim == 2 and not table.batched and axis == 0 and indices.ndim == 1:
            from fastnn.ops.linalg import matmul
            from fastnn.ops.nn import one_hot

            length = table.sample[0]
            return matmul(one_hot(_from_front(indices, length), length), table)
        if table.ndim != 1 or table.batched:
            raise NotTraceable(
                f"{where()}take by a tensor of indices takes from a table of one axis, or rows "
                "(axis=0) by one index for each sample; else ops.matmul(ops.one_hot(...), table)"
            )
        indices = _from_front(indices, table.shape[0])
        y = take_along_axis(
            e.add(zeros_like(expand_dims(indices, -1)), table), expand_dims(indices, -1), -1
        )
        return squeeze(y, -1)
    if axis is None or (x.batched and axis % x.ndim == 0):
        raise NotTraceable(f"{where()}take from a tensor needs axis=..., not that of the batch")
    axis = axis % x.ndim
    length = inner_length(x, axis, "take")
    numbers = np.asarray(indices)
    if numbers.size and (numbers.min() < -length or numbers.max() >= length):
        raise IndexError(f"{where()}take: {length} elements along axis {axis}, got {indices}")
    parts = [_slice(x, axis=axis, start=int(k) % length, step=1, count=1) for k in numbers.ravel()]
    y = concatenate(parts, axis)
    return squeeze(y, axis) if numbers.ndim == 0 else y
