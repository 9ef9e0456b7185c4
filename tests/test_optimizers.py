"""Optimizers: steps, settings, state. Expected numbers: computed with Keras 3.15.1 (JAX)."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import fastnn.optimizers as O
from fastnn import _core
from fastnn.optimizers import schedules as S
from fastnn.optimizers.base import POWERS, power, powers
from fastnn.variable import Variable

START = [1.0, -2.0, 0.5]
GRADIENTS = [[0.1, -0.3, 2.0], [0.2, 0.1, -1.0], [-0.5, 0.4, 0.0], [0.05, -0.2, 0.7]]

AFTER_FOUR_STEPS = [
    (O.SGD(0.1), "sgd", [1.015, -2.0, 0.33]),
    (O.SGD(0.1, momentum=0.9), "momentum", [1.00141, -1.9799302, 0.0132]),
    (O.SGD(0.1, momentum=0.9, nesterov=True), "nesterov", [1.016269, -1.9819369, -0.10812]),
    (O.SGD(0.1, weight_decay=0.1), "sgd", [0.975791, -1.921484, 0.3142482]),
    (O.RMSprop(0.01), "rmsprop", [0.9659044, -1.9921199, 0.4723407]),
    (O.RMSprop(0.01, momentum=0.9), "rmsprop_momentum", [0.8661637, -1.9560643, 0.4204254]),
    (O.RMSprop(0.01, centered=True), "rmsprop_centered", [0.9616451, -1.9909095, 0.4704937]),
    (O.RMSprop(0.01, rho=0.8, momentum=0.5, centered=True, epsilon=1e-3),
     "rmsprop_centered_momentum", [0.9521948, -1.987828, 0.4632935]),
    (O.Adam(0.05), "adam", [0.9244099, -1.9466521, 0.4096521]),
    (O.Adam(0.05, beta_1=0.8, beta_2=0.95, epsilon=1e-3), "adam",
     [0.9320263, -1.9550066, 0.4156752]),
    (O.Adam(0.05, amsgrad=True), "amsgrad", [0.9244099, -1.9466521, 0.4096573]),
    (O.AdamW(0.05), "adam", [0.9236566, -1.9450874, 0.4092897]),
    (O.AdamW(0.05, weight_decay=0.2), "adam", [0.8873118, -1.8695725, 0.3918031]),
    (O.Adam(S.ExponentialDecay(0.1, 2, 0.5)), "adam", [0.8518665, -1.8880174, 0.3590389]),
]  # fmt: skip


def parameter(path="w", value=START, dtype="float32"):
    variable = Variable(shape=np.shape(value), name=path, dtype=dtype)
    variable.assign(value)
    return variable


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("optimizer", "rule", "expected"), AFTER_FOUR_STEPS)
def test_steps_are_those_of_keras(optimizer, rule, expected, dtype):
    optimizer = O.deserialize(json.loads(json.dumps(O.serialize(optimizer))))  # unused before
    assert optimizer.rule == rule
    w = parameter(dtype=dtype)
    for g in GRADIENTS:
        optimizer.apply_gradients([(g, w)])
    np.testing.assert_allclose(w.value, expected, rtol=5e-6)
    assert optimizer.iterations == 4


def test_every_rule_is_checked():
    assert {rule for _, rule, _ in AFTER_FOUR_STEPS} == set(_core.RULES)


def test_a_gradient_of_another_shape_changes_nothing():
    w, v = parameter("w"), parameter("v")
    sgd = O.SGD()
    with pytest.raises(ValueError, match=r"gradient of 'v'.*\(3,\), got \(2,\)"):
        sgd.apply([GRADIENTS[0], [1, 2]], [w, v])
    assert w.value.tolist() == START and sgd.iterations == 0


def test_the_padding_of_a_matrix_stays_zero():
    w = Variable(shape=(3, 5), name="w")
    adam = O.AdamW(0.1)
    adam.apply([np.ones((3, 5))], [w])
    assert np.all(w.value != 0)
    for buffer in (w.buffer, *adam.slots(w)):
        assert not buffer[:, 5:].any()


# --- coefficients ----------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "rule", "expected"), AFTER_FOUR_STEPS)
def test_coefficients_do_not_depend_on_how_an_epoch_is_cut(optimizer, rule, expected):
    whole = optimizer.coefficients(5, 40)
    assert whole.shape == (40, 8) and whole.dtype == np.float64
    cut = np.concatenate([optimizer.coefficients(5, 7), optimizer.coefficients(12, 33)])
    assert whole.tobytes() == cut.tobytes()


@pytest.mark.parametrize("config", [None, 3, {"class_name": "Adam", "config": "x"}])
def test_what_no_optimizer_was_written_as(config):
    with pytest.raises(ValueError, match=r"expected a name|dictionary"):
        O.deserialize(config)
    assert isinstance(O.deserialize("adam"), O.Adam)


def test_adams_step_size():
    t = np.arange(1, 2001)
    exact = (
        0.001 * np.sqrt(1 - 0.999 ** t.astype("longdouble")) / (1 - 0.9 ** t.astype("longdouble"))
    )
    found = O.Adam().coefficients(0, 2000)
    np.testing.assert_allclose(found[:, 1], exact.astype("f8"), rtol=1e-12)
    assert found[0].tolist()[2:] == [0.9, 0.999, 1e-7, 0, 0, 0]
    assert not O.Adam().coefficients(10**6, 1)[0, 1] - 0.001


def test_powers_need_only_multiplication():
    squares = 0.9 * 0.9
    assert [power(0.9, n) for n in range(4)] == [1.0, 0.9, squares, 0.9 * squares]
    assert power(0.9, 37) == pytest.approx(0.9**37, rel=1e-14)


@pytest.mark.parametrize("first", [0, 1, POWERS - 3, POWERS, 7 * POWERS + 5])
@pytest.mark.parametrize("count", [1, 2, 5, 2 * POWERS])
def test_powers_do_not_depend_on_where_one_begins(first, count):
    found = powers(0.999, first, count)
    for n, value in enumerate(found, first):
        assert value == power(0.999, n - n % POWERS) * power(0.999, n % POWERS)
    np.testing.assert_allclose(found, 0.999 ** np.arange(first, first + count), rtol=1e-12)


def test_decay_goes_with_the_rate():
    adam = O.AdamW(lambda step: 0.1 / (1 + step), weight_decay=0.5)
    np.testing.assert_allclose(adam.coefficients(0, 3)[:, 0], [0.05, 0.025, 0.1 / 3 / 2])


# --- settings --------------------------------------------------------------------------------


def test_defaults_are_those_of_keras():
    assert O.SGD().get_config() == {
        "name": "sgd", "learning_rate": 0.01, "weight_decay": None, "momentum": 0.0,
        "nesterov": False,
    }  # fmt: skip
    assert O.RMSprop().get_config() == {
        "name": "rm_sprop", "learning_rate": 0.001, "weight_decay": None, "rho": 0.9,
        "momentum": 0.0, "epsilon": 1e-7, "centered": False,
    }  # fmt: skip
    adam = {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7,
            "amsgrad": False}  # fmt: skip
    assert O.Adam().get_config() == {"name": "adam", "weight_decay": None, **adam}
    assert O.AdamW().get_config() == {"name": "adam_w", "weight_decay": 0.004, **adam}


def test_old_spelling_of_the_rate():
    sgd = O.SGD(lr=0.5)
    assert sgd.learning_rate == sgd.lr == 0.5
    sgd.lr = 0.25
    assert sgd.learning_rate == 0.25


def test_the_rate_may_change_between_batches():
    sgd = O.SGD(0.1)
    sgd.learning_rate = np.float32(0.5)
    assert sgd.coefficients(0, 1)[0, 1] == 0.5
    sgd.learning_rate = lambda step: 0.1 * step
    assert sgd.coefficients(2, 2)[:, 1].tolist() == [0.2, 0.1 * 3]
    sgd.iterations = 7
    assert sgd.current_learning_rate() == pytest.approx(0.7)


def test_the_rate_has_the_methods_of_keras_s_variable():
    sgd = O.SGD(0.5)
    rate = sgd.learning_rate
    assert rate.numpy() == 0.5 and f"{rate} {rate:.2f} {rate!r}" == "0.5 0.50 0.5"
    rate.assign(0.25)
    sgd.learning_rate.assign(sgd.learning_rate * 0.5)
    assert sgd.learning_rate == 0.125 and type(sgd.current_learning_rate()) is float
    for copied in (pickle.loads(pickle.dumps(rate)), copy.copy(rate), json.loads(json.dumps(rate))):
        assert type(copied) is float and copied == 0.5
    with pytest.raises(ValueError, match="at least 0"):
        rate.assign(-0.5)
    sgd.learning_rate = lambda: 0.75
    assert sgd.learning_rate.numpy() == 0.75


def test_the_rate_reads_as_a_number_also_with_a_schedule():
    # As in Keras 3.15.1: SGD(ExponentialDecay(0.1, 3, 0.5)).learning_rate after 12 steps.
    sgd = O.SGD(O.schedules.ExponentialDecay(0.1, 3, 0.5))
    assert sgd.learning_rate == pytest.approx(0.1)
    assert sgd.has_schedule
    assert not O.SGD(0.1).has_schedule
    sgd.iterations = 12
    assert sgd.learning_rate == sgd.lr == pytest.approx(0.00625)


def test_the_rate_may_be_a_function_without_arguments():
    rates = iter([0.5, 0.25, 0.125])
    sgd = O.SGD(lambda: next(rates))
    assert sgd.coefficients(0, 2)[:, 1].tolist() == [0.5, 0.25]
    assert sgd.learning_rate == 0.125


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: O.SGD(1), r"must be a float.*got 1: write 1\.0"),
        (lambda: O.SGD(0), r"must be a float.*got 0: write 0\.0, with which nothing"),
        (lambda: O.SGD(-1), r"must be a finite number, at least 0, got -1"),
        (lambda: O.SGD(-1.0), r"must be a finite number, at least 0, got -1\.0"),
        (lambda: O.Adam(learning_rate="fast"), "must be a float"),
        (lambda: O.SGD(-0.1), "at least 0"),
        (lambda: O.SGD(float("nan")), "finite"),
        (lambda: O.SGD(momentum=1.5), "momentum from 0 to below 1"),
        (lambda: O.Adam(beta_1=1.0), "beta_1 from 0 to below 1"),
        (lambda: O.Adam(epsilon=0), "epsilon to be a positive number"),
        (lambda: O.SGD(weight_decay=-1), "weight_decay"),
        (lambda: O.Adam(clipnorm=1.0), "Adam: clipnorm is not .*Keras has it: use a smaller learn"),
        (lambda: O.SGD(clipnorm=np.ones(2)), "SGD: clipnorm is not available yet"),
        (lambda: O.SGD(use_ema=True), "SGD: use_ema is not available yet.*fastnn.callbacks"),
        (lambda: O.SGD(gradient_accumulation_steps=2), "gradient_accumulation_steps.*batch_size"),
        (lambda: O.SGD(loss_scale_factor=2.0), "loss_scale_factor is not available yet.*leave it"),
        (lambda: O.Adam(learning_rat=0.1), "unrecognized argument 'learning_rat'.*learning_rate"),
        (lambda: O.get("adamm"), "did you mean 'adam'"),
        (lambda: O.get(3), "expected a name"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_arguments_of_keras_at_their_defaults():
    sgd = O.SGD(
        0.1, clipnorm=None, clipvalue=None, global_clipnorm=None, use_ema=False, ema_momentum=0.99,
        ema_overwrite_frequency=None, loss_scale_factor=None, gradient_accumulation_steps=None,
    )  # fmt: skip
    assert sgd.get_config() == O.SGD(0.1).get_config()


@pytest.mark.parametrize(
    ("name", "cls"),
    [("sgd", O.SGD), ("SGD", O.SGD), ("adam", O.Adam), ("Adam", O.Adam), ("rmsprop", O.RMSprop),
     ("RMSprop", O.RMSprop), ("adamw", O.AdamW), (O.Adam, O.Adam)],
)  # fmt: skip
def test_names(name, cls):
    assert type(O.get(name)) is cls


# --- state -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("optimizer", "rule", "expected"), AFTER_FOUR_STEPS)
def test_state_continues_bit_for_bit(optimizer, rule, expected):
    config = optimizer.get_config()
    first, w = type(optimizer).from_config(config), parameter()
    for g in GRADIENTS[:2]:
        first.apply([g], [w])
    second, v = type(optimizer).from_config(config), parameter(value=w.value)
    second.load_state(first.state(), [v])
    for g in GRADIENTS[2:]:
        first.apply([g], [w])
        second.apply([g], [v])
    assert w.value.tobytes() == v.value.tobytes()
    assert second.iterations == 4


def test_names_of_the_state():
    adam, w = O.Adam(), parameter("dense/kernel")
    adam.build([w])
    assert list(adam.state()) == [
        "iterations", "learning_rate", "m/dense/kernel", "v/dense/kernel"
    ]  # fmt: skip


def test_state_that_does_not_fit_changes_nothing():
    w = parameter()
    state = {"iterations": np.array(3), "m/w": np.ones(3), "v/w": np.ones(3)}
    adam = O.Adam()
    adam.build([w])
    for wrong, message in (
        ({k: v for k, v in state.items() if k != "v/w"}, "missing here, such as 'v/w'"),
        ({**state, "m/u": np.ones(3)}, "unknown here, such as 'm/u'"),
        ({**state, "v/w": np.ones(4)}, r"slot 'v/w' must have shape \(3,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            adam.load_state(wrong)
        assert adam.iterations == 0 and not adam.slots(w)[0].any()
    adam.load_state(state)
    assert adam.iterations == 3 and adam.slots(w)[0][0, :3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_have_their_own_slots(duplicate):
    adam, w = O.Adam(0.1), parameter()
    adam.apply([GRADIENTS[0]], [w])
    other, v = duplicate((adam, w))
    adam.apply([GRADIENTS[1]], [w])
    before = other.state()["m/w"].copy()
    np.testing.assert_allclose(before, np.array(GRADIENTS[0]) * 0.1, rtol=1e-6)
    other.apply([GRADIENTS[1]], [v])
    assert v.value.tobytes() == w.value.tobytes()


# --- schedules -------------------------------------------------------------------------------

STEPS = (0, 3, 5, 6, 10, 15, 21, 40)
RATES = [
    (S.ExponentialDecay(0.1, 10, 0.5),
     [0.1, 0.08122524, 0.07071068, 0.06597539, 0.05, 0.03535534, 0.02332583, 0.00625]),
    (S.ExponentialDecay(0.1, 10, 0.5, staircase=True),
     [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.00625]),
    (S.InverseTimeDecay(0.1, 10, 0.5),
     [0.1, 0.08695652, 0.08, 0.07692308, 0.06666667, 0.05714286, 0.04878049, 0.03333334]),
    (S.InverseTimeDecay(0.1, 10, 0.5, staircase=True),
     [0.1, 0.1, 0.1, 0.1, 0.06666667, 0.06666667, 0.05, 0.03333334]),
    (S.PiecewiseConstantDecay([5, 20], [1.0, 0.5, 0.1]),
     [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.1, 0.1]),
    (S.PolynomialDecay(0.1, 10, 0.01, power=2.0),
     [0.1, 0.0541, 0.0325, 0.0244, 0.01, 0.01, 0.01, 0.01]),
    (S.PolynomialDecay(0.1, 10, 0.01, cycle=True),
     [0.1, 0.073, 0.055, 0.046, 0.01, 0.0325, 0.037, 0.01]),
    (S.CosineDecay(0.1, 20, alpha=0.1),
     [0.1, 0.09509529, 0.08681981, 0.08145034, 0.055, 0.0231802, 0.01, 0.01]),
    (S.CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5),
     [0.0, 0.06, 0.1, 0.09938442, 0.08535534, 0.05, 0.00954915, 0.0]),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "rates"), RATES)
def test_schedules_are_those_of_keras(schedule, rates):
    copied = S.deserialize(json.loads(json.dumps(S.serialize(schedule))))
    for one in (schedule, copied):
        np.testing.assert_allclose([one(step) for step in STEPS], rates, rtol=1e-6, atol=1e-8)


def test_rates_are_float32_so_that_no_libm_shows():
    rate = S.ExponentialDecay(0.1, 10, 0.5)(3)
    assert rate == float(np.float32(rate)) and rate == pytest.approx(0.1 * 0.5**0.3)


def test_wrong_schedules():
    with pytest.raises(ValueError, match="decay_steps to be positive"):
        S.ExponentialDecay(0.1, 0, 0.5)
    with pytest.raises(ValueError, match="one more value than boundaries"):
        S.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(ValueError, match="Unknown schedule"):
        S.deserialize({"class_name": "Sometimes", "config": {}})
