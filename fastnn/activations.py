"""Activation functions: for arrays, for the tensors of a model, and as ``activation="relu"``.

Every function here works on arrays at once (``relu([-1.0, 2.0])``), on the tensors of a trace, and
on the tensors of a model (``relu(Dense(3)(x))`` adds a layer). What they compute stands in
`fastnn.ops`; one of your own is any function of arrays, traced like all that layers compute.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, lookup, ops
from fastnn.missing import explain_missing

if TYPE_CHECKING:
    from collections.abc import Callable


_FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""All activation functions by name."""


def _activation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function its name, and let it add its layer behind a model's tensor."""

    @functools.wraps(function)
    def call(x: Any, *args: Any, **kwargs: Any) -> Any:
        if hasattr(x, "activate"):
            names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            defaults = dict(zip(names, function.__defaults__ or (), strict=True))
            options = {name: v for name, v in given.items() if v != defaults.get(name, v)}
            return x.activate(call, {**defaults, **options} if options else {})
        return function(x if isinstance(x, ops.Tensor) else _floats(x), *args, **kwargs)

    _FUNCTIONS[function.__name__] = call
    return call


def _floats(x: Any) -> np.ndarray:
    """Return an array of floats; whole numbers become `config.floatx`."""
    x = np.asarray(x)
    return x if x.dtype.kind == "f" and x.dtype.itemsize > 2 else x.astype(config.floatx())


@_activation
def linear(x: Any) -> Any:
    """Return x itself: no activation."""
    return x


@_activation
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Rectified linear unit: ``max(x, 0)``.

    Parameters
    ----------
    x : array_like or SymbolicTensor
    negative_slope : float
        Slope below the threshold.
    max_value : float, optional
        Where the function is cut off above; None means nowhere.
    threshold : float
        Below it the result is ``negative_slope * (x - threshold)``.

    Returns
    -------
    numpy.ndarray or SymbolicTensor
        Of x's shape.

    Examples
    --------
    >>> from fastnn.activations import relu
    >>> relu([-2.0, 3.0], negative_slope=0.5).tolist()
    [-1.0, 3.0]
    """
    if negative_slope < 0 or (max_value is not None and max_value < 0) or threshold < 0:
        raise ValueError(
            "relu: negative_slope, max_value and threshold must not be negative, got "
            f"{negative_slope}, {max_value} and {threshold}"
        )
    if threshold == 0 and max_value is None:
        return ops.leaky_relu(x, negative_slope) if negative_slope else ops.relu(x)
    if threshold == 0 and max_value == 6 and negative_slope == 0:
        return ops.relu6(x)
    below = ops.multiply(negative_slope, ops.subtract(x, threshold))
    y = ops.where(ops.greater_equal(x, threshold), x, below)
    return y if max_value is None else ops.minimum(y, float(max_value))


@_activation
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` above zero, ``negative_slope * x`` below. The layer `LeakyReLU` has another default."""
    return ops.leaky_relu(x, negative_slope)


@_activation
def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``."""
    return ops.relu6(x)


@_activation
def sigmoid(x: Any) -> Any:
    """Logistic function ``1 / (1 + exp(-x))``."""
    return ops.sigmoid(x)


@_activation
def hard_sigmoid(x: Any) -> Any:
    """Straight line through (0, 1/2) of slope 1/6, cut off at 0 and 1."""
    return ops.hard_sigmoid(x)


@_activation
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


@_activation
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return ops.softplus(x)


@_activation
def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    return ops.softsign(x)


@_activation
def elu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit: ``x`` above zero, ``alpha * (exp(x) - 1)`` below.

    Source: Clevert et al., "Fast and accurate deep network learning by ELUs", 2015.
    """
    return ops.elu(x, alpha)


@_activation
def selu(x: Any) -> Any:
    """Scaled elu, ``1.0507 elu(x, 1.6733)``, that keeps mean 0 and variance 1 through layers.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017. Use it with the
    initializer ``"lecun_normal"``.
    """
    return ops.selu(x)


@_activation
def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return ops.exp(x)


@_activation
def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, also called swish."""
    return ops.silu(x)


swish = silu


@_activation
def gelu(x: Any, approximate: bool = False) -> Any:
    """``x Phi(x)`` with the normal distribution function Phi.

    Parameters
    ----------
    x : array_like or SymbolicTensor
    approximate : bool
        Use the formula with tanh of Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    """
    return ops.gelu(x, approximate)


@_activation
def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``."""
    return ops.mish(x)


@_activation
def softmax(x: Any, axis: int = -1) -> Any:
    """``exp(x) / sum(exp(x))``: turns scores into probabilities.

    Parameters
    ----------
    x : array_like or SymbolicTensor
    axis : int
        The axis along which the result sums to 1.

    Returns
    -------
    numpy.ndarray or SymbolicTensor
        Of x's shape.
    """
    return ops.softmax(x, axis)


@_activation
def log_softmax(x: Any, axis: int = -1) -> Any:
    """``log(softmax(x))``, computed without overflow; see `softmax`."""
    return ops.log_softmax(x, axis)


@_activation
def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, exact where sigmoid is 0 or 1."""
    return ops.log_sigmoid(x)


@_activation
def heaviside(x: Any) -> Any:
    """Step function of the perceptron: 0 below zero, 1 from zero on. It cannot be trained through.

    Source: McCulloch and Pitts, 1943; Rosenblatt, "The perceptron", 1958.
    """
    step = ops.greater_equal(x, 0.0)
    return step if isinstance(step, ops.Tensor) else step.astype(x.dtype)


@_activation
def sign(x: Any) -> Any:
    """-1 below zero, 0 at zero, 1 above. It cannot be trained through."""
    return ops.sign(x)


_LOOKUP = lookup.Lookup("activation", _FUNCTIONS | {"swish": silu})


def get(identifier: Any) -> Callable[..., Any]:
    """Return the activation function that `identifier` names.

    Parameters
    ----------
    identifier : str, callable, dict or None
        ``"relu"``, a function, what `serialize` returned, or None for `linear`.

    Raises
    ------
    ValueError
        If there is no such activation.

    Examples
    --------
    >>> from fastnn import activations
    >>> activations.get("tanh") is activations.tanh
    True
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):  # Keras: {"class_name": "function", "config": "relu", ...}
        name = identifier.get("config")
        identifier = name if isinstance(name, str) else identifier.get("class_name")
    if isinstance(identifier, str):
        name, _, arguments = identifier.partition("(")
        if not arguments:
            return _LOOKUP.find(identifier)
        return with_options(_LOOKUP.find(name), _options(arguments, identifier))
    if isinstance(identifier, type):
        raise ValueError(
            f"activation: expected a name or a function, got the class {identifier.__name__}: "
            f"make an instance of it, {identifier.__name__}()"
        )
    if callable(identifier):
        return identifier
    raise ValueError(f"activation: expected a name or a function, got {identifier!r}")


def serialize(activation: Callable[..., Any]) -> str:
    """Return the name of an activation function, for a configuration."""
    return getattr(activation, "__name__", type(activation).__name__)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Callable[..., Any]:
    """Return the activation function of a configuration; your own come from `custom_objects`."""
    if custom_objects and isinstance(name, str) and name in custom_objects:
        return custom_objects[name]
    return get(name)


def with_options(function: Callable[..., Any], options: dict[str, Any]) -> Callable[..., Any]:
    """Return a function with options set; its name says them: ``"gelu(approximate=True)"``."""

    def call(x: Any) -> Any:
        return function(x, **options)

    words = ", ".join(f"{name}={value!r}" for name, value in options.items())
    call.__name__ = f"{function.__name__}({words})"
    return call


def _options(text: str, whole: str) -> dict[str, Any]:
    """Read the options of a name, which are plain data."""
    import ast

    try:
        call = ast.parse(f"f({text}", mode="eval").body
        assert isinstance(call, ast.Call) and not call.args
        return {word.arg or "": ast.literal_eval(word.value) for word in call.keywords}
    except (AssertionError, SyntaxError, ValueError):
        raise ValueError(
            f"activation: cannot read {whole!r}: write a name, or a name with options, such as "
            "'gelu(approximate=True)'"
        ) from None


explain_missing(__name__)
