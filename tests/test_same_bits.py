"""The same bits whatever the number of threads and the instruction set.

In float32; with FASTNN_THOROUGH set, as CI does, in float64 too.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from engines import CASES, Case, CEngine, NumpyEngine, make, restore, snapshot

from fastnn import _core, callbacks, config, optimizers, utils
from fastnn.layers import Dense, Dropout, Flatten, Input
from fastnn.models import Sequential
from fastnn.training import TrainingWarning

THREADS = (1, 2, 3, 4, 8)
DTYPES = ["float32", "float64"] if "FASTNN_THOROUGH" in os.environ else ["float32"]
WIDE = {"wide": (1.0, (550,), 257), "mostly zeros": (0.15, (550,), 257),
        "too many weights for halves": (1.0, (1100,), 500),
        "inputs that are zero in a batch": (0.02, (550,), 257),
        "few inputs": (1.0, (7,), 300), "runs": (1.0, (2, 517), 70),
        "one unit": (0.1, (33001,), 1)}  # fmt: skip
"""The share of the inputs that are not zero, the shape of a sample, and the first layer's units."""


def wide(rng, density, shape, units, n=70):
    """Large enough for several blocks, sums in halves and every way of dividing the work."""
    i = Input(shape=shape)
    h = Flatten()(Dense(units, activation="relu")(i))
    h = Dropout(0.2)(Dense(64, activation="gelu")(h))
    o = Dense(10, activation="softmax", name="out")(h)
    x = rng.standard_normal((n, *shape)) * (rng.random((n, *shape)) < density)
    return Case([i], [o], ["sparse_categorical_crossentropy"], [x], [rng.integers(0, 10, n)],
                metrics=[["accuracy"]])  # fmt: skip


def case_named(name, dtype):
    if name not in WIDE:
        return make(name, dtype)
    config.set_random_seed(1)
    config.set_floatx(dtype)
    case = wide(np.random.default_rng(2), *WIDE[name])
    case.x = [x.astype(dtype) for x in case.x]
    return case


def left_by(cls, case, start, batch, threads=None, rule=optimizers.Adam):
    """Return all arrays that three epochs and an evaluation with an engine leave behind."""
    restore(case, start)
    optimizer = rule(0.01)
    prog = case.build(optimizer)
    engine = case.engine(cls, prog, batch)
    if threads:
        engine.use_threads(threads)
    rows = np.random.default_rng(3).permutation(case.rows)
    for _ in range(3):
        steps = -(-case.rows // batch)
        coefficients = optimizer.coefficients(optimizer.iterations, steps)
        engine.train(rows, batch, coefficients, step=optimizer.iterations, seed=2**50 + 1)
        optimizer.iterations += steps
    for size in (20, batch):
        engine.evaluate(rows, size)
    outputs = [np.zeros((case.rows, *o.sample_shape), o.dtype) for o in case.outputs]
    engine.predict(0, case.rows, outputs)
    left = [*snapshot(case), *optimizer.state().values(), engine.sums, *outputs]
    assert all(np.isfinite(array).all() for array in left)
    return left


def trained(case, start, threads, batch=32, rule=optimizers.Adam):
    """Return the same as bytes."""
    left = left_by(CEngine, case, start, batch, threads, rule)
    return b"".join(array.tobytes() for array in left)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*WIDE, *CASES])
def test_threads_and_instruction_sets_leave_the_same_bits(name, dtype):
    case = case_named(name, dtype)
    rule = optimizers.SGD if "are zero" in name else optimizers.Adam  # leaves out idle weights
    start = snapshot(case)
    before = _core.isa()
    _core.set_num_threads(max(THREADS))  # the most that a region may get
    found = {}
    try:
        for isa in _core.isas():
            _core.set_isa(isa)
            for threads in THREADS if name in (*WIDE, "plain") else (1, 2, 8):
                found[isa, threads] = trained(case, start, threads, rule=rule)
    finally:
        _core.set_isa(before)
    (reference, *_) = found.values()
    different = [key for key, left in found.items() if left != reference]
    assert not different
    assert trained(case, [w + 1e-3 for w in start], 1, rule=rule) != reference  # the test can fail


@pytest.mark.parametrize("name", [name for name in WIDE if name != "one unit"])
def test_large_batches_in_parts_leave_the_same_bits(name):
    """Threads take parts of a large batch, and of the weights, as they are done with others."""
    config.set_random_seed(1)
    case = wide(np.random.default_rng(2), *WIDE[name], n=2900)
    start = snapshot(case)
    _core.set_num_threads(max(THREADS))
    reference = trained(case, start, 1, batch=800)
    for threads in (2, 3, 4, 8):
        assert trained(case, start, threads, batch=800) == reference
    assert trained(case, start, 2, batch=790) != reference


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_every_operation_on_a_part_of_a_batch(name, dtype):
    """Of at least 192 samples a thread, in training and in evaluation, if no operation forbids."""
    case = make(name, dtype, n=1500)
    case.x = [x / 2 for x in case.x]  # of so many samples some overflow exp(exp(x))
    start = snapshot(case)
    _core.set_num_threads(max(THREADS))
    for batch in (400, 800, 1500):  # in parts for up to 2, 4 and 7 threads
        reference = trained(case, start, 1, batch)
        for threads in (2, 4):
            assert trained(case, start, threads, batch) == reference
        if dtype == "float64":
            for a, b in zip(
                left_by(CEngine, case, start, batch, 2),
                left_by(NumpyEngine, case, start, batch),
                strict=True,
            ):
                np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)


def test_how_an_epoch_is_cut_into_calls_decides_nothing():
    """Not even where a NaN goes: whether zeros are left out is decided once an epoch."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((640, 64)).astype(np.float32)
    x[:320] *= rng.random((320, 64)) < 0.05
    x[:, 0] = 0
    y = rng.standard_normal((640, 1)).astype(np.float32)
    y[500] = np.nan
    found = []
    for hooks in ([], [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]):
        utils.set_random_seed(0)
        model = Sequential([Input((64,)), Dense(1)])
        model.compile("sgd", "mse")
        with pytest.warns(TrainingWarning, match="y has nan in row 500"):
            model.fit(x, y, shuffle=False, verbose=0, callbacks=hooks)
        found.append(np.isnan(model.get_weights()[0]))
    np.testing.assert_array_equal(*found)
    assert found[0].any()


@pytest.mark.parametrize("cut", [False, True])
def test_a_team_that_changes_its_size_leaves_the_same_bits(cut):
    """Small steps try smaller teams now and then; an epoch of one call, or one call a batch.

    A batch that is a call of its own must be work enough for a team. That smaller ones are tried is
    seen to in csrc/tests/test_program.c.
    """
    rng = np.random.default_rng(0)
    n, batch = 60010, 160 if cut else 32
    x = rng.standard_normal((n, 13)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    weights = rng.random(n).astype(np.float32)
    hooks = [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)] if cut else []
    found = []
    for threads in (1, 2, 4):
        _core.set_num_threads(threads)
        utils.set_random_seed(0)
        model = Sequential([Input((13,)), Dense(64, "relu"), Dropout(0.1), Dense(64), Dense(1)])
        model.compile("adam", "mse")
        history = model.fit(x, y, batch, sample_weight=weights, verbose=0, callbacks=hooks)
        found.append([*model.get_weights(), np.array(history.history["loss"])])
    for left in found[1:]:
        for a, b in zip(found[0], left, strict=True):
            np.testing.assert_array_equal(a, b)
