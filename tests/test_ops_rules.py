"""What users feel of traced losses and metrics: zero gradients, ties, NaN, weights, constants.

Every loss stands behind a layer that changes nothing, and is asked for its value and its gradient
by the prediction, on both engines.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from compiled import Compiled, check_differences, close
from engines import ENGINES, Case

from fastnn import config, losses, ops, optimizers
from fastnn.layers import Input, PReLU
from fastnn.metrics import Metric
from fastnn.program.derive import ancestors
from fastnn.program.maps import Map
from fastnn.variable import Variable

P = np.array([[0.5, -1.0, 2.0], [0.25, 0.75, -0.5], [1.5, -2.0, 0.125], [3.0, 1.0, -1.0]])
T = np.array([[0.0, -1.0, 1.0], [1.0, 0.5, -0.5], [1.0, -3.0, 0.0], [0.0, 2.0, -1.0]])


class Scored:
    """What an engine makes of a loss and of metrics of predictions."""

    def __init__(self, engine, loss, t=T, p=P, weights=None, *, metrics=(), batch=None,
                 dtype="float64", reduction="sum_over_batch_size"):  # fmt: skip
        p, t = np.asarray(p, dtype), np.asarray(t, dtype)
        config.set_floatx(dtype)
        inputs = Input(shape=p.shape[1:])
        outputs = PReLU(alpha_initializer="ones", name="out")(inputs)
        loss = losses.get(loss)
        loss.reduction = reduction
        case = Case([inputs], [outputs], [loss], [p], [t],
                    None if weights is None else [np.asarray(weights, dtype)],
                    metrics=[list(metrics)])  # fmt: skip
        optimizer = optimizers.SGD()
        self.program = case.build(optimizer)
        batch = batch or len(p)
        self.engine = case.engine(ENGINES[engine], self.program, batch)
        steps = -(-len(p) // batch)
        coefficients = np.zeros((steps, 8))  # it learns nothing
        self.engine.train(np.arange(len(p)), batch, coefficients, step=0, seed=0)
        self.results = self.program.results(self.engine.sums)
        self.loss = self.results["loss"]
        last = len(p) - (steps - 1) * batch
        output = self.program.outputs[0]
        self.gradient = np.zeros((last, *p.shape[1:]))
        if self.program.gradients:  # else the loss does not depend on the prediction
            self.gradient = self.engine.gradient(output, last).copy()


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


# --- a gradient of zero stays zero -----------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda p: np.where(p > 0, np.log(p), 0.0),
        lambda p: np.where(p > 0, np.sqrt(p), 0.0),
        lambda p: np.where(p > 0, p**0.5, 0.0),
        lambda p: np.where(p > 0, p**-1.5, 0.0),
        lambda p: np.where(p > 0, 1 / p, 0.0),
        lambda p: np.where(p > 0, np.log(p) * np.sqrt(p) / p, 0.0),
        lambda p: np.where(p > 0, ops.rsqrt(p), 0.0),
        lambda p: np.where(p > 0, np.log1p(p - 1), 0.0),
        lambda p: np.where(p > 0, np.exp(np.log(p)), 0.0),
        lambda p: np.where(p > 0, ops.softmax(np.log(p)), 0.0),
        lambda p: np.where(p > 0, ops.log_softmax(np.log(p)), 0.0),
    ],
)
def test_what_where_leaves_out_has_no_gradient(engine, function):
    p = np.array([[0.0, -1.0], [0.0, -0.0], [-4.0, -9.0]])
    found = Scored(engine, lambda t, p: np.mean(function(p), axis=-1), p, p)
    assert found.loss == 0
    np.testing.assert_array_equal(found.gradient, 0)


@pytest.mark.parametrize("factor", [0.0, np.zeros(2)])
def test_zero_times_infinity_and_nan_has_no_gradient(engine, factor):
    p = np.array([[0.0, -1.0]])
    for function in (np.log, np.sqrt, lambda p: 1 / p, lambda p: p**-0.5):
        found = Scored(engine, lambda t, p: np.mean(factor * function(p), axis=-1), p, p)  # noqa: B023
        np.testing.assert_array_equal(found.gradient, 0)


def test_a_power_of_zero_is_flat(engine):
    p = np.array([[0.0, -1.0, 2.0]])
    for exponent in (0, np.array([0.0, 0.0, 0.0])):
        found = Scored(engine, lambda t, p: np.sum(p**exponent, axis=-1), p, p)  # noqa: B023
        assert found.loss == 3
        np.testing.assert_array_equal(found.gradient, 0)
    found = Scored(engine, lambda t, p: np.sum(p**t, axis=-1), [[0.0, 1.0, 3.0]], p)
    np.testing.assert_array_equal(found.gradient, [[0.0, 1.0, 12.0]])


# --- ties ------------------------------------------------------------------------------------


@pytest.mark.parametrize("like", [np.maximum, np.minimum])
def test_a_tie_with_a_constant_goes_to_the_constant(engine, like):
    for constant in (0.0, np.zeros(3), np.zeros((1, 3))):
        found = Scored(engine, lambda t, p: np.sum(like(p, constant), -1), p=0 * P)  # noqa: B023
        np.testing.assert_array_equal(found.gradient, 0)
        found = Scored(engine, lambda t, p: np.sum(like(constant, p), -1), p=0 * P)  # noqa: B023
        np.testing.assert_array_equal(found.gradient, 0)
    found = Scored(engine, lambda t, p: np.sum(like(p, np.zeros_like(p)), -1), p=0 * P)
    np.testing.assert_array_equal(found.gradient, 0)


@pytest.mark.parametrize("like", [np.maximum, np.minimum])
def test_a_tie_of_two_tensors_is_shared(engine, like):
    found = Scored(engine, lambda t, p: np.sum(like(p, t), axis=-1), t=P)
    np.testing.assert_array_equal(found.gradient, np.full(P.shape, 0.5 / len(P)))


@pytest.mark.parametrize("like", [np.max, np.min])
def test_equal_extremes_share_the_gradient(engine, like):
    p = np.array([[1.0, 1.0, 1.0, 1.0]])
    found = Scored(engine, lambda t, p: like(p, axis=-1), p, p)
    np.testing.assert_array_equal(found.gradient, np.full((1, 4), 0.25))


def test_clip_passes_the_gradient_at_its_bounds(engine):
    p = np.array([[-1.0, 1.0, 0.0, 1.5, -1.5]])
    found = Scored(engine, lambda t, p: np.sum(np.clip(p, -1, 1), axis=-1), p, p)
    np.testing.assert_array_equal(found.gradient, [[1.0, 1.0, 1.0, 0.0, 0.0]])


# --- NaN -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda t, p: np.maximum(p, 0),
        lambda t, p: np.maximum(0, p),
        lambda t, p: np.minimum(p, 0),
        lambda t, p: np.maximum(t, p),
        lambda t, p: np.minimum(p, t),
        lambda t, p: np.max(p, axis=-1),
        lambda t, p: np.min(p, axis=-1),
        lambda t, p: np.max(p),
        lambda t, p: np.max(p, axis=0),
        lambda t, p: np.min(p),
        lambda t, p: np.clip(p, 0, 1),
        lambda t, p: ops.relu(p),
        lambda t, p: np.abs(p),
        lambda t, p: np.sign(p),
        lambda t, p: ops.softmax(p),
        lambda t, p: np.sum(p) * 0.0,
    ],
)
@pytest.mark.parametrize("place", [(0, 0), (2, 1), (3, 2)])
def test_nan_is_never_lost(engine, function, place):
    p = P.copy()
    p[place] = np.nan
    assert math.isnan(Scored(engine, lambda t, p: np.mean(function(t, p)), p=p).loss)


# --- weights ---------------------------------------------------------------------------------

ROW_LOSSES = {
    "mse": lambda t, p: np.mean(np.square(t - p), axis=-1),
    "log": lambda t, p: np.mean(np.log(np.square(p) + 1.0) * t, axis=-1),
    "softmax": lambda t, p: np.sum(t * ops.softmax(p), axis=-1),
    "log_softmax": lambda t, p: -np.sum(t * ops.log_softmax(p), axis=-1),
    "log of softmax": lambda t, p: -np.sum(t * np.log(ops.softmax(p)), axis=-1),
    "logsumexp": lambda t, p: ops.logsumexp(p, axis=-1) - np.sum(t * p, axis=-1),
    "crossentropy from logits": lambda t, p: ops.categorical_crossentropy(t, p, True),
    "binary from logits": lambda t, p: np.mean(ops.binary_crossentropy(t, p, True), axis=-1),
    "normalized": lambda t, p: -np.sum(ops.normalize(t + 2.0) * ops.normalize(p), axis=-1),
    "layer normalization": lambda t, p: np.mean(ops.layer_normalization(p) * t, axis=-1),
    "max": lambda t, p: np.max(np.abs(t - p), axis=-1),
    "prod": lambda t, p: np.prod(p + t, axis=-1),
    "std": lambda t, p: np.std(p - t, axis=-1),
    "product": lambda t, p: np.sum((p @ np.array([[1.0], [2.0], [3.0]])) * t, axis=-1),
    "products of each sample": lambda t, p: np.sum(
        np.matmul(p[:, :, None], t[:, None]) @ p[:, :, None], axis=(1, 2)
    ),
    "cumulative": lambda t, p: np.mean(np.cumsum(p, axis=-1) * t, axis=-1),
    "sorted in": lambda t, p: np.mean(np.take(p, [2, 0, 1], axis=1) * t[:, ::-1], axis=-1),
    "logaddexp": lambda t, p: np.mean(np.logaddexp(p, t), axis=-1),
    "mean of all": lambda t, p: np.mean(np.square(t - p) * np.abs(p)),
    "flat": lambda t, p: np.mean(np.square(np.reshape(t, (-1,)) - np.reshape(p, (-1,)))),
}


@pytest.mark.parametrize("name", ROW_LOSSES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_of_weight_zero_is_left_out_whatever_it_holds(engine, name, bad):
    reductions = ["sum_over_batch_size", "mean_with_sample_weight"]
    if name not in ("mean of all", "flat"):  # whose sum is that of one number
        reductions.append("sum")
    for reduction in reductions:
        weights = np.array([1.0, 0.0, 2.0, 0.5])
        p, t = P.copy(), T.copy()
        clean = Scored(engine, ROW_LOSSES[name], t, p, weights, reduction=reduction)
        p[1] = bad
        found = Scored(engine, ROW_LOSSES[name], t, p, weights, reduction=reduction)
        assert found.loss == pytest.approx(clean.loss, rel=1e-12)
        np.testing.assert_array_equal(found.gradient[1], 0)
        kept = [0, 2, 3]
        np.testing.assert_allclose(found.gradient[kept], clean.gradient[kept], rtol=1e-12)
        assert np.any(clean.gradient[kept])


def test_a_mean_over_everything_is_a_value_for_each_row(engine):
    def mine(t, p):
        return 0.5 * np.mean(np.square(t - p)) + 1.0

    weights = np.array([1.0, 0.0, 2.0, 0.5])
    found = Scored(engine, mine, weights=weights)
    assert found.program.losses[0].value.batched
    rows = 0.5 * np.mean(np.square(T - P), axis=-1) + 1.0
    assert found.loss == pytest.approx(np.mean(weights * rows), rel=1e-12)
    slopes = (P - T) / 3 * weights[:, None] / 4
    np.testing.assert_allclose(found.gradient, slopes, rtol=1e-12)
    unweighted = Scored(engine, mine, batch=3)
    assert unweighted.loss == pytest.approx(np.mean(rows), rel=1e-12)


def test_other_numbers_are_values_of_the_batch(engine):
    def mine(t, p):
        return np.sqrt(np.mean(np.square(t - p)))

    found = Scored(engine, mine, batch=3)
    assert not found.program.losses[0].value.shape
    rmse = [np.sqrt(np.mean(np.square(T[k] - P[k]))) for k in (slice(0, 3), slice(3, 4))]
    assert found.loss == pytest.approx((3 * rmse[0] + rmse[1]) / 4, rel=1e-12)
    np.testing.assert_allclose(found.gradient, (P[3:] - T[3:]) / 3 / rmse[1], rtol=1e-12)
    weights = np.array([1.0, 0.5, 2.0, 0.5])
    weighted = Scored(engine, mine, weights=weights)
    whole = Scored(engine, mine)
    assert weighted.loss == pytest.approx(whole.loss, rel=1e-12)  # of mean weight 1
    np.testing.assert_allclose(weighted.gradient, whole.gradient, rtol=1e-12)


# --- constants -------------------------------------------------------------------------------


def test_constants_never_widen(engine):
    scale, shift = np.linspace(0.1, 1.0, 3), np.float64(0.3)

    def mine(t, p):
        y = 2.0 * scale * (p - t) + shift + np.ones((1, 3)) * 1e-3
        return np.mean(np.square(y), axis=-1) / np.float64(3) + math.pi

    found = Scored(engine, mine, dtype="float32")
    tensors = ancestors([found.program.losses[0].value])
    assert {tensor.dtype.name for tensor in tensors} == {"float32"}
    assert found.gradient.dtype == np.float32
    values = mine(T.astype("f"), P.astype("f"))
    assert found.loss == pytest.approx(np.mean(values), rel=1e-6)


def test_arrays_in_closures_are_copied_when_traced(engine):
    factors = np.array([1.0, 2.0, 3.0])
    case = Compiled(lambda p: p * factors, [(3,)])
    before = case.on_c([P])[0][0]
    factors[:] = 100.0
    np.testing.assert_array_equal(case.on_c([P])[0][0], before)
    np.testing.assert_array_equal(case.on_numpy([P])[0][0], before)
    np.testing.assert_array_equal(before, P * [1.0, 2.0, 3.0])


def test_constants_are_folded_in_double_precision():
    third = 1 / 3

    def mine(p):
        return p * (np.float32(3) * third) * ops.exp(np.log(1.0))

    found = Compiled(mine, [(3,)], "float32")
    assert {s for s in found.steps if s not in ("copy", "multiply")} == set()
    values = found.on_c([P.astype("f")])[0][0]
    np.testing.assert_array_equal(values, P.astype("f"))


def test_constants_alone_are_a_loss(engine):
    found = Scored(engine, lambda t, p: np.float64(2.5) + 0.0 * np.sum(p))
    assert found.loss == 2.5
    np.testing.assert_array_equal(found.gradient, 0)
    for function in (lambda t, p: 2.5, lambda t, p: np.sum(t), lambda t, p: ops.ones_like(p)):
        found = Scored(engine, function)
        np.testing.assert_array_equal(found.gradient, 0)


# --- shapes and values -----------------------------------------------------------------------


def test_the_batch_axis_is_none_and_its_length_a_tensor(engine):
    seen = []

    def mine(t, p):
        seen.append((p.shape, t.shape, ops.shape(p)[1]))
        assert isinstance(ops.shape(p)[0], ops.Tensor)
        assert isinstance(np.size(p), ops.Tensor) or isinstance(p.size, ops.Tensor)
        return ops.sum(np.abs(t - p)) / ops.shape(p)[0]

    found = Scored(engine, mine, batch=3)
    assert set(seen) == {((None, 3), (None, 3), 3)}
    sums = np.abs(T - P).sum(axis=-1)
    assert found.loss == pytest.approx(sums.mean(), rel=1e-12)
    np.testing.assert_array_equal(found.gradient, np.sign(P[3:] - T[3:]))


@pytest.mark.parametrize(
    "function",
    [
        lambda t, p: p if p > 0 else t,
        lambda t, p: max(p, 0),
        lambda t, p: t and p,
        lambda t, p: p if np.mean(p) > 0 else t,
        lambda t, p: t if 0 < p < 1 else p,
    ],
)
def test_if_on_values_names_where(function):
    with pytest.raises(ops.NotTraceable, match=r"lambda.*np\.where"):
        Scored("c", function)


@pytest.mark.parametrize(
    "function",
    [np.floor, np.ceil, np.round, np.trunc, np.sign, lambda p: p > 0, np.isnan,
     lambda p: p // 0.7, lambda p: np.argmax(p, axis=-1), lambda p: ops.cast(p, "int32"),
     ops.stop_gradient, np.zeros_like],
)  # fmt: skip
def test_steps_have_derivative_zero(engine, function):
    found = Scored(engine, lambda t, p: np.mean(np.mean(0.3 * p) + np.mean(function(p) * 2.0)))
    np.testing.assert_allclose(found.gradient, np.full(P.shape, 0.3 / P.size), rtol=1e-12)


# --- metrics ---------------------------------------------------------------------------------


def test_a_number_for_the_batch_counts_once_for_each_batch(engine):
    def rmse(t, p):
        return np.sqrt(np.mean(np.square(t - p)))

    found = Scored(engine, "mse", metrics=[rmse], batch=3)
    assert found.program.metrics[0].states
    batches = [np.sqrt(np.mean(np.square(T[k] - P[k]))) for k in (slice(0, 3), slice(3, 4))]
    assert found.results["rmse"] == pytest.approx(np.mean(batches), rel=1e-12)


def test_numbers_of_rows_count_by_row(engine):
    def largest(t, p):
        return np.max(np.abs(t - p), axis=-1)

    found = Scored(engine, "mse", metrics=[largest], batch=3)
    assert found.program.metrics[0].states
    expected = np.mean(np.max(np.abs(T - P), axis=-1))
    assert found.results["largest"] == pytest.approx(expected, rel=1e-12)


class Many(Metric):
    """A metric of several states, of rows, of elements, of the batch and of its own constants."""

    def __init__(self):
        super().__init__("many")
        self.parts = [self.add_variable(name=f"part{k}") for k in range(5)]

    def update_state(self, y_true, y_pred, sample_weight=None):
        error = np.abs(y_true - y_pred)
        self.parts[0].assign_add(np.sum(error))
        self.parts[1].assign_add(np.sum(np.max(error, axis=-1)))
        self.parts[2].assign_add(np.sqrt(np.sum(error)) + 1.0)
        self.parts[3].assign_add(3.0)
        self.parts[4].assign(self.parts[4] + ops.shape(y_pred)[0])

    def result(self):
        return sum(10.0**-k * float(part.value) for k, part in enumerate(self.parts))


def test_a_metric_may_have_many_states(engine):
    found = Scored(engine, "mse", metrics=[Many()], batch=3)
    assert len(found.program.metrics[0].states) == 5
    error = np.abs(T - P)
    roots = np.sqrt(error[:3].sum()) + np.sqrt(error[3:].sum()) + 2.0
    parts = [error.sum(), error.max(axis=-1).sum(), roots, 6.0, 4.0]
    expected = sum(10.0**-k * part for k, part in enumerate(parts))
    assert found.results["many"] == pytest.approx(expected, rel=1e-12)


# --- maps ------------------------------------------------------------------------------------


def test_one_number_that_a_product_makes_fills_its_vector():
    """It is an operand for every element, in all lanes."""

    def mine(p):
        total = ops.sum(p, axis=0, keepdims=True)  # (1, 3), the same for all samples
        one = ops.matmul(total, ops.transpose(total))
        return p * one + ops.transpose(ops.sum(total, axis=1, keepdims=True))

    compiled = Compiled(mine, [(3,)])
    found, expected = compiled.on_c([P]), compiled.on_numpy([P])
    close(found[0], expected[0], 1e-12)
    close(found[1], expected[1], 1e-12)
    check_differences(compiled, [P], compiled.on_c, found[1])


def test_what_is_the_same_for_all_samples_takes_no_more_room_than_one():
    def mine(p):
        return p - ops.mean(p, axis=0, keepdims=True)

    compiled = Compiled(mine, [(5000,)])
    maps = [one for one in compiled.maps if isinstance(one, Map)]
    assert max(register.size for one in maps for register in one.registers) == 5000


def test_a_loss_may_take_thousands_of_steps():
    def mine(p):
        for k in range(1500):
            p = ops.sin(p) + 0.001 * k
        return p

    compiled = Compiled(mine, [(3,)])
    found, expected = compiled.on_c([P]), compiled.on_numpy([P])
    close(found[0], expected[0], 1e-9)
    close(found[1], expected[1], 1e-9)


def test_a_program_reads_variables_as_they_are(engine):
    """Whatever function of ops takes them, without a tensor beside them."""
    weight = Variable(shape=(3,), name="weight", dtype="float64", trainable=False)
    table = Variable(shape=(2, 3), name="table", dtype="float64", trainable=False)

    def mine(t, p):
        y = ops.sum(weight) * p + ops.reshape(ops.concatenate([weight, weight]), (2, 3))[1]
        y = (
            y * ops.softmax(table)[0]
            + ops.transpose(table)[:, 1]
            + ops.take(table, [0, 1, 0], 1)[1]
        )
        y = y + ops.max(table, axis=0) * ops.mean(table) + ops.stack([weight, weight])[0]
        return np.mean(np.square(y - t), axis=-1)

    scored = Scored(engine, mine)
    rng = np.random.default_rng(0)
    weight.assign(rng.standard_normal(3))
    table.assign(rng.standard_normal((2, 3)))
    scored.engine.reset()
    scored.engine.evaluate(np.arange(len(P)), len(P))
    found = scored.program.results(scored.engine.sums)["loss"]
    assert found == pytest.approx(np.mean(mine(T, P)), rel=1e-12)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda t, p: np.argmax(p, axis=0), "along the batch would name a row"),
        (lambda t, p: ops.softmax(p, axis=0), "softmax along the batch"),
        (lambda t, p: ops.concatenate([t, p], axis=0), "concatenate along the batch"),
        (lambda t, p: p @ p.T, "batch"),
    ],
)
def test_rows_do_not_meet_but_in_sums_and_extremes(function, message):
    with pytest.raises(ops.NotTraceable, match=message):
        Scored("c", function)


def test_places_along_an_axis_may_be_constants(engine):
    def mine(t, p):
        return np.sum(ops.take_along_axis(p, [[2, 0]], axis=-1) * [1.0, 3.0], axis=-1)

    found = Scored(engine, mine)
    assert found.loss == pytest.approx(np.mean(P[:, 2] + 3 * P[:, 0]), rel=1e-12)
    np.testing.assert_allclose(found.gradient, np.tile([0.75, 0.0, 0.25], (4, 1)), rtol=1e-12)
