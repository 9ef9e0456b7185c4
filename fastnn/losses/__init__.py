"""Losses: what training makes small.

Every loss exists as a class (`MeanSquaredError()`) and as a function giving one value per row
(`mean_squared_error(y_true, y_pred)`), and has short names for ``compile(loss="mse")``.
"""

from __future__ import annotations

import functools
from typing import Any

from fastnn import lookup
from fastnn.losses.base import FunctionLoss, Loss
from fastnn.losses.standard import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    Huber,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    categorical_crossentropy,
    huber,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from fastnn.missing import explain_missing, instead

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "FunctionLoss",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "deserialize",
    "flavor",
    "get",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "resolve",
    "serialize",
    "sparse_categorical_crossentropy",
]

_CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy, CategoricalCrossentropy, Huber, MeanAbsoluteError, MeanSquaredError,
    SparseCategoricalCrossentropy,
)  # fmt: skip

_LOOKUP = lookup.Lookup(
    "loss",
    {
        "bce": BinaryCrossentropy,
        "binary_crossentropy": BinaryCrossentropy,
        "categorical_crossentropy": CategoricalCrossentropy,
        "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
        "huber": Huber,
        "huber_loss": Huber,
        "mae": MeanAbsoluteError,
        "mean_absolute_error": MeanAbsoluteError,
        "mse": MeanSquaredError,
        "mean_squared_error": MeanSquaredError,
        **{cls.__name__: cls for cls in _CLASSES},
    },
    base=Loss,
    instead=functools.partial(instead, __name__),
    functions={
        mean_squared_error: MeanSquaredError,
        mean_absolute_error: MeanAbsoluteError,
        huber: Huber,
        binary_crossentropy: BinaryCrossentropy,
        categorical_crossentropy: CategoricalCrossentropy,
        sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    },
    also=["crossentropy"],  # see `resolve`
)


def get(identifier: Any) -> Loss | None:
    """Return the loss that a name, a function, a config or an instance stands for.

    Parameters
    ----------
    identifier : str, callable, dict, Loss or None
        ``"mse"``, ``"MSE"``, ``"MeanSquaredError"``, `mean_squared_error`, a function of yours,
        what `serialize` returned, an instance (returned as it is), or None (returned as it is).

    Raises
    ------
    ValueError
        If it names no loss.

    Examples
    --------
    >>> get("mse").name
    'mean_squared_error'
    """
    found = _LOOKUP.get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    if callable(found):
        return FunctionLoss(found)
    raise ValueError(
        f"loss: expected a name such as 'mse', a function or a Loss, got {identifier!r}"
    )


def resolve(
    identifier: Any, y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]
) -> Loss | None:
    """Return the loss of one output: as `get`, and "crossentropy" chosen by the shapes."""
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        return _LOOKUP.get(f"{flavor(y_true_shape, y_pred_shape)}_crossentropy")
    return get(identifier)


def flavor(y_true_shape: tuple[int, ...], y_pred_shape: tuple[int, ...]) -> str:
    """Return which accuracy or crossentropy the shapes of one sample ask for, as Keras does.

    One number per prediction is "binary"; labels without the classes' axis, or with one of
    length 1, are "sparse_categorical"; all else is "categorical".
    """
    if not y_pred_shape or y_pred_shape[-1] == 1:
        return "binary"
    if len(y_true_shape) < len(y_pred_shape) or y_true_shape[-1] == 1:
        return "sparse_categorical"
    return "categorical"


def serialize(loss: Any) -> dict[str, Any] | str:
    """Return a loss as data that `deserialize` understands."""
    loss = get(loss)
    if isinstance(loss, FunctionLoss):
        return loss.name
    return lookup.serialize(loss)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Loss | None:
    """Return the loss that `serialize` wrote down; `custom_objects` names those of yours."""
    return get(_LOOKUP.deserialize(config, custom_objects))


explain_missing(__name__)
