"""Functions on arrays alone: making, sorting, searching, counting."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["standardize_dtype"]


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a number type; None is `config.floatx`."""
    from fastnn import config

    if dtype is None:
        return config.floatx()
    if dtype in (int, "int"):
        return "int32"
    if dtype in (float, "float"):
        return config.floatx()
    return np.dtype(dtype).name
