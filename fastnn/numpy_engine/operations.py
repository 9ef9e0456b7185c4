"""The operations of a program, forward and backward, one short function each.

A batch is the first axis of every array. `FORWARD[kind](step, op, *inputs)` returns the output;
`BACKWARD[kind](step, op, inputs, y, dy)` returns ``(dinputs, dparams)``: the gradients of the
loss with respect to each input and each variable of the operation, given dy, that of the output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.numpy_engine import activations
from fastnn.numpy_engine.random import keep_mask, uniform
from fastnn.operations import missing_row

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Step:
    """Where in the training an operation runs: what random numbers depend on."""

    training: bool = False
    number: int = 0
    seed: int = 0
    rows: Any = ()  # by which random words are numbered
    data: Any = ()  # the rows of the data


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


def take(step, op, x):
    table = op.params[0].value
    wrong = ~((x >= 0) & (x < len(table)) & (x == np.floor(x)))
    if wrong.any():
        place = np.argwhere(wrong)[0]
        row = int(step.data[place[0]]) if len(step.data) else int(place[0])
        raise IndexError(missing_row(op.name, float(x[tuple(place)]), row, op.params[0]))
    return table[x.astype(np.int64)]


def take_backward(step, op, inputs, y, dy):
    (x,) = inputs
    dtable = np.zeros_like(op.params[0].value)
    np.add.at(dtable, x.astype(np.int64), dy)
    return [None], [dtable]


def random(step, op):
    where = {"seed": step.seed, "step": step.number, "stream": op.attrs["stream"]}
    return uniform(step.rows, op.attrs["size"], op.attrs["dtype"], **where)


def dropout(step, op, x):
    return _drop(step, op, x)


def dropout_backward(step, op, inputs, y, dy):
    return [_drop(step, op, dy)], []


def _drop(step, op, x):
    rate = op.attrs["rate"]
    where = {"seed": step.seed, "step": step.number, "stream": op.attrs["stream"]}
    keep = keep_mask(step.rows, x[0].size, rate, **where).reshape(x.shape)
    return np.where(keep, x / (1 - rate), 0) if rate < 1 else np.zeros_like(x)


# --- a layer written in Python ---------------------------------------------------------------


def python(step, op, *inputs):
    return op.attrs["layer"].forward(list(inputs), training=step.training)


def python_backward(step, op, inputs, y, dy):
    gradients = op.attrs["layer"].backward(list(inputs), y, dy)
    return gradients[: len(inputs)], gradients[len(inputs) :]


def _wanted(op, k):
    return not op.input_modes or op.input_modes[k]


_KINDS = (dense, activation, take, random, dropout, python)

FORWARD: dict[str, Callable[..., np.ndarray]] = {f.__name__: f for f in _KINDS}

BACKWARD: dict[str, Callable[..., tuple[list, list]]] = {
    f"{f.__name__}_backward": globals()[f"{f.__name__}_backward"] for f in _KINDS if f is not random
}
