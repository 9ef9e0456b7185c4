"""Settings of the process."""

import random

import numpy as np
import pytest

import fastnn
from fastnn import config


def test_floatx():
    assert config.floatx() == "float32"
    config.set_floatx("float64")
    try:
        assert config.floatx() == "float64"
    finally:
        config.set_floatx("float32")
    for bad in ("float16", None, "banana", int):
        with pytest.raises(ValueError, match="'float32' or 'float64'"):
            config.set_floatx(bad)
    assert config.floatx() == "float32"


def test_what_programs_for_keras_ask():
    assert config.backend() == fastnn.backend.backend() == "numpy"
    assert fastnn.version() == fastnn.__version__


def test_epsilon_and_engine_check_their_values():
    with pytest.raises(ValueError, match="positive"):
        config.set_epsilon(0)
    assert config.epsilon() == 1e-7
    before = config.engine()
    with pytest.raises(ValueError, match="expected one of"):
        config.set_engine("cuda")
    assert config.engine() == before


def test_the_seed_repeats_all_three_sources():
    def draw():
        config.set_random_seed(11)
        return random.random(), np.random.rand(), config.next_seed(), config.rng().random()

    assert draw() == draw()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, None, True, "7"])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="set_random_seed"):
        config.set_random_seed(seed)


@pytest.mark.parametrize(
    ("name", "snake"),
    [
        ("Dense", "dense"),
        ("PReLU", "p_re_lu"),
        ("LeakyReLU", "leaky_re_lu"),
        ("ELU", "elu"),
        ("ReLU", "re_lu"),
        ("InputLayer", "input_layer"),
        ("SGD", "sgd"),
        ("HTTPLayer2", "http_layer2"),
    ],
)
def test_snake_case(name, snake):
    assert config.snake_case(name) == snake


def test_names_are_counted():
    config.clear_session()
    assert [config.unique_name("dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert config.unique_name("flatten") == "flatten"
    config.clear_session()
    assert config.unique_name("dense") == "dense"
