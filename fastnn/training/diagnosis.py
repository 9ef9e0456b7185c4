"""Why a loss is no number any more: looked for once, when it has happened."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.callbacks import TerminateOnNaN
from fastnn.training.labels import TrainingWarning, blocks, losses_of_logits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastnn.callbacks import CallbackList
    from fastnn.program import Program
    from fastnn.training.data import Data


class LossWatch:
    """Warns once per fit when the loss of an epoch is NaN or infinite, and says of what."""

    def __init__(self, model: Any, data: Data, hooks: CallbackList) -> None:
        self.model = model
        self.data = data
        self.warned = any(isinstance(one, TerminateOnNaN) for one in hooks.callbacks)
        self.spoilt = _spoilt(model)

    def look(self, loss: float, epoch: int, program: Program) -> None:
        """Look at an epoch's loss; `epoch` counts from 0."""
        if self.warned or math.isfinite(loss):
            return
        self.warned = True
        place = next(_not_finite(self.model, self.data, program), None)
        if place is not None:
            reason = f"{place}: replace such values or leave their rows out"
        elif self.spoilt:
            reason = f"{self.spoilt} held no finite numbers before this fit"
        elif advice := next(losses_of_logits(program), ""):
            reason = advice[0].lower() + advice[1:]
        else:
            rate = self.model.optimizer.learning_rate
            reason = (
                f"all numbers in x and y are finite: usually the learning rate, {rate:g}, is too "
                f"high: try {rate / 10:g}, or scale x to numbers around 1"
            )
        mend = (
            "; make the model anew before the next fit, as its weights are spoilt, or compile it "
            "anew and set its weights"
        )
        warnings.warn(
            f"fit: the loss of epoch {epoch + 1} is {loss}; {reason}"
            + (mend if _spoilt(self.model) else ""),
            TrainingWarning,
            stacklevel=4,
        )


def _spoilt(model: Any) -> str:
    """Say what an earlier fit has spoilt, as far as the last weight shows it, or ``""``."""
    for variable in model.trainable_weights[-1:]:
        if not np.isfinite(variable.value).all():
            return "the weights"
        slots = model.optimizer.slots(variable) if variable in model.optimizer.variables else ()
        if not all(np.isfinite(variable.view(slot)).all() for slot in slots):
            return "the optimizer's state"
    return ""


def _not_finite(model: Any, data: Data, program: Program) -> Iterator[str]:
    """Say of each array of the training data where it first is not finite."""
    several = len(model.inputs) > 1
    for name, array in zip(model.input_names, data.inputs, strict=True):
        yield from _first(array, f"x for input '{name}'" if several else "x", program.dtype)
    several = len(program.outputs) > 1
    for target, y, weights in zip(program.targets, data.targets, data.weights, strict=True):
        which = f" for output '{program.output_names[target.output]}'" if several else ""
        yield from _first(y, f"y{which}", program.dtype)
        yield from _first(weights, f"sample_weight{which}", program.dtype)


def _first(array: np.ndarray | None, what: str, dtype: str) -> Iterator[str]:
    if array is None or array.dtype.kind != "f":
        return
    for start, block in blocks(array):
        with np.errstate(over="ignore", invalid="ignore"):
            good = np.isfinite(block.astype(dtype, copy=False))
        if good.all():
            continue
        row, *rest = (int(i) for i in np.unravel_index(int(np.argmin(good)), good.shape))
        value = block[(row, *rest)]
        size = block[0].size
        column = f", column {rest[0]}" if len(rest) == 1 else f" at {rest}"
        large = f" (too large for {dtype})" if np.isfinite(value) else ""
        yield f"{what} has {value}{large} in row {start + row}" + (column if size > 1 else "")
        return
