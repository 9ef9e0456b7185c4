"""What NumPy's functions and ufuncs are in ops: tensors answer to both of its protocols."""

from __future__ import annotations

import inspect
from typing import Any

from fastnn import ops
from fastnn.ops.tensor import NotTraceable, where

UFUNCS = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide",
    "true_divide": "divide", "floor_divide": "floor_divide", "remainder": "mod", "mod": "mod",
    "power": "power", "float_power": "power", "negative": "negative", "positive": "identity",
    "maximum": "maximum", "minimum": "minimum", "fmax": "maximum", "fmin": "minimum",
    "absolute": "absolute", "fabs": "absolute", "sign": "sign", "square": "square",
    "sqrt": "sqrt", "reciprocal": "reciprocal", "exp": "exp", "expm1": "expm1", "log": "log",
    "log1p": "log1p", "log2": "log2", "log10": "log10", "sin": "sin", "cos": "cos", "tan": "tan",
    "tanh": "tanh", "sinh": "sinh", "cosh": "cosh", "logaddexp": "logaddexp", "floor": "floor",
    "ceil": "ceil", "rint": "round", "trunc": "trunc", "equal": "equal", "not_equal": "not_equal",
    "less": "less", "less_equal": "less_equal", "greater": "greater",
    "greater_equal": "greater_equal", "logical_and": "logical_and", "logical_or": "logical_or",
    "logical_xor": "logical_xor", "logical_not": "logical_not", "isnan": "isnan",
    "isfinite": "isfinite", "isinf": "isinf", "matmul": "matmul", "invert": "logical_not",
    "bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_xor": "logical_xor",
    "clip": "clip",
}  # fmt: skip
"""Ufuncs whose name is another in ops, and those that are the same."""

REDUCED = {"add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min",
           "logical_and": "all", "logical_or": "any"}  # fmt: skip

FUNCTIONS = {
    "amax": "max", "amin": "min", "around": "round", "round_": "round", "concat": "concatenate",
    "permute_dims": "transpose", "asarray": "convert_to_tensor",
}  # fmt: skip
"""NumPy's other functions whose name is another in ops; all else that ops has is the same."""

IGNORED = {"dtype", "out", "order", "subok", "casting", "like", "copy", "ddof", "correction"}
"""Parameters of NumPy's that ops lack; only their defaults are taken."""


def call_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """Do what NumPy's ufunc would do."""
    name = ufunc.__name__
    if method == "reduce" and name in REDUCED:
        axis = kwargs.get("axis", 0)
        return getattr(ops, REDUCED[name])(inputs[0], axis, kwargs.get("keepdims", False))
    left = {k: v for k, v in kwargs.items() if v is not None and k != "dtype" and v is not True}
    if method != "__call__" or left or name not in UFUNCS:
        what = name if method == "__call__" else f"{name}.{method}"
        if left:
            what += f" with {', '.join(left)}"
        raise NotTraceable(
            f"{where()}np.{what} is not for tensors: see fastnn.ops for what there is"
        )
    return getattr(ops, UFUNCS[name])(*inputs)


def call_function(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Do what NumPy's function would do."""
    name = function.__name__
    if function.__module__ == "numpy.linalg" and name == "norm":
        target: Any = ops.norm
    else:
        target = _OTHERS.get(name) or getattr(ops, FUNCTIONS.get(name, name), None)
    if target is None:
        raise NotTraceable(
            f"{where()}np.{name} is not for tensors: see fastnn.ops for what there is"
        )
    if name in _AS_IT_IS:
        return target(*args, **kwargs)
    try:
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
    except ValueError:  # no signature: what is given is passed on
        return target(*args, **kwargs)
    given = {k: v for k, v in bound.items() if k not in IGNORED}
    odd = [k for k, v in bound.items() if k in IGNORED and k != "dtype" and v not in (None, 0, "K")]
    if odd:
        raise NotTraceable(f"{where()}np.{name} of tensors knows no {', '.join(odd)}")
    parameters = inspect.signature(function).parameters
    positional, named = [], {}
    for key, value in given.items():
        kind = parameters[key].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            positional.extend(value)
        elif key in ("axis", "keepdims", "decimals", "repeats", "weights", "axes"):
            named[key] = value
        elif kind is inspect.Parameter.VAR_KEYWORD:
            named |= value
        else:
            positional.append(value)
    if "axes" in named and name in ("transpose", "permute_dims"):
        positional.append(named.pop("axes"))
    if "repeats" in named or "decimals" in named:
        positional.append(named.pop("repeats", None) or named.pop("decimals", 0))
    return target(*positional, **named)


def _nan_mean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    there = ops.logical_not(ops.isnan(a))
    total = ops.sum(ops.where(there, a, 0.0), axis, keepdims)
    return ops.divide(total, ops.sum(there, axis, keepdims))


def _nan_sum(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return ops.sum(ops.where(ops.isnan(a), 0.0, a), axis, keepdims)


def _column_stack(tensors: Any) -> Any:
    wide = [ops.expand_dims(t, -1) if ops.ndim(t) == 1 else t for t in tensors]
    return ops.concatenate(wide, axis=1)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, **bounds: Any) -> Any:
    from fastnn.ops.shapes import clip_between

    return clip_between(a, bounds.get("min", a_min), bounds.get("max", a_max))


def _ptp(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    return ops.subtract(ops.max(a, axis, keepdims), ops.min(a, axis, keepdims))


_OTHERS: dict[str, Any] = {
    "clip": _clip, "nanmean": _nan_mean, "nansum": _nan_sum, "column_stack": _column_stack, "ptp": _ptp,
    "fix": lambda x: ops.trunc(x), "reshape": ops.reshape,
    "inner": lambda a, b: ops.sum(ops.multiply(a, b), axis=-1),
    "empty_like": lambda x: ops.zeros_like(x),
    "atleast_1d": lambda x: x, "iscomplexobj": lambda x: False, "result_type": lambda *x: x[0].dtype,
}  # fmt: skip

_AS_IT_IS = {"where", "einsum", "concatenate", "stack", "hstack", "vstack", "clip", "full_like",
             "zeros_like", "ones_like", "result_type", "concat"}  # fmt: skip
