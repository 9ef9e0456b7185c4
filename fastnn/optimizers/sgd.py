"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from fastnn.optimizers.base import Optimizer, fraction


class SGD(Optimizer):
    """Gradient descent: w -= learning_rate g, optionally with momentum.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable
    momentum : float
        With it, m = momentum m - learning_rate g and w += m.
    nesterov : bool
        Look ahead: w += momentum m - learning_rate g (Sutskever et al. 2013).
    weight_decay, name
        See `Optimizer`.

    Examples
    --------
    >>> from fastnn.optimizers import SGD
    >>> SGD(learning_rate=0.1, momentum=0.9).rule
    'momentum'
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        *,
        name: str | None = None,
        **others: Any,
    ) -> None:
        self.momentum = fraction("SGD", "momentum", momentum) if momentum != 1 else 1.0
        self.nesterov = bool(nesterov)
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **others)

    @property
    def rule(self) -> str:
        if not self.momentum:
            return "sgd"
        return "nesterov" if self.nesterov else "momentum"

    def constants(self) -> tuple[float, ...]:
        return (self.momentum,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
