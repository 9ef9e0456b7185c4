"""From what people pass to arrays the engines can read rows from; nothing large is copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

READABLE = frozenset(
    np.dtype(name)
    for name in (
        "float32", "float64", "bool", "int8", "int16", "int32", "int64",
        "uint8", "uint16", "uint32", "uint64",
    )
)  # fmt: skip
"""Number types that the engines convert row by row, so that their arrays are used as they are."""

_HINTS = {
    "O": "make every row the same length and every value a number",
    "S": "turn the text into numbers",
    "U": "turn the text into numbers, for example "
    "np.unique(labels, return_inverse=True)[1] for class labels",
    "M": "turn the dates into numbers, for example days since a first day",
    "m": "turn the durations into numbers, for example x / np.timedelta64(1, 's')",
    "c": "pass the real and the imaginary part as two columns",
    "V": "pick the columns of the structured array one by one",
}


def to_array(value: Any, who: str) -> np.ndarray:
    """Return `value` as an array with a first axis, of a type in `READABLE`.

    Parameters
    ----------
    value : array, list, pandas object or anything that NumPy converts
    who : str
        Named in errors: ``"fit: x"``.

    Raises
    ------
    TypeError
        For generators, data sets and the like, which hold no array.
    ValueError
        If the content is not real numbers, or has no axis.
    """
    if type(value) is not np.ndarray:
        value = _converted(value, who)
    dtype = value.dtype
    if dtype not in READABLE:
        if dtype.kind not in "fiub":
            odd = _first_odd(value)
            hint = _HINTS[dtype.kind]
            if dtype.kind == "O" and value.size and not odd:
                hint = "all values are numbers, so convert it with .astype(float)"
            raise ValueError(f"{who} expects numbers, got dtype {dtype}{odd}: {hint}")
        # The other float types, and foreign byte orders.
        wide = np.float32 if dtype.itemsize <= 2 else np.float64
        value = value.astype(wide if dtype.kind == "f" and dtype.itemsize not in (4, 8)
                             else dtype.newbyteorder("="))  # fmt: skip
    elif not value.flags.aligned:
        value = np.require(value, requirements="A")
    if value.ndim == 0:
        raise ValueError(
            f"{who} expects an array with one row per sample, got the single number {value}: "
            f"put it into a list"
        )
    return value


def _converted(value: Any, who: str) -> np.ndarray:
    if value is None:
        raise ValueError(f"{who} is missing: pass an array with one row per sample")
    if isinstance(value, np.ndarray):  # np.memmap, np.matrix: the same data, plain
        if isinstance(value, np.ma.MaskedArray):
            raise ValueError(
                f"{who} expects plain numbers, got a masked array: decide what masked values "
                "are, for example x.filled(0)"
            )
        return np.asarray(value)
    if hasattr(value, "iloc") and hasattr(value, "to_numpy"):
        return _from_pandas(value, who)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{who} expects a dense array, got a sparse matrix: use x.toarray()")
    if isinstance(value, (str, bytes)) or not (
        hasattr(value, "__array__")
        or hasattr(value, "__array_interface__")
        or isinstance(value, (list, tuple, range))
        or np.isscalar(value)
        or _has_buffer(value)
    ):
        raise TypeError(
            f"{who} expects an array with one row per sample, got {type(value).__name__}: collect "
            "what it yields with np.concatenate, or call train_on_batch in a loop"
        )
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{who} expects an array with one row per sample; the rows differ in shape ({error}): "
            "make every row the same length"
        ) from None


def _has_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


def _from_pandas(value: Any, who: str) -> np.ndarray:
    """Convert a DataFrame or a Series, naming the columns that are no numbers."""
    frame = hasattr(value, "columns")
    columns = list(value.columns) if frame else [value.name]
    dtypes = list(value.dtypes) if frame else [value.dtype]
    odd = [
        f"{name!r} ({dtype})"
        for name, dtype in zip(columns, dtypes, strict=True)
        if getattr(dtype, "kind", "O") not in "fiub"
    ]
    if odd:
        raise ValueError(
            f"{who} expects numbers; these columns are none: {', '.join(odd)}: convert them, for "
            "example with pandas.get_dummies or .cat.codes, or drop them"
        )
    array = value.to_numpy()
    if array.dtype.kind not in "fiub":  # mixed bool and float, or columns that may be missing
        array = value.to_numpy(dtype="float64", na_value=np.nan)
    return array


def _first_odd(array: np.ndarray) -> str:
    """Name the first element of an object array that is no number."""
    if array.dtype.kind != "O":
        return f" (first value {array.flat[0].item()!r})" if array.size else ""
    for place, item in np.ndenumerate(array):
        if not isinstance(item, (int, float, np.number, np.bool_)):
            where = ", ".join(map(str, place))
            return f" with {type(item).__name__} {str(item)[:40]!r} at [{where}]"
    return ""


def arrange(
    value: Any, names: list[str], who: str, *, noun: str, wraps: Callable[[Any], bool]
) -> list[Any]:
    """Return one item for each name, from a single value, a list or a dict.

    Parameters
    ----------
    value : array, list of arrays, or dict by name; None gives a list of None
    names : list of str
        Of the model's inputs or outputs.
    who : str
        ``"fit: x"``.
    noun : {"input", "output"}
    wraps : callable
        Whether a list of one item, for a model with one input, wraps the array (else it is a
        list of one row).

    Raises
    ------
    ValueError
        If the number of items or the names do not match.
    """
    if value is None:
        return [None] * len(names)
    if isinstance(value, dict):
        unknown = [key for key in value if key not in names]
        if unknown:
            raise ValueError(
                f"{who}: the model has no {noun} {', '.join(map(repr, unknown))}; its {noun}s are "
                f"{names}: use these names as keys"
            )
        return [value.get(name) for name in names]
    if len(names) > 1:
        if not isinstance(value, (list, tuple)):
            raise ValueError(
                f"{who}: the model has {len(names)} {noun}s {names}, got one "
                f"{type(value).__name__}: pass a list in this order, or a dict by name"
            )
        if len(value) != len(names):
            raise ValueError(
                f"{who}: the model has {len(names)} {noun}s {names}, got {len(value)} items: pass "
                "one array for each"
            )
        return list(value)
    if isinstance(value, (list, tuple)) and len(value) == 1 and wraps(value[0]):
        return [value[0]]
    return [value]


def check_rows(arrays: list[np.ndarray | None], names: list[str], method: str) -> int:
    """Return the number of rows that all arrays share; `names` are theirs in errors.

    Raises
    ------
    ValueError
        If they differ, or there are no rows.
    """
    counts = {
        name: len(array) for name, array in zip(names, arrays, strict=True) if array is not None
    }
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ValueError(f"{method} expects as many rows everywhere, got: {listed}")
    rows = next(iter(counts.values()))
    if rows == 0:
        raise ValueError(f"{method} expects at least one row, got {names[0]} without rows")
    return rows
