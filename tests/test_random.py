"""`fastnn.random`: Keras's names and signatures, seeds, distributions."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from tensors import leaf

from fastnn import config, ops, random
from fastnn.ops import NotTraceable

MANY = (20000,)
DRAWS = {
    "beta": lambda **k: random.beta(MANY, 2.0, 3.0, **k),
    "binomial": lambda **k: random.binomial(MANY, 10, 0.3, **k),
    "gamma": lambda **k: random.gamma(MANY, 2.5, **k),
    "normal": lambda **k: random.normal(MANY, 1.0, 2.0, **k),
    "truncated_normal": lambda **k: random.truncated_normal(MANY, 1.0, 2.0, **k),
    "uniform": lambda **k: random.uniform(MANY, -1.0, 3.0, **k),
    "randint": lambda **k: random.randint(MANY, 2, 6, **k),
    "categorical": lambda **k: random.categorical(np.zeros((2, 3)), 10000, **k),
    "dropout": lambda **k: random.dropout(np.ones(MANY, np.float32), 0.25, **k),
    "shuffle": lambda **k: random.shuffle(np.arange(100), **k),
}


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("beta", "(shape, alpha, beta, dtype=None, seed=None)"),
        ("binomial", "(shape, counts, probabilities, dtype=None, seed=None)"),
        ("categorical", "(logits, num_samples, dtype='int32', seed=None)"),
        ("dropout", "(inputs, rate, noise_shape=None, seed=None)"),
        ("gamma", "(shape, alpha, dtype=None, seed=None)"),
        ("normal", "(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)"),
        ("randint", "(shape, minval, maxval, dtype='int32', seed=None)"),
        ("shuffle", "(x, axis=0, seed=None)"),
        ("truncated_normal", "(shape, mean=0.0, stddev=1.0, dtype=None, seed=None)"),
        ("uniform", "(shape, minval=0.0, maxval=1.0, dtype=None, seed=None)"),
    ],
)
def test_signatures_of_keras(name, signature):
    parameters = inspect.signature(getattr(random, name)).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == signature


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name):
    draw = DRAWS[name]
    assert (draw(seed=7) == draw(seed=7)).all() and not (draw(seed=7) == draw(seed=8)).all()
    assert (draw(seed=np.int64(7)) == draw(seed=7)).all()
    config.set_random_seed(5)
    first, second = draw(), draw()
    config.set_random_seed(5)
    assert (draw() == first).all() and not (first == second).all()
    a, b = random.SeedGenerator(3), random.SeedGenerator(3)
    first, second = draw(seed=a), draw(seed=a)
    assert (draw(seed=b) == first).all() and (draw(seed=b) == second).all()
    assert not (first == second).all()
    with pytest.raises(ValueError, match="expected an integer from 0, got -1"):
        draw(seed=-1)


def test_seed_generators():
    made = random.SeedGenerator(3, name="noise")
    assert made.get_config() == {"seed": 3, "name": "noise"}
    again = random.SeedGenerator.from_config(made.get_config())
    assert (again.next() == made.next()).all() and not (again.next() == made.state).all()
    assert random.SeedGenerator().get_config()["seed"] is None
    config.set_random_seed(1)
    one = random.SeedGenerator().seed
    config.set_random_seed(1)
    assert random.SeedGenerator().seed == one != random.SeedGenerator().seed
    for wrong in (1.5, True, -2):
        with pytest.raises(ValueError, match="expected an integer from 0"):
            random.SeedGenerator(wrong)
    with pytest.raises(TypeError, match="unexpected argument 'sed'"):
        random.SeedGenerator(sed=1)


@pytest.mark.parametrize(
    ("name", "mean", "deviation"),
    [
        ("beta", 0.4, 0.2),
        ("binomial", 3.0, np.sqrt(2.1)),
        ("gamma", 2.5, np.sqrt(2.5)),
        ("normal", 1.0, 2.0),
        ("truncated_normal", 1.0, 2 * 0.87962566),
        ("uniform", 1.0, 4 / np.sqrt(12)),
        ("randint", 3.5, np.sqrt(1.25)),
        ("categorical", 1.0, np.sqrt(2 / 3)),
        ("dropout", 1.0, np.sqrt(1 / 3)),
    ],
)
def test_distributions(name, mean, deviation):
    values = DRAWS[name](seed=0)
    assert values.dtype == ("int32" if name in ("randint", "categorical") else "float32")
    assert abs(values.mean() - mean) < 5 * deviation / np.sqrt(values.size)
    assert abs(values.std() - deviation) < 0.03 * deviation + 0.01


def test_limits():
    assert np.abs(random.truncated_normal(MANY, seed=0)).max() <= 2
    values = random.uniform((10**6,), 0.0, 1.0, seed=0)
    assert values.min() >= 0 and values.max() < 1
    tight = random.uniform(MANY, 1.0, 1.0000002, seed=0)  # one number apart in float32
    assert tight.max() < np.float32(1.0000002)
    assert set(random.randint(MANY, 2, 6, seed=0)) == {2, 3, 4, 5}
    assert set(random.uniform(MANY, 2, 6, "int64", seed=0)) == {2, 3, 4, 5}
    assert set(random.dropout(np.ones(100), 0.5, seed=0)) == {0.0, 2.0}


def test_types_and_shapes():
    assert random.normal((2, 3)).shape == (2, 3) and random.normal(4).shape == (4,)
    assert random.normal((), dtype="float64").dtype == np.float64
    config.set_floatx("float64")
    assert random.uniform((1,)).dtype == random.gamma((1,), 1.0).dtype == np.float64
    assert random.randint((3,), 0, [1, 2, 3], "uint8").dtype == np.uint8
    assert random.normal((2, 3), [0.0, 100.0, 200.0], 1.0, seed=0)[0, 2] > 100


def test_dropout():
    x = np.ones((4, 5), np.float32)
    columns = random.dropout(x, 0.5, noise_shape=(None, 1), seed=1)
    assert (columns == columns[:, :1]).all() and len(set(columns[:, 0])) == 2
    same = random.dropout(x, 0.0)
    assert (same == x).all() and not np.shares_memory(same, x)
    assert (random.dropout(x, 1.0) == 0).all()
    with pytest.raises(ValueError, match="a rate from 0 to 1, got 2"):
        random.dropout(x, 2)


def test_categorical_follows_softmax():
    logits = np.log([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    drawn = random.categorical(logits, 20000, seed=0)
    assert drawn.shape == (2, 20000)
    shares = np.stack([(drawn == k).mean(axis=1) for k in range(3)], axis=1)
    np.testing.assert_allclose(shares, np.exp(logits), atol=0.015)
    with pytest.raises(ValueError, match=r"expected logits \(batch, classes\), got \(3,\)"):
        random.categorical(logits[0], 1)


def test_shuffled_slices_stay_whole():
    x = np.arange(30).reshape(10, 3)
    y = random.shuffle(x, seed=0)
    assert (y != x).any() and (y[:, 0] % 3 == 0).all() and (np.diff(y) == 1).all()
    assert (np.sort(y, axis=0) == x).all()
    assert (np.sort(random.shuffle(x, axis=1, seed=0), axis=1) == x).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: random.normal(ops.shape(x)),
        lambda x: random.uniform((ops.shape(x)[0], 2)),
        lambda x: random.normal((3,), mean=x),
        lambda x: random.dropout(x, 0.5),
        lambda x: random.shuffle(x),
    ],
)
def test_tensors(draw):
    with pytest.raises(NotTraceable, match=r"random\.\w+ draws numbers for arrays: .* before fit"):
        draw(leaf("x", 3))
