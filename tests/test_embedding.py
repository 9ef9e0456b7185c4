"""Embedding: rows of a table by whole numbers, which are checked where they are used."""

from __future__ import annotations

import numpy as np
import pytest

import fastnn
from fastnn import Input, Model, Sequential, config, ops, optimizers
from fastnn.layers import Dense, Embedding, Flatten, Layer

ENGINES = ("c", "numpy")
X = np.random.default_rng(0).integers(0, 9, (37, 4))
Y = np.random.default_rng(1).normal(size=(37, 2))


def made(engine="c", rate=0.05):
    config.set_floatx("float64")
    config.set_random_seed(3)
    model = Sequential([Input((4,)), Embedding(9, 3), Flatten(), Dense(2)])
    model.compile(optimizers.SGD(rate), "mse", engine=engine)
    return model


def test_gradient_is_that_of_one_hot_rows():
    model = made(rate=1.0)
    table, kernel, bias = model.get_weights()
    model.train_on_batch(X, Y)
    found = table - model.get_weights()[0]
    error = 2 * (table[X].reshape(37, 12) @ kernel + bias - Y) / Y.size
    rows = (error @ kernel.T).reshape(37, 4, 3)
    expected = np.einsum("ntv,ntf->vf", np.eye(9)[X], rows)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_both_engines_and_all_threads_agree():
    results = {}
    for engine, threads in (("c", 1), ("c", 2), ("c", 3), ("c", 8), ("numpy", 1)):
        fastnn.set_num_threads(threads)
        try:
            model = made(engine)
            model.fit(X, Y, epochs=3, batch_size=16, verbose=0)
        finally:
            fastnn.set_num_threads(0)
        found = [*model.get_weights(), model.predict(X, verbose=0)]
        results[engine, threads] = np.concatenate([np.ravel(one) for one in found])
    for threads in (2, 3, 8):
        assert results["c", threads].tobytes() == results["c", 1].tobytes()
    np.testing.assert_allclose(results["c", 1], results["numpy", 1], rtol=1e-12)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("bad", [9, -1, 0.5, np.nan, 1e30])
@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_of_no_row_are_errors(engine, bad, threads):
    model = made(engine)
    fastnn.set_num_threads(threads)
    wrong = X.astype(float)
    wrong[20, 2], wrong[36, 1] = bad, 77
    before = model.get_weights()
    match = r"'embedding\w*': expected whole numbers from 0 to 8.* got \S+ in row 20 of the data"
    try:
        for use in (
            lambda: model.fit(wrong, Y, verbose=0, shuffle=False),
            lambda: model.evaluate(wrong, Y, verbose=0),
            lambda: model.predict(wrong, verbose=0),
            lambda: model.train_on_batch(wrong, Y),
        ):
            with pytest.raises(IndexError, match=match):
                use()
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        assert model.fit(X, Y, verbose=0).history["loss"][0] > 0
    finally:
        fastnn.set_num_threads(0)


def test_one_table_for_two_inputs():
    config.set_floatx("float64")
    config.set_random_seed(3)
    table = Embedding(9, 3)
    a, b = Input((1,)), Input((1,))
    model = Model([a, b], ops.sum(table(a) * table(b), axis=(1, 2))[:, None])
    model.compile(optimizers.SGD(1.0), "mse")
    before = table.get_weights()[0]
    u, v, y = X[:, :1], X[:, 1:2], Y[:, :1]
    model.train_on_batch([u, v], y)
    error = 2 * (np.sum(before[u] * before[v], axis=(1, 2))[:, None, None] - y[..., None]) / 37
    expected = np.zeros((9, 3))
    np.add.at(expected, u, error * before[v])
    np.add.at(expected, v, error * before[u])
    np.testing.assert_allclose(before - table.get_weights()[0], expected, atol=1e-14)


def test_take_from_a_weight_of_ones_own():
    class Offset(Layer):
        def build(self, input_shape):
            self.table = self.add_weight((9, 2), "random_normal")

        def call(self, inputs):
            return ops.sum(ops.take(self.table, inputs, axis=0), axis=1)

    model = Sequential([Input((4,)), Offset()])
    (table,) = model.get_weights()
    np.testing.assert_allclose(model.predict(X, verbose=0), table[X].sum(axis=1), rtol=1e-6)


def test_arguments():
    with pytest.raises(ValueError, match="input_dim must be a positive integer, got 0"):
        Embedding(0, 3)
    with pytest.raises(IndexError, match="from 0 to 4, got 0 to 5: give it more rows"):
        Embedding(5, 3)(np.array([[0, 5]]))
    assert Embedding(5, 3, input_length=2)(np.array([[0, 4]])).shape == (1, 2, 3)
