"""The table of operations (ops_table.py): values, derivatives, engines, instruction sets.

Values are compared with an expression of NumPy's own, derivatives with central differences through
both engines, the engines with each other, all in float64; instruction sets in float32, bit by bit.
"""

from __future__ import annotations

import numpy as np
import pytest
from compiled import Compiled, check_differences, close
from ops_table import LEAVES, NOT_FUNCTIONS, REFUSED, ROWS, UNUSED_STEPS

from fastnn import _core, ops
from fastnn.program.derive import ancestors

TABLE = {row.name: row for row in ROWS}
MANY = 700  # rows, enough for a batch that passes in parts


def test_every_operation_and_function_has_a_row():
    assert len(TABLE) == len(ROWS)
    assert set(ops.OPS) - LEAVES <= set(TABLE)
    assert set(ops.__all__) - NOT_FUNCTIONS - REFUSED.keys() <= set(TABLE)


@pytest.mark.parametrize("name", REFUSED)
def test_functions_of_arrays_alone_say_so(name):
    count = REFUSED[name]

    def call(x):
        return getattr(ops, name)(*[x] * count) if count else getattr(ops, name)([x, x])

    with pytest.raises(ops.NotTraceable):
        Compiled(call, [(4,)])


def test_rows_of_operations_have_them_in_their_trace():
    for name in set(ops.OPS) - LEAVES:
        row = TABLE[name]
        compiled = Compiled(row.call, row.shapes(9))
        assert name in {t.op.name for t in ancestors(compiled.traced)}, name


def test_every_step_is_used():
    used = set()
    for row in ROWS:
        used |= Compiled(row.call, row.shapes(9)).steps
    assert set(_core.STEPS) - used == UNUSED_STEPS.keys()


@pytest.mark.parametrize("name", TABLE)
def test_values(name):
    row = TABLE[name]
    for f in (9, row.widths[0]):
        operands = row.operands(f, 3)
        found = Compiled(row.call, row.shapes(f)).on_c(operands)[0][0]
        expected = [row.call(*operands)] if row.arrays else []
        if row.numpy is not None:
            expected.append(row.numpy(*operands))
        for other in expected:
            close([found], [other], 1e-12, f"f = {f}")


@pytest.mark.parametrize("name", TABLE)
def test_engines_and_differences(name):
    row = TABLE[name]
    for f in row.widths:
        compiled = Compiled(row.call, row.shapes(f))
        assert row.flat == (not compiled.differentiable or not any(
            np.any(g) for g in compiled.on_c(row.operands(f, 3))[1])) or f == 1  # fmt: skip
        for n in (3, 1) if f == 17 else (3,):
            operands = row.operands(f, n)
            values, gradients = compiled.on_c(operands)
            others = compiled.on_numpy(operands)
            close(values, others[0], 1e-10, f"f = {f}")
            close(gradients, others[1], 1e-10, f"f = {f}")
            for run, found in ((compiled.on_c, gradients), (compiled.on_numpy, others[1])):
                if row.differences:
                    check_differences(compiled, operands, run, found, fixed=row.fixed)


@pytest.mark.parametrize("name", TABLE)
def test_many_rows(name):
    row = TABLE[name]
    f = 2
    compiled = Compiled(row.call, row.shapes(f))
    operands = row.operands(f, MANY)
    values, gradients = compiled.on_c(operands, threads=1)
    others = compiled.on_numpy(operands)
    close(values, others[0], 1e-10)
    close(gradients, others[1], 1e-10)
    again = compiled.on_c(operands, threads=3)
    for a, b in zip([*values, *gradients], [*again[0], *again[1]], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", TABLE)
def test_instruction_sets_give_the_same_bits(name):
    row = TABLE[name]
    before = _core.isa()
    try:
        for f in row.widths:
            compiled = Compiled(row.call, row.shapes(f), "float32")
            operands = row.operands(f, 3, "float32")
            found = {}
            for isa in _core.isas():
                _core.set_isa(isa)
                values, gradients = compiled.on_c(operands)
                found[isa] = b"".join(x.tobytes() for x in [*values, *gradients])
            assert len(set(found.values())) == 1, f"f = {f}"
    finally:
        _core.set_isa(before)
