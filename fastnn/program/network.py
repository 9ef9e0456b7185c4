"""Networks: all layers between inputs and outputs are called once, with tensors for arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.graph import ancestors
from fastnn.layers.base import penalties
from fastnn.layers.python import LayerOperation, python
from fastnn.ops.operation import INPUT, as_tensor
from fastnn.ops.tensor import NotTraceable, Tensor, within
from fastnn.program.simplify import simplify
from fastnn.program.trace import structure
from fastnn.random import streams
from fastnn.variable import Variable, tracing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.graph import Node, SymbolicTensor


@dataclass(eq=False)
class Network:
    """What layers compute of the inputs.

    inputs
        Leaves, in the order of the model's inputs.
    assigned
        What their calls have assigned to variables: the state after a batch.
    penalties
        What they add to the loss: a number for the batch each.
    """

    inputs: list[Tensor]
    outputs: list[Tensor]
    assigned: dict[Variable, Tensor]
    penalties: list[Tensor]

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self._structure() == other._structure()

    @property
    def roots(self) -> list[Tensor]:
        """All that is to be computed."""
        return [*self.outputs, *self.assigned.values(), *self.penalties]

    def _structure(self) -> Any:
        found = structure(self.roots)
        return found, [id(variable) for variable in self.assigned]


def trace_network(
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    dtype: str,
    *,
    training: bool,
) -> Network:
    """Trace the graph between `inputs` and `outputs`.

    Raises
    ------
    ValueError
        If the outputs depend on an input that is not given.
    """
    leaves = [
        Tensor(INPUT, (), {"source": ("input", k)}, (None, *x.sample_shape), 1, dtype)
        for k, x in enumerate(inputs)
    ]
    values = {id(x): leaf for x, leaf in zip(inputs, leaves, strict=True)}
    with tracing(dtype) as assigned, streams(), penalties() as added:
        for node in ancestors(outputs, inputs):
            if not node.inputs:
                names = ", ".join(f"'{x.name}'" for x in inputs)
                raise ValueError(
                    f"The outputs depend on the input '{node.layer.name}', which is not among the "
                    f"model's inputs ({names}): add it to inputs="
                )
            before, count = dict(assigned), len(added)
            given = [values[id(x)] for x in node.inputs]
            with within(node.layer.name):
                try:
                    made = _call(node, given, training)
                except NotTraceable as error:  # what it has assigned and added, it does itself
                    assigned.clear()
                    assigned.update(before)
                    del added[count:]
                    made = [_called(node, given, error.with_traceback(None))]
            for symbolic, tensor in zip(node.outputs, made, strict=True):
                values[id(symbolic)] = tensor
    ends = [values[id(x)] for x in outputs]
    states = [as_tensor(value, dtype) for value in assigned.values()]
    totals = [ops.sum(as_tensor(value, dtype)) for value in added]
    found = simplify([*ends, *states, *totals])
    n, m = len(ends), len(ends) + len(states)
    return Network(leaves, found[:n], dict(zip(assigned, found[n:m], strict=True)), found[m:])


def require_repeatable(
    network: Network,
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    dtype: str,
    *,
    training: bool,
) -> None:
    """Raise ValueError if a call gives another result each time: it would be frozen in a trace."""
    nodes = [n for n in ancestors(outputs, inputs) if not is_built_in(type(n.layer))]
    if not nodes or trace_network(inputs, outputs, dtype, training=training) == network:
        return
    for node in nodes:  # which of them is it?
        first, second = (
            trace_network(node.inputs, node.outputs, dtype, training=training) for _ in range(2)
        )
        if first != second:
            raise ValueError(
                f"{type(node.layer).__name__} '{node.layer.name}': call() gives another result "
                "each time: it is traced once, and numbers of np.random, the clock or a counter "
                "would stay the same for all batches. For random numbers use "
                "random.normal(ops.shape(x)) of fastnn, for what changes a weight and assign"
            )


def is_built_in(cls: type) -> bool:
    return cls.__module__.startswith("fastnn.")


def _call(node: Node, inputs: list[Tensor], training: bool) -> list[Tensor]:
    """Return the outputs of a layer's call."""
    if node.layer.has_backward:
        return [_called(node, inputs)]
    made = node.layer.compute(inputs, training=training, call=node.call)
    made = list(made.values()) if isinstance(made, dict) else made
    return _checked(node, list(made) if isinstance(made, (list, tuple)) else [made])


def _called(node: Node, inputs: list[Tensor], untraceable: Exception | None = None) -> Tensor:
    operation = LayerOperation(node.layer, len(inputs) > 1, untraceable, node.call)
    return python(operation, inputs, operation.weights, node.outputs[0].shape)


def _checked(node: Node, made: list[Any]) -> list[Tensor]:
    """Return what a call returned if it is what the graph has of it."""
    who = f"{type(node.layer).__name__} '{node.layer.name}'"
    if len(made) != len(node.outputs):
        raise ValueError(f"{who}: call() returned {len(made)} outputs, before {len(node.outputs)}")
    for tensor, symbolic in zip(made, node.outputs, strict=True):
        shape = getattr(tensor, "shape", None)
        fits = isinstance(tensor, Tensor) and tensor.batched and tensor.fold == 1
        if not fits or tuple(shape or ())[1:] != tuple(symbolic.shape[1:]):
            got = "nothing" if tensor is None else f"shape {shape}"
            raise ValueError(f"{who}: call() must return shape {symbolic.shape}, got {got}")
    return made
