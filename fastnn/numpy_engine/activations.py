"""Activations y = f(x) and their derivatives, one short function each.

`ACTIVATIONS[name](x, slope)` gives y, and `BACKWARD[name](dy, x, y, slope)` gives
dx = dLoss/dx from dy = dLoss/dy. `slope` is the one parameter an activation may have: alpha of
elu, the negative slope of leaky_relu. Where f' can be had from y alone (for all but
operations.FROM_INPUT), x may be None: the program need not keep it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
"""The fixed point of mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515)."""

_math_erf = np.frompyfunc(math.erf, 1, 1)


def _erf(x):
    return _math_erf(x).astype(x.dtype)


def _sigmoid(x):
    e = np.exp(-np.abs(x))  # never overflows
    return np.where(x >= 0, 1, e) / (1 + e)


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


# --- forward: y = f(x) ----------------------------------------------------------------------


def linear(x, slope=0.0):
    return x


def relu(x, slope=0.0):
    return np.where(x <= 0, 0, x)  # NaN stays NaN


def leaky_relu(x, slope=0.2):
    return np.where(x > 0, x, slope * x)


def relu6(x, slope=0.0):
    return np.clip(x, 0, 6)


def sigmoid(x, slope=0.0):
    return _sigmoid(x)


def hard_sigmoid(x, slope=0.0):
    return np.clip(x / 6 + 0.5, 0, 1)


def tanh(x, slope=0.0):
    return np.tanh(x)


def softplus(x, slope=0.0):
    return _softplus(x)


def softsign(x, slope=0.0):
    return x / (1 + np.abs(x))


def elu(x, slope=1.0):
    return np.where(x > 0, x, slope * np.expm1(np.minimum(x, 0)))


def selu(x, slope=0.0):
    return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def exponential(x, slope=0.0):
    return np.exp(x)


def silu(x, slope=0.0):
    return x * _sigmoid(x)


def gelu(x, slope=0.0):
    return x * _normal_cdf(x)


def mish(x, slope=0.0):
    return x * np.tanh(_softplus(x))


def softmax(x, slope=0.0):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def log_softmax(x, slope=0.0):
    z = x - x.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def _normal_cdf(x):
    return 0.5 * (1 + _erf(x / math.sqrt(2)))


# --- backward: dx from dy --------------------------------------------------------------------


def linear_backward(dy, x, y, slope=0.0):
    return dy


def relu_backward(dy, x, y, slope=0.0):
    return dy * (y > 0)


def leaky_relu_backward(dy, x, y, slope=0.2):
    return np.where(y > 0, dy, slope * dy)


def relu6_backward(dy, x, y, slope=0.0):
    return dy * ((y > 0) & (y < 6))


def sigmoid_backward(dy, x, y, slope=0.0):
    return dy * y * (1 - y)


def hard_sigmoid_backward(dy, x, y, slope=0.0):
    return np.where((y > 0) & (y < 1), dy / 6, 0)


def tanh_backward(dy, x, y, slope=0.0):
    return dy * (1 - y * y)


def softplus_backward(dy, x, y, slope=0.0):
    return dy * -np.expm1(-y)  # sigmoid(x) = 1 - exp(-softplus(x))


def softsign_backward(dy, x, y, slope=0.0):
    return dy * np.square(1 - np.abs(y))  # 1 / (1 + |x|) = 1 - |y|


def elu_backward(dy, x, y, slope=1.0):
    return dy * np.where(y > 0, 1, y + slope)


def selu_backward(dy, x, y, slope=0.0):
    return dy * np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


def exponential_backward(dy, x, y, slope=0.0):
    return dy * y


def silu_backward(dy, x, y, slope=0.0):
    s = _sigmoid(x)
    return dy * (s * (1 + x * (1 - s)))


def gelu_backward(dy, x, y, slope=0.0):
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (_normal_cdf(x) + x * density)


def mish_backward(dy, x, y, slope=0.0):
    t = np.tanh(_softplus(x))
    return dy * (t + x * (1 - t * t) * _sigmoid(x))


def softmax_backward(dy, x, y, slope=0.0):
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def log_softmax_backward(dy, x, y, slope=0.0):
    return dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


ACTIVATIONS: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (
        linear, relu, leaky_relu, relu6, sigmoid, hard_sigmoid, tanh, softplus, softsign, elu,
        selu, exponential, silu, gelu, mish, softmax, log_softmax,
    )
}  # fmt: skip

BACKWARD: dict[str, Callable[..., np.ndarray]] = {
    name: globals()[f"{name}_backward"] for name in ACTIVATIONS
}
