"""Symbolic tensors and nodes."""

import numpy as np
import pytest

from fastnn import Model, ops
from fastnn.graph import SymbolicTensor, ancestors, by_depth, outer_nodes
from fastnn.layers import Add, Concatenate, Dense, Input, InputLayer


def test_input():
    x = Input(shape=(28, 28), batch_size=7, dtype="uint8", name="images")
    assert isinstance(x, SymbolicTensor)
    assert (x.shape, x.dtype, x.name) == ((7, 28, 28), "uint8", "images")
    assert x.sample_shape == (28, 28)
    assert isinstance(x.node.layer, InputLayer)
    assert Input(batch_shape=(None, 3)).shape == (None, 3)
    assert Input(shape=()).shape == (None,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give the shape"),
        ({"shape": (3,), "batch_shape": (None, 3)}, "not both"),
        ({"shape": 3}, r"write shape=\(3,\)"),
        ({"shape": (None,)}, "positive integer, got None"),
        ({"shape": (0,)}, "positive integer, got 0"),
        ({"shape": (2.5,)}, "positive integer, got 2.5"),
        ({"shape": (3,), "dtype": "string"}, "type of numbers"),
        ({"shape": (1,) * 8, "name": "deep"}, "Input 'deep': .* at most 7 axes, got 8"),
        ({"batch_shape": (None, *[1] * 8)}, "Input: a sample may have at most 7 axes, got 8"),
        ({"shape": (3,), "name": 5}, "name must be"),
    ],
)
def test_bad_inputs(arguments, message):
    with pytest.raises(ValueError, match=message):
        Input(**arguments)


def test_ancestors_are_sorted_and_complete():
    a, b, unused = Input((3,)), Input((3,)), Input((3,))
    shared = Dense(3)
    left, right = shared(a), shared(b)
    out = Add()([right, left])
    Dense(2)(unused)
    nodes = ancestors([out])
    assert [node.serial for node in nodes] == sorted(node.serial for node in nodes)
    assert [node.layer for node in nodes if node.layer is shared] == [shared, shared]
    assert len(nodes) == 5
    assert unused.node not in nodes
    assert len(outer_nodes([out], until=[left, right])) == 1


def test_layers_by_depth():
    wide, deep = Input((5,), name="wide"), Input((6,), name="deep")
    one, two = Dense(30, name="one"), Dense(30, name="two")
    joined, last = Concatenate(name="joined"), Dense(1, name="last")
    out = last(joined([wide, two(one(deep))]))
    names = [layer.name for layer in by_depth([wide, deep], [out])]
    assert names == ["deep", "one", "wide", "two", "joined", "last"]


def test_an_unused_input_comes_with_the_last_layers():
    a, b = Input((2,), name="a"), Input((2,), name="b")
    names = [layer.name for layer in by_depth([a, b], [Dense(1, name="out")(a)])]
    assert names == ["a", "b", "out"]


def test_deep_graphs_need_no_recursion():
    x = start = Input((1,))
    layer = Dense(1)
    for _ in range(3000):
        x = layer(x)
    assert len(ancestors([x])) == 3001
    assert len(by_depth([start], [x])) == 2


def test_functions_and_operators_make_nodes_that_are_no_layers():
    a, b = Input((3,)), Input((3,))
    for made, name in [
        (a + b, "ops.add"),
        (a - b, "ops.subtract"),
        (a * 2, "ops.multiply"),
        (1 - a, "ops.subtract"),
        (a / b, "ops.divide"),
        (a**2, "ops.power"),
        (-a, "ops.negative"),
        (abs(a), "ops.absolute"),
        (ops.exp(a), "ops.exp"),
        (np.exp(a), "np.exp"),
        (np.maximum(a, 0), "np.maximum"),
        (np.float32(2) * a, "np.multiply"),
        (np.ones(3) + a, "np.add"),
        (a.astype("float32"), "tensor.astype"),
    ]:
        assert made.node.layer.function == name
        assert made.shape == (None, 3)
        assert name not in [layer.name for layer in Model([a, b], [made]).layers]
    assert (a[:, :2]).shape == np.concatenate([a[:, :1], b[:, 1:2]], axis=-1).shape == (None, 2)
    assert np.sum(a, axis=-1).shape == a.mean(axis=1).shape == (None,)
    first, second = ops.split(a[:, :2], 2, axis=-1)
    assert first.shape == second.shape == (None, 1)
    assert ops.shape(a) == (None, 3)


def test_tensors_have_no_numbers():
    x = Input((3,))
    for use in (np.asarray, bool, float, len, list):
        with pytest.raises(TypeError, match="no numbers yet"):
            use(x)


def test_tensors_are_equal_if_they_are_the_same():
    x = Input((3,))
    assert x in [x] and x not in [Input((3,))] and x == x
    assert (x != 0).shape == np.equal(x, 0).shape == (None, 3)
