"""Layers that apply one activation function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import activations, initializers, ops
from fastnn.graph import OPERATORS, SymbolicTensor, note_change
from fastnn.layers.base import Layer
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.python import StatedOperation, python
from fastnn.missing import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Activated:
    """What a layer with a settable `activation` has: what runs next runs the new one."""

    _activation: Any = None

    @property
    def activation(self) -> Any:
        """The function; may be set to whatever the constructor takes."""
        return self._activation

    @activation.setter
    def activation(self, activation: Any) -> None:
        function = get(activation)
        if "_activation" in vars(self):
            note_change()
        self._activation = function

    def activate(self, x: Any) -> Any:
        """Return the activation of x; its derivative is the function's own, if it states one."""
        derivative = getattr(self._activation, "derivative", None)
        if derivative is not None and isinstance(x, ops.Tensor):
            operation = StatedOperation(self._activation, derivative)
            return python(operation, [x], [], x.shape)
        return self._activation(x)


class Activation(Activated, Layer):
    """Apply an activation function.

    Parameters
    ----------
    activation : str or callable
        See `fastnn.activations`.

    Examples
    --------
    >>> from fastnn.layers import Activation
    >>> Activation("relu")([[-1.0, 2.0]]).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activation

    def call(self, inputs: Any) -> Any:
        return self.activate(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": serialize(self.activation)}


class ReLU(Layer):
    """Rectified linear unit; see `activations.relu` for the arguments."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value
        self.negative_slope = negative_slope or 0.0
        self.threshold = threshold or 0.0
        activations.relu(0.0, self.negative_slope, max_value, self.threshold)  # checks them

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(Layer):
    """``x`` above zero, ``negative_slope * x`` below.

    Parameters
    ----------
    negative_slope : float
        From 0; the default 0.3 differs from the function's 0.2. `alpha` is an older name.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"LeakyReLU '{self.name}': negative_slope must be a number from 0, got "
                f"{negative_slope!r}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Layer):
    """Exponential linear unit; see `activations.elu`."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(Layer):
    """Turn scores into probabilities along one axis; see `activations.softmax`."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int) or axis == 0:
            raise ValueError(
                f"Softmax '{self.name}': axis must be an integer other than 0, the batch, got "
                f"{axis!r}"
            )
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return ops.softmax(inputs, self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        rank = len(input_shape)
        if not -rank < self.axis < rank:
            raise ValueError(
                f"Softmax '{self.name}': axis {self.axis} is not an axis of a sample in shape "
                f"{input_shape}"
            )
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class PReLU(Layer):
    """Leaky relu with a slope that is learned: ``x`` above zero, ``alpha * x`` below.

    Parameters
    ----------
    alpha_initializer : str, Initializer or callable
    shared_axes : list of int, optional
        Axes (the batch is 0) along which one alpha serves all; default none.

    Notes
    -----
    Source: He et al., "Delving deep into rectifiers", 2015.
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse(f"PReLU '{self.name}'", {
            "alpha_regularizer": alpha_regularizer, "alpha_constraint": alpha_constraint,
        })  # fmt: skip
        self.alpha_initializer = initializers.get(alpha_initializer)
        axes = [shared_axes] if isinstance(shared_axes, int) else list(shared_axes or ())
        self.shared_axes = axes or None

    def build(self, input_shape: Any) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 1 <= axis <= len(shape):
                raise ValueError(
                    f"PReLU '{self.name}': shared_axes must be from 1 to {len(shape)} for shape "
                    f"{input_shape}, got {axis}"
                )
            shape[axis - 1] = 1
        self.alpha = self.add_weight(shape, self.alpha_initializer, name="alpha", flat=True)
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))

    def call(self, inputs: Any) -> Any:
        return ops.where(ops.greater(inputs, 0.0), inputs, ops.multiply(self.alpha, inputs))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "shared_axes": self.shared_axes,
        }


_LAYERS = {"ReLU": ReLU, "LeakyReLU": LeakyReLU, "ELU": ELU, "Softmax": Softmax}


def get(activation: Any) -> Callable[..., Any]:
    """Like `activations.get`; also takes what `serialize` says of a layer."""
    if isinstance(activation, dict) and activation.get("class_name") in _LAYERS:
        return _LAYERS[activation["class_name"]](**activation["config"])
    return activations.get(activation)


def serialize(activation: Any) -> Any:
    """Like `activations.serialize`; also of a layer, as in ``Dense(3, activation=LeakyReLU())``."""
    if isinstance(activation, Layer):
        return {"class_name": type(activation).__name__, "config": activation.get_config()}
    return activations.serialize(activation)


def _activate(tensor: SymbolicTensor, function: Any, options: dict[str, Any]) -> SymbolicTensor:
    """Add the layer of an activation function behind a symbolic tensor."""
    if not options:
        return Activation(function)(tensor)
    layer = _OF_FUNCTIONS.get(function.__name__)
    if layer is None:
        return Activation(activations.with_options(function, options))(tensor)
    return layer(**options)(tensor)


_OF_FUNCTIONS = {"relu": ReLU, "leaky_relu": LeakyReLU, "elu": ELU, "softmax": Softmax}
"""The layers that have a function's options."""

OPERATORS["activate"] = _activate
