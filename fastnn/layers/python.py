"""What only Python can compute: layers with a `backward`, activations with a `derivative`.

The engines know such an operation as an object with two methods on lists of arrays:
``forward(inputs, training)`` returns the output, and ``backward(inputs, output, doutput)`` returns
the gradients for the inputs followed by those for the weights. Before a program is trained,
``require_derivative()`` raises if there is no such backward.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.ops.operation import PYTHON, as_tensor
from fastnn.ops.tensor import NotTraceable, Tensor, where

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastnn.layers.base import Layer
    from fastnn.layers.nested import Call
    from fastnn.variable import Variable


CHECKED_ROWS = 4
"""Of a batch, when a layer's own gradient is first used."""


class LayerOperation:
    """Runs `Layer.call` and `Layer.backward` of a user's layer, and checks what they return."""

    def __init__(
        self,
        layer: Layer,
        several: bool,
        untraceable: Exception | None = None,
        call: Call | None = None,
    ) -> None:
        self.layer = layer
        self.several = several
        self.called = call
        self.untraceable = untraceable
        self.scored = False  # what the layer adds to the loss would be missed
        self.who = f"{type(layer).__name__} '{layer.name}'"

    def __eq__(self, other: object) -> bool:  # so that two traces of it are the same
        return isinstance(other, LayerOperation) and other.layer is self.layer

    def __hash__(self) -> int:
        return id(self.layer)

    def require_derivative(self) -> None:
        if self.untraceable is not None:
            raise type(self.untraceable)(
                f"{self.who} cannot be trained through, for its call cannot be traced: "
                f"{self.untraceable}. (Or write backward(self, inputs, output, doutput), returning "
                "the gradient for inputs)"
            )

    @property
    def weights(self) -> list[Variable]:
        """The weights that a training through it would change."""
        if self.untraceable is not None:  # nothing trains those of the layers within, either
            return [*self.layer.trainable_weights]
        return [v for v, made_trainable in self.layer._weights if made_trainable]

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        output = np.asarray(self.layer.compute(inputs, training=training, call=self.called))
        if self.scored and self.layer.losses:
            why = self.untraceable or "it states its own gradient by `backward`"
            raise ValueError(
                f"{self.who}: what add_loss is given counts only where `call` is traced, and this "
                f"one is called in Python: {why}. Call add_loss in another layer, behind it"
            )
        return output

    def backward(
        self, inputs: list[np.ndarray], output: np.ndarray, doutput: np.ndarray
    ) -> list[np.ndarray]:
        if not self.layer._gradient_checked:
            pairs: list[tuple[float, float]] = []
            with contextlib.suppress(Exception):  # what fails here says more where it is needed
                pairs = self._slopes(inputs, doutput)
            self._compare(pairs)
            self.layer._gradient_checked = True
        taken = inputs if self.several else inputs[0]
        found = self.layer.backward(taken, output, doutput)
        weights = self.weights
        dweights: list[Any] = []
        if weights:
            if not isinstance(found, tuple) or len(found) != 2:
                raise ValueError(
                    f"{self.who}: backward() must return (dinputs, dweights), for the layer has "
                    f"{len(weights)} trainable weights"
                )
            found, dweights = found[0], list(found[1])
        dinputs = list(found) if self.several else [found]
        self._check("inputs", dinputs, [x.shape for x in inputs])
        self._check("weights", dweights, [v.shape for v in weights])
        return [np.asarray(gradient) for gradient in dinputs + dweights]

    def _slopes(self, inputs: list[np.ndarray], doutput: np.ndarray) -> list[tuple[float, float]]:
        """Return slopes of `call` along directions, on a few rows, and what `backward` says."""
        layer = copy.copy(self.layer)  # whose counters are its own
        if not layer.gradient_is_exact or any(not v.trainable for v in layer.weights):
            return []  # another slope is meant, or a call may change a state
        probe = LayerOperation(layer, self.several, call=self.called)
        rows = [x[:CHECKED_ROWS].astype(np.float64) for x in inputs]
        dy = doutput[:CHECKED_ROWS].astype(np.float64)

        def total(batch: list[np.ndarray]) -> float:
            return float(np.sum(probe.forward([x.copy() for x in batch], training=True) * dy))

        with np.errstate(all="ignore"):
            output = probe.forward([x.copy() for x in rows], training=True)
            if np.shape(output) != dy.shape or total(rows) != total(rows):
                return []  # rows meet each other, or a call draws random numbers
            taken = rows if self.several else rows[0]
            found = layer.backward(taken, output, dy.astype(output.dtype))
            found = found[0] if isinstance(found, tuple) else found
            slopes = [np.asarray(g, np.float64) for g in (found if self.several else [found])]
            if [g.shape for g in slopes] != [x.shape for x in rows]:
                return []  # which is said better later
            rng = np.random.default_rng(0)
            pairs = []
            for along in (slopes, [rng.standard_normal(x.shape) for x in rows]):
                size = max(float(np.abs(a).max(initial=0.0)) for a in along)
                if not 0 < size < np.inf:
                    continue
                step = (1e-5 if output.dtype == np.float64 else 1e-2) / size
                ends = [total([x + sign * step * a for x, a in zip(rows, along, strict=True)])
                        for sign in (1, -1)]  # fmt: skip
                rise = (ends[0] - ends[1]) / (2 * step)
                stated = sum(float(np.sum(g * a)) for g, a in zip(slopes, along, strict=True))
                if np.isfinite([rise, stated]).all() and max(abs(rise), abs(stated)) > 1e-8:
                    pairs.append((rise, stated))
        return pairs

    def _compare(self, pairs: list[tuple[float, float]]) -> None:
        """Raise ValueError if `backward` is another derivative along each direction."""
        if pairs and all(abs(r - s) > 0.05 * (abs(r) + abs(s)) for r, s in pairs):
            rise, stated = pairs[0]
            raise ValueError(
                f"{self.who}: backward() is not the derivative of call(): along itself it says "
                f"{stated:.6g}, differences say {rise:.6g}. Leave it out if call is written in "
                "fastnn.ops or NumPy, which is differentiated; or set gradient_is_exact = False "
                "in the class if another slope is meant, as of a step"
            )

    def _check(self, what: str, gradients: list[Any], shapes: list[tuple[int, ...]]) -> None:
        got = [np.shape(gradient) for gradient in gradients]
        if got != shapes:
            raise ValueError(
                f"{self.who}: backward() must return one gradient for each of the {what}, of "
                f"shapes {shapes}, got {got}"
            )


class StatedOperation:
    """Runs an activation of one's own with the derivative that it states."""

    untraceable = None

    def __init__(self, function: Callable[..., Any], derivative: Callable[..., Any]) -> None:
        self.function = function
        self.derivative = derivative
        self.who = f"activation {getattr(function, '__name__', type(function).__name__)!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StatedOperation) and other.function is self.function

    def __hash__(self) -> int:
        return id(self.function)

    def require_derivative(self) -> None:
        pass

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        return self._like(inputs[0], self.function(inputs[0]), self.who)

    def backward(
        self, inputs: list[np.ndarray], output: np.ndarray, doutput: np.ndarray
    ) -> list[np.ndarray]:
        slope = self.derivative(inputs[0])
        if not isinstance(slope, (int, float)):
            slope = self._like(inputs[0], slope, f"the derivative of {self.who}")
        return [doutput * slope]

    def _like(self, x: np.ndarray, result: Any, who: str) -> np.ndarray:
        if np.shape(result) != x.shape:
            got = "nothing" if result is None else f"shape {np.shape(result)}"
            raise ValueError(f"{who} must return an array of x's shape {x.shape}, got {got}")
        return np.asarray(result)


def python(
    operation: Any, inputs: Sequence[Tensor], weights: Sequence[Variable], shape: Sequence[Any]
) -> Tensor:
    """Record an operation that Python computes; its output has the given shape.

    Raises
    ------
    NotTraceable
        For inputs that are not one row for each of the batch.
    """
    for x in inputs:
        if not isinstance(x, Tensor) or not x.batched or x.fold != 1:
            raise NotTraceable(
                f"{where()}{operation.who} states its own gradient, and is called on arrays of the "
                f"batch, (n, ...); here it got shape {tuple(np.shape(x))}"
            )
    dtype = inputs[0].dtype
    args = (*inputs, *(as_tensor(variable, dtype) for variable in weights))
    attrs = {"operation": operation, "inputs": len(inputs)}
    return Tensor(PYTHON, args, attrs, tuple(shape), 1, dtype)


def takes_training(cls: Any) -> bool:
    """Whether a class of layers has a `call` that wants to know if it runs in a training."""
    return _takes_training(cls.call)


@functools.cache
def _takes_training(call: Callable[..., Any]) -> bool:
    return "training" in inspect.signature(call).parameters
