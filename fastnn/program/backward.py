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
from fastnn.program.definition import Update
from fastnn.program.scoring import count_uses

if TYPE_CHECKING:
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
            dense.output = op.output
            builder.producers[op.output] = dense
        else:
            kept.append(op)
    program.forward = kept


def derive_backward(
    program: Program, builder: Builder, scoring: Scoring, *, fuse: bool
) -> None:
    """Append the backward operations and the optimizer's updates."""
    trainable = {id(v) for v in program.trainable}
    needed: set[int] = set()  # storages that depend on a trainable variable
    for op in program.forward:
        if any(id(v) in trainable for v in op.params) or any(
            builder.storage(i) in needed for i in op.inputs
        ):
            needed.add(builder.storage(op.output))

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
        if builder.storage(op.output) not in contributions:
            continue  # no loss depends on it, or it on no variable
        storages = [builder.storage(i) for i in op.inputs]
        program.backward.append(
            Operation(
                f"{op.kind}_backward",
                op.inputs,
                op.output,
                op.params,
                {k: v for k, v in op.attrs.items() if k != "folded"},
                op.name,
                tuple(contribute(contributions, s, s in needed) for s in storages),
                tuple(
                    contribute(variable_contributions, id(v), id(v) in trainable) for v in op.params
                ),
            )
        )
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
