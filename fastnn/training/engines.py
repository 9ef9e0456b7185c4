"""The program of a model and the engines that run it, made when first needed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.graph import changes
from fastnn.program import build

if TYPE_CHECKING:
    from fastnn.program import Program
    from fastnn.training.compiling import Compiled
    from fastnn.training.data import Data

PREDICT_ROWS = 1024
"""Most rows that a prediction computes at a time; more does not run faster."""

PREDICT_BYTES = 1 << 26
"""Most memory for the values of a prediction."""

PROGRAMS = 8
"""So many programs are kept: for data with and without weights, of several shapes."""


def make_engine(name: str, program: Program, capacity: int, *, training: bool) -> Any:
    if name == "numpy":
        from fastnn.numpy_engine import Engine
    else:
        from fastnn import _core

        Engine = _core.Engine  # type: ignore[assignment,misc]
    return Engine(program, capacity, training=training)


def require_derivatives(program: Program) -> None:
    """Raise ValueError if something written in Python lacks a derivative that training needs."""
    for op in program.backward:
        if op.kind == "python_backward" and any(op.input_modes + op.param_modes):
            op.attrs["layer"].require_derivative()


class Slot:
    """An engine and the data bound to it."""

    def __init__(self, engine: Any, program: Program, capacity: int, name: str) -> None:
        self.engine = engine
        self.program = program
        self.capacity = capacity
        self.name = name
        self.bound: Data | None = None
        self.speed = 0.0  # training steps a second, when it last ran; 0: it has not

    def bind(self, data: Data) -> None:
        """Let the engine read its rows from `data`; does nothing if it already does."""
        if self.bound is not data:
            self.bound = None
            self.engine.bind(data.inputs, data.targets, data.weights)
            self.bound = data

    def release(self) -> None:
        """Let go of the data."""
        if self.bound is not None:
            self.bound = None
            self.engine.unbind()

    def reset(self) -> None:
        """Start the running sums and the metrics from zero."""
        self.engine.reset()
        self.program.reset()

    def results(self) -> dict[str, float]:
        return self.program.results(self.engine.sums)


class Engines:
    """Keeps a model's program and engines; a copy of it starts empty.

    Attributes
    ----------
    lock : RLock
        Held while an engine is bound or runs.
    working : RLock
        Held during a whole fit or evaluate: two at a time would share their sums.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.working = threading.RLock()
        self.program: Program | None = None
        self._key: tuple[Any, ...] | None = None
        self._made_at: tuple[int, float] | None = None  # changes, epsilon
        self._programs: dict[Any, Program] = {}  # of that key, by the shapes of the data
        self._training: Slot | None = None
        self._testing: Slot | None = None
        self._predicting: Slot | None = None
        self._predicts: Any = None
        self._predicts_at = -1  # so many changes of the graph
        self.quick: Any = None  # see predicting.Quick

    def forget(self) -> None:
        """Drop what was made for an earlier `compile`."""
        with self.lock:
            self.program = self._key = self._training = self._testing = self.quick = None
            self._programs.clear()

    def __reduce__(self) -> Any:
        return Engines, ()

    def build(self, model: Any, compiled: Compiled, data: Data, *, afresh: bool = False) -> Program:
        """Return the program that trains `model` on data of these shapes.

        `afresh`: losses and metrics of one's own are traced again, in case they compute something
        else by now.

        Raises
        ------
        ValueError
            If the shape of y does not fit a loss or a metric.
        """
        # The key holds the objects themselves, so that their ids stay theirs.
        key = (compiled, compiled.optimizer, *model.inputs, *model.outputs,
               *model.trainable_weights)  # fmt: skip
        shapes = data.shapes
        weights = tuple(
            () if given is not None and given != tuple(output.sample_shape[:-1]) else given
            for given, output in zip(data.weight_shapes, model.outputs, strict=True)
        )
        made_for = (shapes, weights)
        made_at = (changes(), config.epsilon())
        if not self._same(key) or self._made_at != made_at:
            self._programs.clear()
            self._key, self._made_at = key, made_at
        elif made_for in self._programs:
            known = self._programs[made_for]
            if not afresh or known.is_current():
                self.program = known
                return known
        names = list(model.output_names)
        terms = compiled.terms(names, shapes, [output.sample_shape for output in model.outputs])
        program = build(
            model.inputs,
            model.outputs,
            **terms,
            targets=shapes,
            sample_weights=weights,
            output_names=names,
            optimizer=compiled.optimizer,
            dtype=model.outputs[0].dtype,
        )
        self.program = program
        while len(self._programs) >= PROGRAMS:
            del self._programs[next(iter(self._programs))]
        self._programs[made_for] = program
        return program

    def _same(self, key: tuple[Any, ...]) -> bool:
        known = self._key
        return known is not None and len(key) == len(known) and all(
            a is b for a, b in zip(key, known, strict=True)
        )  # fmt: skip

    def release(self) -> None:
        """Let go of all data."""
        with self.lock:
            for slot in (self._training, self._testing):
                if slot is not None:
                    slot.release()

    def release_testing(self) -> None:
        """Let go of what was evaluated."""
        with self.lock:
            if self._testing is not None:
                self._testing.release()

    def training(self, name: str, capacity: int) -> Slot:
        """Return an engine that trains the built program in batches of `capacity` rows.

        Raises
        ------
        ValueError
            If something written in Python has no derivative.
        """
        assert self.program is not None
        require_derivatives(self.program)  # now, not in the middle of a step
        self._training = self._fitting(self._training, name, capacity, training=True)
        return self._training

    def testing(self, name: str, capacity: int) -> Slot:
        """Return an engine that evaluates the built program."""
        self._testing = self._fitting(self._testing, name, capacity, training=False)
        return self._testing

    def _fitting(self, slot: Slot | None, name: str, capacity: int, *, training: bool) -> Slot:
        assert self.program is not None
        program = self.program if training else self.program.for_inference
        if (
            slot is not None
            and slot.program is program
            and slot.capacity >= capacity
            and slot.name == name
        ):
            return slot
        engine = make_engine(name, program, capacity, training=training)
        return Slot(engine, program, capacity, name)

    def predicting(self, model: Any, name: str, rows: int, batch: int) -> Slot:
        """Return an engine that predicts at least a part of `rows` rows at a time.

        Where the rows of a batch meet each other, it predicts in the user's batches.
        """
        key = (*model.inputs, *model.outputs)
        slot = self._predicting
        known = slot is not None and self._predicts_at == changes()
        same = known and len(key) == len(self._predicts) and all(
            a is b for a, b in zip(key, self._predicts, strict=True)
        )  # fmt: skip
        program = slot.program if slot is not None and same else None
        if program is None:
            program = build(model.inputs, model.outputs, dtype=model.outputs[0].dtype)
        sample = sum(storage.size for storage in program.storages)
        sample *= np.dtype(program.dtype).itemsize
        most = max(1, min(PREDICT_ROWS, PREDICT_BYTES // max(sample, 1)))
        wanted = min(most, 1 << max(rows - 1, 31).bit_length())
        mixed = program.mixes_rows
        if mixed:
            wanted = batch
        if (
            slot is None
            or slot.program is not program
            or slot.name != name
            or (slot.capacity != wanted if mixed else slot.capacity < wanted)
        ):
            engine = make_engine(name, program, wanted, training=False)
            slot = self._predicting = Slot(engine, program, wanted, name)
            self._predicts, self._predicts_at = key, changes()
        return slot
