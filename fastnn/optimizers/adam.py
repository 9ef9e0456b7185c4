"""Adam and its variant AMSGrad."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.optimizers.base import Optimizer, fraction, positive, powers


class Adam(Optimizer):
    """Steps from running averages of the gradient and of its square (Kingma, Ba 2014).

    m += (g - m)(1 - beta_1);  v += (g^2 - v)(1 - beta_2);  w -= a m / (sqrt(v) + epsilon)
    with a = learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) at step t = 1, 2, ...

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    beta_1, beta_2 : float
        How much of the averages is kept at each step.
    epsilon : float
    amsgrad : bool
        Use the largest v so far (Reddi et al. 2018).
    weight_decay, name
        See `Optimizer`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        who = type(self).__name__
        self.beta_1 = fraction(who, "beta_1", beta_1)
        self.beta_2 = fraction(who, "beta_2", beta_2)
        self.epsilon = positive(who, "epsilon", epsilon)
        self.amsgrad = bool(amsgrad)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **others)

    @property
    def rule(self) -> str:
        return "amsgrad" if self.amsgrad else "adam"

    def constants(self) -> tuple[float, ...]:
        return self.beta_1, self.beta_2, self.epsilon

    def step_sizes(self, rates: np.ndarray, steps: np.ndarray) -> np.ndarray:
        first, count = int(steps[0]), len(steps)
        slow, fast = powers(self.beta_2, first, count), powers(self.beta_1, first, count)
        return rates * np.sqrt(1 - slow) / (1 - fast)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
