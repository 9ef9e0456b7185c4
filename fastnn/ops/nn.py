"""What networks compute with: activations, softmax, crossentropies, normalizations, one-hot."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.ops import elementwise as e
from fastnn.ops import joining, shapes
from fastnn.ops import reductions as r
from fastnn.ops.elementwise import sigmoid, softplus, tanh
from fastnn.ops.operation import Op, as_array, as_tensor, holds_tensor, of_floatx, recorded
from fastnn.ops.tensor import NotTraceable, Shape, Tensor, where

if TYPE_CHECKING:
    from collections.abc import Callable

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717
"""The fixed point of mean 0 and variance 1 (Klambauer et al. 2017, arXiv:1706.02515)."""


# --- activations -----------------------------------------------------------------------------


def activation(
    derivative: Callable[..., Any], *, whole: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Make an op of an activation: made of others, it stays one, which engines have kernels for.

    Parameters
    ----------
    derivative : callable
        ``derivative(g, y, x, *options)``: g times the derivative, in ops; of y where that will do,
        so that x need not be kept.
    whole : bool
        Whole numbers stay what they are.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
        defaults = dict(zip(names, function.__defaults__ or (), strict=True))

        def gradient(g: Tensor, y: Tensor, x: Tensor, **options: Any) -> tuple[Tensor]:
            return (derivative(g, y, x, *options.values()),)

        op = Op(function.__name__, function, _same, gradient, lower=function)

        @functools.wraps(function)
        def call(x: Any, *args: Any, **kwargs: Any) -> Any:
            if not holds_tensor((x,)):
                return function(as_array(x) if whole else _float(x), *args, **kwargs)
            options = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
            return op(x, **options)

        call.op = op  # type: ignore[attr-defined]
        return call

    return decorate


def _same(x: Tensor, **attrs: Any) -> tuple[Shape, int]:
    return x.shape, x.fold


@activation(lambda g, y, x: e.where(e.greater(y, 0.0), g, 0.0), whole=True)
def relu(x: Any) -> Any:
    """Return x where it is positive, else 0."""
    return e.maximum(x, 0)


@activation(lambda g, y, x: e.where(e.logical_and(e.greater(y, 0.0), e.less(y, 6.0)), g, 0.0))
def relu6(x: Any) -> Any:
    """Return x moved into 0 .. 6."""
    return e.minimum(e.maximum(x, 0.0), 6.0)


def _above(y: Any, x: Any, slope: float) -> Any:
    """Return where x is positive: where y is, unless the slope below turns the sign around."""
    return e.greater(y if slope >= 0 else x, 0.0)


@activation(
    lambda g, y, x, negative_slope: e.where(
        _above(y, x, negative_slope), g, e.multiply(g, negative_slope)
    )
)
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """Return x where it is positive, else negative_slope * x."""
    return e.where(e.greater(x, 0), x, e.multiply(x, negative_slope))


def _exponential_below(x: Any, alpha: float) -> Any:
    return e.where(e.greater(x, 0), x, e.multiply(alpha, e.expm1(e.minimum(x, 0.0))))


@activation(lambda g, y, x, alpha: e.where(_above(y, x, alpha), g, e.chain(g, e.add(y, alpha))))
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive, else alpha (exp(x) - 1)."""
    return _exponential_below(x, alpha)


@activation(
    lambda g, y, x: e.where(
        e.greater(y, 0.0), e.multiply(g, SELU_SCALE), e.chain(g, e.add(y, SELU_SCALE * SELU_ALPHA))
    )
)
def selu(x: Any) -> Any:
    """Return the scaled elu that keeps mean 0 and variance 1."""
    return e.multiply(SELU_SCALE, _exponential_below(x, SELU_ALPHA))


def _gelu_gradient(g: Tensor, y: Tensor, x: Tensor, approximate: bool) -> Tensor:
    if approximate:
        t = tanh(_gelu_inner(x))
        slope = e.multiply(math.sqrt(2 / math.pi), e.add(1.0, e.multiply(0.134145, e.square(x))))
        rising = e.multiply(e.multiply(x, e.subtract(1.0, e.square(t))), slope)
        return e.chain(g, e.multiply(0.5, e.add(e.add(1.0, t), rising)))
    density = e.multiply(1 / math.sqrt(2 * math.pi), e.exp(e.multiply(-0.5, e.square(x))))
    return e.chain(g, e.add(_normal_cdf(x), e.multiply(x, density)))


def _gelu_inner(x: Any) -> Any:
    cube = e.multiply(x, e.square(x))
    return e.multiply(math.sqrt(2 / math.pi), e.add(x, e.multiply(0.044715, cube)))


def _normal_cdf(x: Any) -> Any:
    return e.multiply(0.5, e.add(1.0, e.erf(e.divide(x, math.sqrt(2)))))


@activation(_gelu_gradient)
def gelu(x: Any, approximate: bool = True) -> Any:
    """Return x times the normal distribution's probability of lying below it."""
    if approximate:
        return e.multiply(e.multiply(0.5, x), e.add(1.0, tanh(_gelu_inner(x))))
    return e.multiply(x, _normal_cdf(x))


def _silu_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    s = sigmoid(x)
    return e.chain(g, e.add(s, e.multiply(y, e.subtract(1.0, s))))


@activation(_silu_gradient)
def silu(x: Any) -> Any:
    """Return x sigmoid(x)."""
    return e.multiply(x, sigmoid(x))


swish = silu


@activation(lambda g, y, x: e.chain(g, e.square(e.subtract(1.0, e.absolute(y)))))
def softsign(x: Any) -> Any:
    """Return x / (1 + abs(x))."""
    return e.divide(x, e.add(1.0, e.absolute(x)))


@activation(
    lambda g, y, x: e.where(e.logical_and(e.greater(y, 0.0), e.less(y, 1.0)), e.divide(g, 6.0), 0.0)
)
def hard_sigmoid(x: Any) -> Any:
    """Return x / 6 + 1/2 moved into 0 .. 1."""
    return e.clip(e.add(e.divide(x, 6.0), 0.5), 0.0, 1.0)


def _mish_gradient(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    t = tanh(softplus(x))
    rising = e.multiply(e.multiply(x, e.subtract(1.0, e.square(t))), sigmoid(x))
    return e.chain(g, e.add(t, rising))


@activation(_mish_gradient)
def mish(x: Any) -> Any:
    """Return x tanh(softplus(x))."""
    return e.multiply(x, tanh(softplus(x)))


def celu(x: Any, alpha: float = 1.0) -> Any:
    """Return x where it is positive, else alpha (exp(x / alpha) - 1)."""
    x = _float(x)
    below = e.multiply(alpha, e.expm1(e.divide(e.minimum(x, 0.0), alpha)))
    return e.where(e.greater(x, 0), x, below)


def log_sigmoid(x: Any) -> Any:
    """Return log(sigmoid(x))."""
    return e.negative(softplus(e.negative(_float(x))))


def hard_silu(x: Any) -> Any:
    """Return x hard_sigmoid(x)."""
    return e.multiply(x, hard_sigmoid(x))


hard_swish = hard_silu


def hard_tanh(x: Any) -> Any:
    """Return x moved into -1 .. 1."""
    return e.clip(_float(x), -1.0, 1.0)


def tanh_shrink(x: Any) -> Any:
    """Return x - tanh(x)."""
    x = _float(x)
    return e.subtract(x, tanh(x))


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return x moved towards 0 by the threshold, 0 within it."""
    x = _float(x)
    return e.multiply(e.sign(x), e.maximum(e.subtract(e.absolute(x), threshold), 0.0))


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """Return x, and 0 within the threshold of 0."""
    x = _float(x)
    return e.where(e.greater(e.absolute(x), threshold), x, 0.0)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """Return x above the threshold, else the default value."""
    x = _float(x)
    return e.where(e.greater(x, threshold), x, default_value)


def squareplus(x: Any, b: int = 4) -> Any:
    """Return (x + sqrt(x^2 + b)) / 2."""
    x = _float(x)
    return e.multiply(0.5, e.add(x, e.sqrt(e.add(e.square(x), float(b)))))


def glu(x: Any, axis: int = -1) -> Any:
    """Return the first half of x along an axis times the sigmoid of the second."""
    first, gate = joining.split(_float(x), 2, axis)
    return e.multiply(first, sigmoid(gate))


def _float(x: Any) -> Any:
    """Return x as an array of floats; tensors are."""
    if isinstance(x, Tensor):
        return x
    x = np.asarray(as_array(x))
    return of_floatx(x, x) if x.dtype.kind == "f" else x.astype(config.floatx())


# --- softmax ---------------------------------------------------------------------------------


def _softmax_lowered(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    powers = e.exp(e.subtract(x, r._max(x, axes=axes, keepdims=True)))
    return e.divide(powers, r._sum(powers, axes=axes, keepdims=True))


@recorded(
    _same,
    lambda g, y, x, axes: (
        e.chain(e.subtract(g, r._sum(e.chain(g, y), axes=axes, keepdims=True)), y),
    ),
    lower=_softmax_lowered,
)
def _softmax(x: Any, axes: Any) -> Any:
    powers = np.exp(x - np.max(x, axis=axes, keepdims=True))
    return powers / np.sum(powers, axis=axes, keepdims=True)


def _log_softmax_lowered(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    z = e.subtract(x, r._max(x, axes=axes, keepdims=True))
    return e.subtract(z, e.log(r._sum(e.exp(z), axes=axes, keepdims=True)))


@recorded(
    _same,
    lambda g, y, x, axes: (e.subtract(g, e.chain(r._sum(g, axes=axes, keepdims=True), e.exp(y))),),
    lower=_log_softmax_lowered,
)
def _log_softmax(x: Any, axes: Any) -> Any:
    z = x - np.max(x, axis=axes, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis=axes, keepdims=True))


def _along(op: Any, x: Any, axis: Any) -> Any:
    if isinstance(x, Tensor):
        from fastnn.ops.operation import axes_of

        axes = axes_of(axis, x)
        if x.batched and 0 in axes:
            raise NotTraceable(f"{where()}{op.name} along the batch: use another axis, as -1")
        return op(x, axes=axes)
    axes = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    return op.numpy(_float(x), axes)


def softmax(x: Any, axis: Any = -1) -> Any:
    """Return exp(x) / sum(exp(x)) along an axis."""
    return _along(_softmax, x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """Return log(softmax(x)) along an axis, exact where softmax is 0."""
    return _along(_log_softmax, x, axis)


# --- crossentropies --------------------------------------------------------------------------


@recorded(
    lambda t, z: _pair(t, z),
    lambda g, y, t, z: (
        e.chain(e.negative(g), z), e.chain(g, e.subtract(sigmoid(z), t)),
    ),
    lower=lambda t, z: e.subtract(softplus(z), e.multiply(z, t)),
)  # fmt: skip
def _sigmoid_crossentropy(t: Any, z: Any) -> Any:
    # max(z, 0) - z t + log(1 + exp(-|z|)): neither exp can overflow nor log meet a zero
    return np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))


def _pair(t: Tensor, z: Tensor) -> tuple[Shape, int]:
    from fastnn.ops.operation import broadcast

    return broadcast(t, z)


def _last_dropped(t: Tensor, z: Tensor) -> tuple[Shape, int]:
    return z.shape[:-1], z.fold


@recorded(
    _last_dropped,
    lambda g, y, t, z: (
        e.chain(e.negative(shapes.expand_dims(g, -1)), log_softmax(z)),
        e.chain(
            shapes.expand_dims(g, -1),
            e.subtract(e.multiply(softmax(z), r.sum(t, axis=-1, keepdims=True)), t),
        ),
    ),
    lower=lambda t, z: e.negative(r.sum(e.multiply(t, log_softmax(z)), axis=-1)),
)
def _softmax_crossentropy(t: Any, z: Any) -> Any:
    return -np.sum(t * _log_softmax.numpy(z, -1), axis=-1)


@recorded(
    _last_dropped,
    lambda g, y, t, z: (
        None,
        e.chain(
            shapes.expand_dims(_of_classes(t, g), -1),
            e.subtract(softmax(z), _hot(t, z.shape[-1])),
        ),
    ),
    lower=lambda t, z: _of_classes(t, e.negative(_picked(log_softmax(z), t))),
)
def _sparse_softmax_crossentropy(t: Any, z: Any) -> Any:
    return np.where(t < 0, 0, -shapes._pick.numpy(_log_softmax.numpy(z, -1), t[..., None])[..., 0])


def _of_classes(labels: Any, value: Any) -> Any:
    """Return a value, and 0 where a label is negative: of no class, as Keras has it."""
    return e.where(e.less(labels, 0.0), 0.0, value)


def _hot(labels: Tensor, classes: Any) -> Tensor:
    return e.equal(shapes.expand_dims(labels, -1), np.arange(classes))


def _picked(x: Any, labels: Any) -> Any:
    """Return x at the labels along the last axis."""
    return shapes.squeeze(shapes._pick(x, shapes.expand_dims(labels, -1)), -1)


def logits_behind(x: Any, activation: str) -> Any:
    """Return the tensor that an activation made x of, if the program knows it, else None."""
    if isinstance(x, Tensor) and x.op.name == "input":
        made = x.attrs.get("logits")
        if made is not None and made[0] == activation:
            return made[1]
    return None


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """Return -t log(p) - (1 - t) log(1 - p) for every element.

    Parameters
    ----------
    target, output : tensors or arrays of one shape
    from_logits : bool
        `output` holds logits. Probabilities are clipped to epsilon .. 1 - epsilon; those that a
        layer's sigmoid has made are taken as their logits, which is exact.
    """
    if holds_tensor((target, output)):
        logits = output if from_logits else logits_behind(output, "sigmoid")
        if logits is not None:
            return _sigmoid_crossentropy(target, logits)
    else:
        target, output = _both(target, output)
        if from_logits:
            return _sigmoid_crossentropy.numpy(target, output)
    p = _clipped(output)
    value = e.add(
        e.multiply(target, e.log(p)),
        e.multiply(e.subtract(1.0, target), e.log(e.subtract(1.0, p))),
    )
    return e.negative(value)


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return -sum(t log(p)) along the classes, for one-hot targets.

    Probabilities are divided by their sum and clipped to epsilon .. 1 - epsilon; those that a
    layer's softmax has made are taken as their logits, which is exact.
    """
    if not holds_tensor((target, output)):
        target, output = _both(target, output)
    if axis not in (-1, shapes.ndim(output) - 1):
        if from_logits:
            return e.negative(r.sum(e.multiply(target, log_softmax(output, axis)), axis=axis))
    elif holds_tensor((target, output)):
        logits = output if from_logits else logits_behind(output, "softmax")
        if logits is not None:
            return _softmax_crossentropy(target, logits)
    elif from_logits:
        return _softmax_crossentropy.numpy(target, output)
    p = _clipped(e.divide(output, r.sum(output, axis=axis, keepdims=True)))
    return e.negative(r.sum(e.multiply(target, e.log(p)), axis=axis))


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """Return -log of the probability of the right class, for whole-number targets.

    Probabilities are divided by their sum and clipped to epsilon .. 1 - epsilon; those that a
    layer's softmax has made are taken as their logits, which is exact.
    """
    if axis not in (-1, shapes.ndim(output) - 1):
        raise ValueError(
            f"{where()}sparse_categorical_crossentropy: expected axis=-1, got {axis}: move the "
            "classes to the last axis"
        )
    if not holds_tensor((target, output)):
        target, output = _both(target, output)
    if shapes.ndim(target) == shapes.ndim(output) and target.shape[-1] == 1:
        target = shapes.squeeze(target, -1)
    if holds_tensor((target, output)):
        logits = output if from_logits else logits_behind(output, "softmax")
        if logits is not None:
            dtype = logits.dtype
            return _sparse_softmax_crossentropy(as_tensor(target, dtype), logits)
    elif from_logits:
        return _sparse_softmax_crossentropy.numpy(target, output)
    p = e.divide(output, r.sum(output, axis=-1, keepdims=True))
    if holds_tensor((target, p)):
        return _of_classes(target, e.negative(e.log(_clipped(_picked(p, target)))))
    places = np.asarray(target).astype(np.int64)[..., None]
    return np.where(
        target < 0, 0, -np.log(_clipped(np.take_along_axis(p, np.maximum(places, 0), -1)[..., 0]))
    )


def _clipped(p: Any) -> Any:
    low, high = config.epsilon(), 1 - config.epsilon()
    if not isinstance(p, Tensor):  # in the type of the probabilities
        low, high = p.dtype.type(low), p.dtype.type(high)
    return e.clip(p, low, high)


def _both(target: Any, output: Any) -> tuple[Any, Any]:
    output = _float(output)
    target = np.asarray(as_array(target))
    return target.astype(output.dtype), output


# --- one-hot and normalization ---------------------------------------------------------------


def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """Return 1 at the place that a label names, 0 elsewhere, along a new axis."""
    if isinstance(x, Tensor):
        y = _hot(x, int(num_classes))
        if axis in (-1, y.ndim - 1):
            return y
        return shapes.moveaxis(y, -1, axis)
    x = np.asarray(as_array(x))
    y = np.equal(x[..., None], np.arange(num_classes))
    return np.moveaxis(y, -1, axis).astype(dtype or config.floatx())


def normalize(x: Any, axis: int = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """Return x divided by its norm along an axis; norms below epsilon count as epsilon."""
    x = _float(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        total = r.sum(e.square(x), axis, keepdims=True)
        return e.multiply(x, e.rsqrt(e.maximum(total, epsilon**2)))
    return e.divide(x, e.maximum(r.norm(x, order, axis, keepdims=True), epsilon))


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """Return (x - mean) / sqrt(variance + epsilon) * scale + offset, each along an axis."""
    x = _float(x)
    shape = [1] * shapes.ndim(x)
    shape[axis] = shapes.shape(x)[axis]

    def along(v: Any) -> Any:
        return shapes.reshape(v, shape)

    factor = e.rsqrt(e.add(along(variance), epsilon))
    if scale is not None:
        factor = e.multiply(factor, along(scale))
    y = e.multiply(e.subtract(x, along(mean)), factor)
    return y if offset is None else e.add(y, along(offset))


def layer_normalization(
    x: Any,
    gamma: Any = None,
    beta: Any = None,
    axis: Any = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> Any:
    """Return x with mean 0 and variance 1 along an axis, times gamma, plus beta."""
    x = _float(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    mean, variance = r.moments(x, axis, keepdims=True)
    y = e.multiply(e.subtract(x, mean), e.rsqrt(e.add(variance, epsilon)))
    if gamma is not None:
        y = e.multiply(y, gamma)
    return y if beta is None else e.add(y, beta)
