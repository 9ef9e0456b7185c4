"""Runs a program with NumPy, one short method for each stage of a training step."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.numpy_engine.formulas import Values, reduced
from fastnn.numpy_engine.operations import BACKWARD, FORWARD, Step
from fastnn.numpy_engine.updates import update
from fastnn.operations import ACCUMULATE, OVERWRITE, SKIP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastnn.operations import Operation
    from fastnn.program import Program
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
    done : int
        Steps that the last call of `train` finished.
    sums : ndarray of float64, shape (program.sums, 2)
        Running sums: of each loss's values and of the rows, then of what metrics remember.

    Examples
    --------
    One training step by hand, which is what `train` does for every batch::

        engine.gather(rows)                                  # values of the inputs, targets
        engine.forward(len(rows), training=True, step=0, seed=0)
        engine.score(len(rows), gradients=True)              # losses, metrics, first gradients
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
        self.sums = np.zeros((program.sums, 2))
        self.done = 0
        self.sources: list[np.ndarray] = []
        self.target_sources: list[np.ndarray] = []
        self.weight_sources: list[np.ndarray | None] = []
        self.targets: list[np.ndarray] = []
        self.weights: list[np.ndarray | None] = []
        self._step = Step()
        self._states: dict[Variable, np.ndarray] = {}  # of the batch, to be assigned at its end
        self._late: list[tuple[int, int, np.ndarray]] = []  # of losses called in Python

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
        """Take one training step for each batch of `rows`, in their order; `done` counts them."""
        self.done = 0
        for k, start in enumerate(range(0, len(rows), batch_size)):
            chosen = rows[start : start + batch_size]
            n = self.gather(chosen)
            self.forward(n, training=True, step=step + k, seed=seed, rows=chosen)
            self.score(n, gradients=True)
            self.backward(n)
            self.update(coefficients[k])
            self.done += 1

    def evaluate(self, rows: np.ndarray, batch_size: int) -> None:
        """Add the losses and metrics of `rows` to the sums."""
        for start in range(0, len(rows), batch_size):
            chosen = rows[start : start + batch_size]
            n = self.gather(chosen)
            self.forward(n, training=False, rows=chosen)
            self.score(n, gradients=False)

    def predict(self, start: int, stop: int, outputs: Sequence[np.ndarray]) -> None:
        """Write the outputs for the bound rows start..stop-1 to the same rows of `outputs`."""
        for first in range(start, stop, self.capacity):
            last = min(first + self.capacity, stop)
            n = self.gather(slice(first, last), targets=False)
            self.forward(n, training=False, rows=np.arange(first, last))
            self._assign()
            for array, tensor in zip(outputs, self.program.outputs, strict=True):
                array[first:last] = self.value(tensor, n)

    def reset(self) -> None:
        """Start the sums from zero."""
        self.sums[...] = 0

    # --- the stages of a step -------------------------------------------------------------

    @quiet
    def forward(
        self,
        n: int,
        *,
        training: bool = False,
        step: int = 0,
        seed: int = 0,
        rows: np.ndarray | None = None,
    ) -> None:
        """Compute all tensors of a batch of n rows from the inputs.

        `rows` says which of the data they are (by default the first n): errors name them, and
        outside of trainings random numbers are theirs.
        """
        rows = np.arange(n) if rows is None else rows
        places = np.arange(n) if training else rows
        self._step = Step(training, step if training else 0, seed, places, rows)
        states: dict[Variable, np.ndarray] = {}
        for op in self.program.forward:
            if op.kind == "segment":
                values = Values(n, self.program.dtype, self._operand)
                for index, formula in zip(op.outputs, op.attrs["values"], strict=True):
                    self.value(index, n)[...] = values.of(formula)
                states |= {
                    v: values.of(formula).copy() for v, formula in op.attrs["states"].items()
                }
                continue
            inputs = [self.value(i, n) for i in op.inputs]
            y = self.value(op.output, n)
            y[...] = FORWARD[op.kind](self._step, op, *inputs).reshape(y.shape)
        self._states = states

    @quiet
    def score(self, n: int, *, gradients: bool) -> None:
        """Add losses and metrics to the sums; for training, write the losses' gradients."""
        program = self.program
        self._late.clear()
        values = Values(n, program.dtype, self._operand)
        for term in program.losses:
            weights = self._weights_of(term.target)
            if term.value is None:
                t, p = self.targets[term.target], self.value(term.prediction, n).copy()
                learn = gradients and term.mode != SKIP
                loss, slopes = term.compute(t, p, weights, gradients=learn)
                if slopes is not None:
                    self._late.append((term.prediction, term.mode, slopes))
            else:
                each = values.of(term.value)
                if not term.weighted:
                    weights = None
                if not term.value.batched:
                    each = np.full(n if weights is None else weights.size, each)
                loss, _ = reduced(each.reshape(-1), weights, term.reduction)
            self.sums[term.accumulator] += loss * n, n
        for penalty in program.penalties:
            self.sums[penalty.accumulator] += float(values.of(penalty.value)) * n, n
        for metric in program.metrics:
            if metric.states is None:
                t, p = self.targets[metric.target], self.value(metric.prediction, n).copy()
                metric.compute(t, p, self._weights_of(metric.target))
            for state in metric.states or ():
                self.sums[state.accumulator, 0] += np.sum(values.of(state.value), dtype=np.float64)
        if gradients:
            for slope in program.gradients:
                gradient = np.broadcast_to(
                    values.of(slope.value), self.value(slope.tensor, n).shape
                )
                self._contribute(slope.tensor, n, slope.mode, gradient)
            for weight in program.weight_gradients:
                self.parameter_gradient(weight.variable)[...] = values.of(weight.value)
            for tensor, mode, slopes in self._late:
                self._contribute(tensor, n, mode, slopes)
        else:
            self._assign()

    def _operand(self, kind: str, index: int, n: int) -> np.ndarray:
        """Return what a formula reads: a tensor, targets or sample weights."""
        if kind == "tensor":
            return self.value(index, n)
        if kind == "gradient":
            return self.gradient(index, n)
        if kind == "target":
            return self.targets[index].reshape(n, *self.program.targets[index].shape)
        weights, given = self._weights_of(index), self.program.targets[index].weights
        assert given is not None
        if weights is None:
            return np.ones((n, *given), self.program.dtype)
        return weights.reshape(n, *given)

    def _weights_of(self, target: int) -> np.ndarray | None:
        return self.weights[target]

    @quiet
    def backward(self, n: int) -> None:
        """Compute all gradients of the batch, from the losses back to the variables."""
        products = []  # they add to a variable's gradient after all else
        for op in self.program.backward:
            if op.kind == "segment_backward":
                self._segment_backward(op, n)
                continue
            inputs = [self.value(i, n) for i in op.inputs]
            y, dy = self.value(op.output, n), self.gradient(op.output, n)
            dinputs, dparams = BACKWARD[op.kind](self._step, op, inputs, y, dy)
            for i, mode, dx in zip(op.inputs, op.input_modes, dinputs, strict=True):
                self._contribute(i, n, mode, dx)
            made = zip(op.params, op.param_modes, dparams, strict=True)
            if op.kind == "dense_backward":
                products.append(made)
            else:
                self._contribute_parameters(made)
        for made in products:
            self._contribute_parameters(made)
        self._assign()

    def _segment_backward(self, op: Operation, n: int) -> None:
        values = Values(n, self.program.dtype, self._operand)
        found = [None if g is None else values.of(g) for g in op.attrs["gradients"]]
        dinputs, dparams = found[: len(op.inputs)], found[len(op.inputs) :]
        for i, mode, dx in zip(op.inputs, op.input_modes, dinputs, strict=True):
            shape = self.value(i, n).shape
            self._contribute(i, n, mode, None if dx is None else np.broadcast_to(dx, shape))
        self._contribute_parameters(zip(op.params, op.param_modes, dparams, strict=True))

    def _contribute_parameters(self, made: Iterable[tuple[Variable, int, Any]]) -> None:
        for variable, mode, dw in made:
            if mode == OVERWRITE:
                self.parameter_gradient(variable)[...] = dw
            elif mode == ACCUMULATE:
                self.parameter_gradient(variable)[...] += dw

    def _assign(self) -> None:
        """Give variables the state after the batch."""
        for variable, value in self._states.items():
            variable.value[...] = value

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

    def _contribute(self, tensor: int, n: int, mode: int, gradient: np.ndarray | None) -> None:
        if mode == SKIP or gradient is None:
            return
        dx = self.gradient(tensor, n)
        if mode == OVERWRITE:
            dx[...] = gradient.reshape(dx.shape)
        else:
            dx += gradient.reshape(dx.shape)
