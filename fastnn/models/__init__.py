"""Models: Sequential and functional, both a graph with a Trainer."""

from typing import Any

from fastnn.layers import CLASSES
from fastnn.models.configuration import clone_model, model_from_config, model_from_json
from fastnn.models.model import Model
from fastnn.models.sequential import Sequential

CLASSES.update(Functional=Model, Model=Model, Sequential=Sequential)

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_config",
    "model_from_json",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name in ("load_model", "save_model"):  # the way Keras spells fastnn.saving.load_model
        from fastnn import saving

        return getattr(saving, name)
    raise AttributeError(f"module 'fastnn.models' has no attribute {name!r}")
