"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import Any

from fastnn.optimizers.adam import Adam


class AdamW(Adam):
    """Adam, with every variable shrinking before each step (Loshchilov, Hutter 2017).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    weight_decay : float
        w -= w * weight_decay * learning_rate before each step.
    beta_1, beta_2, epsilon, amsgrad, name
        See `Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay,
            name=name, **others,
        )  # fmt: skip
