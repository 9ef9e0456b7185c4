"""The engines give the same trainings: float32 to its rounding, float64 to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
from engines import CASES, ENGINES, Case, make, restore, snapshot, train

from fastnn import optimizers
from fastnn.layers import Dense, Input

RULES = {
    "sgd": {"class_name": "SGD", "config": {"learning_rate": 0.05}},
    "momentum": {"class_name": "SGD", "config": {"learning_rate": 0.002, "momentum": 0.9}},
    "nesterov": {
        "class_name": "SGD",
        "config": {"learning_rate": 0.02, "momentum": 0.9, "nesterov": True},
    },
    "rmsprop": {"class_name": "RMSprop", "config": {"learning_rate": 0.003}},
    "rmsprop_momentum": {
        "class_name": "RMSprop",
        "config": {"learning_rate": 0.003, "momentum": 0.5},
    },
    "rmsprop_centered": {
        "class_name": "RMSprop",
        "config": {"learning_rate": 0.003, "centered": True},
    },
    "rmsprop_centered_momentum": {
        "class_name": "RMSprop",
        "config": {"learning_rate": 0.003, "centered": True, "momentum": 0.5},
    },
    "adam": {"class_name": "Adam", "config": {"learning_rate": 0.01}},
    "amsgrad": {"class_name": "Adam", "config": {"learning_rate": 0.01, "amsgrad": True}},
    "decay": {"class_name": "AdamW", "config": {"learning_rate": 0.01, "weight_decay": 0.1}},
}


def trainings(name, dtype, rule, **options):
    """Train with every engine from the same start; return weights and results."""
    case = make(name, dtype)
    start = snapshot(case)
    found = []
    for engine in ENGINES.values():
        restore(case, start)
        optimizer = optimizers.get(RULES[rule])
        logs = train(case, engine, optimizer, batch=8, **options)
        found.append((snapshot(case), logs, optimizer.state()))
    assert len(found) >= 1
    return found


def agree(found, rtol, atol):
    weights, logs, state = found[0]
    for other_weights, other_logs, other_state in found[1:]:
        for a, b in zip(weights, other_weights, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)
        for a, b in zip(logs, other_logs, strict=True):
            assert a == pytest.approx(b, rel=rtol, abs=atol)
        assert state.keys() == other_state.keys()
        for key, slot in state.items():
            np.testing.assert_allclose(slot, other_state[key], rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", CASES)
def test_whole_trainings_in_float64(name):
    agree(trainings(name, "float64", "momentum", epochs=4), 1e-12, 1e-14)


@pytest.mark.parametrize("name", CASES)
def test_whole_trainings_in_float32(name):
    agree(trainings(name, "float32", "momentum", epochs=4), 2e-4, 2e-5)


@pytest.mark.parametrize("rule", RULES)
def test_rules_in_float64(rule):
    agree(trainings("plain", "float64", rule, epochs=5), 1e-12, 1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_rules_in_float32(rule):
    agree(trainings("plain", "float32", rule, epochs=2), 2e-3, 2e-4)


@pytest.mark.parametrize("name", CASES)
def test_without_rewrites(name):
    agree(trainings(name, "float64", "momentum", epochs=2, fuse=False), 1e-12, 1e-14)


@pytest.mark.parametrize("decay", [None, 0.1])
def test_weights_of_inputs_that_are_zero_in_the_whole_batch(decay):
    """Their gradients are zero: plain SGD leaves them out, but not their decay."""
    rng = np.random.default_rng(4)
    inputs = Input((200,))
    outputs = Dense(3)(Dense(130, activation="relu")(inputs))
    x = (rng.random((24, 200)) * (rng.random((24, 200)) < 0.05)).astype("float32")
    idle = ~x.any(axis=0)
    assert 0.2 < idle.mean() < 0.5
    case = Case([inputs], [outputs], ["mse"], [x], [rng.random((24, 3)).astype("float32")])
    start = snapshot(case)
    found = {}
    for engine, threads in [("numpy", 0), ("c", 1), ("c", 2), ("c", 3)]:
        restore(case, start)
        optimizer = optimizers.SGD(0.05, weight_decay=decay)
        train(case, ENGINES[engine], optimizer, epochs=2, threads=threads)
        found[engine, threads] = kernel = snapshot(case)[0]
        shrunk = start[0][idle] * (1 - 0.05 * (decay or 0)) ** 2
        np.testing.assert_allclose(kernel[idle], shrunk, rtol=1e-6)
        assert np.any(kernel[~idle] != start[0][~idle])
    np.testing.assert_allclose(found["numpy", 0], found["c", 1], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found["c", 1], found["c", 2])
    np.testing.assert_array_equal(found["c", 1], found["c", 3])
