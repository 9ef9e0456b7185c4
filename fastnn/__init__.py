"""fastnn: multilayer perceptrons on a CPU, with the interface of Keras.

A notebook written for Keras runs after changing one line::

    import fastnn as keras

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

from typing import TYPE_CHECKING, Any

from fastnn._version import __version__

if TYPE_CHECKING:
    from fastnn import (
        activations as activations,
    )
    from fastnn import (
        callbacks as callbacks,
    )
    from fastnn import (
        config as config,
    )
    from fastnn import (
        datasets as datasets,
    )
    from fastnn import (
        initializers as initializers,
    )
    from fastnn import (
        kernels as kernels,
    )
    from fastnn import (
        layers as layers,
    )
    from fastnn import (
        losses as losses,
    )
    from fastnn import (
        metrics as metrics,
    )
    from fastnn import (
        models as models,
    )
    from fastnn import (
        optimizers as optimizers,
    )
    from fastnn import (
        saving as saving,
    )
    from fastnn import (
        utils as utils,
    )
    from fastnn.graph import Input as Input
    from fastnn.models import Model as Model
    from fastnn.models import Sequential as Sequential
    from fastnn.utils import set_random_seed as set_random_seed
    from fastnn.variable import Variable as Variable

_MODULES = (
    "activations", "callbacks", "config", "datasets", "initializers", "kernels", "layers",
    "losses", "metrics", "models", "optimizers", "saving", "utils",
)  # fmt: skip
_NAMES = {
    "Input": "graph",
    "Model": "models",
    "Sequential": "models",
    "Variable": "variable",
    "get_num_threads": "_core",
    "set_num_threads": "_core",
    "set_random_seed": "config",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _MODULES:
        value = importlib.import_module(f"fastnn.{name}")
    elif name in _NAMES:
        value = getattr(importlib.import_module(f"fastnn.{_NAMES[name]}"), name)
    else:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
