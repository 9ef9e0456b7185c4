"""The C kernels as functions on arrays, for benchmarks and for networks built by hand.

Every function takes float32 or float64 arrays (anything else, lists too, is converted to float32,
or to float64 beside a float64 array), works on the last axis, and computes with the same code and
to the same bits as a model does.

>>> import numpy as np
>>> from fastnn import kernels
>>> x = np.array([[1.0, 2.0]], np.float32)
>>> w = np.array([[1.0, -1.0], [1.0, 1.0]], np.float32)
>>> y = kernels.dense(x, w, activation="relu")
>>> y
array([[3., 1.]], dtype=float32)
>>> dx, dw, db = kernels.dense_gradient(np.ones_like(y), x, w, y=y, activation="relu")
>>> dw
array([[1., 1.],
       [2., 2.]], dtype=float32)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _core
from fastnn.missing import explain_missing
from fastnn.operations import FROM_INPUT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

SLOPES = {"leaky_relu": 0.2, "elu": 1.0}
"""The default of each activation's one parameter: its negative slope or alpha."""


def dense(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    activation: str = "linear",
    *,
    slope: float | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Return ``activation(x @ kernel + bias)``.

    Parameters
    ----------
    x : array, shape (..., I)
    kernel : array, shape (I, O)
    bias : array, shape (O,), optional
    activation : str
        One of ``fastnn._core.ACTIVATIONS``.
    slope : float, optional
        alpha of elu (default 1), negative slope of leaky_relu (default 0.2).
    out : ndarray, shape (..., O), optional
        Where to write the result: C-contiguous, of the operands' dtype, apart from them.

    Returns
    -------
    ndarray, shape (..., O)

    Raises
    ------
    ValueError
        If the shapes do not fit, the activation is unknown or `out` overlaps an operand.
    TypeError
        If `out` is no array.
    """
    slope = _slope("dense", activation, slope)
    dtype = _dtype(x, kernel, bias)
    x, kernel = _array(x, dtype), _matrix("dense", kernel, dtype)
    _same("dense", "x features", kernel.shape[0], x.shape[-1] if x.ndim else 1)
    if bias is not None:
        bias = _array(bias, dtype)
        _same("dense", "bias shape", (kernel.shape[1],), bias.shape)
    given, out = out, _out("dense", out, (*x.shape[:-1], kernel.shape[1]), dtype)
    if given is not None:
        _apart("dense", out, (x, kernel, bias))
    _core.dense_forward(_rows(out), _rows(x), kernel, bias, activation, slope)
    return out


def dense_gradient(
    dy: ArrayLike,
    x: ArrayLike,
    kernel: ArrayLike,
    *,
    y: ArrayLike | None = None,
    activation: str = "linear",
    slope: float | None = None,
    out: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the gradients of a dense layer's input, kernel and bias.

    With dz = dy activation'(y): ``dx = dz @ kernel.T``, ``dkernel = x.T @ dz``,
    ``dbias = dz.sum(axis=0)`` over all samples.

    Parameters
    ----------
    dy : array, shape (..., O)
        The gradient of the loss with respect to the layer's output.
    x : array, shape (..., I)
    kernel : array, shape (I, O)
    y : array, shape (..., O), optional
        The layer's output; needed unless the activation is linear.
    activation : str
        One whose derivative can be had from its output (all but silu, gelu and mish).
    slope : float, optional
        As in `dense`.

    out : tuple of three ndarrays, optional
        Where to write the results: as in `dense`, and apart from each other.

    Returns
    -------
    dx : ndarray, shape (..., I)
    dkernel : ndarray, shape (I, O)
    dbias : ndarray, shape (O,)

    Raises
    ------
    ValueError
        If the shapes do not fit, `y` is missing or `out` overlaps an operand.
    TypeError
        If `out` is not three arrays.
    """
    who = "dense_gradient"
    slope = _slope(who, activation, slope)
    dtype = _dtype(dy, x, kernel)
    dz, x, kernel = _array(dy, dtype), _array(x, dtype), _matrix(who, kernel, dtype)
    _same(who, "x features", kernel.shape[0], x.shape[-1] if x.ndim else 1)
    _same(who, "dy shape", (*x.shape[:-1], kernel.shape[1]), dz.shape)
    if activation != "linear":
        if y is None or activation in FROM_INPUT:
            raise ValueError(
                f"{who}: the derivative of {activation!r} needs the layer's "
                + ("output: pass y=" if activation not in FROM_INPUT else
                   "pre-activation: use a linear dense and activation_gradient()")
            )  # fmt: skip
        dz = activation_gradient(dz, None, y, activation, slope=slope)
    shapes = x.shape, kernel.shape, (kernel.shape[1],)
    if out is not None and (not isinstance(out, tuple) or len(out) != len(shapes)):
        raise TypeError(f"{who}: expected out to be (dx, dkernel, dbias), got {type(out).__name__}")
    given = (None, None, None) if out is None else out
    dx, dkernel, dbias = (_out(who, a, n, dtype) for a, n in zip(given, shapes, strict=True))
    if out is not None:
        _apart(who, dx, (dz, x, kernel, dkernel, dbias))
        _apart(who, dkernel, (dz, x, kernel, dbias))
        _apart(who, dbias, (dz, x, kernel))
    if dz.size == 0 or x.size == 0:
        dx[...], dkernel[...], dbias[...] = 0, 0, 0
    _core.dense_backward(_rows(dx), dkernel, dbias, _rows(dz), _rows(x), kernel)
    return dx, dkernel, dbias


def activation(
    x: ArrayLike, name: str, *, slope: float | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """Return an activation of every element, or for the softmaxes of every row.

    Parameters
    ----------
    x : array, shape (..., features)
    name : str
        One of ``fastnn._core.ACTIVATIONS``.
    slope : float, optional
        As in `dense`.
    out : ndarray, optional
        Where to write the result; may be `x` itself, but not overlap a part of it.

    Raises
    ------
    ValueError
        If the activation is unknown or `out` does not fit.
    TypeError
        If `out` is no array.
    """
    slope = _slope("activation", name, slope)
    x = _array(x, _dtype(x))
    out = _out("activation", out, x.shape, x.dtype)
    if np.may_share_memory(out, x) and out.ctypes.data != x.ctypes.data:
        raise ValueError(
            "activation: out overlaps a part of x, which would be overwritten before it is read: "
            "pass x itself, or another array"
        )
    _core.activation_forward(_rows(out), _rows(x), name, slope)
    return out


def activation_gradient(
    dy: ArrayLike,
    x: ArrayLike | None,
    y: ArrayLike | None,
    name: str,
    *,
    slope: float | None = None,
) -> np.ndarray:
    """Return dy times the derivative of an activation y = f(x).

    Parameters
    ----------
    dy : array, shape (..., features)
    x : array or None
        The activation's input; only silu, gelu and mish need it.
    y : array or None
        The activation's output; all others need it.
    name : str
    slope : float, optional
        As in `dense`.

    Raises
    ------
    ValueError
        If the shapes differ or the operand that is needed is missing.
    """
    who = "activation_gradient"
    slope = _slope(who, name, slope)
    needed, given = ("x", x) if name in FROM_INPUT else ("y", y)
    if given is None:
        raise ValueError(f"{who}: the derivative of {name!r} is computed from {needed}: pass it")
    dtype = _dtype(dy, given)
    dy, given = _array(dy, dtype), _array(given, dtype)
    _same(who, f"shape of {needed}", dy.shape, given.shape)
    dx = np.empty_like(dy)
    _core.activation_backward(_rows(dx), _rows(dy), _rows(given), _rows(given), name, slope)
    return dx


def crossentropy(kind: str, y_true: ArrayLike, y_pred: ArrayLike) -> np.ndarray:
    """Return the crossentropy of every row, from logits.

    Parameters
    ----------
    kind : {"binary", "categorical", "sparse_categorical"}
        The mean over independent features (behind a sigmoid), or the sum over classes (behind a
        softmax).
    y_true : array
        Shape (..., features) like `y_pred`; for the sparse kind integer labels of shape (...):
        a negative one is of no class and gives 0, one that is too large NaN.
    y_pred : array, shape (..., features)
        Logits.

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If the kind is unknown or the shapes do not fit.

    Examples
    --------
    >>> from fastnn import kernels
    >>> kernels.crossentropy("sparse_categorical", [1], [[0.0, 0.0]])
    array([0.6931472], dtype=float32)
    """
    target, logits, values = _pair("crossentropy", kind, y_true, y_pred)
    _core.crossentropy(values, kind, target, _rows(logits))
    return values.reshape(logits.shape[:-1])


def crossentropy_gradient(
    kind: str, y_true: ArrayLike, y_pred: ArrayLike, *, scale: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the crossentropy of every row, and the gradient of the logits.

    Parameters
    ----------
    kind, y_true, y_pred
        As in `crossentropy`.
    scale : float, optional
        The factor of the gradient; by default 1/rows, which makes it that of the mean loss.

    Returns
    -------
    values : ndarray, shape (...)
    gradient : ndarray, shape (..., features)

    Raises
    ------
    ValueError
        If the kind is unknown or the shapes do not fit.

    Examples
    --------
    >>> from fastnn import kernels
    >>> values, gradient = kernels.crossentropy_gradient("binary", [[1.0]], [[0.0]])
    >>> values, gradient
    (array([0.6931472], dtype=float32), array([[-0.5]], dtype=float32))
    """
    target, logits, values = _pair("crossentropy_gradient", kind, y_true, y_pred)
    if scale is None:
        scale = 1.0 / max(len(values), 1)
    gradient = np.empty_like(logits)
    _core.crossentropy(values, kind, target, _rows(logits), _rows(gradient), float(scale))
    return values.reshape(logits.shape[:-1]), gradient


# ---- operands -----------------------------------------------------------------------------------


def _dtype(*arrays: Any) -> np.dtype:
    dtypes = [a.dtype for a in arrays if hasattr(a, "dtype")]  # a None would equal float64
    return np.dtype(np.float64 if np.dtype(np.float64) in dtypes else np.float32)


def _array(a: Any, dtype: np.dtype) -> np.ndarray:
    a = np.asarray(a)
    if a.dtype == dtype and a.flags.c_contiguous and a.flags.aligned:
        return a
    return np.array(a, dtype, order="C", ndmin=1)


def _rows(a: np.ndarray) -> np.ndarray:
    """View an array as (n, features)."""
    if a.ndim == 2:
        return a
    return a.reshape(math.prod(a.shape[:-1]), a.shape[-1] if a.ndim else 1)


def _matrix(who: str, a: Any, dtype: np.dtype) -> np.ndarray:
    a = _array(a, dtype)
    if a.ndim != 2:
        raise ValueError(f"{who}: expected a kernel of shape (I, O), got shape {a.shape}")
    return a


def _same(who: str, what: str, expected: Any, got: Any) -> None:
    if expected != got:
        raise ValueError(f"{who}: expected {what} {expected}, got {got}")


def _out(who: str, out: np.ndarray | None, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray):
        raise TypeError(
            f"{who}: expected out to be a NumPy array, got {type(out).__name__}: make it with "
            f"np.empty({shape}, np.{dtype})"
        )
    if out.shape != shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError(
            f"{who}: expected out to be C-contiguous, of shape {shape} and dtype {dtype}, "
            f"got shape {out.shape} and dtype {out.dtype}"
        )
    if not (out.flags.writeable and out.flags.aligned):
        raise ValueError(f"{who}: out is read-only or not aligned: pass an array of NumPy's own")
    return out


def _apart(who: str, out: np.ndarray, others: tuple[np.ndarray | None, ...]) -> None:
    if any(np.may_share_memory(out, a) for a in others if a is not None):
        raise ValueError(f"{who}: out shares memory with an operand: pass another array")


def _slope(who: str, name: str, slope: float | None) -> float:
    if name not in _core.ACTIVATIONS:
        known = tuple(_core.ACTIVATIONS)
        raise ValueError(f"{who}: expected an activation of {known}, got {name!r}")
    return float(SLOPES.get(name, 0.0) if slope is None else slope)


def _pair(
    who: str, kind: str, y_true: Any, y_pred: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if kind not in _core.CROSSENTROPIES:
        raise ValueError(f"{who}: expected a kind of {tuple(_core.CROSSENTROPIES)}, got {kind!r}")
    dtype = _dtype(y_pred)
    target, logits = _array(y_true, dtype), _array(y_pred, dtype)
    rows = _rows(logits)
    if kind == "sparse_categorical":
        if target.shape not in (logits.shape[:-1], (*logits.shape[:-1], 1)):
            _same(who, "labels of shape", logits.shape[:-1], target.shape)
        target = target.reshape(len(rows), 1)
    else:
        _same(who, "y_true of shape", logits.shape, target.shape)
        target = _rows(target)
    return target, logits, np.empty(len(rows), dtype)


explain_missing(__name__)
