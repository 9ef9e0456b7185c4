"""Initializers: distributions, seeds, names."""

import math

import numpy as np
import pytest

from fastnn import config, initializers

SHAPE = (300, 200)

# Name, standard deviation for SHAPE, largest magnitude (None: unbounded).
DISTRIBUTIONS = [
    ("random_normal", 0.05, None),
    ("truncated_normal", 0.05 * 0.8796, 0.1),
    ("random_uniform", 0.05 / math.sqrt(3), 0.05),
    ("glorot_uniform", math.sqrt(2 / 500), math.sqrt(6 / 500)),
    ("glorot_normal", math.sqrt(2 / 500), 2 * math.sqrt(2 / 500) / 0.8796),
    ("he_uniform", math.sqrt(2 / 300), math.sqrt(6 / 300)),
    ("he_normal", math.sqrt(2 / 300), 2 * math.sqrt(2 / 300) / 0.8796),
    ("lecun_uniform", math.sqrt(1 / 300), math.sqrt(3 / 300)),
    ("lecun_normal", math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / 0.8796),
    ("variance_scaling", math.sqrt(1 / 300), 2 * math.sqrt(1 / 300) / 0.8796),
]


@pytest.mark.parametrize(("name", "deviation", "most"), DISTRIBUTIONS)
def test_mean_deviation_and_range(name, deviation, most):
    config.set_random_seed(1)
    drawn = initializers.get(name)(SHAPE, dtype="float64")
    assert drawn.shape == SHAPE
    assert abs(drawn.mean()) < 5 * deviation / math.sqrt(drawn.size)
    assert drawn.std() == pytest.approx(deviation, rel=0.02)
    if most is not None:
        assert 0.9 * most < np.abs(drawn).max() <= most * 1.0001


def test_constants():
    assert (initializers.Zeros()((2, 3)) == 0).all()
    assert (initializers.Ones()((2, 3)) == 1).all()
    assert (initializers.Constant(2.5)((2, 3)) == 2.5).all()
    assert initializers.Constant([1, 2])((3, 2)).tolist() == [[1, 2]] * 3
    assert initializers.Identity(gain=3)((2, 3)).tolist() == [[3, 0, 0], [0, 3, 0]]
    with pytest.raises(ValueError, match=r"Constant: a value of shape \(2,\) does not fit"):
        initializers.Constant([1, 2])((3, 4))
    with pytest.raises(ValueError, match="Identity: a weight needs rank 2"):
        initializers.Identity()((3,))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (2, 3, 4)])
def test_orthogonal(shape):
    q = initializers.Orthogonal(gain=2, seed=0)(shape, dtype="float64").reshape(-1, shape[-1])
    gram = q.T @ q if q.shape[0] >= q.shape[1] else q @ q.T
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-12)


def test_the_other_names_of_the_classes():
    for cls in initializers._CLASSES:
        assert getattr(initializers, config.snake_case(cls.__name__)) is cls
    assert initializers.IdentityInitializer is initializers.Identity
    assert initializers.OrthogonalInitializer is initializers.Orthogonal


def test_a_seeded_instance_repeats_itself():
    for name in ("RandomNormal", "TruncatedNormal", "HeNormal", "Orthogonal", "RandomUniform"):
        initializer = getattr(initializers, name)(seed=3)
        assert (initializer((4, 5)) == initializer((4, 5))).all()


def test_unseeded_draws_differ_and_follow_the_global_seed():
    initializer = initializers.GlorotUniform()
    config.set_random_seed(5)
    first, second = initializer((4, 5)), initializer((4, 5))
    assert (first != second).any()
    config.set_random_seed(5)
    assert (initializer((4, 5)) == first).all()


def test_dtype():
    config.set_random_seed(0)
    for cls in initializers._CLASSES:
        made = initializers.get(cls)
        assert made((3, 3)).dtype == np.float32
        assert made((3, 3), dtype="float64").dtype == np.float64


@pytest.mark.parametrize("name", [cls.__name__ for cls in initializers._CLASSES])
def test_round_trip_of_the_configuration(name):
    made = initializers.get(name)
    data = initializers.serialize(made)
    again = initializers.deserialize(data)
    assert type(again) is type(made)
    assert again.get_config() == made.get_config()
    assert initializers.get(data).get_config() == made.get_config()


def test_names():
    assert isinstance(initializers.get("uniform"), initializers.RandomUniform)  # Keras 1
    assert isinstance(initializers.get("normal"), initializers.RandomNormal)
    assert isinstance(initializers.get("HeNormal"), initializers.HeNormal)
    assert isinstance(initializers.get(initializers.Ones), initializers.Ones)

    def own(shape, dtype=None):
        return np.full(shape, 7.0, dtype)

    assert initializers.get(own) is own
    with pytest.raises(ValueError, match="'he_norml': did you mean 'he_normal'"):
        initializers.get("he_norml")
    with pytest.raises(ValueError, match="expected a name"):
        initializers.get(3)


@pytest.mark.parametrize(
    "arguments", [{"scale": 0}, {"mode": "fan"}, {"distribution": "cauchy"}, {"seed": -1}]
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        initializers.VarianceScaling(**arguments)
