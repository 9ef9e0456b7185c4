"""Random expressions (random_expressions.py) through both engines: values, derivatives, bits."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import Compiled, check_differences, close
from random_expressions import SAMPLES, expression, operands

from fastnn import _core

SEEDS = range(300)


def same(a, b, message):
    for x, y in zip([*a[0], *a[1]], [*b[0], *b[1]], strict=True):
        np.testing.assert_array_equal(x, y, err_msg=message)


@pytest.mark.parametrize("seed", SEEDS)
def test_engines_agree(seed):
    made = expression(seed)
    compiled = Compiled(made, SAMPLES)
    for n in (1, 5, 12):
        given = operands(n, seed)
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
