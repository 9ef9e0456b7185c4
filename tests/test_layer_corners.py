"""Where layers meet each other, both engines, and the ends of what can be traced."""

from __future__ import annotations

import pickle
from collections import namedtuple

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, losses, ops, optimizers, random
from fastnn.layers import Activation, Dense, Dropout, Embedding, Layer
from fastnn.ops.tensor import NotTraceable

ENGINES = ["c", "numpy"]
ONES = np.ones((4, 2), np.float32)


def compiled(model, engine="c", rate=0.1):
    model.compile(optimizers.SGD(rate), "mse", engine=engine)
    return model


# --- state -----------------------------------------------------------------------------------


class Counting(Layer):
    """Adds to the loss how often it was called."""

    def build(self, input_shape):
        self.count = self.add_weight((), initializer="zeros", trainable=False, name="count")

    def call(self, inputs):
        self.count.assign_add(1.0)
        self.add_loss(1.0 * self.count)
        return inputs


@pytest.mark.parametrize("engine", ENGINES)
def test_what_reads_a_state_reads_the_same_in_every_mode(engine):
    layer = Counting()
    zeros = np.zeros((4, 2), np.float32)
    model = Sequential([Input((2,)), layer, Dense(1, kernel_initializer="zeros")])
    compiled(model, engine, rate=0.0)
    found = [model.evaluate(zeros, np.zeros(4), verbose=0)]
    found += model.fit(zeros, np.zeros(4), verbose=0).history["loss"]
    found.append(model.evaluate(zeros, np.zeros(4), verbose=0))
    assert found == [1.0, 2.0, 3.0]
    model.predict(zeros, verbose=0)
    assert layer.count.numpy() == 4.0


class RunningMean(Layer):
    """Two states in two parts of a program: one behind a dense layer, the other in front."""

    def build(self, input_shape):
        self.count = self.add_weight((), initializer="zeros", trainable=False, name="count")
        self.mean = self.add_weight((2,), initializer="zeros", trainable=False, name="mean")
        self.inner = Dense(2, kernel_initializer="ones", use_bias=False)

    def call(self, inputs):
        y = self.inner(inputs)
        self.count.assign_add(1.0)
        self.mean.assign(self.mean + (ops.mean(y, axis=0) - self.mean) / self.count)
        return y


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_that_reads_another_reads_what_it_has_become(engine):
    layer = RunningMean()
    model = compiled(Sequential([Input((2,)), layer]), engine, rate=0.0)
    model.fit(ONES, ONES, batch_size=4, verbose=0)
    assert layer.count.numpy() == 1.0
    np.testing.assert_array_equal(layer.mean.numpy(), [2.0, 2.0])


def test_another_result_outside_of_trainings_is_noticed():
    settings = {"scale": 1.0}

    class Scaled(Layer):
        def call(self, inputs, training=False):
            return inputs if training else inputs * settings["scale"]

    model = compiled(Sequential([Input((1,)), Scaled()]))
    x, y = np.ones((4, 1)), np.zeros((4, 1))
    assert model.evaluate(x, y, verbose=0) == 1.0
    settings["scale"] = 3.0
    assert model.evaluate(x, y, verbose=0) == 9.0


# --- layers within layers --------------------------------------------------------------------


class Reversed(Layer):
    """Its stated gradient is not that of its call."""

    gradient_is_exact = False

    def call(self, inputs):
        return inputs * 1.0

    def backward(self, inputs, output, doutput):
        return -doutput


class Around(Layer):
    def __init__(self, by_name=False, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.by_name = Reversed(), by_name

    def call(self, inputs):
        return self.inner(inputs=inputs) if self.by_name else self.inner(2.0 * inputs) / 2.0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("layer", [Reversed, Around, lambda: Around(by_name=True)])
def test_a_stated_gradient_counts_within_another_layer(layer, engine):
    dense = Dense(1, kernel_initializer="ones", use_bias=False)
    model = compiled(Sequential([Input((2,)), dense, layer()]), engine)
    model.fit(ONES, np.zeros(4), batch_size=4, verbose=0)
    np.testing.assert_allclose(dense.kernel.numpy().ravel(), [1.4, 1.4], rtol=1e-6)


class OfNumbers(Layer):
    """Python alone can call it."""

    def call(self, inputs, other=None):
        pairs = zip(inputs.tolist(), other.tolist(), strict=True)
        return np.array([[a + 2.0 * b] for (a,), (b,) in pairs], inputs.dtype)

    def backward(self, inputs, output, doutput):
        return [doutput, 2.0 * doutput]


class WithOfNumbers(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = OfNumbers()

    def call(self, inputs):
        return self.inner(inputs[:, :1], other=inputs[:, 1:])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_layer_for_python_alone_takes_tensors_by_name(engine):
    x = Input((2,))
    hidden = Dense(2, kernel_initializer="identity", use_bias=False)
    y = hidden(x)
    for end in (OfNumbers()(y[:, :1], other=y[:, 1:]), WithOfNumbers()(y)):
        model = compiled(Model(x, end), engine, rate=0.0)
        found = model.predict(np.array([[1.0, 10.0]]), verbose=0)
        assert found.ravel().tolist() == [21.0]
    kernel = hidden.kernel.numpy()
    compiled(model, engine).fit(ONES, np.zeros(4), batch_size=4, verbose=0)
    expected = kernel - 0.1 * 2 * 3.0 * np.array([[1.0, 2.0], [1.0, 2.0]])
    np.testing.assert_allclose(hidden.kernel.numpy(), expected, rtol=1e-5)


def twice(x):
    return np.asarray(x) * 2.0


twice.derivative = lambda x: 2.0


class Penalized(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.activation = Activation(twice)

    def build(self, input_shape):
        self.count = self.add_weight((), initializer="zeros", trainable=False)

    def call(self, inputs):
        self.count.assign_add(1.0)
        self.add_loss(100.0 + 0.0 * ops.sum(inputs))
        return self.activation(inputs)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stated_derivative_keeps_states_and_penalties(engine):
    layer = Penalized()
    model = compiled(Sequential([Input((2,)), layer]), engine)
    assert model.evaluate(ONES, 2 * ONES, verbose=0) == 100.0
    assert layer.count.numpy() == 1.0


def test_a_stated_derivative_of_weights_says_what_it_takes():
    class OfWeights(Penalized):
        def build(self, input_shape):
            self.w = self.add_weight((2, 2))

        def call(self, inputs):
            return ops.matmul(inputs, self.activation(self.w * 1.0))

    model = compiled(Sequential([Input((2,)), OfWeights()]))
    with pytest.raises(NotTraceable, match="arrays of the batch"):
        model.fit(ONES, ONES, verbose=0)


def test_a_penalty_that_would_be_missed_is_an_error():
    class Untraceable(Layer):
        def call(self, inputs):
            self.add_loss(7.0)
            float(np.sum(inputs))
            return inputs * 1.0

    model = compiled(Sequential([Input((2,)), Untraceable(name="lost")]))
    with pytest.raises(ValueError, match=r"'lost': what add_loss is given counts only where"):
        model.evaluate(ONES, ONES, verbose=0)
    np.testing.assert_array_equal(model.predict(ONES, verbose=0), ONES)


def test_a_failed_call_leaves_no_layer_built():
    class Outer(Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = Dense(3)

        def call(self, inputs):
            return self.inner(inputs) + ops.reshape(inputs, (-1, 3))

    layer = Outer()
    with pytest.raises(ValueError, match="cannot become"):
        layer(Input((4,)))
    assert not layer.built and not layer.weights
    assert layer(Input((3,))).shape == (None, 3)
    assert [w.shape for w in layer.weights] == [(3, 3), (3,)]


def test_named_tuples_are_arguments():
    pair = namedtuple("pair", "a b")

    class Sum(Layer):
        def call(self, inputs, more=None):
            return inputs.a + inputs.b + (0.0 if more is None else more.a)

    x = Input((2,))
    model = Model(x, Sum()(pair(x, 2.0 * x), more=pair(x, x)))
    np.testing.assert_array_equal(model.predict(ONES, verbose=0), 4.0 * ONES)
    np.testing.assert_array_equal(Sum()(pair(ONES, ONES)), 2.0 * ONES)


class MaskedMean(Layer):
    def call(self, inputs, mask=None):
        if mask is None:
            return ops.mean(inputs, axis=1)
        kept = ops.expand_dims(ops.cast(mask, inputs.dtype), -1)
        return ops.sum(inputs * kept, axis=1) / ops.sum(kept, axis=1)


def test_a_mask_is_given_by_name():
    x = Input((3,))
    table = Embedding(3, 2)
    model = Model(x, MaskedMean()(table(x), mask=ops.not_equal(x, 0.0)))
    words = np.array([[1, 2, 0], [2, 0, 0]])
    rows = table.embeddings.numpy()
    expected = [(rows[1] + rows[2]) / 2, rows[2]]
    np.testing.assert_allclose(model.predict(words, verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(MaskedMean()(table(words), mask=words != 0), expected, rtol=1e-6)


def test_a_mask_that_would_be_lost_is_an_error():
    class Masking(Layer):
        def __init__(self, found, **kwargs):
            super().__init__(**kwargs)
            self.found = found

        def compute_mask(self, inputs, mask=None):
            return ops.not_equal(inputs, 0.0) if self.found else None

        def call(self, inputs):
            return inputs

    assert Masking(False)(Input((2,))).shape == (None, 2)
    for inputs in (Input((2,)), ONES):
        with pytest.raises(ValueError, match=r"mask of compute_mask.*by name"):
            Masking(True)(inputs)


def test_models_with_functions_can_be_pickled():
    x = Input((2,))
    model = Model(x, np.exp(x[:, :1]) + ops.sum(x, axis=1, keepdims=True))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(ONES, verbose=0), model.predict(ONES, verbose=0))


# --- types, tables, random numbers -----------------------------------------------------------


class OfAnotherType(Layer):
    def build(self, input_shape):
        self.kernel = self.add_weight(
            (2, 2), dtype="float64", trainable=False, initializer="ones", name="kernel"
        )

    def call(self, inputs):
        return ops.matmul(inputs, self.kernel)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "layer", [OfAnotherType, lambda: Dense(2, "linear", dtype="float64", trainable=False,
                                           kernel_initializer="ones")],
)  # fmt: skip
def test_constants_of_another_type_are_read(layer, engine):
    model = compiled(Sequential([Input((2,)), layer()]), engine)
    np.testing.assert_array_equal(model.predict(ONES, verbose=0), 2.0 * ONES)


def test_a_table_of_another_type_is_an_error():
    layer = Embedding(3, 2, dtype="float64", trainable=False, name="words")
    model = Sequential([Input((2,)), layer, Activation("linear", dtype="float32")])
    with pytest.raises(ValueError, match=r"'words'.*give both one dtype"):
        model.predict(ONES, verbose=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_wrong_index_is_named_by_its_row_of_the_data(engine):
    model = compiled(Sequential([Input((3,)), Embedding(4, 2)]), engine)
    x = np.zeros((8, 3))
    x[6, 1] = 9
    with pytest.raises(IndexError, match="got 9 in row 6 of the data"):
        model.fit(x, np.zeros((8, 3, 2)), batch_size=2, shuffle=False, verbose=0)


def test_half_an_index_is_none():
    with pytest.raises(IndexError, match="whole numbers"):
        Embedding(4, 2)(np.array([[1.7]]))


def test_indices_get_no_gradient_and_leave_others_alone():
    class Both(Layer):
        def build(self, input_shape):
            self.table = self.add_weight((5, 2), initializer="zeros", name="table")
            self.dense = Dense(2, kernel_initializer="ones")

        def call(self, inputs):
            z = ops.abs(inputs) * 0.0 + 1.0 + (inputs - ops.stop_gradient(inputs))
            return self.dense(z) + ops.sum(ops.take(self.table, z, axis=0), axis=1)

    found = []
    for engine in ENGINES:
        first = Dense(3, kernel_initializer="zeros")
        model = compiled(Sequential([Input((3,)), first, Both()]), engine)
        model.fit(np.ones((4, 3)), np.zeros((4, 2)), epochs=3, batch_size=4, verbose=0)
        found.append(first.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
        assert np.abs(a).max() > 0


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_of_whole_features(engine):
    class Total(Layer):
        def build(self, input_shape):
            self.w = self.add_weight((), initializer="ones")

        def call(self, inputs):
            return self.w * ops.sum(inputs, axis=1)

    x = np.ones((64, 5, 8), np.float32)
    x[:, 1:] *= -1.0  # so that what is dropped together sums to -3 times what is left
    model = compiled(
        Sequential([Input((5, 8)), Dropout(0.5, noise_shape=(None, 1, 8)), Total()]),
        engine,
        rate=0.0,
    )
    loss = model.train_on_batch(x, np.zeros((64, 8)))
    assert loss / 36.0 == pytest.approx(0.5, abs=0.1)


def test_dropout_of_weights_is_an_error():
    class DropConnect(Layer):
        def build(self, input_shape):
            self.w = self.add_weight((2, 2))

        def call(self, inputs, training=False):
            return ops.matmul(inputs, random.dropout(self.w, 0.5) if training else self.w)

    model = compiled(Sequential([Input((2,)), DropConnect()]))
    with pytest.raises(NotTraceable, match="of weights it drops none"):
        model.fit(ONES, ONES, verbose=0)


def test_a_branch_without_slope_hinders_no_training():
    x = Input((2,))
    hidden = Dense(1)(x)
    model = Model(x, [hidden, ops.sign(hidden)])
    model.compile("sgd", loss=[losses.MeanSquaredError(), losses.MeanSquaredError()])
    before = model.get_weights()
    model.fit(ONES, [np.ones(4), np.ones(4)], verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
