"""Losses: numbers, shapes, names, errors. Expected numbers: see loss_table.py."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest
from loss_table import LABELS, LOSSES, REDUCTIONS, P, Q, R, T, W

import fastnn.losses as L
from fastnn import Model, config, optimizers, program
from fastnn.layers import Activation, Input
from fastnn.losses.base import kind_of
from fastnn.losses.registry import CLASSES
from fastnn.training.labels import TrainingWarning


@pytest.mark.parametrize("name", LOSSES)
def test_values_are_those_of_keras(name):
    cls, (t, p), options, expected, _ = LOSSES[name]
    found = cls.function(t, p, **options)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=6e-8)
    double = cls.function(t, p.astype("f8"), **options)
    assert double.dtype == np.float64
    rows = [0, 2, 3]  # in row 1 binary crossentropy clips, at another number in float32
    np.testing.assert_allclose(double[rows], np.array(expected)[rows], rtol=1e-6, atol=6e-8)


@pytest.mark.parametrize("name", LOSSES)
def test_results_are_those_of_keras(name):
    cls, batch, options, _, (plain, *weighted) = LOSSES[name]
    assert cls(**options)(*batch) == pytest.approx(plain, rel=1e-6)
    for reduction, expected in zip(REDUCTIONS, weighted, strict=True):
        found = cls(reduction=reduction, **options)(*batch, sample_weight=W)
        assert found == pytest.approx(expected, rel=1e-6), reduction


@pytest.mark.parametrize("engine", ["c", "numpy"])
@pytest.mark.parametrize("name", LOSSES)
def test_results_of_evaluate_are_those_of_keras(name, engine):
    """Of a model that gives the predictions as they are."""
    cls, (t, p), options, _, (plain, *weighted) = LOSSES[name]
    x = Input(shape=p.shape[1:])
    one = Model(x, Activation("linear")(x))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* expects probabilities", TrainingWarning)
        one.compile(loss=cls(**options), engine=engine)
        assert one.evaluate(p, t, verbose=0) == pytest.approx(plain, rel=1e-6)
        for reduction, expected in zip(REDUCTIONS, weighted, strict=True):
            one.compile(loss=cls(reduction=reduction, **options), engine=engine)
            found = one.evaluate(p, t, sample_weight=W, verbose=0)
            assert found == pytest.approx(expected, rel=1e-6), reduction


def test_every_loss_has_a_row():
    """A new one gets rows in tests/loss_table.py: see there."""
    assert {cls for cls, *_ in LOSSES.values()} == set(CLASSES.values())


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [
        ("sum_over_batch_size", 4.0037498),
        ("sum", 16.0149994),
        ("mean", 4.0037498),
        ("mean_with_sample_weight", 4.5757141),
        ("none", [0.125, 9.64, 0.0, 6.25]),
        (None, [0.125, 9.64, 0.0, 6.25]),
    ],
)
def test_reductions_are_those_of_keras(reduction, expected):
    loss = L.MeanSquaredError(reduction=reduction)
    np.testing.assert_allclose(loss(R, Q, sample_weight=W), expected, rtol=1e-6)
    np.testing.assert_allclose(loss(R, Q, sample_weight=W[:, None]), expected, rtol=1e-6)


def test_lists_and_integers_are_taken():
    assert L.MeanSquaredError()([1, 2], [2, 4]) == 2.5
    assert L.mean_squared_error([[1], [2]], [[2], [4]]).tolist() == [1.0, 4.0]


def test_an_axis_of_length_one_may_be_missing():
    p = np.array([[0.2], [0.7]])
    for t in ([1, 0], [[1], [0]]):
        assert L.mean_squared_error(t, p).tolist() == pytest.approx([0.64, 0.49])
    assert L.sparse_categorical_crossentropy(LABELS[:, None], P).shape == (4,)


@pytest.mark.parametrize(
    ("function", "t", "p"),
    [
        (L.mean_squared_error, np.zeros(4), np.zeros((4, 2))),
        (L.mean_squared_error, np.zeros((1, 2)), np.zeros((4, 2))),
        (L.mean_squared_error, np.zeros((4, 1)), np.zeros((4, 2))),
        (L.categorical_crossentropy, LABELS, P),
        (L.sparse_categorical_crossentropy, T, P),
    ],
)
def test_shapes_are_never_broadcast(function, t, p):
    with pytest.raises(ValueError, match="so y_true must have shape"):
        function(t, p)


@pytest.mark.parametrize("labels", [[0, 3, 1, 1], [0, -1, 1, 1]])
def test_labels_outside_the_classes_are_an_error(labels):
    with pytest.raises(ValueError, match="labels must be from 0 to 2"):
        L.sparse_categorical_crossentropy(labels, P)


def test_wrong_weights_are_an_error():
    with pytest.raises(ValueError, match="sample_weight: expected shape"):
        L.MeanSquaredError()(R, Q, sample_weight=[1, 2, 3])


SHORT = {
    "mse": "MeanSquaredError", "mae": "MeanAbsoluteError", "mape": "MeanAbsolutePercentageError",
    "msle": "MeanSquaredLogarithmicError", "logcosh": "LogCosh", "kld": "KLDivergence",
    "kullback_leibler_divergence": "KLDivergence", "bce": "BinaryCrossentropy",
    "huber_loss": "Huber", "kl_divergence": "KLDivergence",
}  # fmt: skip
"""Names that are not that of the class in snake case; those of four letters also in capitals."""


@pytest.mark.parametrize("name", CLASSES)
def test_names(name):
    cls = CLASSES[name]
    assert getattr(L, name) is cls
    short = [key for key, of in SHORT.items() if of == name]
    plain = [] if name == "KLDivergence" else [config.snake_case(name)]
    capitals = [key.upper() for key in short if len(key) <= 4]
    for key in [*plain, *short, *capitals]:
        assert getattr(L, key) is cls.function
        assert type(L.get(key)) is cls
    for identifier in (name, cls, cls.function):
        assert type(L.get(identifier)) is cls


OPTIONS = {
    "Huber": "delta=1.0, {}", "CosineSimilarity": "axis=-1, {}",
    "BinaryCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, {}",
    "CategoricalCrossentropy": "from_logits=False, label_smoothing=0.0, axis=-1, {}",
    "SparseCategoricalCrossentropy":
        "from_logits=False, ignore_class=None, reduction='sum_over_batch_size', axis=-1, "
        "name='sparse_categorical_crossentropy'",
}  # fmt: skip
"""Arguments that not all losses have."""


@pytest.mark.parametrize("name", CLASSES)
def test_arguments_are_those_of_keras(name):
    cls = CLASSES[name]
    own = {"Huber": "huber_loss"}.get(name, cls.function.__name__)
    usual = f"reduction='sum_over_batch_size', name='{own}'"
    expected = f"({OPTIONS.get(name, '{}').format(usual)}, dtype=None)"
    assert str(inspect.signature(cls)) == expected


def test_get_keeps_instances_and_none():
    loss = L.Huber(0.5)
    assert L.get(loss) is loss
    assert L.get(None) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [("sparse_categorical_crosentropy", "did you mean 'sparse_categorical_crossentropy'"),
     ("xyzzy", "known:"), (3, "expected a name")],
)  # fmt: skip
def test_unknown_names(wrong, message):
    with pytest.raises(ValueError, match=message):
        L.get(wrong)


@pytest.mark.parametrize(
    ("target", "prediction", "kind"),
    [
        ((), (1,), "binary_crossentropy"),
        ((1,), (1,), "binary_crossentropy"),
        ((), (10,), "sparse_categorical_crossentropy"),
        ((1,), (10,), "sparse_categorical_crossentropy"),
        ((10,), (10,), "categorical_crossentropy"),
        ((5,), (5, 10), "sparse_categorical_crossentropy"),
        ((2,), (2,), "categorical_crossentropy"),
    ],
)
def test_crossentropy_is_chosen_by_the_shapes(target, prediction, kind):
    for name in ("crossentropy", "ce"):
        assert kind_of(L.resolve(name, target, prediction)) == kind


@pytest.mark.parametrize(
    "loss",
    [L.Huber(0.3, reduction="sum"), L.BinaryCrossentropy(True, 0.1, name="b"),
     L.SparseCategoricalCrossentropy(from_logits=True), L.MeanSquaredError()],
)  # fmt: skip
def test_configs_make_equal_losses(loss):
    import json

    copy = L.deserialize(json.loads(json.dumps(L.serialize(loss))))
    assert type(copy) is type(loss) and copy.get_config() == loss.get_config()
    assert (kind_of(copy), copy.options) == (kind_of(loss), loss.options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L.Huber(0), "positive delta"),
        (lambda: L.MeanSquaredError(reduction="average"), "reduction to be one of"),
        (lambda: L.CategoricalCrossentropy(label_smoothing=1.5), "label_smoothing from 0 to 1"),
        (lambda: L.CategoricalCrossentropy(axis=1), "axis=-1"),
        (lambda: L.SparseCategoricalCrossentropy(ignore_class=0), "ignore_class"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_function_may_state_its_gradient():
    def quartic(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 4, axis=-1)

    loss = L.get(quartic)
    assert loss.name == "quartic"
    assert loss([[0.0, 0.0]], [[1.0, 2.0]]) == 8.5
    assert not loss.states_gradient
    quartic.gradient = lambda t, p: 4 * (p - t) ** 3 / p.shape[-1]
    assert loss.states_gradient
    values, slopes = loss.rows(R, Q, gradients=True)
    assert values.shape == (4,) and slopes.shape == (4, 2)


def test_a_function_may_give_one_number_for_the_batch():
    def loss(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2)

    loss.gradient = lambda t, p: 2 * (p - t) / p.size
    mean = L.get(loss)
    assert mean(R, Q) == pytest.approx(L.MeanSquaredError()(R, Q))
    values, slopes = mean.rows(R, Q, gradients=True)
    np.testing.assert_allclose(values, [np.mean((Q - R) ** 2)] * 4)
    np.testing.assert_allclose(slopes, (Q - R), rtol=1e-6)  # each sample's own mean


def test_a_gradient_of_every_row_does_not_fit_one_number_for_the_batch():
    def loss(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2)

    loss.gradient = lambda t, p: 2 * (p - t) / p.shape[-1]
    mean, r, q = L.get(loss), R.astype("f8"), Q.astype("f8")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"'loss': .* gradient is 4 times its derivative"):
            mean.check_gradient(r, q)
    L.get(loss).check_gradient(r[:1], q[:1])  # of one row it is the same
    L.get(loss).check_gradient(r, r)  # zero either way

    def total(y_true, y_pred):
        return np.sum((y_pred - y_true) ** 2)

    total.gradient = lambda t, p: 2 * (p - t)
    L.get(total).check_gradient(r, q)
    total.gradient = lambda t, p: 3 * (p - t)
    with pytest.raises(ValueError, match=r"'total': gradient.* is not the derivative of call"):
        L.get(total).check_gradient(r, q)
    total.gradient_is_exact = False
    L.get(total).check_gradient(r, q)

    def surprise(y_true, y_pred):
        return -np.mean(np.log(y_pred))

    surprise.gradient = lambda t, p: -1 / p / p.size
    L.get(surprise).rows(R, np.full_like(Q, 1e-6), gradients=True)  # no warning of log(-9e-6)


def test_a_loss_of_yours_gets_y_in_the_shape_of_the_predictions():
    def largest(y_true, y_pred):
        assert y_true.shape == y_pred.shape
        return np.max(np.abs(y_pred - y_true), axis=-1)

    class Largest(L.Loss):
        def call(self, y_true, y_pred):
            return largest(y_true, y_pred)

    for loss in (L.get(largest), Largest()):
        assert loss([1.0, 5.0], [[2.0], [9.0]]) == 2.5
        assert loss([1.0, 5.0], [[2.0], [9.0]], sample_weight=[1.0, 0.5]) == 1.5
        assert loss([[1.0], [5.0]], [2.0, 9.0]) == 4.0
    with pytest.raises(AssertionError):
        L.get(largest)([1.0, 5.0], [[2.0, 3.0], [9.0, 3.0]])  # a purpose of its own, perhaps


def test_results_of_wrong_shape_are_named():
    def flat(y_true, y_pred):
        return ((y_pred - y_true) ** 2).ravel()[:3]

    flat.gradient = lambda t, p: p[:, 0]
    with pytest.raises(ValueError, match=r"'flat': gradient\(y_true, y_pred\) must have"):
        L.get(flat).rows(R, Q, gradients=True)
    with pytest.raises(ValueError, match=r"'flat': call\(y_true, y_pred\) must give one value"):
        L.get(flat).rows(R, Q, gradients=False)

    def forgetful(y_true, y_pred):
        np.mean(y_pred - y_true)

    with pytest.raises(TypeError, match=r"'forgetful': call.* returned None: end it with return"):
        L.get(forgetful).rows(R, Q, gradients=False)


def test_reduction_none_cannot_be_trained_with():
    x = Input(shape=(2,))
    with pytest.raises(ValueError, match="reduction='none'"):
        program.build([x], [x], losses=[L.MeanSquaredError(reduction="none")],
                      optimizer=optimizers.SGD())  # fmt: skip


def test_logits_neither_overflow_nor_stick():
    z = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], "f")
    loss = L.SparseCategoricalCrossentropy(from_logits=True)
    assert loss.call(np.array([0, 0], "f"), z).tolist() == [0.0, 2000.0]
    binary = L.BinaryCrossentropy(from_logits=True)
    assert binary.call(np.array([[0.0], [1.0]], "f"), z[:, :1]).tolist() == [1000.0, 1000.0]
