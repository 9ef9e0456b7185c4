"""InputSpec: which shapes a layer accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.layers.base import Layer, Shape


class InputSpec:
    """What a layer accepts; the batch axis counts.

    Parameters
    ----------
    ndim, min_ndim : int, optional
        The exact or the least number of axes.
    axes : dict, optional
        The size of some axes: ``{-1: 784}``.
    shape : tuple, optional
        The size of all axes; None means any.
    """

    def __init__(
        self,
        *,
        ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int] | None = None,
        shape: Sequence[int | None] | None = None,
        **unused: Any,  # dtype and max_ndim of Keras
    ) -> None:
        self.ndim = len(shape) if shape is not None else ndim
        self.min_ndim = min_ndim
        self.axes = dict(axes or {})
        if shape is not None:
            self.axes |= {i: n for i, n in enumerate(shape) if n is not None}

    def check(self, layer: Layer, shape: Shape) -> None:
        """Raise a ValueError that teaches if `shape` does not fit."""
        who = f"{type(layer).__name__} '{layer.name}'"
        expected, least = self.ndim, self.min_ndim
        if expected is not None and len(shape) != expected:
            raise ValueError(
                f"{who} expects {expected} axes (the batch is the first), got shape {shape}"
            )
        if least is not None and len(shape) < least:
            raise ValueError(
                f"{who} expects at least {least} axes (the batch is the first), got shape "
                f"{shape}: give every sample a shape, e.g. Input(shape=(1,))"
            )
        for axis, size in self.axes.items():
            if -len(shape) <= axis < len(shape) and shape[axis] not in (size, None):
                flat = axis in (-1, 1) and len(shape) == 2
                what = "features per sample" if flat else f"elements on axis {axis}"
                raise ValueError(
                    f"{who} expects {size} {what}, got {shape[axis]} (shape {shape}): "
                    "check Input(shape=...)"
                )
