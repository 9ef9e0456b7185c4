"""Maps: lowered tensors become straight-line steps on tiles of samples.

Registers hold the elements of a tile's samples without gaps. Four forms meet in them: whole
samples, one number a sample, the same sample for all, one number for all. A number broadcasts by
itself; everything else is expanded by a step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastnn.program.derive import ancestors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.ops.tensor import Tensor

TILE = 512
"""Elements that a register holds at least; whole samples, so it may be more."""

VECTOR = -1
"""As many elements as fill a vector: all of them are the one number that a register holds."""


@dataclass
class Register:
    """One value of a map: `size` elements of each sample, or of all.

    source
        Where it comes from if no step makes it: ("number", value), ("rows",), ("constant", array),
        ("variable", Variable), or a place that the program knows, as ("tensor", 3) or
        ("gradient", 3).
    sink
        Where it goes: ("tensor", 5), ("gradient", 5, mode), ("parameter", Variable, mode): the
        gradient of a variable, or ("state", Variable, mode): its value.
    """

    size: int
    batched: bool
    source: tuple[Any, ...] | None = None
    sink: tuple[Any, ...] | None = None
    slot: int = -1
    same: bool = False  # one row for every sample: made for the first tile, it serves all

    @property
    def uniform(self) -> bool:
        """Whether it is one number for all, which fills a vector."""
        return not self.batched and self.size == 1


@dataclass
class Step:
    """One step of a map: csrc/kernels/map.c says what each code does."""

    code: str
    to: int
    operands: tuple[int, ...]
    by_row: int = 0
    outer: int = 1
    middle: int = 1
    inner: int = 1
    start: int = 0
    length: int = 0
    stride: int = 1


@dataclass
class Map:
    """Steps for every tile, and before the first those on what is the same for all samples."""

    registers: list[Register] = field(default_factory=list)
    prologue: list[Step] = field(default_factory=list)
    once: list[Step] = field(default_factory=list)  # steps that only the first tile needs
    steps: list[Step] = field(default_factory=list)
    waits: bool = False  # it reads what a reduction along the batch has made
    alone: bool = False  # it writes variables: one thread runs it, between two waits
    tile: int = 1  # samples
    slots: int = 0
    slot: int = 0  # elements

    @property
    def sources(self) -> list[tuple[Any, ...]]:
        return [r.source for r in self.registers if r.source is not None]


def read_by(tensor: Tensor) -> tuple[Tensor, ...]:
    """Return the arguments whose values an operation reads: of some it asks the shape only."""
    return tensor.args[:1] if tensor.op.name == "broadcast_like" else tensor.args


class MapBuilder:
    """Writes one map."""

    def __init__(self, places: dict[int, tuple[Any, ...]]) -> None:
        self.map = Map()
        self.places = places
        self.later: dict[int, tuple[Any, ...]] = {}
        self.made: dict[Any, int] = {}
        self.reach: dict[int, set[int]] = {}

    # --- registers -----------------------------------------------------------------------

    def register(self, size: int, batched: bool, source: tuple[Any, ...] | None = None) -> int:
        self.map.registers.append(Register(size, batched, source))
        return len(self.map.registers) - 1

    def step(self, code: str, to: int, operands: Sequence[int], **numbers: int) -> int:
        target = self.map.registers[to]
        assert target.batched or not any(self.map.registers[k].batched for k in operands), code
        steps = self.map.steps if target.batched else self.map.prologue
        steps.append(Step(code, to, tuple(operands), **numbers))
        return to

    def number(self, value: float) -> int:
        key = ("number", value, math.copysign(1.0, value))  # -0.0 is another number than 0.0
        if key not in self.made:
            self.made[key] = self.register(1, False, key[:2])
        return self.made[key]

    # --- values --------------------------------------------------------------------------

    def value(self, tensor: Tensor) -> int:
        """Return the register of a tensor; steps for it are added where it is met first."""
        for one in ancestors([tensor]) if id(tensor) not in self.made else ():
            if self._needed(one, tensor):
                self.made[id(one)] = self._emit(one)
        return self.made[id(tensor)]

    def _needed(self, one: Tensor, whole: Tensor) -> bool:
        return id(one) not in self.made and id(one) in self._reachable(whole)

    def _reachable(self, whole: Tensor) -> set[int]:
        """Return the tensors that a value's steps read, up to those that are there already."""
        if id(whole) not in self.reach:
            found: set[int] = set()
            pending = [whole]
            while pending:
                tensor = pending.pop()
                if id(tensor) in found:
                    continue
                found.add(id(tensor))
                if id(tensor) not in self.places and id(tensor) not in self.made:
                    pending.extend(read_by(tensor))
            self.reach[id(whole)] = found
        return self.reach[id(whole)]

    def _emit(self, tensor: Tensor) -> int:
        place = self.places.get(id(tensor))
        if place is not None:
            self.map.waits |= place[0] == "whole"
            return self.register(tensor.elements, tensor.batched, place)
        name = tensor.op.name
        if name == "input":
            return self._shared(("input", tensor.attrs["source"]), tensor, tensor.attrs["source"])
        if name == "rows":
            return self.register(1, False, ("rows",))
        if name == "constant":
            value = tensor.attrs["value"]
            if value.size == 1:
                return self.number(float(value.reshape(-1)[0]))
            return self.register(value.size, False, ("constant", value))
        if name == "variable":
            return self.register(tensor.elements, False, ("variable", tensor.attrs["variable"]))
        return getattr(self, f"_{name}", self._elementwise)(tensor)

    def _shared(self, key: Any, tensor: Tensor, source: tuple[Any, ...]) -> int:
        if key not in self.made:
            self.made[key] = self.register(tensor.elements, tensor.batched, source)
        return self.made[key]

    def _elementwise(self, tensor: Tensor) -> int:
        assert tensor.op.step is not None, tensor
        operands = [self.expanded(arg, tensor) for arg in tensor.args]
        to = self.register(tensor.elements, tensor.batched)
        outer = VECTOR if self.map.registers[to].uniform else tensor.elements
        return self.step(tensor.op.step, to, operands, by_row=int(tensor.batched), outer=outer)

    def expanded(self, x: Tensor, like: Tensor, *, numbers: bool = True) -> int:
        """Return the register of x in the form of another tensor; numbers may stay numbers."""
        register = self.value(x)
        if numbers and self.map.registers[register].uniform:
            return register
        target = (*like.sample,)
        have = list(x.sample)
        if like.batched and like.fold == 1 and not x.batched and x.ndim == like.ndim:
            have = have[1:]  # of length 1: the batch's place
        have = [1] * (len(target) - len(have)) + have
        if x.batched and like.batched and x.ndim < like.ndim:  # its axes stand behind the batch
            raise ValueError(f"{x} does not broadcast to {like}")
        register = self._expand_axes(register, have, list(target), x.batched)
        if like.batched and not x.batched:
            key = ("rows of", register)
            if key not in self.made:
                self.made[key] = self.for_all_rows(register, math.prod(target))
            register = self.made[key]
        return register

    def _expand_axes(self, register: int, have: list[int], target: list[int], batched: bool) -> int:
        """Repeat along each run of neighbouring axes of length 1."""
        axis = 0
        while axis < len(target):
            if have[axis] == target[axis]:
                axis += 1
                continue
            end = axis
            while end < len(target) and have[end] != target[end]:
                end += 1
            middle = math.prod(target[axis:end])
            key = ("expand", register, axis, end, tuple(target))
            if key not in self.made:
                outer, inner = math.prod(target[:axis]), math.prod(have[end:])
                to = self.register(outer * middle * inner, batched)
                self.made[key] = self.step(
                    "expand", to, [register],
                    by_row=int(batched), outer=outer, middle=middle, inner=inner,
                )  # fmt: skip
            register = self.made[key]
            have[axis:end] = target[axis:end]
            axis = end
        return register

    # --- operations that move or join elements --------------------------------------------

    def _broadcast_like(self, tensor: Tensor) -> int:
        register = self.expanded(tensor.args[0], tensor)
        if self.map.registers[register].uniform and not (
            tensor.elements == 1 and not tensor.batched
        ):
            to = self.register(tensor.elements, tensor.batched)
            return self.step(
                "copy", to, [register], by_row=int(tensor.batched), outer=tensor.elements
            )
        return register

    def _reshape(self, tensor: Tensor) -> int:
        return self.value(tensor.args[0])

    def _stop_gradient(self, tensor: Tensor) -> int:
        return self.value(tensor.args[0])

    def _dims(self, x: Tensor, axes: Sequence[int]) -> tuple[int, int, int]:
        """Return (outer, middle, inner) of neighbouring axes, counted in the sample of x."""
        shift = (1 if x.fold == 1 else 0) if x.batched else 0
        first, last = min(axes) - shift, max(axes) - shift + 1
        sample = x.sample
        return math.prod(sample[:first]), math.prod(sample[first:last]), math.prod(sample[last:])

    def _along(self, tensor: Tensor) -> int:
        """A reduction within samples: the last of the axes first, neighbours together."""
        (x,) = tensor.args
        register = self.value(x)
        axes = list(tensor.attrs["axes"])
        sizes = {k: x.shape[k] for k in range(x.ndim)}
        while axes:
            run = [axes.pop()]
            while axes and axes[-1] == run[0] - 1:
                run.insert(0, axes.pop())
            dims = [x.fold if d is None else d for d in sizes.values()]
            outer = math.prod(dims[: run[0]])
            middle = math.prod(dims[run[0] : run[-1] + 1])
            inner = math.prod(dims[run[-1] + 1 :])
            to = self.register(outer * inner, tensor.batched)
            register = self.step(
                tensor.op.name, to, [register],
                by_row=int(tensor.batched), outer=outer, middle=middle, inner=inner,
            )  # fmt: skip
            register = self._spread_uniform(register)
            for k in run:
                sizes[k] = 1
        return register

    _sum = _prod = _max = _min = _argmax = _argmin = _along

    def _spread_uniform(self, register: int) -> int:
        """One number that a step has made fills a vector, as all of its kind do."""
        if not self.map.registers[register].uniform:
            return register
        to = self.register(1, False)
        self.map.prologue.append(Step("expand", to, (register,), 0, 1, VECTOR, 1))
        return to

    def _slice(self, tensor: Tensor) -> int:
        (x,) = tensor.args
        a = tensor.attrs
        outer, length, inner = self._dims(x, [a["axis"]])
        to = self.register(tensor.elements, tensor.batched)
        register = self.step(
            "slice", to, [self.value(x)], by_row=int(tensor.batched), outer=outer,
            middle=a["count"], inner=inner, start=a["start"], length=length, stride=a["step"],
        )  # fmt: skip
        return self._spread_uniform(register)

    def _place(self, tensor: Tensor) -> int:
        (x,) = tensor.args
        a = tensor.attrs
        outer, count, inner = self._dims(x, [a["axis"]])
        to = self.register(tensor.elements, tensor.batched)
        self.step("copy", to, [self.number(0.0)], by_row=int(tensor.batched), outer=tensor.elements)
        self.step(
            "place", to, [self.value(x)], by_row=int(tensor.batched), outer=outer, middle=count,
            inner=inner, start=a["start"], length=a["length"], stride=a["step"],
        )  # fmt: skip
        return self._spread_uniform(to)

    def _concatenate(self, tensor: Tensor) -> int:
        axis = tensor.attrs["axis"]
        to = self.register(tensor.elements, tensor.batched)
        start = 0
        outer, length, inner = self._dims(tensor, [axis])
        for x in tensor.args:
            count = x.shape[axis]
            assert count is not None
            self.step(
                "place", to, [self.value(x)], by_row=int(tensor.batched), outer=outer,
                middle=count, inner=inner, start=start, length=length, stride=1,
            )  # fmt: skip
            start += count
        return self._spread_uniform(to)

    def _transpose(self, tensor: Tensor) -> int:
        """Any order of axes is a chain of exchanges of neighbours."""
        (x,) = tensor.args
        shift = 1 if x.batched and x.fold == 1 else 0
        order = [k - shift for k in tensor.attrs["order"]][shift:]
        dims = list(x.sample)
        now = list(range(len(dims)))
        register = self.value(x)
        for place, wanted in enumerate(order):
            at = now.index(wanted)
            if at == place:
                continue
            outer = math.prod(dims[now[k]] for k in range(place))
            middle = math.prod(dims[now[k]] for k in range(place, at))
            length = dims[wanted]
            inner = math.prod(dims[now[k]] for k in range(at + 1, len(now)))
            to = self.register(tensor.elements, tensor.batched)
            register = self.step(
                "swap", to, [register], by_row=int(tensor.batched), outer=outer, middle=middle,
                inner=inner, length=length,
            )  # fmt: skip
            now.insert(place, now.pop(at))
            register = self._spread_uniform(register)
        return register

    def _pick(self, tensor: Tensor) -> int:
        x, indices = tensor.args
        to = self.register(tensor.elements, tensor.batched)
        outer, middle, _ = self._dims(x, [x.ndim - 1])
        self.step(
            "pick", to,
            [self.with_rows(x, tensor), self.with_rows(indices, tensor)],
            by_row=int(tensor.batched), outer=outer, middle=middle, inner=1,
            length=indices.shape[-1] or 1,
        )  # fmt: skip
        return self._spread_uniform(to)

    def with_rows(self, x: Tensor, like: Tensor) -> int:
        """Return the register of x, repeated for every sample if it is the same for all."""
        register = self.value(x)
        if like.batched and not x.batched:
            return self.for_all_rows(register, x.elements)
        return register

    def for_all_rows(self, register: int, size: int) -> int:
        """Return a register that has the same row for every sample of a tile."""
        to = self.register(size, True)
        self.map.registers[to].same = True
        self.map.once.append(Step("expand", to, (register,), 2, 1, 1, size))
        return to

    def _matmul(self, tensor: Tensor) -> int:
        a, b = tensor.args
        rows, depth, columns = a.shape[-2], a.shape[-1], b.shape[-1]
        first, second = self.value(a), self.value(b)
        to = self.register(tensor.elements, tensor.batched)
        if b.batched or not a.batched:
            outer = math.prod(a.sample[:-2])
            self.step(
                "matmul", to, [first, second], by_row=int(tensor.batched), outer=outer,
                middle=rows or 1, inner=columns or 1, length=depth or 1,
            )  # fmt: skip
            return self._spread_uniform(to)
        return self.step(  # one matrix for all: the samples are rows of one product
            "matmul", to, [first, second], by_row=2, outer=1,
            middle=a.elements // (depth or 1), inner=columns or 1, length=depth or 1,
        )  # fmt: skip

    # --- results -------------------------------------------------------------------------

    def store(self, tensor: Tensor, place: tuple[Any, ...]) -> None:
        """Bring a value to its place."""
        register = self.value(tensor)
        found = self.map.registers[register]
        fresh = found.source is None and found.sink is None and not (found.uniform or found.same)
        if not fresh or found.batched != tensor.batched:
            to = self.register(tensor.elements, tensor.batched)
            outer = VECTOR if self.map.registers[to].uniform else tensor.elements
            register = self.step("copy", to, [register], by_row=int(tensor.batched), outer=outer)
        self.map.registers[register].sink = place

    def finish(self) -> Map:
        """Give registers their slots: one that is read for the last time leaves its own."""
        made = self.map
        sizes = [r.size for r in made.registers if r.batched]
        made.tile = -(-TILE // max(sizes, default=1))
        widest = max([made.tile * size for size in sizes] + [r.size for r in made.registers])
        made.slot = -(-widest // 16) * 16
        last: dict[int, int] = {}
        for place, step in enumerate(made.steps):
            for register in step.operands:
                last[register] = place
        free: list[int] = []
        slots = 0

        def take(register: Register) -> None:
            nonlocal slots
            if register.slot < 0:
                if not free:
                    free.append(slots)
                    slots += 1
                register.slot = free.pop()

        for one in made.registers:
            if not one.batched or one.source is not None or one.same:
                take(one)  # they live as long as the map
        for place, step in enumerate(made.steps):
            ends = [k for k in dict.fromkeys(step.operands) if last[k] == place]
            target = made.registers[step.to]
            take(target)
            for k in ends:
                one = made.registers[k]
                if one.batched and one.source is None and one.sink is None and not one.same:
                    free.append(one.slot)
            if step.to not in last and target.sink is None:
                free.append(target.slot)
        made.slots = slots
        return made
