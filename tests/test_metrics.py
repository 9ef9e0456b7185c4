"""Metrics: numbers, weights, names. Expected numbers: computed with Keras 3.15.1 (JAX)."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from loss_table import LABELS, LOSSES, PB, TB, P, Q, R, T, W

import fastnn
import fastnn.metrics as M
from fastnn import losses
from fastnn.losses.base import kind_of
from fastnn.metrics.registry import CLASSES

# metric, batch, result, result with weights W; the metrics of losses follow
RESULTS = [
    (M.BinaryAccuracy(), (TB, PB), 0.875, 1.0),
    (M.CategoricalAccuracy(), (T, P), 0.75, 0.4285714),
    (M.SparseCategoricalAccuracy(), (LABELS, P), 0.5, 0.8571429),
    (M.SparseCategoricalAccuracy(), (LABELS[:, None], P), 0.5, 0.8571429),
    (M.Accuracy(), (LABELS[:, None], [[0], [2], [2], [1]]), 0.75, 1.0),
    (M.RootMeanSquaredError(), (R, Q), 2.088959, 2.139092),
    (M.CosineSimilarity(), (R, Q), 0.786983, 0.7945228),
]
OF_FUNCTIONS = {cls.function: cls for cls in CLASSES.values()}
RESULTS += [
    (OF_FUNCTIONS[cls.function](**options), batch, plain, weighted)
    for cls, batch, options, _, (plain, _, _, weighted) in LOSSES.values()
    if cls.function in OF_FUNCTIONS
]
NAMES = [metric.name for metric, *_ in RESULTS]


def test_every_metric_has_a_row():
    """A new one gets a row in RESULTS, or has it as a loss."""
    rows = {type(metric) for metric, *_ in RESULTS}
    assert rows == {*CLASSES.values(), M.RootMeanSquaredError}


@pytest.mark.parametrize(("metric", "batch", "plain", "weighted"), RESULTS, ids=NAMES)
def test_results_are_those_of_keras(metric, batch, plain, weighted):
    metric.reset_state()
    metric.update_state(*batch)
    assert metric.result() == pytest.approx(plain, rel=1e-6)
    metric.reset_state()
    assert metric.result() == 0.0
    metric.update_state(*batch, sample_weight=W)
    assert metric.result() == pytest.approx(weighted, rel=1e-6)


@pytest.mark.parametrize(("metric", "batch", "plain", "weighted"), RESULTS, ids=NAMES)
def test_batches_add_up(metric, batch, plain, weighted):
    metric.reset_state()
    t, p = (np.asarray(a) for a in batch)
    assert isinstance(metric(t[:1], p[:1]), float)
    assert metric(t[1:], p[1:]) == pytest.approx(plain, rel=1e-6)


OPTIONS = {
    "BinaryAccuracy": ", threshold=0.5", "CosineSimilarity": ", axis=-1", "Huber": ", delta=1.0",
    "BinaryCrossentropy": ", from_logits=False, label_smoothing=0.0",
    "CategoricalCrossentropy": ", from_logits=False, label_smoothing=0.0, axis=-1",
    "SparseCategoricalCrossentropy": ", from_logits=False, ignore_class=None, axis=-1",
}  # fmt: skip
"""Arguments that not all metrics have."""


@pytest.mark.parametrize("name", [*CLASSES, "RootMeanSquaredError"])
def test_names_and_arguments_are_those_of_keras(name):
    cls = getattr(M, name)
    own = {"LogCoshError": "logcosh", "KLDivergence": "kl_divergence"}.get(name)
    own = own or fastnn.config.snake_case(name)
    found = [f"{p.name}={p.default!r}" for p in inspect.signature(cls).parameters.values()]
    assert ", ".join(found) == f"name='{own}', dtype=None{OPTIONS.get(name, '')}"
    for identifier in (name, cls, fastnn.config.snake_case(name)):
        assert type(M.get(identifier)) is cls


def test_short_names():
    for name in ("mse", "mae", "mape", "msle", "bce", "kld"):
        assert getattr(M, name) is getattr(M, name.upper()) is getattr(losses, name)
    assert type(M.get("logcosh")) is M.LogCoshError


def test_mean_and_sum():
    mean, total = M.Mean(), M.Sum()
    for metric in (mean, total):
        metric.update_state([1, 2, 3])
        metric.update_state(4, sample_weight=None)
    assert (mean.result(), total.result()) == (2.5, 10.0)
    mean.update_state([10, 0], sample_weight=[0, 6])
    assert mean.result() == 1.0


def test_functions_give_one_value_per_row():
    assert M.sparse_categorical_accuracy(LABELS, P).tolist() == [1, 1, 0, 0]
    assert M.categorical_accuracy(T, P).tolist() == [1, 0, 1, 1]
    assert M.binary_accuracy(TB, PB).tolist() == [1, 1, 0.5, 1]
    assert M.binary_accuracy(TB, PB, threshold=0.45).tolist() == [1, 1, 1, 1]
    assert M.accuracy([[1, 2]], [[1, 3]]).tolist() == [0.5]
    assert M.mean_squared_error is losses.mean_squared_error


@pytest.mark.parametrize(
    ("target", "prediction", "kind"),
    [
        ((), (1,), "binary_accuracy"), ((1,), (1,), "binary_accuracy"),
        ((), (10,), "sparse_categorical_accuracy"), ((1,), (10,), "sparse_categorical_accuracy"),
        ((10,), (10,), "categorical_accuracy"), ((2,), (2,), "categorical_accuracy"),
        ((5,), (5, 10), "sparse_categorical_accuracy"),
        ((5, 1), (5, 10), "sparse_categorical_accuracy"),
    ],
)  # fmt: skip
def test_accuracy_is_chosen_by_the_shapes(target, prediction, kind):
    for name in ("accuracy", "acc", "Accuracy"):
        metric = M.resolve(name, target, prediction)
        assert (kind_of(metric), metric.name) == (kind, name)
    ce = M.resolve("crossentropy", target, prediction)
    assert (kind_of(ce), ce.name) == (kind.replace("accuracy", "crossentropy"), "crossentropy")


@pytest.mark.parametrize(
    ("identifier", "cls", "name"),
    [
        ("mse", M.MeanSquaredError, "mse"), ("MAE", M.MeanAbsoluteError, "MAE"),
        ("bce", M.BinaryCrossentropy, "bce"),
        ("RootMeanSquaredError", M.RootMeanSquaredError, "RootMeanSquaredError"),
        ("binary_accuracy", M.BinaryAccuracy, "binary_accuracy"),
        (M.sparse_categorical_accuracy, M.SparseCategoricalAccuracy,
         "sparse_categorical_accuracy"),
        (losses.sparse_categorical_crossentropy, M.SparseCategoricalCrossentropy,
         "sparse_categorical_crossentropy"),
        (M.CategoricalAccuracy, M.CategoricalAccuracy, "categorical_accuracy"),
        (losses.Huber(), M.FunctionMetric, "huber_loss"), ("huber", M.Huber, "huber"),
    ],
)  # fmt: skip
def test_names(identifier, cls, name):
    metric = M.resolve(identifier, (3,), (3,))
    assert (type(metric), metric.name) == (cls, name)


def test_names_of_two_metrics_do_not_mix():
    assert M.get("mse").name == "mse" and M.get("mean_squared_error").name == "mean_squared_error"


def test_a_function_of_yours_is_a_metric():
    def largest(y_true, y_pred):
        return np.abs(y_pred - y_true).max(axis=-1)

    metric = M.get(largest)
    assert metric.name == "largest" and not kind_of(metric)
    assert metric(R, Q) == pytest.approx(np.mean([0.5, 3, 0.1, 4]))
    batch_mean = M.FunctionMetric(lambda t, p: np.mean(p), "mean")
    batch_mean.update_state(R, Q)
    assert batch_mean.result() == pytest.approx(Q.mean())


def test_a_function_gets_y_in_the_shape_of_the_predictions():
    metric = M.FunctionMetric(lambda t, p: np.abs(t - p), "error")
    assert metric([1.0, 5.0], [[2.0], [9.0]]) == 2.5
    with pytest.raises(ValueError, match=r"'columns' must give one value per row.*got \(1,\)"):
        M.FunctionMetric(lambda t, p: np.mean(t - p, axis=0), "columns")([1.0, 5.0], [[2.0], [9.0]])
    with pytest.raises(ValueError, match=r"'outer' gives \(2, 2\), a number for each row with"):
        M.FunctionMetric(lambda t, p: t[:, 0] - p, "outer")([1.0, 5.0], [[2.0], [9.0]])
    with pytest.raises(TypeError, match="'forgetful' returned None"):
        M.FunctionMetric(lambda t, p: None, "forgetful")([1.0, 5.0], [2.0, 9.0])


def test_a_callable_object_that_cannot_be_hashed_is_a_metric():
    class Counting(list):
        def __call__(self, y_true, y_pred):
            return np.ones(len(y_pred))

    assert M.get(Counting()).result() == 0.0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("acuracy", "did you mean 'accuracy'"), ("xyzzy", "known:"), (1.5, "expected a name")],
)
def test_unknown_names(wrong, message):
    with pytest.raises(ValueError, match=message):
        M.get(wrong)


def test_wrong_threshold():
    with pytest.raises(ValueError, match="threshold between 0 and 1"):
        M.BinaryAccuracy(threshold=2)


@pytest.mark.parametrize(
    "metric",
    [M.BinaryAccuracy(threshold=0.3, name="b"), M.CategoricalCrossentropy(label_smoothing=0.1),
     M.Mean(), M.RootMeanSquaredError()],
)  # fmt: skip
def test_configs_make_equal_metrics(metric):
    copy = M.deserialize(json.loads(json.dumps(M.serialize(metric))))
    assert type(copy) is type(metric)
    assert copy.get_config() == metric.get_config()


def test_directions():
    for metric, *_ in RESULTS:
        up = "accuracy" in metric.name or isinstance(metric, M.CosineSimilarity)
        assert metric.direction == ("max" if up else "min")


def test_shapes_are_never_broadcast():
    with pytest.raises(ValueError, match="so y_true must have shape"):
        M.MeanSquaredError()(np.zeros(4), np.zeros((4, 2)))


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_state_in_variables_as_keras_writes_it(engine):
    class PositiveRate(M.Metric):
        def __init__(self, name="rate", **kwargs):
            super().__init__(name=name, **kwargs)
            self.positive = self.add_weight(name="positive", initializer="zeros")
            self.total = self.add_variable(shape=(), initializer="zeros", name="total")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.positive.assign_add(np.sum(y_true > 0))
            self.total.assign_add(len(y_true))

        def result(self):
            return self.positive / self.total

    class Resets(PositiveRate):
        def reset_state(self):
            self.positive.assign(0.0)
            self.total.assign(0)

    x, y = np.ones((6, 2)), np.array([1.0, 0, 0, 1, 1, 1])
    model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Dense(1)])
    metrics = [PositiveRate(), Resets(name="same")]
    model.compile("sgd", "mse", metrics=metrics, engine=engine)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0).history
    assert history["rate"] == history["same"] == [4 / 6, 4 / 6]
    assert [v.name for v in metrics[0].variables] == ["positive", "total"]


def test_mistakes_in_reset_state_show():
    class Wrong(M.Mean):
        def reset_state(self):
            self.nothing.clear()

    with pytest.raises(AttributeError, match="nothing"):
        Wrong().reset_state()


def test_state_that_nobody_would_reset():
    class Counts(M.Metric):
        def __init__(self):
            super().__init__("counts")
            self.count = 0

    with pytest.raises(NotImplementedError, match=r"^Counts: write reset_state\(self\), or keep"):
        Counts().reset_state()
