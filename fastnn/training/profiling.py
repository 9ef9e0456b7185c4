"""Where the time of a training goes: the table that ``fit(profile=True)`` prints.

Each operation's own arithmetic and the bytes of its operands, counted once, are set against what
this machine can do at most (multiply-adds in registers, memory copied), measured on the spot. What
lies in a cache can be faster than memory, and a processor whose clock changes can be faster in the
training than in the measurement: fractions above 100 % of the peak are no error.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from fastnn.operations import Operation
    from fastnn.program import Program


class Line(NamedTuple):
    """One line of the table, for one step."""

    name: str
    seconds: float
    flops: float
    bytes: float
    density: float  # of a product's left operand


def lines(program: Program, parts: list, steps: int, batch: int) -> list[Line]:
    """Return what an engine has timed (`Engine.profiled`), in the order of a step."""
    size = np.dtype(program.dtype).itemsize
    found = []
    for part, number, total, density in parts:
        seconds = total / steps
        if part in ("forward", "backward", "parameters") and number >= 0:
            operation = (program.forward if part == "forward" else program.backward)[number]
            dense = operation.kind.removesuffix("_backward") == "dense"
            if part == "parameters" and not dense:
                continue
            modes = {"backward": operation.input_modes, "parameters": operation.param_modes}
            if dense and part in modes and not any(modes[part]):
                continue  # nobody asks for them
            flops, count = work(program, operation, part, batch, density if dense else 1.0)
            name = f"{operation.name or operation.kind} {part}"
            found.append(Line(name, seconds, flops, count * size, density if dense else 1.0))
        elif number < 0 and total > 0:
            found.append(Line(part, seconds, 0.0, 0.0, 1.0))
    return [line for line in found if line.seconds > 0]


def work(
    program: Program, operation: Operation, part: str, batch: int, density: float
) -> tuple[float, float]:
    """Return the operations and the elements read and written of one part of an operation."""
    y = program.tensors[operation.output]
    xs = [program.tensors[index] for index in operation.inputs]
    elements = batch * (y.size + sum(x.size for x in xs))
    if operation.kind.removesuffix("_backward") != "dense":
        return batch * y.size, elements
    weights = math.prod(operation.params[0].shape)
    flops = 2.0 * density * batch * y.rows * weights
    slots = 2 * (1 + len(program.optimizer.slot_names)) if program.optimizer is not None else 0
    return flops, elements + weights * (slots if part == "parameters" else 1)


def table(found: list[Line], peaks: tuple[float, float] | None, threads: int) -> str:
    """Return the table; `peaks` are the machine's, of operations and bytes a second, if known."""
    whole = sum(line.seconds for line in found)

    def fraction(rate: float, traffic: float) -> str:
        if peaks is None:
            return f"{'':7}"
        return f"{max(rate / peaks[0], traffic / peaks[1]):7.0%}"  # whichever bounds it

    width = max([len("operation"), *(len(line.name) for line in found)])
    rows = [f"{'operation':{width}}    us/step  share  GFLOP/s   GB/s  of peak"]
    for line in found:
        rate, traffic = line.flops / line.seconds, line.bytes / line.seconds
        text = f"{line.name:{width}}  {line.seconds * 1e6:9.1f}  {line.seconds / whole:5.0%}"
        if line.bytes:
            text += f"  {rate / 1e9:7.1f}  {traffic / 1e9:5.1f}  {fraction(rate, traffic)}"
            if line.density < 1:
                text += f"  {line.density:.0%} of its input is not zero"
        rows.append(text)
    total = sum(line.flops for line in found) / whole
    rows.append(
        f"{'a step':{width}}  {whole * 1e6:9.1f}  {1:5.0%}  {total / 1e9:7.1f}  {'':5}  "
        f"{fraction(total, 0.0)}"
    )
    if peaks is None:
        rows.append("too little memory is free to measure this machine's peaks")
    else:
        rows.append(
            f"peak of {threads} thread{'s' * (threads > 1)}: {peaks[0] / 1e9:.1f} GFLOP/s in "
            f"registers, {peaks[1] / 1e9:.1f} GB/s in memory; what a cache has is faster"
        )
    rows.append("parameters: gradients and updates of weights; sums: of losses and metrics")
    return "\n".join(row.rstrip() for row in rows)


def report(program: Program, engine: object, steps: int, batch: int) -> str:
    """Return the table of everything `engine` has timed; without peaks if they take too much."""
    from fastnn import _core

    found = lines(program, engine.profiled(), steps, batch)  # type: ignore[attr-defined]
    threads = _core.get_num_threads()
    try:
        peaks = _core.peak_flops(program.dtype, threads), _core.peak_bytes(threads)
    except MemoryError:  # the training has ended well, and its History must not be lost
        peaks = None
    return table(found, peaks, threads)
