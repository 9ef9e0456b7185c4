"""IMDB: 50,000 film reviews as lists of word numbers, praise or blame."""

from __future__ import annotations

import pickle
from typing import IO, Any

import numpy as np

from fastnn.datasets import _cache

SHA256 = "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
WORD_INDEX_MD5 = "bfafd718b763782e994055a2d397834f"  # Keras publishes no SHA-256 of this file
_MAX_MEMBER = 1 << 28  # bytes; the largest member, 25,000 pickled lists, is below 2**24


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> tuple[tuple[list[list[int]], np.ndarray], tuple[list[list[int]], np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)`` as Keras does.

    Words are numbered by how often they occur in the training reviews, the most frequent first.

    Parameters
    ----------
    path : str
        Name of the file below the datasets folder, or an absolute path.
    num_words : int, optional
        Keep the numbers below this one; the others become `oov_char`.
    skip_top : int
        So do the numbers below this one.
    maxlen : int, optional
        Leave out reviews of this many numbers and more.
    seed : int
        Of the shuffle of the training and, after it, of the test reviews.
    start_char : int or None
        Put before every review; None for nothing.
    oov_char : int or None
        Stands for words left out ("out of vocabulary"); None drops them.
    index_from : int
        Added to every word's number, to make room for padding (0), start and `oov_char`.

    Returns
    -------
    x_train, x_test : list of list of int
        25,000 reviews each, if `maxlen` leaves out none.
    y_train, y_test : ndarray of int, shape (n,)
        1 for praise, 0 for blame.

    Raises
    ------
    OSError
        If the file is neither on this machine nor can be downloaded.
    ValueError
        If the file holds something else, or `maxlen` leaves out everything.

    Notes
    -----
    The file (17 MB) is looked for as MNIST's. It holds the lists as Python pickles; they are
    read by an unpickler that can build arrays of lists of numbers and nothing else, and runs no
    code of the file's. From A. Maas et al., "Learning word vectors for sentiment analysis",
    ACL 2011.
    """
    (x_train, y_train), (x_test, y_test) = _cache.load("imdb.npz", read, checksum=SHA256, path=path)
    random = np.random.RandomState(seed)
    sets = []
    for reviews, labels in ((x_train, y_train), (x_test, y_test)):
        order = np.arange(len(reviews))
        random.shuffle(order)
        start = [] if start_char is None else [start_char]
        shifted = [start + [word + index_from for word in reviews[i]] for i in order]
        labels = labels[order]
        if maxlen:
            short = [i for i, review in enumerate(shifted) if len(review) < maxlen]
            if not short:
                raise ValueError(f"No review is shorter than maxlen={maxlen}: raise it")
            shifted, labels = [shifted[i] for i in short], labels[short]
        sets.append((shifted, labels))
    top = num_words or max(max(review, default=0) for reviews, _ in sets for review in reviews)
    train, test = [
        ([_limit(review, skip_top, top, oov_char) for review in reviews], labels)
        for reviews, labels in sets
    ]
    return train, test


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Return the number of every word: add `index_from` to it to get the one in a review.

    Examples
    --------
    >>> words = {number + 3: word for word, number in imdb.get_word_index().items()}
    >>> print(" ".join(words.get(number, "?") for number in x_train[0]))
    """
    return _cache.load("imdb_word_index.json", _read_word_index, checksum=WORD_INDEX_MD5, path=path)


def _limit(review: list[int], low: int, high: int, other: int | None) -> list[int]:
    if other is None:
        return [word for word in review if low <= word < high]
    return [word if low <= word < high else other for word in review]


def _read_word_index(path: str) -> dict[str, int]:
    import json

    with open(path, encoding="utf-8") as file:
        index = json.load(file)
    if not isinstance(index, dict) or not all(type(n) is int and n > 0 for n in index.values()):
        raise ValueError("it is no table of words and numbers")
    return index


Reviews = tuple[list[list[int]], np.ndarray]


def read(path: str) -> tuple[Reviews, Reviews]:
    """Return the content of the file at `path`, checked."""
    from fastnn.store.npz import Archive

    with Archive(path, compressed=True) as archive:
        train, test = [
            (
                _read_lists(archive, f"x_{part}.npy"),
                archive.read_array(f"y_{part}", shape=(25000,), dtype="<i8"),
            )
            for part in ("train", "test")
        ]
    for reviews, labels in (train, test):
        if len(reviews) != len(labels):
            raise ValueError(f"it holds {len(reviews)} reviews for {len(labels)} labels")
        if labels.min() < 0 or labels.max() > 1:
            raise ValueError("its labels are not 0 and 1")
    return train, test


def _read_lists(archive: Any, member: str) -> list[list[int]]:
    """Return the lists of numbers in a member that is an array of objects."""
    import io

    if member not in archive.members:
        raise ValueError(f"it has no member {member}")
    stream = io.BytesIO(archive.read_bytes(member, _MAX_MEMBER))
    start = stream.read(10)
    if not start.startswith(b"\x93NUMPY\x01\x00"):
        raise ValueError(f"{member} is no array")
    stream.seek(10 + int.from_bytes(start[8:], "little"))
    return unpickle_lists(stream)


class _Shell:
    """Stands for anything that the pickle of an array names; keeps its state and does nothing."""

    state: Any = None

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _ListUnpickler(pickle.Unpickler):
    """Reads the pickle of an array of lists without importing or calling what it names."""

    ALLOWED = frozenset({
        ("numpy", "dtype"), ("numpy", "ndarray"),
        ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    })  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise ValueError(f"it names {module}.{name}, which has no place in lists of numbers")
        return _Shell

    def persistent_load(self, pid: Any) -> Any:
        raise ValueError("it refers to an object outside")


def unpickle_lists(stream: IO[bytes]) -> list[list[int]]:
    """Return the lists of a pickled NumPy array of lists of numbers; ValueError for all else.

    The pickle of an array is a call of NumPy's ``_reconstruct`` and a state ``(version, shape,
    dtype, fortran, list of elements)``. A shell that only keeps its state stands for whatever
    is named, so that the worst a file can do is to be refused.
    """
    try:
        array = _ListUnpickler(stream).load()
    except (
        ValueError,
        TypeError,
        AttributeError,
        KeyError,
        IndexError,
        EOFError,
        OverflowError,
        ImportError,
        MemoryError,
        RecursionError,
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(f"its lists are damaged ({error})") from error  # fmt: skip
    state = getattr(array, "state", None)
    if not isinstance(array, _Shell) or not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("it holds no pickled array")
    lists = state[4]
    if not isinstance(lists, list) or not all(
        isinstance(numbers, list) and all(type(n) is int for n in numbers) for numbers in lists
    ):
        raise ValueError("it holds something other than lists of numbers")
    return lists
