"""RMSprop."""

from __future__ import annotations

from typing import Any

from fastnn.optimizers.base import Optimizer, fraction, positive


class RMSprop(Optimizer):
    """Divide the gradient by a running average of its magnitude (Tieleman, Hinton 2012).

    v += (g^2 - v)(1 - rho);  w -= learning_rate g / sqrt(v + epsilon)

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    rho : float
        How much of the average is kept at each step.
    momentum : float
        With it, m = momentum m + learning_rate g / sqrt(v + epsilon) and w -= m.
    epsilon : float
    centered : bool
        Divide by the variance of the gradient: subtract the square of its average from v.
    weight_decay, name
        See `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.rho = fraction("RMSprop", "rho", rho)
        self.momentum = fraction("RMSprop", "momentum", momentum)
        self.epsilon = positive("RMSprop", "epsilon", epsilon)
        self.centered = bool(centered)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **others)

    @property
    def rule(self) -> str:
        return "rmsprop" + "_centered" * self.centered + "_momentum" * bool(self.momentum)

    def constants(self) -> tuple[float, ...]:
        return self.rho, self.epsilon, self.momentum

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
