"""Arrays in, arrays out: what data go through before a model sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return class numbers as rows that are 1 in the column of the class and 0 elsewhere.

    Parameters
    ----------
    x : array of int, shape (...) or (..., 1)
        Class numbers from 0.
    num_classes : int, optional
        Number of columns; the largest class plus one unless given.

    Returns
    -------
    ndarray of float64, shape (..., num_classes)

    Raises
    ------
    ValueError
        For numbers that are no classes: fractions, negative ones, too large ones.

    Examples
    --------
    >>> to_categorical([2, 0])
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    given = np.asarray(x)
    try:
        if given.dtype.kind in "SU":
            raise ValueError
        with np.errstate(invalid="ignore"):
            labels = given.astype(np.int64)
    except (TypeError, ValueError, OverflowError):
        first = f" with {str(given.flat[0])!r:.40}" if given.size else ""
        raise ValueError(
            f"to_categorical: classes are whole numbers, got dtype {given.dtype}{first}: number "
            "them, for example with np.unique(x, return_inverse=True)[1]"
        ) from None
    if not np.array_equal(labels, given):
        raise ValueError("to_categorical: classes are whole numbers, got fractions or NaN")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        num_classes = int(labels.max(initial=-1)) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"to_categorical: expected classes from 0 to {num_classes - 1}, got "
            f"{labels.min()} to {labels.max()}: raise num_classes, or count the classes from 0"
        )
    result = np.zeros((*labels.shape, num_classes))
    np.put_along_axis(result, labels[..., None], 1.0, axis=-1)
    return result


def normalize(x: Any, axis: int = -1, order: float = 2) -> np.ndarray:
    """Return x with every vector along `axis` divided by its norm; zero vectors stay zero.

    Parameters
    ----------
    x : array
    axis : int
    order : float
        Of the norm: 2 for Euclid's, 1 for the sum of absolute values, ``np.inf`` for the largest.

    Examples
    --------
    >>> normalize([[3.0, 4.0], [0.0, 0.0]])
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)


def pad_sequences(
    sequences: Sequence[Sequence[Any]],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> np.ndarray:
    """Return sequences of different lengths as the rows of one array.

    Parameters
    ----------
    sequences : sequence of sequences
    maxlen : int, optional
        Length of the rows; that of the longest sequence unless given.
    dtype : dtype
    padding, truncating : {"pre", "post"}
        Where short sequences get `value` and long ones are cut: in front or behind.
    value : float

    Returns
    -------
    ndarray, shape (len(sequences), maxlen, ...)

    Examples
    --------
    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f"pad_sequences: {name} is 'pre' or 'post', got {side!r}")
    rows = [np.asarray(sequence, dtype=dtype) for sequence in sequences]
    length = max(map(len, rows), default=0) if maxlen is None else maxlen
    rest = next((row.shape[1:] for row in rows if len(row)), ())
    result = np.full((len(rows), length, *rest), value, dtype=dtype)
    for number, row in enumerate(rows):
        if len(row) and row.shape[1:] != rest:
            raise ValueError(
                f"pad_sequences: sequence {number} holds elements of shape {row.shape[1:]}, the "
                f"first one of shape {rest}"
            )
        kept = row[max(len(row) - length, 0) :] if truncating == "pre" else row[:length]
        start = length - len(kept) if padding == "pre" else 0
        result[number, start : start + len(kept)] = kept
    return result


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """Cut arrays into a left and a right part.

    Unlike Keras, which returns datasets of TensorFlow, this returns what it was given: an array,
    or a tuple, list or dict of arrays of equal length.

    Parameters
    ----------
    dataset : array or tuple, list or dict of arrays
    left_size, right_size : float or int, optional
        A share between 0 and 1, or a number of rows. One is enough.
    shuffle : bool
        Whether to mix the rows before the cut.
    seed : int, optional
        Of the shuffle.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = split_dataset((x, y), right_size=0.2, shuffle=True)
    """
    lengths = {len(array) for array in _arrays(dataset)}
    if len(lengths) != 1:
        raise ValueError(f"split_dataset: expected arrays of one length, got {sorted(lengths)}")
    total = lengths.pop()
    left, right = (
        None if size is None else int(size * total) if isinstance(size, float) else size
        for size in (left_size, right_size)
    )
    if left is None and right is None:
        raise ValueError("split_dataset: give left_size or right_size")
    if left is None:
        left = total - right  # type: ignore[operator]
    elif right is None:
        right = total - left
    if not 0 <= left <= total or not 0 <= right <= total - left:  # type: ignore[operator]
        raise ValueError(
            f"split_dataset: left_size={left_size} and right_size={right_size} do not fit "
            f"{total} rows"
        )
    order = np.random.default_rng(seed).permutation(total) if shuffle else np.arange(total)
    first, second = order[:left], order[left : left + right]  # type: ignore[operator]
    return (
        _map(dataset, lambda array: array[first]),
        _map(dataset, lambda array: array[second]),
    )


def _arrays(dataset: Any) -> list[np.ndarray]:
    found: list[np.ndarray] = []
    _map(dataset, found.append)
    return found


def _map(dataset: Any, function: Callable[[np.ndarray], Any]) -> Any:
    if isinstance(dataset, dict):
        return {key: _map(value, function) for key, value in dataset.items()}
    if isinstance(dataset, (tuple, list)):
        return type(dataset)(_map(value, function) for value in dataset)
    return function(np.asarray(dataset))
