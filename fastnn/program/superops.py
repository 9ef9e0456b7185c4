"""Superops: losses for which the C engine has a kernel of its own, recognised by their traces.

Each is a pattern of a loss's value, and the kernel that computes it together with its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastnn.ops.tensor import Tensor

KINDS = {
    "softmax_crossentropy": "categorical",
    "sparse_softmax_crossentropy": "sparse_categorical",
}
"""Operations that are crossentropies of rows from logits, and which (csrc/ops.def)."""


@dataclass
class Crossentropy:
    """A loss that is a crossentropy from logits: which, and the tensors it reads."""

    kind: str
    target: int
    logits: int
    probability: int = -1  # the tensor it writes instead of a folded activation
    learns: bool = False  # it makes a gradient of the logits


def crossentropy_of(value: Tensor) -> Crossentropy | None:
    """Return the crossentropy that a loss's value is, or None.

    Parameters
    ----------
    value : Tensor
        Simplified: one number for each row.
    """
    value = _same_elements(value)
    kind = KINDS.get(value.op.name)
    if value.op.name == "mean" and value.attrs["axes"] == (value.args[0].ndim - 1,):
        value = value.args[0]
        kind = "binary" if _is_binary(value) else None
    elif _is_binary(value) and value.shape[-1] == 1:
        kind = "binary"
    if kind is None:
        return None
    target, logits = _source(value.args[0]), _source(value.args[1])
    if target is None or logits is None or target[0] != "target" or logits[0] != "tensor":
        return None
    return Crossentropy(kind, target[1], logits[1])


def _is_binary(value: Tensor) -> bool:
    return (
        value.op.name == "sigmoid_crossentropy"
        and value.args[0].elements == value.args[1].elements == value.elements
    )


def _same_elements(value: Tensor) -> Tensor:
    while value.op.name == "reshape":
        value = value.args[0]
    return value


def _source(value: Tensor) -> tuple[str, int] | None:
    value = _same_elements(value)
    return value.attrs["source"] if value.op.name == "input" else None
