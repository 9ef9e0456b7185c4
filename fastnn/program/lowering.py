"""Lowering: a traced network becomes operations.

Superops are recognised by what they compute; all else between them becomes segments: formulas that
run as maps. A superop and a segment read and write tensors of the program; within a segment nothing
is stored. What a segment has to compute is what superops, outputs or later segments read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastnn.ops.tensor import Tensor, without_lines
from fastnn.program.derive import ancestors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.operations import Tensor as ProgramTensor
    from fastnn.program.builder import Builder
    from fastnn.program.network import Network
    from fastnn.variable import Variable

ACTIVATIONS = {
    name: name
    for name in (
        "relu", "leaky_relu", "relu6", "sigmoid", "hard_sigmoid", "tanh", "softplus", "softsign",
        "elu", "selu", "silu", "gelu", "mish", "softmax", "log_softmax",
    )
} | {"exp": "exponential"}  # fmt: skip
"""Operations for which the engines have kernels, and how they call them."""

PROBABILITIES = frozenset({"softmax", "sigmoid", "log_softmax"})
"""Those that losses look behind: at an output they always stay operations of their own."""


def activation_of(tensor: Tensor) -> tuple[str, float] | None:
    """Return the kernel, and its parameter, of a tensor that is an activation."""
    name, attrs = tensor.op.name, tensor.attrs
    if name not in ACTIVATIONS or not tensor.batched:
        return None
    if name in ("softmax", "log_softmax") and attrs["axes"] != (tensor.ndim - 1,):
        return None
    if attrs.get("approximate"):
        return None
    slope = attrs.get("negative_slope", attrs.get("alpha", 0.0))
    return (ACTIVATIONS[name], float(slope)) if slope >= 0 else None


@dataclass
class Superop:
    """An operation that the engines know, in place of the tensors that a trace has for it."""

    kind: str
    inputs: list[Tensor]
    params: list[Variable]
    attrs: dict


def lower(network: Network, builder: Builder) -> tuple[list[ProgramTensor], list[Tensor]]:
    """Write a network's operations; return the tensors of its outputs, and its penalties.

    The penalties are formulas of the program's tensors.
    """
    with without_lines():
        lowering = _Lowering(network, builder)
        outputs = lowering.run()
        return outputs, lowering.formulas(network.penalties)


class _Lowering:
    def __init__(self, network: Network, builder: Builder) -> None:
        self.network = network
        self.builder = builder
        roots = [*network.outputs, *network.assigned.values(), *network.penalties]
        self.order = ancestors(roots)
        self.superops: dict[int, Superop] = {}
        self.places: dict[int, ProgramTensor] = {}
        self._recognise()
        self.level: dict[int, int] = {}
        for tensor in self.order:
            superop = self.superops.get(id(tensor))
            read = tensor.args if superop is None else superop.inputs
            deepest = max((self.level[id(arg)] for arg in read), default=0)
            self.level[id(tensor)] = deepest + (superop is not None)

    # --- superops --------------------------------------------------------------------------

    def _recognise(self) -> None:
        uses = Counter(id(arg) for tensor in self.order for arg in tensor.args)
        uses.update(id(tensor) for tensor in self.network.outputs)
        ends = {id(tensor) for tensor in self.network.outputs}
        for tensor in self.order:
            found = self._product(tensor, uses) or self._activation(tensor, ends)
            if tensor.op.name == "dropout":
                rate, stream = tensor.attrs["rate"], tensor.attrs["stream"]
                found = Superop("dropout", [tensor.args[0]], [], {"rate": rate, "stream": stream})
            elif tensor.op.name == "take":
                table, indices = tensor.args
                if not _is_weight(table, tensor.dtype):
                    raise ValueError(
                        f"layer '{tensor.layer}': its table "
                        f"'{table.attrs['variable'].path}' is of another type than the model, "
                        f"{tensor.dtype}: give both one dtype"
                    )
                found = Superop("take", [indices], [table.attrs["variable"]], {})
            elif tensor.op.name == "random":
                attrs = {"stream": tensor.attrs["stream"], "size": tensor.elements}
                found = Superop("random", [], [], {**attrs, "dtype": str(tensor.dtype)})
            elif tensor.op.name == "python":
                count = tensor.attrs["inputs"]
                weights = [arg.attrs["variable"] for arg in tensor.args[count:]]
                operation = tensor.attrs["operation"]
                found = Superop("python", list(tensor.args[:count]), weights, {"layer": operation})
            if found is not None:
                self.superops[id(tensor)] = found

    def _product(self, tensor: Tensor, uses: Counter[int]) -> Superop | None:
        """A product with a weight, and the bias that is added to it and to nothing else."""
        if tensor.op.name == "matmul":
            x, w = tensor.args
            if x.batched and x.fold == 1 and _is_weight(w, tensor.dtype):
                attrs = {"activation": "linear", "slope": 0.0}
                return Superop("dense", [x], [w.attrs["variable"]], attrs)
        if tensor.op.name != "add":
            return None
        for product, bias in (tensor.args, tensor.args[::-1]):
            found = self.superops.get(id(product))
            if (
                found is not None and found.kind == "dense" and len(found.params) == 1
                and uses[id(product)] == 1
                and _is_weight(bias, tensor.dtype) and bias.shape == product.shape[-1:]
            ):  # fmt: skip
                del self.superops[id(product)]
                found.params.append(bias.attrs["variable"])
                return found
        return None

    def _activation(self, tensor: Tensor, ends: set[int]) -> Superop | None:
        found = activation_of(tensor)
        if found is None:
            return None
        (x,) = tensor.args
        behind = self.superops.get(id(x))
        if (behind is None or behind.kind != "dense") and not (
            id(tensor) in ends and tensor.op.name in PROBABILITIES
        ):
            return None
        return Superop("activation", [x], [], {"activation": found[0], "slope": found[1]})

    # --- segments --------------------------------------------------------------------------

    def run(self) -> list[ProgramTensor]:
        for leaf in self.network.inputs:
            self.places[id(leaf)] = self.builder.tensor(leaf.sample)
        wanted = self._wanted()
        by_level: dict[int, list[Tensor]] = {}
        for tensor in self.order:
            by_level.setdefault(self.level[id(tensor)], []).append(tensor)
        assigned = self.network.assigned.items()
        for _, tensors in sorted(by_level.items()):
            for tensor in tensors:
                if id(tensor) in self.superops and id(tensor) in wanted:
                    self._write(tensor, self.superops[id(tensor)])
            values = [
                tensor for tensor in tensors
                if id(tensor) in wanted and id(tensor) not in self.places
            ]  # fmt: skip
            here = {id(tensor) for tensor in tensors}
            states = {variable: value for variable, value in assigned if id(value) in here}
            if values or states:
                self._segment(values, states)
        return [self._place(tensor) for tensor in self.network.outputs]

    def _wanted(self) -> set[int]:
        """Return the ids of the tensors that are to be stored."""
        found: set[int] = set()
        seen: set[int] = set()
        pending = [*self.network.outputs]
        found.update(id(_stored(tensor)) for tensor in pending)
        pending += [*self.network.assigned.values(), *self.network.penalties]
        while pending:
            tensor = pending.pop()
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            superop = self.superops.get(id(tensor))
            read = tensor.args if superop is None else superop.inputs
            pending += read
            for arg in read:
                base = _stored(arg)
                later = self.level[id(base)] < self.level[id(tensor)]
                if id(base) in self.superops or (base.args and base.batched and later):
                    found.add(id(base))
        return found

    def _write(self, tensor: Tensor, superop: Superop) -> None:
        self.places[id(tensor)] = self.builder.operation(
            superop.kind, [self._place(x) for x in superop.inputs], tensor.sample,
            params=superop.params, layer_name=tensor.layer, **superop.attrs,
        )  # fmt: skip

    def _place(self, tensor: Tensor) -> ProgramTensor:
        """Return where a tensor lies; a reshaped one is a view."""
        if id(tensor) not in self.places:
            base = _stored(tensor)
            self.places[id(tensor)] = self.builder.view(self.places[id(base)], tensor.sample)
        return self.places[id(tensor)]

    def formulas(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return values as formulas of what is stored."""
        memo: dict[int, Tensor] = {}
        for tensor in ancestors(values, until=self.places):
            if id(tensor) in self.places:
                memo[id(tensor)] = self.builder.leaf(self.places[id(tensor)], tensor.dtype)
            else:
                memo[id(tensor)] = with_args(tensor, tuple(memo[id(arg)] for arg in tensor.args))
        return [memo[id(value)] for value in values]

    def _segment(self, values: list[Tensor], assigned: dict[Variable, Tensor]) -> None:
        found = self.formulas([*values, *assigned.values()])
        made = ancestors([*values, *assigned.values()], until=self.places)
        names = {t.layer: t for t in made if t.args and id(t) not in self.places and t.layer}
        outputs = self.builder.segment(
            found[: len(values)],
            dict(zip(assigned, found[len(values) :], strict=True)),
            layer_name="+".join(names),
        )
        self.places.update((id(v), place) for v, place in zip(values, outputs, strict=True))


def _is_weight(tensor: Tensor, dtype: Any) -> bool:
    """Whether a tensor is a variable as the engines read it: of the program's type."""
    return tensor.op.name == "variable" and tensor.attrs["variable"].dtype == str(dtype)


def _stored(tensor: Tensor) -> Tensor:
    """Return the tensor whose elements, in the same order, a reshaped one has."""
    while tensor.op.name == "reshape" and tensor.batched and tensor.fold == 1:
        (x,) = tensor.args
        if not x.batched or x.fold != 1:
            break
        tensor = x
    return tensor


def with_args(tensor: Tensor, args: tuple[Tensor, ...]) -> Tensor:
    """Return the same operation on other arguments."""
    if all(a is b for a, b in zip(args, tensor.args, strict=True)):
        return tensor
    made = Tensor(tensor.op, args, tensor.attrs, tensor.shape, tensor.fold, tensor.dtype)
    made.line, made.layer = tensor.line, tensor.layer
    return made
