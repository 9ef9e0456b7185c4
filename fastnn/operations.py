"""The vocabulary of programs: tensors, operations, and the list of kinds both engines know.

A program is what a model is compiled into: a flat list of operations over preallocated buffers.
Shapes here are per sample; the batch is always the first axis and is not written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastnn.variable import Variable

SKIP, OVERWRITE, ACCUMULATE = 0, 1, 2
"""What a backward operation does to one gradient: nothing, write it, or add to it."""


@dataclass
class Storage:
    """One buffer of capacity x stride elements; several tensors may be views of it."""

    index: int
    size: int  # elements of one sample
    padded: bool = True  # rows may be padded to whole cache lines
    batched: bool = True  # else: one sample, the same for the whole batch
    gradient: bool = False  # a second buffer of the same layout holds dLoss/dvalue


@dataclass
class Tensor:
    """A value of the program: `shape` per sample, in C order inside the rows of a storage."""

    index: int
    shape: tuple[int, ...]
    storage: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def features(self) -> int:
        """The length of the last axis."""
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """How many runs of `features` one sample holds."""
        return math.prod(self.shape[:-1])


@dataclass
class Operation:
    """One line of a program.

    kind
        A key of `FORWARD`, or the same with ``_backward``.
    inputs, outputs
        Tensor indices. A backward operation has those of its forward operation: it reads the
        gradients of `outputs` and writes the gradients of `inputs`.
    params
        The variables it reads (forward) or whose gradients it makes (backward).
    attrs
        The kind's constants, see `FORWARD`.
    input_modes, param_modes
        Backward only: SKIP, OVERWRITE or ACCUMULATE for each input and each variable.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    params: tuple[Variable, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    input_modes: tuple[int, ...] = ()
    param_modes: tuple[int, ...] = ()

    @property
    def output(self) -> int:
        """The first of its outputs; all but segments have one."""
        return self.outputs[0] if self.outputs else -1


FROM_INPUT = frozenset({"silu", "gelu", "mish"})
"""Activations whose derivative needs the input; that of the others can be had from the output."""

BY_ROW = frozenset({"softmax", "log_softmax"})
"""Activations that act on whole rows; the others act element by element."""

RULE_SLOTS = {
    "sgd": (),
    "momentum": ("momentum",),
    "nesterov": ("momentum",),
    "rmsprop": ("velocity",),
    "rmsprop_momentum": ("velocity", "momentum"),
    "rmsprop_centered": ("velocity", "average_gradient"),
    "rmsprop_centered_momentum": ("velocity", "momentum", "average_gradient"),
    "adam": ("m", "v"),
    "amsgrad": ("m", "v", "v_hat"),
}
"""The slots of each rule, in the order in which the kernels take them; formulas: csrc/ops.def."""


def missing_row(layer: str, value: float, row: int, table: Variable) -> str:
    """Say which number names no row of a table; for both engines."""
    return (
        f"layer '{layer}': expected whole numbers from 0 to {table.shape[0] - 1}, the rows of its "
        f"table '{table.path}', got {value:g} in row {row} of the data: give the table more rows, "
        "or number what the data names from 0"
    )


COEFFICIENTS = 8
"""Numbers an optimizer gives its rule for each step: decay, step size, then the rule's own."""

FORWARD: dict[str, tuple[str, ...]] = {
    # y = activation(x W + b), on the last axis; params (kernel,) or (kernel, bias)
    "dense": ("activation", "slope"),
    # y = f(x), elementwise or, for the softmaxes, along the last axis
    "activation": ("activation", "slope"),
    # y = random numbers between 0 and 1; stream numbers the place that asks for them
    "random": ("stream", "size", "dtype"),
    # y = rows of params (table,), whose numbers x holds
    "take": (),
    # inverted dropout; stream numbers the place that asks for it
    "dropout": ("rate", "stream"),
    # outputs and new values of variables by formulas of fastnn.ops, which run as maps
    "segment": ("values", "states"),
    # a user's layer: forward(inputs, training) -> output, backward(inputs, output, doutput)
    "python": ("layer",),
}
"""Every forward kind with the names of its attributes. Each has a twin ``kind + "_backward"``."""
