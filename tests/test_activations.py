"""Activations: names, values, derivatives, and the kernels that engines have for them."""

import functools
import math

import numpy as np
import pytest

from fastnn import Sequential, _core, activations, utils
from fastnn.layers import Activation, Dense, Input, LeakyReLU, PReLU
from fastnn.numpy_engine.formulas import Values
from fastnn.ops.operation import INPUT
from fastnn.ops.tensor import Tensor
from fastnn.program.derive import derive
from fastnn.program.lowering import activation_of

X = np.array([[-3.0, -0.5, 0.0, 0.5, 7.0]])

# The definitions, written with nothing but math.
VALUES = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "relu6": lambda x: min(max(x, 0), 6),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "hard_sigmoid": lambda x: min(max(x / 6 + 0.5, 0), 1),
    "tanh": math.tanh,
    "softplus": lambda x: math.log(1 + math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: 1.05070098 * (x if x > 0 else 1.67326324 * (math.exp(x) - 1)),
    "exponential": math.exp,
    "silu": lambda x: x / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "mish": lambda x: x * math.tanh(math.log(1 + math.exp(x))),
    "log_sigmoid": lambda x: -math.log(1 + math.exp(-x)),
    "heaviside": lambda x: float(x >= 0),
    "sign": lambda x: float(x > 0) - float(x < 0),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    expected = [[VALUES[name](x) for x in X[0]]]
    np.testing.assert_allclose(activations.get(name)(X), expected, rtol=1e-7, atol=1e-12)


def test_every_activation_has_a_value():
    """A new one needs a line in VALUES."""
    assert set(activations._FUNCTIONS) - {"softmax", "log_softmax"} == set(VALUES)


def traced(function):
    x = Tensor(INPUT, (), {"source": ("tensor", 0)}, (None, 5), 1, "float64")
    return x, function(x)


def test_every_kind_has_a_function():
    for kind in _core.ACTIVATIONS:
        x, y = traced(activations.get(kind))
        assert y is x if kind == "linear" else activation_of(y)[0] == kind


def test_softmax():
    for axis in (-1, 1, 0):
        y = activations.softmax(np.arange(6.0).reshape(2, 3), axis=axis)
        np.testing.assert_allclose(y.sum(axis), 1)
        z = activations.log_softmax(np.arange(6.0).reshape(2, 3), axis=axis)
        np.testing.assert_allclose(np.exp(z), y)


def test_whole_numbers_and_lists():
    y = activations.relu([-1, 2])
    assert y.dtype == np.float32
    assert y.tolist() == [0, 2]


def test_relu_with_arguments():
    x = [-2.0, 0.5, 1.0, 3.0, 9.0]
    assert activations.relu(x, max_value=4.0).tolist() == [0, 0.5, 1, 3, 4]
    assert activations.relu(x, negative_slope=0.5, threshold=1).tolist() == [-1.5, -0.25, 1, 3, 9]
    with pytest.raises(ValueError, match="must not be negative"):
        activations.relu(x, max_value=-1.0)


@pytest.mark.parametrize(
    "activation",
    [
        lambda x: activations.relu(x, 0.1, 4.0, 0.3),
        functools.partial(activations.gelu, approximate=True),
        functools.partial(activations.leaky_relu, negative_slope=-0.1),
        *(f for n, f in activations._FUNCTIONS.items() if n not in ("heaviside", "sign")),
    ],
)
def test_derivatives(activation):
    x, y = traced(activation)
    seed = Tensor(INPUT, (), {"source": ("tensor", 1)}, y.shape, 1, "float64")
    (slope,) = derive(y, seed, [x])
    rng = np.random.default_rng(0)
    z, dy = rng.normal(0, 3, (4, 5)), rng.normal(size=(4, 5))

    def of(tensor, z):
        return Values(4, "float64", lambda kind, index, n: (z, dy)[index]).of(tensor)

    dx = of(slope, z)
    step = 1e-6
    for i in np.ndindex(z.shape):
        up, down = z.copy(), z.copy()
        up[i] += step
        down[i] -= step
        expected = ((of(y, up) - of(y, down)) * dy).sum() / (2 * step)
        assert dx[i] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_functions_of_functions_have_their_kernels():
    for function, expected in (
        (lambda x: activations.leaky_relu(x, 0.01), ("leaky_relu", 0.01)),
        (functools.partial(activations.elu, alpha=2.0), ("elu", 2.0)),
        (LeakyReLU(0.4), ("leaky_relu", 0.4)),
        (functools.partial(activations.leaky_relu, negative_slope=-0.1), None),
        (functools.partial(activations.gelu, approximate=True), None),
    ):
        assert activation_of(traced(function)[1]) == expected


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_functions_of_ones_own_keep_the_shape(engine):
    def square(x):
        return x**2

    def losses_of(derivative, function=square):
        function.derivative = derivative
        utils.set_random_seed(1)
        model = Sequential([Input((3,)), Dense(4, activation=function), Dense(1)])
        model.compile("sgd", "mse", engine=engine)
        return model.fit(np.ones((5, 3)), np.ones(5), verbose=0).history["loss"]

    assert losses_of(lambda x: 2 * x)[0] > 0
    assert losses_of(lambda x: 2.0) == losses_of(lambda x: np.full_like(x, 2))
    who = r"^the derivative of activation 'square' must return an array of x's shape \(5, 4\), got "
    with pytest.raises(ValueError, match=who + r"shape \(5, 1\)$"):
        losses_of(lambda x: 2 * x[:, :1])
    with pytest.raises(ValueError, match=who + "nothing$"):
        losses_of(lambda x: None)
    with pytest.raises(ValueError, match=r"^activation 'forgets' must return .* got nothing$"):

        def forgets(x):
            x**2

        losses_of(lambda x: x, forgets)


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_a_function_of_ones_own_is_traced(engine):
    def cube(x):
        return x**3

    def stated(x):
        return x**3

    stated.derivative = lambda x: 3 * x**2
    losses = []
    for function in (cube, stated):
        utils.set_random_seed(1)
        model = Sequential([Input((3,)), Dense(4, activation=function), Dense(1)])
        model.compile("sgd", "mse", engine=engine)
        losses.append(model.fit(np.ones((5, 3)), np.ones(5), epochs=3, verbose=0).history["loss"])
        assert Activation(function)(np.array([[2.0, 3.0]])).tolist() == [[8.0, 27.0]]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_function_that_cannot_be_traced_computes_but_does_not_train():
    def by_hand(x):
        return np.array([[max(v, 0.0) for v in row] for row in x])

    model = Sequential([Input((3,)), Dense(4, activation=by_hand, name="hidden"), Dense(1)])
    model.compile("sgd", "mse")
    x = np.ones((5, 3))
    assert model.predict(x, verbose=0).shape == (5, 1)
    with pytest.raises(TypeError, match=r"Dense 'hidden' cannot be trained through.*row by row"):
        model.fit(x, np.ones(5), verbose=0)


def test_a_layer_with_weights_is_an_activation():
    layer = Dense(3, activation=PReLU("ones"))
    assert layer(np.array([[-1.0, 2.0]])).shape == (1, 3)
    assert [v.name for v in layer.weights] == ["kernel", "bias", "alpha"]


def test_names():
    assert activations.get(None) is activations.linear
    assert activations.get("swish") is activations.silu
    for name, function in activations._LOOKUP.names.items():
        assert activations.get(name) is function
        assert activations.deserialize(activations.serialize(function)) is function
    with pytest.raises(ValueError, match="Unknown activation 'rellu': did you mean 'relu'"):
        activations.get("rellu")
    with pytest.raises(ValueError, match="make an instance of it, LeakyReLU"):
        Dense(3, activation=LeakyReLU)


def test_on_symbolic_tensors_a_layer_is_added():
    x = Input((3,))
    expected = {
        activations.relu: "Activation",
        functools.partial(activations.leaky_relu, negative_slope=0.1): "LeakyReLU",
        functools.partial(activations.elu, alpha=2): "ELU",
        functools.partial(activations.relu, max_value=3): "ReLU",
    }
    for function, layer in expected.items():
        y = function(x)
        assert y.shape == (None, 3)
        assert type(y.node.layer).__name__ == layer
