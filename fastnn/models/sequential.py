"""Sequential: layers one behind the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.graph import SymbolicTensor
from fastnn.layers import InputLayer, Layer
from fastnn.models.model import Model

if TYPE_CHECKING:
    from collections.abc import Sequence


class Sequential(Model):
    """A stack of layers.

    Parameters
    ----------
    layers : list of Layer, optional
        In order; the first may be ``Input(shape=...)``. Without it the model is built when it
        first sees data.
    trainable : bool
    name : str, optional

    Raises
    ------
    ValueError
        If something is no layer, or two layers have one name.

    Examples
    --------
    >>> from fastnn.layers import Dense, Input
    >>> from fastnn.models import Sequential
    >>> model = Sequential([Input(shape=(4,)), Dense(16, activation="relu"), Dense(3)])
    >>> model.output_shape
    (None, 3)
    """

    def __init__(
        self,
        layers: Sequence[Layer | SymbolicTensor] | None = None,
        trainable: bool = True,
        name: str | None = None,
    ) -> None:
        self._start(name, trainable)
        self._stack: list[Layer] = []
        self._disconnect()
        if isinstance(layers, Layer):
            raise ValueError(f"Sequential '{self.name}': expected a list of layers, got one layer")
        for layer in layers or []:
            self.add(layer)
        if not trainable:
            self.trainable = False

    def _disconnect(self) -> None:
        """Return to the state without a known input shape."""
        self.inputs, self.outputs = [], []
        self.input_names, self.output_names = [], []
        self._inputs_struct = self._outputs_struct = None
        self._layers = self._sublayers = self._stack
        self.built = False

    @property
    def layers(self) -> list[Layer]:
        """The layers without the input."""
        return list(self._stack)

    def add(self, layer: Layer | SymbolicTensor, rebuild: bool = True) -> None:
        """Put a layer on top.

        Parameters
        ----------
        layer : Layer, or what `Input` returned

        Raises
        ------
        ValueError
            If it is no layer, its name is taken, or it does not fit; the model is unchanged then.
        """
        if isinstance(layer, SymbolicTensor) and isinstance(layer.node.layer, InputLayer):
            layer = layer.node.layer
        if not isinstance(layer, Layer):
            hint = ""
            if isinstance(layer, type) and issubclass(layer, Layer):
                hint = f": make an instance of it, {layer.__name__}(...)"
            raise ValueError(
                f"Sequential '{self.name}': only layers can be added, got {layer!r}{hint}"
            )
        if layer is self:
            raise ValueError(f"Sequential '{self.name}' cannot contain itself")
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                f"Sequential '{self.name}': there is a layer named {layer.name!r} already: give "
                "the new one another name=..., and do not add a layer twice"
            )
        if isinstance(layer, InputLayer):
            if self.inputs or self._stack:
                raise ValueError(
                    f"Sequential '{self.name}': Input '{layer.name}' must come first, before "
                    f"{len(self._stack)} layers"
                )
            self._link(layer.output, layer.output)
        elif self.inputs:
            self._link(self.inputs[0], _one_output(self, layer, layer(self.outputs[0])))
            self._stack.append(layer)
        else:
            shape = layer.batch_input_shape
            if not self._stack and isinstance(layer, Model) and len(layer.inputs) == 1:
                shape = layer.inputs[0].shape
            if not self._stack and shape is not None:
                start = InputLayer(batch_shape=shape).output
                self._link(start, _one_output(self, layer, layer(start)))
            self._stack.append(layer)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the top layer off and return it.

        Raises
        ------
        ValueError
            If there is none.
        """
        if not self._stack:
            raise ValueError(f"Sequential '{self.name}' has no layer to take off")
        layer = self._stack.pop()
        if self.inputs:
            node = self.outputs[0].node
            layer._calls = [call for call in layer._calls if call() is not node]
            self._link(self.inputs[0], node.inputs[0])
        return layer

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape.

        Parameters
        ----------
        input_shape : tuple
            With the batch axis: ``(None, 784)``. Not needed if the model has an `Input`.

        Raises
        ------
        ValueError
            If the shape is missing or a layer cannot take it.
        """
        if self.inputs:
            return
        if not isinstance(input_shape, (tuple, list)):
            raise ValueError(
                f"Sequential '{self.name}' does not know its input shape: begin with "
                "Input(shape=...), or call build((None, features)), or fit it to data"
            )
        if not self._stack:
            raise ValueError(f"Sequential '{self.name}' has no layers: add some first")
        start = tensor = InputLayer(batch_shape=input_shape).output
        for layer in self._stack:
            tensor = _one_output(self, layer, layer(tensor))
        self._link(start, tensor)

    def _link(self, start: SymbolicTensor, end: SymbolicTensor) -> None:
        self.inputs, self.outputs = [start], [end]
        self._inputs_struct, self._outputs_struct = start, end
        self.input_names, self.output_names = [start.node.layer.name], [end.node.layer.name]
        self.built = True

    def __call__(  # type: ignore[override]
        self, inputs: Any, *, training: bool | None = None
    ) -> Any:
        """Apply the model, see `Model.__call__`; builds it if need be."""
        if not self.inputs:
            import numpy as np

            shape = inputs.shape if hasattr(inputs, "shape") else np.shape(inputs)
            self.build((None, *shape[1:]))
        return super().__call__(inputs, training=training)

    def get_config(self) -> dict[str, Any]:
        """Return the layers as JSON-ready data, in Keras's form."""
        from fastnn.layers import serialize

        first = [self.inputs[0].node.layer] if self.inputs else []
        config: dict[str, Any] = {
            "name": self.name,
            "trainable": self._trainable,
            "dtype": self.dtype,
            "layers": [serialize(layer) for layer in (*first, *self._stack)],
        }
        if self.inputs:
            config["build_input_shape"] = list(self.inputs[0].shape)
        return config

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Sequential:
        """Make a model, with new weights, from what `get_config` returned.

        Parameters
        ----------
        config : dict
        custom_objects : dict, optional
            Your own classes and functions by name.

        Raises
        ------
        ValueError
            If the data does not describe a Sequential.
        """
        from fastnn.layers import deserialize

        layers = config.get("layers") if isinstance(config, dict) else None
        if not isinstance(layers, list):
            raise ValueError("Sequential.from_config: expected a dict with a list 'layers'")
        model = cls(name=config.get("name"))
        for data in layers:
            model.add(deserialize(data, custom_objects))
        if not model.inputs and config.get("build_input_shape"):
            model.build(tuple(config["build_input_shape"]))
        if not config.get("trainable", True):
            model.trainable = False
        return model


def _one_output(model: Sequential, layer: Layer, output: Any) -> SymbolicTensor:
    if not isinstance(output, SymbolicTensor):
        raise ValueError(
            f"Sequential '{model.name}': layer '{layer.name}' has {len(output)} outputs, but a "
            "stack passes one on: use Model(inputs=..., outputs=...)"
        )
    return output
