"""Making arrays, and what is done to data rather than in training: sorting, searching, counting.

Functions that have no derivative work on arrays alone; the compositions of other ops work on
tensors too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn import config
from fastnn.ops import elementwise as e
from fastnn.ops import indexing, joining, shapes
from fastnn.ops import reductions as r
from fastnn.ops.nn import one_hot
from fastnn.ops.operation import (
    arrays_only,
    as_array,
    as_ndarray,
    as_tensor,
    computed,
    holds_tensor,
    of_batch,
    of_floatx,
)
from fastnn.ops.tensor import NotTraceable, Tensor, where

# --- types -----------------------------------------------------------------------------------


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a number type; None is `config.floatx`, Python's int is int32."""
    if dtype is None or dtype in (float, "float"):
        return config.floatx()
    if dtype in (int, "int"):
        return "int32"
    try:
        return np.dtype(dtype).name
    except TypeError:
        raise ValueError(
            f"dtype: expected the name of a number type, as 'float32', got {dtype!r}"
        ) from None


def dtype(x: Any) -> str:
    """Return the name of the number type of x."""
    return x.dtype if isinstance(x, Tensor) else as_ndarray(x).dtype.name


def is_tensor(x: Any) -> bool:
    """Return whether x is what ops return: an array or a tensor."""
    return isinstance(x, (Tensor, np.ndarray, np.generic))


def saturate_cast(x: Any, dtype: Any) -> Any:
    """Return x as another type, moved into its range first."""
    name = standardize_dtype(dtype)
    kind = np.dtype(name).kind
    if kind == "f" and not isinstance(x, Tensor):
        x = as_ndarray(x)
        if x.dtype.kind == "f" and x.dtype.itemsize > np.dtype(name).itemsize:
            x = np.clip(x, float(np.finfo(name).min), float(np.finfo(name).max))
    if kind not in "iu":
        return e.cast(x, name)
    low, high = np.iinfo(name).min, np.iinfo(name).max
    if isinstance(x, Tensor):
        return e.cast(e.clip(x, float(low), float(high)), name)
    x = as_ndarray(x)
    with np.errstate(invalid="ignore"):
        y = np.where(x <= low, low, x.astype(name))  # bounds may not be floats: compare, no clip
    return np.where(x >= high, high, y).astype(name)


# --- making ----------------------------------------------------------------------------------


def array(x: Any, dtype: Any = None) -> Any:
    """Return a copy of x as an array; tensors stay as they are."""
    return copy(shapes.convert_to_tensor(x, dtype))


def copy(x: Any) -> Any:
    """Return a copy of an array; tensors never change."""
    return x if isinstance(x, Tensor) else np.array(as_ndarray(x))


def convert_to_numpy(x: Any) -> np.ndarray:
    """Return the numbers of an array, a variable or a list in an array of their own."""
    return x.numpy() if isinstance(x, Tensor) else copy(x)


def _lengths(shape: Any, who: str) -> tuple[int, ...]:
    """Return a shape as a tuple; the number of rows of a batch cannot be in it."""
    if holds_tensor(shape):
        raise NotTraceable(
            f"{where()}ops.{who} of as many rows as the batch has: use ops.zeros_like or "
            "ops.ones_like, of a column as in ops.ones_like(x[:, :1]); or leave the rows out, as "
            f"in ops.{who}((1, 3)), which meets every row"
        )
    return tuple(int(d) for d in shape) if isinstance(shape, (tuple, list)) else (int(shape),)


def _is_of_batch(shape: Any) -> bool:
    """Whether a shape begins with the number of rows of the batch: (ops.shape(x)[0], 3)."""
    lengths = shape if isinstance(shape, (list, tuple)) else (shape,)
    first = lengths[0] if lengths else 0
    return isinstance(first, Tensor) and first.op.name == "rows" and not holds_tensor(lengths[1:])


def _of_batch(value: Any, shape: Any) -> Any:
    lengths = shape if isinstance(shape, (list, tuple)) else (shape,)
    dtype = lengths[0].dtype
    return shapes.broadcast_like(as_tensor(value, dtype), of_batch(lengths, dtype))


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Return an array of zeros."""
    if _is_of_batch(shape):
        return _of_batch(0.0, shape)
    return np.zeros(_lengths(shape, "zeros"), standardize_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Return an array of ones."""
    if _is_of_batch(shape):
        return _of_batch(1.0, shape)
    return np.ones(_lengths(shape, "ones"), standardize_dtype(dtype))


def empty(shape: Any, dtype: Any = None) -> Any:
    """Return an array that is about to be filled; here it begins with zeros."""
    if _is_of_batch(shape):
        return _of_batch(0.0, shape)
    return np.zeros(_lengths(shape, "empty"), standardize_dtype(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return an array of one value, or of an array that broadcasts to the shape."""
    if _is_of_batch(shape):
        return _of_batch(fill_value, shape)
    lengths = _lengths(shape, "full")
    if isinstance(fill_value, Tensor):
        raise NotTraceable(f"{where()}ops.full of a tensor: use ops.full_like or arithmetic")
    return np.full(lengths, as_array(fill_value), standardize_dtype(dtype))


@arrays_only
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """Return N rows and M columns (default: N) with ones on diagonal k, zeros elsewhere."""
    return np.eye(int(N), None if M is None else int(M), int(k), standardize_dtype(dtype))


def identity(n: int, dtype: Any = None) -> np.ndarray:
    """Return the identity matrix of n rows."""
    return eye(n, dtype=dtype)


@arrays_only
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> np.ndarray:
    """Return start, start + step ... below stop; from 0 if there is one argument.

    Whole numbers give int32, others `config.floatx`, unless there is a dtype.
    """
    given = [as_array(v) for v in (start, stop, step) if v is not None]
    first, last = (0, start) if stop is None else (start, stop)
    numbers = np.arange(as_array(first), as_array(last), 1 if step is None else as_array(step))
    return of_floatx(numbers, *given) if dtype is None else numbers.astype(standardize_dtype(dtype))


@arrays_only
def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Return so many numbers at equal distances from start to stop, with the step if asked."""
    a, b = as_array(start), as_array(stop)
    y, step = np.linspace(a, b, num, endpoint, retstep=True, axis=axis)
    y = of_floatx(y, a, b) if dtype is None else y.astype(standardize_dtype(dtype))
    return (y, of_floatx(np.asarray(step), a, b)) if retstep else y


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """Return x2 behind x1 along an axis; without one, both in one axis."""
    if axis is None:
        x1, x2 = shapes.ravel(x1), shapes.ravel(x2)
    return joining.concatenate([x1, x2], axis or 0)


@arrays_only
def diag(x: Any, k: int = 0) -> np.ndarray:
    """Return a matrix with x on diagonal k, or of a matrix this diagonal."""
    return np.array(np.diag(as_ndarray(x), k))


def tril(x: Any, k: int = 0) -> Any:
    """Return matrices, in the last two axes, with zeros above diagonal k."""
    return _triangle(x, k, lower=True)


def triu(x: Any, k: int = 0) -> Any:
    """Return matrices, in the last two axes, with zeros below diagonal k."""
    return _triangle(x, k, lower=False)


def _triangle(x: Any, k: int, lower: bool) -> Any:
    if not isinstance(x, Tensor):
        x = as_ndarray(x)
        return np.tril(x, k) if lower else np.triu(x, k)
    if len(x.shape[x.batched :]) < 2:
        raise NotTraceable(f"{where()}{'tril' if lower else 'triu'}: no matrices in {x.shape}")
    rows, columns = x.sample[-2:]
    kept = np.tri(rows, columns, k if lower else k - 1)
    return e.where(kept if lower else 1 - kept, x, 0.0)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Return the sum along a diagonal of the matrices in two axes."""
    if not isinstance(x, Tensor):
        x = as_ndarray(x)
        return of_floatx(np.asarray(np.trace(x, offset, axis1, axis2)), x)
    first, second = axis1 % x.ndim, axis2 % x.ndim
    rows, columns = (joining.inner_length(x, axis, "trace") for axis in (first, second))
    shape = [1] * x.ndim
    shape[first], shape[second] = rows, columns
    diagonal = np.eye(rows, columns, offset)
    diagonal = (diagonal if first < second else diagonal.T).reshape(shape)
    return r.sum(e.where(diagonal, x, 0.0), axis=(first, second))


# --- along an axis ---------------------------------------------------------------------------


def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the sums of all elements up to each along an axis, or of all in one axis."""
    return _running(x, axis, dtype, np.cumsum, e.add, 0.0)


def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Return the products of all elements up to each along an axis, or of all in one axis."""
    return _running(x, axis, dtype, np.cumprod, e.multiply, 1.0)


def _running(x: Any, axis: int | None, dtype: Any, numpy: Any, join: Any, neutral: float) -> Any:
    if dtype is not None:
        x = e.cast(x, dtype)
    if not isinstance(x, Tensor):
        x = as_ndarray(x)
        return of_floatx(numpy(x, axis), x)
    if axis is None and x.ndim == 1:
        axis = 0
    axis = joining.named_axis(axis, x, numpy.__name__)
    length, distance = x.sample[axis - x.ndim], 1
    while distance < length:  # each step doubles how many are taken together
        earlier = joining.split(x, [length - distance], axis)[0]
        widths = [(distance if k == axis else 0, 0) for k in range(x.ndim)]
        x = join(x, joining.pad(earlier, widths, constant_values=neutral))
        distance *= 2
    return x


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Return each element less the one before it along an axis, n times over."""
    if not isinstance(a, Tensor):
        return np.diff(as_ndarray(a), n, axis)
    axis = joining.named_axis(axis, a, "diff")
    for _ in range(n):
        length = a.sample[axis - a.ndim]
        a = e.subtract(joining.split(a, [1], axis)[1], joining.split(a, [length - 1], axis)[0])
    return a


@arrays_only
def sort(x: Any, axis: int | None = -1) -> np.ndarray:
    """Return the elements along an axis from the smallest to the largest."""
    return np.sort(as_ndarray(x), axis)


@arrays_only
def argsort(x: Any, axis: int | None = -1) -> np.ndarray:
    """Return the places of the elements in order along an axis; equal ones keep theirs."""
    return np.argsort(as_ndarray(x), axis, kind="stable").astype(np.int32)


@arrays_only
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return the k largest along the last axis, the largest first, and their places."""
    x = as_ndarray(x)
    length = x.shape[-1]
    if not 0 <= k <= length:
        raise ValueError(f"top_k: expected k from 0 to {length}, the last length, got {k}")
    backwards = np.argsort(x[..., ::-1], axis=-1, kind="stable")  # of equal ones the first wins
    places = (length - 1 - backwards)[..., ::-1][..., :k]
    return np.take_along_axis(x, places, -1), places.astype(np.int32)


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Return whether fewer than k predictions of a row are above that of its target class."""
    if not holds_tensor((targets, predictions)):
        targets, predictions = as_ndarray(targets), as_ndarray(predictions)
    own = indexing.take_along_axis(predictions, shapes.expand_dims(targets, -1), -1)
    own = e.where(e.isnan(own), -math.inf, own)
    above = e.cast(e.greater(predictions, own), "int32")
    return e.less(r.sum(above, axis=-1), k)


@arrays_only
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the middle element along axes, or the mean of the two middle ones."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


@arrays_only
def quantile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """Return what a share q of the elements along axes is below, for each q along a first axis.

    Parameters
    ----------
    method : {"linear", "lower", "higher", "midpoint", "nearest"}
        What is between two elements.
    """
    x = as_ndarray(x)
    x = x if x.dtype.kind == "f" else x.astype(config.floatx())
    axes = tuple(axis) if isinstance(axis, list) else axis
    shares = np.asarray(as_array(q), np.float64)
    y = np.quantile(x, shares, axes, method=method, keepdims=keepdims)  # type: ignore[call-overload]
    return np.asarray(y).astype(x.dtype)


@arrays_only
def sparsemax(x: Any, axis: int = -1) -> np.ndarray:
    """Return the point nearest to x whose elements are not negative and sum to 1 along an axis.

    Martins and Astudillo 2016, arXiv:1602.02068.
    """
    x = as_ndarray(x)
    x = np.moveaxis(x if x.dtype.kind == "f" else x.astype(config.floatx()), axis, -1)
    ordered = np.flip(np.sort(x, -1), -1)
    excess = np.cumsum(ordered, -1) - 1
    places = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    count = np.sum(ordered * places > excess, -1, keepdims=True)
    threshold = np.take_along_axis(excess, count - 1, -1) / count.astype(x.dtype)
    return np.moveaxis(np.maximum(x - threshold, 0), -1, axis)


# --- counting and looking up -----------------------------------------------------------------


@arrays_only
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> np.ndarray:
    """Return how often 0, 1, 2 ... are in x, or the sum of their weights; by row for a matrix."""
    x = as_ndarray(x)
    weights = None if weights is None else as_ndarray(weights)
    if x.ndim == 2:
        longest = max(int(minlength), int(x.max(initial=-1)) + 1)
        each = [None] * len(x) if weights is None else weights
        return np.stack([bincount(a, w, longest) for a, w in zip(x, each, strict=True)])
    counts = np.bincount(x, weights, int(minlength))
    return counts.astype(np.int32 if weights is None else weights.dtype)


@arrays_only
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> np.ndarray:
    """Return where values belong in a sorted sequence, before ("left") or behind equal ones."""
    sequence = as_ndarray(sorted_sequence)
    if sequence.ndim != 1:
        raise ValueError(f"searchsorted: expected a sequence of one axis, got {sequence.shape}")
    places = np.searchsorted(sequence, as_ndarray(values), side)  # type: ignore[call-overload]
    return np.asarray(places).astype(np.int32)


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Return of each element the choice of the first condition that holds, else the default."""
    if len(condlist) != len(choicelist) or not len(condlist):
        raise ValueError(
            f"select: expected as many choices as conditions, got {len(choicelist)} and "
            f"{len(condlist)}"
        )
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        y = e.where(condition, choice, y)
    return y


def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Any:
    """Return 1 in the place of every label of a row, 0 elsewhere, along a new axis."""
    classes = kwargs.pop("num_tokens", None) if num_classes is None else num_classes
    if kwargs or classes is None:
        raise TypeError(f"multi_hot: expected num_classes, got {kwargs or None}")
    rank = shapes.ndim(inputs)
    hot = one_hot(inputs, int(classes), axis, dtype)
    return r.max(hot, axis=1 if rank > 1 else 0)


# --- functions without a step ----------------------------------------------------------------


@arrays_only
def arcsin(x: Any) -> Any:
    """Return the angle from -pi/2 to pi/2 whose sine is x."""
    return computed(np.arcsin, as_array(x))


@arrays_only
def arccos(x: Any) -> Any:
    """Return the angle from 0 to pi whose cosine is x."""
    return computed(np.arccos, as_array(x))


@arrays_only
def arctan(x: Any) -> Any:
    """Return the angle from -pi/2 to pi/2 whose tangent is x."""
    return computed(np.arctan, as_array(x))


@arrays_only
def arctan2(x1: Any, x2: Any) -> Any:
    """Return the angle from -pi to pi of the point with ordinate x1 and abscissa x2."""
    return computed(np.arctan2, as_array(x1), as_array(x2))


_erf, _erfc = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)


@arrays_only
def erfinv(x: Any) -> Any:
    """Return the number whose `erf` is x; computed in float64, for all types.

    Winitzki's approximation ("A handy approximation for the error function and its inverse",
    2008), good to 2e-3, and three steps of Halley, each of which about cubes the error.
    """
    x = as_ndarray(x)
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(config.floatx())
    a = np.abs(np.asarray(x, np.float64))
    with np.errstate(all="ignore"):
        log = np.log1p(-a) + np.log1p(a)
        b = 2 / (math.pi * 0.147) + log / 2
        y = np.sqrt(-log / 0.147 / (b + np.sqrt(b * b - log / 0.147)))
        for _ in range(3):
            # near 1 by the complements, of which 1 - a is exact
            error = np.where(
                a < 0.5, np.asarray(_erf(y), float) - a, (1 - a) - np.asarray(_erfc(y), float)
            )
            step = error / (2 / math.sqrt(math.pi) * np.exp(-y * y))
            y = y - step / (1 + y * step)
        y = np.where(a == 1, math.inf, y)
    return np.copysign(y, x).astype(dtype)


__all__ = [
    "append", "arange", "arccos", "arcsin", "arctan", "arctan2", "argsort", "array", "bincount",
    "convert_to_numpy", "copy", "cumprod", "cumsum", "diag", "diff", "dtype", "empty", "erfinv",
    "eye", "full", "identity", "in_top_k", "is_tensor", "linspace", "median", "multi_hot", "ones",
    "quantile", "saturate_cast", "searchsorted", "select", "sort", "sparsemax",
    "standardize_dtype", "top_k", "trace", "tril", "triu", "zeros",
]  # fmt: skip
