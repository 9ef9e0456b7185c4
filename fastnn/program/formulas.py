"""A program's losses and metrics as formulas: what ``print(program)`` shows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.program.derive import ancestors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.ops.tensor import Tensor
    from fastnn.program.definition import Program

INFIX = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "mod": "%",
    "equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">",
    "greater_equal": ">=",
}  # fmt: skip
MODES = ("-", "=", "+=")


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
    for slope in program.gradients:
        wanted.append((f"dt{slope.tensor} {MODES[slope.mode]}", slope.value))
    return write([value for _, value in wanted], [label for label, _ in wanted]) + lines


def write(values: Sequence[Tensor], labels: Sequence[str]) -> list[str]:
    """Return formulas, each tensor that is used more than once under a name of its own."""
    order = ancestors(values)
    uses: dict[int, int] = {}
    for tensor in order:
        for arg in tensor.args:
            uses[id(arg)] = uses.get(id(arg), 0) + 1
    names: dict[int, str] = {}
    lines: list[str] = []
    due = list(zip(values, labels, strict=True))

    def text(tensor: Tensor, *, top: bool = False) -> str:
        if id(tensor) in names:
            return names[id(tensor)]
        name = tensor.op.name
        if name == "input":
            kind, index = tensor.attrs["source"]
            return {"tensor": "t", "target": "y", "weights": "w"}[kind] + str(index)
        if name == "rows":
            return "n"
        if name == "variable":
            return tensor.attrs["variable"].path
        if name == "constant":
            return _number(tensor.attrs["value"])
        args = [text(arg) for arg in tensor.args]
        if name == "broadcast_like":
            return args[0]
        if name in INFIX and len(args) == 2:
            inner = f"{args[0]} {INFIX[name]} {args[1]}"
            return inner if top else f"({inner})"
        if name == "negative":
            return f"-{args[0]}"
        words = [f"{key}={_plain(value)}" for key, value in tensor.attrs.items()
                 if key != "fold" and value is not False]  # fmt: skip
        return f"{name}({', '.join(args + words)})"

    for tensor in order:
        shared = uses.get(id(tensor), 0) > 1 and tensor.args and tensor.op.name != "broadcast_like"
        if shared:
            line = text(tensor, top=True)
            names[id(tensor)] = f"v{len(names)}"
            lines.append(f"{names[id(tensor)]} = {line}")
        for value, label in due:
            if value is tensor:
                lines.append(f"{label} {text(value, top=True)}")
    return lines


def _number(value: np.ndarray) -> str:
    if value.size == 1:
        return f"{float(value.reshape(-1)[0]):.9g}"
    text = np.array2string(value, threshold=4, edgeitems=2, separator=", ")
    return " ".join(text.split())


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join("n" if v is None else str(v) for v in value) + ")"
    return str(value)
