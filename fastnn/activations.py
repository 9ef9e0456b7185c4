"""Activation functions: for arrays, for symbolic tensors, and as ``activation="relu"``.

Every function here works on arrays at once (``relu([-1.0, 2.0])``) and on the tensors of a model
(``relu(Dense(3)(x))`` adds an `Activation` layer). What the engines get is a `Formula`: a kind of
`_core.ACTIVATIONS` and its one parameter, or a pair of Python functions.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, lookup, ops
from fastnn.missing import explain_missing

if TYPE_CHECKING:
    from collections.abc import Callable


class Formula:
    """What an activation computes.

    Parameters
    ----------
    kind : str
        One of `_core.ACTIVATIONS`, or ``"python"``.
    slope : float
        The kind's parameter: alpha of elu, the negative slope of leaky_relu.
    function : callable, optional
        ``"python"`` only: ``function(x) -> y`` on arrays.
    gradient : callable, optional
        ``"python"`` only: ``gradient(dy, x, y) -> dx``. Without it the activation cannot be
        trained through.
    layer : tuple, optional
        Name and arguments of the layer that computes it, if `Activation` of a name does not.
    name : str, optional
        For messages and configurations.
    """

    def __init__(
        self,
        kind: str,
        slope: float = 0.0,
        *,
        function: Callable[..., Any] | None = None,
        gradient: Callable[..., Any] | None = None,
        layer: tuple[str, dict[str, Any]] | None = None,
        name: str = "",
    ) -> None:
        self.kind = kind
        self.slope = float(slope)
        self.function = function
        self.gradient = gradient
        self.layer = layer
        self.formula = self  # a formula may stand where an activation function does
        self.__name__ = name or kind

    def __call__(self, x: Any) -> np.ndarray:
        """Compute the activation of an array; whole numbers become `config.floatx`."""
        x = np.asarray(x)
        if x.dtype.kind != "f" or x.dtype.itemsize < 4:
            x = x.astype(config.floatx())
        if self.function is not None:
            return _like(x, self.function(x), f"activation {serialize(self.function)!r}")
        if config.engine() == "numpy":
            from fastnn.numpy_engine.activations import ACTIVATIONS

            return np.asarray(ACTIVATIONS[self.kind](x, self.slope), x.dtype)
        from fastnn import kernels

        return kernels.activation(x, self.kind, slope=self.slope)

    def __repr__(self) -> str:
        return f"Formula({self.kind!r}, {self.slope!r})"


def _like(x: np.ndarray, result: Any, who: str) -> Any:
    """Return a result of the user's; raises ValueError if it has not x's shape."""
    if np.shape(result) != x.shape:
        got = "nothing" if result is None else f"shape {np.shape(result)}"
        raise ValueError(f"{who} must return an array of x's shape {x.shape}, got {got}")
    return result


def _apply(x: Any, formula: Formula) -> Any:
    """Apply a formula to an array, or record it on a tensor."""
    if isinstance(x, ops.Tensor):
        return _recorded(x, formula)
    return x.activate(formula) if hasattr(x, "activate") else formula(x)


def _recorded(x: ops.Tensor, formula: Formula) -> Any:
    """Return the activation of a tensor in a loss or metric."""
    if formula.function is not None:
        return formula.function(x)
    if formula.kind == "linear":
        return x
    if formula.kind == "gelu":
        return ops.gelu(x, approximate=False)
    slope = [formula.slope] if formula.kind in ("leaky_relu", "elu") else []
    return getattr(ops, {"exponential": "exp"}.get(formula.kind, formula.kind))(x, *slope)


def linear(x: Any) -> Any:
    """Return x itself: no activation."""
    return _apply(x, Formula("linear"))


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
        return leaky_relu(x, negative_slope) if negative_slope else _apply(x, Formula("relu"))
    if threshold == 0 and max_value == 6 and negative_slope == 0:
        return _apply(x, Formula("relu6"))
    top = math.inf if max_value is None else max_value

    def function(x: np.ndarray) -> np.ndarray:
        slope, least = x.dtype.type(negative_slope), x.dtype.type(threshold)
        y = np.where(x >= least, x, slope * (x - least))
        return np.minimum(y, x.dtype.type(top))

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        slope = np.where(x >= x.dtype.type(threshold), 1.0, negative_slope)
        return dy * np.where(x >= x.dtype.type(top), 0.0, slope).astype(x.dtype)

    arguments = {
        "negative_slope": negative_slope, "max_value": max_value, "threshold": threshold
    }  # fmt: skip
    formula = Formula("python", function=function, gradient=gradient, layer=("ReLU", arguments))
    return _apply(x, formula)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` above zero, ``negative_slope * x`` below. The layer `LeakyReLU` has another default."""
    layer = ("LeakyReLU", {"negative_slope": negative_slope})
    return _apply(x, Formula("leaky_relu", negative_slope, layer=layer))


def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``."""
    return _apply(x, Formula("relu6"))


def sigmoid(x: Any) -> Any:
    """Logistic function ``1 / (1 + exp(-x))``."""
    return _apply(x, Formula("sigmoid"))


def hard_sigmoid(x: Any) -> Any:
    """Straight line through (0, 1/2) of slope 1/6, cut off at 0 and 1."""
    return _apply(x, Formula("hard_sigmoid"))


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return _apply(x, Formula("tanh"))


def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return _apply(x, Formula("softplus"))


def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    return _apply(x, Formula("softsign"))


def elu(x: Any, alpha: float = 1.0) -> Any:
    """Exponential linear unit: ``x`` above zero, ``alpha * (exp(x) - 1)`` below.

    Source: Clevert et al., "Fast and accurate deep network learning by ELUs", 2015.
    """
    return _apply(x, Formula("elu", alpha, layer=("ELU", {"alpha": alpha})))


def selu(x: Any) -> Any:
    """Scaled elu, ``1.0507 elu(x, 1.6733)``, that keeps mean 0 and variance 1 through layers.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017. Use it with the
    initializer ``"lecun_normal"``.
    """
    return _apply(x, Formula("selu"))


def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return _apply(x, Formula("exponential"))


def silu(x: Any) -> Any:
    """``x * sigmoid(x)``, also called swish."""
    return _apply(x, Formula("silu"))


swish = silu


def gelu(x: Any, approximate: bool = False) -> Any:
    """``x Phi(x)`` with the normal distribution function Phi.

    Parameters
    ----------
    x : array_like or SymbolicTensor
    approximate : bool
        Use the formula with tanh of Hendrycks and Gimpel, "Gaussian error linear units", 2016.
    """
    if not approximate:
        return _apply(x, Formula("gelu"))
    scale, cubic = math.sqrt(2 / math.pi), 0.044715

    def function(x: np.ndarray) -> np.ndarray:
        return x * (1 + np.tanh(scale * (x + cubic * x * x * x))) / 2

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        t = np.tanh(scale * (x + cubic * x * x * x))
        return dy * ((1 + t) / 2 + x * (1 - t * t) * scale * (1 + 3 * cubic * x * x) / 2)

    name = "gelu(approximate=True)"
    return _apply(x, Formula("python", function=function, gradient=gradient, name=name))


def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))``."""
    return _apply(x, Formula("mish"))


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
    return _along("softmax", x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """``log(softmax(x))``, computed without overflow; see `softmax`."""
    return _along("log_softmax", x, axis)


def _along(kind: str, x: Any, axis: int) -> Any:
    """Apply a softmax: the engines know the last axis, other axes are moved there."""
    if axis in (-1, getattr(x, "ndim", 0) - 1):
        return _apply(x, Formula(kind))
    last = Formula(kind)

    def function(x: np.ndarray) -> np.ndarray:
        return np.moveaxis(last(np.moveaxis(x, axis, -1)), -1, axis)

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if kind == "softmax":
            return y * (dy - (dy * y).sum(axis, keepdims=True))
        return dy - np.exp(y) * dy.sum(axis, keepdims=True)

    layer = ("Softmax", {"axis": axis}) if kind == "softmax" else None
    name = f"{kind}(axis={axis})"
    formula = Formula("python", function=function, gradient=gradient, layer=layer, name=name)
    return _apply(x, formula)


def heaviside(x: Any) -> Any:
    """Step function of the perceptron: 0 below zero, 1 from zero on. It cannot be trained through.

    Source: McCulloch and Pitts, 1943; Rosenblatt, "The perceptron", 1958.
    """

    def step(x: np.ndarray) -> np.ndarray:
        return (x >= 0).astype(x.dtype)

    return _apply(x, Formula("python", function=step, name="heaviside"))


def sign(x: Any) -> Any:
    """-1 below zero, 0 at zero, 1 above. It cannot be trained through."""
    return _apply(x, Formula("python", function=np.sign, name="sign"))


_FUNCTIONS = (
    linear, relu, leaky_relu, relu6, sigmoid, hard_sigmoid, tanh, softplus, softsign, elu,
    selu, exponential, silu, gelu, mish, softmax, log_softmax, heaviside, sign,
)  # fmt: skip
_LOOKUP = lookup.Lookup(
    "activation", {**{function.__name__: function for function in _FUNCTIONS}, "swish": silu}
)


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
        return _LOOKUP.find(identifier)
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


class _Probe:
    """Stands in for x to find out what a function computes."""

    def __init__(self) -> None:
        self.formulas: list[Formula] = []

    def activate(self, formula: Formula) -> _Probe:
        self.formulas.append(formula)
        return self


def resolve(activation: Callable[..., Any]) -> Formula:
    """Return the formula of an activation function, or of a layer like `LeakyReLU`.

    A function of your own needs a derivative, unless it calls one function of this module
    (``lambda x: leaky_relu(x, 0.01)``):

    >>> import numpy as np
    >>> def cube(x):
    ...     return x**3
    >>> cube.derivative = lambda x: 3 * x**2
    >>> resolve(cube).kind
    'python'

    Raises
    ------
    ValueError
        If there is no derivative.
    """
    formula = getattr(activation, "formula", None)
    if isinstance(formula, Formula):
        return formula
    derivative = getattr(activation, "derivative", None)
    if derivative is not None:
        who = f"the derivative of activation {serialize(activation)!r}"

        def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
            slope = derivative(x)
            return dy * (slope if isinstance(slope, (int, float)) else _like(x, slope, who))

        return Formula("python", function=activation, gradient=gradient)
    probe = _Probe()
    try:
        result = activation(probe)
    except Exception:  # whatever the user's function does with a thing that is no array
        result = None
    if result is probe and len(probe.formulas) <= 1:
        return probe.formulas[0] if probe.formulas else Formula("linear")
    name = serialize(activation)
    name = name if name.isidentifier() else "f"
    raise ValueError(
        f"activation: your function {name!r} has no derivative, so nothing can be trained "
        f"through it: give it one that takes and returns an array of x's shape, e.g. "
        f"`{name}.derivative = lambda x: ...` for d{name}(x)/dx"
    )


explain_missing(__name__)
