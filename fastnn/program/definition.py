"""What a program consists of, beyond the operations of fastnn.operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.numpy_engine.losses import reduce
from fastnn.operations import SKIP, Operation, Storage, Tensor

if TYPE_CHECKING:
    from fastnn.metrics import Metric
    from fastnn.optimizers import Optimizer
    from fastnn.variable import Variable


@dataclass
class Target:
    """What an output is compared with: `shape` per sample, as the data has it."""

    shape: tuple[int, ...]
    output: int  # position in program.outputs


@dataclass
class LossTerm:
    """One loss. `kind` is of operations.LOSSES, or "python" with attrs["loss"]."""

    kind: str
    prediction: int  # the tensor it reads; logits for the *_logits kinds
    probability: int  # the tensor it writes the probabilities to instead of a folded op, or -1
    target: int
    accumulator: int
    weight: float
    reduction: str
    attrs: dict[str, Any] = field(default_factory=dict)
    mode: int = SKIP  # what it does to the gradient of `prediction`

    def compute(
        self, t: np.ndarray, p: np.ndarray, w: np.ndarray | None, *, gradients: bool
    ) -> tuple[float, np.ndarray | None]:
        """Compute a loss of kind "python": for both engines.

        Parameters
        ----------
        t, p : ndarray, shapes (n, ...)
            Targets and predictions of a batch.
        w : ndarray or None
            Weights per sample or per row.
        gradients : bool

        Returns
        -------
        float, ndarray or None
            The batch's loss, and the loss weight times its derivative by p.
        """
        values, slopes = self.attrs["loss"].rows(t, p, gradients=gradients)
        rows = len(values) // len(p)
        if w is None:
            weights = np.ones(len(values), p.dtype)
        else:
            weights = np.repeat(w, rows) if w.size == len(p) else w.reshape(-1)
        loss, scale = reduce(values, weights, self.reduction, len(values))
        if slopes is None:
            return loss, None
        gradient = self.weight * scale[:, None] * slopes.reshape(len(values), -1)
        return loss, gradient.reshape(p.shape)


@dataclass
class MetricTerm:
    """One metric. `kind` is of operations.ROW_VALUES, or "python" with attrs["metric"]."""

    kind: str
    prediction: int
    target: int
    accumulator: int
    weighted: bool
    attrs: dict[str, Any] = field(default_factory=dict)

    def compute(self, t: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> None:
        """Show a batch to a metric of kind "python": for both engines."""
        self.attrs["metric"].update_state(t, p, sample_weight=w if self.weighted else None)


@dataclass
class Update:
    """One optimizer step; `fused`: it runs inside the dense_backward that makes its gradient."""

    variable: Variable
    fused: bool


class Program:
    """A compiled model; both engines run it. Made by `build`, documented by its annotations."""

    def __init__(self, dtype: str, optimizer: Optimizer | None) -> None:
        self.dtype = dtype
        self.optimizer = optimizer
        self.storages: list[Storage] = []
        self.tensors: list[Tensor] = []
        self.inputs: list[int] = []
        self.outputs: list[int] = []
        self.output_names: list[str] = []
        self.forward: list[Operation] = []
        self.losses: list[LossTerm] = []
        self.metrics: list[MetricTerm] = []
        self.accumulators: list[str] = []
        self.targets: list[Target] = []
        self.backward: list[Operation] = []
        self.updates: list[Update] = []
        self.trainable: list[Variable] = []
        self.variables: list[Variable] = []
        self.metric_objects: list[Metric] = []  # of program.metrics, in the same order

    def results(self, sums: np.ndarray) -> dict[str, float]:
        """Turn an engine's sums into named results: loss, metrics, then the outputs' losses."""

        def mean(term: LossTerm) -> float:
            total, count = sums[term.accumulator]
            return float(total / count) if count else 0.0

        logs = {}
        if self.losses:
            logs["loss"] = float(sum(term.weight * mean(term) for term in self.losses))
        for term, metric in zip(self.metrics, self.metric_objects, strict=True):
            name = self.accumulators[term.accumulator]
            if term.kind == "python":
                logs[name] = float(metric.result())
            else:
                logs[name] = metric.finish(*(float(x) for x in sums[term.accumulator]))
        if len(self.losses) > 1:
            logs |= {self.accumulators[term.accumulator]: mean(term) for term in self.losses}
        return logs

    @property
    def result_names(self) -> list[str]:
        """The keys of `results`, in its order."""
        losses = [self.accumulators[term.accumulator] for term in self.losses]
        metrics = [self.accumulators[term.accumulator] for term in self.metrics]
        return ["loss"] * bool(losses) + metrics + (losses if len(losses) > 1 else [])

    def __str__(self) -> str:
        def tensor(i: int) -> str:
            return f"t{i}{list(self.tensors[i].shape)}"

        lines = []
        for op in self.forward:
            words = [f"{k}={v}" for k, v in op.attrs.items()] + [v.path for v in op.params]
            made_of = ", ".join(tensor(i) for i in op.inputs)
            lines.append(f"{tensor(op.output)} = {op.kind}({made_of}; {', '.join(words)})")
        for loss in self.losses:
            lines.append(f"loss {loss.kind}({tensor(loss.prediction)}) * {loss.weight}")
        for op in self.backward:
            modes = ("-", "=", "+=")
            makes = [
                f"d{tensor(i)} {modes[m]}"
                for i, m in zip(op.inputs, op.input_modes, strict=True)
                if m
            ]
            makes += [
                f"d{v.path} {modes[m]}" for v, m in zip(op.params, op.param_modes, strict=True) if m
            ]
            lines.append(f"{' '.join(makes)} {op.kind}(d{tensor(op.output)})")
        for update in self.updates:
            lines.append(f"update {update.variable.path}{' (fused)' * update.fused}")
        return "\n".join(lines)
