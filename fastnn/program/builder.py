"""Where operations are written, one after the other: tensors, their storages, what makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.operations import FORWARD, Operation, Storage, Tensor
from fastnn.ops.operation import INPUT, VARIABLE
from fastnn.ops.shapes import _reshape
from fastnn.ops.tensor import Tensor as Leaf
from fastnn.program.derive import ancestors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastnn.variable import Variable


class Builder:
    """The forward half of a program while it is written."""

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self.tensors: list[Tensor] = []
        self.operations: list[Operation] = []
        self.producers: dict[int, Operation] = {}  # by tensor
        self.leaves: dict[tuple[str, int], Leaf] = {}
        self.bases: list[int] = []  # the first tensor on each storage

    def tensor(self, shape: Sequence[int]) -> Tensor:
        """Return a new tensor on a storage of its own."""
        tensor = Tensor(len(self.tensors), tuple(int(n) for n in shape), len(self.storages))
        self.tensors.append(tensor)
        self.bases.append(tensor.index)
        self.storages.append(Storage(len(self.storages), tensor.size))
        return tensor

    def view(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Return a tensor of another shape on the same storage: a reshape costs nothing."""
        view = Tensor(len(self.tensors), tuple(int(n) for n in shape), tensor.storage)
        if view.size != tensor.size:
            raise ValueError(f"cannot view shape {tensor.shape} as {view.shape}: sizes differ")
        self.tensors.append(view)
        return view

    def leaf(self, tensor: Tensor, dtype: str, kind: str = "tensor") -> Leaf:
        """Return what stands for a tensor's value, or its gradient, in formulas.

        There is one for each storage; views are reshaped from it.
        """
        base = self.tensors[self.bases[tensor.storage]]
        key = kind, base.index
        if key not in self.leaves:
            shape = (None, *base.shape)
            self.leaves[key] = Leaf(INPUT, (), {"source": key}, shape, 1, dtype)
        leaf = self.leaves[key]
        if base.shape == tensor.shape:
            return leaf
        return _reshape(leaf, shape=(None, *tensor.shape), fold=1)

    def segment(
        self, values: list[Leaf], states: dict[Variable, Leaf], *, layer_name: str = ""
    ) -> list[Tensor]:
        """Append formulas; return their outputs, a tensor for each value."""
        order = ancestors([*values, *states.values()])
        inputs = [t.attrs["source"][1] for t in order if t.op is INPUT]
        params = [t.attrs["variable"] for t in order if t.op is VARIABLE]
        outputs = [self.tensor(value.sample) for value in values]
        op = Operation(
            "segment", tuple(dict.fromkeys(inputs)), tuple(y.index for y in outputs),
            tuple(dict.fromkeys(params)), {"values": values, "states": states}, layer_name,
        )  # fmt: skip
        self.operations.append(op)
        self.producers.update((y.index, op) for y in outputs)
        return outputs

    def operation(
        self,
        kind: str,
        inputs: Iterable[Tensor],
        shape: Sequence[int],
        *,
        params: Iterable[Variable] = (),
        layer_name: str = "",
        **attrs: Any,
    ) -> Tensor:
        """Append an operation and return its output, a tensor of the given shape per sample."""
        if kind not in FORWARD:
            raise ValueError(f"operation kind: expected one of {sorted(FORWARD)}, got {kind!r}")
        output = self.tensor(shape)
        op = Operation(
            kind, tuple(x.index for x in inputs), (output.index,), tuple(params), attrs, layer_name
        )
        self.operations.append(op)
        self.producers[output.index] = op
        return output

    def storage(self, tensor: int) -> int:
        return self.tensors[tensor].storage
