"""The progress bar: Progbar draws one line that grows, ProgbarLogger drives it."""

from __future__ import annotations

import sys
import time
from typing import Any

from fastnn.callbacks.base import Callback, Logs

INTERVAL = 0.05
"""Seconds between two drawings of the bar."""

BOLD, GREEN, WHITE, RESET = "\x1b[1m", "\x1b[32m", "\x1b[37m", "\x1b[0m"


def duration_per(seconds: float, unit: str) -> str:
    """Return the time of one step: ``12us/step``, ``3ms/step``, ``2s/step``."""
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s/{unit}"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.0f}ms/{unit}"
    return f"{seconds * 1e6:.0f}us/{unit}"


def remaining(seconds: float) -> str:
    """Return a time to wait: ``7s``, ``1:07``, ``1:01:07``."""
    whole = int(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if whole > 3600:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    if whole > 60:
        return f"{minutes}:{rest:02d}"
    return f"{whole}s"


def number(value: Any) -> str:
    """Return a logged value: four decimals, scientific from 0.001 downward."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4e}" if abs(value) <= 1e-3 else f"{value:.4f}"


def metrics_text(logs: Logs) -> str:
    return "".join(f" - {name}: {number(value)}" for name, value in logs.items())


class Progbar:
    """A progress bar on standard output.

    On a terminal and in a notebook the line is redrawn in place, at most every `interval`
    seconds; anywhere else only the finished line is printed, without colours.

    Parameters
    ----------
    target : int or None
        Steps in all; None if unknown.
    width : int, default 20
    verbose : int, default 1
        0 prints nothing, 1 draws the bar, 2 prints one line at the end.
    interval : float, default 0.05
        Seconds between two drawings.
    stateful_metrics : list of str or None
        Names of the values to show as they are; the others are averaged over the steps.
    unit_name : str, default "step"
    delay : float, default 0
        Seconds before anything is shown; a shorter work shows nothing.

    Examples
    --------
    >>> bar = Progbar(10, verbose=0)  # 1 to see it
    >>> for step in range(10):
    ...     bar.update(step + 1, [("loss", 0.5)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float | None = None,
        stateful_metrics: Any = None,
        unit_name: str = "step",
        *,
        delay: float = 0.0,
    ) -> None:
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = INTERVAL if interval is None else interval
        self.stateful_metrics = set(stateful_metrics or ())
        self.unit_name = unit_name
        self.delay = delay
        stream = sys.stdout
        isatty = getattr(stream, "isatty", None)
        self.dynamic = bool(isatty and isatty()) or "ipykernel" in sys.modules
        self._line = _drawable(getattr(stream, "encoding", None))
        self._sums: dict[str, list[float]] = {}
        self._seen = 0
        self._start = time.perf_counter()
        self._drawn = float("-inf")
        self._length = 0

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Show that `current` steps are done; `values` is a list of (name, value)."""
        for name, value in values or ():
            if name in self.stateful_metrics or not isinstance(value, (int, float)):
                self._sums[name] = [value, 1]
            else:
                steps = max(current - self._seen, 1)
                total = self._sums.setdefault(name, [0.0, 0])
                total[0] += value * steps
                total[1] += steps
        self._seen = max(current, self._seen)
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        self._draw(
            current,
            {name: s[0] if s[1] == 1 else s[0] / s[1] for name, s in self._sums.items()},
            finalize,
        )

    def add(self, steps: int, values: Any = None) -> None:
        """Show `steps` more as done."""
        self.update(self._seen + steps, values)

    def _draw(self, current: int, logs: Logs, finalize: bool) -> None:
        if self.verbose == 0 or (not finalize and (self.verbose == 2 or not self.dynamic)):
            return
        now = time.perf_counter()
        if now - self._start < self.delay or (not finalize and now - self._drawn < self.interval):
            return
        self._drawn = now
        elapsed = now - self._start
        step = elapsed / current if current else 0.0
        rate = duration_per(step, self.unit_name)
        if self.target is None:
            count = f"{current}/Unknown"
            seconds = f"{elapsed:.0f}s"
        else:
            count = f"{current:>{len(str(self.target))}}/{self.target}"
            left = max(self.target - current, 0)
            seconds = f"{elapsed:.0f}s" if finalize else remaining(step * left)
        if self.verbose == 2:
            print(f"{count} - {seconds} - {rate}{metrics_text(logs)}", flush=True)
            return
        text = f" {seconds} {rate}{metrics_text(logs)}"
        done = self.width
        if self.target:
            done = int(self.width * min(current, self.target) / self.target)
        bar = self._line * done
        rest = self._line * (self.width - done) if self._line != "=" else "." * (self.width - done)
        plain = f"{count} {bar}{rest}{text}"
        if not self.dynamic:
            print(plain, flush=True)
            return
        blanks = " " * max(self._length - len(plain), 0)
        self._length = 0 if finalize else len(plain)
        drawn = f"{BOLD}{count}{RESET} {GREEN}{bar}{RESET}{WHITE}{rest}{RESET}{text}"
        sys.stdout.write("\r" + drawn + blanks + ("\n" if finalize else ""))
        sys.stdout.flush()


def _drawable(encoding: str | None) -> str:
    """Return the character of the bar that the stream can print."""
    try:
        "━".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "="
    return "━"


class ProgbarLogger(Callback):
    """Shows the progress of fit, evaluate and predict; they add one unless ``verbose=0``."""

    every_batch = False

    def __init__(self) -> None:
        super().__init__()
        self._bar: Progbar | None = None
        self._training = False
        self._seen = 0

    def _begin(self) -> None:
        self._bar = Progbar(
            self.params.get("steps"),
            verbose=self.params.get("verbose", 1),
            delay=self.params.get("delay", 0.0),
        )
        self._seen = 0

    def _show(self, logs: Logs | None, *, finalize: bool) -> None:
        assert self._bar is not None
        shown = {k: v for k, v in (logs or {}).items() if k not in ("batch", "size", "outputs")}
        self._bar._draw(self._seen, shown, finalize)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        epochs = self.params.get("epochs", 1)
        if self.params.get("verbose", 1) and epochs > 1:
            print(f"Epoch {epoch + 1}/{epochs}", flush=True)
        self._begin()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._seen = batch + 1
        self._show(logs, finalize=False)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._show(logs, finalize=True)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._begin()

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._training:
            self._seen = batch + 1
            self._show(logs, finalize=False)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._show(logs, finalize=True)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._begin()

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not self._training:
            self._seen = batch + 1
            self._show(None, finalize=False)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._show(None, finalize=True)
