"""ops: the vocabulary of what is computed, under the names of ``keras.ops``.

Every function works on arrays, where it is NumPy, and on tensors, where it records itself: in a
loss, a metric or a layer of yours, which is traced once, differentiated and compiled. NumPy's own
functions, operators and methods do the same on tensors, so that ``np.mean(np.square(t - p))`` is
one with ``ops.mean(ops.square(t - p))``.

Notes
-----
On tensors the first axis is the batch; rows do not meet each other but in reductions along it.
Truth values are 1 and 0 there, and all numbers are of the model's type.
"""

# ruff: noqa: I001 (one name a line would fill pages)

from __future__ import annotations

from fastnn.missing import explain_missing
from fastnn.ops.arrays import (
    append, arange, arccos, arcsin, arctan, arctan2, argsort, array, bincount, convert_to_numpy,
    copy, cumprod, cumsum, diag, diff, dtype, empty, erfinv, eye, full, identity, in_top_k,
    is_tensor, linspace, median, multi_hot, ones, quantile, saturate_cast, searchsorted, select,
    sort, sparsemax, standardize_dtype, top_k, trace, tril, triu, zeros,
)  # fmt: skip
from fastnn.ops.elementwise import (
    abs, absolute, add, cast, ceil, clip, cos, cosh, divide, divide_no_nan, equal, erf, exp,
    expm1, floor, floor_divide, greater, greater_equal, isclose, isfinite, isinf, isnan, less,
    less_equal, log, log1p, log2, log10, logaddexp, logical_and, logical_not, logical_or,
    logical_xor, maximum, minimum, mod, multiply, nan_to_num, negative, not_equal, power,
    reciprocal, round, rsqrt, sigmoid, sign, sin, sinh, softplus, sqrt, square, subtract, tan,
    tanh, true_divide, trunc, where,
)  # fmt: skip
from fastnn.ops.linalg import dot, einsum, matmul, outer, tensordot, vdot
from fastnn.ops.nn import (
    batch_normalization, binary_crossentropy, categorical_crossentropy, celu, elu, gelu, glu,
    hard_shrink, hard_sigmoid, hard_silu, hard_swish, hard_tanh, layer_normalization,
    leaky_relu, log_sigmoid, log_softmax, mish, normalize, one_hot, relu, relu6, selu, silu,
    soft_shrink, softmax, softsign, sparse_categorical_crossentropy, squareplus, swish,
    tanh_shrink, threshold,
)  # fmt: skip
from fastnn.ops.operation import OPS, Op, public
from fastnn.ops.reductions import (
    all, amax, amin, any, argmax, argmin, average, count_nonzero, logsumexp, max, mean, min,
    moments, norm, prod, std, sum, var,
)  # fmt: skip
from fastnn.ops.indexing import get_item, slice, take, take_along_axis
from fastnn.ops.joining import (
    concatenate, flip, hstack, pad, repeat, roll, split, stack, tile, unstack, vstack,
)  # fmt: skip
from fastnn.ops.shapes import (
    broadcast_to, convert_to_tensor, expand_dims, full_like, moveaxis, ndim, ones_like, ravel,
    reshape, shape, size, squeeze, stop_gradient, swapaxes, transpose, zeros_like,
)  # fmt: skip
from fastnn.ops.tensor import NotTraceable, Tensor, set_operator

__all__ = [
    "OPS", "NotTraceable", "Op", "Tensor", "abs", "absolute", "add", "all", "amax", "amin",
    "any", "append", "arange", "arccos", "arcsin", "arctan", "arctan2", "argmax", "argmin",
    "argsort", "array", "average", "batch_normalization", "binary_crossentropy", "bincount",
    "broadcast_to", "cast", "categorical_crossentropy", "ceil", "celu", "clip", "concatenate",
    "convert_to_numpy", "convert_to_tensor", "copy", "cos", "cosh", "count_nonzero", "cumprod",
    "cumsum", "diag", "diff", "divide", "divide_no_nan", "dot", "dtype", "einsum", "elu",
    "empty", "equal", "erf", "erfinv", "exp", "expand_dims", "expm1", "eye", "flip", "floor",
    "floor_divide", "full", "full_like", "gelu", "get_item", "glu", "greater", "greater_equal",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hstack", "identity",
    "in_top_k", "is_tensor", "isclose", "isfinite", "isinf", "isnan", "layer_normalization",
    "leaky_relu", "less", "less_equal", "linspace", "log", "log1p", "log2", "log10",
    "log_sigmoid", "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logsumexp", "matmul", "max", "maximum", "mean", "median", "min", "minimum",
    "mish", "mod", "moments", "moveaxis", "multi_hot", "multiply", "nan_to_num", "ndim",
    "negative", "norm", "normalize", "not_equal", "one_hot", "ones", "ones_like", "outer",
    "pad", "power", "prod", "quantile", "ravel", "reciprocal", "relu", "relu6", "repeat",
    "reshape", "roll", "round", "rsqrt", "saturate_cast", "searchsorted", "select", "selu",
    "set_operator", "shape", "sigmoid", "sign", "silu", "sin", "sinh", "size", "slice",
    "soft_shrink", "softmax", "softplus", "softsign", "sort", "sparse_categorical_crossentropy",
    "sparsemax", "split", "sqrt", "square", "squareplus", "squeeze", "stack",
    "standardize_dtype", "std", "stop_gradient", "subtract", "sum", "swapaxes", "swish", "take",
    "take_along_axis", "tan", "tanh", "tanh_shrink", "tensordot", "threshold", "tile", "top_k",
    "trace", "transpose", "tril", "triu", "true_divide", "trunc", "unstack", "var", "vdot",
    "vstack", "where", "zeros", "zeros_like",
]  # fmt: skip

for _name in __all__:
    _function = globals()[_name]
    if isinstance(_function, type(explain_missing)):
        globals()[_name] = public(_name, _function)

for _name, _function in {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": mod, "pow": power, "matmul": matmul, "and": logical_and, "or": logical_or,
    "xor": logical_xor, "divmod": lambda a, b: (floor_divide(a, b), mod(a, b)),
}.items():  # fmt: skip
    set_operator(f"__{_name}__", lambda a, b, f=_function: f(a, b))
    set_operator(f"__r{_name}__", lambda a, b, f=_function: f(b, a))
for _name, _function in {
    "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal, "eq": equal,
    "ne": not_equal,
}.items():  # fmt: skip
    set_operator(f"__{_name}__", lambda a, b, f=_function: f(a, b))
set_operator("__neg__", negative)
set_operator("__pos__", lambda x: x)
set_operator("__abs__", absolute)
set_operator("__invert__", logical_not)
set_operator("__getitem__", get_item)
set_operator("__round__", lambda x, decimals=None: round(x, decimals or 0))

from fastnn.ops import numpy_names  # noqa: E402, F401 (it needs the names above)

explain_missing(__name__)
