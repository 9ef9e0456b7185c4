"""fit(profile=True): where the time of a step goes."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn as keras
from fastnn import _core, layers
from fastnn.training.profiling import lines


def wide_and_deep():
    i = keras.Input(shape=(200,), name="wide")
    h = layers.PReLU()(layers.Dense(128)(layers.Dense(128, activation="relu", name="first")(i)))
    o = layers.Dense(3, activation="softmax", name="out")(layers.Concatenate()([i, h]))
    model = keras.Model(inputs=i, outputs=o)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def data(rng):
    x = rng.random((96, 200)) * (rng.random((96, 200)) < 0.1)
    return x.astype(np.float32), rng.integers(0, 3, 96)


def test_the_table_names_every_part_of_a_step(data, capsys):
    model = wide_and_deep()
    model.fit(*data, epochs=2, verbose=0, profile=True)
    text = capsys.readouterr().out
    for part in (
        "gather", "losses", "first forward", "first parameters", "out backward", "a step",
        "p_re_lu+concatenate forward", "p_re_lu+concatenate backward", "GB/s in memory",
        "of its input is not zero", "of peak",
    ):  # fmt: skip
        assert part in text, text
    assert "first backward" not in text  # nobody asks for the gradient of the data


def test_profiling_changes_no_bit_and_ends(data, capsys):
    weights = []
    for profile in (False, True):
        keras.utils.set_random_seed(1)
        model = wide_and_deep()
        model.fit(*data, epochs=2, verbose=0, profile=profile)
        weights.append(model.get_weights())
    capsys.readouterr()
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(*data, epochs=1, verbose=0)
    assert capsys.readouterr().out == ""


def test_the_history_survives_peaks_that_cannot_be_measured(data, capsys, monkeypatch):
    def peak_bytes(threads):
        raise MemoryError

    monkeypatch.setattr(_core, "peak_bytes", peak_bytes)
    history = wide_and_deep().fit(*data, verbose=0, profile=True)
    assert len(history.history["loss"]) == 1
    text = capsys.readouterr().out
    assert "first forward" in text and "too little memory" in text and "a step" in text


def test_the_work_of_a_dense_layer_is_counted(data):
    model = keras.Sequential([keras.Input((200,)), layers.Dense(128, name="d"), layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((64, 200), np.float32), np.ones((64, 1), np.float32)
    model.fit(x, y, batch_size=32, verbose=0)
    slot = model._engines.training("c", 32)
    slot.engine.profile(True)
    model.fit(x, y, batch_size=32, verbose=0)
    by_name = {line.name: line for line in lines(slot.program, slot.engine.profiled(), 2, 32)}
    forward = by_name["d forward"]
    assert forward.flops == 2 * 32 * 200 * 128
    assert forward.bytes == 4 * (32 * 200 + 200 * 128 + 32 * 128)
    assert by_name["d parameters"].bytes == 4 * (32 * 200 + 2 * 200 * 128 + 32 * 128)
    assert forward.density == 1 and forward.seconds > 0


def test_a_frozen_layer_has_no_parameters_to_make(data, capsys):
    model = wide_and_deep()
    model.get_layer("first").trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(*data, verbose=0, profile=True)
    text = capsys.readouterr().out
    assert "first forward" in text and "first parameters" not in text


def test_the_numpy_engine_is_not_profiled(data):
    model = wide_and_deep()
    model.compile("adam", "sparse_categorical_crossentropy", engine="numpy")
    with pytest.raises(ValueError, match="engine='c'"):
        model.fit(*data, verbose=0, profile=True)
