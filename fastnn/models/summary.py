"""The table that ``model.summary()`` prints."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fastnn.layers import InputLayer, Layer
from fastnn.models.configuration import class_name
from fastnn.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastnn.graph import Node
    from fastnn.variable import Variable

_HEADER = ["Layer (type)", "Output Shape", "Param #", "Connected to"]
_PLAIN = str.maketrans("┏━┳┓┃┡╇┩├─┼┤│└┴┘", "+=++|++++-++|+++")


def summarize(
    model: Model,
    *,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """Return the text of `Model.summary`, which documents the arguments."""
    nodes = model.nodes if model.built else []
    branched = _is_branched(model, nodes)
    header = _HEADER if branched else _HEADER[:3]
    if positions is None:
        positions = [0.3, 0.56, 0.74, 1.0] if branched else [0.45, 0.80, 1.0]
    if len(positions) != len(header):
        raise ValueError(f"summary: expected {len(header)} positions, got {list(positions)}")
    default = 108 if branched else 88
    if show_trainable:
        default += 13
        header = [*header, "Trainable"]
    if line_length is None:
        import shutil

        line_length = min(default, shutil.get_terminal_size().columns - 4)
    widths = _widths(line_length, positions, show_trainable)
    rows = [
        [*row[: len(positions)], *([row[-1]] if show_trainable else [])]
        for row in _rows(model, nodes, layer_range, expand_nested, "")
    ]
    align = ["<", "<", ">", "<"][: len(positions)] + ["^"] * show_trainable
    title = f'Model: "{model.name}"'
    return "\n".join([title, *_table(header, rows, widths, align), *_footer(model)])


def _is_branched(model: Model, nodes: list[Node]) -> bool:
    """Return whether the model is anything but one layer behind the other."""
    calls = [node for node in nodes if not isinstance(node.layer, InputLayer)]
    if len({id(node.layer) for node in calls}) < len(calls):
        return True
    if len(model.inputs) > 1 or len(model.outputs) > 1:
        return True
    before: list[Any] = list(model.inputs)
    for node in calls:
        if len(node.inputs) != 1 or not any(node.inputs[0] is tensor for tensor in before):
            return True
        before = node.outputs
    return False


def _rows(
    model: Model, nodes: list[Node], layer_range: Sequence[str] | None, expand: bool, indent: str
) -> Iterable[list[str]]:
    """Yield a row for each layer: name and type, shape, parameters, connections, trained."""
    for layer in _within(model._layers, layer_range):
        calls = [node for node in nodes if node.layer is layer]
        shapes = [tuple(tensor.shape) for node in calls for tensor in node.outputs]
        if not calls and isinstance(layer, InputLayer):
            shapes = [layer.batch_shape]
        distinct = list(dict.fromkeys(shapes))
        shape = "?" if not distinct else ", ".join(str(shape) for shape in distinct)
        parameters = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
        sources = [
            f"{tensor.node.layer.name}[{_place(nodes, tensor.node)}][{tensor.index}]"
            for node in calls
            for tensor in node.inputs
        ]
        trained = "-"
        if layer.weights:
            trained = "Y" if layer.trainable else "N"
        yield [
            f"{indent}{layer.name} ({getattr(layer, 'shown', class_name(layer))})",
            shape,
            parameters,
            "\n".join(sources) or "-",
            trained,
        ]
        if expand and isinstance(layer, Model):
            inner = layer.nodes if layer.built else []
            yield from _rows(layer, inner, None, expand, indent + "└ ")


def _place(nodes: list[Node], node: Node) -> int:
    """Return which call of its layer a node is."""
    return [other for other in nodes if other.layer is node.layer].index(node)


def _within(layers: list[Layer], names: Sequence[str] | None) -> list[Layer]:
    if names is None:
        return layers
    if len(names) != 2:
        raise ValueError(f"summary: layer_range must be two layer names, got {names!r}")
    known = [layer.name for layer in layers]
    for name in names:
        if name not in known:
            raise ValueError(f"summary: layer_range: there is no layer {name!r} among {known}")
    first, last = sorted(known.index(name) for name in names)
    return layers[first : last + 1]


def _widths(length: int, positions: Sequence[float], trainable: bool) -> list[int]:
    """Return the widths of the cells, between the lines, of a table of `length` characters."""
    share = length - 13 if trainable else length
    ends = [int(position * share) for position in positions]
    widths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    if trainable:
        widths.append(13)
    # Lines and their neighbours take 3 characters a column and 1 more: every column gives a part.
    excess = 3 * len(widths) + 1
    for i in range(len(widths)):
        part = round(excess / (len(widths) - i))
        excess -= part
        widths[i] += 2 - part
    if min(widths) < 5:
        raise ValueError(f"summary: line_length={length} is too short for {len(widths)} columns")
    return widths


def _table(
    header: list[str], rows: list[list[str]], widths: list[int], align: list[str]
) -> list[str]:
    """Draw a box around the rows."""

    def rule(left: str, line: str, cross: str, right: str) -> str:
        return left + cross.join(line * width for width in widths) + right

    def cells(texts: list[str], edge: str) -> list[str]:
        wrapped = [_wrap(text, width - 2) for text, width in zip(texts, widths, strict=True)]
        lines = []
        for i in range(max(len(part) for part in wrapped)):
            line = [
                f" {part[i] if i < len(part) else '':{side}{width - 2}} "
                for part, side, width in zip(wrapped, align, widths, strict=True)
            ]
            lines.append(edge + edge.join(line) + edge)
        return lines

    lines = [rule("┏", "━", "┳", "┓"), *cells(header, "┃"), rule("┡", "━", "╇", "┩")]
    for i, row in enumerate(rows):
        if i:
            lines.append(rule("├", "─", "┼", "┤"))
        lines += cells(row, "│")
    return [*lines, rule("└", "─", "┴", "┘")]


def printable(text: str) -> str:
    """Return `text`, its frame in ASCII if the standard output has no other characters."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text


def _wrap(text: str, width: int) -> list[str]:
    import textwrap

    lines = []
    for line in text.split("\n"):
        lines += textwrap.wrap(line, width, break_on_hyphens=False) or [""]
    return lines


def _footer(model: Model) -> list[str]:
    trainable = _count(model.trainable_weights)
    frozen = _count(model.non_trainable_weights)
    lines = [("Trainable params", *trainable), ("Non-trainable params", *frozen)]
    slots = _optimizer_count(model)
    if slots is not None:
        lines.append(("Optimizer params", *slots))
    total = [sum(line[i] for line in lines) for i in (1, 2)]  # type: ignore[misc]
    lines.insert(0, ("Total params", *total))  # type: ignore[arg-type]
    return [f" {what}: {count:,} ({_memory(size)})" for what, count, size in lines]


def _count(variables: Iterable[Variable]) -> tuple[int, int]:
    """Return numbers and bytes."""
    variables = list(variables)
    return sum(v.size for v in variables), sum(v.value.nbytes for v in variables)


def _optimizer_count(model: Model) -> tuple[int, int] | None:
    """Return numbers and bytes of the optimizer's slots, counter and rate; None if not built."""
    optimizer = getattr(model, "optimizer", None)
    variables = list(getattr(optimizer, "variables", ()))
    if optimizer is None or not (variables or optimizer.iterations):
        return None
    count, size = _count(v for v in variables for _ in optimizer.slots(v))
    # Keras counts a 64-bit step counter and, unless it follows a schedule, a 32-bit rate.
    fixed = not optimizer.has_schedule
    return count + 1 + fixed, size + 8 + 4 * fixed


def _memory(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            break
        size /= 1024
    return f"{size:.2f} {unit}"
