"""Layers of one's own as guides and courses have them: each a class, and the shape of a sample."""

from __future__ import annotations

import numpy as np

from fastnn import ops, random
from fastnn.layers import Dense, Layer, LayerNormalization


class Linear(Layer):
    def __init__(self, units=5, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], self.units), "random_normal", name="w")
        self.b = self.add_weight((self.units,), "random_normal", name="b")

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b


class Residual(Layer):
    """Layers in attributes."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(6, activation="relu")
        self.norm = LayerNormalization()

    def build(self, input_shape):
        self.second = Dense(input_shape[-1])

    def call(self, inputs):
        return inputs + self.second(self.norm(self.first(inputs)))


class Block(Layer):
    """Layers in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = [Dense(4, activation="tanh") for _ in range(2)]

    def call(self, inputs):
        for layer in self.hidden:
            inputs = layer(inputs)
        return inputs


class BlockOfBlocks(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.blocks = {"a": Block(), "b": Block()}
        self.out = Dense(3)

    def call(self, inputs):
        return self.out(self.blocks["a"](inputs) * self.blocks["b"](inputs))


class LearnedScalar(Layer):
    def build(self, input_shape):
        self.scale = self.add_weight((), "ones", name="scale")

    def call(self, inputs):
        return inputs * self.scale


class Factorised(Layer):
    """A tied pair: x W W'."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 2), "random_normal", name="w")

    def call(self, inputs):
        return np.tanh(inputs @ self.w) @ ops.transpose(self.w)


class Masked(Layer):
    """Weights of which some are always zero."""

    def build(self, input_shape):
        shape = (input_shape[-1], 4)
        self.w = self.add_weight(shape, "random_normal", name="w")
        self.mask = np.arange(shape[0] * 4).reshape(shape) % 3 > 0

    def call(self, inputs):
        return inputs @ (self.w * self.mask)


class Monotone(Layer):
    """Weights that are never negative."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1], 3), "random_normal", name="w")
        self.b = self.add_weight((3,), "zeros", name="b")

    def call(self, inputs):
        return ops.matmul(inputs, ops.softplus(self.w)) + self.b


class CountsCalls(Layer):
    def build(self, input_shape):
        self.calls = self.add_weight((), "zeros", trainable=False, name="calls")

    def call(self, inputs, training=False):
        if training:
            self.calls.assign_add(1.0)
        return inputs * 2


class RunningMean(Layer):
    """Subtracts an average of the batches so far."""

    def build(self, input_shape):
        self.mean = self.add_weight((input_shape[-1],), "zeros", trainable=False, name="mean")

    def call(self, inputs, training=False):
        if training:
            self.mean.assign(0.9 * self.mean + 0.1 * np.mean(inputs, axis=0))
        return inputs - self.mean


class Noise(Layer):
    """Noise in training only."""

    def call(self, inputs, training=False):
        if training:
            return inputs + random.normal(ops.shape(inputs), stddev=0.1)
        return inputs


class Sampling(Layer):
    """Mean and logarithm of the variance in, a sample out: the middle of a variational network."""

    def call(self, inputs):
        mean, log_variance = inputs[:, :2], inputs[:, 2:]
        return mean + np.exp(0.5 * log_variance) * random.normal(shape=ops.shape(mean))


class Penalised(Layer):
    """A penalty on what it passes on, and on a weight."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape[-1],), "ones", name="w")

    def call(self, inputs):
        y = inputs * self.w
        self.add_loss(0.1 * ops.mean(ops.square(y)))
        self.add_loss(0.2 * ops.sum(ops.abs(self.w)))
        return y


class Heads(Layer):
    """Weights, means and widths of a mixture, side by side."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pi, self.mu, self.sigma = Dense(2, "softmax"), Dense(2), Dense(2, "softplus")

    def call(self, inputs):
        parts = [self.pi(inputs), self.mu(inputs), self.sigma(inputs) + 1e-3]
        return ops.concatenate(parts, axis=-1)


class Highway(Layer):
    def build(self, input_shape):
        n = input_shape[-1]
        self.transform, self.gate = Dense(n, "relu"), Dense(n, "sigmoid", bias_initializer="ones")

    def call(self, inputs):
        gate = self.gate(inputs)
        return gate * self.transform(inputs) + (1 - gate) * inputs


class Radial(Layer):
    """exp(-|x - c|^2): a distance to each of three centres."""

    def build(self, input_shape):
        self.centres = self.add_weight((3, input_shape[-1]), "random_normal", name="centres")
        self.width = self.add_weight((3,), "ones", name="width")

    def call(self, inputs):
        distance = np.sum((inputs[:, None, :] - self.centres) ** 2, axis=-1)
        return np.exp(-self.width * distance)


class Maxout(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pieces = Dense(6)

    def call(self, inputs):
        return np.max(ops.reshape(self.pieces(inputs), (-1, 3, 2)), axis=-1)


class Gated(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.both = Dense(6)

    def call(self, inputs):
        a, b = ops.split(self.both(inputs), 2, axis=-1)
        return a * ops.sigmoid(b)


class Unit(Layer):
    """Rows of length 1."""

    def call(self, inputs):
        return inputs / (np.sqrt(np.sum(inputs**2, axis=-1, keepdims=True)) + 1e-6)


class Polynomial(Layer):
    def build(self, input_shape):
        self.a = self.add_weight((3, input_shape[-1]), "random_normal", name="a")

    def call(self, inputs):
        return self.a[0] + self.a[1] * inputs + self.a[2] * inputs**2


class FeatureWise(Layer):
    """A weight for each feature, which sum to 1: which features matter?"""

    def build(self, input_shape):
        self.score = self.add_weight((input_shape[-1],), "random_normal", name="score")

    def call(self, inputs):
        e = np.exp(self.score - np.max(self.score))
        return inputs * (e / np.sum(e))


class WhiteBatch(Layer):
    """The batch's own mean and spread, in evaluation too."""

    def call(self, inputs):
        return (inputs - np.mean(inputs, axis=0)) / (np.std(inputs, axis=0) + 1e-3)


class Pooled(Layer):
    """Means over the middle axis of a sample, and the largest."""

    def call(self, inputs):
        return ops.concatenate([np.mean(inputs, axis=1), np.max(inputs, axis=1)], axis=-1)


class SelfAttention(Layer):
    """One head over the rows of a sample."""

    def build(self, input_shape):
        n = input_shape[-1]
        self.q, self.k, self.v = Dense(n), Dense(n), Dense(n)

    def call(self, inputs):
        scores = self.q(inputs) @ np.swapaxes(self.k(inputs), 1, 2) / 2.0
        return ops.softmax(scores) @ self.v(inputs)


class Twice(Dense):
    """A built-in one with its call overridden."""

    def call(self, inputs):
        return 2 * super().call(inputs)


LAYERS = {
    cls.__name__: (cls, sample)
    for sample, classes in {
        (4,): [
            Linear, Residual, Block, BlockOfBlocks, LearnedScalar, Factorised, Masked, Monotone,
            CountsCalls, RunningMean, Noise, Sampling, Penalised, Heads, Highway, Radial, Maxout,
            Gated, Unit, Polynomial, FeatureWise, WhiteBatch,
        ],
        (3, 4): [Pooled, SelfAttention, LearnedScalar],
    }.items()
    for cls in classes
}  # fmt: skip
LAYERS["Twice"] = (lambda: Twice(3), (4,))
