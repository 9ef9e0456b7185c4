"""Layers of one's own: traced, differentiated, compiled; the same in both engines."""

from __future__ import annotations

import numpy as np
import pytest
from own_layers import LAYERS, Block

import fastnn
from fastnn import Input, Model, Sequential, config, layers, models, ops, optimizers
from fastnn.layers import Dense, Flatten

ENGINES = ("c", "numpy")


def made(name, engine="c", *, rate=0.1, rows=11, tail=True):
    """Return a compiled model with the layer in its middle, and data."""
    config.set_floatx("float64")
    config.set_random_seed(7)
    make, sample = LAYERS[name]
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(rows, *sample)), rng.normal(size=(rows, 2))
    model = Sequential([Input(sample), Dense(sample[-1], "tanh"), make(), Flatten(), Dense(2)])
    model.compile(optimizers.SGD(rate), "mse", engine=engine)
    return model, x, y


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_differences(name):
    model, x, y = made(name)
    before = model.get_weights()
    first = model.optimizer.iterations  # random numbers are those of the step

    def loss_of(weights):
        model.set_weights(weights)
        model.optimizer.learning_rate = 0.0
        model.optimizer.iterations = first
        return model.train_on_batch(x, y)

    model.optimizer.learning_rate = 1.0
    model.train_on_batch(x, y)
    after = model.get_weights()
    trainable = {id(v) for v in model.trainable_weights}
    step = 1e-6
    for k, variable in enumerate(model.weights):
        if id(variable) not in trainable:
            continue
        for place in list(np.ndindex(before[k].shape))[::2]:
            values = []
            for sign in (1, -1):
                weights = [w.copy() for w in before]
                weights[k][place] += sign * step
                values.append(loss_of(weights))
            slope = (values[0] - values[1]) / (2 * step)
            found = before[k][place] - after[k][place]
            assert found == pytest.approx(slope, rel=1e-6, abs=1e-7), (variable.path, place)


@pytest.mark.parametrize("name", LAYERS)
def test_both_engines_and_all_threads_agree(name):
    results = {}
    for engine, threads in (("c", 1), ("c", 2), ("c", 3), ("c", 8), ("numpy", 1)):
        model, x, y = made(name, engine)
        fastnn.set_num_threads(threads)
        try:
            losses = model.fit(x, y, epochs=2, batch_size=4, verbose=0).history["loss"]
            found = [*model.get_weights(), losses, model.evaluate(x, y, verbose=0)]
            found.append(model.predict(x, verbose=0))
        finally:
            fastnn.set_num_threads(0)
        results[engine, threads] = np.concatenate([np.ravel(one) for one in found])
        assert not any(op.kind == "python" for op in model._engines.program.forward)
    for threads in (2, 3, 8):
        assert results["c", threads].tobytes() == results["c", 1].tobytes()
    np.testing.assert_allclose(results["c", 1], results["numpy", 1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", LAYERS)
def test_saved_and_resumed_bit_for_bit(name, tmp_path):
    make, _ = LAYERS[name]
    cls = type(make())
    model, x, y = made(name)
    model.fit(x, y, epochs=2, batch_size=4, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras", custom_objects={cls.__name__: cls})
    for one in (model, again):
        one.fit(x, y, epochs=3, initial_epoch=2, batch_size=4, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", [name for name in LAYERS if name != "Sampling"])
def test_eager_calls_give_what_predict_gives(name):
    model, x, _ = made(name)
    value = x
    for layer in model.layers:
        value = layer(value)
    np.testing.assert_allclose(value, model.predict(x, verbose=0), rtol=1e-9, atol=1e-11)


def test_a_dense_by_hand_is_the_program_of_dense():
    cls, _ = LAYERS["Linear"]
    programs = []
    for layer in (cls(3, name="a"), Dense(3, name="a")):
        model = Sequential([Input((4,)), layer, Dense(2, activation="softmax", name="b")])
        model.compile("adam", "sparse_categorical_crossentropy")
        model.train_on_batch(np.ones((4, 4)), np.arange(4) % 2)
        programs.append(str(model._engines.program))
    assert programs[0].replace("a/w", "a/kernel").replace("a/b", "a/bias") == programs[1]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_counts_trained_batches_only(engine):
    model, x, y = made("CountsCalls", engine)
    model.fit(x, y, epochs=2, batch_size=4, verbose=0, validation_data=(x, y))
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    assert model.layers[1].calls.numpy() == 6
    model.layers[1](x, training=True)
    assert model.layers[1].calls.numpy() == 7


@pytest.mark.parametrize("engine", ENGINES)
def test_an_attribute_that_is_set_counts_from_then_on(engine):
    class Times(layers.Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs):
            return inputs * self.factor

    model = Sequential([Input((1,)), Times(2.0)])
    model.compile(loss="mse", engine=engine)
    x = np.ones((2, 1))
    assert model.predict(x, verbose=0).ravel().tolist() == [2, 2]
    model.layers[0].factor = 3.0
    assert model.predict(x, verbose=0).ravel().tolist() == [3, 3]
    assert model.evaluate(x, 0 * x, verbose=0) == 9


def test_the_inner_layers_train_only_if_the_outer_one_is_called_so():
    class Noisy(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.drop = layers.Dropout(0.5)

        def call(self, inputs):
            return self.drop(inputs)

    layer = Noisy()
    x = np.ones((50, 4))
    assert layer(x).tolist() == x.tolist()
    assert 0 in layer(x, training=True)
    model = Sequential([Input((4,)), Noisy(), Dense(1, kernel_initializer="ones")])
    model.compile(optimizers.SGD(0.0), "mse")
    assert model.evaluate(x, 0 * x[:, :1], verbose=0) == 16
    assert model.train_on_batch(x, 0 * x[:, :1]) != 16


class Mixed(layers.Layer):
    """Takes tensors in every way, and gives a dict."""

    def build(self, input_shape):
        self.w = self.add_weight((input_shape["a"][-1], 2), "random_normal", name="w")

    def call(self, inputs, other, factor=1.0, bias=None, training=False):
        y = ops.matmul(inputs["a"], self.w) * factor + other[0] - other[1]
        if bias is not None:
            y = y + bias
        return {"sum": y, "trains": y * (2.0 if training else 1.0)}


@pytest.mark.parametrize("engine", ENGINES)
def test_tensors_by_keyword_in_lists_and_dicts(engine, tmp_path):
    config.set_floatx("float64")
    rng = np.random.default_rng(0)
    a, b, c, d = (rng.normal(size=(7, n)) for n in (3, 2, 2, 1))
    inputs = [Input((n,)) for n in (3, 2, 2, 1)]
    layer = Mixed(name="mixed")
    made = layer({"a": inputs[0]}, [inputs[1], inputs[2]], factor=3.0, bias=inputs[3])
    assert made.keys() == {"sum", "trains"} and made["sum"].shape == (None, 2)
    model = Model(inputs, [made["sum"], made["trains"]])
    model.compile(optimizers.SGD(0.0), "mse", engine=engine)
    expected = 3 * a @ layer.w.numpy() + b - c + d
    found = layer({"a": a}, [b, c], factor=3.0, bias=d)
    np.testing.assert_allclose(found["sum"], expected, rtol=1e-12)
    for one in model.predict([a, b, c, d], verbose=0):
        np.testing.assert_allclose(one, expected, rtol=1e-12)
    zeros = np.zeros((7, 2))
    trained = model.fit([a, b, c, d], [zeros, zeros], batch_size=7, verbose=0).history
    tested = model.evaluate([a, b, c, d], [zeros, zeros], verbose=0)
    square = np.mean(expected**2)
    assert trained["loss"][0] == pytest.approx(5 * square)
    assert tested[0] == pytest.approx(2 * square)
    model.save(tmp_path / "m.npz")
    again = models.load_model(tmp_path / "m.npz", custom_objects={"Mixed": Mixed})
    for one, two in zip(model([a, b, c, d]), again([a, b, c, d]), strict=True):
        np.testing.assert_array_equal(one, two)
    assert layer.w.path == "mixed/w"


def test_training_that_the_caller_states_stays(tmp_path):
    x = Input((50,))
    noisy = Model(x, layers.Dropout(0.5)(x, training=True))
    plain = Model(x, layers.Dropout(0.5)(x, training=False))
    ones = np.ones((20, 50))
    plain.compile(loss="mse")
    assert plain.evaluate(ones, ones, verbose=0) == 0
    noisy.compile(loss="mse")
    noisy.save(tmp_path / "m.npz")
    for model in (noisy, models.load_model(tmp_path / "m.npz")):
        assert 0 in model(ones)
        assert model.evaluate(ones, ones, verbose=0) > 0


def test_what_call_may_not_return():
    class Nothing(layers.Layer):
        def call(self, inputs):
            inputs * 2

    class Total(layers.Layer):
        def call(self, inputs):
            return ops.sum(inputs)

    x = Input((3,))
    with pytest.raises(ValueError, match=r"call\(\) must keep the batch axis; it returned nothing"):
        Nothing()(x)
    with pytest.raises(ValueError, match=r"it returned shape \(\)"):
        Total()(x)


# --- what once went wrong --------------------------------------------------------------------


def trained(make, engine="c", x=None):
    """Return a model with a layer in its middle, and the gradients of one step."""
    config.set_floatx("float64")
    config.set_random_seed(3)
    x = np.random.default_rng(0).normal(size=(7, 4)) if x is None else x
    model = Sequential([Input(x.shape[1:]), make(), Flatten(), Dense(1)])
    model.compile(optimizers.SGD(1.0), "mse", engine=engine)
    before = model.get_weights()
    model.train_on_batch(x, np.ones(7))
    return model, [a - b for a, b in zip(before, model.get_weights(), strict=True)]


class TwiceRead(layers.Layer):
    """A weight that a product and a formula read."""

    def build(self, input_shape):
        self.w = self.add_weight((4, 4), "random_normal", name="w")

    def call(self, inputs):
        return inputs @ self.w + inputs @ (2 * self.w) + np.exp(self.w[0]) * inputs


class Recurrent(layers.Layer):
    """Zeros and weights as many as the batch has rows, and a product from the left."""

    def build(self, input_shape):
        self.token = self.add_weight((1, 4), "random_normal", name="token")
        self.mix = self.add_weight((2, 4), "random_normal", name="mix")
        self.cell = Dense(3)

    def call(self, inputs):
        rows = ops.shape(inputs)[0]
        x = ops.concatenate([ops.broadcast_to(self.token, (rows, 1, 4)), inputs], axis=1)
        x = ops.matmul(self.mix, x)
        state = ops.zeros((rows, 3)) + ops.full((rows, 3), 0.5)
        for t in range(2):
            state = ops.tanh(self.cell(ops.concatenate([x[:, t], state], axis=-1)))
        return state


@pytest.mark.parametrize(
    ("cls", "shape"), [(TwiceRead, (7, 4)), (Recurrent, (7, 3, 4))], ids=["twice", "recurrent"]
)
def test_both_engines_have_the_gradients_of(cls, shape):
    x = np.random.default_rng(1).normal(size=shape)
    _, first = trained(cls, "c", x)
    _, second = trained(cls, "numpy", x)
    assert all(np.any(g) for g in first)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


class MadeBefore(layers.Layer):
    def __init__(self, **kwargs):
        self.inner = Dense(3)
        super().__init__(**kwargs)

    def call(self, inputs):
        return self.inner(inputs)


class MadeWithin(layers.Layer):
    def call(self, inputs):
        return Dense(3)(inputs)


class ByHand(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = Dense(3)

    def call(self, inputs):
        rows = ops.transpose(self.inner(inputs), (1, 0))
        return rows[0][:, None] + rows[1][:, None]


class Frozen(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.noise = iter(range(10**6))

    def call(self, inputs):
        return inputs + next(self.noise)


def test_layers_within_are_found_or_asked_for():
    model, _ = trained(MadeBefore)
    assert len(model.trainable_weights) == 4
    model, gradients = trained(lambda: Block(trainable=False))
    assert not model.layers[0].trainable_weights and len(model.trainable_weights) == 2
    assert [bool(np.any(g)) for g in gradients] == [False] * 4 + [True] * 2
    with pytest.raises(ValueError, match=r"reads the weight 'dense.*', which is not one of the"):
        trained(MadeWithin)
    with pytest.raises(TypeError, match=r"'by_hand' cannot be trained through.*move the batch"):
        trained(ByHand)


def test_what_would_be_frozen_in_the_trace_is_an_error():
    with pytest.raises(ValueError, match=r"'frozen': call\(\) gives another result each time"):
        trained(Frozen)


def test_a_call_that_runs_in_python_runs_once_a_batch():
    class Counts(layers.Layer):
        def build(self, input_shape):
            self.n = self.add_weight((), "zeros", trainable=False, name="n")

        def call(self, inputs):
            self.n.assign_add(1.0)
            float(self.n)
            return inputs * 1

    model = Sequential([Input((3,)), Counts()])
    assert model.layers[0].n.numpy() == 0
    for expected in (1, 2):
        model.predict(np.ones((6, 3)), verbose=0)
        assert model.layers[0].n.numpy() == expected


@pytest.mark.parametrize("nested", [False, True])
def test_frozen_statistics_stay(nested, tmp_path):
    norm = layers.BatchNormalization(name="norm")
    x = Input((3,))
    base = Sequential([Input((3,)), norm]) if nested else norm
    model = Model(x, Dense(1)(base(x, training=False)))
    model.compile(loss="mse")
    model.save(tmp_path / "m.npz")
    again = models.load_model(tmp_path / "m.npz")
    for one in (model, again):
        one.fit(np.full((6, 3), 5.0), np.ones(6), verbose=0)
        weights = {v.path.rpartition("/")[2]: v.numpy() for v in one.weights}
        assert not weights["moving_mean"].any()


def test_a_class_of_ones_own_is_not_taken_for_a_built_in_one(tmp_path):
    Own = type("Flatten", (layers.Layer,), {"call": lambda self, x: ops.reshape(x, (-1, 6)) * 2})
    first, second = layers.Lambda(lambda x: x + 1), layers.Lambda(lambda x: x * 3)
    model = Sequential([Input((3, 2)), Own(), first, second])
    ones = np.ones((1, 3, 2))
    assert (model(ones) == 9).all() and (models.clone_model(model)(ones) == 9).all()
    model.save(tmp_path / "m.npz")
    with pytest.raises(ValueError, match="'Flatten' is not fastnn's of this name"):
        models.load_model(tmp_path / "m.npz")


class HoldsAModel(layers.Layer):
    def __init__(self):  # and takes nothing that all layers take
        super().__init__()
        self.net = Sequential([Input((3,)), Dense(3)])

    def call(self, inputs):
        return self.net(inputs)


def test_a_layer_that_holds_a_model_is_loaded(tmp_path):
    model = Sequential([Input((3,)), HoldsAModel()])
    model.save(tmp_path / "m.npz")
    again = models.load_model(tmp_path / "m.npz", custom_objects={"HoldsAModel": HoldsAModel})
    x = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_array_equal(model(x), again(x))
    assert again.layers[0].name == model.layers[0].name


def test_a_changed_attribute_of_a_built_in_layer_counts():
    layer = layers.Rescaling(2.0)
    model = Sequential([Input((1,)), layer])
    assert model.predict(np.ones((1, 1)), verbose=0) == 2
    layer.scale = 5.0
    assert model.predict(np.ones((1, 1)), verbose=0) == 5


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_state_that_every_call_changes(engine, threads):
    class Counts(layers.Layer):
        def build(self, input_shape):
            self.n = self.add_weight((), "zeros", trainable=False, dtype="float64", name="n")

        def call(self, inputs):
            self.n.assign_add(1.0)
            return inputs + 0 * self.n

    fastnn.set_num_threads(threads)
    try:
        model = Sequential([Input((3,)), Dense(400), Counts(), Dense(1)])
        model.compile(optimizers.SGD(0.0), "mse", engine=engine)
        x = np.ones((64, 3))
        model.fit(x, x[:, :1], batch_size=16, verbose=0)
        assert model.layers[1].n.numpy() == 4
        model.evaluate(x, x[:, :1], batch_size=8, verbose=0)
        assert model.layers[1].n.numpy() == 12
        model.predict(x, verbose=0)
        assert model.layers[1].n.numpy() == 13
    finally:
        fastnn.set_num_threads(0)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_layers_add_is_loss_enough(engine):
    class Centre(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((input_shape[-1],), "zeros", name="w")

        def call(self, inputs):
            self.add_loss(ops.mean(ops.square(inputs - self.w)))
            return inputs

    config.set_floatx("float64")
    x = np.random.default_rng(0).normal(3, 1, (100, 4))
    model = Sequential([Input((4,)), Centre()])
    model.compile(optimizers.SGD(0.5), engine=engine)
    history = model.fit(x, epochs=60, batch_size=100, verbose=0).history
    np.testing.assert_allclose(model.get_weights()[0], x.mean(axis=0), rtol=1e-5)
    assert history["loss"][-1] == pytest.approx(x.var(axis=0).mean(), rel=1e-6)
    assert model.evaluate(x, verbose=0) == pytest.approx(history["loss"][-1], rel=1e-6)
    plain = Sequential([Input((4,)), Dense(1)])
    plain.compile("sgd", engine=engine)
    with pytest.raises(ValueError, match="was compiled without loss and metrics"):
        plain.fit(x, verbose=0)


@pytest.mark.parametrize("engine", ENGINES)
def test_where_rows_meet_each_other_batches_are_the_callers(engine):
    cls, _ = LAYERS["WhiteBatch"]
    config.set_floatx("float64")
    config.set_engine(engine)
    x = np.random.default_rng(0).normal(size=(70, 4))
    model = Sequential([Input((4,)), cls()])

    def white(x):
        return (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-3)

    def in_batches(size):
        return np.concatenate([white(x[k : k + size]) for k in range(0, len(x), size)])

    for size in (32, 7, 70, 32):
        found = model.predict(x, batch_size=size, verbose=0)
        np.testing.assert_allclose(found, in_batches(size), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.predict(x, verbose=0), in_batches(32), rtol=1e-10, atol=1e-12)
    for found in (model(x), model.predict_on_batch(x)):
        np.testing.assert_allclose(found, white(x), rtol=1e-10, atol=1e-12)
    for rows in (5, 9):
        np.testing.assert_allclose(model(x[:rows]), white(x[:rows]), rtol=1e-10, atol=1e-12)


class Untraced(layers.Layer):
    factor = 1.0

    def call(self, inputs):
        return np.sin(np.asarray(inputs)) * float(1)

    def backward(self, inputs, output, doutput):
        return self.factor * np.cos(inputs) * doutput


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stated_gradient_is_checked(engine):
    def fit(cls):
        model = Sequential([Input((3,)), Dense(3), cls(name="mine"), Dense(1)])
        model.compile(loss="mse", engine=engine)
        x = np.random.default_rng(0).normal(size=(9, 3))
        return model.fit(x, x[:, :1], epochs=2, verbose=0).history["loss"]

    assert len(fit(Untraced)) == 2
    wrong = type("Wrong", (Untraced,), {"factor": 2.0})
    with pytest.raises(ValueError, match=r"Wrong 'mine': backward\(\) is not the derivative"):
        fit(wrong)
    meant = type("Meant", (Untraced,), {"factor": 2.0, "gradient_is_exact": False})
    assert len(fit(meant)) == 2
