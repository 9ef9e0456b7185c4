"""LayerNormalization: each sample by its own mean and variance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import initializers, ops
from fastnn.layers.base import Layer
from fastnn.layers.input_spec import InputSpec
from fastnn.missing import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence


class LayerNormalization(Layer):
    """Give each sample mean 0 and variance 1 along an axis, then scale and shift it.

    Parameters
    ----------
    axis : int or list of int
        The axes that are normalized together.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there are beta and gamma, of the shape of the normalized axes.
    rms_scaling : bool
        Divide by ``sqrt(mean(x^2) + epsilon)`` instead, without a mean and beta.
    beta_initializer, gamma_initializer
        First values.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.layers import LayerNormalization
    >>> LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]])).tolist()
    [[-1.0, 1.0]]

    Notes
    -----
    Source: Ba, Kiros, Hinton, "Layer normalization", 2016.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        rms_scaling: bool = False,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = f"LayerNormalization '{self.name}'"
        refuse(who, {
            "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint,
        })  # fmt: skip
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        if not axes or any(not isinstance(k, int) or k == 0 for k in axes):
            raise ValueError(
                f"{who}: axis must be an integer other than 0, the batch, or a list of them, got "
                f"{axis!r}"
            )
        if not epsilon >= 0:
            raise ValueError(f"{who}: epsilon must not be negative, got {epsilon!r}")
        self.axis: Any = axes if isinstance(axis, (list, tuple)) else axis
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.rms_scaling = bool(rms_scaling)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)

    def _axes(self, rank: int) -> tuple[int, ...]:
        axes: list[int] = self.axis if isinstance(self.axis, list) else [self.axis]
        if any(not -rank < k < rank for k in axes):
            raise ValueError(
                f"LayerNormalization '{self.name}': axis {self.axis} is not an axis of a sample of "
                f"{rank} axes with the batch"
            )
        return tuple(sorted(k % rank for k in axes))

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta for inputs of this shape."""
        axes = self._axes(len(input_shape))
        shape = tuple(input_shape[k] for k in axes)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma")
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight(shape, self.beta_initializer, name="beta")
        self.input_spec = InputSpec(min_ndim=2, axes={k: input_shape[k] for k in axes})

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def call(self, inputs: Any) -> Any:
        axes = self._axes(len(inputs.shape))
        shape = [1 if k not in axes else n for k, n in enumerate(inputs.shape)]
        if self.rms_scaling:
            y = inputs
            variance = ops.mean(ops.square(inputs), axis=axes, keepdims=True)
        else:
            mean, variance = ops.moments(inputs, axes, keepdims=True)
            y = ops.subtract(inputs, mean)
        y = ops.multiply(y, ops.rsqrt(ops.add(variance, self.epsilon)))
        if self.gamma is not None:
            y = ops.multiply(y, ops.reshape(self.gamma, shape))
        return y if self.beta is None else ops.add(y, ops.reshape(self.beta, shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
        }
