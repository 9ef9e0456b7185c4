"""Formulas: what is computed of a batch, one NumPy function after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastnn.ops.tensor import Tensor


class Values:
    """The values of a batch's formulas, each computed once.

    Parameters
    ----------
    n : int
        Samples in the batch.
    dtype : str
    operand : callable
        Gives the array of a leaf: ``operand(kind, index, n)``.
    """

    def __init__(self, n: int, dtype: str, operand: Callable[..., np.ndarray]) -> None:
        self.n = n
        self.dtype = dtype
        self.operand = operand
        self.known: dict[int, np.ndarray] = {}

    def of(self, tensor: Tensor) -> np.ndarray:
        """Return the value of a tensor, and compute what it is made of."""
        pending = [tensor]
        while pending:
            last = pending[-1]
            missing = [arg for arg in last.args if id(arg) not in self.known]
            if missing and id(last) not in self.known:
                pending.extend(missing)
            else:
                pending.pop()
                if id(last) not in self.known:
                    self.known[id(last)] = self.compute(last)
        return self.known[id(tensor)]

    def compute(self, tensor: Tensor) -> np.ndarray:
        """Return the value of one operation: its formula stands in fastnn.ops."""
        name = tensor.op.name
        value: Any
        if name == "input":
            value = self.operand(*tensor.attrs["source"], self.n)
        elif name == "constant":
            value = tensor.attrs["value"]
        elif name == "rows":
            value = self.n
        elif name == "like":
            return np.broadcast_to(np.zeros((), self.dtype), (self.n, *tensor.sample))
        elif name == "variable":
            value = tensor.attrs["variable"].value
        else:
            args = [self.known[id(arg)] for arg in tensor.args]
            value = tensor.op.numpy(*args, **tensor.attrs)
        return np.asarray(value, self.dtype)


def reduced(values: np.ndarray, w: np.ndarray | None, reduction: str) -> tuple[float, np.ndarray]:
    """Return a batch's loss, and by what to multiply each value's gradient.

    Parameters
    ----------
    values : ndarray
        One or more for each sample, in one axis; values of weight 0 are left out.
    w : ndarray or None
        Weights, each of so many of a sample's values as any other.
    reduction : {"sum_over_batch_size", "sum", "mean_with_sample_weight"}
    """
    if w is None:
        weights = np.ones(len(values), values.dtype)
    else:
        weights = np.repeat(w.reshape(-1), len(values) // w.size)
    weighted = np.where(weights == 0, 0, weights * values)
    total = float(np.sum(weighted, dtype=np.float64))
    if reduction == "sum":
        return total, weights
    if reduction == "mean_with_sample_weight":
        divisor = float(np.sum(weights, dtype=np.float64))
        return (total / divisor, weights / divisor) if divisor else (0.0, 0 * weights)
    return total / len(values), weights / len(values)
