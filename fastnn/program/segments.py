"""Segments for C: formulas between superops become maps and reductions, forward and backward."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.operations import OVERWRITE, SKIP, Operation
from fastnn.program.derive import ancestors
from fastnn.program.maps import Map, MapBuilder
from fastnn.program.schedule import AGAIN, Reduce, Sink, cost, schedule
from fastnn.program.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.ops.tensor import Tensor
    from fastnn.program.definition import Program


def emit_segments(program: Program) -> None:
    """Give every segment, and its backward operation, the maps that compute it.

    What is assigned to variables is one map for all, which runs when nobody reads them any more.
    """
    backward = {id(op.attrs["forward"]): op for op in program.backward if "forward" in op.attrs}
    known: dict[int, tuple[Any, ...]] = {}
    states: list[Sink] = []
    for op in program.forward:
        if op.kind == "segment":
            states += _emit(program, op, backward.get(id(op)), known)
    if states:
        builder = MapBuilder(known)
        for sink in states:
            builder.store(sink.value, sink.place)
        builder.map.alone = True
        program.closing = operations_of([builder.finish()])


def _emit(
    program: Program, op: Operation, backward: Operation | None, known: dict[int, tuple[Any, ...]]
) -> list[Sink]:
    values: list[Tensor] = op.attrs["values"]
    states = op.attrs["states"]
    places: list[tuple[Any, ...]] = [("tensor", index) for index in op.outputs]
    gradients: list[Tensor] = []
    goals: list[tuple[Any, ...]] = []
    if backward is not None:
        aims: list[tuple[str, Any]] = [("gradient", index) for index in op.inputs]
        aims += [("parameter", variable) for variable in op.params]
        modes = (*backward.input_modes, *backward.param_modes)
        for value, aim, mode in zip(backward.attrs["gradients"], aims, modes, strict=True):
            if value is not None and mode != SKIP:
                gradients.append(value)
                goals.append((*aim, mode))
    lowered = simplify([*values, *states.values(), *gradients], lower=True)
    n, m = len(values), len(values) + len(states)
    sinks = [Sink(v, place) for v, place in zip(lowered[:n], places, strict=True)]
    kept = _kept(lowered[:m], lowered[m:])
    sinks += [Sink(v, ("tensor", program.new_tensor(v.elements))) for v in kept]
    written = [
        Sink(v, ("state", variable, OVERWRITE))
        for v, variable in zip(lowered[n:m], states, strict=True)
    ]
    op.attrs["maps"] = operations_of(schedule([*sinks, *written], program.new_tensor, known))
    if backward is not None:
        known.update(
            (id(s.value), s.place) for s in sinks if s.place[0] == "tensor" and s.value.args
        )
        sinks = [Sink(v, goal) for v, goal in zip(lowered[m:], goals, strict=True)]
        backward.attrs["maps"] = operations_of(schedule(sinks, program.new_tensor, known))
    op.attrs["lowered"] = lowered  # so that the ids in `known` stay theirs
    return written


def _kept(values: Sequence[Tensor], gradients: Sequence[Tensor]) -> list[Tensor]:
    """Return what the gradients read of the pass forward and what is too dear to compute again."""
    made = {id(tensor) for tensor in ancestors(values)} - {id(value) for value in values}
    found: dict[int, Tensor] = {}
    for tensor in ancestors(gradients):
        for arg in tensor.args:
            dear = arg.batched and arg.args and id(arg) in made and id(tensor) not in made
            if dear and cost(arg) > AGAIN:
                found[id(arg)] = arg
    return list(found.values())


def operations_of(scheduled: Sequence[Map | Reduce]) -> list[Operation]:
    """Return what was scheduled as operations."""
    return [
        Operation("map", (), (), attrs={"map": one}) if isinstance(one, Map) else
        Operation("reduce", (one.source[1],), (one.result,), attrs={"step": one.step})
        for one in scheduled
    ]  # fmt: skip
