"""Layers that make one tensor of several."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastnn import ops
from fastnn.layers.base import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Merge(Layer):
    """Base: takes a list of inputs of equal shape and combines them, two by two."""

    merge: Any = None  # two of them
    most: int | None = None  # inputs

    def check_inputs(self, input_shape: Any) -> None:
        who = f"{type(self).__name__} '{self.name}'"
        if not isinstance(input_shape, list):
            raise ValueError(f"{who} takes a list of at least 2 inputs, got one of {input_shape}")
        if self.most is not None and len(input_shape) > self.most:
            raise ValueError(f"{who} takes {self.most} inputs, got {len(input_shape)}")
        self.check_shapes(who, [shape[1:] for shape in input_shape])

    def check_shapes(self, who: str, shapes: list[tuple[int, ...]]) -> None:
        if len(set(shapes)) > 1:
            raise ValueError(
                f"{who} expects inputs of one shape, got samples of shapes {shapes}: bring them "
                "to the same number of features, e.g. with Dense"
            )

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return input_shape[0]

    def call(self, inputs: Any) -> Any:
        return functools.reduce(type(self).merge, inputs)


class Add(_Merge):
    """Sum of the inputs.

    Examples
    --------
    >>> from fastnn.layers import Add, Input
    >>> Add()([Input((3,)), Input((3,))]).shape
    (None, 3)
    """

    merge = ops.add


class Subtract(_Merge):
    """The first of two inputs minus the second."""

    merge = ops.subtract
    most = 2


class Multiply(_Merge):
    """Product of the inputs, element by element."""

    merge = ops.multiply


class Maximum(_Merge):
    """Largest of the inputs, element by element."""

    merge = ops.maximum


class Minimum(_Merge):
    """Smallest of the inputs, element by element."""

    merge = ops.minimum


class Average(_Merge):
    """Mean of the inputs."""

    merge = ops.add

    def call(self, inputs: Any) -> Any:
        return ops.divide(super().call(inputs), float(len(inputs)))


class Concatenate(_Merge):
    """Put the inputs side by side along one axis.

    Parameters
    ----------
    axis : int
        The batch is axis 0 and cannot be chosen; all other axes must agree.

    Examples
    --------
    >>> from fastnn.layers import Concatenate, Input
    >>> Concatenate()([Input((3,)), Input((5,))]).shape
    (None, 8)
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int) or axis == 0:
            raise ValueError(
                f"Concatenate '{self.name}': axis must be an integer other than 0, the batch, "
                f"got {axis!r}"
            )
        self.axis = axis

    def check_shapes(self, who: str, shapes: list[tuple[int, ...]]) -> None:
        ranks = {len(shape) for shape in shapes}
        if len(ranks) > 1 or not -ranks.copy().pop() <= self.axis <= ranks.copy().pop():
            raise ValueError(
                f"{who} cannot join samples of shapes {shapes} along axis {self.axis}: all need "
                "the same number of axes, and the batch cannot be joined; Flatten() may help"
            )
        i = self._place(shapes[0])
        if len({(shape[:i], shape[i + 1 :]) for shape in shapes}) > 1:
            raise ValueError(
                f"{who} cannot join samples of shapes {shapes} along axis {self.axis}: the other "
                "axes must agree"
            )

    def _place(self, sample_shape: Sequence[int]) -> int:
        """Return the axis, counted without the batch."""
        return self.axis - 1 if self.axis > 0 else len(sample_shape) + self.axis

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        i = self._place(input_shape[0][1:]) + 1
        first = input_shape[0]
        return (*first[:i], sum(shape[i] for shape in input_shape), *first[i + 1 :])

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(inputs, axis=self._place(inputs[0].shape[1:]) + 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Add`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Subtract`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Multiply`."""
    return Multiply(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Maximum`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Minimum`."""
    return Minimum(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """Apply `Average`."""
    return Average(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """Apply `Concatenate`."""
    return Concatenate(axis, **kwargs)(inputs)
