"""Checks of the plain arguments of fit, evaluate and predict."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.lookup import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_SIZE = 32
"""What Keras takes when no batch size is given."""


def explain_unknown(method: Callable[..., Any], owner: str) -> Callable[..., Any]:
    """Return a method that says which argument may be meant by one that it does not have.

    Parameters
    ----------
    method : function
    owner : str
        The class that users know it by: the message begins with ``owner.method()``.
    """
    parameters = list(inspect.signature(method).parameters)[1:]  # without self
    known = frozenset(parameters)
    method.__qualname__ = f"{owner}.{method.__name__}"  # which Python's own errors name

    @functools.wraps(method)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.keys() <= known:
            wrong = next(name for name in kwargs if name not in known)
            hint = did_you_mean(wrong, parameters) or f": it takes {', '.join(parameters)}"
            raise TypeError(
                f"{method.__qualname__}() got an unexpected keyword argument {wrong!r}{hint}"
            )
        return method(self, *args, **kwargs)

    return checked


def whole(value: Any, name: str, method: str, *, least: int) -> int:
    """Return an integer argument; raises ValueError if it is none or too small."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        got = repr(value)
        if np.ndim(value):
            got = f"{type(value).__name__}: pass data by keyword"
        raise ValueError(f"{method}: {name} expects a whole number of at least {least}, got {got}")
    return int(value)


def optional_whole(value: Any, name: str, method: str) -> int | None:
    return None if value is None else whole(value, name, method, least=1)


def batch_size_of(given: int | None, steps: int | None, rows: int) -> int:
    """Return the batch size given, or else Keras's: all rows in `steps` batches, or else 32."""
    if given is None:
        return BATCH_SIZE if steps is None else -(-rows // steps)
    return given


def verbosity(value: Any, method: str) -> int:
    """Return 0, 1 or 2 for `verbose`; "auto" is 1."""
    if isinstance(value, str) and value == "auto":
        return 1
    if isinstance(value, (bool, int, np.integer)) and value in (0, 1, 2):
        return int(value)
    raise ValueError(f"{method}: verbose expects 'auto', 0, 1 or 2, got {value!r}")


def truth(value: Any, name: str, method: str) -> bool:
    if isinstance(value, (bool, np.bool_)) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise ValueError(f"{method}: {name} must be True or False, got {value!r}")


def validates(epoch: int, frequency: Any) -> bool:
    """Return whether `epoch` (from 0) ends with a validation."""
    if isinstance(frequency, (int, np.integer)):
        return (epoch + 1) % int(frequency) == 0
    return epoch + 1 in frequency


def check_frequency(frequency: Any) -> None:
    if isinstance(frequency, (list, tuple, set, range)):
        return
    if isinstance(frequency, bool) or not isinstance(frequency, (int, np.integer)) or frequency < 1:
        raise ValueError(
            "fit: validation_freq expects a number of epochs of at least 1, or a list of epochs "
            f"(from 1), got {frequency!r}"
        )


def split_point(rows: int, validation_split: Any) -> int:
    """Return how many rows stay for training: ``floor(rows * (1 - validation_split))``.

    Raises
    ------
    ValueError
        If either side is empty.
    """
    if (
        isinstance(validation_split, bool)
        or not isinstance(validation_split, (int, float, np.floating))
        or not 0 < validation_split < 1
    ):
        raise ValueError(
            "fit: validation_split expects a share of the rows between 0 and 1, got "
            f"{validation_split!r}"
        )
    kept = int(np.floor(rows * (1.0 - validation_split)))
    if kept == 0 or kept == rows:
        raise ValueError(
            f"fit: validation_split={validation_split} of {rows} rows leaves {kept} for training "
            f"and {rows - kept} for validation: change the share, or pass validation_data"
        )
    return kept


def unpack_validation(data: Any) -> tuple[Any, Any, Any]:
    """Return x, y and sample weights of `validation_data`.

    Raises
    ------
    ValueError
        If it is no tuple of two or three.
    """
    if isinstance(data, (tuple, list)) and len(data) in (2, 3):
        return data[0], data[1], data[2] if len(data) == 3 else None
    raise ValueError(
        "fit: validation_data expects (x, y) or (x, y, sample_weight), got "
        + (f"{len(data)} items" if isinstance(data, (tuple, list)) else type(data).__name__)
    )
