"""fastnn: multilayer perceptrons on a CPU, with the interface of Keras.

A notebook on dense networks written for Keras runs after changing its imports, as far as it uses
nothing that docs/keras-differences.md lists as missing (``from keras.layers import ...`` becomes
``from fastnn.layers import ...``)::

    import fastnn as keras  # was: import keras

    model = keras.Sequential([
        keras.Input(shape=(4,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(3, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

Every name below is imported when it is first used (PEP 562), so that ``import fastnn`` costs
little more than ``import numpy``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fastnn._version import __version__

if TYPE_CHECKING:
    from fastnn import (
        activations,
        backend,
        callbacks,
        config,
        datasets,
        initializers,
        kernels,
        layers,
        losses,
        metrics,
        models,
        ops,
        optimizers,
        random,
        saving,
        utils,
    )
    from fastnn._core import get_num_threads, set_num_threads
    from fastnn._version import version
    from fastnn.config import set_random_seed
    from fastnn.initializers import Initializer
    from fastnn.layers import Input, InputSpec, Layer
    from fastnn.losses import Loss
    from fastnn.metrics import Metric
    from fastnn.models import Model, Sequential
    from fastnn.optimizers import Optimizer
    from fastnn.variable import Variable

__all__ = [
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "config",
    "datasets",
    "get_num_threads",
    "initializers",
    "kernels",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "saving",
    "set_num_threads",
    "set_random_seed",
    "utils",
    "version",
]

# Where the names live that are not modules themselves.
_HOMES = {
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Optimizer": "optimizers",
    "Sequential": "models",
    "Variable": "variable",
    "get_num_threads": "_core",
    "set_num_threads": "_core",
    "set_random_seed": "config",
    "version": "_version",
}


def __getattr__(name: str) -> Any:
    if name == "_core":
        return _built_core()
    if name not in __all__:
        from fastnn.missing import error

        raise error(__name__, name)
    import importlib

    home = _HOMES.get(name, name)
    module = _built_core() if home == "_core" else importlib.import_module(f"fastnn.{home}")
    value = getattr(module, name) if name in _HOMES else module
    globals()[name] = value
    return value


class _OldModules:
    """The last of Python's finders: explains import lines of old Keras."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.startswith("fastnn."):
            from fastnn.missing import explain_module

            explain_module(name)


sys.meta_path.append(_OldModules)


def _built_core() -> Any:
    """Return the compiled part; a checkout that is not built hides an installed fastnn."""
    import importlib

    try:
        return importlib.import_module("fastnn._core")
    except ModuleNotFoundError as error:
        if error.name != "fastnn._core":
            raise
        import platform

        raise ImportError(
            f"fastnn in '{__path__[0]}' is not built for Python {platform.python_version()}: run "
            "'pip install -e .' in that checkout; or, if fastnn is installed, start Python in "
            "another folder",
            name="fastnn._core",
        ) from None


def __dir__() -> list[str]:
    return sorted(__all__)
