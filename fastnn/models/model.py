"""Model: a graph between input and output tensors, with everything a Trainer can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import missing
from fastnn.graph import Node, SymbolicTensor, ancestors, by_depth, outer_nodes, replay
from fastnn.layers import Activation, Input, InputLayer, Layer
from fastnn.layers.eager import as_arrays, as_batch
from fastnn.layers.nested import state_training
from fastnn.layers.operation import Operation
from fastnn.training.trainer import Trainer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Model(Trainer, Layer):
    """A network given by its inputs and outputs.

    Parameters
    ----------
    inputs : SymbolicTensor, or a list or dict of them
        What `Input` returned. A tensor from the middle of another model starts a new model there.
    outputs : SymbolicTensor, or a list or dict of them
        What layers made of the inputs. The keys of a dict name the outputs.
    name : str, optional
    trainable : bool

    Raises
    ------
    ValueError
        If the outputs need an input that is not given, or two layers have one name.

    Examples
    --------
    >>> from fastnn.layers import Concatenate, Dense, Input
    >>> from fastnn.models import Model
    >>> x = Input(shape=(8,))
    >>> deep = Dense(30, activation="relu")(x)
    >>> y = Dense(1)(Concatenate()([x, deep]))
    >>> model = Model(inputs=x, outputs=y)
    >>> model.count_params()
    309
    """

    takes_custom_objects = True
    _private = Layer._private | {
        "_layers", "_stack", "_inputs_struct", "_outputs_struct", "inputs", "outputs",
        "input_names", "output_names", "history", "metrics_names", "_compile_arguments",
    }  # fmt: skip
    _notes_changes = False

    inputs: list[SymbolicTensor]
    outputs: list[SymbolicTensor]
    input_names: list[str]
    output_names: list[str]

    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        *,
        trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        inputs = kwargs.pop("input", inputs)  # Keras 1
        outputs = kwargs.pop("output", outputs)
        if inputs is None or outputs is None:
            raise _without_graph(type(self))
        self._start(name, trainable, **kwargs)
        self._connect(inputs, outputs)
        if not trainable:
            self.trainable = False

    if not TYPE_CHECKING:  # type checkers would take every name for an attribute

        def __getattr__(self, name: str) -> Any:  # called only where the usual way has failed
            if error := missing.method(type(self).__name__, name):
                raise error
            return super().__getattr__(name)

    def _start(self, name: str | None, trainable: bool, **kwargs: Any) -> None:
        """Initialize the layer that a model also is."""
        if name is None:
            from fastnn import config

            cls = type(self).__name__
            name = config.unique_name("functional" if cls == "Model" else config.snake_case(cls))
        Layer.__init__(self, name=name, trainable=trainable, **kwargs)

    def _connect(self, inputs: Any, outputs: Any) -> None:
        """Make these tensors the model's ends, after checking all of them."""
        starts, start_keys = _flatten("inputs", inputs)
        ends, end_keys = _flatten("outputs", outputs)
        if len({id(tensor) for tensor in starts}) < len(starts):
            raise ValueError(f"Model '{self.name}': the same tensor stands twice in inputs")
        starts, ends = _begin_at(starts, ends)
        given = {tensor.node.serial for tensor in starts}
        for node in outer_nodes(ends):
            if isinstance(node.layer, InputLayer) and node.serial not in given:
                if _depends(_flatten("inputs", inputs)[0], on=_flatten("outputs", outputs)[0]):
                    raise ValueError(
                        f"Model '{self.name}': inputs are computed from outputs: exchange the two, "
                        "Model(inputs=..., outputs=...)"
                    )
                raise ValueError(
                    f"Model '{self.name}': the outputs depend on Input '{node.layer.name}' of "
                    f"shape {node.layer.batch_shape}, which is not among inputs="
                    f"{[tensor.name for tensor in starts]}: add it there"
                )
        layers = by_depth(starts, ends)
        _check_names(self.name, layers)
        self.inputs, self.outputs = starts, ends
        self._layers = layers
        self._sublayers = layers
        self._inputs_struct = _pack(inputs, starts)
        self._outputs_struct = _pack(outputs, ends)
        self.input_names = start_keys or [tensor.node.layer.name for tensor in starts]
        self.output_names = end_keys or _distinct([tensor.node.layer.name for tensor in ends])
        self.built = True

    # --- parts ---------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, in Keras's order: from the inputs to the outputs.

        Functions of `fastnn.ops` and NumPy between them are nodes, but no layers.
        """
        return [layer for layer in self._layers if not isinstance(layer, Operation)]

    @property
    def input(self) -> Any:
        """The input tensor, or the list or dict of them."""
        return self._inputs_struct

    @property
    def output(self) -> Any:
        """The output tensor, or the list or dict of them."""
        return self._outputs_struct

    @property
    def input_shape(self) -> Any:
        shapes = [tensor.shape for tensor in self.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self) -> Any:
        shapes = [tensor.shape for tensor in self.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def nodes(self) -> list[Node]:
        """The calls between the inputs and the outputs, by serial; a nested model is one."""
        return outer_nodes(self.outputs)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return a layer by its name or its place in `layers`.

        Raises
        ------
        ValueError
            If there is none, or both or neither are given.
        """
        layers = self.layers
        if (name is None) == (index is None):
            raise ValueError(f"get_layer: give a name or an index, got {name!r} and {index!r}")
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"get_layer: model '{self.name}' has {len(layers)} layers, there is no layer "
                    f"{index}"
                )
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"get_layer: model '{self.name}' has no layer {name!r}; it has "
            f"{[layer.name for layer in layers]}"
        )

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
    ) -> None:
        """Print a table of the layers and the numbers of parameters.

        Parameters
        ----------
        line_length : int, optional
            In characters; default the terminal's width, at most 88 (108 with connections).
        positions : list of float, optional
            Where each column ends, as a share of the line.
        print_fn : callable, optional
            Takes the text; default `print`.
        expand_nested : bool
            Also show the layers of models within the model.
        show_trainable : bool
            Add a column that tells which layers are trained.
        layer_range : pair of str, optional
            Names of the first and the last layer to show.
        """
        from fastnn.models.summary import printable, summarize

        text = summarize(
            self,
            line_length=line_length,
            positions=positions,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
        )
        if print_fn is None:
            print(printable(text))
        else:
            print_fn(text)

    # --- calling -------------------------------------------------------------------------

    def __call__(  # type: ignore[override]
        self, inputs: Any, *, training: bool | None = None
    ) -> Any:
        """Apply the model: to symbolic tensors (as a layer) or to arrays (computes at once).

        Parameters
        ----------
        inputs : SymbolicTensor or array_like, or a list or dict of them
        training : bool, optional
            For arrays: whether layers like Dropout behave as in training.

        Returns
        -------
        SymbolicTensor or numpy.ndarray, or a list or dict of them, like the model's outputs
        """
        values = self._arrange(inputs)
        symbolic = [isinstance(value, SymbolicTensor) for value in values]
        if all(symbolic):
            return self._replay(values, training)
        if any(symbolic):
            raise TypeError(
                f"Model '{self.name}' got arrays and symbolic tensors together: pass either kind"
            )
        if not training:
            return self._call(values if len(values) > 1 else values[0])
        return self._compute_in_training(values)

    def _arrange(self, inputs: Any) -> list[Any]:
        """Return what was passed as `inputs` in the order of the model's inputs."""
        if isinstance(inputs, dict):
            missing = [name for name in self.input_names if name not in inputs]
            if missing:
                raise ValueError(
                    f"Model '{self.name}' expects inputs {self.input_names}, got "
                    f"{list(inputs)}: {missing} missing"
                )
            return [inputs[name] for name in self.input_names]
        count = len(self.inputs)
        if count == 1 and not (
            isinstance(inputs, (list, tuple))
            and len(inputs) == 1
            and hasattr(inputs[0], "shape")
            and len(inputs[0].shape) == len(self.inputs[0].shape)
        ):
            return [inputs]
        if not isinstance(inputs, (list, tuple)) or len(inputs) != count:
            got = len(inputs) if isinstance(inputs, (list, tuple)) else "one"
            raise ValueError(
                f"Model '{self.name}' expects a list of {count} inputs, {self.input_names}, "
                f"got {got}"
            )
        return list(inputs)

    def _check_shapes(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        for name, tensor, shape in zip(self.input_names, self.inputs, shapes, strict=True):
            if tuple(shape[1:]) != tensor.shape[1:]:
                raise ValueError(
                    f"Model '{self.name}': input '{name}' expects shape {tensor.shape}, got "
                    f"{tuple(shape)}: check Input(shape=...)"
                )

    def _replay(self, tensors: list[SymbolicTensor], training: bool | None = None) -> Any:
        """Record the model's calls again on other tensors, within one node."""
        self._check_shapes([tensor.shape for tensor in tensors])
        values = {id(mine): given for mine, given in zip(self.inputs, tensors, strict=True)}
        inner = replay(outer_nodes(self.outputs, until=self.inputs), values)
        outputs: list[SymbolicTensor] = []
        for mine in self.outputs:
            made = values[id(mine)]
            if any(made is tensor for tensor in (*tensors, *outputs)):
                # An input that is an output too, or twice the same output: give it a node.
                made = Activation("linear", name=f"{self.name}_{len(outputs)}")(made)
                inner.append(made.node)
            outputs.append(made)
        node = Node(self, tensors, outputs, inner=inner)
        if training is not None:
            state_training([node], bool(training))
        self.remember(node)
        return self.pack_outputs(outputs)

    def _compute_in_training(self, arrays: list[Any]) -> Any:
        """Run the model on arrays as in training, operation by operation."""
        batches = [as_batch(self, array) for array in arrays]
        self._check_shapes([batch.shape for batch in batches])
        if len({len(batch) for batch in batches}) > 1:
            raise ValueError(
                f"Model '{self.name}': the inputs have different numbers of samples: "
                f"{[len(batch) for batch in batches]}"
            )
        values = {id(t): batch for t, batch in zip(self.inputs, batches, strict=True)}
        for node in ancestors(self.outputs, until=self.inputs):
            given = [values[id(tensor)] for tensor in node.inputs]
            made = as_arrays(node.layer.compute(given, training=True, call=node.call))
            made = list(made.values()) if isinstance(made, dict) else made
            for tensor, value in zip(
                node.outputs, made if isinstance(made, list) else [made], strict=True
            ):
                values[id(tensor)] = value
        return self.pack_outputs([values[id(tensor)] for tensor in self.outputs])

    def pack_outputs(self, values: Sequence[Any]) -> Any:
        """Return one value for each output in the form the model was made with."""
        return _pack(self._outputs_struct, values)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, or the list of shapes."""
        return self.output_shape

    def add_loss(self, loss: Any) -> None:
        """Raise ValueError: it belongs into the `call` of a layer, see `Layer.add_loss`."""
        raise ValueError(
            f"Model '{self.name}': add_loss is for the call of a layer, where a loss is computed "
            "from its inputs: write a layer that calls self.add_loss(...) and returns them"
        )

    # --- configuration and files ---------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the graph as JSON-ready data, in Keras's form."""
        from fastnn.models.configuration import functional_config

        return functional_config(self)

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Model:
        """Make a model, with new weights, from what `get_config` returned.

        Parameters
        ----------
        config : dict
        custom_objects : dict, optional
            Your own classes and functions by name.

        Raises
        ------
        ValueError
            If the data does not describe a model.
        """
        from fastnn.models.configuration import functional_parts

        inputs, outputs = functional_parts(config, custom_objects)
        return cls(
            inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True)
        )

    def to_json(self, **kwargs: Any) -> str:
        """Return the architecture as JSON; `model_from_json` reads it.

        Parameters
        ----------
        **kwargs
            For `json.dumps`, e.g. ``indent=2``.
        """
        import json

        from fastnn.models.configuration import serialize_model

        return json.dumps(serialize_model(self), **kwargs)

    def save(self, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
        """Save architecture, weights, and the state of the training; see `saving.save_model`."""
        from fastnn.models.files import save_model

        save_model(self, filepath, overwrite=overwrite, **kwargs)

    def save_weights(self, filepath: Any, overwrite: bool = True) -> None:
        """Save the weights only; see `saving.save_weights`."""
        from fastnn.models.files import save_weights

        save_weights(self, filepath, overwrite=overwrite)

    def load_weights(self, filepath: Any, **kwargs: Any) -> None:
        """Load weights that `save_weights` or `save` wrote; see `saving.load_weights`."""
        from fastnn.models.files import load_weights

        load_weights(self, filepath, **kwargs)


def _flatten(argument: str, structure: Any) -> tuple[list[SymbolicTensor], list[str]]:
    """Return the tensors of a single, list or dict form, and the keys of a dict."""
    keys: list[str] = []
    if isinstance(structure, dict):
        keys, tensors = [str(key) for key in structure], list(structure.values())
    elif isinstance(structure, (list, tuple)):
        tensors = list(structure)
    else:
        tensors = [structure]
    if not tensors:
        raise ValueError(f"Model: {argument} is empty: give at least one tensor")
    for tensor in tensors:
        if not isinstance(tensor, SymbolicTensor):
            raise ValueError(
                f"Model: {argument} must be symbolic tensors, as Input(shape=...) and layers "
                f"called on them return, got {type(tensor).__name__}"
            )
    return tensors, keys


def _pack(structure: Any, values: Sequence[Any]) -> Any:
    """Return values in the form of `structure`; a list of one stands for its element."""
    if isinstance(structure, dict):
        return dict(zip(structure, values, strict=True))
    return values[0] if len(values) == 1 else list(values)


def _begin_at(
    starts: list[SymbolicTensor], ends: list[SymbolicTensor]
) -> tuple[list[SymbolicTensor], list[SymbolicTensor]]:
    """Give starts from the middle of a graph inputs of their own."""
    if all(isinstance(tensor.node.layer, InputLayer) for tensor in starts):
        return starts, ends
    fresh = [
        tensor
        if isinstance(tensor.node.layer, InputLayer)
        else Input(batch_shape=tensor.shape, dtype=tensor.dtype)
        for tensor in starts
    ]
    values = {id(old): new for old, new in zip(starts, fresh, strict=True)}
    nodes = outer_nodes(ends, until=starts)
    for node in nodes:  # inputs that are missing are reported by the caller
        if isinstance(node.layer, InputLayer):
            values[id(node.outputs[0])] = node.outputs[0]
    replay([node for node in nodes if not isinstance(node.layer, InputLayer)], values)
    return fresh, [values[id(tensor)] for tensor in ends]


def _depends(inputs: list[SymbolicTensor], *, on: list[SymbolicTensor]) -> bool:
    """Return whether the inputs are computed from all of the tensors `on`."""
    made = {id(tensor) for node in outer_nodes(inputs) for tensor in node.outputs}
    return all(id(tensor) in made for tensor in on)


def _check_names(model: str, layers: Sequence[Layer]) -> None:
    first: dict[str, Layer] = {}
    for layer in layers:
        other = first.setdefault(layer.name, layer)
        if other is not layer:
            raise ValueError(
                f"Model '{model}': two layers have the name {layer.name!r} "
                f"({type(other).__name__} and {type(layer).__name__}): give one another name=..."
            )


def _distinct(names: list[str]) -> list[str]:
    """Number the names that appear again: a layer may make two outputs."""
    counts: dict[str, int] = {}
    result = []
    for name in names:
        count = counts.get(name, 0)
        counts[name] = count + 1
        result.append(f"{name}_{count}" if count else name)
    return result


def _without_graph(cls: type) -> Exception:
    if cls.__dict__.get("call") or getattr(cls, "call", Layer.call) is not Layer.call:
        return NotImplementedError(
            f"{cls.__name__}: models with a call() of their own are not available yet. What "
            "works: Model(inputs=..., outputs=...) from Input and layers, Sequential([...]), and "
            "layers of your own (a subclass of Layer with call and backward)"
        )
    return ValueError(
        f"{cls.__name__}: give inputs and outputs, e.g. x = Input(shape=(4,)); "
        f"Model(inputs=x, outputs=Dense(3)(x)); or use Sequential([...])"
    )
