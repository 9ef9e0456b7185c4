"""Losses and metrics of a program: traced, differentiated, brought into the form of each engine.

The NumPy engine runs their formulas, one line after the other. For the C engine they are fused:
into superops where a loss is one (`superops.py`), all else into maps (`maps.py`).
"""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.losses.base import kind_of
from fastnn.operations import ACCUMULATE, OVERWRITE, SKIP, Operation
from fastnn.ops.elementwise import chain
from fastnn.ops.operation import INPUT, VARIABLE, as_tensor
from fastnn.ops.operation import rows as batch_rows
from fastnn.ops.shapes import _reshape
from fastnn.ops.tensor import NotTraceable, Tensor, without_lines
from fastnn.program.definition import (
    GradientTerm,
    LossTerm,
    MetricTerm,
    Penalty,
    State,
    Target,
    WeightGradient,
)
from fastnn.program.derive import ancestors, derive, derive_all, flat_places
from fastnn.program.schedule import Sink, schedule
from fastnn.program.segments import operations_of
from fastnn.program.simplify import simplify
from fastnn.program.superops import Crossentropy, crossentropy_of
from fastnn.program.targets import fit_target
from fastnn.program.trace import structure, trace_loss, trace_metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.losses import Loss
    from fastnn.metrics import Metric
    from fastnn.program.builder import Builder
    from fastnn.program.definition import Program

LOGITS_OF = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
"""The activation behind which each crossentropy is computed from the logits."""


def attach(
    program: Program,
    builder: Builder,
    losses: Sequence[Loss | None],
    metrics: Sequence[Sequence[Metric]],
    weighted_metrics: Sequence[Sequence[Metric]],
    loss_weights: Sequence[float],
    targets: Sequence[Sequence[int] | None],
    weights: Sequence[Sequence[int] | None],
    *,
    fuse: bool,
    advise: bool,
) -> Scoring:
    """Trace all losses and metrics; fill the program's targets, losses and metrics."""
    scoring = Scoring(program, builder, fuse=fuse)
    several = len(losses) > 1
    names: list[str] = []

    target_of: dict[int, int] = {}
    for k, output in enumerate(program.outputs):
        terms = [t for t in (losses[k], *metrics[k], *weighted_metrics[k]) if t is not None]
        if terms:
            shape = builder.tensors[output].shape
            fitted = fit_target(program.output_names[k], terms, shape, targets[k])
            target_of[k] = len(program.targets)
            given = weights[k]
            program.targets.append(Target(fitted, k, None if given is None else tuple(given)))

    for k, loss in enumerate(losses):
        if loss is not None:
            name = f"{program.output_names[k]}_loss" if several else "loss"
            scoring.add_loss(loss, name, target_of[k], loss_weights[k], advise=advise)
            names.append(name)

    shown: set[int] = set()
    for group, weighted in ((metrics, False), (weighted_metrics, True)):
        for k, group_k in enumerate(group):
            for metric in group_k:
                prefix = f"{program.output_names[k]}_" if several else ""
                name = prefix + metric.name
                if name in names and weighted:
                    name = f"{prefix}weighted_{metric.name}"
                name = _unique(name, names)
                names.append(name)
                if id(metric) in shown:  # on another output it counts for itself
                    metric = copy.deepcopy(metric)
                shown.add(id(metric))
                scoring.add_metric(metric, name, target_of[k], weighted)
    return scoring


def _unique(name: str, names: Sequence[str]) -> str:
    if name not in names:
        return name
    k = 1
    while f"{name}_{k}" in names:
        k += 1
    return f"{name}_{k}"


class Scoring:
    """The traces of a program's losses and metrics, on their way into it."""

    def __init__(self, program: Program, builder: Builder, *, fuse: bool) -> None:
        self.program = program
        self.builder = builder
        self.fuse = fuse
        self.gradients: list[Tensor | None] = []  # of the losses: what they state themselves
        self.leaves: dict[tuple[str, int], Tensor] = {}
        self.predictions: dict[int, Tensor] = {}  # by output
        self.superops: dict[int, Crossentropy] = {}  # by loss
        self.own: list[Tensor] = []  # what was traced of one's own code, as it was
        self.map_gradients: dict[int, Tensor] = {}  # by tensor, without what superops contribute

    # --- leaves --------------------------------------------------------------------------

    def leaf(self, kind: str, index: int, sample: Sequence[int]) -> Tensor:
        """Return the tensor that stands for ("tensor" | "target" | "weights", index)."""
        key = kind, index
        if key not in self.leaves:
            self.leaves[key] = Tensor(
                INPUT, (), {"source": key}, (None, *sample), 1, self.program.dtype
            )
        return self.leaves[key]

    def prediction(self, output: int) -> Tensor:
        """Return an output's leaf; it knows the logits that its activation is made of."""
        if output in self.predictions:
            return self.predictions[output]
        index = self.program.outputs[output]
        known = ("tensor", index) in self.leaves
        leaf = self.leaf("tensor", index, self.builder.tensors[index].shape)
        op = self.builder.producers.get(index)
        if not known and self.fuse and op is not None and op.kind == "activation":
            logits = op.inputs[0]
            shape = self.builder.tensors[logits].shape
            leaf.attrs["logits"] = op.attrs["activation"], self.leaf("tensor", logits, shape)
        self.predictions[output] = leaf
        return leaf

    def operands(self, target: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the leaves of y_true, y_pred and the sample weights."""
        given = self.program.targets[target]
        weights = None
        if given.weights is not None:
            weights = self.leaf("weights", target, given.weights)
        return self.leaf("target", target, given.shape), self.prediction(given.output), weights

    # --- losses and metrics --------------------------------------------------------------

    def add_loss(
        self, loss: Loss, name: str, target: int, weight: float, *, advise: bool = True
    ) -> None:
        t, p, w = self.operands(target)
        term = LossTerm(
            loss, name, kind_of(loss), p.attrs["source"][1], target, self._accumulator(), weight,
            loss.engine_reduction,
        )  # fmt: skip
        if advise:
            self._advise(term, p)
        traced = trace_loss(loss, t, p, w)
        vars(loss)["_is_traced"] = True
        if traced is not None:
            (term.value,) = simplify([traced.value])
            self._refuse_weights(term)
            if loss.reduces_itself:
                term.weighted, term.reduction, w = False, "sum_over_batch_size", None
            if not term.value.batched and term.reduction == "sum" and w is None:
                term.reduction = "sum_over_batch_size"  # one number needs no reducing
            if w is not None:
                _fit_weights(w, term.value, loss)
            if not term.kind:
                self.own += traced.values
        self.gradients.append(None if traced is None else traced.gradient)
        self.program.losses.append(term)

    def add_penalty(self, value: Tensor) -> None:
        self.program.penalties.append(Penalty(value, self._accumulator()))

    def _refuse_weights(self, term: LossTerm) -> None:
        """Raise ValueError if a loss reads a weight that is trained: its share would be lost."""
        trained = {id(variable) for variable in self.program.trainable}
        assert term.value is not None
        for tensor in ancestors([term.value]):
            if tensor.op.name == "variable" and id(tensor.attrs["variable"]) in trained:
                raise ValueError(
                    f"Loss '{term.loss.name}' reads the weight '{tensor.attrs['variable'].path}', "
                    "and its derivative by it would be lost: a loss depends on y_true and y_pred. "
                    "To keep weights small, use weight_decay of the optimizer"
                )

    def retraced(self) -> bool:
        """Whether the losses and metrics of one's own still compute what was traced of them."""
        if not self.own:
            return True
        values: list[Tensor] = []
        with without_lines():
            for term in self.program.losses:
                if not term.kind and term.value is not None:
                    t, p, w = self.operands(term.target)
                    found = trace_loss(term.loss, t, p, w, again=True)
                    if found is None:
                        return False
                    values += found.values
            for metric in self.program.metrics:
                if not metric.kind and metric.states is not None:
                    t, p, w = self.operands(metric.target)
                    w = w if metric.weighted else None
                    added = trace_metric(metric.metric, t, p, w, again=True)
                    if not isinstance(added, dict):
                        return False
                    values += added.values()
        return structure(values) == structure(self.own)

    def _advise(self, term: LossTerm, prediction: Tensor) -> None:
        activation, _ = prediction.attrs.get("logits", ("", None))
        if term.kind.endswith("_logits") and activation in LOGITS_OF.values():
            name = self.program.output_names[self.program.targets[term.target].output]
            warnings.warn(
                f"Output '{name}' ends in {activation} and its loss has from_logits=True, which "
                f"applies {LOGITS_OF[term.kind.removesuffix('_logits')]} once more: drop the "
                "activation or from_logits=True",
                stacklevel=2,
            )

    def add_metric(self, metric: Metric, name: str, target: int, weighted: bool) -> None:
        t, p, w = self.operands(target)
        term = MetricTerm(metric, name, kind_of(metric), p.attrs["source"][1], target, weighted)
        added = trace_metric(metric, t, p, w if weighted else None, again=bool(term.kind))
        if isinstance(added, NotTraceable):
            term.untraceable = added.with_traceback(None)
        elif added is not None:
            vars(metric)["_is_traced"] = True
            if not term.kind:
                self.own += added.values()
            term.states = [
                State(variable, self._accumulator(), simplify([value])[0])
                for variable, value in added.items()
            ]
        self.program.metrics.append(term)

    def _accumulator(self) -> int:
        self.program.sums += 1
        return self.program.sums - 1

    # --- gradients -----------------------------------------------------------------------

    def fold_activations(self) -> None:
        """Leave out, while losses run, the activation that a superop computes itself."""
        if not self.fuse:
            return
        for k, term in enumerate(self.program.losses):
            if term.value is None or self.gradients[k] is not None:
                continue
            if term.reduction == "mean_with_sample_weight":
                continue
            found = crossentropy_of(term.value)
            if found is None:
                continue
            self.superops[k] = found
            op = self.builder.producers.get(term.prediction)
            uses = count_uses(self.program, self.builder)
            if (
                op is not None and op.kind == "activation" and op.inputs[0] == found.logits
                and term.prediction != found.logits
                and uses[self.builder.storage(op.output)] == 1  # only as this output
                and not op.attrs.get("folded")
            ):  # fmt: skip
                op.attrs["folded"] = True
                found.probability = op.output

    def read(self) -> set[int]:
        """Return the tensors that traced losses and metrics read."""
        values = [term.value for term in self.program.losses] + self.gradients
        values += [s.value for m in self.program.metrics for s in m.states or ()]
        values += [penalty.value for penalty in self.program.penalties]
        return {
            tensor.attrs["source"][1]
            for tensor in ancestors(value for value in values if value is not None)
            if tensor.op is INPUT and tensor.attrs["source"][0] == "tensor"
        }

    def derive(self, contribute: Any, needed: set[int]) -> None:
        """Fill the program's gradients: what the losses contribute to those of tensors."""
        totals: dict[int, Tensor] = {}
        fused = self.map_gradients
        with without_lines():
            for k, term in enumerate(self.program.losses):
                if term.value is None:
                    continue
                for index, part in self._slopes(k, term, needed):
                    totals[index] = ops.add(totals[index], part) if index in totals else part
                    if k in self.superops and index == self.superops[k].logits:
                        self.superops[k].learns = True
                    else:
                        fused[index] = ops.add(fused[index], part) if index in fused else part
            for index, part in self._of_penalties(needed):
                totals[index] = ops.add(totals[index], part) if index in totals else part
                fused[index] = ops.add(fused[index], part) if index in fused else part
        for index, value in zip(totals, simplify(totals.values()), strict=True):
            self.program.gradients.append(GradientTerm(index, value, contribute(index)))
        for term in self.program.losses:
            if term.value is None:
                term.mode = contribute(term.prediction)

    def _of_penalties(self, needed: set[int]) -> list[tuple[int, Tensor]]:
        """Return the gradients of all penalties by tensors; note those by variables."""
        values = [penalty.value for penalty in self.program.penalties]
        order = ancestors(values)
        trainable = {id(variable) for variable in self.program.trainable}
        inputs = [t for t in order if t.op is INPUT
                  and self.builder.storage(t.attrs["source"][1]) in needed]  # fmt: skip
        variables = [t for t in order if t.op is VARIABLE and id(t.attrs["variable"]) in trainable]
        one = as_tensor(1.0, self.program.dtype)
        found = derive_all([(value, one) for value in values], [*inputs, *variables])
        self.program.weight_gradients += [
            WeightGradient(leaf.attrs["variable"], g)
            for leaf, g in zip(variables, found[len(inputs) :], strict=True) if g is not None
        ]  # fmt: skip
        return [
            (leaf.attrs["source"][1], g)
            for leaf, g in zip(inputs, found, strict=False) if g is not None
        ]  # fmt: skip

    def _slopes(self, k: int, term: LossTerm, needed: set[int]) -> list[tuple[int, Tensor]]:
        """Return the gradients of one loss by the tensors that it reads."""
        value = term.value
        assert value is not None
        seed = self._seed(term, value)
        leaves = [
            leaf for (kind, index), leaf in self.leaves.items()
            if kind == "tensor" and self.builder.storage(index) in needed
        ]  # fmt: skip
        stated = self.gradients[k]
        if stated is not None:
            grown = seed
            if grown.batched:  # a number for each row: for all of its features
                ones = [1] * (stated.ndim - grown.ndim)
                grown = _reshape(grown, shape=(*grown.shape, *ones), fold=1)
            index = term.prediction
            return [(index, chain(grown, stated))] if any(
                leaf.attrs["source"][1] == index for leaf in leaves) else []  # fmt: skip
        found = derive(value, seed, leaves)
        slopes = [
            (leaf.attrs["source"][1], g) for leaf, g in zip(leaves, found, strict=True)
            if g is not None
        ]  # fmt: skip
        if not slopes and leaves:
            term.flat = flat_places([value], leaves)
        return slopes

    def _seed(self, term: LossTerm, value: Tensor) -> Tensor:
        """Return the derivative of the batch's loss, times its weight, by the loss's value."""
        dtype = self.program.dtype
        given = self.program.targets[term.target].weights if term.weighted else None
        weights = None
        if given is not None:
            weights = self.leaf("weights", term.target, given)
        seed = as_tensor(term.weight, dtype)
        if not value.batched:
            if weights is not None and term.reduction != "mean_with_sample_weight":
                total = ops.sum if term.reduction == "sum" else ops.mean
                seed = ops.multiply(seed, total(weights))
            return seed
        if weights is not None and given is not None and value.ndim != weights.ndim:
            kept = given[: value.ndim - 1]  # what is cut off has length 1
            ones = [1] * (value.ndim - 1 - len(kept))  # one weight for all behind it
            weights = _reshape(weights, shape=(None, *kept, *ones), fold=1)
        if term.reduction == "sum_over_batch_size":
            count = ops.multiply(batch_rows(dtype), float(value.elements))
            seed = ops.divide(seed, count)
        elif term.reduction == "mean_with_sample_weight":
            if weights is None:
                total = ops.multiply(batch_rows(dtype), float(value.elements))
            else:
                repeated = value.elements // max(1, weights.elements)
                total = ops.multiply(ops.sum(weights), float(repeated))
            safe = ops.where(ops.equal(total, 0.0), 1.0, total)
            seed = ops.divide(ops.where(ops.equal(total, 0.0), 0.0, seed), safe)
        return seed if weights is None else ops.multiply(seed, weights)

    # --- the form of the C engine ---------------------------------------------------------

    def emit(self, number_of: dict[int, int]) -> None:
        """Write the program's scoring operations; tensors have got the given new numbers."""
        for leaf in self.leaves.values():
            kind, index = leaf.attrs["source"]
            if kind == "tensor" and index in number_of:  # else nothing reads it
                leaf.attrs["source"] = kind, number_of[index]
        program = self.program
        crossentropies: list[Operation] = []
        sinks: list[Sink] = []
        calls: list[Operation] = []
        for k, term in enumerate(program.losses):
            if term.value is None:
                calls.append(Operation("python_loss", (), (), attrs={"index": k}))
                continue
            term.values = self.program.new_tensor(term.value.elements, term.value.batched)
            superop = self.superops.get(k)
            if superop is None:
                sinks.append(Sink(term.value, ("tensor", term.values)))
                continue
            crossentropies.append(
                Operation(
                    "crossentropy", (number_of[superop.logits],), (term.values,),
                    attrs={
                        "kind": superop.kind, "target": superop.target,
                        "probability": number_of.get(superop.probability, -1),
                        "weighted": program.targets[superop.target].weights is not None,
                        "weight": term.weight, "mode": OVERWRITE if superop.learns else SKIP,
                        "by_samples": term.reduction == "sum_over_batch_size",
                    },
                )
            )  # fmt: skip
        for penalty in program.penalties:
            penalty.values = self.program.new_tensor(1, batched=False)
            sinks.append(Sink(penalty.value, ("tensor", penalty.values)))
        for k, metric in enumerate(program.metrics):
            if metric.states is None:
                calls.append(Operation("python_metric", (), (), attrs={"index": k}))
            for state in metric.states or ():
                state.values = self.program.new_tensor(state.value.elements, state.value.batched)
                sinks.append(Sink(state.value, ("tensor", state.values)))
        slopes = [
            Sink(value, ("gradient", number_of[index]))
            for index, value in self.map_gradients.items()
        ]
        slopes += [
            Sink(slope.value, ("parameter", slope.variable, OVERWRITE))
            for slope in program.weight_gradients
        ]
        self._share()
        program.evaluation = [*crossentropies, *self._maps(sinks), *calls]
        program.scoring = program.evaluation
        if program.optimizer is not None:
            program.scoring = [*crossentropies, *self._maps([*sinks, *slopes]), *calls]
            self._order_gradients(program.scoring)

    def _order_gradients(self, scoring: Sequence[Operation]) -> None:
        """Let what comes first to a gradient overwrite it: maps run stage after stage."""
        met: set[int] = set()

        def mode_of(tensor: int) -> int:
            storage = self.program.tensors[tensor].storage
            mode = ACCUMULATE if storage in met else OVERWRITE
            met.add(storage)
            return mode

        for op in scoring:
            if op.kind == "crossentropy" and op.attrs["mode"] != SKIP:
                op.attrs["mode"] = mode_of(op.inputs[0])
            elif op.kind == "map":
                for register in op.attrs["map"].registers:
                    if register.sink is not None and register.sink[0] == "gradient":
                        register.sink = (*register.sink[:2], mode_of(register.sink[1]))

    def _share(self) -> None:
        """Let all formulas share what they have in common."""
        program = self.program
        holders: list[Any] = [term for term in program.losses if term.value is not None]
        holders += [state for metric in program.metrics for state in metric.states or ()]
        holders += [*program.gradients, *program.weight_gradients, *program.penalties]
        for holder, value in zip(
            holders, simplify([holder.value for holder in holders]), strict=True
        ):
            holder.value = value

    def _maps(self, sinks: list[Sink]) -> list[Operation]:
        lowered = simplify([sink.value for sink in sinks], lower=True)
        found = schedule(
            [Sink(value, sink.place) for value, sink in zip(lowered, sinks, strict=True)],
            self.program.new_tensor,
        )
        return operations_of(found)


def _fit_weights(weights: Tensor, value: Tensor, loss: Loss) -> None:
    """Raise ValueError if a loss's values cannot have such weights."""
    given = list(weights.sample)
    while given and given[-1] == 1:
        given.pop()
    if value.batched and given != list(value.sample)[: len(given)]:
        raise ValueError(
            f"Loss '{loss.name}' has values of shape {value.shape}, which weights of shape "
            f"{weights.shape} do not fit: give one weight for each row, or return values for "
            "whatever has a weight of its own"
        )


def count_uses(program: Program, builder: Builder) -> Counter[int]:
    """Return how often each storage is read: by operations, and as an output."""
    uses = Counter(builder.storage(i) for op in program.forward for i in op.inputs)
    uses.update(builder.storage(i) for i in program.outputs)
    return uses
