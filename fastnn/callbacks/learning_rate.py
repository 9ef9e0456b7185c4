"""Callbacks that change the learning rate while a model trains."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn.callbacks.base import Callback, Logs
from fastnn.callbacks.monitor import MonitorCallback, check_numbers


def current_rate(optimizer: Any) -> float:
    """Return the learning rate of the next step, also when a schedule gives it."""
    rate = optimizer.learning_rate
    return float(rate(optimizer.iterations)) if callable(rate) else float(rate)


class LearningRateScheduler(Callback):
    """Set the learning rate at the start of every epoch; logs it as ``learning_rate``.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, rate)`` or ``schedule(epoch)``, returning the new rate as a float.
    verbose : int, default 0
        1 prints the rate.

    Raises
    ------
    ValueError
        At the start of an epoch, if the schedule returned something that is no float.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        import inspect
        import numbers

        try:
            inspect.signature(self.schedule).bind(epoch, 0.0)
            two = True
        except TypeError:
            two = False
        except ValueError:  # a function without a readable signature
            two = True
        old = current_rate(self.model.optimizer)
        rate = self.schedule(epoch, old) if two else self.schedule(epoch)
        if not isinstance(rate, numbers.Real) or isinstance(rate, (bool, int)):
            raise ValueError(
                "LearningRateScheduler expects its schedule to return a float, got "
                f"{rate!r} for epoch {epoch}"
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(
                f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to "
                f"{float(rate)}."
            )

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = current_rate(self.model.optimizer)


class ReduceLROnPlateau(MonitorCallback):
    """Multiply the learning rate by `factor` when the monitored value stops improving.

    Parameters
    ----------
    monitor : str, default "val_loss"
    factor : float, default 0.1
        Below 1.
    patience : int, default 10
        Epochs without improvement before the rate is reduced.
    verbose : int, default 0
    mode : {"auto", "min", "max"}
    min_delta : float, default 1e-4
    cooldown : int, default 0
        Epochs to wait after a reduction before counting again.
    min_lr : float, default 0
        The rate never goes below this.

    Raises
    ------
    ValueError
        If `factor` is 1 or more, or no number where one is expected.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta, patience=patience)
        check_numbers(type(self).__name__, factor=factor, cooldown=cooldown, min_lr=min_lr)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau expects a factor below 1, got {factor}: the rate is "
                "multiplied by it"
            )
        self.factor = factor
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.find_direction()
        logs = {} if logs is None else logs
        optimizer = self.model.optimizer
        logs["learning_rate"] = rate = current_rate(optimizer)
        current = self.monitored(logs, "reducing the learning rate")
        if current is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(current, self.best):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and rate > self.min_lr:
                rate = max(rate * self.factor, self.min_lr)
                optimizer.learning_rate = rate
                if self.verbose > 0:
                    print(
                        f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {rate}."
                    )
                self.cooldown_counter = self.cooldown
                self.wait = 0
