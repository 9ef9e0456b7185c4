"""Random expressions (random_expressions.py) through both engines: values, derivatives, bits."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import Compiled, check_differences, close
from engines import ENGINES, Case, restore, snapshot, train
from random_expressions import ODD, SAMPLES, expression, function_of, operands

from fastnn import _core, config, losses, optimizers
from fastnn.layers import Concatenate, Dense, Flatten, Input, Reshape

SEEDS = range(300)


def same(a, b, message):
    for x, y in zip([*a[0], *a[1]], [*b[0], *b[1]], strict=True):
        np.testing.assert_array_equal(x, y, err_msg=message)


@pytest.mark.parametrize("seed", SEEDS)
def test_engines_agree(seed):
    samples = ODD[seed % 15 // 5] if seed % 5 == 4 else SAMPLES
    made = expression(seed, samples=samples)
    compiled = Compiled(made, samples)
    for n in (1, 5, 12):
        given = operands(n, seed, samples=samples)
        values, gradients = compiled.on_c(given)
        others = compiled.on_numpy(given)
        message = f"n = {n}, {made}"
        close(values, others[0], 1e-9, message)
        close(gradients, others[1], 1e-9, message)
        close(values, made(*given), 1e-9, message)
    whole = compiled.weights(12)
    short = compiled.on_c([x[10:] for x in given], weights=[w[10:] for w in whole])
    same(compiled.on_c(given, batch=5), short, f"the last of three batches, {made}")


@pytest.mark.parametrize("seed", SEEDS[::5])
def test_derivatives_are_those_of_differences(seed):
    made = expression(seed)
    compiled = Compiled(made, SAMPLES)
    given = operands(4, seed)
    _, gradients = compiled.on_c(given)
    try:
        check_differences(compiled, given, lambda xs: (made(*xs), None), gradients, tolerance=1e-5)
    except AssertionError as error:
        raise AssertionError(str(made)) from error


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_threads_give_the_same_bits(seed):
    made = expression(seed, "float32")
    compiled = Compiled(made, SAMPLES, "float32")
    for n in (7, 1700) if seed % 10 == 0 else (7,):
        given = operands(n, seed, "float32")
        reference = compiled.on_c(given, threads=1)
        for threads in (2, 3, 8):
            same(compiled.on_c(given, threads=threads), reference, f"{threads} threads, {made}")


@pytest.mark.parametrize("seed", SEEDS[::5])
def test_instruction_sets_give_the_same_bits(seed):
    before = _core.isa()
    try:
        for dtype in ("float32", "float64"):
            made = expression(seed, dtype)
            compiled = Compiled(made, SAMPLES, dtype)
            given = operands(5, seed, dtype)
            reference = compiled.on_c(given)
            for isa in _core.isas():
                _core.set_isa(isa)
                same(compiled.on_c(given), reference, f"{isa}, {made}")
            _core.set_isa(before)
    finally:
        _core.set_isa(before)


def network(seed):
    """A small network with random losses and metrics, of one or two outputs, and data for it."""
    rng = np.random.default_rng(seed)
    config.set_random_seed(seed)
    config.set_floatx("float64")
    n = int(rng.integers(1, 40))
    shape = [(6,), (1,), (3,), (2, 3), (17,)][seed % 5]
    inputs = Input(shape=(4,))
    hidden = Dense(7, activation="tanh")(inputs)
    activation = rng.choice(["linear", "tanh", "sigmoid", "softmax"])
    outputs = [Dense(int(np.prod(shape)), activation=activation, name="a")(hidden)]
    if len(shape) > 1:
        outputs = [Reshape(shape)(outputs[0])]
    if seed % 3 == 0:
        joined = Concatenate()([hidden, Flatten()(outputs[0])])
        outputs.append(Dense(3, name="b")(joined if seed % 2 else hidden))
    kinds = [losses.get(function_of(seed + k, bool(rng.random() < 0.5)))
             for k in range(len(outputs))]  # fmt: skip
    for loss in kinds:
        loss.reduction = ["sum_over_batch_size", "sum", "mean_with_sample_weight"][seed % 3]
    metrics = [[function_of(seed + 1000, bool(rng.random() < 0.5))] for _ in outputs]
    y = [rng.standard_normal((n, *o.sample_shape)) for o in outputs]
    weights = [np.where(rng.random(n) < 0.2, 0, rng.uniform(0, 2, n)) for _ in outputs]
    return Case([inputs], outputs, kinds, [rng.standard_normal((n, 4))], y,
                weights if rng.random() < 0.5 else None, [0.7, 2.0][: len(outputs)],
                metrics=metrics)  # fmt: skip


@pytest.mark.parametrize("seed", range(0, 300, 7))
def test_trainings_agree(seed):
    case = network(seed)
    start = snapshot(case)
    batch = max(1, case.rows // 2)
    found = []
    for engine, threads in (("numpy", 0), ("c", 1), ("c", 3)):
        restore(case, start)
        logs = train(
            case, ENGINES[engine], optimizers.SGD(0.01), epochs=2, batch=batch, threads=threads
        )
        program = case.build(None)
        still = case.engine(ENGINES[engine], program, batch, training=False)
        still.evaluate(np.arange(case.rows), batch)
        logs.append(program.results(still.sums))
        found.append((snapshot(case), [np.array(list(log.values())) for log in logs]))
    close(found[1][0], found[0][0], 1e-8, f"weights, seed {seed}")
    close(found[1][1], found[0][1], 1e-8, f"losses and metrics, seed {seed}")
    same(found[1], found[2], f"threads, seed {seed}")
