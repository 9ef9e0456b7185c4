"""Models: Sequential and functional, both a graph with a Trainer."""

from typing import TYPE_CHECKING, Any

from fastnn import missing
from fastnn.layers import CLASSES
from fastnn.models.configuration import clone_model, model_from_config, model_from_json
from fastnn.models.model import Model
from fastnn.models.sequential import Sequential

if TYPE_CHECKING:
    from fastnn.models.files import load_model, save_model

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
    if name in ("load_model", "save_model"):  # imported when used: archives take time to import
        from fastnn.models import files

        return getattr(files, name)
    raise missing.error(__name__, name)
