"""Symbolic tensors and nodes."""

import numpy as np
import pytest

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


def test_arithmetic_makes_layers():
    a, b = Input((3,)), Input((3,))
    for made, name in [
        (a + b, "Add"),
        (a - b, "Subtract"),
        (a * b, "Multiply"),
        (a * 2, "Rescaling"),
        (1 - a, "Rescaling"),
        (a / 4, "Rescaling"),
    ]:
        assert type(made.node.layer).__name__ == name
        assert made.shape == (None, 3)
    with pytest.raises(TypeError, match="tensor / SymbolicTensor"):
        a / b


def test_tensors_have_no_numbers():
    x = Input((3,))
    plain = (np.asarray, bool, float, len, list, lambda x: x[0])
    functions = (np.exp, np.sum, np.mean, lambda x: np.maximum(x, 0), lambda x: np.ones(3) @ x)
    for use in plain + functions:
        with pytest.raises(TypeError, match="no numbers yet"):
            use(x)


def test_operators_of_numpy_ask_the_tensor():
    x = Input((3,))
    for made in (np.float32(2) + x, np.float32(2) - x, np.float32(2) * x):
        assert type(made.node.layer).__name__ == "Rescaling"
    with pytest.raises(TypeError, match=r"tensor \+ ndarray: a symbolic tensor combines with"):
        np.ones(3) + x
    assert np.ones(3) not in [x] and (np.ones(3) != x) is True
