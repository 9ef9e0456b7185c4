"""Derivatives: reverse accumulation over a trace, by the rule that stands with each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.ops import add
from fastnn.ops.shapes import broadcast_like, sum_to
from fastnn.ops.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def ancestors(outputs: Iterable[Tensor]) -> list[Tensor]:
    """Return all tensors that the outputs are made of, and themselves, each before its users."""
    found: dict[int, Tensor] = {}
    pending = list(outputs)
    while pending:
        tensor = pending.pop()
        if id(tensor) not in found:
            found[id(tensor)] = tensor
            pending.extend(tensor.args)
    return sorted(found.values(), key=lambda tensor: tensor.serial)


def derive(y: Tensor, seed: Tensor, leaves: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradient of sum(seed * y) by each leaf; None where y does not depend on it.

    Parameters
    ----------
    y : Tensor
    seed : Tensor
        Of y's shape, or broadcast to it.
    leaves : list of Tensor

    Examples
    --------
    >>> from fastnn import ops
    >>> from fastnn.ops.operation import INPUT, constant
    >>> x = ops.Tensor(INPUT, (), {"source": ("x",)}, (None, 2))
    >>> derive(ops.sum(ops.square(x), axis=-1), constant(1, "float32"), [x])
    [<Tensor chain shape=(None, 2), dtype=float32>]
    """
    wanted = {id(leaf) for leaf in leaves}
    order = ancestors([y])
    depends = set(wanted)
    for tensor in order:
        if any(id(arg) in depends for arg in tensor.args):
            depends.add(id(tensor))
    found: dict[int, Tensor] = {id(y): broadcast_like(seed, y)}
    for tensor in reversed(order):
        g = found.get(id(tensor))
        if g is None or not tensor.args or tensor.op.gradient is None:
            continue
        parts = tensor.op.gradient(g, tensor, *tensor.args, **tensor.attrs)
        for arg, part in zip(tensor.args, parts, strict=True):
            if part is None or id(arg) not in depends:
                continue
            part = sum_to(part, arg)
            known = found.get(id(arg))
            found[id(arg)] = part if known is None else add(known, part)
    return [found.get(id(leaf)) for leaf in leaves]


def flat_places(y: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors, last first, at which every path from y to the leaves ends: of slope 0."""
    depends = {id(leaf) for leaf in leaves}
    order = ancestors([y])
    for tensor in order:
        if any(id(arg) in depends for arg in tensor.args):
            depends.add(id(tensor))
    return [
        tensor for tensor in reversed(order)
        if tensor.args and id(tensor) in depends and tensor.op.gradient is None
    ]  # fmt: skip
