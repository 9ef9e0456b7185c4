"""The operations of a program, forward and backward, one short function each.

A batch is the first axis of every array. `FORWARD[kind](step, op, *inputs)` returns the output;
`BACKWARD[kind](step, op, inputs, y, dy)` returns ``(dinputs, dparams)``: the gradients of the
loss with respect to each input and each variable of the operation, given dy, that of the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastnn.numpy_engine import activations
from fastnn.numpy_engine.random import keep_mask

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Step:
    """Where in the training an operation runs: what dropout depends on."""

    training: bool = False
    number: int = 0
    seed: int = 0


# --- dense: y = f(x W + b) -------------------------------------------------------------------


def dense(step, op, x):
    w = op.params[0].value
    z = x @ w
    if len(op.params) == 2:
        z = z + op.params[1].value
    return activations.ACTIVATIONS[op.attrs["activation"]](z, op.attrs.get("slope", 0.0))


def dense_backward(step, op, inputs, y, dy):
    (x,) = inputs
    w = op.params[0].value
    dz = dy
    if not op.attrs.get("derivative_done"):  # else the consumer has already multiplied by f'
        f = op.attrs["activation"]
        dz = activations.BACKWARD[f](dy, None, y, op.attrs.get("slope", 0.0))
    dx = dz @ w.T if _wanted(op, 0) else None
    if "derivative" in op.attrs:  # x = f(...) of the producer: give it dz instead of dx
        f, slope = op.attrs["derivative"]
        dx = activations.BACKWARD[f](dx, None, x, slope)
    rows_x, rows_dz = x.reshape(-1, w.shape[0]), dz.reshape(-1, w.shape[1])
    return [dx], [rows_x.T @ rows_dz, rows_dz.sum(axis=0)][: len(op.params)]


# --- elementwise -----------------------------------------------------------------------------


def activation(step, op, x):
    return activations.ACTIVATIONS[op.attrs["activation"]](x, op.attrs.get("slope", 0.0))


def activation_backward(step, op, inputs, y, dy):
    (x,) = inputs
    f = op.attrs["activation"]
    return [activations.BACKWARD[f](dy, x, y, op.attrs.get("slope", 0.0))], []


def prelu(step, op, x):
    return np.where(x > 0, x, op.params[0].value.reshape(x.shape[1:]) * x)


def prelu_backward(step, op, inputs, y, dy):
    (x,) = inputs
    alpha = op.params[0].value
    dx = np.where(x > 0, dy, alpha.reshape(x.shape[1:]) * dy)
    return [dx], [(dy * np.minimum(x, 0)).sum(axis=0).reshape(alpha.shape)]


def scale(step, op, x):
    return x * op.attrs["factor"] + op.attrs["offset"]


def scale_backward(step, op, inputs, y, dy):
    return [dy * op.attrs["factor"]], []


def dropout(step, op, x):
    return _drop(step, op, x) if step.training else x


def dropout_backward(step, op, inputs, y, dy):
    return [_drop(step, op, dy)], []


def _drop(step, op, x):
    rate = op.attrs["rate"]
    keep = keep_mask(x.shape, rate, seed=step.seed, step=step.number, stream=op.attrs["stream"])
    return np.where(keep, x / (1 - rate), 0) if rate < 1 else np.zeros_like(x)


# --- several inputs --------------------------------------------------------------------------


def concatenate(step, op, *inputs):
    n, outer = len(inputs[0]), op.attrs["outer"]
    return np.concatenate([x.reshape(n, outer, -1) for x in inputs], axis=2)


def concatenate_backward(step, op, inputs, y, dy):
    n, outer, inner = len(dy), op.attrs["outer"], op.attrs["inner"]
    parts = np.split(dy.reshape(n, outer, -1), np.cumsum(inner)[:-1], axis=2)
    return parts, []


def merge(step, op, a, b):
    if op.attrs["merge"] == "add":
        return a + b
    if op.attrs["merge"] == "subtract":
        return a - b
    if op.attrs["merge"] == "multiply":
        return a * b
    if op.attrs["merge"] == "maximum":
        return np.where(a >= b, a, b)
    return np.where(a <= b, a, b)  # minimum


def merge_backward(step, op, inputs, y, dy):
    a, b = inputs
    if op.attrs["merge"] == "add":
        return [dy, dy], []
    if op.attrs["merge"] == "subtract":
        return [dy, -dy], []
    if op.attrs["merge"] == "multiply":
        return [dy * b, dy * a], []
    first = a >= b if op.attrs["merge"] == "maximum" else a <= b  # a tie goes to a
    return [np.where(first, dy, 0), np.where(first, 0, dy)], []


# --- a layer written in Python ---------------------------------------------------------------


def python(step, op, *inputs):
    return op.attrs["layer"].forward(list(inputs), training=step.training)


def python_backward(step, op, inputs, y, dy):
    gradients = op.attrs["layer"].backward(list(inputs), y, dy)
    return gradients[: len(inputs)], gradients[len(inputs) :]


def _wanted(op, k):
    return not op.input_modes or op.input_modes[k]


_KINDS = (dense, activation, prelu, scale, dropout, concatenate, merge, python)

FORWARD: dict[str, Callable[..., np.ndarray]] = {f.__name__: f for f in _KINDS}

BACKWARD: dict[str, Callable[..., tuple[list, list]]] = {
    f"{f.__name__}_backward": globals()[f"{f.__name__}_backward"] for f in _KINDS
}
