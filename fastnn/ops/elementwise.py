"""Operations element by element: arithmetic, comparison, logic, and the functions of analysis.

A derivative is one line beside its function. `chain(g, d)` is g * d, and 0 where g is 0: a gradient
of zero stays zero, whatever it meets (0 times infinity, a logarithm's pole behind a `where`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn.ops.operation import as_array, as_ndarray, computed, elementwise, of_floatx
from fastnn.ops.tensor import Tensor

# mypy: disable-error-code="has-type"
# derivatives name functions that are defined, by a decorator, further below

TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)
_erf = np.frompyfunc(math.erf, 1, 1)


# --- the chain rule --------------------------------------------------------------------------


@elementwise(None)
def chain(x1: Any, x2: Any) -> Any:
    """Return x1 * x2, and 0 where x1 is 0."""
    with np.errstate(all="ignore"):
        return np.where(x1 == 0, 0, x1 * x2)


@elementwise(None)
def chain_divide(x1: Any, x2: Any) -> Any:
    """Return x1 / x2, and 0 where x1 is 0."""
    with np.errstate(all="ignore"):
        return np.where(x1 == 0, 0, x1 / x2)


# --- arithmetic ------------------------------------------------------------------------------


@elementwise(lambda g, y, a, b: (g, g))
def add(x1: Any, x2: Any) -> Any:
    """Return x1 + x2."""
    return np.add(x1, x2)


@elementwise(lambda g, y, a, b: (g, negative(g)))
def subtract(x1: Any, x2: Any) -> Any:
    """Return x1 - x2."""
    return np.subtract(x1, x2)


@elementwise(lambda g, y, a, b: (chain(g, b), chain(g, a)))
def multiply(x1: Any, x2: Any) -> Any:
    """Return x1 * x2."""
    return np.multiply(x1, x2)


@elementwise(lambda g, y, a, b: (chain_divide(g, b), chain(negative(g), divide(y, b))))
def divide(x1: Any, x2: Any) -> Any:
    """Return x1 / x2."""
    return np.true_divide(x1, x2)


true_divide = divide


@elementwise(None)
def floor_divide(x1: Any, x2: Any) -> Any:
    """Return the largest whole number not above x1 / x2; its derivative is 0."""
    return np.floor_divide(x1, x2)


@elementwise(lambda g, y, a, b: (g, chain(negative(g), floor_divide(a, b))))
def mod(x1: Any, x2: Any) -> Any:
    """Return what division leaves, with the sign of x2."""
    return np.mod(x1, x2)


def _power_gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Any, Any]:
    exponent = where(equal(b, 0.0), 1.0, subtract(b, 1.0))  # a^0 is flat, at 0 too
    by_base = chain(g, multiply(b, power(a, exponent)))
    if b.op.name == "constant":
        return by_base, None
    # where the base is not positive, y log(a) is none: its limit at 0 is 0
    slope = where(greater(a, 0.0), multiply(y, log(maximum(a, 1e-300))), 0.0)
    return by_base, chain(g, slope)


@elementwise(_power_gradient)
def power(x1: Any, x2: Any) -> Any:
    """Return x1 ** x2."""
    return np.power(x1, x2)


@elementwise(lambda g, y, x: (negative(g),))
def negative(x: Any) -> Any:
    """Return -x."""
    return np.negative(x)


def _extreme_gradient(first: Any) -> Any:
    """Of maximum and minimum: a tie with a constant goes to the constant, else half and half."""

    def gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Any, Any]:
        if b.op.name == "constant":
            return where(first(a, b), g, 0.0), None
        if a.op.name == "constant":
            return None, where(first(b, a), g, 0.0)
        half = multiply(0.5, equal(a, b))
        return (
            chain(g, add(first(a, b), half)),
            chain(g, add(first(b, a), half)),
        )

    return gradient


@elementwise(_extreme_gradient(lambda a, b: greater(a, b)))
def maximum(x1: Any, x2: Any) -> Any:
    """Return the larger of two; NaN if either is."""
    return np.maximum(x1, x2)


@elementwise(_extreme_gradient(lambda a, b: less(a, b)))
def minimum(x1: Any, x2: Any) -> Any:
    """Return the smaller of two; NaN if either is."""
    return np.minimum(x1, x2)


@elementwise(lambda g, y, x: (chain(g, sign(x)),), step="abs")
def absolute(x: Any) -> Any:
    """Return the distance from zero."""
    return np.abs(x)


abs = absolute


@elementwise(None)
def sign(x: Any) -> Any:
    """Return -1, 0 or 1; its derivative is 0."""
    return np.sign(x)


@elementwise(lambda g, y, x: (chain(add(g, g), x),))
def square(x: Any) -> Any:
    """Return x * x."""
    return np.square(x)


@elementwise(lambda g, y, x: (chain_divide(where(equal(y, 0.0), 0.0, multiply(0.5, g)), y),))
def sqrt(x: Any) -> Any:
    """Return the square root; at 0, where it has no slope, its derivative counts as 0."""
    return np.sqrt(x)


@elementwise(
    lambda g, y, x: (chain(multiply(-0.5, g), divide(y, x)),),
    lower=lambda x: reciprocal(sqrt(x)),
)
def rsqrt(x: Any) -> Any:
    """Return 1 / sqrt(x)."""
    return 1 / np.sqrt(x)


@elementwise(lambda g, y, x: (chain(negative(g), square(y)),))
def reciprocal(x: Any) -> Any:
    """Return 1 / x."""
    return np.true_divide(1, x)


# --- exponential, logarithm and their relatives ----------------------------------------------


@elementwise(lambda g, y, x: (chain(g, y),))
def exp(x: Any) -> Any:
    """Return e to the power of x."""
    return np.exp(x)


@elementwise(lambda g, y, x: (chain(g, add(y, 1.0)),))
def expm1(x: Any) -> Any:
    """Return exp(x) - 1, exact near 0."""
    return np.expm1(x)


@elementwise(lambda g, y, x: (chain_divide(g, x),))
def log(x: Any) -> Any:
    """Return the natural logarithm."""
    return np.log(x)


@elementwise(lambda g, y, x: (chain_divide(g, add(x, 1.0)),))
def log1p(x: Any) -> Any:
    """Return log(1 + x), exact near 0."""
    return np.log1p(x)


@elementwise(lambda g, y, x: (chain(g, cos(x)),))
def sin(x: Any) -> Any:
    """Return the sine; x in radians."""
    return np.sin(x)


@elementwise(lambda g, y, x: (chain(negative(g), sin(x)),))
def cos(x: Any) -> Any:
    """Return the cosine; x in radians."""
    return np.cos(x)


@elementwise(lambda g, y, x: (chain(g, subtract(1.0, square(y))),))
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


@elementwise(lambda g, y, x: (chain(g, multiply(TWO_BY_ROOT_PI, exp(negative(square(x))))),))
def erf(x: Any) -> Any:
    """Return the error function 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    dtype = getattr(x, "dtype", np.dtype(float))
    return np.asarray(_erf(x), dtype=dtype if dtype.kind == "f" else np.float64)


@elementwise(lambda g, y, x: (chain(g, multiply(y, subtract(1.0, y))),))
def sigmoid(x: Any) -> Any:
    """Return 1 / (1 + exp(-x))."""
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(np.greater_equal(x, 0), 1, e) / (1 + e)


@elementwise(lambda g, y, x: (chain(g, sigmoid(x)),))
def softplus(x: Any) -> Any:
    """Return log(1 + exp(x))."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# --- rounding: derivatives are 0 -------------------------------------------------------------


@elementwise(None)
def floor(x: Any) -> Any:
    """Return the largest whole number not above x."""
    return np.floor(_at_least_float(x))


@elementwise(None)
def ceil(x: Any) -> Any:
    """Return the smallest whole number not below x."""
    return np.ceil(_at_least_float(x))


def _at_least_float(x: Any) -> Any:
    return x if getattr(x, "dtype", np.dtype(float)).kind == "f" else np.asarray(x, np.float64)


@elementwise(None, name="round")
def _rint(x: Any) -> Any:
    return _whole_or(np.rint, x)


def _whole_or(function: Any, x: Any) -> Any:
    x = np.asarray(x)
    return x if x.dtype.kind in "iu" else function(x)


def round(x: Any, decimals: int = 0) -> Any:
    """Return the nearest number of so many decimals; halves go to the even one."""
    if decimals == 0 or (not isinstance(x, Tensor) and as_ndarray(x).dtype.kind in "iu"):
        return _rint(x)
    scale = 10.0**decimals
    return divide(_rint(multiply(x, scale)), scale)


@elementwise(None)
def trunc(x: Any) -> Any:
    """Return x without its fraction."""
    return _whole_or(np.trunc, x)


# --- comparison and logic: 1 or 0 on tensors, booleans on arrays -----------------------------


@elementwise(None)
def equal(x1: Any, x2: Any) -> Any:
    """Return whether x1 == x2."""
    return np.equal(x1, x2)


@elementwise(None)
def not_equal(x1: Any, x2: Any) -> Any:
    """Return whether x1 != x2."""
    return np.not_equal(x1, x2)


@elementwise(None)
def less(x1: Any, x2: Any) -> Any:
    """Return whether x1 < x2."""
    return np.less(x1, x2)


@elementwise(None)
def less_equal(x1: Any, x2: Any) -> Any:
    """Return whether x1 <= x2."""
    return np.less_equal(x1, x2)


@elementwise(None)
def greater(x1: Any, x2: Any) -> Any:
    """Return whether x1 > x2."""
    return np.greater(x1, x2)


@elementwise(None)
def greater_equal(x1: Any, x2: Any) -> Any:
    """Return whether x1 >= x2."""
    return np.greater_equal(x1, x2)


@elementwise(None)
def logical_and(x1: Any, x2: Any) -> Any:
    """Return whether both are true; everything but 0 is."""
    return np.logical_and(x1, x2)


@elementwise(None)
def logical_or(x1: Any, x2: Any) -> Any:
    """Return whether one or both are true."""
    return np.logical_or(x1, x2)


@elementwise(None)
def logical_xor(x1: Any, x2: Any) -> Any:
    """Return whether just one is true."""
    return np.logical_xor(x1, x2)


@elementwise(None)
def logical_not(x: Any) -> Any:
    """Return whether x is 0."""
    return np.logical_not(x)


@elementwise(None)
def isnan(x: Any) -> Any:
    """Return whether x is not a number."""
    return np.isnan(x)


@elementwise(None)
def isfinite(x: Any) -> Any:
    """Return whether x is neither infinite nor NaN."""
    return np.isfinite(x)


@elementwise(None, lower=lambda x: equal(absolute(x), math.inf))
def isinf(x: Any) -> Any:
    """Return whether x is infinite."""
    return np.isinf(x)


# --- choosing --------------------------------------------------------------------------------


@elementwise(lambda g, y, c, a, b: (None, where(c, g, 0.0), where(c, 0.0, g)), name="where")
def _where(condition: Any, x1: Any, x2: Any) -> Any:
    return np.where(condition, x1, x2)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """Return x1 where the condition holds, else x2."""
    if x1 is None or x2 is None:
        from fastnn.ops.operation import holds_tensor
        from fastnn.ops.tensor import NotTraceable
        from fastnn.ops.tensor import where as place

        if holds_tensor((condition,)):
            raise NotTraceable(
                f"{place()}where(condition) alone gives as many indices as the numbers say: write "
                "where(condition, x1, x2)"
            )
        return tuple(places.astype(np.int32) for places in np.where(as_array(condition)))
    return _where(condition, x1, x2)


@elementwise(
    lambda g, y, x, lo, hi: (
        where(logical_and(greater_equal(x, lo), less_equal(x, hi)), g, 0.0),
        where(less(x, lo), g, 0.0),
        where(greater(x, hi), g, 0.0),
    )
)
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """Return x moved into x_min .. x_max; its derivative is 1 at the bounds."""
    return np.clip(x, x_min, x_max)


def cast(x: Any, dtype: Any) -> Any:
    """Return x as another type.

    On tensors, which are all of the program's type: whole-number types cut off the fraction, bool
    gives 1 for all that is not 0, and float types change nothing.
    """
    from fastnn.ops.arrays import standardize_dtype

    name = standardize_dtype(dtype)
    if not isinstance(x, Tensor):
        return as_ndarray(x).astype(name)
    if name == "bool":
        return x if x.op.name in TRUTHS else not_equal(x, 0.0)
    if "int" in name:
        return x if x.op.name in WHOLE else trunc(x)
    return x


TRUTHS = frozenset({
    "equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "logical_and",
    "logical_or", "logical_xor", "logical_not", "isnan", "isfinite", "isinf", "any", "all",
})  # fmt: skip
WHOLE = TRUTHS | {"floor", "ceil", "round", "trunc", "argmax", "argmin", "sign", "floor_divide"}


# --- compositions ----------------------------------------------------------------------------


def tan(x: Any) -> Any:
    """Return the tangent; x in radians."""
    return divide(sin(x), cos(x)) if isinstance(x, Tensor) else _array(np.tan, x)


def sinh(x: Any) -> Any:
    """Return the hyperbolic sine."""
    if not isinstance(x, Tensor):
        return _array(np.sinh, x)
    e = expm1(x)
    return multiply(0.5, add(e, divide(e, add(e, 1.0))))


def cosh(x: Any) -> Any:
    """Return the hyperbolic cosine."""
    if not isinstance(x, Tensor):
        return _array(np.cosh, x)
    e = exp(absolute(x))
    return multiply(0.5, add(e, reciprocal(e)))


def log2(x: Any) -> Any:
    """Return the logarithm to base 2."""
    return divide(log(x), math.log(2)) if isinstance(x, Tensor) else _array(np.log2, x)


def log10(x: Any) -> Any:
    """Return the logarithm to base 10."""
    return divide(log(x), math.log(10)) if isinstance(x, Tensor) else _array(np.log10, x)


def logaddexp(x1: Any, x2: Any) -> Any:
    """Return log(exp(x1) + exp(x2)), which never overflows."""
    if isinstance(x1, Tensor) or isinstance(x2, Tensor):
        return add(maximum(x1, x2), softplus(negative(absolute(subtract(x1, x2)))))
    return computed(np.logaddexp, as_array(x1), as_array(x2))


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Return x1 / x2, and 0 where x2 is 0."""
    zero = equal(x2, 0)
    return where(zero, 0.0, divide(x1, where(zero, 1.0, x2)))


def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Return whether abs(x1 - x2) <= atol + rtol abs(x2)."""
    if isinstance(x1, Tensor) or isinstance(x2, Tensor):
        near = less_equal(absolute(subtract(x1, x2)), add(atol, multiply(rtol, absolute(x2))))
        near = logical_or(near, equal(x1, x2))
        return logical_or(near, logical_and(isnan(x1), isnan(x2))) if equal_nan else near
    return np.isclose(as_array(x1), as_array(x2), rtol, atol, equal_nan)


def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """Return x with NaN and infinities replaced; by default infinities by the largest numbers."""
    if not isinstance(x, Tensor):
        return of_floatx(np.nan_to_num(as_array(x), nan=nan, posinf=posinf, neginf=neginf), x)
    limit = float(np.finfo(x.dtype).max)
    y = where(isnan(x), nan, x)
    y = where(equal(y, math.inf), limit if posinf is None else posinf, y)
    return where(equal(y, -math.inf), -limit if neginf is None else neginf, y)


def _array(function: Any, x: Any) -> Any:
    return computed(function, as_array(x))
