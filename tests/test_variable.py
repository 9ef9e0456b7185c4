"""Variables compute as arrays do."""

import copy
import itertools
import operator

import numpy as np
import pytest

from fastnn.layers import Dense, Flatten
from fastnn.variable import Variable

VALUE = np.arange(1, 10, dtype="float32").reshape(3, 3)


def variable():
    made = Variable((3, 3), name="k", path="dense/k")
    made.assign(VALUE)
    return made


ELEMENTWISE = ["add", "sub", "mul", "truediv", "pow"]


@pytest.mark.parametrize(
    ("name", "other"),
    [*itertools.product(ELEMENTWISE, [2.0, np.float32(2)]),
     *itertools.product([*ELEMENTWISE, "matmul"], [VALUE.T, variable()])],
)  # fmt: skip
def test_arithmetic_gives_arrays(name, other):
    operation = getattr(operator, name)
    value = other.value if isinstance(other, Variable) else other
    for result, expected in (
        (operation(variable(), other), operation(VALUE, value)),
        (operation(other, variable()), operation(value, VALUE)),
    ):
        assert type(result) is np.ndarray and result.dtype == "float32"
        np.testing.assert_array_equal(result, expected)


def test_a_variable_is_read_like_an_array():
    k = variable()
    np.testing.assert_array_equal(-k, -VALUE)
    np.testing.assert_array_equal(k[1:, 0], VALUE[1:, 0])
    np.testing.assert_array_equal(list(k), VALUE)
    assert len(k) == 3 and k.ndim == 2
    assert type(k[0, 1]) is np.float32
    k[0][:] = 0
    np.testing.assert_array_equal(k, VALUE)
    assert k != variable() and k in [k] and len({k, variable()}) == 2


def test_a_variable_is_compared_by_order():
    k = variable()
    for name in ("lt", "le", "gt", "ge"):
        compare = getattr(operator, name)
        np.testing.assert_array_equal(compare(k, 4), compare(VALUE, 4))
        np.testing.assert_array_equal(compare(VALUE.T, k), compare(VALUE.T, VALUE))


def test_a_variable_is_added_to():
    k = variable()
    k.assign_add(VALUE)
    k.assign_sub(1)
    np.testing.assert_array_equal(k, 2 * VALUE - 1)
    with pytest.raises(ValueError, match=r"^Variable 'dense/k' has shape \(3, 3\), got a value of"):
        k.assign_add(np.ones((2, 3, 3)))
    np.testing.assert_array_equal(k, 2 * VALUE - 1)


def test_a_layer_keeps_its_variable():
    layer = Dense(3, name="d")
    with pytest.raises(AttributeError, match=r"^Dense 'd' has no kernel yet: .*build\(input_sh"):
        layer.kernel  # noqa: B018
    assert not hasattr(layer, "kernel")
    with pytest.raises(AttributeError, match=r"no attribute 'kernel'$"):
        Flatten().kernel  # noqa: B018
    layer.build((None, 3))
    with pytest.raises(TypeError, match=r"^Variable '.*kernel' does not change in place: use .*as"):
        layer.kernel += 1
    with pytest.raises(TypeError, match=r"^Dense 'd': kernel is .*use layer.kernel.assign\(value"):
        layer.kernel = VALUE
    with pytest.raises(AttributeError, match=r"^Variable 'd/kernel': use variable.assign\(value"):
        layer.kernel.value = VALUE
    assert isinstance(layer.kernel, Variable)


def test_what_a_variable_has_not():
    with pytest.raises(AttributeError, match=r"no attribute 'mean': use variable.numpy\(\).mean$"):
        variable().mean()
    with pytest.raises(AttributeError, match=r"no attribute 'xyzzy'$"):
        variable().xyzzy  # noqa: B018
    np.testing.assert_array_equal(copy.deepcopy(variable()), VALUE)
