"""How computations written in Python become operations of a program.

The engines know a python operation as an object with two methods on lists of arrays:
``forward(inputs, training)`` returns the output, and ``backward(inputs, output, doutput)`` returns
the gradients for the inputs followed by those for the weights. Before a program is trained,
``require_derivative()`` raises a ValueError if there is no such backward.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastnn.activations import Formula
    from fastnn.layers.base import Layer
    from fastnn.variable import Variable


class LayerOperation:
    """Runs `Layer.call` and `Layer.backward` of a user's layer, and checks what they return."""

    def __init__(self, layer: Layer, several: bool) -> None:
        self.layer = layer
        self.several = several
        self.takes_training = _takes_training(layer)
        self.who = f"{type(layer).__name__} '{layer.name}'"

    def require_derivative(self) -> None:
        from fastnn.layers.base import Layer

        if type(self.layer).backward is Layer.backward:
            raise ValueError(
                f"{self.who} cannot be trained through: write backward(self, inputs, output, "
                "doutput), returning the gradient for inputs"
            )

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        taken = inputs if self.several else inputs[0]
        if self.takes_training:
            output = self.layer.call(taken, training=training)
        else:
            output = self.layer.call(taken)
        return np.asarray(output)

    def backward(
        self, inputs: list[np.ndarray], output: np.ndarray, doutput: np.ndarray
    ) -> list[np.ndarray]:
        taken = inputs if self.several else inputs[0]
        found = self.layer.backward(taken, output, doutput)
        weights = [v for v, made_trainable in self.layer._weights if made_trainable]
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

    def _check(self, what: str, gradients: list[Any], shapes: list[tuple[int, ...]]) -> None:
        got = [np.shape(gradient) for gradient in gradients]
        if got != shapes:
            raise ValueError(
                f"{self.who}: backward() must return one gradient for each of the {what}, of "
                f"shapes {shapes}, got {got}"
            )


class FormulaOperation:
    """Runs an activation that is a pair of Python functions."""

    def __init__(self, formula: Formula, who: str) -> None:
        self.formula = formula
        self.who = who

    def require_derivative(self) -> None:
        if self.formula.gradient is None:
            raise ValueError(
                f"{self.who}: its activation is a step, whose derivative is zero, so gradients "
                "cannot train through it: use sigmoid or tanh, or a learning rule of your own"
            )

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        return self.formula(inputs[0])

    def backward(
        self, inputs: list[np.ndarray], output: np.ndarray, doutput: np.ndarray
    ) -> list[np.ndarray]:
        assert self.formula.gradient is not None
        return [self.formula.gradient(doutput, inputs[0], output)]


class PReLUOperation:
    """PReLU whose alpha is shared along some axes; the kernels know one alpha an element."""

    def __init__(self, alpha: Variable) -> None:
        self.alpha = alpha

    def require_derivative(self) -> None:
        pass

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        (x,) = inputs
        return np.where(x > 0, x, self.alpha.value * x)

    def backward(
        self, inputs: list[np.ndarray], output: np.ndarray, doutput: np.ndarray
    ) -> list[np.ndarray]:
        (x,) = inputs
        dalpha = (doutput * np.minimum(x, 0)).sum(axis=0)
        shared = tuple(i for i, n in enumerate(self.alpha.shape) if n != dalpha.shape[i])
        dx = np.where(x > 0, doutput, self.alpha.value * doutput)
        return [dx, dalpha.sum(axis=shared, keepdims=True)]


def lower(layer: Layer, builder: Any, inputs: list[Any]) -> Any:
    """Lower a user's layer."""
    several = len(inputs) > 1
    shapes = [(None, *tensor.shape) for tensor in inputs]
    output = layer.compute_output_shape(shapes if several else shapes[0])
    return builder.operation(
        "python",
        inputs,
        output[1:],
        params=[v for v, made_trainable in layer._weights if made_trainable],
        layer_name=layer.name,
        layer=LayerOperation(layer, several),
    )


def _takes_training(layer: Layer) -> bool:
    import inspect

    parameters = inspect.signature(layer.call).parameters.values()
    return any(p.name == "training" or p.kind is p.VAR_KEYWORD for p in parameters)
