"""The engines that run programs, and trainings of small models for comparing them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn import config, losses, metrics, optimizers, program
from fastnn._core import Engine as CEngine
from fastnn.layers import (
    Activation,
    Add,
    Average,
    Concatenate,
    Dense,
    Dropout,
    Flatten,
    Input,
    Layer,
    Maximum,
    Minimum,
    Multiply,
    PReLU,
    Rescaling,
    Reshape,
    Subtract,
)
from fastnn.numpy_engine import Engine as NumpyEngine

ENGINES: dict[str, Any] = {"numpy": NumpyEngine, "c": CEngine}


@dataclass
class Case:
    """A graph, its losses, and data for it."""

    inputs: list[Any]
    outputs: list[Any]
    losses: list[Any]
    x: list[np.ndarray]
    y: list[np.ndarray | None]
    weights: list[np.ndarray | None] | None = None
    loss_weights: list[float] | None = None
    metrics: list[list[Any]] | None = None
    weighted_metrics: list[list[Any]] | None = None
    frozen: list[Any] = field(default_factory=list)  # layers

    @property
    def rows(self) -> int:
        return len(self.x[0])

    def build(self, optimizer, **options) -> program.Program:
        for layer in self.frozen:
            layer.trainable = False

        def spread(groups):
            return groups and [
                [metrics.resolve(m, y.shape[1:], o.sample_shape) for m in group]
                for group, y, o in zip(groups, self.y, self.outputs, strict=True)
            ]

        return program.build(
            self.inputs,
            self.outputs,
            losses=[losses.get(loss) for loss in self.losses],
            metrics=spread(self.metrics),
            weighted_metrics=spread(self.weighted_metrics),
            loss_weights=self.loss_weights,
            targets=[None if y is None else y.shape[1:] for y in self.y],
            sample_weights=self.weights
            and [None if w is None else w.shape[1:] for w in self.weights],
            optimizer=optimizer,
            dtype=self.outputs[0].dtype,
            **options,
        )

    def engine(self, cls, prog, capacity=None, **options):
        engine = cls(prog, capacity or self.rows, **options)
        used = [target.output for target in prog.targets]
        weights = self.weights or [None] * len(self.outputs)
        engine.bind(self.x, [self.y[k] for k in used], [weights[k] for k in used])
        return engine


def train(case, cls, optimizer, *, epochs=3, batch=None, seed=7, shuffle=5, threads=0, **options):
    """Train `case`; return the results of every epoch. The weights are changed."""
    prog = case.build(optimizer, **options)
    batch = batch or case.rows
    engine = case.engine(cls, prog, batch)
    if threads:
        engine.use_threads(threads)
    rng = np.random.default_rng(shuffle)
    logs = []
    steps = -(-case.rows // batch)
    for _ in range(epochs):
        engine.reset()
        prog.reset()
        coefficients = optimizer.coefficients(optimizer.iterations, steps)
        rows = rng.permutation(case.rows)
        engine.train(rows, batch, coefficients, step=optimizer.iterations, seed=seed)
        optimizer.iterations += steps
        logs.append(prog.results(engine.sums))
    return logs


def variables(case):
    return case.build(optimizers.SGD()).variables


def snapshot(case):
    return [v.numpy() for v in variables(case)]


def restore(case, values):
    for variable, value in zip(variables(case), values, strict=True):
        variable.assign(value)


# --- graphs with everything in them ----------------------------------------------------------


class Square(Layer):
    """A layer of a user's own, without weights."""

    def call(self, inputs):
        return inputs**2

    def backward(self, inputs, output, doutput):
        return 2 * inputs * doutput


class Gate(Layer):
    """A layer of a user's own, with two inputs and a weight."""

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[0][-1],), "ones", name="scale")

    def call(self, inputs, training=False):
        a, b = inputs
        return a * b * self.scale.value

    def backward(self, inputs, output, doutput):
        a, b = inputs
        s = self.scale.value
        return [doutput * b * s, doutput * a * s], [(doutput * a * b).sum(axis=0)]

    def compute_output_shape(self, input_shape):
        return input_shape[0]


class Quartic(losses.Loss):
    def call(self, y_true, y_pred):
        return np.mean((y_pred - y_true) ** 4, axis=-1)

    def gradient(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]


class LargestError(metrics.Metric):
    def reset_state(self):
        self.largest = 0.0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest = max(self.largest, float(np.max(np.abs(y_pred - y_true))))

    def result(self):
        return self.largest


def one_hot(labels, classes):
    return np.eye(classes)[labels]


def _data(rng, *shapes):
    return [rng.standard_normal(shape) for shape in shapes]


def plain(rng, n=23):
    """Flatten, hidden layers, softmax: the fused classifier."""
    i = Input(shape=(3, 5))
    h = Dense(17, activation="relu")(Flatten()(i))
    h = Dense(9, activation="tanh")(h)
    o = Dense(4, activation="softmax", name="out")(h)
    labels = rng.integers(0, 4, n)
    return Case([i], [o], ["sparse_categorical_crossentropy"], _data(rng, (n, 3, 5)), [labels],
                metrics=[["accuracy", "crossentropy"]])  # fmt: skip


def binary(rng, n=19):
    i = Input(shape=(6,))
    o = Dense(1, activation="sigmoid", name="out")(Dense(8, activation="elu")(i))
    y = rng.integers(0, 2, n).astype(float)
    return Case([i], [o], ["bce"], _data(rng, (n, 6)), [y], [rng.uniform(0, 2, n)],
                metrics=[["acc"]], weighted_metrics=[["acc", "mae"]])  # fmt: skip


def every_activation(rng, n=11):
    """One chain for each activation function, joined."""
    i = Input(shape=(4,))
    names = ["relu", "relu6", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign", "elu",
             "selu", "exponential", "silu", "gelu", "mish", "softmax", "log_softmax",
             "leaky_relu"]  # fmt: skip
    chains = []
    for k, name in enumerate(names):
        h = Dense(3, activation=name)(i)
        chains.append(Dense(2 + k % 2)(h))
        chains.append(Activation(name)(chains[-1]))
    o = Dense(2, name="out")(Concatenate()(chains))
    return Case([i], [o], ["mse"], _data(rng, (n, 4)), _data(rng, (n, 2)))


def diamond(rng, n=13):
    """Fan-out, every merge, a tensor merged with itself, three inputs."""
    i = Input(shape=(5,))
    a, b = Dense(6, activation="tanh")(i), Dense(6, activation="relu")(i)
    merged = [Add()([a, b]), Subtract()([a, b]), Multiply()([a, b]), Maximum()([a, b]),
              Minimum()([a, b]), Add()([a, a]), Multiply()([b, b]),
              Average()([a, b, a])]  # fmt: skip
    o = Dense(3, name="out")(Concatenate()([*merged, i]))
    return Case([i], [o], ["huber"], _data(rng, (n, 5)), _data(rng, (n, 3)))


def shared(rng, n=14):
    """A layer used three times, once on its own output."""
    i, j = Input(shape=(5,)), Input(shape=(5,))
    layer = Dense(5, activation="tanh")
    a, b = layer(i), layer(layer(j))
    o = Dense(2, name="out")(Concatenate()([a, b]))
    return Case([i, j], [o], ["mae"], _data(rng, (n, 5), (n, 5)), _data(rng, (n, 2)))


def several_outputs(rng, n=21):
    """Two losses with weights, an output that goes on, sample weights, metrics."""
    i = Input(shape=(7,))
    h = Dense(10, activation="relu")(i)
    probabilities = Dense(3, activation="softmax", name="kind")(h)
    o = Dense(2, name="place")(Concatenate()([h, probabilities]))
    y = [one_hot(rng.integers(0, 3, n), 3), rng.standard_normal((n, 2))]
    return Case([i], [probabilities, o], [losses.CategoricalCrossentropy(label_smoothing=0.1),
                "mse"], _data(rng, (n, 7)), y, [rng.uniform(0, 2, n), None], [0.7, 2.0],
                metrics=[["accuracy"], ["mae", "RootMeanSquaredError"]],
                weighted_metrics=[["accuracy"], []])  # fmt: skip


def ranks(rng, n=9):
    """Dense on the last axis of three, concatenation along another axis, rows with weights."""
    i = Input(shape=(3, 4))
    h = Dense(5, activation="softplus")(i)
    k = Dense(5, activation="softmax")(i)
    h = Concatenate(axis=1)([h, k])
    h = PReLU(alpha_initializer="ones")(Rescaling(0.5, offset=-0.2)(h))
    h = Reshape((6, 5))(Dense(30, activation="sigmoid")(Flatten()(h)))
    o = Dense(4, activation="softmax", name="out")(h)
    return Case([i], [o], ["sparse_categorical_crossentropy"], _data(rng, (n, 3, 4)),
                [rng.integers(0, 4, (n, 6, 1))], [rng.uniform(0, 2, (n, 6))],
                metrics=[["acc"]], weighted_metrics=[["acc"]])  # fmt: skip


def views(rng, n=21):
    """Probabilities of which other outputs are views, so that rows have no gaps; single numbers."""
    i = Input(shape=(7,))
    h = Dense(10, activation="softmax", name="kind")(i)
    o = [h, Reshape((5, 2))(h), Reshape((10, 1))(h), Dense(1, name="number")(h)]
    y = [rng.integers(0, 10, n), *_data(rng, (n, 5, 2)), rng.integers(0, 2, (n, 10, 1))]
    kinds = ["sparse_categorical_crossentropy", "mse", "binary_crossentropy", "huber"]
    return Case([i], o, kinds, _data(rng, (n, 7)), [*y, *_data(rng, (n, 1))],
                metrics=[["acc"], ["mae"], ["accuracy"], ["mae"]])  # fmt: skip


def dropped(rng, n=25):
    i = Input(shape=(6,))
    h = Dropout(0.3)(Dense(11, activation="relu")(Dropout(0.2)(i)))
    o = Dense(2, name="out")(Add()([Dropout(0.5)(Dense(4)(h)), Dense(4)(h)]))
    return Case([i], [o], ["mse"], _data(rng, (n, 6)), _data(rng, (n, 2)))


def frozen(rng, n=12):
    """A frozen layer between trainable ones, and one below them all."""
    i = Input(shape=(5,))
    first, middle = Dense(6, activation="tanh"), Dense(7, activation="relu")
    o = Dense(2, name="out")(middle(Dense(4, activation="selu")(first(i))))
    return Case([i], [o], ["mse"], _data(rng, (n, 5)), _data(rng, (n, 2)),
                frozen=[first, middle])  # fmt: skip


def weighted_mean(rng, n=16):
    """A loss whose gradient needs the sample weights of the whole batch."""
    i = Input(shape=(3,))
    o = Dense(2, name="out")(Dense(6, activation="tanh")(i))
    return Case([i], [o], [losses.Huber(reduction="mean_with_sample_weight")], _data(rng, (n, 3)),
                _data(rng, (n, 2)), [rng.uniform(0, 2, n)])  # fmt: skip


def users_own(rng, n=10):
    """Layers, a loss and metrics written in Python."""
    i = Input(shape=(4,))
    h = Dense(5, activation="tanh")(i)
    h = Gate()([Square()(h), Dense(5)(h)])
    o = Dense(2, name="out")(h)
    return Case([i], [o], [Quartic()], _data(rng, (n, 4)), _data(rng, (n, 2)),
                [rng.uniform(0, 2, n)], [1.5],
                metrics=[[LargestError(), lambda t, p: np.abs(t - p).mean(axis=-1)]])  # fmt: skip


CASES = {
    f.__name__: f
    for f in (
        plain, binary, every_activation, diamond, shared, several_outputs, ranks, views, dropped,
        frozen, weighted_mean, users_own,
    )
}  # fmt: skip


def make(name: str, dtype: str = "float64", seed: int = 0, **sizes: int) -> Case:
    """Return a case whose weights and data depend on nothing but the seed (and `n`, its rows)."""
    before = config.floatx()
    config.clear_session()
    config.set_random_seed(seed)
    config.set_floatx(dtype)
    try:
        case = CASES[name](np.random.default_rng(seed), **sizes)
    finally:
        config.set_floatx(before)
    case.x = [x.astype(dtype) for x in case.x]
    rng = np.random.default_rng(seed + 1)
    for variable in variables(case):  # zero biases would put dead units on the kink of a relu
        if variable.name == "bias":
            variable.assign(rng.uniform(-0.1, 0.1, variable.shape))
    return case
