"""Sums, means, extremes along axes, the batch included."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.ops import elementwise as e
from fastnn.ops.operation import (
    ROWS,
    as_array,
    as_ndarray,
    axes_of,
    constant,
    holds_tensor,
    of_floatx,
    recorded,
)
from fastnn.ops.operation import rows as batch_rows
from fastnn.ops.shapes import broadcast_like, expand_dims, keep_axes, squeeze, zeros_like
from fastnn.ops.tensor import NotTraceable, Shape, Tensor, where


def _reduced(x: Tensor, *, axes: tuple[int, ...], keepdims: bool) -> tuple[Shape, int]:
    if keepdims:
        shape: Shape = tuple(1 if k in axes else d for k, d in enumerate(x.shape))
    else:
        shape = tuple(d for k, d in enumerate(x.shape) if k not in axes)
    return shape, x.fold if shape and shape[0] is None else 1


def count(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Return how many elements a reduction takes together, as a tensor."""
    n = math.prod(d for k, d in enumerate(x.shape) if k in axes and d is not None)
    if 0 in axes and x.batched:
        return e.multiply(batch_rows(x.dtype), float(n * x.fold))
    return constant(n, x.dtype)


def _spread(g: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    """Return the gradient of a reduction's result in the shape of what was reduced."""
    return broadcast_like(g if keepdims else keep_axes(g, x, axes), x)


@recorded(
    _reduced,
    lambda g, y, x, axes, keepdims: (_spread(g, x, axes, keepdims),),
)
def _sum(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.sum(x, axis=axes, keepdims=keepdims)


@recorded(
    _reduced,
    lambda g, y, x, axes, keepdims: (_spread(e.divide(g, count(x, axes)), x, axes, keepdims),),
    lower=lambda x, axes, keepdims: e.divide(_sum(x, axes=axes, keepdims=keepdims), count(x, axes)),
)
def _mean(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.mean(x, axis=axes, keepdims=keepdims)


def _var_gradient(
    g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool
) -> tuple[Tensor]:
    """2 g (x - mean) / n: through the mean there is no slope, for the distances sum to 0."""
    slope = _spread(e.divide(e.multiply(2.0, g), count(x, axes)), x, axes, keepdims)
    return (e.chain(slope, e.subtract(x, _mean(x, axes=axes, keepdims=True))),)


def _var_lowered(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    distance = e.subtract(x, _mean(x, axes=axes, keepdims=True))
    return _mean(e.square(distance), axes=axes, keepdims=keepdims)


@recorded(_reduced, _var_gradient, lower=_var_lowered)
def _var(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.var(x, axis=axes, keepdims=keepdims)


def _prod_gradient(
    g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool
) -> tuple[Tensor]:
    """g y / x, and where x is 0, g times the product of the others."""
    zero = e.equal(x, 0.0)
    zeros = _spread(_sum(zero, axes=axes, keepdims=keepdims), x, axes, keepdims)
    others = _prod(e.where(zero, 1.0, x), axes=axes, keepdims=keepdims)
    others = _spread(others, x, axes, keepdims)
    slope = e.where(
        zero, e.where(e.equal(zeros, 1.0), others, 0.0),
        e.where(e.equal(zeros, 0.0), e.divide(others, x), 0.0),
    )  # fmt: skip
    return (e.chain(_spread(g, x, axes, keepdims), slope),)


@recorded(_reduced, _prod_gradient)
def _prod(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.prod(x, axis=axes, keepdims=keepdims)


def _extreme_gradient(
    g: Tensor, y: Tensor, x: Tensor, axes: tuple[int, ...], keepdims: bool
) -> tuple[Tensor]:
    """The gradient goes to the extreme element; equal ones share it."""
    here = e.equal(x, _spread(y, x, axes, keepdims))
    share = e.divide(g, _sum(here, axes=axes, keepdims=keepdims))
    return (e.chain(here, _spread(share, x, axes, keepdims)),)


@recorded(_reduced, _extreme_gradient)
def _max(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.max(x, axis=axes, keepdims=keepdims)


@recorded(_reduced, _extreme_gradient)
def _min(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.min(x, axis=axes, keepdims=keepdims)


@recorded(_reduced, None)
def _argmax(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.argmax(x, axis=axes[0], keepdims=keepdims)


@recorded(_reduced, None)
def _argmin(x: Any, axes: Any, keepdims: bool) -> Any:
    return np.argmin(x, axis=axes[0], keepdims=keepdims)


def _logsumexp_lowered(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    m = _max(x, axes=axes, keepdims=True)
    m = e.where(e.isfinite(m), m, 0.0)
    total = _sum(e.exp(e.subtract(x, m)), axes=axes, keepdims=True)
    y = e.add(e.log(total), m)
    return y if keepdims else drop_axes(y, axes)


def drop_axes(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    return squeeze(x, axes)


@recorded(
    _reduced,
    lambda g, y, x, axes, keepdims: (
        e.chain(_spread(g, x, axes, keepdims), e.exp(e.subtract(x, _spread(y, x, axes, keepdims)))),
    ),
    lower=_logsumexp_lowered,
)
def _logsumexp(x: Any, axes: Any, keepdims: bool) -> Any:
    m = np.max(x, axis=axes, keepdims=True)
    m = np.where(np.isfinite(m), m, 0)
    with np.errstate(divide="ignore"):
        y = np.log(np.sum(np.exp(x - m), axis=axes, keepdims=True)) + m
    return y if keepdims else np.squeeze(y, axis=axes)


# --- the public functions --------------------------------------------------------------------


def _apply(op: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if isinstance(x, (list, tuple)) and holds_tensor(x):
        from fastnn.ops.joining import stack

        x = stack(x, axis=-1 if axis is None else 0)
    if isinstance(x, Tensor):
        axes = axes_of(axis, x)
        if not axes:  # a single number, or axis=()
            return x
        return op(x, axes=axes, keepdims=bool(keepdims))
    x = as_ndarray(x)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    return of_floatx(op.numpy(x, axis_or_all(axes, x), keepdims), x)


def axis_or_all(axis: Any, x: np.ndarray) -> Any:
    return tuple(range(x.ndim)) if axis is None else axis


def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum along axes; None is all of them, the batch included."""
    return _apply(_sum, x, axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean along axes; None is all of them, the batch included."""
    if not holds_tensor(x) and as_ndarray(x).dtype.kind in "iub":
        x = as_ndarray(x).astype(_floatx())
    return _apply(_mean, x, axis, keepdims)


def _floatx() -> str:
    from fastnn import config

    return config.floatx()


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """Return the product along axes; None is all of them, the batch included."""
    y = _apply(_prod, x, axis, keepdims)
    return y if dtype is None else e.cast(y, dtype)


def max(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Return the largest along axes; NaN if one is."""
    return _with_initial(_apply(_max, x, axis, keepdims), initial, e.maximum)


def min(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
    """Return the smallest along axes; NaN if one is."""
    return _with_initial(_apply(_min, x, axis, keepdims), initial, e.minimum)


def _with_initial(y: Any, initial: Any, join: Any) -> Any:
    return y if initial is None else join(y, initial)


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest along axes: `max`."""
    return max(x, axis, keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest along axes: `min`."""
    return min(x, axis, keepdims)


def all(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether all along axes are true (not 0)."""
    if isinstance(x, Tensor):
        return min(e.not_equal(x, 0.0), axis, keepdims)
    return np.all(as_ndarray(x), axis=_tuple(axis), keepdims=keepdims)


def any(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return whether one along axes is true (not 0)."""
    if isinstance(x, Tensor):
        return max(e.not_equal(x, 0.0), axis, keepdims)
    return np.any(as_ndarray(x), axis=_tuple(axis), keepdims=keepdims)


def _tuple(axis: Any) -> Any:
    return tuple(axis) if isinstance(axis, list) else axis


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """Return how many along axes are not 0."""
    if isinstance(x, Tensor):
        return sum(e.not_equal(x, 0.0), axis)
    return np.asarray(np.count_nonzero(as_ndarray(x), axis=_tuple(axis)), np.int32)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean of the squared distances from the mean."""
    if isinstance(x, Tensor):
        return _apply(_var, x, axis, keepdims)
    x = as_ndarray(x)
    return of_floatx(np.var(x, axis=_tuple(axis), keepdims=keepdims), x)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the square root of `var`."""
    return e.sqrt(var(x, axis, keepdims))


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Any:
    """Return mean and variance along axes."""
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """Return the mean along axes, weighted if there are weights."""
    if weights is None:
        return mean(x, axis)
    if isinstance(x, Tensor) or isinstance(weights, Tensor):
        return weighted_mean(x, axis, weights, keepdims=False)
    x = as_ndarray(x)
    weights = as_array(weights)
    return of_floatx(np.average(x, axis=_tuple(axis), weights=weights), x, weights)


def weighted_mean(x: Any, axis: Any, weights: Any, keepdims: bool) -> Any:
    """Return a weighted mean of a tensor; weights of x's shape, or of one axis for `axis`."""
    if not isinstance(weights, Tensor):
        weights = np.asarray(weights)  # in float64
    if isinstance(axis, int) and weights.ndim == 1 and x.ndim > 1:
        for _ in range(x.ndim - axis % x.ndim - 1):
            weights = expand_dims(weights, -1)
    spread = e.add(weights, zeros_like(x))
    total = sum(e.multiply(x, spread), axis, keepdims)
    return e.divide(total, sum(spread, axis, keepdims))


def _arg(op: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if not isinstance(x, Tensor):
        return op.numpy(as_ndarray(x), (axis,), keepdims).astype(np.int32)
    if axis is None:
        raise NotTraceable(f"{where()}{op.name} needs axis=..., for example axis=-1")
    axes = axes_of(axis, x)
    if x.batched and axes[0] == 0:
        raise NotTraceable(
            f"{where()}{op.name} along the batch would name a row, and batches are cut anew in "
            "each epoch: use another axis"
        )
    return op(x, axes=axes, keepdims=bool(keepdims))


def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the place of the largest along an axis, of the first if several are equal."""
    return _arg(_argmax, x, axis, keepdims)


def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the place of the smallest along an axis, of the first if several are equal."""
    return _arg(_argmin, x, axis, keepdims)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log(sum(exp(x))) along axes, which never overflows."""
    return _apply(_logsumexp, x, axis, keepdims)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Return a norm along axes: Euclid's unless `ord` is 1, 2 or infinite."""
    if not isinstance(x, Tensor):
        x = as_ndarray(x)
        x = x if x.dtype.kind == "f" else x.astype(_floatx())
        return of_floatx(np.linalg.norm(x, ord, _tuple(axis), keepdims), x)
    if ord in (None, "fro", 2, "euclidean"):
        return e.sqrt(sum(e.square(x), axis, keepdims))
    if ord == 1:
        return sum(e.absolute(x), axis, keepdims)
    if ord == math.inf:
        return max(e.absolute(x), axis, keepdims)
    raise NotTraceable(f"{where()}norm of a tensor takes ord None, 1, 2 or inf, got {ord!r}")


__all__ = ["ROWS", "all", "amax", "amin", "any", "argmax", "argmin", "average", "count",
           "count_nonzero", "logsumexp", "max", "mean", "min", "moments", "norm", "prod", "std",
           "sum", "var"]  # fmt: skip
