"""Variables compute as arrays do."""

import copy
import itertools
import operator

import numpy as np
import pytest

from fastnn import Input, Sequential, initializers, models
from fastnn.layers import Dense, Flatten, Layer
from fastnn.variable import Variable

VALUE = np.arange(1, 10, dtype="float32").reshape(3, 3)


def variable():
    made = Variable(shape=(3, 3), name="k", path="dense/k")
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


# --- Keras's signature ------------------------------------------------------------------------


def test_a_variable_is_made_of_a_value_or_of_an_initializer():
    made = Variable([1.0, 2.0], name="a")
    assert made.dtype == "float32" and made.shape == (2,) and made.trainable and made.path == "a"
    assert Variable(3.0, dtype="float64", trainable=False).numpy() == 3.0
    np.testing.assert_array_equal(Variable(made).numpy(), made.numpy())
    ones = Variable(initializers.Ones(), (2, 3), "float64", False, name="ones")
    np.testing.assert_array_equal(ones.numpy(), np.ones((2, 3)))
    assert ones.dtype == "float64" and not ones.trainable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give the value, or a shape"),
        ({"initializer": initializers.Ones()}, "give the value, or a shape"),
        ({"initializer": [1.0], "shape": (2,)}, r"shape \(1,\), the variable \(2,\)"),
        ({"shape": (2, -1)}, r"lengths from 0, got \(2, -1\)"),
        ({"initializer": "ones", "shape": (2,)}, r"initializers.get\('ones'\)"),
    ],
)
def test_a_variable_says_what_it_is_made_of(arguments, message):
    with pytest.raises(ValueError, match=message):
        Variable(**arguments)


class Scale(Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scale = Variable(2.0)
        self.shift = Variable(np.zeros(3), name="shift")
        self.seen = Variable(0.0, trainable=False)

    def call(self, inputs):
        self.seen.assign_add(1.0)
        return self.scale * inputs + self.shift


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_a_variable_in_an_attribute_is_a_weight_of_the_layer(engine, tmp_path):
    layer = Scale(name="scale")
    paths = ["scale/variable", "scale/shift", "scale/variable_1"]
    assert [weight.path for weight in layer.weights] == paths
    assert [weight.path for weight in layer.trainable_weights] == paths[:2]
    model = Sequential([Input((3,)), layer])
    model.compile("sgd", "mse", engine=engine)
    x = np.ones((8, 3), np.float32)
    model.fit(x, np.zeros((8, 3)), batch_size=4, epochs=2, verbose=0)
    assert layer.seen.numpy() == 4.0 and layer.scale.numpy() < 2.0
    assert (layer.shift.numpy() < 0).all()
    model.save(tmp_path / "model.npz")
    again = models.load_model(tmp_path / "model.npz", custom_objects={"Scale": Scale})
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_variable_of_another_layer_stays_its():
    first = Dense(2)
    first.build((None, 2))
    second = Layer()
    second.tied = first.kernel
    assert second.weights == [] and first.kernel.path.startswith(first.name)


def test_a_frozen_layer_freezes_what_it_is_given():
    layer = Layer(trainable=False)
    layer.scale = Variable(1.0)
    assert layer.trainable_weights == []
    layer.trainable = True
    assert layer.trainable_weights == [layer.scale]
