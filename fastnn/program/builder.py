"""How layers write themselves into a program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.operations import FORWARD, Operation, Storage, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastnn.variable import Variable


class Builder:
    """What a layer lowers itself with (``layer.emit(builder, inputs)``)."""

    def __init__(self) -> None:
        self.storages: list[Storage] = []
        self.tensors: list[Tensor] = []
        self.operations: list[Operation] = []
        self.producers: dict[int, Operation] = {}  # by tensor
        self._streams = 0

    def tensor(self, shape: Sequence[int]) -> Tensor:
        """Return a new tensor on a storage of its own."""
        tensor = Tensor(len(self.tensors), tuple(int(n) for n in shape), len(self.storages))
        self.tensors.append(tensor)
        self.storages.append(Storage(len(self.storages), tensor.size))
        return tensor

    def view(self, tensor: Tensor, shape: Sequence[int]) -> Tensor:
        """Return a tensor of another shape on the same storage: a reshape costs nothing."""
        view = Tensor(len(self.tensors), tuple(int(n) for n in shape), tensor.storage)
        if view.size != tensor.size:
            raise ValueError(f"cannot view shape {tensor.shape} as {view.shape}: sizes differ")
        self.tensors.append(view)
        return view

    def stream(self) -> int:
        """Return the next number of a stream of random words."""
        self._streams += 1
        return self._streams - 1

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
        """Append an operation and return its output, a tensor of the given shape per sample.

        A dense operation with an activation becomes two; `build` joins them again where it may.
        """
        if kind not in FORWARD:
            raise ValueError(f"operation kind: expected one of {sorted(FORWARD)}, got {kind!r}")
        if "activation" in attrs:
            attrs.setdefault("slope", 0.0)
        activation = attrs.get("activation", "linear")
        if kind == "dense" and activation != "linear":
            logits = self.operation(
                kind, inputs, shape, params=params, layer_name=layer_name,
                **{**attrs, "activation": "linear"},
            )  # fmt: skip
            return self.operation(
                "activation", [logits], shape, layer_name=layer_name,
                activation=activation, slope=attrs["slope"],
            )  # fmt: skip
        output = self.tensor(shape)
        op = Operation(
            kind, tuple(x.index for x in inputs), output.index, tuple(params), attrs, layer_name
        )
        self.operations.append(op)
        self.producers[output.index] = op
        return output

    def storage(self, tensor: int) -> int:
        return self.tensors[tensor].storage
