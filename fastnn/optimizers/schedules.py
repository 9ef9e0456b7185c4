"""Learning rates that change with the step: ``SGD(ExponentialDecay(...))``.

A schedule is a function of the step, ``optimizer.iterations``. Its rates are rounded to float32:
the libms of different machines differ in a double's last bits, and training should not.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import lookup
from fastnn.missing import explain_missing

if TYPE_CHECKING:
    from collections.abc import Sequence


class LearningRateSchedule:
    """Base of all schedules; a subclass defines `rate`."""

    def rate(self, step: int) -> float:
        """Return the learning rate at a step, counted from 0."""
        raise NotImplementedError(f"{type(self).__name__}: write rate(self, step)")

    def __call__(self, step: int) -> float:
        return float(np.float32(self.rate(step)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal schedule."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_")}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Make a schedule from `get_config`'s result."""
        return cls(**config)


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ** (step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    decay_rate : float
    staircase : bool
        Round step / decay_steps down.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = _positive(self, decay_steps)
        self.decay_rate = float(decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def rate(self, step: int) -> float:
        p = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (
            math.floor(p) if self.staircase else p
        )


class InverseTimeDecay(LearningRateSchedule):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps); see `ExponentialDecay`."""

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = _positive(self, decay_steps)
        self.decay_rate = float(decay_rate)
        self.staircase = bool(staircase)
        self.name = name

    def rate(self, step: int) -> float:
        p = step / self.decay_steps
        p = math.floor(p) if self.staircase else p
        return self.initial_learning_rate / (1 + self.decay_rate * p)


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to and including step boundaries[0], then values[1] ..., at last values[-1].

    Parameters
    ----------
    boundaries : list of int
        Increasing.
    values : list of float
        One more than boundaries.
    """

    def __init__(
        self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        self.boundaries = [int(b) for b in boundaries]
        self.values = [float(v) for v in values]
        self.name = name
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                "PiecewiseConstantDecay: expected one more value than boundaries, got "
                f"{len(self.values)} values and {len(self.boundaries)} boundaries"
            )

    def rate(self, step: int) -> float:
        return self.values[sum(step > b for b in self.boundaries)]


class PolynomialDecay(LearningRateSchedule):
    """From the initial to the end rate in decay_steps, along (1 - step/decay_steps) ** power.

    Parameters
    ----------
    initial_learning_rate, end_learning_rate : float
    decay_steps : int
    power : float
    cycle : bool
        Begin again, each time for a larger multiple of decay_steps.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = _positive(self, decay_steps)
        self.end_learning_rate = float(end_learning_rate)
        self.power = float(power)
        self.cycle = bool(cycle)
        self.name = name

    def rate(self, step: int) -> float:
        steps = self.decay_steps
        if self.cycle:
            steps *= max(1, math.ceil(step / steps))
        left = (1 - min(step, steps) / steps) ** self.power
        span = self.initial_learning_rate - self.end_learning_rate
        return span * left + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to alpha times it (Loshchilov, Hutter 2016).

    Parameters
    ----------
    initial_learning_rate : float
    decay_steps : int
    alpha : float
        The last rate as a share of the first.
    warmup_target : float, optional
        Climb linearly to this rate during warmup_steps, then decay from it.
    warmup_steps : int
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        self.initial_learning_rate = float(initial_learning_rate)
        self.decay_steps = _positive(self, decay_steps)
        self.alpha = float(alpha)
        self.warmup_target = None if warmup_target is None else float(warmup_target)
        self.warmup_steps = int(warmup_steps)
        self.name = name

    def rate(self, step: int) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return start + (self.warmup_target - start) * step / self.warmup_steps
            start, step = self.warmup_target, step - self.warmup_steps
        done = min(step, self.decay_steps) / self.decay_steps
        share = 0.5 * (1 + math.cos(math.pi * done))
        return start * ((1 - self.alpha) * share + self.alpha)


_CLASSES = (
    CosineDecay, ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay,
)  # fmt: skip
_LOOKUP = lookup.Lookup("schedule", {cls.__name__: cls for cls in _CLASSES})


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a schedule as data that `deserialize` understands."""
    return lookup.serialize(schedule)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> LearningRateSchedule:
    """Return the schedule that `serialize` wrote down."""
    return _LOOKUP.deserialize(config, custom_objects)


def _positive(schedule: LearningRateSchedule, steps: float) -> float:
    if not steps > 0:
        raise ValueError(
            f"{type(schedule).__name__}: expected decay_steps to be positive, got {steps!r}"
        )
    return steps


explain_missing(__name__)
