"""A program's segments, losses and metrics as formulas: what ``print(program)`` shows of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.operations import Operation
    from fastnn.ops.tensor import Tensor
    from fastnn.program.definition import Program

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "mod": "%",
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip
MODES = ("-", "=", "+=")
DEEPEST = 16  # operations within operations that still make one line


def formulas(program: Program) -> list[str]:
    """Return one line for each value that losses and metrics compute, and for where it goes."""
    wanted: list[tuple[str, Tensor]] = []
    lines = []
    for term in program.losses:
        if term.value is None:
            lines.append(f"loss {term.name} = {term.loss.name}(...), called in Python")
        else:
            wanted.append((f"loss {term.name} * {term.weight:g} =", term.value))
    for metric in program.metrics:
        if metric.states is None:
            lines.append(f"metric {metric.name}: called in Python for each batch")
        for state in metric.states or ():
            wanted.append((f"metric {metric.name}: {state.variable.name} +=", state.value))
    for k, penalty in enumerate(program.penalties):
        wanted.append((f"penalty {k} =", penalty.value))
    for weight in program.weight_gradients:
        wanted.append((f"d{weight.variable.path} =", weight.value))
    for slope in program.gradients:
        wanted.append((f"dt{slope.tensor} {MODES[slope.mode]}", slope.value))
    return write([value for _, value in wanted], [label for label, _ in wanted]) + lines


def segment_formulas(op: Operation) -> list[str]:
    """Return one line for each value of a segment, forward or backward, and for where it goes."""
    if op.kind == "segment":
        values = [*op.attrs["values"], *op.attrs["states"].values()]
        labels = [f"t{index} =" for index in op.outputs]
        labels += [f"{variable.path} =" for variable in op.attrs["states"]]
        return write(values, labels)
    goals = [f"dt{index}" for index in op.inputs] + [f"d{v.path}" for v in op.params]
    modes = (*op.input_modes, *op.param_modes)
    values, labels = [], []
    for value, goal, mode in zip(op.attrs["gradients"], goals, modes, strict=True):
        if value is not None and mode:
            values.append(value)
            labels.append(f"{goal} {MODES[mode]}")
    return write(values, labels)


def write(values: Sequence[Tensor], labels: Sequence[str]) -> list[str]:
    """Return formulas; what is used more than once, or is deep, under a name of its own."""
    order = _in_order(values)
    uses = Counter(id(arg) for tensor in order for arg in tensor.args)
    texts: dict[int, str] = {}
    depths: dict[int, int] = {}
    lines: list[str] = []
    named = 0
    due = list(zip(values, labels, strict=True))
    for tensor in order:
        args = [texts[id(arg)] for arg in tensor.args]
        text = _text(tensor, args)
        depth = 1 + max((depths[id(arg)] for arg in tensor.args), default=-1)
        shared = uses[id(tensor)] > 1 and tensor.args and tensor.op.name != "broadcast_like"
        if shared or depth > DEEPEST:
            lines.append(f"v{named} = {_bare(text)}")
            text, depth = f"v{named}", 0
            named += 1
        texts[id(tensor)], depths[id(tensor)] = text, depth
        lines += [f"{label} {_bare(text)}" for value, label in due if value is tensor]
    return lines


def _in_order(values: Sequence[Tensor]) -> list[Tensor]:
    """Return all tensors that values are made of in the order of reading, arguments first."""
    found: dict[int, Tensor] = {}
    pending = list(reversed(values))
    while pending:
        tensor = pending[-1]
        missing = [arg for arg in tensor.args if id(arg) not in found]
        if missing and id(tensor) not in found:
            pending += reversed(missing)
        else:
            found[id(pending.pop())] = tensor
    return list(found.values())


def _bare(text: str) -> str:
    return text[1:-1] if text.startswith("(") else text


def _text(tensor: Tensor, args: Sequence[str]) -> str:
    """Return a formula of one operation on what its arguments are called."""
    name = tensor.op.name
    if name == "input":
        kind, index = tensor.attrs["source"]
        return {"tensor": "t", "target": "y", "weights": "w", "gradient": "dt"}[kind] + str(index)
    if name in ("rows", "like"):
        return "n"
    if name == "variable":
        return tensor.attrs["variable"].path
    if name == "constant":
        return _number(tensor.attrs["value"])
    if name == "broadcast_like":
        return args[0]
    if name in INFIX and len(args) == 2:
        return f"({args[0]} {INFIX[name]} {args[1]})"
    if name == "negative":
        return f"-{args[0]}"
    words = [
        f"{key}={_plain(value)}"
        for key, value in tensor.attrs.items()
        if key != "fold" and value is not False
    ]
    return f"{name}({', '.join([*args, *words])})"


def _number(value: np.ndarray) -> str:
    if value.size == 1:
        return f"{float(value.reshape(-1)[0]):.9g}"
    text = np.array2string(value, threshold=4, edgeitems=2, separator=", ")
    return " ".join(text.split())


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join("n" if v is None else str(v) for v in value) + ")"
    return str(value)
