"""Models in files: architecture, weights, and the state of their training.

What a file holds, besides the manifest of the store:

- the root's attributes: ``kind`` ("model" or "weights"), and for a model its configuration, the
  arguments of `compile` and the seed of the training;
- ``layers/<layer>/<weight>`` for every weight; a model within the model is one more level;
- ``optimizer/<slot>/layers/<layer>/<weight>`` for every slot, with the number of iterations among
  the attributes of ``optimizer``.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import losses, metrics, optimizers
from fastnn._version import __version__
from fastnn.models.configuration import model_from_config, serialize_model
from fastnn.store import Store, write_store
from fastnn.variable import uninitialized

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastnn.layers import Layer
    from fastnn.variable import Variable

Path = str | os.PathLike[str]


# --- models ----------------------------------------------------------------------------------


def save_model(
    model: Any,
    filepath: Path,
    overwrite: bool = True,
    include_optimizer: bool = True,
    save_format: Any = None,
    zipped: Any = None,
) -> None:
    """Save a model so that `load_model` gives it back and its training can go on.

    Parameters
    ----------
    model : Model
    filepath : path
        Used as it is; with any suffix (``.npz``, ``.keras``, ``.h5`` ...) the file is fastnn's
        own store, which ``numpy.load`` reads too.
    overwrite : bool
        False raises an error if the file exists.
    include_optimizer : bool
        False leaves out what only training needs.
    save_format, zipped
        Accepted for Keras's sake; they change nothing.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    ValueError
        If the configuration of a layer cannot be written down. A file that was there before is
        unchanged after any error.

    Examples
    --------
    >>> model.save("digits.npz")
    >>> same = fastnn.models.load_model("digits.npz")
    >>> np.load("digits.npz")["layers/dense/kernel"].shape
    (784, 300)
    """
    _check_overwrite(filepath, overwrite)
    paths, attributes = _weights(model)
    arrays = {path: variable.value for path, variable in paths.items()}
    attributes[""] = {
        "kind": "model",
        "fastnn_version": __version__,
        "model": serialize_model(model),
        "compile": None,
    }
    if model.compiled and include_optimizer:
        attributes[""] |= {"compile": _compile_config(model), "seed": model.seed}
        optimizer = model.optimizer
        attributes["optimizer"] = {"iterations": optimizer.iterations}
        built = {id(variable) for variable in optimizer.variables}
        for path, variable in paths.items():
            if id(variable) in built:
                for name, slot in zip(optimizer.slot_names, optimizer.slots(variable), strict=True):
                    arrays[f"optimizer/{name}/{path}"] = variable.view(slot)
    write_store(filepath, arrays, attributes)


def load_model(
    filepath: Path,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Return the model that `save_model` wrote, ready to predict and to train on.

    Training goes on as if it had not stopped: weights, optimizer, seed and the number of steps
    done are restored to the bit.

    Parameters
    ----------
    filepath : path
    custom_objects : dict, optional
        Your own classes and functions by name. A file can name nothing else but these and
        fastnn's own; it runs no code.
    compile : bool
        False leaves the model uncompiled, and needs no custom losses and metrics.
    safe_mode
        Accepted for Keras's sake: loading is always safe.

    Returns
    -------
    Model

    Raises
    ------
    FileFormatError
        A ValueError: if the file is damaged or not fastnn's, or names what it cannot find.
    """
    custom = dict(custom_objects or {})
    with Store(filepath) as store:
        attributes = store.attrs
        if attributes.get("kind") != "model":
            raise store.error(
                "holds weights without a model: build the model and call load_weights"
                if attributes.get("kind") == "weights"
                else "holds no model"
            )
        model = _guarded(store, _build_model, attributes.get("model"), custom)
        paths, _ = _weights(model)
        values = _read_all(store, paths)
        if compile and attributes.get("compile") is not None:
            _guarded(store, _compile_model, model, attributes, custom)
            _restore_optimizer(store, model.optimizer, paths)
    for path, variable in paths.items():
        variable.value[...] = values[path]
    return model


def _guarded(store: Store, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function that follows what the file says; its errors name the file."""
    try:
        return function(*arguments)
    except (
        ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, MemoryError,
        OverflowError,
    ) as error:  # fmt: skip
        raise store.error(f"cannot be made into a model: {error}") from error


def _build_model(data: Any, custom_objects: dict[str, Any]) -> Any:
    with uninitialized():
        return model_from_config(data, custom_objects)


def _read_all(store: Store, paths: Mapping[str, Variable]) -> dict[str, np.ndarray]:
    """Return the values of all weights, which must be those of the file."""
    saved = {name for name in store.datasets if name.startswith("layers/")}
    if saved != set(paths):
        odd = min(saved ^ set(paths))
        where = "configuration" if odd in saved else "arrays"
        raise store.error(f"does not agree with itself: its {where} lack '{odd}'")
    for path, variable in paths.items():
        _check_shape(store, path, variable)
    return {path: store.read(path) for path in paths}


def _check_shape(store: Store, name: str, variable: Variable) -> None:
    found = tuple(store.datasets[name]["shape"])
    if found != variable.shape:
        raise store.error(
            f"does not agree with itself: '{name}' should have shape {variable.shape}, has {found}"
        )


# --- what was compiled -------------------------------------------------------------------------


def _compile_config(model: Any) -> dict[str, Any]:
    arguments = model._compile_arguments
    return {
        "optimizer": optimizers.serialize(model.optimizer),
        "loss": _map(arguments["loss"], losses.serialize),
        "loss_weights": arguments["loss_weights"],
        "metrics": _map(arguments["metrics"], metrics.serialize),
        "weighted_metrics": _map(arguments["weighted_metrics"], metrics.serialize),
        "engine": model._compiled.engine,
    }


def _map(value: Any, convert: Callable[[Any], Any]) -> Any:
    """Convert what `compile` takes, through its lists and dicts; names stay names."""
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _map(item, convert) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_map(item, convert) for item in value]
    return value if value is None or isinstance(value, str) else convert(value)


def _compile_model(
    model: Any, attributes: Mapping[str, Any], custom_objects: dict[str, Any]
) -> None:
    """Compile the model as the file says."""
    config = attributes["compile"]

    def find(value: Any, deserialize: Callable[..., Any]) -> Any:
        if isinstance(value, dict) and "class_name" not in value:
            return {key: find(item, deserialize) for key, item in value.items()}
        if isinstance(value, list):
            return [find(item, deserialize) for item in value]
        if isinstance(value, str):
            return custom_objects.get(value, value)
        return value if value is None else deserialize(value, custom_objects)

    model.seed = attributes["seed"]  # first: without one, compile would draw it
    try:
        model.compile(
            optimizers.deserialize(config["optimizer"], custom_objects),
            find(config["loss"], losses.deserialize),
            config["loss_weights"],
            find(config["metrics"], metrics.deserialize),
            find(config["weighted_metrics"], metrics.deserialize),
            engine=config["engine"],
        )
    except ValueError as error:
        raise ValueError(
            f"{error}. Pass your own losses, metrics and optimizers as custom_objects={{name: "
            "object}, or load with compile=False"
        ) from error


def _restore_optimizer(store: Store, optimizer: Any, paths: Mapping[str, Variable]) -> None:
    """Give the optimizer its slots and its number of steps."""
    iterations = store.attributes.get("optimizer", {}).get("iterations")
    if type(iterations) is not int or not 0 <= iterations < 2**63:
        raise store.error(f"has {iterations!r} as the number of iterations")
    names = optimizer.slot_names
    saved = {name for name in store.datasets if name.startswith("optimizer/")}
    used = [path for path in paths if names and f"optimizer/{names[0]}/{path}" in saved]
    wanted = {f"optimizer/{name}/{path}" for path in used for name in names}
    if wanted != saved:
        raise store.error(f"does not agree with itself in '{min(wanted ^ saved)}'")
    for path in used:
        variable = paths[path]
        for number, name in enumerate(names):
            key = f"optimizer/{name}/{path}"
            _check_shape(store, key, variable)
            variable.view(optimizer.slots(variable)[number])[...] = store.read(key)
    optimizer.iterations = iterations


# --- weights -----------------------------------------------------------------------------------


def save_weights(model: Any, filepath: Path, overwrite: bool = True) -> None:
    """Save the weights of a model, for `load_weights`.

    Parameters
    ----------
    model : Model
    filepath : path
        Used as it is, with any suffix.
    overwrite : bool
        False raises FileExistsError if the file exists.

    Raises
    ------
    ValueError
        If the model is not built, so that it has no weights yet.
    """
    _check_overwrite(filepath, overwrite)
    _check_built(model, "save_weights")
    paths, attributes = _weights(model)
    attributes[""] = {"kind": "weights", "fastnn_version": __version__}
    write_store(filepath, {path: v.value for path, v in paths.items()}, attributes)


def load_weights(model: Any, filepath: Path, skip_mismatch: bool = False) -> None:
    """Give a model the weights in a file that `save_weights` or `save_model` wrote.

    Layers are found by name. If their names differ but kernels and biases follow each other in
    the same way, as in a model that was built a second time, they are taken in order.

    Parameters
    ----------
    model : Model
    filepath : path
    skip_mismatch : bool
        Load what fits, and leave the other weights as they are, with a warning.

    Raises
    ------
    FileFormatError
        If the file is damaged or not fastnn's.
    ValueError
        If the weights do not fit. The model is unchanged after any error.
    """
    _check_built(model, "load_weights")
    paths, _ = _weights(model)
    with Store(filepath) as store:
        if store.attrs.get("kind") not in ("model", "weights"):
            raise store.error("holds no weights of a model")
        shapes = {
            name: tuple(entry["shape"])
            for name, entry in store.datasets.items()
            if name.startswith("layers/")
        }
        wanted = {path: v.shape for path, v in paths.items()}
        pairs = _pair(shapes, wanted)
        differences = _differences(shapes, wanted, pairs)
        if differences and not skip_mismatch:
            raise ValueError(
                f"The weights in '{os.fspath(filepath)}' do not fit model '{model.name}':\n  "
                + "\n  ".join(differences)
                + "\nBuild the model with the layers it was saved with, or pass "
                "skip_mismatch=True to load what fits"
            )
        values = {
            path: store.read(name) for path, name in pairs.items() if shapes[name] == wanted[path]
        }
    if differences:
        warnings.warn(
            f"load_weights: '{os.fspath(filepath)}' fits model '{model.name}' in "
            f"{len(values)} of {len(wanted)} weights; the others stay as they are:\n  "
            + "\n  ".join(differences),
            stacklevel=3,
        )
    for path, value in values.items():
        paths[path].value[...] = value


def _pair(
    saved: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
) -> dict[str, str]:
    """Return which array of the file stands for each weight of the model."""

    def kinds(shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
        return [path.rpartition("/")[2] for path in shapes]

    if saved.keys() != wanted.keys() and kinds(saved) == kinds(wanted):
        return dict(zip(wanted, saved, strict=True))
    return {path: path for path in wanted if path in saved}


def _differences(
    saved: Mapping[str, tuple[int, ...]],
    wanted: Mapping[str, tuple[int, ...]],
    pairs: Mapping[str, str],
) -> list[str]:
    """Return what does not fit, a line each, the first four and the number of the others."""
    differences = []
    for path, mine in wanted.items():
        name = path.removeprefix("layers/")
        if path not in pairs:
            differences.append(f"the model has '{name}' of shape {mine}, the file does not")
        elif mine != (its := saved[pairs[path]]):
            of_file = "" if pairs[path] == path else f" as '{pairs[path].removeprefix('layers/')}'"
            differences.append(
                f"'{name}' has shape {mine} in the model, {its} in the file{of_file}"
            )
    taken = set(pairs.values())
    for path, its in saved.items():
        if path not in taken:
            name = path.removeprefix("layers/")
            differences.append(f"the file has '{name}' of shape {its}, the model does not")
    more = len(differences) - 4
    return differences[:4] + ([f"and {more} more"] if more > 0 else [])


# --- shared ------------------------------------------------------------------------------------


def _check_overwrite(filepath: Path, overwrite: bool) -> None:
    if not overwrite and os.path.exists(filepath):
        raise FileExistsError(
            f"'{os.fspath(filepath)}' exists: choose another name, or pass overwrite=True"
        )


def _check_built(model: Any, method: str) -> None:
    if not model.built:
        raise ValueError(
            f"{method}: model '{model.name}' has no weights yet: begin it with Input(shape=...), "
            "or call build(input_shape)"
        )


def _weights(model: Layer) -> tuple[dict[str, Variable], dict[str, dict[str, Any]]]:
    """Return the weights of a model by path, and the attributes of the groups they are in."""
    weights: dict[str, Variable] = {}
    attributes: dict[str, dict[str, Any]] = {}
    seen: set[int] = set()

    def walk(layer: Layer, place: str, by_place: bool = False) -> None:
        attributes[place] = {"class_name": type(layer).__name__}
        taken: set[str] = set()

        def unique(name: str) -> str:
            while name in taken:
                name += "_"
            taken.add(name)
            return f"{place}/{name}"

        for variable, _ in layer._weights:
            if id(variable) not in seen:
                seen.add(id(variable))
                weights[unique(variable.name)] = variable
        for name, inner in layer.named_layers(by_place=by_place):
            if id(inner) not in seen:
                seen.add(id(inner))
                walk(inner, unique(name), by_place or not layer._sublayers)

    walk(model, "layers")
    return weights, attributes
