"""Activations: names, values, and what they resolve to."""

import functools
import math

import numpy as np
import pytest

from fastnn import Sequential, _core, activations, utils
from fastnn.layers import Activation, Dense, Input, LeakyReLU, PReLU

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
    "heaviside": lambda x: float(x >= 0),
    "sign": lambda x: float(x > 0) - float(x < 0),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    expected = [[VALUES[name](x) for x in X[0]]]
    np.testing.assert_allclose(activations.get(name)(X), expected, rtol=1e-7, atol=1e-12)


def test_every_kind_has_a_function():
    for kind in _core.ACTIVATIONS:
        assert activations.resolve(activations.get(kind)).kind == kind


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
        functools.partial(activations.softmax, axis=0),
        functools.partial(activations.log_softmax, axis=0),
    ],
)
def test_gradients_of_python_formulas(activation):
    formula = activations.resolve(activation)
    assert formula.kind == "python"
    rng = np.random.default_rng(0)
    x, dy = rng.normal(0, 3, (4, 5)), rng.normal(size=(4, 5))
    dx = formula.gradient(dy, x, formula(x))
    step = 1e-6
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope = ((formula(up) - formula(down)) * dy).sum() / (2 * step)
        assert dx[i] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_functions_of_functions_resolve():
    formula = activations.resolve(lambda x: activations.leaky_relu(x, 0.01))
    assert (formula.kind, formula.slope) == ("leaky_relu", 0.01)
    assert activations.resolve(functools.partial(activations.elu, alpha=2.0)).slope == 2.0
    assert activations.resolve(lambda x: x).kind == "linear"
    assert activations.resolve(LeakyReLU(0.4)).slope == 0.4


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


def test_a_function_without_a_derivative_is_an_error_that_teaches():
    def cube(x):
        return x**3

    with pytest.raises(ValueError, match=r"'cube' has no derivative.*cube.derivative = lambda x"):
        Dense(3, activation=cube)
    with pytest.raises(ValueError, match="has no derivative"):
        Dense(3, activation=lambda x: activations.relu(activations.tanh(x)))
    with pytest.raises(ValueError, match="has no derivative"):
        Dense(3, activation=PReLU())
    cube.derivative = lambda x: 3 * x**2
    layer = Activation(cube)
    assert layer(np.array([[2.0, 3.0]])).tolist() == [[8.0, 27.0]]


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
