"""Functions of tensors by themselves: traced, derived and compiled for both engines.

A `Compiled` is a program without layers: its inputs are the function's operands, its scoring the
maps of the function's results and of the gradients of sum(weights * results) by every operand. The
weights of results with a batch axis are inputs too, so that every element matters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import ops
from fastnn._core import Engine as CEngine
from fastnn.numpy_engine import Engine as NumpyEngine
from fastnn.numpy_engine.formulas import Values
from fastnn.operations import OVERWRITE, Storage
from fastnn.operations import Tensor as ProgramTensor
from fastnn.ops.operation import INPUT, as_tensor, constant
from fastnn.ops.shapes import _reshape
from fastnn.ops.tensor import Tensor
from fastnn.program.definition import GradientTerm, Program
from fastnn.program.derive import derive
from fastnn.program.maps import Map
from fastnn.program.schedule import Sink, schedule
from fastnn.program.segments import operations_of
from fastnn.program.simplify import simplify
from fastnn.variable import tracing


class Compiled:
    """A function and its gradient.

    Parameters
    ----------
    function : callable
        Of as many tensors as there are `samples`; gives a tensor or a list of tensors.
    samples : list of tuple
        The shape of one sample of each operand.
    dtype : str
    seed : int
        Of the weights of results without a batch axis.

    Attributes
    ----------
    results : list of Tensor
        Simplified.
    program : Program
    """

    def __init__(self, function, samples, dtype="float64", *, seed=0) -> None:
        self.program = Program(dtype, None)
        leaves = [self._leaf(sample) for sample in samples]
        with tracing(dtype):
            found = function(*leaves)
        found = [as_tensor(r, dtype) for r in (found if isinstance(found, list) else [found])]
        self.traced = found
        self.results = simplify(found)
        rng = np.random.default_rng(seed)
        self.whole_weights: list[np.ndarray] = []
        seeds = [self._seed(result, rng) for result in self.results]
        slopes: list[Tensor | None] = [None] * len(leaves)
        for result, weight in zip(self.results, seeds, strict=True):
            for k, slope in enumerate(derive(result, weight, leaves)):
                if slope is not None:
                    slopes[k] = slope if slopes[k] is None else ops.add(slopes[k], slope)
        self.slopes = slopes
        self.weighted = self.program.inputs[len(samples) :]
        present = [(k, slope) for k, slope in enumerate(slopes) if slope is not None]
        simple = simplify([slope for _, slope in present])
        self.program.gradients = [
            GradientTerm(k, value, OVERWRITE) for (k, _), value in zip(present, simple, strict=True)
        ]
        self.differentiable = [k for k, _ in present]
        places = [self._tensor(r.elements, r.batched) for r in self.results]
        self.places = places
        sinks = [
            *(Sink(r, ("tensor", p)) for r, p in zip(self.results, places, strict=True)),
            *(Sink(g.value, ("gradient", g.tensor, g.mode)) for g in self.program.gradients),
        ]
        lowered = simplify([sink.value for sink in sinks], lower=True)
        self.maps = schedule(
            [Sink(value, sink.place) for value, sink in zip(lowered, sinks, strict=True)],
            self._tensor,
        )
        self.program.scoring = operations_of(self.maps)

    def _tensor(self, elements, batched, *, shape=None, gradient=False) -> int:
        program = self.program
        shape = (elements,) if shape is None else shape
        padded = gradient and len(shape) < 2
        storage = Storage(len(program.storages), elements, padded, batched, gradient)
        program.storages.append(storage)
        program.tensors.append(ProgramTensor(len(program.tensors), shape, storage.index))
        return len(program.tensors) - 1

    def _leaf(self, sample) -> Tensor:
        sample = tuple(sample)
        elements = int(np.prod(sample, dtype=int))
        index = self._tensor(elements, True, shape=sample, gradient=True)
        self.program.inputs.append(index)
        source = {"source": ("tensor", index)}
        return Tensor(INPUT, (), source, (None, *sample), 1, self.program.dtype)

    def _seed(self, result, rng) -> Tensor:
        if not result.batched:
            self.whole_weights.append(rng.uniform(0.5, 1.5, result.shape))
            return constant(self.whole_weights[-1], self.program.dtype)
        leaf = self._leaf(result.sample)
        return _reshape(leaf, shape=result.shape, fold=result.fold)

    @property
    def steps(self) -> set[str]:
        """The codes of all steps of the maps."""
        return {
            step.code for one in self.maps if isinstance(one, Map)
            for step in (*one.prologue, *one.steps)
        }  # fmt: skip

    def weights(self, n, seed=1) -> list[np.ndarray]:
        """Return weights of the results with a batch axis, for n rows."""
        rng = np.random.default_rng(seed)
        dtype = self.program.dtype
        shapes = [self.program.tensors[k].shape for k in self.weighted]
        return [rng.uniform(0.5, 1.5, (n, *shape)).astype(dtype) for shape in shapes]

    # --- running -------------------------------------------------------------------------

    def on_c(self, operands, *, weights=None, batch=None, threads=0) -> tuple[list[Any], list[Any]]:
        """Return the results and gradients of the last batch, from the C engine."""
        n = len(operands[0])
        batch = batch or n
        engine = CEngine(self.program, batch)
        for storage, array in zip(self.program.storages, engine_arrays(engine, self), strict=True):
            if storage.index >= len(self.program.inputs):
                array[...] = np.nan  # what nobody writes is found out
        engine.bind([*operands, *(weights or self.weights(n))])
        if threads:
            engine.use_threads(threads)
        steps = -(-n // batch)
        rows = np.arange(n)
        engine.train(rows, batch, np.zeros((steps, 8)), step=0, seed=0)
        last = n - (steps - 1) * batch
        values = [
            engine.value(p, last if r.batched else 1).reshape(_shape(r, last)).copy()
            for p, r in zip(self.places, self.results, strict=True)
        ]
        return values, [engine.gradient(k, last).copy() for k in self.differentiable]

    def on_numpy(self, operands) -> tuple[list[Any], list[Any]]:
        """Return the results and gradients of one batch, from the NumPy engine."""
        n = len(operands[0])
        engine = NumpyEngine(self.program, n)
        engine.bind([*operands, *self.weights(n)])
        engine.gather(slice(0, n))
        engine.score(n, gradients=True)
        values = Values(n, self.program.dtype, engine._operand)
        with np.errstate(all="ignore"):
            found = [values.of(r).reshape(_shape(r, n)) for r in self.results]
        return found, [engine.gradient(k, n).copy() for k in self.differentiable]

    def total(self, values) -> float:
        """Return the sum of weights * values, which the gradients are of."""
        batched, whole = iter(self.weights(self._rows(values))), iter(self.whole_weights)
        return sum(
            float(np.sum(np.ravel(v) * np.ravel(next(batched if r.batched else whole))))
            for r, v in zip(self.results, values, strict=True)
        )

    def _rows(self, values) -> int:
        for r, v in zip(self.results, values, strict=True):
            if r.batched:
                return len(v) // r.fold
        return 1


def _shape(tensor, n) -> tuple[int, ...]:
    return tuple(n * tensor.fold if d is None else d for d in tensor.shape)


def engine_arrays(engine, compiled) -> list[np.ndarray]:
    """Return the buffers of an engine's storages, one tensor after the other."""
    capacity = engine.capacity
    return [
        engine.value(k, capacity if compiled.program.storages[t.storage].batched else 1)
        for k, t in enumerate(compiled.program.tensors)
    ]


def close(found, expected, tolerance, message="") -> None:
    """Compare lists of arrays: relative to the largest number of each, or to 0.001."""
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        assert a.shape == b.shape, f"{message}: shapes {a.shape} and {b.shape}"
        finite = b[np.isfinite(b)]
        scale = np.abs(finite).max(initial=1e-3)
        np.testing.assert_allclose(a, b, tolerance, tolerance * scale, err_msg=message)


def check_differences(
    compiled, operands, run, gradients, *, fixed=(), h=1e-6, tolerance=1e-6, seed=3
):
    """Compare the gradients with central differences, along random directions of all elements.

    `fixed` are the numbers of operands that stay as they are.
    """
    rng = np.random.default_rng(seed)
    for _ in range(2):
        directions = [
            rng.choice([-1.0, 1.0], x.shape) * (k not in fixed) for k, x in enumerate(operands)
        ]
        up, down = (
            compiled.total(run([x + s * d for x, d in zip(operands, directions, strict=True)])[0])
            for s in (h, -h)
        )
        slopes = dict(zip(compiled.differentiable, gradients, strict=True))
        parts = [slopes[k] * d for k, d in enumerate(directions) if k in slopes]
        expected = sum(float(np.sum(p)) for p in parts)
        scale = np.sqrt(sum(float(np.sum(np.square(p))) for p in parts)) + abs(up) * 1e-3
        difference = (up - down) / (2 * h)
        assert abs(difference - expected) <= tolerance * scale + 1e-8, (difference, expected)
