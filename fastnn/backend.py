"""``keras.backend``: settings, types, and the functions of old Keras, as in ``backend as K``.

The functions are those of `fastnn.ops` under their old names and with their old arguments; like
them they work on arrays and on tensors. Where Keras 3 has a name in ``keras.ops``, take that one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastnn import config, ops, random
from fastnn.config import (
    backend,
    clear_session,
    epsilon,
    floatx,
    get_uid,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from fastnn.missing import explain_missing
from fastnn.ops import (
    abs,
    all,
    any,
    binary_crossentropy,
    cast,
    categorical_crossentropy,
    cos,
    dot,
    dtype,
    elu,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    logsumexp,
    max,
    maximum,
    mean,
    min,
    minimum,
    not_equal,
    prod,
    reshape,
    round,
    shape,
    sigmoid,
    sign,
    sin,
    softmax,
    softplus,
    softsign,
    sqrt,
    square,
    squeeze,
    stack,
    standardize_dtype,
    std,
    stop_gradient,
    sum,
    tanh,
    tile,
    transpose,
    var,
)
from fastnn.ops.operation import as_ndarray
from fastnn.ops.tensor import Tensor
from fastnn.variable import Variable

__all__ = [
    "abs", "all", "any", "arange", "argmax", "argmin", "backend", "batch_dot", "batch_flatten",
    "batch_normalization", "binary_crossentropy", "cast", "cast_to_floatx",
    "categorical_crossentropy", "clear_session", "clip", "concatenate", "constant", "cos",
    "count_params", "cumprod", "cumsum", "dot", "dropout", "dtype", "elu", "epsilon", "equal",
    "eval", "exp", "expand_dims", "eye", "flatten", "floatx", "gather", "get_uid", "get_value",
    "greater", "greater_equal", "hard_sigmoid", "image_data_format", "in_top_k", "int_shape",
    "is_float_dtype", "is_int_dtype", "is_keras_tensor", "l2_normalize", "less", "less_equal",
    "log", "logsumexp", "max", "maximum", "mean", "min", "minimum", "ndim", "not_equal",
    "one_hot", "ones", "ones_like", "permute_dimensions", "pow", "print_tensor", "prod",
    "random_bernoulli", "random_normal", "random_uniform", "relu", "repeat", "repeat_elements",
    "reshape", "result_type", "reverse", "round", "set_epsilon", "set_floatx",
    "set_image_data_format", "set_value", "shape", "sigmoid", "sign", "sin", "softmax",
    "softplus", "softsign", "sparse_categorical_crossentropy", "sqrt", "square", "squeeze",
    "stack", "standardize_dtype", "std", "stop_gradient", "sum", "switch", "tanh", "tile",
    "transpose", "truncated_normal", "update", "update_add", "update_sub", "var", "variable",
    "zeros", "zeros_like",
]  # fmt: skip

# --- types -----------------------------------------------------------------------------------


def is_float_dtype(dtype: Any) -> bool:
    """Return whether a number type is one of floats."""
    return standardize_dtype(dtype).startswith("float")


def is_int_dtype(dtype: Any) -> bool:
    """Return whether a number type is one of whole numbers."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def result_type(*dtypes: Any) -> str:
    """Return the name of the type that a computation with these types has.

    Floats outweigh whole numbers of any width, and Python's own numbers, ``int`` and ``float``,
    only those of a lower kind.
    """
    python = {d for d in dtypes if d in (int, float, "int", "float")}
    names = [standardize_dtype(d) for d in dtypes if d not in python]
    floats = [name for name in names if name.startswith("float")]
    if floats:
        return np.result_type(*floats).name
    if not dtypes or python & {float, "float"}:
        return config.floatx()
    integers = [name for name in names if name != "bool"]
    if integers:
        found = np.result_type(*integers)
        return config.floatx() if found.kind == "f" else found.name
    return "int32" if python else "bool"


def cast_to_floatx(x: Any) -> Any:
    """Return x in `config.floatx`."""
    return ops.cast(x, config.floatx())


# --- values and variables --------------------------------------------------------------------


def variable(
    value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """Return a variable of this value."""
    array = ops.convert_to_tensor(value, standardize_dtype(dtype))
    return Variable(array, dtype=array.dtype.name, name=name, constraint=constraint)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """Return an array of `config.floatx`, or of another type, in a shape if there is one."""
    array = ops.convert_to_tensor(value, standardize_dtype(dtype))
    if shape is None:
        return array
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return np.full(lengths, array) if np.size(array) == 1 else np.reshape(array, lengths)


def eval(x: Any) -> np.ndarray:
    """Return the numbers of an array or a variable."""
    return ops.convert_to_numpy(x)


def get_value(x: Any) -> np.ndarray:
    """Return the numbers of an array or a variable."""
    return ops.convert_to_numpy(x)


def set_value(x: Variable, value: Any) -> None:
    """Set the value of a variable."""
    x.assign(value)


def update(x: Variable, new_x: Any) -> Variable:
    """Set the value of a variable and return it."""
    x.assign(new_x)
    return x


def update_add(x: Variable, increment: Any) -> Variable:
    """Add to the value of a variable and return it."""
    x.assign_add(increment)
    return x


def update_sub(x: Variable, decrement: Any) -> Variable:
    """Subtract from the value of a variable and return it."""
    x.assign_sub(decrement)
    return x


def print_tensor(x: Any, message: str = "") -> Any:
    """Print x and return it; a tensor has no numbers yet, so its shape is printed."""
    text = f"{x!r}: call the function on arrays to see numbers" if isinstance(x, Tensor) else x
    print(message, text)
    return x


def is_keras_tensor(x: Any) -> bool:
    """Return whether x is symbolic: made by an `Input`, or in a trace."""
    return isinstance(x, Tensor) or type(x).__name__ == "SymbolicTensor"


# --- shapes ----------------------------------------------------------------------------------


def int_shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape; the number of rows of a batch that is not known is None."""
    return tuple(x.shape) if hasattr(x, "shape") else as_ndarray(x).shape


def ndim(x: Any) -> int:
    """Return the number of axes."""
    return len(int_shape(x))


def count_params(x: Any) -> int:
    """Return the number of elements of an array or a variable."""
    return math.prod(n for n in int_shape(x) if n is not None)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """Return x with an axis of length 1 more, by default the last."""
    return ops.expand_dims(x, axis)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Return arrays or tensors one behind the other along an axis, by default the last."""
    return ops.concatenate(tensors, axis)


def flatten(x: Any) -> Any:
    """Return all elements in one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """Return the elements of each sample in one axis."""
    return ops.reshape(x, (-1, math.prod(int(n or 0) for n in int_shape(x)[1:])))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """Return x with its axes in another order; of a tensor the first stays first."""
    return ops.transpose(x, pattern)


def repeat(x: Any, n: int) -> Any:
    """Return each row of x so many times along a new axis: (rows, n, features)."""
    if ndim(x) != 2:
        raise ValueError(f"repeat: expected two axes, got shape {int_shape(x)}")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Return x with every element along an axis so many times."""
    return ops.repeat(x, rep, axis)


def reverse(x: Any, axes: Any) -> Any:
    """Return x backwards along axes."""
    return ops.flip(x, tuple(axes) if isinstance(axes, list) else axes)


def gather(reference: Any, indices: Any) -> Any:
    """Return the rows of a table that indices name."""
    return ops.take(reference, indices, axis=0)


# --- making ----------------------------------------------------------------------------------


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> np.ndarray:
    """Return start, start + step ... below stop; from 0 if there is one argument."""
    return ops.arange(start, stop, step, dtype)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> np.ndarray:
    """Return an array of zeros."""
    return ops.zeros(shape, dtype)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> np.ndarray:
    """Return an array of ones."""
    return ops.ones(shape, dtype)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return zeros of x's shape."""
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Return ones of x's shape."""
    return ops.ones_like(x, dtype)


def eye(size: int, dtype: Any = None, name: str | None = None) -> np.ndarray:
    """Return the identity matrix of so many rows."""
    return ops.eye(size, dtype=dtype)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Return 1 at the place that a label names, 0 elsewhere, along a new last axis."""
    return ops.one_hot(indices, num_classes)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> np.ndarray:
    """Return normally distributed numbers; see `fastnn.random`."""
    return random.normal(shape, mean, stddev, dtype, seed)


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> np.ndarray:
    """Return normally distributed numbers within two standard deviations."""
    return random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> np.ndarray:
    """Return numbers evenly distributed from minval to below maxval; see `fastnn.random`."""
    return random.uniform(shape, minval, maxval, dtype, seed)


def random_bernoulli(shape: Any, p: float = 0.0, dtype: Any = None, seed: Any = None) -> np.ndarray:
    """Return ones with probability p, else zeros."""
    return random.binomial(shape, 1, p, dtype, seed)


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> np.ndarray:
    """Return x of which a share `level` is 0, and the others divided by 1 - level."""
    return random.dropout(x, level, noise_shape, seed)


# --- computing -------------------------------------------------------------------------------


def pow(x: Any, a: Any) -> Any:
    """Return x ** a."""
    return ops.power(x, a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """Return x moved into min_value .. max_value, one of which may be None."""
    low = -math.inf if min_value is None else min_value
    return ops.clip(x, low, math.inf if max_value is None else max_value)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Return the first expression where the condition holds, else the second.

    Parameters
    ----------
    condition : array or tensor
        A condition of fewer axes holds for all that the others name.
    then_expression, else_expression : array, tensor or callable
        Both are computed.
    """
    yes, no = (e() if callable(e) else e for e in (then_expression, else_expression))
    if ndim(condition):
        for _ in range(np.maximum(ndim(yes), ndim(no)) - ndim(condition)):
            condition = ops.expand_dims(condition, -1)
    return ops.where(condition, yes, no)


def argmax(x: Any, axis: int = -1) -> Any:
    """Return the place of the largest along an axis, by default the last."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """Return the place of the smallest along an axis, by default the last."""
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Return the sums of all elements up to each along an axis."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Return the products of all elements up to each along an axis."""
    return ops.cumprod(x, axis)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Return the product of each sample of x and y over one axis of either.

    Parameters
    ----------
    x, y : of two or three axes, the first of which counts samples
    axes : int or pair of int, optional
        Default: the last axis of x, and the last but one of y or its only one.
    """
    ranks = ndim(x), ndim(y)
    if not {*ranks} <= {2, 3}:
        raise ValueError(
            f"batch_dot: expected two or three axes, got shapes {int_shape(x)} and {int_shape(y)}"
        )
    if axes is None:
        axes = (ranks[0] - 1, 1)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    if first % ranks[0] == 0 or second % ranks[1] == 0:
        raise ValueError(f"batch_dot: axis 0 counts samples, got axes={axes}")
    if ranks[0] == 2:
        x = ops.expand_dims(x, 1)
    elif first % 3 == 1:
        x = ops.swapaxes(x, 1, 2)
    if ranks[1] == 2:
        y = ops.expand_dims(y, 2)
    elif second % 3 == 2:
        y = ops.swapaxes(y, 1, 2)
    product = ops.matmul(x, y)
    if ranks[0] == 2:
        return ops.squeeze(product, 1)
    return ops.squeeze(product, -1) if ranks[1] == 2 else product


def batch_normalization(
    x: Any, mean: Any, var: Any, beta: Any, gamma: Any, axis: int = -1, epsilon: float = 1e-3
) -> Any:
    """Return (x - mean) / sqrt(var + epsilon) * gamma + beta, each along an axis."""
    return ops.batch_normalization(x, mean, var, axis, beta, gamma, epsilon)


def l2_normalize(x: Any, axis: Any = None) -> Any:
    """Return x divided by its Euclidean norm along axes."""
    total = ops.sum(ops.square(x), axis, keepdims=True)
    return ops.multiply(x, ops.rsqrt(ops.maximum(total, 1e-12)))


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """Return x above the threshold, at most max_value; below it alpha (x - threshold)."""
    above = ops.relu(x) if threshold == 0 else ops.threshold(x, threshold, 0.0)
    if max_value is not None:
        above = ops.minimum(above, max_value)
    if alpha == 0:
        return above
    below = ops.minimum(ops.subtract(x, threshold), 0.0)
    return ops.add(above, ops.multiply(alpha, below))


def hard_sigmoid(x: Any) -> Any:
    """Return x / 5 + 1/2 moved into 0 .. 1, as before Keras 3, which has x / 6 + 1/2."""
    return ops.clip(ops.add(ops.multiply(x, 0.2), 0.5), 0.0, 1.0)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1, ignore_class: Any = None
) -> Any:
    """Return -log of the probability of the right class; 0 for targets of the ignored class."""
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(target, output, from_logits, axis)
    if ndim(target) == ndim(output):
        target = ops.squeeze(target, -1)
    ignored = ops.equal(target, ignore_class)
    known = ops.where(ignored, 0, target)
    value = ops.sparse_categorical_crossentropy(known, output, from_logits, axis)
    return ops.where(ignored, 0.0, value)


def in_top_k(predictions: Any, targets: Any, k: int) -> Any:
    """Return whether fewer than k predictions of a row are above that of its target class."""
    return ops.in_top_k(targets, predictions, k)


explain_missing(__name__)
