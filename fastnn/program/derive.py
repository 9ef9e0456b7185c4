"""Derivatives: reverse accumulation over a trace, by the rule that stands with each operation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.ops import add
from fastnn.ops.shapes import broadcast_like, sum_to
from fastnn.ops.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence


def ancestors(outputs: Iterable[Tensor], until: Container[int] = ()) -> list[Tensor]:
    """Return all tensors that the outputs are made of, and themselves, each before its users.

    The walk does not go behind the tensors whose ids are in `until`.
    """
    found: dict[int, Tensor] = {}
    pending = list(outputs)
    while pending:
        tensor = pending.pop()
        if id(tensor) not in found:
            found[id(tensor)] = tensor
            if id(tensor) not in until:
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
    return derive_all([(y, seed)], leaves)


def derive_all(
    seeds: Sequence[tuple[Tensor, Tensor]], leaves: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return the gradients of the sum of all sum(seed * y), for pairs (y, seed)."""
    order = ancestors([y for y, _ in seeds])
    depends = _depending(order, leaves)
    found: dict[int, Tensor] = {}

    def contribute(to: Tensor, part: Tensor) -> None:
        known = found.get(id(to))
        found[id(to)] = part if known is None else add(known, part)

    for y, seed in seeds:
        contribute(y, broadcast_like(seed, y))
    for tensor in reversed(order):
        g = found.get(id(tensor))
        if g is None or not tensor.args or tensor.op.gradient is None:
            continue
        parts = tensor.op.gradient(g, tensor, *tensor.args, **tensor.attrs)
        for arg, part in zip(tensor.args, parts, strict=True):
            if part is not None and id(arg) in depends:
                contribute(arg, sum_to(part, arg))
    return [found.get(id(leaf)) for leaf in leaves]


def _depending(order: Sequence[Tensor], leaves: Sequence[Tensor]) -> set[int]:
    """Return the ids of the leaves and of all tensors that are made of them."""
    depends = {id(leaf) for leaf in leaves}
    for tensor in order:
        if any(id(arg) in depends for arg in tensor.args):
            depends.add(id(tensor))
    return depends


def flat_places(ys: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """Return the tensors, last first, of slope 0, at which the paths from ys to the leaves end."""
    order = ancestors(ys)
    depends = _depending(order, leaves)
    return [
        tensor for tensor in reversed(order)
        if tensor.args and id(tensor) in depends and tensor.op.gradient is None
    ]  # fmt: skip
