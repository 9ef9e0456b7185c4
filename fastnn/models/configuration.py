"""Models as data, in the form of Keras 3's config.json, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.layers import CLASSES, InputLayer, Lambda, Layer, deserialize, serialize
from fastnn.layers.lambda_layer import name_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastnn.graph import Node, SymbolicTensor
    from fastnn.models.model import Model


def class_name(model: Layer) -> str:
    """Return the name by which a configuration calls the class: Model is "Functional"."""
    name = type(model).__name__
    return "Functional" if name == "Model" else name


def serialize_model(model: Model) -> dict[str, Any]:
    """Return a model as data: ``{"class_name": ..., "config": {...}}``."""
    return {"class_name": class_name(model), "config": model.get_config()}


def functional_config(model: Model) -> dict[str, Any]:
    """Return the configuration of a functional model."""
    calls: dict[int, list[Node]] = {id(layer): [] for layer in model._layers}
    for node in model.nodes:
        calls[id(node.layer)].append(node)

    def history(tensor: SymbolicTensor) -> list[Any]:
        nodes = calls[id(tensor.node.layer)]
        place = nodes.index(tensor.node) if nodes else 0  # an input that nobody reads
        return [tensor.node.layer.name, place, tensor.index]

    def inbound(node: Node) -> dict[str, Any]:
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {
                    "shape": list(tensor.shape),
                    "dtype": tensor.dtype,
                    "keras_history": history(tensor),
                },
            }
            for tensor in node.inputs
        ]
        if node.call is None:
            return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": {}}
        args, kwargs = node.call.fill(tensors)
        if node.call.training is not None:
            kwargs["training"] = node.call.training
        return {"args": _written(list(args), node), "kwargs": _written(kwargs, node)}

    def ends(structure: Any) -> Any:
        if isinstance(structure, dict):
            return {key: history(tensor) for key, tensor in structure.items()}
        return [history(t) for t in (structure if isinstance(structure, list) else [structure])]

    layers = []
    for layer in model._layers:
        data = serialize(layer)
        data["class_name"] = class_name(layer)
        data["name"] = layer.name
        is_input = isinstance(layer, InputLayer)
        data["inbound_nodes"] = [] if is_input else [inbound(n) for n in calls[id(layer)]]
        layers.append(data)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": ends(model._inputs_struct),
        "output_layers": ends(model._outputs_struct),
    }


def functional_parts(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> tuple[Any, Any]:
    """Return the inputs and outputs of the model that `functional_config` described."""
    try:
        entries = config["layers"]
        ends = config["input_layers"], config["output_layers"]
        pending = []
        layers: dict[str, Layer] = {}
        made: dict[str, list[list[SymbolicTensor]]] = {}
        for entry in entries:
            layer = layers[layer_name(entry)] = deserialize(entry, custom_objects)
            made[layer_name(entry)] = [[layer.output]] if isinstance(layer, InputLayer) else []
            pending.append((layer_name(entry), list(entry["inbound_nodes"])))
    except (KeyError, TypeError) as error:
        raise ValueError(f"Model.from_config: the configuration lacks {error}") from None

    def tensor(history: Any) -> SymbolicTensor | None:
        name, call, index = history[:3]
        if name not in made:
            raise ValueError(f"Model.from_config: there is no layer {name!r}")
        return made[name][call][index] if call < len(made[name]) else None

    while any(calls for _, calls in pending):
        progress = False
        for name, calls in pending:
            while calls:
                found: list[SymbolicTensor | None] = []
                args, kwargs = _arguments(name, calls[0], tensor, found)
                if any(one is None for one in found):
                    break
                output = layers[name](*args, **kwargs)
                made[name].append(_tensors(output))
                calls.pop(0)
                progress = True
        if not progress:
            waiting = [name for name, calls in pending if calls]
            raise ValueError(f"Model.from_config: layers {waiting} have inputs that nobody makes")

    def find(structure: Any) -> Any:
        if isinstance(structure, dict):
            return {key: find(history) for key, history in structure.items()}
        if isinstance(structure, (list, tuple)) and structure and isinstance(structure[0], str):
            return tensor(structure)
        return [find(history) for history in structure]

    return find(ends[0]), find(ends[1])


def layer_name(entry: dict[str, Any]) -> str:
    """Return the name under which other layers refer to this one."""
    return entry["name"] if "name" in entry else entry["config"]["name"]


def _arguments(
    name: str, call: Any, tensor: Callable[[Any], Any], found: list[Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call; its tensors, None where they are not made yet, in `found`."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("class_name") == "__keras_tensor__":
            found.append(tensor(value["config"]["keras_history"]))
            return found[-1]
        if value.get("class_name") == "__array__":
            return np.array(value["config"]["value"], np.dtype(value["config"]["dtype"]))
        return {key: read(item) for key, item in value.items()}

    try:
        args, kwargs = read(call["args"]), read(call["kwargs"])
        if not isinstance(args, list) or not isinstance(kwargs, dict) or not (args or kwargs):
            raise TypeError
    except (KeyError, IndexError, TypeError):
        raise ValueError(f"Model.from_config: cannot read a call of layer {name!r}") from None
    return args, kwargs


def _written(value: Any, node: Node) -> Any:
    """Return an argument of a call as data."""
    if isinstance(value, dict):
        return {str(key): _written(item, node) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(item, node) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        config = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__array__", "config": config}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise NotImplementedError(
        f"layer '{node.layer.name}' was called with an argument of type {type(value).__name__}, "
        "which cannot be written down: give it to __init__ instead"
    )


def _tensors(output: Any) -> list[SymbolicTensor]:
    if isinstance(output, dict):
        return list(output.values())
    return list(output) if isinstance(output, list) else [output]


def model_from_config(data: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Model:
    """Make a model, with new weights, from ``{"class_name": ..., "config": {...}}``."""
    from fastnn.models.model import Model

    layer = deserialize(data, custom_objects)
    if not isinstance(layer, Model):
        raise ValueError(f"{data['class_name']} is a layer, not a model")
    return layer


def model_from_json(text: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """Make a model, with new weights, from what ``model.to_json()`` returned.

    Parameters
    ----------
    text : str
    custom_objects : dict, optional
        Your own classes and functions by name.

    Raises
    ------
    ValueError
        If the text does not describe a model.
    """
    import json

    return model_from_config(json.loads(text), custom_objects)


def clone_model(model: Model, custom_objects: dict[str, Any] | None = None) -> Model:
    """Return a model of the same architecture with new weights.

    Layers of your own classes are found without `custom_objects`.
    """
    layers = _all_layers(model)
    own: dict[str, Any] = {type(layer).__name__: type(layer) for layer in layers}
    own = {name: cls for name, cls in own.items() if CLASSES.get(name) is not cls}
    lambdas = [layer for layer in layers if isinstance(layer, Lambda)]
    own.update((name_of(layer.function), layer.function) for layer in lambdas)
    data = serialize_model(model)
    own.setdefault(data["class_name"], type(model))
    clone = model_from_config(data, {**own, **(custom_objects or {})})
    found = [layer for layer in _all_layers(clone) if isinstance(layer, Lambda)]
    for layer, original in zip(found, lambdas, strict=True):  # several may have one name
        layer.function = original.function
    return clone


def _all_layers(model: Layer) -> list[Layer]:
    found = []
    for layer in model.direct_layers():
        found += [layer, *_all_layers(layer)]
    return found
