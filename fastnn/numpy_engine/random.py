"""Counter-based random numbers: a word is a function of its place, not of who draws it.

Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3"
(SC 2011): ten rounds of two 32x32-bit multiplications scramble a counter of four words under a
key of two.
"""

from __future__ import annotations

import numpy as np

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
KEY_STEPS = 0x9E3779B9, 0xBB67AE85  # golden ratio, sqrt(3) - 1
MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
SHUFFLE = 0xFFFFFFFF
"""The stream of the shuffles; those of dropout count from 0."""


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Scramble counters of shape (n, 4), 32-bit words held in uint64, under `key`."""
    x0, x1, x2, x3 = counter.astype(np.uint64).T
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * x0, MULTIPLIERS[1] * x2
        x0, x1, x2, x3 = (
            (p1 >> HALF) ^ x1 ^ np.uint64(k0),
            p1 & MASK,
            (p0 >> HALF) ^ x3 ^ np.uint64(k1),
            p0 & MASK,
        )
        k0, k1 = (k0 + KEY_STEPS[0]) & 0xFFFFFFFF, (k1 + KEY_STEPS[1]) & 0xFFFFFFFF
    return np.stack([x0, x1, x2, x3], axis=1)


def words(n: int, *, seed: int, step: int, stream: int) -> np.ndarray:
    """Return the first n random words (uint32, as uint64).

    Word i is number i % 4 of the counter {i / 4 (two words), step, stream}.
    """
    blocks = np.arange(-(-n // 4), dtype=np.uint64)
    return _blocks(blocks, seed, step, stream).reshape(-1)[:n]


def _blocks(blocks: np.ndarray, seed: int, step: int, stream: int) -> np.ndarray:
    """Return four words for each block."""
    counter = np.empty((len(blocks), 4), np.uint64)
    counter[:, 0] = blocks & MASK
    counter[:, 1] = blocks >> HALF
    counter[:, 2] = step & 0xFFFFFFFF
    counter[:, 3] = stream & 0xFFFFFFFF
    return philox(counter, (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))


def words_at(places: np.ndarray, *, seed: int, step: int, stream: int) -> np.ndarray:
    """Return the random words of these numbers, of any shape; see `words`."""
    places = places.astype(np.uint64)
    blocks, inverse = np.unique(places.reshape(-1) // np.uint64(4), return_inverse=True)
    drawn = _blocks(blocks, seed, step, stream)
    found = drawn[inverse.reshape(-1), (places.reshape(-1) % np.uint64(4)).astype(int)]
    return found.reshape(places.shape)


def uniform(
    rows: np.ndarray, size: int, dtype: str, *, seed: int, step: int, stream: int
) -> np.ndarray:
    """Return `size` numbers between 0 and 1 for each row: words row * size, row * size + 1 ...

    Each is the middle of one of 2^23 (float32) or 2^32 equal parts.
    """
    found = words_at(_places(rows, size), seed=seed, step=step, stream=stream)
    dropped = 9 if dtype == "float32" else 0
    middle = (found >> np.uint64(dropped)).astype(np.float64) + 0.5
    return middle / 2 ** (32 - dropped)


def keep_mask(
    rows: np.ndarray, size: int, rate: float, *, seed: int, step: int, stream: int
) -> np.ndarray:
    """Return the boolean mask of dropout, (rows, size): True with probability 1 - rate, to 16 bits.

    Elements 2i and 2i + 1 of all rows draw the lower and the upper half of word i.
    """
    places = _places(rows, size)
    drawn = words_at(places // np.uint64(2), seed=seed, step=step, stream=stream)
    halves = (drawn >> (np.uint64(16) * (places % np.uint64(2)))) & np.uint64(0xFFFF)
    return halves >= int(rate * 2**16)


def _places(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the numbers of the elements of rows of a matrix with `size` columns."""
    return np.asarray(rows, np.uint64)[:, None] * np.uint64(size) + np.arange(size, dtype=np.uint64)


def shuffled(n: int, *, seed: int, step: int) -> np.ndarray:
    """Return 0 .. n-1 in the order in which an epoch that begins at `step` visits its rows.

    Fisher and Yates's shuffle, from the back. Of the words that a place could be drawn from, those
    that would make some places likelier than others are passed over (Lemire, "Fast random integer
    generation in an interval", ACM TOMACS 29(1), 2019).
    """
    rows = np.arange(n)
    drawn = iter(words(2 * n, seed=seed, step=step, stream=SHUFFLE).tolist())
    for left in range(n, 1, -1):
        product = next(drawn) * left
        while product % 2**32 < 2**32 % left:
            product = next(drawn) * left
        place = product >> 32
        rows[[left - 1, place]] = rows[[place, left - 1]]
    return rows
