"""The backward half of a program, and the rewrites of dense layers.

Walking the operations backward, the first contribution to a gradient overwrites and later ones
accumulate. This serves diamonds, several outputs and shared layers without a zeroing pass.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fastnn.operations import (
    ACCUMULATE,
    BY_ROW,
    FROM_INPUT,
    OVERWRITE,
    SKIP,
    Operation,
)
from fastnn.ops.operation import INPUT, VARIABLE
from fastnn.ops.tensor import without_lines
from fastnn.program.definition import Update
from fastnn.program.derive import ancestors, derive_all, flat_places
from fastnn.program.scoring import count_uses
from fastnn.program.simplify import simplify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.ops.tensor import Tensor
    from fastnn.program.builder import Builder
    from fastnn.program.definition import Program
    from fastnn.program.scoring import Scoring


def fuse_activations(program: Program, builder: Builder, scoring: Scoring) -> None:
    """Join a dense operation and the activation behind it, if nobody else reads between them."""
    uses = count_uses(program, builder)
    uses.update(builder.storage(i) for i in scoring.read())
    kept = []
    for op in program.forward:
        dense = builder.producers.get(op.inputs[0]) if op.kind == "activation" else None
        if (
            dense is not None
            and dense.kind == "dense"
            and dense.attrs["activation"] == "linear"
            and op.attrs["activation"] not in FROM_INPUT
            and uses[builder.storage(dense.output)] == 1
        ):
            dense.attrs |= op.attrs
            dense.outputs = op.outputs
            builder.producers[op.output] = dense
        else:
            kept.append(op)
    program.forward = kept


def derive_backward(program: Program, builder: Builder, scoring: Scoring, *, fuse: bool) -> None:
    """Append the backward operations and the optimizer's updates."""
    trainable = {id(v) for v in program.trainable}
    needed: set[int] = set()  # storages that depend on a trainable variable
    for op in program.forward:
        if any(id(v) in trainable for v in op.params) or any(
            builder.storage(i) in needed for i in op.inputs
        ):
            needed.update(builder.storage(i) for i in op.outputs)

    contributions: Counter[int] = Counter()  # so far, by storage
    variable_contributions: Counter[int] = Counter()

    def contribute(counter: Counter[int], key: int, wanted: bool) -> int:
        if not wanted:
            return SKIP
        counter[key] += 1
        return OVERWRITE if counter[key] == 1 else ACCUMULATE

    def of_loss(tensor: int) -> int:
        storage = builder.storage(tensor)
        return contribute(contributions, storage, storage in needed)

    scoring.derive(of_loss, needed)

    for op in reversed(program.forward):
        if not any(builder.storage(i) in contributions for i in op.outputs):
            continue  # no loss depends on it, or it on no variable
        wanted_inputs = [builder.storage(i) in needed for i in op.inputs]
        if op.kind == "take":
            wanted_inputs = [False]  # whole numbers have no slope
        wanted_params = [id(v) in trainable for v in op.params]
        attrs = {k: v for k, v in op.attrs.items() if k != "folded"}
        if op.kind == "segment":
            gradients = _derive_segment(op, builder, contributions, wanted_inputs, wanted_params)
            found = [gradient is not None for gradient in gradients]
            wanted_inputs, wanted_params = found[: len(op.inputs)], found[len(op.inputs) :]
            attrs = {"forward": op, "gradients": gradients}
        program.backward.append(
            Operation(
                f"{op.kind}_backward",
                op.inputs,
                op.outputs,
                op.params,
                attrs,
                op.name,
                tuple(
                    contribute(contributions, builder.storage(i), wanted)
                    for i, wanted in zip(op.inputs, wanted_inputs, strict=True)
                ),
                tuple(OVERWRITE if wanted else SKIP for wanted in wanted_params),
            )
        )
    variable_contributions.update(id(slope.variable) for slope in program.weight_gradients)
    _order_parameters(program.backward, variable_contributions)
    for storage in contributions:
        builder.storages[storage].gradient = True

    if fuse:
        _hand_on_derivatives(program, builder, contributions)
    dense = {id(v) for op in program.backward if op.kind == "dense_backward" for v in op.params}
    for variable in program.trainable:
        count = variable_contributions[id(variable)]
        if count:
            fused = fuse and count == 1 and id(variable) in dense
            program.updates.append(Update(variable, fused))


def _order_parameters(backward: list[Operation], contributions: Counter[int]) -> None:
    """Say who overwrites a variable's gradient: products add to it after all else."""
    for products in (False, True):
        for op in backward:
            if (op.kind == "dense_backward") is not products:
                continue
            modes = []
            for variable, mode in zip(op.params, op.param_modes, strict=True):
                if mode != SKIP:
                    contributions[id(variable)] += 1
                    mode = OVERWRITE if contributions[id(variable)] == 1 else ACCUMULATE
                modes.append(mode)
            op.param_modes = tuple(modes)


def _derive_segment(
    op: Operation,
    builder: Builder,
    contributions: Counter[int],
    wanted_inputs: Sequence[bool],
    wanted_params: Sequence[bool],
) -> list[Tensor | None]:
    """Return the gradients of a segment's inputs and variables, as formulas."""
    seeds = []
    for index, value in zip(op.outputs, op.attrs["values"], strict=True):
        if builder.storage(index) in contributions:
            tensor = builder.tensors[index]
            seeds.append((value, builder.leaf(tensor, value.dtype, "gradient")))
    order = ancestors([value for value, _ in seeds])
    inputs = {t.attrs["source"][1]: t for t in order if t.op is INPUT}
    variables = {id(t.attrs["variable"]): t for t in order if t.op is VARIABLE}
    leaves = [inputs.get(i) if w else None for i, w in zip(op.inputs, wanted_inputs, strict=True)]
    leaves += [
        variables.get(id(v)) if w else None for v, w in zip(op.params, wanted_params, strict=True)
    ]
    known = [leaf for leaf in leaves if leaf is not None]
    with without_lines():
        slopes = derive_all(seeds, known)
    simple = iter(simplify([g for g in slopes if g is not None]))
    found = {
        id(leaf): None if g is None else next(simple) for leaf, g in zip(known, slopes, strict=True)
    }
    if known and not any(g is not None for g in found.values()):
        op.attrs["flat"] = flat_places([value for value, _ in seeds], known)
    return [None if leaf is None else found[id(leaf)] for leaf in leaves]


def _hand_on_derivatives(program: Program, builder: Builder, contributions: Counter[int]) -> None:
    """Let a dense layer multiply dx by the derivative of the dense layer that made x.

    It saves a pass over the gradient; it needs dx to be the whole gradient.
    """
    makers = {
        builder.storage(op.output): op for op in program.backward if op.kind == "dense_backward"
    }
    for op in program.backward:
        if op.kind != "dense_backward" or op.input_modes[0] != OVERWRITE:
            continue
        storage = builder.storage(op.inputs[0])
        maker = makers.get(storage)
        if maker is None or contributions[storage] != 1:
            continue
        activation = maker.attrs["activation"]
        if activation not in BY_ROW and activation != "linear":
            op.attrs["derivative"] = (activation, maker.attrs["slope"])
            maker.attrs["derivative_done"] = True
