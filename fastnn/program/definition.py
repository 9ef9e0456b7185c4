"""What a program consists of, beyond the operations of fastnn.operations."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fastnn.numpy_engine.formulas import reduced
from fastnn.operations import SKIP, Operation, Storage, Tensor
from fastnn.program.formulas import formulas, segment_formulas
from fastnn.program.trace import by_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastnn.losses import Loss
    from fastnn.metrics import Metric
    from fastnn.ops.tensor import Tensor as Traced
    from fastnn.optimizers import Optimizer
    from fastnn.variable import Variable


@dataclass
class Target:
    """What an output is compared with: `shape` per sample, as the data has it."""

    shape: tuple[int, ...]
    output: int  # position in program.outputs
    weights: tuple[int, ...] | None = None  # of one sample's weights; None: there are none


@dataclass
class LossTerm:
    """One loss: traced, or (without `value`) called in Python.

    kind
        The name of a built-in loss, "" of one of one's own; what advice goes by.
    value
        One number for each row, or one for the batch.
    values
        The tensor that the C engine writes the value to.
    """

    loss: Loss
    name: str
    kind: str
    prediction: int  # the tensor of the output
    target: int
    accumulator: int
    weight: float
    reduction: str
    value: Traced | None = None
    weighted: bool = True  # by sample weights, if there are any
    values: int = -1
    mode: int = SKIP  # called in Python: what it does to the gradient of `prediction`
    flat: list[Traced] = field(default_factory=list)  # where its slope is 0 everywhere

    def compute(
        self, t: np.ndarray, p: np.ndarray, w: np.ndarray | None, *, gradients: bool
    ) -> tuple[float, np.ndarray | None]:
        """Compute a loss that is called in Python: for both engines.

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
        values, slopes = self.loss.rows(t, p, gradients=gradients)
        if w is not None and len(values) % w.size:
            raise ValueError(
                f"Loss '{self.loss.name}' has {len(values) // len(p)} values for each row, but "
                f"there are {w.size // len(p)} weights: give one weight for each row"
            )
        loss, scale = reduced(values, w, self.reduction)
        if slopes is None:
            return loss, None
        gradient = self.weight * scale[:, None] * slopes.reshape(len(values), -1)
        return loss, gradient.reshape(p.shape)


@dataclass
class Penalty:
    """What a layer adds to the loss: one number for the batch."""

    value: Traced
    accumulator: int
    values: int = -1  # the tensor that the C engine writes it to


@dataclass
class State:
    """A variable of a metric, and what each batch adds to it."""

    variable: Variable
    accumulator: int
    value: Traced  # numbers of rows, all to be added, or one for the batch
    values: int = -1  # the tensor that the C engine writes them to
    base: float = 0.0  # the variable's value before the first batch


@dataclass
class MetricTerm:
    """One metric: traced, its states in the engine's sums, or (without states) called in Python."""

    metric: Metric
    name: str
    kind: str
    prediction: int
    target: int
    weighted: bool
    states: list[State] | None = None
    untraceable: Exception | None = None  # why it is called in Python

    @property
    def depends_on_batches(self) -> bool:
        """Whether it is a function's one value for each batch, which no mean of rows gives."""
        from fastnn.metrics.base import MeanMetricWrapper

        means = getattr(type(self.metric), "update_state", None) is MeanMetricWrapper.update_state
        return not self.kind and means and any(
            not state.value.batched and state.value.args and by_row(state.value) is None
            and state.variable.name == "total"
            for state in self.states or ()
        )  # fmt: skip

    def compute(self, t: np.ndarray, p: np.ndarray, w: np.ndarray | None) -> None:
        """Show a batch to a metric that is called in Python: for both engines."""
        try:
            self.metric.update_state(t, p, sample_weight=w if self.weighted else None)
        except Exception as error:
            if error.__cause__ is None and self.untraceable is not None:
                raise error from self.untraceable  # which may say better what is wrong
            raise

    def reset(self) -> None:
        """Start from nothing."""
        self.metric.reset_state()
        for state in self.states or ():
            state.base = state.variable.value.item()

    def result(self, sums: np.ndarray) -> float:
        """Bring the states up to date, and return what the metric makes of them."""
        for state in self.states or ():
            state.variable.value.fill(state.base + sums.item(state.accumulator, 0))
        return self.metric.number()


@dataclass
class GradientTerm:
    """What traced losses contribute to the gradient of a tensor."""

    tensor: int
    value: Traced
    mode: int


@dataclass
class WeightGradient:
    """What penalties contribute to the gradient of a variable."""

    variable: Variable
    value: Traced


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
        self.penalties: list[Penalty] = []
        self.metrics: list[MetricTerm] = []
        self.gradients: list[GradientTerm] = []
        self.weight_gradients: list[WeightGradient] = []
        self.scoring: list[Operation] = []  # for C: losses, metrics and those gradients
        self.evaluation: list[Operation] = []  # the same without gradients
        self.sums = 0  # pairs of running sums
        self.is_current: Callable[[], bool] = lambda: True  # after tracing one's own code again
        self.twin: Callable[[], Program] | None = None  # makes what runs outside of trainings
        self._for_inference: Program | None = None
        self.targets: list[Target] = []
        self.backward: list[Operation] = []
        self.updates: list[Update] = []
        self.closing: list[Operation] = []  # for C: maps that write variables, at a step's end
        self.trainable: list[Variable] = []
        self.variables: list[Variable] = []

    def new_tensor(self, elements: int, batched: bool = True) -> int:
        """Add a tensor: of so many elements a sample, or for the whole batch."""
        storage = Storage(len(self.storages), elements, padded=False, batched=batched)
        self.storages.append(storage)
        self.tensors.append(Tensor(len(self.tensors), (elements,), storage.index))
        return len(self.tensors) - 1

    @property
    def for_inference(self) -> Program:
        """The program in which layers compute as outside of trainings: it, or one of its own."""
        if self.twin is None:
            return self
        if self._for_inference is None:
            self._for_inference = self.twin()
        return self._for_inference

    def inference_is_current(self) -> bool:
        return self._for_inference is None or self._for_inference.is_current()

    @functools.cached_property
    def mixes_rows(self) -> bool:
        """Whether what is predicted for a row depends on the others of its batch."""
        return any(
            part.kind == "reduce" for op in self.forward for part in op.attrs.get("maps", ())
        )

    @property
    def metric_objects(self) -> list[Metric]:
        return [term.metric for term in self.metrics]

    def reset(self) -> None:
        """Let the metrics forget all batches."""
        for term in self.metrics:
            term.reset()

    def results(self, sums: np.ndarray) -> dict[str, float]:
        """Turn an engine's sums into named results: loss, metrics, then the outputs' losses."""

        def mean(term: LossTerm | Penalty) -> float:
            total, count = sums[term.accumulator].tolist()
            return total / count if count else 0.0

        logs = {}
        if self.losses or self.penalties:
            total = sum(term.weight * mean(term) for term in self.losses)
            logs["loss"] = float(total + sum(mean(term) for term in self.penalties))
        for metric in self.metrics:
            logs[metric.name] = metric.result(sums)
        if len(self.losses) > 1:
            logs |= {term.name: mean(term) for term in self.losses}
        return logs

    @property
    def result_names(self) -> list[str]:
        """The keys of `results`, in its order."""
        losses = [term.name for term in self.losses]
        metrics = [term.name for term in self.metrics]
        total = ["loss"] * bool(losses or self.penalties)
        return total + metrics + (losses if len(losses) > 1 else [])

    def __str__(self) -> str:
        def tensor(i: int) -> str:
            return f"t{i}{list(self.tensors[i].shape)}"

        lines = []
        for op in self.forward:
            if op.kind == "segment":
                lines += segment_formulas(op)
                continue
            words = [f"{k}={v}" for k, v in op.attrs.items()] + [v.path for v in op.params]
            made_of = ", ".join(tensor(i) for i in op.inputs)
            lines.append(f"{tensor(op.output)} = {op.kind}({made_of}; {', '.join(words)})")
        lines += formulas(self)
        for op in self.backward:
            if op.kind == "segment_backward":
                lines += segment_formulas(op)
                continue
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
