"""The loops over batches: how many steps go into one call of an engine."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import _core

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastnn.callbacks import CallbackList
    from fastnn.training.data import Data
    from fastnn.training.engines import Slot

QUIET = 0.2
"""Seconds that one call into an engine may last: how soon Ctrl-C works."""

SHOWN = 0.05
"""The same when somebody watches the batches: how often the progress bar moves."""

GROWTH = 16
"""A call has at most so many times the steps of the one before."""


class Pace:
    """Chooses how many steps fit into a call, from the time the last calls took.

    The results do not depend on it: an engine computes the same bits however an epoch is cut.
    `speed` is the number of steps a second, of the last call; what an earlier fit had is a hint
    only, as its data may have come from memory and this one's from a disk.
    """

    def __init__(self, budget: float, *, single: bool, first: int = 1, speed: float = 0.0) -> None:
        self.budget = budget
        self.single = single
        self.speed = speed
        self._steps = max(first, int(budget * speed / GROWTH))

    def steps(self, left: int) -> int:
        """Return the number of steps of the next call, of those that are left."""
        if self.single:
            return 1
        # Rather a somewhat longer call than a short one behind it.
        return left if left <= 1.25 * self._steps else self._steps

    def took(self, steps: int, seconds: float) -> None:
        """Learn from a call."""
        self.speed = steps / max(seconds, 1e-9)
        fitting = self.budget * self.speed
        self._steps = max(1, int(min(fitting, GROWTH * max(steps, self._steps))))


class Passes:
    """Gives every epoch its rows.

    The order of a pass over the data is a function of the model's seed and of the steps done so
    far, so that a training that resumes from a file goes on as if it had not stopped.

    With `steps_per_epoch` an epoch is a part of a pass over the data, and the next one goes on
    behind it; a pass that ends within an epoch ends that epoch.
    """

    def __init__(
        self, model: Any, rows: int, batch_size: int, shuffle: bool, steps_per_epoch: int | None
    ) -> None:
        self.model = model
        self.rows = rows
        self.batch_size = batch_size
        self.steps = steps_per_epoch
        self.shuffle = shuffle
        self._order = np.empty(0, np.int64) if shuffle else np.arange(rows)
        self._used = rows

    def next_epoch(self) -> np.ndarray:
        if self._used >= self.rows:
            if self.shuffle:
                iterations = self.model.optimizer.iterations
                self._order = _core.shuffled(self.rows, self.model.seed, iterations % 2**32)
            self._used = 0
        if self.steps is None:
            return self._order
        part = self._order[self._used : self._used + self.steps * self.batch_size]
        if len(part) <= (self.steps - 1) * self.batch_size:
            warnings.warn(
                f"fit: steps_per_epoch={self.steps}, but only {-(-len(part) // self.batch_size)} "
                "batches are left of this pass over the data: the epoch ends with them",
                stacklevel=4,
            )
        return part

    def advance(self, steps: int) -> None:
        """Note that an epoch has used `steps` batches."""
        self._used = self.rows if self.steps is None else self._used + steps * self.batch_size


def train_steps(
    model: Any,
    slot: Slot,
    data: Data,
    rows: np.ndarray,
    batch_size: int,
    callbacks: CallbackList,
    pace: Pace,
    lock: Any,
) -> int:
    """Train on `rows` batch after batch; return the number of steps done.

    A callback that sets ``model.stop_training`` in a batch hook ends the loop.
    """
    watched = callbacks.watches_batches("train")
    steps = -(-len(rows) // batch_size)
    done = 0
    while done < steps:
        take = pace.steps(steps - done)
        if watched:
            callbacks.on_train_batch_begin(done)
        begin = time.perf_counter()
        with lock:
            slot.bind(data)
            train_call(
                slot,
                rows[done * batch_size : (done + take) * batch_size],
                batch_size,
                model.optimizer,
                model.seed,
            )
        pace.took(take, time.perf_counter() - begin)
        done += take
        if watched:
            callbacks.on_train_batch_end(done - 1, dict(sorted(slot.results().items())))
            if model.stop_training:
                break
    return done


def train_call(slot: Slot, rows: np.ndarray, batch_size: int, optimizer: Any, seed: int) -> None:
    """Run some training steps in one call; `optimizer.iterations` counts them."""
    engine = slot.engine
    first = optimizer.iterations
    steps = -(-len(rows) // batch_size)
    coefficients = optimizer.coefficients(first, steps)
    try:
        engine.train(rows, batch_size, coefficients, step=first % 2**32, seed=seed)
    finally:  # an error in a loss or layer written in Python may end the call early
        optimizer.iterations = first + engine.done


def test_steps(
    slot: Slot,
    data: Data,
    rows: np.ndarray,
    batch_size: int,
    callbacks: CallbackList,
    pace: Pace,
    lock: Any,
) -> dict[str, float]:
    """Evaluate `rows` batch after batch; return the results by name."""
    watched = callbacks.watches_batches("test")
    steps = -(-len(rows) // batch_size)
    done = 0
    with lock:
        slot.reset()
    while done < steps:
        take = pace.steps(steps - done)
        if watched:
            callbacks.on_test_batch_begin(done)
        begin = time.perf_counter()
        with lock:
            slot.bind(data)
            slot.engine.evaluate(rows[done * batch_size : (done + take) * batch_size], batch_size)
        pace.took(take, time.perf_counter() - begin)
        done += take
        if watched:
            callbacks.on_test_batch_end(done - 1, dict(sorted(slot.results().items())))
    return slot.results()


def predict_steps(
    slot: Slot,
    data: Data,
    outputs: list[np.ndarray],
    batch_size: int,
    callbacks: CallbackList | None,
    pace: Pace,
    lock: Any,
    shape: Callable[[list[np.ndarray]], Any],
) -> None:
    """Fill `outputs` with the predictions for the rows of `data`."""
    watched = callbacks is not None and callbacks.watches_batches("predict")
    rows = data.rows
    steps = -(-rows // batch_size)
    done = 0
    while done < steps:
        take = pace.steps(steps - done)
        if watched:
            assert callbacks is not None
            callbacks.on_predict_batch_begin(done)
        start, stop = done * batch_size, min((done + take) * batch_size, rows)
        begin = time.perf_counter()
        with lock:
            slot.bind(data)
            slot.engine.predict(start, stop, outputs)
        pace.took(take, time.perf_counter() - begin)
        done += take
        if watched:
            assert callbacks is not None
            part = shape([output[start:stop] for output in outputs])
            callbacks.on_predict_batch_end(done - 1, {"outputs": part})
