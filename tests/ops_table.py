"""Every operation and every function of fastnn.ops: how to call it, and what NumPy says it is.

Operands x and y stay away from kinks: their elements are a shuffled lattice, so that no two are
equal or as near to each other, to zero or to a multiple of 0.5 as a difference quotient's step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import ops
from fastnn.ops import elementwise, nn, shapes

WIDTHS = (1, 2, 9, 15, 16, 17, 64, 513)
"""Features: below, at and above the lanes of every instruction set, and more than a tile."""


@dataclass
class Row:
    """One row of the table.

    name
        Of the operation, or of the public function.
    call
        Of tensors (x, y), or of arrays.
    numpy
        The same, said in another way in NumPy; None: there is no other way to say it.
    x, y
        The least and the largest element, or "whole": whole numbers below f. y None: no operand.
    samples
        The shape of a sample of x and of y, by the number of features.
    flat
        The derivative is zero everywhere.
    differences
        False: it has no derivative, or is to have another than its own.
    widths
        Features that it can have.
    arrays
        It also works on arrays.
    """

    name: str
    call: Callable[..., Any]
    numpy: Callable[..., Any] | None = None
    x: Any = (-2.0, 2.0)
    y: Any = None
    samples: Callable[[int], tuple[Any, Any]] = lambda f: ((f,), (f,))
    flat: bool = False
    differences: bool = True
    widths: tuple[int, ...] = WIDTHS
    arrays: bool = True

    def operands(self, f: int, n: int, dtype: str = "float64") -> list[np.ndarray]:
        """Return x, or x and y, of n rows."""
        rng = np.random.default_rng(f * 1000 + n)
        first, second = self.samples(f)
        found = [_numbers(rng, self.x, (n, *first), f)]
        if self.y is not None:
            found.append(_numbers(rng, self.y, (n, *second), f))
        return [x.astype(dtype) for x in found]

    @property
    def fixed(self) -> list[int]:
        """The numbers of the operands that hold whole numbers."""
        return [k for k, kind in enumerate((self.x, self.y)) if kind == "whole"]

    def shapes(self, f: int) -> list[tuple[int, ...]]:
        """Return the shapes of the operands' samples."""
        return list(self.samples(f)[: 1 if self.y is None else 2])


def _numbers(rng, kind, shape, f):
    if kind == "whole":
        return rng.integers(0, f, shape).astype(float)
    low, high = kind
    size = math.prod(shape)
    lattice = (np.arange(size) + rng.uniform(0.2, 0.3)) / size
    x = low + (high - low) * rng.permutation(lattice).reshape(shape)
    near = np.abs(2 * x - np.round(2 * x)) < 2e-4
    return np.where(near, x + 3e-4, x)


def _erf(x):
    """The series 2/sqrt(pi) exp(-x^2) sum 2^k x^(2k+1) / (1 3 5 ... (2k+1))."""
    term = total = np.array(x, dtype=float)
    for k in range(1, 60):
        term = term * 2 * x * x / (2 * k + 1)
        total = total + term
    return 2 / math.sqrt(math.pi) * np.exp(-x * x) * total


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softmax(x, axis=-1):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


def _hot(labels, classes):
    return np.eye(classes)[labels.astype(int)]


def _one_hot_of(x):
    """Return rows that sum up to 1, for targets."""
    e = ops.exp(x)
    return ops.divide(e, ops.sum(e, axis=-1, keepdims=True))


POSITIVE = (0.1, 3.0)
UNIT = (0.05, 0.95)
BOTH = (-2.0, 2.0)
TRUTHS = (-1.0, 1.0)  # a comparison with 0 makes truth values of them


def _truth(x):
    return ops.greater(x, 0)


def _cube(f):
    return (3, f), (3, f)


def _matrices(f):
    return (3, f), (f, 4)


def _column(f):
    return (f,), (1,)


def _even(f):
    return (2 * f,), (2 * f,)


HALF_ROOT = 0.5 * math.sqrt(2)
MATRIX = np.sin(np.arange(1, 4 * 513 + 1).reshape(513, 4))
COLUMN = np.cos(np.arange(513))

ROWS: list[Row] = [
    # --- arithmetic
    Row("add", ops.add, lambda x, y: x + y, y=BOTH),
    Row("subtract", ops.subtract, lambda x, y: x - y, y=BOTH),
    Row("multiply", ops.multiply, lambda x, y: x * y, y=BOTH),
    Row("divide", ops.divide, lambda x, y: x / y, y=POSITIVE),
    Row("true_divide", ops.true_divide, lambda x, y: x / y, y=POSITIVE),
    Row("floor_divide", ops.floor_divide, lambda x, y: np.floor(x / y), x=(-9, 9), y=POSITIVE,
        flat=True),
    Row("mod", lambda x, y: ops.mod(x, y + 7.0), lambda x, y: x - (y + 7) * np.floor(x / (y + 7)),
        x=(0.5, 6.5), y=UNIT),
    Row("power", ops.power, lambda x, y: np.exp(y * np.log(x)), x=POSITIVE, y=BOTH),
    Row("negative", ops.negative, lambda x: 0 - x),
    Row("chain", elementwise.chain, lambda x, y: x * y, y=BOTH, flat=True,
        differences=False),
    Row("chain_divide", elementwise.chain_divide, lambda x, y: x / y, y=POSITIVE, flat=True,
        differences=False),
    Row("maximum", ops.maximum, lambda x, y: np.where(x > y, x, y), y=BOTH),
    Row("minimum", ops.minimum, lambda x, y: np.where(x < y, x, y), y=BOTH),
    Row("absolute", ops.absolute, lambda x: np.sqrt(x * x)),
    Row("abs", ops.abs, lambda x: np.sqrt(x * x)),
    Row("sign", ops.sign, lambda x: x / np.abs(x), flat=True),
    Row("square", ops.square, lambda x: x * x),
    Row("sqrt", ops.sqrt, lambda x: x**0.5, x=POSITIVE),
    Row("rsqrt", ops.rsqrt, lambda x: x**-0.5, x=POSITIVE),
    Row("reciprocal", ops.reciprocal, lambda x: 1 / x, x=POSITIVE),
    Row("divide_no_nan", lambda x, y: ops.divide_no_nan(x, ops.maximum(y, 0.0)),
        lambda x, y: np.where(y > 0, x / np.where(y > 0, y, 1), 0), y=(-1.0, 9.0),
        samples=lambda f: ((f,), (f,))),
    Row("isclose", lambda x, y: ops.isclose(x, y, rtol=0.1, atol=0.5),
        lambda x, y: np.abs(x - y) <= 0.5 + 0.1 * np.abs(y), y=BOTH, flat=True),
    Row("nan_to_num", ops.nan_to_num, lambda x: x),
    # --- exponential, logarithm and their relatives
    Row("exp", ops.exp, lambda x: math.e**x),
    Row("expm1", ops.expm1, lambda x: np.exp(x) - 1),
    Row("log", ops.log, lambda x: np.log2(x) * math.log(2), x=POSITIVE),
    Row("log1p", ops.log1p, lambda x: np.log(1 + x), x=(-0.9, 3.0)),
    Row("log2", ops.log2, np.log2, x=POSITIVE),
    Row("log10", ops.log10, np.log10, x=POSITIVE),
    Row("logaddexp", ops.logaddexp, lambda x, y: np.log(np.exp(x) + np.exp(y)), y=BOTH),
    Row("sin", ops.sin, lambda x: np.imag(np.exp(1j * x)), x=(-9, 9)),
    Row("cos", ops.cos, lambda x: np.real(np.exp(1j * x)), x=(-9, 9)),
    Row("tan", ops.tan, np.tan, x=(-1.4, 1.4)),
    Row("tanh", ops.tanh, lambda x: 1 - 2 / (np.exp(2 * x) + 1)),
    Row("sinh", ops.sinh, np.sinh),
    Row("cosh", ops.cosh, np.cosh),
    Row("erf", ops.erf, _erf),
    Row("sigmoid", ops.sigmoid, _sigmoid, x=(-9, 9)),
    Row("softplus", ops.softplus, lambda x: np.log(1 + np.exp(x)), x=(-9, 9)),
    # --- rounding, comparison and logic
    Row("floor", ops.floor, lambda x: x - x % 1, flat=True),
    Row("ceil", ops.ceil, lambda x: x + -x % 1, flat=True),
    Row("round", ops.round, lambda x: np.floor(x + 0.5), flat=True),
    Row("trunc", ops.trunc, lambda x: np.sign(x) * np.floor(np.abs(x)), flat=True),
    Row("equal", lambda x, y: ops.equal(_truth(x), _truth(y)), lambda x, y: x * y > 0, y=BOTH,
        flat=True),
    Row("not_equal", lambda x, y: ops.not_equal(_truth(x), _truth(y)), lambda x, y: x * y < 0,
        y=BOTH, flat=True),
    Row("less", ops.less, lambda x, y: y - x > 0, y=BOTH, flat=True),
    Row("less_equal", ops.less_equal, lambda x, y: y - x >= 0, y=BOTH, flat=True),
    Row("greater", ops.greater, lambda x, y: y - x < 0, y=BOTH, flat=True),
    Row("greater_equal", ops.greater_equal, lambda x, y: y - x <= 0, y=BOTH, flat=True),
    Row("logical_and", lambda x, y: ops.logical_and(_truth(x), _truth(y)),
        lambda x, y: (x > 0) & (y > 0), y=BOTH, flat=True),
    Row("logical_or", lambda x, y: ops.logical_or(_truth(x), _truth(y)),
        lambda x, y: (x > 0) | (y > 0), y=BOTH, flat=True),
    Row("logical_xor", lambda x, y: ops.logical_xor(_truth(x), _truth(y)),
        lambda x, y: (x > 0) ^ (y > 0), y=BOTH, flat=True),
    Row("logical_not", lambda x: ops.logical_not(_truth(x)), lambda x: x <= 0, flat=True),
    Row("isnan", lambda x: ops.isnan(ops.where(_truth(x), x, math.nan)), lambda x: x < 0,
        flat=True),
    Row("isfinite", lambda x: ops.isfinite(ops.where(_truth(x), x, math.inf)), lambda x: x > 0,
        flat=True),
    Row("isinf", lambda x: ops.isinf(ops.where(_truth(x), x, -math.inf)), lambda x: x < 0,
        flat=True),
    Row("where", lambda x, y: ops.where(_truth(x), x, y), lambda x, y: x * (x > 0) + y * (x < 0),
        y=BOTH),
    Row("clip", lambda x, y: ops.clip(x, -1.0, y), lambda x, y: np.minimum(np.maximum(x, -1), y),
        y=POSITIVE),
    Row("select", lambda x, y: ops.select([ops.greater(x, 1.0), ops.greater(y, x)], [y, x], 0.5),
        lambda x, y: np.where(x > 1, y, np.where(y > x, x, 0.5)), y=BOTH),
    Row("cast", lambda x: ops.cast(x, "int32"), lambda x: np.trunc(x), flat=True),
    Row("saturate_cast", lambda x: ops.saturate_cast(x, "uint8"),
        lambda x: np.trunc(np.maximum(x, 0)), flat=True),
    # --- reductions
    Row("sum", lambda x: ops.sum(x, axis=-1), lambda x: x @ np.ones(x.shape[-1])),
    Row("sum over the batch", lambda x: ops.sum(x, axis=0), lambda x: np.ones(len(x)) @ x),
    Row("sum of all", lambda x: ops.sum(x), lambda x: math.fsum(x.ravel())),
    Row("sum of columns", lambda x: ops.sum(x, axis=1, keepdims=True),
        lambda x: np.stack([sum(s) for s in x])[:, None], samples=_cube),
    Row("mean", lambda x: ops.mean(x, axis=-1), lambda x: x @ np.ones(x.shape[-1]) / x.shape[-1]),
    Row("mean of all", lambda x: ops.mean(x), lambda x: math.fsum(x.ravel()) / x.size),
    Row("prod", lambda x: ops.prod(x, axis=-1), lambda x: np.exp(np.log(x).sum(-1)), x=(0.9, 1.1)),
    Row("prod over the batch", lambda x: ops.prod(x, axis=0),
        lambda x: np.exp(np.log(x).sum(0)), x=(0.9, 1.1)),
    Row("prod of all", lambda x: ops.prod(x), lambda x: np.exp(np.log(x).sum()), x=(0.9, 1.1)),
    Row("max", lambda x: ops.max(x, axis=-1), lambda x: np.sort(x)[..., -1]),
    Row("max over the batch", lambda x: ops.max(x, axis=0), lambda x: np.sort(x, axis=0)[-1]),
    Row("min", lambda x: ops.min(x, axis=-1), lambda x: np.sort(x)[..., 0]),
    Row("min of all", lambda x: ops.min(x), lambda x: np.sort(x, axis=None)[0]),
    Row("amax", lambda x: ops.amax(x, axis=(1, 2)), lambda x: np.sort(x.reshape(len(x), -1))[:, -1],
        samples=_cube),
    Row("amin", lambda x: ops.amin(x, axis=-1, keepdims=True), lambda x: np.sort(x)[..., :1]),
    Row("all", lambda x: ops.all(ops.greater(x, -1.0), axis=-1), lambda x: x.min(-1) > -1,
        flat=True),
    Row("any", lambda x: ops.any(ops.greater(x, 1.0), axis=-1), lambda x: x.max(-1) > 1, flat=True),
    Row("count_nonzero", lambda x: ops.count_nonzero(ops.maximum(x, 0.0), axis=-1),
        lambda x: (x > 0).sum(-1), flat=True),
    Row("argmax", lambda x: ops.argmax(x, axis=-1), lambda x: np.argsort(x)[..., -1], flat=True),
    Row("argmax of columns", lambda x: ops.argmax(x, axis=1),
        lambda x: np.argsort(x, axis=1)[:, -1], samples=_cube, flat=True),
    Row("argmin", lambda x: ops.argmin(x, axis=-1), lambda x: np.argsort(x)[..., 0], flat=True),
    Row("var", lambda x: ops.var(x, axis=-1), lambda x: (x * x).mean(-1) - x.mean(-1) ** 2),
    Row("var over the batch", lambda x: ops.var(x, axis=0),
        lambda x: (x * x).mean(0) - x.mean(0) ** 2),
    Row("std", lambda x: ops.std(x, axis=-1),
        lambda x: np.sqrt((x * x).mean(-1) - x.mean(-1) ** 2), widths=WIDTHS[1:]),
    Row("moments", lambda x: ops.moments(x, -1)[0] * ops.moments(x, -1)[1],
        lambda x: x.mean(-1) * x.var(-1)),
    Row("average", lambda x, y: ops.average(x, -1, weights=y),
        lambda x, y: (x * y).sum(-1) / y.sum(-1), y=POSITIVE),
    Row("norm", lambda x: ops.norm(x, axis=-1), lambda x: np.sqrt((x * x).sum(-1))),
    Row("logsumexp", lambda x: ops.logsumexp(x, axis=-1), lambda x: np.log(np.exp(x).sum(-1))),
    Row("logsumexp of all", lambda x: ops.logsumexp(x), lambda x: np.log(np.exp(x).sum())),
    # --- shapes
    Row("reshape", lambda x: ops.reshape(x, (-1, x.shape[-1], 3)),
        lambda x: np.array([s.ravel() for s in x]).reshape(len(x), -1, 3), samples=_cube),
    Row("reshape to one axis", lambda x: ops.square(ops.reshape(x, (-1,))),
        lambda x: x.ravel() ** 2),
    Row("ravel", ops.ravel, lambda x: x.reshape(-1), samples=_cube),
    Row("expand_dims", lambda x: ops.expand_dims(x, 1), lambda x: x[:, None]),
    Row("squeeze", lambda x: ops.squeeze(x, 1), lambda x: x[:, 0],
        samples=lambda f: ((1, f), None)),
    Row("broadcast_like", lambda x, y: shapes._broadcast_like(x, y), lambda x, y: x + 0 * y, y=BOTH,
        samples=lambda f: ((1, f), (3, f)), arrays=False),
    Row("broadcast_to", lambda x: ops.broadcast_to(x, (x.shape[0], 3, x.shape[-1])),
        lambda x: np.concatenate([x] * 3, 1), samples=lambda f: ((1, f), None)),
    Row("transpose", lambda x: ops.transpose(x, (0, 2, 1)), lambda x: np.array([s.T for s in x]),
        samples=_cube),
    Row("transpose of four axes", lambda x: ops.transpose(x, (0, 3, 1, 2)),
        lambda x: np.moveaxis(x, 3, 1), samples=lambda f: ((2, 3, f), None)),
    Row("swapaxes", lambda x: ops.swapaxes(x, 1, 2), lambda x: np.array([s.T for s in x]),
        samples=_cube),
    Row("moveaxis", lambda x: ops.moveaxis(x, -1, 1), lambda x: np.array([s.T for s in x]),
        samples=_cube),
    Row("slice", lambda x: ops.slice(x, (0, 1, 0), (x.shape[0], 2, x.shape[2])),
        lambda x: x[:, 1:3], samples=_cube),
    Row("slice backwards by two", lambda x: x[:, ::-2], lambda x: x[:, ::-1][:, ::2]),
    Row("place", lambda x: shapes._place(x, axis=1, start=2, step=2, length=2 * x.shape[1] + 3),
        lambda x: np.stack([np.insert(np.r_[np.ravel(np.stack([r, 0 * r], 1)), 0], 0, [0, 0])
                            for r in x]), arrays=False),
    Row("get_item", lambda x: ops.get_item(x, (slice(None), 1, None, ..., slice(-1, None))),
        lambda x: x[:, 1, -1:][:, None], samples=_cube),
    Row("concatenate", lambda x, y: ops.concatenate([x, y, x], axis=-1),
        lambda x, y: np.hstack([x, y, x]), y=BOTH),
    Row("concatenate columns", lambda x, y: ops.concatenate([x, y], axis=1),
        lambda x, y: np.array([np.r_[a, b] for a, b in zip(x, y, strict=True)]), y=BOTH,
        samples=_cube),
    Row("hstack", lambda x, y: ops.hstack([x, y]), lambda x, y: np.c_[x, y], y=BOTH),
    Row("stack", lambda x, y: ops.stack([x, y], axis=-1), lambda x, y: np.dstack([x, y]), y=BOTH),
    Row("split", lambda x: ops.split(x, 2, axis=-1)[1] * ops.split(x, [1], axis=-1)[0],
        lambda x: x[:, x.shape[1] // 2 :] * x[:, :1], samples=_even),
    Row("unstack", lambda x: ops.unstack(x, axis=1)[2], lambda x: x[:, 2], samples=_cube),
    Row("flip", lambda x: ops.flip(x, axis=1), lambda x: x[:, ::-1]),
    Row("roll", lambda x: ops.roll(x, 2, axis=-1), lambda x: np.take(
        x, (np.arange(x.shape[1]) - 2) % x.shape[1], axis=1)),
    Row("repeat", lambda x: ops.repeat(x, 3, axis=1), lambda x: np.kron(x, np.ones((1, 3)))),
    Row("tile", lambda x: ops.tile(x, (1, 3)), lambda x: np.c_[x, x, x]),
    Row("pad", lambda x: ops.pad(x, ((0, 0), (2, 1)), constant_values=0.5),
        lambda x: np.c_[np.full((len(x), 2), 0.5), x, np.full(len(x), 0.5)]),
    Row("append", lambda x, y: ops.append(x, y, axis=1), lambda x, y: np.c_[x, y], y=BOTH),
    Row("cumsum", lambda x: ops.cumsum(x, axis=-1),
        lambda x: x @ np.triu(np.ones((x.shape[1], x.shape[1])))),
    Row("cumprod", lambda x: ops.cumprod(x, axis=-1),
        lambda x: np.exp(np.log(x) @ np.triu(np.ones((x.shape[1], x.shape[1])))), x=(0.9, 1.1)),
    Row("diff", lambda x: ops.diff(x, axis=-1), lambda x: x[:, 1:] - x[:, :-1],
        widths=WIDTHS[1:]),
    Row("tril", lambda x: ops.tril(x, 1), lambda x: np.array([np.tril(s, 1) for s in x]),
        samples=_cube),
    Row("triu", lambda x: ops.triu(x, 1), lambda x: np.array([np.triu(s, 1) for s in x]),
        samples=_cube, widths=WIDTHS[1:]),
    Row("trace", lambda x: ops.trace(x, axis1=1, axis2=2),
        lambda x: np.einsum("nii->n", x[:, : x.shape[2], :3]), samples=_cube),
    Row("take", lambda x: ops.take(x, [2, 0, 2], axis=1), lambda x: x[:, [2, 0, 2]], samples=_cube),
    Row("take from a table", lambda x: ops.take(np.arange(1.0, 514.0) ** 2, x),
        lambda x: (x + 1) ** 2, x="whole", flat=True),
    Row("take_along_axis", lambda x, y: ops.take_along_axis(x, y, axis=-1),
        lambda x, y: np.array([r[k.astype(int)] for r, k in zip(x, y, strict=True)]), y="whole",
        samples=lambda f: ((f,), (2,))),
    Row("pick", lambda x, y: ops.take_along_axis(x, ops.expand_dims(y, -1), axis=-1)[..., 0],
        lambda x, y: np.array([[r[int(k)] for r, k in zip(s, t, strict=True)]
                               for s, t in zip(x, y, strict=True)]),
        y="whole", samples=lambda f: ((3, f), (3,))),
    Row("stop_gradient", lambda x: ops.stop_gradient(x), lambda x: x, flat=True,
        differences=False),
    Row("shape", lambda x: x / ops.shape(x)[0] * ops.shape(x)[1],
        lambda x: x / len(x) * x.shape[1]),
    Row("size", lambda x: ops.sum(x) / ops.size(x), lambda x: x.mean()),
    Row("ndim", lambda x: x * ops.ndim(x), lambda x: 2 * x),
    Row("full_like", lambda x: ops.full_like(x, 1.5), lambda x: 0 * x + 1.5, flat=True),
    Row("ones_like", lambda x: x * ops.ones_like(x), lambda x: x),
    Row("zeros_like", lambda x: ops.zeros_like(x), lambda x: 0 * x, flat=True),
    Row("array", lambda x: ops.array(x), lambda x: x),
    Row("copy", lambda x: ops.copy(x), lambda x: x),
    Row("convert_to_tensor", lambda x: ops.convert_to_tensor(x), lambda x: x),
    # --- products
    Row("matmul", ops.matmul, lambda x, y: (x[..., None] * y[:, None]).sum(2), y=BOTH,
        samples=_matrices),
    Row("matmul with a matrix", lambda x: ops.matmul(x, MATRIX[: x.shape[-1]]),
        lambda x: (x[..., None] * MATRIX[: x.shape[-1]]).sum(-2)),
    Row("matmul of three axes with a matrix", lambda x: ops.matmul(x, MATRIX[: x.shape[-1]]),
        lambda x: (x[..., None] * MATRIX[: x.shape[-1]]).sum(-2), samples=_cube),
    Row("dot", lambda x: ops.dot(x, COLUMN[: x.shape[-1]]),
        lambda x: (x * COLUMN[: x.shape[-1]]).sum(-1)),
    Row("vdot", ops.vdot, lambda x, y: (x * y).sum(), y=BOTH),
    Row("outer", lambda x: ops.outer(ops.ravel(x), [1.0, 2.0, 3.0]),
        lambda x: np.stack([x.ravel(), 2 * x.ravel(), 3 * x.ravel()], 1)),
    Row("tensordot", lambda x: ops.tensordot(x, MATRIX[: x.shape[-1]], 1),
        lambda x: (x[..., None] * MATRIX[: x.shape[-1]]).sum(-2), samples=_cube),
    Row("einsum", lambda x, y: ops.einsum("nab,nbc->nca", x, y),
        lambda x, y: np.swapaxes(x @ y, 1, 2), y=BOTH, samples=_matrices),
    # --- activations
    Row("relu", ops.relu, lambda x: x * (x > 0)),
    Row("relu6", ops.relu6, lambda x: np.clip(x, 0, 6), x=(-9, 9)),
    Row("leaky_relu", ops.leaky_relu, lambda x: np.maximum(x, 0.2 * x)),
    Row("elu", ops.elu, lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    Row("celu", lambda x: ops.celu(x, 0.5), lambda x: np.where(x > 0, x, (np.exp(2 * x) - 1) / 2)),
    Row("selu", ops.selu, lambda x: 1.0507009873554805 * np.where(
        x > 0, x, 1.6732632423543772 * (np.exp(x) - 1))),
    Row("gelu", ops.gelu, lambda x: x * _sigmoid(
        2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    Row("gelu, exact", lambda x: ops.gelu(x, approximate=False),
        lambda x: x * (1 + _erf(x * HALF_ROOT)) / 2),
    Row("silu", ops.silu, lambda x: x * _sigmoid(x)),
    Row("swish", ops.swish, lambda x: x * _sigmoid(x)),
    Row("log_sigmoid", ops.log_sigmoid, lambda x: np.log(_sigmoid(x))),
    Row("softsign", ops.softsign, lambda x: np.sign(x) * (1 - 1 / (1 + np.abs(x)))),
    Row("hard_sigmoid", ops.hard_sigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1), x=(-4, 4)),
    Row("hard_silu", ops.hard_silu, lambda x: x * np.clip(x / 6 + 0.5, 0, 1), x=(-4, 4)),
    Row("hard_swish", ops.hard_swish, lambda x: x * np.clip(x / 6 + 0.5, 0, 1), x=(-4, 4)),
    Row("hard_tanh", ops.hard_tanh, lambda x: np.clip(x, -1, 1)),
    Row("tanh_shrink", ops.tanh_shrink, lambda x: x - 1 + 2 / (np.exp(2 * x) + 1)),
    Row("soft_shrink", ops.soft_shrink, lambda x: np.where(
        np.abs(x) > 0.5, x - 0.5 * np.sign(x), 0)),
    Row("hard_shrink", ops.hard_shrink, lambda x: x * (np.abs(x) > 0.5)),
    Row("threshold", lambda x: ops.threshold(x, 0.5, -1.0), lambda x: np.where(x > 0.5, x, -1)),
    Row("squareplus", ops.squareplus, lambda x: (x + np.hypot(x, 2)) / 2),
    Row("glu", ops.glu, lambda x: x[:, : x.shape[1] // 2] * _sigmoid(x[:, x.shape[1] // 2 :]),
        samples=_even),
    Row("mish", ops.mish, lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
    Row("softmax", ops.softmax, _softmax),
    Row("softmax of columns", lambda x: ops.softmax(x, axis=1), lambda x: _softmax(x, 1),
        samples=_cube),
    Row("log_softmax", ops.log_softmax, lambda x: np.log(_softmax(x))),
    # --- crossentropies, one-hot, normalization
    Row("sigmoid_crossentropy", lambda x, y: nn._sigmoid_crossentropy(y, x),
        lambda x, y: -y * np.log(_sigmoid(x)) - (1 - y) * np.log(1 - _sigmoid(x)), y=UNIT,
        arrays=False),
    Row("softmax_crossentropy", lambda x, y: nn._softmax_crossentropy(_one_hot_of(y), x),
        lambda x, y: -(_softmax(y) * np.log(_softmax(x))).sum(-1), y=BOTH, arrays=False),
    Row("sparse_softmax_crossentropy", lambda x, y: nn._sparse_softmax_crossentropy(y[..., 0], x),
        lambda x, y: -(_hot(y[..., 0], x.shape[-1]) * np.log(_softmax(x))).sum(-1), y="whole",
        samples=_column, arrays=False),
    Row("binary_crossentropy", lambda x, y: ops.binary_crossentropy(y, x),
        lambda x, y: -y * np.log(x) - (1 - y) * np.log(1 - x), x=UNIT, y=UNIT),
    Row("binary_crossentropy from logits", lambda x, y: ops.binary_crossentropy(y, x, True),
        lambda x, y: -y * np.log(_sigmoid(x)) - (1 - y) * np.log(1 - _sigmoid(x)), y=UNIT),
    Row("categorical_crossentropy", lambda x, y: ops.categorical_crossentropy(y, x),
        lambda x, y: -(y * np.log(x / x.sum(-1, keepdims=True))).sum(-1), x=UNIT, y=UNIT,
        widths=WIDTHS[1:]),
    Row("categorical_crossentropy from logits",
        lambda x, y: ops.categorical_crossentropy(y, x, from_logits=True),
        lambda x, y: -(y * np.log(_softmax(x))).sum(-1), y=UNIT),
    Row("sparse_categorical_crossentropy", lambda x, y: ops.sparse_categorical_crossentropy(y, x),
        lambda x, y: -(_hot(y[:, 0], x.shape[-1]) * np.log(x / x.sum(-1, keepdims=True))).sum(-1),
        x=UNIT, y="whole", samples=_column, widths=WIDTHS[1:]),
    Row("sparse_categorical_crossentropy from logits",
        lambda x, y: ops.sparse_categorical_crossentropy(y, x, from_logits=True),
        lambda x, y: -(_hot(y[:, 0], x.shape[-1]) * np.log(_softmax(x))).sum(-1), y="whole",
        samples=_column),
    Row("one_hot", lambda x: ops.one_hot(x, 5), lambda x: _hot(x % 513, 513)[..., :5], x="whole",
        flat=True),
    Row("multi_hot", lambda x: ops.multi_hot(x, 5),
        lambda x: _hot(x, 513)[..., :5].max(1), x="whole", flat=True),
    Row("in_top_k", lambda x, y: ops.in_top_k(y[:, 0], x, 2),
        lambda x, y: (x > np.take_along_axis(x, y.astype(int), 1)).sum(1) < 2, y="whole",
        samples=_column, flat=True),
    Row("normalize", ops.normalize, lambda x: x / np.sqrt((x * x).sum(-1, keepdims=True))),
    Row("batch_normalization", lambda x: ops.batch_normalization(
            x, ops.mean(x, 0), ops.var(x, 0), -1, offset=COLUMN[: x.shape[-1]], epsilon=0.01),
        lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 0.01) + COLUMN[: x.shape[-1]]),
    Row("layer_normalization",
        lambda x: ops.layer_normalization(x, COLUMN[: x.shape[-1]], epsilon=1e-3),
        lambda x: (x - x.mean(-1, keepdims=True)) / np.sqrt(
            x.var(-1, keepdims=True) + 1e-3) * COLUMN[: x.shape[-1]]),
]  # fmt: skip

LEAVES = {"input", "constant", "rows", "variable", "like"}
LEAVES |= {"random", "dropout", "python", "take", "put"}  # of layers: engines have them as a whole
"""Operations without operands."""

NOT_FUNCTIONS = {
    "NotTraceable", "OPS", "Op", "Tensor", "arange", "dtype", "empty", "eye", "full", "identity",
    "is_tensor", "linspace", "ones", "set_operator", "standardize_dtype", "zeros",
}  # fmt: skip
"""Names of fastnn.ops that are no functions of tensors: some make arrays."""

REFUSED = {
    "arccos": 1, "arcsin": 1, "arctan": 1, "arctan2": 2, "argsort": 1, "bincount": 1,
    "convert_to_numpy": 1, "diag": 1, "erfinv": 1, "median": 1, "quantile": 2, "searchsorted": 2,
    "sort": 1, "sparsemax": 1, "top_k": 2, "vstack": 0,
}  # fmt: skip
"""Functions that work on arrays alone, and how many operands they take; 0: a list of them."""

UNUSED_STEPS: dict[str, str] = {}
"""Steps of csrc/ops.def that no row's map has, and why."""
