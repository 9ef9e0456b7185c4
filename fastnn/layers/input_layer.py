"""Input: where data enters a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.graph import Node, SymbolicTensor
from fastnn.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_AXES = 8
"""With the batch axis; what the C engine reads data with."""


class InputLayer(Layer):
    """The layer behind an `Input`; it has no weights and computes nothing.

    Parameters
    ----------
    shape : tuple of int, optional
        Of one sample, without the batch axis.
    batch_size : int, optional
    dtype : str, optional
        Of the data; it is converted to the model's number type batch by batch.
    batch_shape : tuple, optional
        In place of `shape` and `batch_size`: ``(None, 784)``.
    name : str, optional

    Raises
    ------
    ValueError
        If the shape is missing or not a tuple of at most 7 positive integers.
    """

    def __init__(
        self,
        shape: Sequence[int] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        old = kwargs.pop("input_shape", None)
        shape = old if shape is None else shape
        kwargs = {key: value for key, value in kwargs.items() if key not in _KERAS_ONLY}
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "Input: give the shape of one sample, e.g. Input(shape=(784,)), or batch_shape, "
                f"not both; got shape={shape!r}, batch_shape={batch_shape!r}"
            )
        if batch_shape is None:
            batch_shape = (batch_size, *_sizes("shape", shape))
        else:
            batch_shape = _sizes("batch_shape", batch_shape, batch=True)
        if len(batch_shape) > MOST_AXES:
            called = f"Input '{name}'" if name else "Input"
            raise ValueError(
                f"{called}: a sample may have at most {MOST_AXES - 1} axes, got "
                f"{len(batch_shape) - 1}: merge some of them, x.reshape(len(x), ...)"
            )
        super().__init__(name=name, **kwargs)
        self.batch_shape: tuple[int | None, ...] = tuple(batch_shape)
        self.input_dtype = config.floatx() if dtype is None else _data_type(dtype)
        self.built = True
        output = SymbolicTensor(self.batch_shape, dtype=self.input_dtype, name=self.name)
        # The one layer that owns a node: a model's inputs must not vanish with their tensors.
        self.node = Node(self, [], [output])

    @property
    def output(self) -> SymbolicTensor:
        return self.node.outputs[0]

    input = output

    def check_inputs(self, input_shape: Any) -> None:
        raise TypeError(
            f"InputLayer '{self.name}' takes no input: use its output, or Input(shape=...)"
        )

    def emit(self, builder: Any, inputs: list[Any]) -> Any:
        """Return nothing new: programs make their input tensors themselves."""
        return inputs[0]

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": list(self.batch_shape),
            "dtype": self.input_dtype,
            "name": self.name,
        }


_KERAS_ONLY = ("sparse", "ragged", "input_tensor", "optional")


def Input(
    shape: Sequence[int] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **kwargs: Any,
) -> SymbolicTensor:
    """Return a symbolic tensor, the starting point of a model.

    Parameters
    ----------
    shape : tuple of int
        Of one sample, without the batch axis: ``(784,)``.
    batch_size : int, optional
    dtype : str, optional
        Of the data; it is converted to the model's number type batch by batch.
    batch_shape : tuple, optional
        In place of `shape` and `batch_size`: ``(None, 784)``.
    name : str, optional
        By which data given as a dict is found.

    Returns
    -------
    SymbolicTensor

    Raises
    ------
    ValueError
        If the shape is missing or not a tuple of at most 7 positive integers.

    Examples
    --------
    >>> from fastnn.layers import Dense, Input
    >>> Dense(3)(Input(shape=(4,))).shape
    (None, 3)
    """
    return InputLayer(shape, batch_size, dtype, batch_shape, name, **kwargs).output


def _data_type(dtype: Any) -> str:
    """Return the name of a type that data may have, or raise."""
    try:
        kind = np.dtype(dtype)
    except TypeError:
        kind = None
    if kind is None or kind.kind not in "biuf":
        raise ValueError(
            f"Input: dtype must be a type of numbers, e.g. 'float32' or 'uint8', got {dtype!r}"
        )
    return kind.name


def _sizes(argument: str, shape: Any, *, batch: bool = False) -> tuple[int | None, ...]:
    """Return `shape` as a tuple of integers, or raise."""
    import numbers

    if isinstance(shape, numbers.Integral):
        raise ValueError(
            f"Input: {argument} must be a tuple, got {shape!r}: write {argument}=({shape},)"
        )
    try:
        sizes = tuple(shape)
    except TypeError:
        raise ValueError(f"Input: {argument} must be a tuple, got {shape!r}") from None
    for axis, size in enumerate(sizes):
        whole = isinstance(size, numbers.Integral) and not isinstance(size, bool)
        if not (whole and int(size) > 0) and not (batch and axis == 0 and size is None):
            raise ValueError(
                f"Input: every size in {argument} must be a positive integer, got {size!r} in "
                f"{sizes}: fastnn compiles models for samples of a known shape"
            )
    return tuple(None if size is None else int(size) for size in sizes)
