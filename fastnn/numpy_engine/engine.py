"""Runs a program with NumPy, one short method for each stage of a training step."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.numpy_engine.losses import ROW_GRADIENTS, ROW_VALUES, reduce
from fastnn.numpy_engine.operations import BACKWARD, FORWARD, Step
from fastnn.numpy_engine.updates import update
from fastnn.operations import ACCUMULATE, OVERWRITE, SKIP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.program import LossTerm, MetricTerm, Program
    from fastnn.variable import Variable


def quiet(method: Any) -> Any:
    """Let a method compute infinities without warnings: a diverging model has them, as in C."""

    @functools.wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return method(*args, **kwargs)

    return run


class Engine:
    """The readable engine.

    Parameters
    ----------
    program : Program
    capacity : int
        The most rows a batch may have.
    training : bool
        Also make room for gradients.

    Attributes
    ----------
    sums : ndarray of float64, shape (len(program.accumulators), 2)
        Running sums of loss and metric values, and of their weights.

    Examples
    --------
    One training step by hand, which is what `train` does for every batch::

        engine.gather(rows)                                  # values of the inputs, targets
        engine.forward(len(rows), training=True, step=0, seed=0)
        engine.losses(len(rows), gradients=True)
        engine.metrics(len(rows))
        engine.backward(len(rows))
        engine.update(coefficients)
        engine.value(3, len(rows)), engine.gradient(3, len(rows))   # look at tensor 3
    """

    def __init__(self, program: Program, capacity: int, *, training: bool = True) -> None:
        self.program = program
        self.capacity = capacity
        dtype = program.dtype
        self.values = [np.zeros((capacity, s.size), dtype) for s in program.storages]
        self.gradients = [
            np.zeros((capacity, s.size), dtype) if s.gradient and training else None
            for s in program.storages
        ]
        self.parameter_gradients = {
            id(u.variable): np.zeros(u.variable.shape, dtype)
            for u in (program.updates if training else ())
        }
        self.sums = np.zeros((len(program.accumulators), 2))
        self.sources: list[np.ndarray] = []
        self.target_sources: list[np.ndarray] = []
        self.weight_sources: list[np.ndarray | None] = []
        self.targets: list[np.ndarray] = []
        self.weights: list[np.ndarray | None] = []
        self._step = Step()

    # --- data -----------------------------------------------------------------------------

    def bind(
        self,
        inputs: Sequence[np.ndarray],
        targets: Sequence[np.ndarray] = (),
        weights: Sequence[np.ndarray | None] = (),
    ) -> None:
        """Say where the rows come from: n rows in each array, of any numeric type."""
        self.sources = list(inputs)
        self.target_sources = list(targets)
        self.weight_sources = list(weights) or [None] * len(self.target_sources)

    def unbind(self) -> None:
        """Let go of the arrays."""
        self.bind([])

    def gather(self, rows: np.ndarray | slice, *, targets: bool = True) -> int:
        """Copy the given rows of the bound arrays, converted; return how many there are."""
        n = 0
        for tensor, source in zip(self.program.inputs, self.sources, strict=True):
            batch = source[rows]
            n = len(batch)
            self.value(tensor, n)[...] = batch
        if targets:
            dtype = self.program.dtype
            self.targets = [source[rows].astype(dtype) for source in self.target_sources]
            self.weights = [
                None if source is None else source[rows].astype(dtype)
                for source in self.weight_sources
            ]
        return n

    # --- whole jobs -----------------------------------------------------------------------

    def train(
        self,
        rows: np.ndarray,
        batch_size: int,
        coefficients: np.ndarray,
        *,
        step: int,
        seed: int,
    ) -> None:
        """Take one training step for each batch of `rows`, in their order."""
        for k, start in enumerate(range(0, len(rows), batch_size)):
            n = self.gather(rows[start : start + batch_size])
            self.forward(n, training=True, step=step + k, seed=seed)
            self.losses(n, gradients=True)
            self.metrics(n)
            self.backward(n)
            self.update(coefficients[k])

    def evaluate(self, rows: np.ndarray, batch_size: int) -> None:
        """Add the losses and metrics of `rows` to the sums."""
        for start in range(0, len(rows), batch_size):
            n = self.gather(rows[start : start + batch_size])
            self.forward(n, training=False)
            self.losses(n, gradients=False)
            self.metrics(n)

    def predict(self, start: int, stop: int, outputs: Sequence[np.ndarray]) -> None:
        """Write the outputs for the bound rows start..stop-1 to the same rows of `outputs`."""
        for first in range(start, stop, self.capacity):
            last = min(first + self.capacity, stop)
            n = self.gather(slice(first, last), targets=False)
            self.forward(n, training=False)
            for array, tensor in zip(outputs, self.program.outputs, strict=True):
                array[first:last] = self.value(tensor, n)

    def reset(self) -> None:
        """Start the sums from zero."""
        self.sums[...] = 0

    # --- the stages of a step -------------------------------------------------------------

    @quiet
    def forward(self, n: int, *, training: bool = False, step: int = 0, seed: int = 0) -> None:
        """Compute all tensors of a batch of n rows from the inputs."""
        self._step = Step(training, step, seed)
        for op in self.program.forward:
            inputs = [self.value(i, n) for i in op.inputs]
            y = self.value(op.output, n)
            y[...] = FORWARD[op.kind](self._step, op, *inputs).reshape(y.shape)

    @quiet
    def losses(self, n: int, *, gradients: bool) -> None:
        """Add every loss to the sums and, for training, write its gradient."""
        for term in self.program.losses:
            self._loss(term, n, gradients=gradients)

    def _loss(self, term: LossTerm, n: int, *, gradients: bool) -> None:
        gradients = gradients and term.mode != SKIP
        if term.kind == "python":
            t, p = self.targets[term.target], self.value(term.prediction, n).copy()
            w = self.weights[term.target]
            loss, gradient = term.compute(t, p, w, gradients=gradients)
        else:
            t, p = self._rows(term, n)
            w = self._row_weights(term.target, n, len(p) // n)
            values = ROW_VALUES[term.kind](t, p, term.attrs)
            loss, scale = reduce(values, w, term.reduction, len(p))
            gradient = None
            if gradients:
                slopes = ROW_GRADIENTS[term.kind](t, p, term.attrs)
                gradient = term.weight * scale[:, None] * slopes
        self.sums[term.accumulator] += loss * n, n
        if gradient is not None:
            self._contribute(term.prediction, n, term.mode, gradient)

    @quiet
    def metrics(self, n: int) -> None:
        """Add every metric to the sums."""
        for term in self.program.metrics:
            if term.kind == "python":
                t, p = self.targets[term.target], self.value(term.prediction, n).copy()
                term.compute(t, p, self.weights[term.target])
                continue
            t, p = self._rows(term, n)
            values = ROW_VALUES[term.kind](t, p, term.attrs)
            w = self._row_weights(term.target if term.weighted else None, n, len(values) // n)
            self.sums[term.accumulator] += (
                np.sum(w * values, dtype=np.float64),
                np.sum(w, dtype=np.float64),
            )

    @quiet
    def backward(self, n: int) -> None:
        """Compute all gradients of the batch, from the losses back to the variables."""
        for op in self.program.backward:
            inputs = [self.value(i, n) for i in op.inputs]
            y, dy = self.value(op.output, n), self.gradient(op.output, n)
            dinputs, dparams = BACKWARD[op.kind](self._step, op, inputs, y, dy)
            for i, mode, dx in zip(op.inputs, op.input_modes, dinputs, strict=True):
                self._contribute(i, n, mode, dx)
            for variable, mode, dw in zip(op.params, op.param_modes, dparams, strict=True):
                if mode == OVERWRITE:
                    self.parameter_gradient(variable)[...] = dw
                elif mode == ACCUMULATE:
                    self.parameter_gradient(variable)[...] += dw

    @quiet
    def update(self, coefficients: np.ndarray) -> None:
        """Take one step of the optimizer for every variable."""
        optimizer = self.program.optimizer
        assert optimizer is not None
        for step in self.program.updates:
            v = step.variable
            slots = [v.view(buffer) for buffer in optimizer.slots(v)]
            update(optimizer.rule, v.value, self.parameter_gradient(v), slots, coefficients)

    # --- looking inside -------------------------------------------------------------------

    def value(self, tensor: int, n: int) -> np.ndarray:
        """Return the values of a tensor for the n rows of the batch: a view, (n, *shape)."""
        t = self.program.tensors[tensor]
        return self.values[t.storage][:n].reshape(n, *t.shape)

    def gradient(self, tensor: int, n: int) -> np.ndarray:
        """Return dLoss/dvalue of a tensor: a view, (n, *shape)."""
        t = self.program.tensors[tensor]
        gradient = self.gradients[t.storage]
        if gradient is None:
            raise ValueError(
                f"tensor {tensor} has no gradient: no loss or no trainable variable is behind it, "
                "or the engine was made with training=False"
            )
        return gradient[:n].reshape(n, *t.shape)

    def parameter_gradient(self, variable: Variable) -> np.ndarray:
        """Return dLoss/dvariable of the last batch."""
        return self.parameter_gradients[id(variable)]

    # --- helpers --------------------------------------------------------------------------

    def _rows(self, term: LossTerm | MetricTerm, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return targets and predictions as matrices of (n x rows of a sample, features)."""
        features = self.program.tensors[term.prediction].features
        p = self.value(term.prediction, n).reshape(-1, features)
        return self.targets[term.target].reshape(len(p), -1), p

    def _row_weights(self, target: int | None, n: int, rows: int) -> Any:
        """Return one weight for each row: sample weights hold for all rows of a sample."""
        w = None if target is None else self.weights[target]
        if w is None:
            return np.ones(n * rows, self.program.dtype)
        return np.repeat(w, rows) if w.size == n else w.reshape(-1)

    def _contribute(self, tensor: int, n: int, mode: int, gradient: np.ndarray | None) -> None:
        if mode == SKIP or gradient is None:
            return
        dx = self.gradient(tensor, n)
        if mode == OVERWRITE:
            dx[...] = gradient.reshape(dx.shape)
        else:
            dx += gradient.reshape(dx.shape)
