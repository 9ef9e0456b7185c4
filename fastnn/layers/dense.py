"""Dense: y = activation(x W + b)."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import initializers, ops
from fastnn.layers import activation as activation_layers
from fastnn.layers.base import Layer
from fastnn.layers.input_spec import InputSpec
from fastnn.missing import refuse

LATER = ("lora_rank", "lora_alpha", "quantization_config")
"""Further arguments of Keras, which writes them as None into configurations."""


class Dense(activation_layers.Activated, Layer):
    """Fully connected layer: ``y = activation(x W + b)`` on the last axis.

    Parameters
    ----------
    units : int
        Number of outputs O.
    activation : str, callable or None
        See `fastnn.activations`; None is linear.
    use_bias : bool
        Whether b is added.
    kernel_initializer, bias_initializer : str, Initializer or callable
        First values of W, of shape (I, O), and b, of shape (O,).
    trainable, dtype, name, input_shape, input_dim
        See `Layer`.
    init, output_dim
        Keras 1's names of `kernel_initializer` and `units`.

    Raises
    ------
    ValueError
        If `units` is not a positive integer, or a name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.layers import Dense
    >>> layer = Dense(2, kernel_initializer="ones")
    >>> layer(np.array([[1.0, 2.0]])).tolist()
    [[3.0, 3.0]]
    """

    def __init__(
        self,
        units: int | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        units = kwargs.pop("output_dim", None) if units is None else units
        kernel_initializer = kwargs.pop("init", kernel_initializer)
        later = {name: kwargs.pop(name, None) for name in LATER}
        super().__init__(**kwargs)
        whole = isinstance(units, (int, np.integer)) and not isinstance(units, bool)
        if not whole or units <= 0:
            raise ValueError(
                f"Dense '{self.name}': units must be a positive integer, got {units!r}"
            )
        refuse(f"Dense '{self.name}'", {
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
            "activity_regularizer": activity_regularizer, **later,
        })  # fmt: skip
        self.units = int(units)
        self.activation = activation
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        """Make W and b for inputs of this shape, ``(None, ..., I)``."""
        features = input_shape[-1]
        self.kernel = self.add_weight(
            (features, self.units), self.kernel_initializer, name="kernel"
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight((self.units,), self.bias_initializer, name="bias")
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def call(self, inputs: Any) -> Any:
        y = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            y = ops.add(y, self.bias)
        return self.activate(y)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activation_layers.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }
