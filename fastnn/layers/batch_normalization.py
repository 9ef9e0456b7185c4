"""BatchNormalization: each feature by the mean and the variance of the batch."""

from __future__ import annotations

from typing import Any

from fastnn import initializers, ops
from fastnn.layers.base import Layer
from fastnn.layers.input_spec import InputSpec
from fastnn.missing import refuse


class BatchNormalization(Layer):
    """Give each feature of a batch mean 0 and variance 1, then scale and shift it.

    In training ``y = gamma (x - mean) / sqrt(variance + epsilon) + beta`` with the mean and the
    variance of the batch, which also go into moving averages; outside training with those averages.
    With ``trainable = False`` it always uses the averages, as in Keras.

    Parameters
    ----------
    axis : int
        The axis of the features; all others are averaged over.
    momentum : float
        ``average = momentum * average + (1 - momentum) * of the batch``.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there are beta and gamma.
    beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer
        First values.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.layers import BatchNormalization
    >>> layer = BatchNormalization(epsilon=0.0)
    >>> layer(np.array([[1.0], [3.0]]), training=True).tolist()
    [[-1.0], [1.0]]

    Notes
    -----
    The gradient flows through the batch's mean and variance. A batch of one row has variance 0.

    Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training by
    reducing internal covariate shift", 2015.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        who = f"BatchNormalization '{self.name}'"
        refuse(who, {
            "beta_regularizer": beta_regularizer, "gamma_regularizer": gamma_regularizer,
            "beta_constraint": beta_constraint, "gamma_constraint": gamma_constraint,
        })  # fmt: skip
        if not isinstance(axis, int) or axis == 0:
            raise ValueError(f"{who}: axis must be an integer, and not 0, the batch, got {axis!r}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"{who}: momentum must be from 0 to 1, got {momentum!r}")
        if not epsilon >= 0:
            raise ValueError(f"{who}: epsilon must not be negative, got {epsilon!r}")
        self.axis = axis
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the averages for inputs of this shape."""
        rank = len(input_shape)
        if not -rank < self.axis < rank:
            raise ValueError(
                f"BatchNormalization '{self.name}': axis {self.axis} is not an axis of a sample in "
                f"shape {input_shape}"
            )
        axis = self.axis % rank
        shape = (input_shape[axis],)
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(shape, self.gamma_initializer, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape, self.beta_initializer, name="beta")
        self.moving_mean = self.add_weight(
            shape, self.moving_mean_initializer, trainable=False, name="moving_mean"
        )
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        self.input_spec = InputSpec(min_ndim=2, axes={axis: input_shape[axis]})

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        axis = self.axis % len(inputs.shape)
        if training and self.trainable:
            others = tuple(k for k in range(len(inputs.shape)) if k != axis)
            mean, variance = ops.moments(inputs, others)
            for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                average.assign(average * self.momentum + value * (1 - self.momentum))
        else:
            mean, variance = self.moving_mean, self.moving_variance
        return ops.batch_normalization(
            inputs, mean, variance, axis, self.beta, self.gamma, self.epsilon
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }
