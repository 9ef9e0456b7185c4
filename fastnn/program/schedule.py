"""Scheduling: values become maps, cut at reductions along the batch.

What is computed of single samples alone is stage 0. A reduction along the batch ends a stage: what
is made of its result belongs to the next. Each stage is one map: the steps of all values that are
asked for in it, each once. What an earlier stage has computed is computed again from the map's
operands, unless it takes more than two transcendental functions or a product of matrices: then it
is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastnn.ops.shapes import _reshape
from fastnn.program.derive import ancestors
from fastnn.program.maps import Map, MapBuilder, read_by
from fastnn.program.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastnn.ops.tensor import Tensor

COSTLY = frozenset({
    "exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "softplus", "erf", "power",
    "mod", "floor_divide",
})  # fmt: skip
AGAIN = 2
"""So many of them are computed again in a later stage rather than kept."""

ALONG = frozenset({"sum", "prod", "max", "min"})
OVER_THE_BATCH = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}
"""Reductions along the batch, and the step that takes in one more row."""


@dataclass
class Reduce:
    """A reduction along the batch: for each element of a sample one number."""

    step: str
    source: tuple[Any, ...]  # of the program's tensors
    result: int  # a tensor without a batch axis


@dataclass
class Sink:
    """What is asked for: a value, and where it goes."""

    value: Tensor
    place: tuple[Any, ...]


def schedule(
    sinks: Sequence[Sink],
    new_tensor: Callable[[int, bool], int],
    known: dict[int, tuple[Any, ...]] | None = None,
) -> list[Map | Reduce]:
    """Return maps and reductions that bring every value to its place.

    What is to be written to variables is made ready: the reductions that it needs.

    Parameters
    ----------
    sinks : list of Sink
        Of lowered tensors (`simplify(..., lower=True)`).
    new_tensor : callable
        Makes a tensor of the program, of so many elements, with or without a batch axis.
    known : dict
        Where values lie that have been computed, by the ids of their tensors; what reductions along
        the batch give is added.
    """
    kept: set[int] = set()
    known = {} if known is None else known
    while True:
        scheduler = _Scheduler(sinks, new_tensor, kept, known)
        again = scheduler.wants_kept()
        if not again:
            return scheduler.run()
        kept |= again


class _Scheduler:
    def __init__(
        self,
        sinks: Sequence[Sink],
        new_tensor: Callable[[int, bool], int],
        kept: set[int],
        known: dict[int, tuple[Any, ...]],
    ) -> None:
        self.sinks = sinks
        self.new_tensor = new_tensor
        self.kept = kept
        self.places = known  # what has been computed before or kept, and batch results
        self.order = ancestors([sink.value for sink in sinks], until=known)
        self.ends = {id(t) for t in self.order if id(t) not in known and _ends_stage(t)}
        self.rows = {id(t): _of_rows(t) for t in self.order if id(t) in self.ends}
        self.stage: dict[int, int] = {}
        for tensor in self.order:
            read = () if id(tensor) in known else read_by(tensor)
            stages = [self.stage[id(arg)] for arg in read]
            self.stage[id(tensor)] = max(stages, default=0) + (id(tensor) in self.ends)

    def wanted(self) -> list[list[Tensor]]:
        """Return the tensors that each stage has to compute for sinks and later stages."""
        stages: list[list[Tensor]] = [[] for _ in range(max(self.stage.values(), default=0) + 1)]
        for sink in self.sinks:
            if sink.place[0] != "state":
                stages[self.stage[id(sink.value)]].append(sink.value)
        for tensor in self.order:
            if id(tensor) in self.ends:
                stages[self.stage[id(tensor)] - 1].append(self.rows[id(tensor)])
        return stages

    def wants_kept(self) -> set[int]:
        """Return ids of tensors that later stages need and that are too dear to compute again."""
        found: set[int] = set()
        for stage, tensors in enumerate(self.wanted()):
            if stage == 0:
                continue
            seen: set[int] = set()
            pending = list(tensors)
            while pending:
                tensor = pending.pop()
                if id(tensor) in seen or id(tensor) in self.kept or id(tensor) in self.places:
                    continue
                seen.add(id(tensor))
                early = self.stage.get(id(tensor), stage) < stage
                if early and tensor.batched and tensor.args and cost(tensor) > AGAIN:
                    found.add(id(tensor))
                elif id(tensor) not in self.ends:
                    pending.extend(read_by(tensor))
        return found

    def run(self) -> list[Map | Reduce]:
        made: list[Map | Reduce] = []
        for stage in range(len(self.wanted())):
            emitter = MapBuilder(self.places)
            for sink in self.sinks:
                if self.stage[id(sink.value)] == stage and sink.place[0] != "state":
                    emitter.store(sink.value, sink.place)
            for tensor in self.order:
                if id(tensor) in self.kept and self.stage[id(tensor)] == stage:
                    place = ("tensor", self.new_tensor(tensor.elements, True))
                    emitter.store(tensor, place)
                    emitter.later[id(tensor)] = place
            reductions = []
            for tensor in self.order:
                if id(tensor) in self.ends and self.stage[id(tensor)] == stage + 1:
                    rows = self.rows[id(tensor)]
                    source = rows.attrs.get("source") if rows.op.name == "input" else None
                    if source is None or source[0] != "tensor":
                        source = ("tensor", self.new_tensor(rows.elements, True))
                        emitter.store(rows, source)
                    result = self.new_tensor(rows.elements, False)
                    reductions.append(Reduce(OVER_THE_BATCH[tensor.op.name], source, result))
                    emitter.later[id(tensor)] = ("whole", result)
            if emitter.map.steps or emitter.map.prologue:
                made.append(emitter.finish())
            made.extend(reductions)
            self.places.update(emitter.later)
        return made


def _ends_stage(tensor: Tensor) -> bool:
    return tensor.op.name in ALONG and tensor.args[0].batched and 0 in tensor.attrs["axes"]


def _of_rows(tensor: Tensor) -> Tensor:
    """Return what a reduction along the batch takes in: reduced along its other axes."""
    (x,) = tensor.args
    axes = tuple(k for k in tensor.attrs["axes"] if k != 0)
    rows = tensor.op(x, axes=axes, keepdims=True) if axes else x
    if x.fold > 1:
        rows = _reshape(rows, shape=(None, x.fold, *rows.shape[1:]), fold=1)
        rows = tensor.op(rows, axes=(1,), keepdims=False)
    return simplify([rows], lower=True)[0]


def cost(tensor: Tensor) -> int:
    """Return how many transcendental functions it takes to compute a tensor again."""
    return sum(
        AGAIN + 1 if t.op.name == "matmul" else t.op.name in COSTLY for t in ancestors([tensor])
    )
