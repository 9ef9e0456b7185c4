"""MonitorCallback: watches whether one logged number gets better."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastnn.callbacks.base import Callback, Logs
from fastnn.lookup import did_you_mean


def check_numbers(who: str, **arguments: Any) -> None:
    """Raise ValueError for the first of these arguments that is no number."""
    for name, value in arguments.items():
        if not isinstance(value, (int, float, np.number)) or value != value:
            raise ValueError(f"{who}: {name} must be a number, got {value!r}")


class MonitorCallback(Callback):
    """Base of the callbacks that compare a logged value with the best one so far.

    Parameters
    ----------
    monitor : str
        A key of the logs: ``"val_loss"``, ``"accuracy"`` ...
    mode : {"auto", "min", "max"}
        Whether smaller or larger is better; "auto" asks the model's metric of that name.
    best : float or None
        A value to beat from the start.
    min_delta : float
        A change of at most this much is no improvement.
    patience : int
        Epochs without improvement to wait for.

    Raises
    ------
    ValueError
        If `monitor` is no string, or `min_delta` or `patience` no number.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        best: float | None = None,
        min_delta: float = 0.0,
        patience: int = 0,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        if not isinstance(monitor, str):
            raise ValueError(f"{who}: monitor must be the name of a logged value, got {monitor!r}")
        check_numbers(who, min_delta=min_delta, patience=patience)
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{who} knows the modes 'auto', 'min' and 'max', got {mode!r}: "
                "going on with 'auto'",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = best
        self.min_delta = abs(min_delta)
        self.patience = patience
        self._sign = 0  # +1: larger is better, -1: smaller is better, 0: not known yet

    def find_direction(self) -> None:
        """Settle whether larger or smaller is better, once the model's metrics exist.

        Raises
        ------
        ValueError
            If the mode is "auto" and the model has no metric of that name.
        """
        if self._sign:
            return
        mode = self.mode
        if mode == "auto":
            name = self.monitor.removeprefix("val_")
            prefix = self.monitor.removesuffix(name)
            directions = {"loss": "min", **getattr(self.model, "metric_directions", {})}
            mode = directions.get(name) or ""
            if not mode:
                meant = did_you_mean(self.monitor, [prefix + known for known in directions])
                raise ValueError(
                    f"{type(self).__name__} monitors {self.monitor!r} and cannot tell whether it "
                    f"should become large or small; it knows {sorted(directions)}"
                    + (f"{meant} Or" if meant else ":")
                    + " pass mode='max' or mode='min'"
                )
        self._sign = 1 if mode == "max" else -1

    def improves(self, value: Any, reference: Any) -> bool:
        """Return whether `value` beats `reference` by more than `min_delta`."""
        if reference is None:
            return True
        if self._sign > 0:
            return bool(value - self.min_delta > reference)
        return bool(value + self.min_delta < reference)

    def monitored(self, logs: Logs | None, purpose: str) -> Any:
        """Return the monitored value, or None with a warning if the logs lack it."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            validated = any(name.startswith("val_") for name in logs)
            if self.monitor.startswith("val_") and not validated:
                advice = ": pass validation_data or validation_split to fit"
            else:
                advice = did_you_mean(self.monitor, logs)
            warnings.warn(
                f"{type(self).__name__}: {purpose} depends on {self.monitor!r}, which is not "
                f"logged; the logs have {sorted(logs)}{advice}",
                stacklevel=3,
            )
        return value
