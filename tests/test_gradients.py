"""Every gradient against central differences, in float64, on every engine, fused and not.

The gradient is read off one step of plain descent with learning rate 1; the loss in training
mode, of one batch, off a step with learning rate 0.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from engines import CASES, ENGINES, Case, make, one_hot

from fastnn import _core, config, losses, optimizers
from fastnn.layers import Dense, Input
from fastnn.losses.base import kind_of
from fastnn.losses.registry import CLASSES


class Probe:
    """One batch of a case on an engine."""

    def __init__(self, case, engine, fuse):
        self.program = case.build(optimizers.SGD(), fuse=fuse)
        self.engine = case.engine(ENGINES[engine], self.program)
        self.n = case.rows

    def step(self, rate):
        coefficients = np.zeros((1, 8))
        coefficients[0, 1] = rate
        self.engine.reset()
        self.engine.train(np.arange(self.n), self.n, coefficients, step=3, seed=11)
        return self.program.results(self.engine.sums)["loss"]

    def gradients(self):
        variables = self.program.trainable
        before = [v.numpy() for v in variables]
        self.step(1.0)
        gradients = [old - v.value for old, v in zip(before, variables, strict=True)]
        for v, old in zip(variables, before, strict=True):
            v.assign(old)
        return gradients

    def difference(self, variable, index, h):
        old = variable.value[index]
        variable.value[index] = old + h
        up = self.step(0.0)
        variable.value[index] = old - h
        down = self.step(0.0)
        variable.value[index] = old
        return (up - down) / (2 * h)


def check(case, engine, fuse, *, samples=6, h=1e-6, scale=1.0):
    """`scale`: what the reported loss is to be multiplied by to be the one descended on."""
    probe = Probe(case, engine, fuse)
    rng = np.random.default_rng(99)
    gradients = probe.gradients()
    assert any(np.any(g) for g in gradients)
    for variable, gradient in zip(probe.program.trainable, gradients, strict=True):
        indices = list(np.ndindex(*variable.shape))
        for k in rng.permutation(len(indices))[:samples]:
            expected = probe.difference(variable, indices[k], h) * scale
            assert gradient[indices[k]] == pytest.approx(expected, rel=2e-5, abs=2e-8), (
                variable.path,
                indices[k],
            )


@pytest.mark.parametrize("fuse", [True, False])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_whole_graphs(engine, name, fuse):
    check(make(name), engine, fuse)


def classifier(loss, activation, features=3, hidden="tanh", n=7):
    """A small model that ends in `activation`, with data that suits the loss."""
    config.set_random_seed(3)
    rng = np.random.default_rng(4)
    config.set_floatx("float64")
    try:
        i = Input(shape=(4,))
        o = Dense(features, activation=activation, name="out")(Dense(5, activation=hidden)(i))
    finally:
        config.set_floatx("float32")
    x = rng.standard_normal((n, 4))
    kind = kind_of(loss).removesuffix("_logits")
    if kind.startswith("sparse"):
        y = rng.integers(0, features, n)
    elif kind.startswith("categorical"):
        y = one_hot(rng.integers(0, features, n), features)
    elif kind in ("binary_crossentropy", "hinge", "squared_hinge"):
        y = rng.integers(0, 2, (n, features)).astype(float)
    elif kind in ("poisson", "mean_squared_logarithmic_error"):
        y = rng.integers(0, 5, (n, features)).astype(float)
    elif kind == "kl_divergence":
        y = rng.dirichlet(np.ones(features), n)
    else:
        y = rng.standard_normal((n, features)) * 2
    return Case([i], [o], [loss], [x], [y], [rng.uniform(0.5, 2, n)])


LOSS_OBJECTS = [
    losses.MeanSquaredError(),
    losses.MeanAbsoluteError(),
    losses.Huber(0.7),
    losses.BinaryCrossentropy(label_smoothing=0.2),
    losses.CategoricalCrossentropy(label_smoothing=0.2),
    losses.SparseCategoricalCrossentropy(),
    losses.BinaryCrossentropy(from_logits=True),
    losses.CategoricalCrossentropy(from_logits=True),
    losses.SparseCategoricalCrossentropy(from_logits=True),
]
LOSS_OBJECTS += [cls() for cls in CLASSES.values() if cls not in map(type, LOSS_OBJECTS)]
OF_POSITIVE = ("mean_squared_logarithmic_error", "poisson", "kl_divergence")
"""Losses that clip, or are NaN, where predictions are not positive."""


def test_every_loss_is_checked():
    """One that wants other targets than numbers gets them in `classifier`."""
    assert {type(loss) for loss in LOSS_OBJECTS} == set(CLASSES.values())
    superops = {f"{kind}_crossentropy_logits" for kind in _core.CROSSENTROPIES}
    assert superops < {kind_of(loss) for loss in LOSS_OBJECTS}


@pytest.mark.parametrize("engine", ENGINES)
def test_cosine_similarity_of_zero_vectors_has_a_gradient(engine):
    case = classifier(losses.CosineSimilarity(), "linear")
    case.y[0][0] = 0.0
    probe = Probe(case, engine, True)
    for variable in probe.program.trainable[2:]:  # of the last layer
        variable.assign(np.zeros(variable.shape))
    assert all(np.isfinite(gradient).all() for gradient in probe.gradients())


@pytest.mark.filterwarnings("ignore:Output 'out' ends in")
@pytest.mark.parametrize("loss", LOSS_OBJECTS, ids=kind_of)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_loss_behind_every_activation(engine, loss):
    kinds_of_probabilities = {"sigmoid", "hard_sigmoid", "softmax", "softplus", "exponential"}
    for activation in _core.ACTIVATIONS:
        clips = kind_of(loss).endswith("crossentropy") or kind_of(loss) in OF_POSITIVE
        if clips and activation not in kinds_of_probabilities:
            continue
        if kind_of(loss) == "binary_crossentropy" and activation in ("softplus", "exponential"):
            continue
        for fuse in (True, False):
            check(classifier(loss, activation), engine, fuse, samples=3)


@pytest.mark.parametrize("activation", _core.ACTIVATIONS)
@pytest.mark.parametrize("engine", ENGINES)
def test_every_activation_on_awkward_sizes(engine, activation):
    for features, n in itertools.product((1, 7, 17), (1, 6, 9)):
        loss = losses.MeanSquaredError()
        if activation == "softmax" and features == 1:
            continue  # constant
        case = classifier(loss, "linear", features=features, hidden=activation, n=n)
        check(case, engine, True, samples=2)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("engine", ENGINES)
def test_reductions(engine, reduction):
    case = classifier(losses.MeanSquaredError(reduction=reduction), "tanh")
    check(case, engine, True)
