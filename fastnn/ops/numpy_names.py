"""What NumPy's functions and ufuncs are in ops: tensors answer to both of its protocols."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.ops.reductions import weighted_mean
from fastnn.ops.tensor import METHODS, PROTOCOLS, NotTraceable, Tensor, where

# --- ufuncs ----------------------------------------------------------------------------------


def _fmax(x1: Any, x2: Any) -> Any:
    return ops.where(ops.isnan(x1), x2, ops.where(ops.isnan(x2), x1, ops.maximum(x1, x2)))


def _fmin(x1: Any, x2: Any) -> Any:
    return ops.where(ops.isnan(x1), x2, ops.where(ops.isnan(x2), x1, ops.minimum(x1, x2)))


def _fmod(x1: Any, x2: Any) -> Any:
    return ops.subtract(x1, ops.multiply(ops.trunc(ops.divide(x1, x2)), x2))


def _hypot(x1: Any, x2: Any) -> Any:
    return ops.sqrt(ops.add(ops.square(x1), ops.square(x2)))


def _copysign(x1: Any, x2: Any) -> Any:
    size = ops.absolute(x1)
    return ops.where(ops.less(x2, 0.0), ops.negative(size), size)


def _heaviside(x1: Any, x2: Any) -> Any:
    step = ops.where(ops.equal(x1, 0.0), x2, ops.greater(x1, 0.0))
    return ops.where(ops.isnan(x1), x1, step)


def _cbrt(x: Any) -> Any:
    return ops.multiply(ops.sign(x), ops.power(ops.absolute(x), 1 / 3))


def _arcsinh(x: Any) -> Any:
    a = ops.absolute(x)
    square = ops.square(a)
    inner = ops.add(a, ops.divide(square, ops.add(1.0, ops.sqrt(ops.add(1.0, square)))))
    return ops.multiply(ops.sign(x), ops.log1p(inner))


def _arccosh(x: Any) -> Any:
    return ops.log(ops.add(x, ops.sqrt(ops.multiply(ops.subtract(x, 1.0), ops.add(x, 1.0)))))


def _arctanh(x: Any) -> Any:
    return ops.multiply(0.5, ops.subtract(ops.log1p(x), ops.log1p(ops.negative(x))))


def _vecdot(x1: Any, x2: Any) -> Any:
    return ops.sum(ops.multiply(x1, x2), axis=-1)


UFUNCS: dict[str, Any] = {
    **{name: name for name in (
        "absolute", "add", "arccos", "arcsin", "arctan", "arctan2", "ceil", "clip", "cos", "cosh",
        "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal",
        "isfinite", "isinf", "isnan", "less", "less_equal", "log", "log10", "log1p", "log2",
        "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul",
        "maximum", "minimum", "mod", "multiply", "negative", "not_equal", "power", "reciprocal",
        "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
    )},
    "true_divide": "divide", "remainder": "mod", "float_power": "power", "positive": "copy",
    "conjugate": "copy", "fabs": "absolute", "rint": "round", "invert": "logical_not",
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor",
    "fmax": _fmax, "fmin": _fmin, "fmod": _fmod, "hypot": _hypot, "copysign": _copysign,
    "heaviside": _heaviside, "cbrt": _cbrt, "arcsinh": _arcsinh, "arccosh": _arccosh,
    "arctanh": _arctanh, "vecdot": _vecdot,
    "divmod": lambda x1, x2: (ops.floor_divide(x1, x2), ops.mod(x1, x2)),
    "signbit": lambda x: ops.less(x, 0.0),
    "exp2": lambda x: ops.exp(ops.multiply(x, math.log(2))),
    "deg2rad": lambda x: ops.multiply(x, math.pi / 180),
    "radians": lambda x: ops.multiply(x, math.pi / 180),
    "rad2deg": lambda x: ops.multiply(x, 180 / math.pi),
    "degrees": lambda x: ops.multiply(x, 180 / math.pi),
}  # fmt: skip
"""What a ufunc is: a name of ops, or a function."""

REDUCED = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min",
           "logical_and": "all", "logical_or": "any", "logaddexp": "logsumexp"}  # fmt: skip
ACCUMULATED = {"add": "cumsum", "multiply": "cumprod"}
HARMLESS = frozenset({"dtype", "casting", "order", "subok", "signature"})


def call_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """Do what NumPy's ufunc would do."""
    if method == "__call__" and not kwargs:
        target = _ufunc(ufunc.__name__)
        if target is not None:
            return target(*inputs)
    return _other_ufunc(ufunc.__name__, method, inputs, kwargs)


@functools.cache
def _ufunc(name: str) -> Any:
    target = UFUNCS.get(name)
    return getattr(ops, target) if isinstance(target, str) else target


def _other_ufunc(name: str, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    left = {k: v for k, v in kwargs.items() if v is not None and k not in HARMLESS}
    if left.get("where") is True:
        del left["where"]
    if "out" in left:
        raise NotTraceable(
            f"{where()}an array cannot take up a tensor (+=, or out= of np.{name}): write "
            "y = y + x, which makes a tensor"
        )
    if "where" in left:
        raise NotTraceable(
            f"{where()}np.{name} with where= is not for tensors: write np.where(condition, a, b)"
        )
    target = _ufunc(name) if method == "__call__" else None
    if method == "reduce" and name in REDUCED:
        axis, keepdims = left.pop("axis", 0), left.pop("keepdims", False)
        target = functools.partial(getattr(ops, REDUCED[name]), axis=axis, keepdims=keepdims)
    elif method == "accumulate" and name in ACCUMULATED:
        target = functools.partial(getattr(ops, ACCUMULATED[name]), axis=left.pop("axis", 0))
    if target is None or left:
        what = name if method == "__call__" else f"{name}.{method}"
        if left:
            what += f" with {', '.join(left)}"
        raise _unknown(what)
    return target(*inputs)


def _unknown(what: str) -> NotTraceable:
    return NotTraceable(f"{where()}np.{what} is not for tensors: see fastnn.ops for what there is")


# --- functions -------------------------------------------------------------------------------


def call_function(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Do what NumPy's function would do."""
    return _adapted(function)(*args, **kwargs)


@functools.cache
def _adapted(function: Any) -> Any:
    """Return the function of ops, with NumPy's parameters."""
    name, module = function.__name__, function.__module__
    if module == "numpy.linalg":
        name, target = f"linalg.{name}", LINALG.get(name)
    else:
        same = getattr(ops, RENAMED.get(name, name), None) if module == "numpy" else None
        target = FUNCTIONS.get(name, same)
    if target is None:
        raise _unknown(name)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, by older NumPy: what is given is passed on
        return target
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):  # einsum
        return target
    theirs = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD]
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY,
                                                           p.POSITIONAL_OR_KEYWORD)]  # fmt: skip
    ours = [p.name for p in inspect.signature(target).parameters.values()
            if p.kind is not p.VAR_KEYWORD]  # fmt: skip
    names = {}  # of ours by theirs: the same, or at the same place
    for place, key in enumerate(theirs):
        if key in ours:
            names[key] = key
        elif place < len(ours) and ours[place] not in theirs:
            names[key] = ours[place]
    defaults = {p.name: p.default for p in parameters if p.name not in names}
    first = [names[key] for key in itertools.takewhile(names.__contains__, positional)]

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) <= len(first) and names.keys() >= kwargs.keys():  # as nearly always
            given = dict(zip(first, args, strict=False))
            for key, value in kwargs.items():
                given[names[key]] = value
            return target(**given)
        given = {}
        for key, value in (*zip(positional, args, strict=False), *kwargs.items()):
            if key in names:
                given[names[key]] = value
            elif key in ours:  # of **kwargs
                given[key] = value
            elif key != "dtype" and not _is_default(value, defaults.get(key)):
                raise NotTraceable(f"{where()}np.{name} of tensors knows no {key}")
        return target(**given)

    return call


def _is_default(value: Any, default: Any) -> bool:
    plain = isinstance(value, (bool, int, float, str))
    return value is None or value is default or (plain and bool(value == default))


def _reduction(name: str, neutral: float | None) -> Any:
    """Return a reduction with NumPy's where and initial; `neutral` is what changes nothing."""
    reduced = getattr(ops, name)
    join = {"sum": ops.add, "prod": ops.multiply, "max": ops.maximum, "min": ops.minimum}.get(name)

    def reduction(
        a: Any, axis: Any = None, keepdims: Any = False, initial: Any = None, where: Any = None
    ) -> Any:
        keepdims = keepdims is True  # or NumPy's sign of no value
        if where is not None and where is not True and where is not np._NoValue:
            a = ops.where(where, a, neutral)
        y = reduced(a, axis, keepdims)
        return y if initial is None or initial is np._NoValue else join(y, initial)  # type: ignore[misc]

    return reduction


def _mean(a: Any, axis: Any = None, keepdims: Any = False, where: Any = True) -> Any:
    keepdims = keepdims is True
    if where is True or where is np._NoValue:
        return ops.mean(a, axis, keepdims)
    there = ops.add(ops.zeros_like(a), where)
    total = ops.sum(ops.where(there, a, 0.0), axis, keepdims)
    return ops.divide(total, ops.sum(there, axis, keepdims))


def _var(
    a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, correction: Any = None
) -> Any:
    lost = ddof if correction is None or correction is np._NoValue else correction
    y = ops.var(a, axis, keepdims is True)
    if not lost:
        return y
    n = ops.sum(ops.ones_like(a), axis, keepdims is True)
    return ops.multiply(y, ops.divide(n, ops.subtract(n, lost)))


def _std(
    a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False, correction: Any = None
) -> Any:
    return ops.sqrt(_var(a, axis, ddof, keepdims, correction))


def _average(a: Any, axis: Any = None, weights: Any = None, keepdims: Any = False) -> Any:
    if weights is None:
        return ops.mean(a, axis, keepdims is True)
    return weighted_mean(a, axis, weights, keepdims is True)


def _nan(name: str, neutral: float) -> Any:
    reduced = getattr(ops, name)

    def reduction(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
        y = reduced(ops.where(ops.isnan(a), neutral, a), axis, keepdims is True)
        return ops.where(ops.isinf(y), math.nan, y) if math.isinf(neutral) else y

    return reduction


def _nan_mean(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    return _mean(a, axis, keepdims, where=ops.logical_not(ops.isnan(a)))


def _nan_var(a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    there = ops.logical_not(ops.isnan(a))
    distance = ops.square(ops.subtract(a, _mean(a, axis, True, there)))
    total = ops.sum(ops.where(there, distance, 0.0), axis, keepdims is True)
    return ops.divide(total, ops.subtract(ops.sum(there, axis, keepdims is True), ddof))


def _nan_std(a: Any, axis: Any = None, ddof: Any = 0, keepdims: Any = False) -> Any:
    return ops.sqrt(_nan_var(a, axis, ddof, keepdims))


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    from fastnn.ops.shapes import clip_between

    low, high = (None if v is np._NoValue else v for v in (a_min, a_max))
    low, high = (v if w is None or w is np._NoValue else w
                 for v, w in ((low, min), (high, max)))  # fmt: skip
    return clip_between(a, low, high)


def _reshape(a: Any, shape: Any = None, *, newshape: Any = None) -> Any:
    return ops.reshape(a, newshape if shape is None or shape is np._NoValue else shape)


def _size(a: Any, axis: Any = None) -> Any:
    return ops.size(a) if axis is None else ops.shape(a)[axis]


def _column_stack(tup: Any) -> Any:
    wide = [ops.expand_dims(t, -1) if ops.ndim(t) == 1 else t for t in tup]
    return ops.concatenate(wide, axis=1)


def _dstack(tup: Any) -> Any:
    deep = [t if ops.ndim(t) > 2 else ops.expand_dims(t, -1) for t in tup]
    if any(ops.ndim(t) < 3 for t in deep):
        raise _unknown("dstack of one axis")
    return ops.concatenate(deep, axis=2)


def _array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    if isinstance(indices_or_sections, (int, np.integer)) and ary.shape[axis] is not None:
        parts, length = int(indices_or_sections), ary.shape[axis]
        sizes = [length // parts + (k < length % parts) for k in range(parts)]
        indices_or_sections = np.cumsum(sizes)[:-1]
    return ops.split(ary, indices_or_sections, axis)


def _close(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return ops.all(ops.isclose(a, b, rtol, atol, equal_nan))


def _ptp(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    kept = keepdims is True
    return ops.subtract(ops.max(a, axis, kept), ops.min(a, axis, kept))


def _at_least(rank: int) -> Any:
    def at_least(ary: Any) -> Any:
        if ops.ndim(ary) < rank:
            raise NotTraceable(
                f"{where()}np.atleast_{rank}d of shape {ary.shape}: write x[:, None], which keeps "
                "the batch first"
            )
        return ary

    def each(*arys: Any) -> Any:
        return at_least(arys[0]) if len(arys) == 1 else tuple(at_least(a) for a in arys)

    return each


RENAMED = {"around": "round", "round_": "round", "concat": "concatenate", "fix": "trunc",
           "permute_dims": "transpose", "empty_like": "zeros_like"}  # fmt: skip
"""NumPy's functions whose name is another in ops; all else that ops has is the same."""

FUNCTIONS: dict[str, Any] = {
    "sum": _reduction("sum", 0.0), "prod": _reduction("prod", 1.0),
    "max": _reduction("max", -math.inf), "min": _reduction("min", math.inf),
    "amax": _reduction("max", -math.inf), "amin": _reduction("min", math.inf),
    "any": _reduction("any", 0.0), "all": _reduction("all", 1.0),
    "mean": _mean, "var": _var, "std": _std, "average": _average,
    "nansum": _nan("sum", 0.0), "nanprod": _nan("prod", 1.0), "nanmax": _nan("max", -math.inf),
    "nanmin": _nan("min", math.inf), "nanmean": _nan_mean, "nanvar": _nan_var, "nanstd": _nan_std,
    "clip": _clip, "reshape": _reshape, "size": _size, "ptp": _ptp, "allclose": _close,
    "column_stack": _column_stack, "dstack": _dstack, "array_split": _array_split,
    "atleast_1d": _at_least(1), "atleast_2d": _at_least(2), "atleast_3d": _at_least(3),
    "fliplr": lambda m: ops.flip(m, 1), "flipud": lambda m: ops.flip(m, 0),
    "hsplit": lambda ary, indices_or_sections: ops.split(ary, indices_or_sections, 1),
    "vsplit": lambda ary, indices_or_sections: ops.split(ary, indices_or_sections, 0),
    "inner": _vecdot, "array_equal": lambda a1, a2: ops.all(ops.equal(a1, a2)),
    "matrix_transpose": lambda x: ops.swapaxes(x, -1, -2),
    "real": lambda val: val, "iscomplexobj": lambda x: False, "isrealobj": lambda x: True,
    "result_type": lambda *x: next(t.dtype for t in x if isinstance(t, Tensor)),
}  # fmt: skip
"""NumPy's functions that ops lack, or whose parameters differ."""

LINALG: dict[str, Any] = {
    "norm": ops.norm, "matmul": ops.matmul, "outer": ops.outer, "tensordot": ops.tensordot,
    "vecdot": _vecdot, "matrix_transpose": FUNCTIONS["matrix_transpose"],
    "trace": lambda x, offset=0: ops.trace(x, offset, -2, -1),
    "vector_norm": lambda x, axis=None, keepdims=False, ord=2: ops.norm(x, ord, axis, keepdims),
}  # fmt: skip
"""The functions of np.linalg that tensors have."""


# --- by name ----------------------------------------------------------------------------------


def names() -> set[str]:
    """Return the names of NumPy's functions that tensors have."""
    same = {name for name in ops.__all__ if hasattr(np, name)}
    plain = {name for name in (*UFUNCS, *FUNCTIONS, *RENAMED, *same) if hasattr(np, name)}
    return plain | {f"linalg.{name}" for name in LINALG if hasattr(np.linalg, name)}


def function_of(name: str) -> Any:
    """Return one of them, with NumPy's parameters."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if name in UFUNCS:
            return _ufunc(name)(*args, **kwargs)
        *module, own = name.split(".")
        return call_function(getattr(np.linalg if module else np, own), args, kwargs)

    return call


# --- methods ---------------------------------------------------------------------------------


def _method(function: Any) -> Any:
    return lambda x, *args, **kwargs: _adapted(function)(x, *args, **kwargs)


METHODS.update({name: _method(getattr(np, name)) for name in (
    "all", "any", "argmax", "argmin", "argsort", "clip", "cumprod", "cumsum", "dot", "max", "mean",
    "min", "nonzero", "prod", "repeat", "round", "searchsorted", "sort", "squeeze", "std", "sum",
    "swapaxes", "take", "trace", "var",
)})  # fmt: skip

PROTOCOLS.update({"ufunc": call_ufunc, "function": call_function})
