"""Losses: what training minimizes.

Every loss exists as a class (`MeanSquaredError()`) and as a function giving one value per row
(`mean_squared_error(y_true, y_pred)`), and has short names for ``compile(loss="mse")``.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from fastnn import lookup
from fastnn.losses.base import FunctionLoss, Loss
from fastnn.losses.registry import CLASSES, FUNCTIONS, NAMES
from fastnn.losses.standard import *  # noqa: F403
from fastnn.missing import explain_missing, instead

__all__ = [
    "FunctionLoss",
    "Loss",
    "deserialize",
    "flavor",
    "get",
    "resolve",
    "serialize",
    *CLASSES,
    *NAMES,
]

# Every loss under its class's name and all names of its function: losses.MSE is Keras's, too.
globals().update(CLASSES)
globals().update({name: FUNCTIONS[made.function.__name__] for name, made in NAMES.items()})
UPPER = {name.upper(): name for name in NAMES if len(name) <= 4}
globals().update({upper: globals()[name] for upper, name in UPPER.items()})

if TYPE_CHECKING:  # type checkers do not see what is made of the table

    def __getattr__(name: str) -> Any: ...


_LOOKUP = lookup.Lookup(
    "loss",
    {**NAMES, **CLASSES},
    base=Loss,
    instead=functools.partial(instead, __name__),
    functions={function: NAMES[name] for name, function in FUNCTIONS.items()},
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
