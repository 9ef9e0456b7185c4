"""Losses and metrics of one's own in compile, fit and evaluate: what counts, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import (
    Input,
    Model,
    Sequential,
    config,
    initializers,
    losses,
    metrics,
    ops,
    optimizers,
)
from fastnn.layers import Dense, Flatten, Layer, Reshape
from fastnn.training import TrainingWarning
from fastnn.variable import Variable

X = np.arange(4.0).reshape(4, 1)
Y = 0 * X
ENGINES = ("c", "numpy")


def identity(loss, *, rate=0.0, engine="c", **options):
    """y = x, with one weight, 1."""
    model = Sequential([Input((1,)), Dense(1, use_bias=False, kernel_initializer="ones")])
    model.compile(optimizers.SGD(rate), loss, engine=engine, **options)
    return model


# --- what a subclass overrides counts --------------------------------------------------------


class TenTimes(losses.MeanSquaredError):
    def call(self, y_true, y_pred):
        return 10 * super().call(y_true, y_pred)


class OfTwice(metrics.MeanSquaredError):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_true, 2 * y_pred, sample_weight)


class Minus(metrics.MeanSquaredError):
    def result(self):
        return -super().result()


class FromOne(metrics.Mean):
    """A state that does not begin at zero."""

    def reset_state(self):
        self.total.assign(1.0)
        self.count.assign(1.0)

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(ops.mean(y_pred, axis=-1), sample_weight)


class Parts(metrics.Metric):
    """Two states, numbers of rows and of batches, and another metric within."""

    def __init__(self, name="parts", **kwargs):
        super().__init__(name=name, **kwargs)
        self.rows = self.add_weight(name="rows")
        self.batches = self.add_variable(name="batches")
        self.inner = metrics.Mean()

    def reset_state(self):
        super().reset_state()
        self.inner.reset_state()

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.rows.assign(self.rows + ops.sum(ops.greater(y_pred, 1.5)))
        self.batches.assign_add(1)
        self.inner.update_state(y_pred)

    def result(self):
        return self.rows + 10 * self.batches + 100 * self.inner.result()


@pytest.mark.parametrize("engine", ENGINES)
def test_an_override_counts(engine):
    model = identity(
        TenTimes(), engine=engine, metrics=[OfTwice("twice"), Minus("minus"), FromOne(), Parts()]
    )
    expected = {"loss": 35.0, "twice": 14.0, "minus": -3.5, "mean": 7 / 5, "parts": 162.0}
    assert model.evaluate(X, Y, return_dict=True, verbose=0) == pytest.approx(expected)
    logs = model.fit(X, Y, batch_size=2, verbose=0, shuffle=False).history
    assert {k: v[0] for k, v in logs.items()} == pytest.approx(expected | {"parts": 172.0})
    assert not any(op.kind.startswith("python") for op in model._engines.program.scoring)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_metric_tells_afterwards_what_was_reported(engine):
    def bias(y_true, y_pred):
        return np.mean(y_pred - y_true, axis=-1)

    metric = metrics.MeanMetricWrapper(bias)
    model = identity("mse", engine=engine, metrics=[metric, "mae"])
    history = model.fit(X, Y, verbose=0, epochs=2).history
    assert metric.result() == history["bias"][-1] == 1.5
    assert model.metrics[1].result() == 1.5
    model.evaluate(X[:2], Y[:2], verbose=0)
    assert metric.result() == 0.5


def test_one_metric_object_on_two_outputs_counts_for_each():
    x = Input((1,))
    layers = [Dense(1, use_bias=False, kernel_initializer="ones", name=name) for name in "ab"]
    model = Model(x, [layers[0](x), layers[1](x)])
    metric = metrics.MeanAbsoluteError(name="error")
    model.compile("sgd", "mse", metrics=[[metric], [metric]])
    results = model.evaluate(X, [Y, Y + 1], return_dict=True, verbose=0)
    assert (results["a_error"], results["b_error"]) == (1.5, 1.0)


def test_a_metric_that_only_python_can_compute_is_called_with_each_batch():
    seen = []

    class Largest(metrics.Metric):
        def reset_state(self):
            self.largest = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            seen.append(len(y_pred))
            self.largest = max(self.largest, float(np.max(y_pred)))

        def result(self):
            return self.largest

    class Rows(Largest):
        """It could be traced, and would count once."""

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest += 1

    model = identity("mse", metrics=[Largest(), Rows()])
    assert model.evaluate(X, Y, batch_size=3, verbose=0)[1:] == [3.0, 2.0]
    assert 3 in seen and "called in Python" in str(model._engines.program)


# --- when it is traced -----------------------------------------------------------------------


def test_fit_and_evaluate_trace_afresh():
    factor = [1.0]

    def scaled(y_true, y_pred):
        return factor[0] * np.mean((y_pred - y_true) ** 2, axis=-1)

    model = identity(scaled, metrics=[scaled])
    assert model.evaluate(X, Y, verbose=0) == [3.5, 3.5]
    first = model._engines.program
    assert model.evaluate(X, Y, verbose=0) == [3.5, 3.5]
    assert model._engines.program is first
    factor[0] = 2.0
    assert model.test_on_batch(X, Y) == [3.5, 3.5]  # the last trace
    assert model.fit(X, Y, verbose=0).history["loss"] == [7.0]
    assert model.test_on_batch(X, Y) == [7.0, 7.0]


def test_an_attribute_that_is_set_counts_from_then_on():
    class Scaled(losses.Loss):
        factor = 1.0

        def call(self, y_true, y_pred):
            return self.factor * ops.mean(ops.square(y_pred - y_true), axis=-1)

    loss = Scaled()
    model = identity(loss)
    assert model.test_on_batch(X, Y) == 3.5
    loss.factor = 3.0
    assert model.test_on_batch(X, Y) == 10.5


def test_arrays_are_copied_when_they_are_traced():
    weights = np.ones(1)

    def weighted(y_true, y_pred):
        return np.mean(weights * (y_pred - y_true) ** 2, axis=-1)

    model = identity(weighted)
    assert model.test_on_batch(X, Y) == 3.5
    weights[0] = 5
    assert model.test_on_batch(X, Y) == 3.5
    assert model.evaluate(X, Y, verbose=0) == 17.5


def test_epsilon_may_be_set():
    y_true, y_pred = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    x = Input((2,))
    model = Model(x, Dense(2, use_bias=False, kernel_initializer="identity")(x))
    model.compile("sgd", "categorical_crossentropy")
    before = config.epsilon()
    try:
        for epsilon in (1e-3, 1e-7):
            config.set_epsilon(epsilon)
            expected = -np.log(np.float32(epsilon))
            assert losses.categorical_crossentropy(y_true, y_pred)[0] == pytest.approx(expected)
            assert model.evaluate(y_pred, y_true, verbose=0) == pytest.approx(expected)
    finally:
        config.set_epsilon(before)


# --- gradients -------------------------------------------------------------------------------


def rounded(y_true, y_pred):
    return np.mean((np.round(y_pred) - y_true) ** 2, axis=-1)


def unrelated(y_true, y_pred):
    return np.mean(y_true, axis=-1)


@pytest.mark.parametrize(
    ("loss", "words"),
    [(rounded, "'round' in rounded, line .*derivative 0"), (unrelated, "not depend on the pred")],
)
def test_a_loss_without_a_gradient_is_refused(loss, words):
    model = identity(loss, rate=0.1)
    with pytest.raises(ValueError, match=f"(?s)fit: loss .*{loss.__name__}.*{words}"):
        model.fit(X, Y, verbose=0)
    before = model.get_weights()[0].copy()
    model.fit(X, Y, verbose=0, allow_zero_gradient=True)
    assert model.get_weights()[0] == before and model.optimizer.iterations == 1
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert model.get_weights()[0] != before


def test_a_stated_gradient_is_used_and_checked():
    def squares(y_true, y_pred):
        return np.sum((y_pred - y_true) ** 2, axis=-1)

    squares.gradient = lambda t, p: 2 * (p - t)
    model = identity(squares, rate=0.1)
    model.fit(X, Y, batch_size=4, verbose=0)
    assert model.get_weights()[0] == pytest.approx(1 - 0.1 * 2 * 3.5)

    def other(y_true, y_pred):
        return squares(y_true, y_pred)

    other.gradient = lambda t, p: 7 + 0 * p
    model = identity(other, rate=0.1)
    with pytest.raises(ValueError, match=r"'other': gradient.* is not the derivative"):
        model.fit(X, Y, verbose=0)
    other.gradient_is_exact = False
    model = identity(other, rate=0.1)
    model.fit(X, Y, batch_size=4, verbose=0)
    assert model.get_weights()[0] == pytest.approx(1 - 0.1 * 7 * 1.5)


def test_a_loss_that_cannot_be_traced_runs_in_python_with_its_gradient():
    def mine(y_true, y_pred):
        return np.array([float(np.sum((p - t) ** 2)) for t, p in zip(y_true, y_pred, strict=True)])

    with pytest.raises(TypeError, match=r"'mine' cannot be traced: mine, line .*row by row"):
        identity(mine).fit(X, Y, verbose=0)
    mine.gradient = lambda t, p: 2 * (np.asarray(p) - np.asarray(t))
    model = identity(mine, rate=0.1)
    assert model.fit(X, Y, verbose=0).history["loss"] == [3.5]
    assert model.get_weights()[0] == pytest.approx(1 - 0.1 * 2 * 3.5)


def test_a_loss_that_reads_weights_is_refused():
    model = identity("mse")
    kernel = model.layers[0].kernel

    def penalized(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2) + 0.1 * ops.sum(ops.square(kernel))

    model.compile("sgd", penalized)
    with pytest.raises(ValueError, match=r"'penalized' reads the weight '.*kernel'"):
        model.fit(X, Y, verbose=0)


def test_a_function_that_draws_random_numbers_is_refused():
    def noisy(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2, axis=-1) * np.random.rand()

    with pytest.raises(ValueError, match=r"'noisy'.*fastnn.random"):
        identity(noisy).evaluate(X, Y, verbose=0)


# --- steps that fail -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_steps_before_an_error_are_counted(engine):
    class Third(Layer):
        calls = 0

        def call(self, inputs, training=False):
            self.calls += training
            if self.calls == 4:
                raise RuntimeError("the fourth step")
            return inputs

        def backward(self, inputs, output, doutput):
            return doutput

    model = Sequential([Input((1,)), Dense(1), Third()])
    model.compile("sgd", "mse", engine=engine)
    with pytest.raises(RuntimeError, match="the fourth step"):
        model.fit(np.ones((8, 1)), np.ones(8), batch_size=1, verbose=0)
    assert model.optimizer.iterations == 3


# --- what is reported ------------------------------------------------------------------------


def r_squared(y_true, y_pred):
    rest = np.sum((y_true - y_pred) ** 2)
    return 1 - rest / np.sum((y_true - np.mean(y_true)) ** 2)


def test_a_metric_of_batches_is_warned_about():
    model = identity("mse", metrics=[r_squared, "mae"])
    with pytest.warns(TrainingWarning, match="'r_squared' gives one value for a batch"):
        model.fit(X, X + 1, batch_size=2, verbose=0)
    model.fit(X, X + 1, batch_size=4, verbose=0)  # one batch: it is that of all rows


def test_a_loss_equal_to_a_built_in_one_is_the_same_program():
    def own(y_true, y_pred):
        return np.mean(np.square(y_pred - y_true), axis=-1)

    texts = set()
    for loss in ("mse", own):
        x = Input((3,))
        model = Model(x, Dense(5, name="only")(x))
        model.compile("adam", loss)
        model.train_on_batch(np.ones((2, 3)), np.ones((2, 5)))
        texts.add(str(model._engines.program))
    assert len(texts) == 1


# --- what people write ------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_an_overridden_call_of_a_loss_counts(engine):
    """With sample weights, which it may use as it likes."""

    class Masked(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(ops.square(y_pred - y_true), axis=-1)

        def __call__(self, y_true, y_pred, sample_weight=None):
            return 3 * super().__call__(y_true, y_pred, sample_weight)

    model = identity(Masked(), engine=engine, rate=0.1)
    assert model.evaluate(X, Y, verbose=0) == 10.5
    weights = np.array([0.0, 0, 0, 1])
    assert model.evaluate(X, Y, sample_weight=weights, verbose=0) == 6.75
    model.fit(X, Y, sample_weight=weights, verbose=0)
    assert model.get_weights()[0] == pytest.approx(1 - 0.1 * 3 * 2 * 9 / 4)


def test_a_variable_of_a_metric_is_not_replaced():
    class Replacing(metrics.Metric):
        def __init__(self):
            super().__init__(name="replacing")
            self.total = self.add_weight("total", initializer="zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total = self.total + np.mean(y_pred)

        def result(self):
            return self.total

    with pytest.raises(TypeError, match=r"'replacing': self.total is a variable.*assign_add"):
        identity("mse", metrics=[Replacing()]).evaluate(X, Y, verbose=0)


def test_a_metric_within_a_metric_is_reset_with_it():
    class Wrapped(metrics.Metric):
        def __init__(self):
            super().__init__(name="wrapped")
            self.inner = metrics.MeanAbsoluteError()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.inner.update_state(y_true, ops.cast(y_pred, self.dtype), sample_weight)

        def result(self):
            return self.inner.result()

    model = identity("mse", metrics=[Wrapped()])
    assert [model.evaluate(X, Y, verbose=0)[1] for _ in range(2)] == [1.5, 1.5]


def test_activations_tables_and_types_in_losses():
    from fastnn import activations, backend

    table = np.array([[1.0, 2.0], [3.0, 5.0]])
    weights = backend.variable([2.0, 4.0])

    def loss(y_true, y_pred):
        assert y_pred.dtype == np.float32 and y_pred.dtype == "float32"
        labels = ops.cast(y_true[:, 0], "int32")
        value = ops.take(weights, labels) + ops.take(table, labels, axis=0)[:, 1]
        value = value * activations.sigmoid(y_pred[:, 0]) + activations.relu(y_pred[:, 0])
        return value + ops.take([1.0, 2.0, 7.0], labels - 1) + ops.mean([value, value])

    x, y = np.zeros((2, 1)), np.array([[0.0], [1.0]])
    values = np.array([(2 + 2) / 2 + 7, (4 + 5) / 2 + 1])
    expected = np.mean(values) + np.mean([(2 + 2) / 2, (4 + 5) / 2])
    model = identity(loss)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected)
    weights.assign([4.0, 6.0])  # a live operand
    assert model.test_on_batch(x, y) == pytest.approx(expected + 2)


def test_labels_below_zero_are_of_no_class_in_losses_of_ones_own():
    def masked(y_true, y_pred):
        there = ops.cast(ops.not_equal(y_true, -1), "float32")
        return there * losses.sparse_categorical_crossentropy(y_true, y_pred)

    x = Input((2,))
    model = Model(x, Dense(3, activation="softmax", kernel_initializer="zeros")(x))
    model.compile("sgd", masked)
    y = np.array([0, -1, 2, -1])
    history = model.fit(np.ones((4, 2)), y, verbose=0).history
    assert history["loss"][0] == pytest.approx(np.log(3) / 2)
    assert np.isfinite(model.get_weights()[0]).all()


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (lambda t, p: np.mean((t - p) ** 2) / t.shape[0], r"number of rows, write ops.shape"),
        (lambda t, p: lambda u, v: u, "returned a function"),
        (lambda p: p, r"called with \(y_true, y_pred\)"),
        (lambda t, p: [np.mean(t - p), np.mean(p)], "returned a list: return one value"),
        (lambda t, p: f"{np.mean(p):.3f}", "be written as a number"),
    ],
)
def test_slips_are_explained(loss, words):
    model = identity(loss)
    with pytest.raises(TypeError, match=rf"(?s)Loss 'lambda'.*{words}"):
        model.evaluate(X, Y, verbose=0)
    model.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0) == 3.5


# --- weights of more than rows, several outputs ------------------------------------------------


def sequence_model(loss, engine, outputs=1):
    """Predictions of shape (n, 3, 4), and the same once more, flat."""
    x = Input((6,))
    y = Reshape((3, 4))(Dense(12, kernel_initializer=initializers.GlorotUniform(seed=1))(x))
    model = Model(x, [y, Flatten()(y)][:outputs] if outputs > 1 else y)
    model.compile(optimizers.SGD(0.1), loss, engine=engine)
    return model


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize(
    "loss",
    [
        lambda t, p: ops.square(t - p),
        lambda t, p: ops.mean(ops.square(t - p), axis=-1),
        lambda t, p: ops.sqrt(ops.mean(ops.square(t - p))),
    ],
    ids=["elements", "steps", "batch"],
)
def test_weights_of_time_steps(engine, zeros, loss, request):
    config.set_floatx("float64")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 6)), rng.normal(size=(5, 3, 4))
    w = rng.uniform(size=(5, 3))
    if zeros:
        w[1] = w[:, 2] = 0
    model = sequence_model(loss, engine)
    kernel, bias = model.get_weights()
    error = (x @ kernel + bias).reshape(5, 3, 4) - y
    slopes = 2 * error * w[..., None] / error.size
    expected = np.mean(error**2 * w[..., None])
    if "batch" in request.node.callspec.id:  # one number, for all that has a weight
        root = np.sqrt(np.mean(error**2))
        expected, slopes = root * w.mean(), error / error.size / root * w.mean()
    np.testing.assert_allclose(model.evaluate(x, y, sample_weight=w, verbose=0), expected)
    model.fit(x, y, sample_weight=w, verbose=0)
    changed = kernel - 0.1 * x.T @ slopes.reshape(5, 12)
    np.testing.assert_allclose(model.get_weights()[0], changed, atol=1e-14)


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_that_fit_no_values_are_refused(engine):
    model = sequence_model(lambda t, p: ops.mean(ops.square(t - p), axis=(1, 2)), engine)
    x, y = np.ones((5, 6)), np.ones((5, 3, 4))
    with pytest.raises(
        ValueError, match=r"values of shape \(None,\), which weights of shape \(None, 3\)"
    ):
        model.fit(x, y, sample_weight=np.ones((5, 3)), verbose=0)
    model.fit(x, y, sample_weight=np.ones(5), verbose=0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("first", [0, 1])
def test_losses_of_one_storage_add_their_gradients(engine, first):
    """One needs the whole batch and so comes later, whichever was given first."""
    config.set_floatx("float64")

    def scaled(t, p):
        return ops.sum(ops.square(t - p)) / ops.sum(ops.square(t))

    def absolute(t, p):
        return ops.mean(ops.absolute(t - p), axis=-1)

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 6)), rng.normal(size=(5, 3, 4))
    model = sequence_model([scaled, absolute][:: 1 - 2 * first], engine, outputs=2)
    kernel, _ = model.get_weights()
    error = (x @ kernel).reshape(5, 3, 4) - y
    model.fit(x, [y, y.reshape(5, 12)], verbose=0)
    slopes = 2 * error / np.sum(y**2) + np.sign(error) / error.size
    changed = kernel - 0.1 * x.T @ slopes.reshape(5, 12)
    np.testing.assert_allclose(model.get_weights()[0], changed, atol=1e-14)


# --- metrics that only Python can compute ------------------------------------------------------


class Counter:
    def __init__(self):
        self.n = 0


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", ["array", "object", "random"])
def test_metrics_that_remember_elsewhere_are_called_with_each_batch(engine, kind):
    class Calls(metrics.Metric):
        def __init__(self, name="calls"):
            super().__init__(name=name)
            self.total = self.add_weight(name="total")
            self.array, self.counter = np.zeros(1), Counter()
            self.rng = np.random.default_rng(0)

        def update_state(self, y_true, y_pred, sample_weight=None):
            if kind == "array":
                self.array[0] += 1
            elif kind == "object":
                self.counter.n += 1
            drawn = self.rng.uniform() if kind == "random" else 0.0
            self.total.assign_add(ops.sum(y_pred) + drawn)

        def result(self):
            return {"array": self.array[0], "object": self.counter.n}.get(kind, self.total)

    metric = Calls()
    model = identity("mse", engine=engine, metrics=[metric])
    found = model.evaluate(X, Y, batch_size=1, verbose=0)[1]
    if kind == "random":
        assert len({found, *(model.evaluate(X, Y, verbose=0)[1] for _ in range(3))}) == 4
    else:
        assert found == 4
    assert "called in Python" in str(model._engines.program)


def test_setting_what_an_attribute_has_makes_no_new_program():
    class Resets(metrics.Mean):
        def reset_state(self):
            super().reset_state()
            self.best = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(ops.mean(y_pred, axis=-1))

    model = identity("mse", metrics=[Resets()])
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)  # the first reset has made the attribute
    program = model._engines.program
    model.train_on_batch(X, Y)
    assert model._engines.program is program


def test_first_lengths_of_shapes():
    """ops.shape(x)[0], or a multiple of it; any other tensor is refused."""

    def runs(k):
        def loss(t, p):
            first = ops.shape(p)[0] * k
            return ops.mean(ops.sqrt(ops.sum(ops.square(ops.reshape(t - p, (first, -1))), axis=-1)))

        return loss

    x, y = np.ones((5, 6), "float32"), np.zeros((5, 3, 4), "float32")
    for k in (1, 3, 6):
        model = sequence_model(runs(k), "c")
        expected = runs(k)(y, model.predict(x, verbose=0))
        assert model.evaluate(x, y, verbose=0) == pytest.approx(float(expected), rel=1e-6)
    with pytest.raises(TypeError, match="times a whole number"):
        sequence_model(runs(1.5), "c").evaluate(x, y)
    with pytest.raises(ValueError, match="keep the number of elements"):
        sequence_model(runs(5), "c").evaluate(x, y)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("activation", ["linear", "softmax"])
def test_negative_labels_count_as_zero(engine, activation):
    x = Input((2,))
    y = Dense(3, activation=activation, kernel_initializer="zeros")(x)
    model = Model(x, y)
    from_logits = activation == "linear"

    def loss(t, p):
        return ops.sparse_categorical_crossentropy(t, p, from_logits=from_logits)

    model.compile("sgd", loss, engine=engine)
    rows, labels = np.ones((4, 2)), np.array([0, -1, 2, -1])
    assert model.evaluate(rows, labels, verbose=0) == pytest.approx(np.log(3) / 2)
    model.fit(rows, labels, verbose=0)
    assert np.isfinite(model.get_weights()[0]).all()
    eager = loss(labels, np.full((4, 3), 1 / 3, "float32"))
    np.testing.assert_allclose(eager, np.log(3) * np.array([1, 0, 1, 0]), rtol=1e-6)


def test_weights_of_time_steps_in_python():
    """A loss that is not traced: as many weights as values, or an error that names it."""

    class Untraced(losses.Loss):
        axes = (-1,)

        def call(self, y_true, y_pred):
            return np.mean(np.asarray(y_true - y_pred, float) ** 2, axis=self.axes)

        def gradient(self, y_true, y_pred):
            return 2 * np.asarray(y_pred - y_true, float) / 4

    x, y, w = np.ones((5, 6)), np.ones((5, 3, 4)), np.arange(15.0).reshape(5, 3)
    loss = Untraced()
    model = sequence_model(loss, "c")
    expected = np.mean(loss.call(y, model.predict(x, verbose=0)) * w)
    assert model.evaluate(x, y, sample_weight=w, verbose=0) == pytest.approx(expected, rel=1e-6)
    loss.axes = (1, 2)
    with pytest.raises(ValueError, match="1 values for each row, but there are 3 weights"):
        model.evaluate(x, y, sample_weight=w, verbose=0)


def test_a_sum_leaves_out_what_has_no_weight():
    total = metrics.Sum()
    total.update_state([1.0, np.inf, 3.0], sample_weight=[2.0, 0.0, 1.0])
    assert total.result() == 5.0


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_alone_are_joined(engine):
    first, second = Variable(shape=(1,), name="first"), Variable(shape=(1,), name="second")
    first.assign([2.0])
    second.assign([3.0])

    def error(y_true, y_pred):
        scale = ops.concatenate([first, second]) + ops.stack([first, second])[:, 0]
        return ops.mean(ops.square(scale * y_pred - y_true), axis=-1)

    model = Sequential([Input((1,)), Dense(2, kernel_initializer="ones")])
    model.compile(loss=error, engine=engine)
    assert model.evaluate(np.ones((3, 1)), np.zeros((3, 2)), verbose=0) == (16 + 36) / 2


def test_deep_formulas_are_printed_in_lines():
    def deep(y_true, y_pred):
        for _ in range(1200):
            y_pred = ops.tanh(y_pred) + 0.1
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    model = Sequential([Input((1,)), Dense(1)])
    model.compile(loss=deep)
    model.fit(X, Y, verbose=0)
    lines = str(model._engines.program).splitlines()
    assert max(map(len, lines)) < 1000
    assert sum(line.count("tanh") for line in lines) >= 1200
