"""Settings of the process: number type, engine, random seed, and the counters that name things."""

from __future__ import annotations

import re
import threading

import numpy as np

from fastnn.missing import explain_missing

_FLOATS = ("float32", "float64")
_ENGINES = ("c", "numpy")

_floatx = "float32"
_epsilon = 1e-7
_engine = "c"
_image_data_format = "channels_last"
_rng: np.random.Generator | None = None
_counters: dict[str, int] = {}
_reserved: set[str] = set()
_lock = threading.Lock()


def backend() -> str:
    """Return ``"numpy"``: what models and layers return for arrays are NumPy's."""
    return "numpy"


def floatx() -> str:
    """Return the number type new layers get: ``"float32"`` (default) or ``"float64"``."""
    return _floatx


def set_floatx(dtype: str) -> None:
    """Set the number type of the layers made from now on.

    Parameters
    ----------
    dtype : {"float32", "float64"}

    Raises
    ------
    ValueError
        If it is another type.

    Examples
    --------
    >>> from fastnn import config
    >>> config.set_floatx("float64")
    >>> config.floatx()
    'float64'
    >>> config.set_floatx("float32")
    """
    global _floatx
    _floatx = float_type(dtype)


def float_type(dtype: object) -> str:
    """Return the name of a number type in which fastnn can compute, or raise ValueError."""
    if isinstance(dtype, dict):  # Keras: {"class_name": "DTypePolicy", "config": {"name": ...}}
        dtype = dtype.get("config", {}).get("name")
    try:
        name = np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        name = str(dtype)
    if dtype is None or name not in _FLOATS:
        raise ValueError(
            f"dtype: expected 'float32' or 'float64', got {dtype!r}: fastnn computes in these two"
        )
    return name


def epsilon() -> float:
    """Return the small number that losses and metrics clip with, 1e-7 unless set."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the small number that losses and metrics clip with; it must be positive."""
    global _epsilon
    if not value > 0:
        raise ValueError(f"set_epsilon: expected a positive number, got {value!r}")
    _epsilon = float(value)


def image_data_format() -> str:
    """Return which axis of images holds their colors: ``"channels_last"`` unless set.

    Dense networks do not look at it; code that reshapes images asks for it.
    """
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set what `image_data_format` returns: ``"channels_last"`` or ``"channels_first"``."""
    global _image_data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "set_image_data_format: expected 'channels_last' or 'channels_first', got "
            f"{data_format!r}"
        )
    _image_data_format = data_format


def engine() -> str:
    """Return the engine that models use unless ``compile(engine=...)`` names one."""
    return _engine


def set_engine(name: str) -> None:
    """Choose the engine of models compiled from now on.

    Parameters
    ----------
    name : {"c", "numpy"}
        ``"c"`` is the fast one (default), ``"numpy"`` the readable one.

    Raises
    ------
    ValueError
        If there is no such engine.
    """
    global _engine
    if name not in _ENGINES:
        raise ValueError(f"set_engine: expected one of {list(_ENGINES)}, got {name!r}")
    _engine = name


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and fastnn's random numbers, so that a program repeats itself.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Raises
    ------
    ValueError
        If it is not such an integer.

    Examples
    --------
    >>> from fastnn import config
    >>> config.set_random_seed(7)
    >>> first = config.next_seed()
    >>> config.set_random_seed(7)
    >>> config.next_seed() == first
    True
    """
    import random

    global _rng
    is_integer = isinstance(seed, (int, np.integer)) and not isinstance(seed, bool)
    if not is_integer or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: expected an integer from 0 to 2**32 - 1, got {seed!r}")
    random.seed(int(seed))
    np.random.seed(int(seed))
    _rng = np.random.default_rng(int(seed))


def rng() -> np.random.Generator:
    """Return the generator that unseeded initializers draw from.

    It is seeded from the operating system unless `set_random_seed` was called.
    """
    global _rng
    if _rng is None:
        _rng = np.random.default_rng()
    return _rng


def next_seed() -> int:
    """Draw a fresh 63-bit seed, for a model or whatever else keeps random numbers of its own."""
    return int(rng().integers(0, 2**63))


def snake_case(name: str) -> str:
    """Return a class name the way layers are named: ``"PReLU"`` gives ``"p_re_lu"``."""
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def unique_name(prefix: str) -> str:
    """Return `prefix` the first time, then ``prefix_1``, ``prefix_2``, for this process.

    Names that somebody has chosen (`reserve_name`) are passed over.
    """
    while True:
        with _lock:
            count = _counters.get(prefix, 0)
            _counters[prefix] = count + 1
            name = f"{prefix}_{count}" if count else prefix
            if name not in _reserved:
                return name


def reserve_name(name: str) -> None:
    """Let `unique_name` never give this name."""
    with _lock:
        _reserved.add(name)


def get_uid(prefix: str = "") -> int:
    """Return how often this prefix has been named or asked for, from 1."""
    with _lock:
        _counters[prefix] = _counters.get(prefix, 0) + 1
        return _counters[prefix]


def clear_session() -> None:
    """Start naming layers and models from the beginning again."""
    with _lock:
        _counters.clear()
        _reserved.clear()


explain_missing(__name__)
