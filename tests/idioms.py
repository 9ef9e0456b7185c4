"""Losses and metrics as users write them: a corpus for tracing.

Every entry is one formula in up to three spellings: plain NumPy, `fastnn.ops` (Keras's
``keras.ops``) and `fastnn.backend` as ``K`` (old Keras; left out where it had no such words). They
are the losses and metrics of courses, guides, books and answers, in the manner they are met there:
methods beside functions, closures, slices of several heads, masks, Python lists as weights, built-in
losses inside one's own.

`IDIOMS` maps names to entries, `DATA` makes arrays for them, and `REFUSED` lists functions that
cannot be traced, with words that the error has to contain. `traceable_by_name` tells the few whose
trace is fine and which only training refuses.

The arrays stay away from kinks: differences of targets and predictions from multiples of 0.1,
probabilities from multiples of 0.05, columns from each other. So central differences with a step
of 1e-6 tell derivatives with respect to the predictions to about 1e-7.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn import backend as K
from fastnn import losses, ops

EPS = 1e-7  # what K.epsilon() is

Function = Callable[[Any, Any], Any]
Arrays = tuple[np.ndarray, np.ndarray]


# --- data ------------------------------------------------------------------------------------


def _lattice(rng, low, high, shape, offset, width):
    """Return multiples of 0.1 between `low` and `high` tenths, plus `offset` to `offset + width`."""
    return 0.1 * rng.integers(low, high, shape) + offset + rng.uniform(0, width, shape)


def _errors(rng, shape, low=-25, high=25):
    """Return errors whose absolute values differ from column to column and are no multiple of 0.1."""
    return _lattice(rng, low, high, shape, 0.03 + 0.004 * (np.arange(shape[-1]) % 5), 0.002)


def _scores(rng, shape, step=0.5):
    """Return real numbers of which no two in a row are close to each other."""
    ranks = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
    shifts = 0.06 + 0.02 * np.arange(shape[-1]) + rng.uniform(0, 0.01, shape)
    return step * (ranks - shape[-1] // 2) + shifts


def _softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _bits(rng, shape):
    """Return zeros and ones, both of them in every column."""
    bits = rng.integers(0, 2, shape).astype(float)
    bits[0], bits[-1] = 0, 1
    return bits


def _one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]


def _regression(rng, rows, features):
    t = _lattice(rng, -20, 20, (rows, features), 0.02, 0.001)
    return t, t + _errors(rng, t.shape)


def _positive(rng, rows, features):
    t = _lattice(rng, 5, 30, (rows, features), 0.02, 0.001)
    return t, t + _errors(rng, t.shape, -4, 12)


def _counts(rng, rows, features):
    t, p = _positive(rng, rows, features)
    return np.floor(t), p


def _probabilities(rng, rows, features):
    shape = (rows, features)
    return _bits(rng, shape), 0.05 * rng.integers(1, 19, shape) + rng.uniform(0.01, 0.04, shape)


def _binary_logits(rng, rows, features):
    t = _bits(rng, (rows, features))
    return t, _errors(rng, t.shape)


def _signs(rng, rows, features):
    t, p = _binary_logits(rng, rows, features)
    return 2 * t - 1, p


def _class_logits(rng, rows, classes):
    t = _one_hot(rng, (rows, classes))
    return t, _scores(rng, t.shape)


def _onehot(rng, rows, classes):
    t, p = _class_logits(rng, rows, classes)
    return t, _softmax(p)


def _labels(rng, rows, classes):
    t, p = _onehot(rng, rows, classes)
    return np.argmax(t, axis=-1).astype(float), p


def _labels_column(rng, rows, classes):
    t, p = _labels(rng, rows, classes)
    return t[:, np.newaxis], p


def _distributions(rng, rows, classes):
    t, p = _scores(rng, (rows, classes)), _scores(rng, (rows, classes))
    return _softmax(t), _softmax(p)


def _levels(rng, rows, levels):
    """Ordinal targets, [1, 1, 0] for the third of four classes, and independent probabilities."""
    t, p = _probabilities(rng, rows, levels)
    return (rng.integers(0, levels + 1, (rows, 1)) > np.arange(levels)).astype(float), p


def _grades(rng, rows, features):
    """Relevance grades, no two alike in a row, and scores."""
    grades = rng.permuted(np.broadcast_to(np.arange(features), (rows, features)), axis=-1)
    return grades.astype(float), _scores(rng, (rows, features))


def _distances(rng, rows, features):
    return _bits(rng, (rows, features)), np.abs(_errors(rng, (rows, features), 0, 20))


def _pairs(rng, rows, features):
    """Whether two embeddings belong together, and the two of them side by side."""
    return _bits(rng, (rows, 1)), rng.standard_normal((rows, 2 * features))


def _triplets(rng, rows, features):
    """Targets that nobody reads; an anchor, a positive and a negative side by side."""
    return np.zeros((rows, 1)), rng.standard_normal((rows, 3 * features))


def _heads(rng, rows, features):
    """A target; a location and something for the scale in one output, `features` of each."""
    t, p = _regression(rng, rows, features)
    return t, np.concatenate([p, _errors(rng, p.shape, -10, 10)], axis=-1)


def _mixture(rng, rows, components):
    """A target; logits, means and logarithms of deviations of a mixture."""
    t = _lattice(rng, -20, 20, (rows, 1), 0.02, 0.001)
    parts = [_errors(rng, (rows, components), -10, 10) for _ in range(3)]
    return t, np.concatenate(parts, axis=-1)


def _quantiles(rng, rows, quantiles):
    """One target, several predictions of it."""
    t = _lattice(rng, -20, 20, (rows, 1), 0.02, 0.001)
    return t, t + _errors(rng, (rows, quantiles))


def _marked(rng, rows, features):
    """Positive targets, some of them missing and marked by -1."""
    t, p = _positive(rng, rows, features)
    t[rng.uniform(size=t.shape) < 0.3] = -1
    t[0] = 1.02  # something is there
    p[0] = 1.25
    return t, p


def _missing(rng, rows, features):
    t, p = _marked(rng, rows, features)
    return np.where(t == -1, np.nan, t), p


def _carried(rng, rows, features):
    """Targets with a weight behind each."""
    t, p = _regression(rng, rows, features)
    return np.concatenate([t, rng.uniform(0.5, 2, t.shape)], axis=-1), p


def _policy(rng, rows, features):
    """Advantages and logarithms of old probabilities; logarithms of new ones."""
    advantages = _errors(rng, (rows, features))
    old = _lattice(rng, -20, -5, (rows, features), 0.02, 0.001)
    ratios = 0.1 * rng.integers(6, 15, old.shape) + rng.uniform(0.02, 0.08, old.shape)
    return np.concatenate([advantages, old], axis=-1), old + np.log(ratios)


def _survival(rng, rows, intervals):
    """Survived intervals and the interval of death, side by side; chances of surviving each."""
    last = rng.integers(0, intervals, (rows, 1))
    survived = np.arange(intervals) < last
    died = (np.arange(intervals) == last) & (rng.uniform(size=(rows, 1)) < 0.7)
    t = np.concatenate([survived, died], axis=-1).astype(float)
    return t, rng.uniform(0.1, 0.9, (rows, intervals))


def _times(rng, rows, features):
    """A time and whether the event was seen; the two parameters of a Weibull distribution."""
    times = rng.uniform(0.5, 3, (rows, features))
    t = np.concatenate([times, _bits(rng, times.shape)], axis=-1)
    return t, rng.uniform(0.5, 2, (rows, 2 * features))


def _tasks(rng, rows, features):
    """A class of two and a number in one target, a probability and a number in one output."""
    kinds, chances = _probabilities(rng, rows, features)
    t, p = _regression(rng, rows, features)
    return np.concatenate([kinds, t], axis=-1), np.concatenate([chances, p], axis=-1)


def _rank3(rng, rows, features, steps=4):
    t, p = _regression(rng, rows * steps, features)
    return t.reshape(rows, steps, features), p.reshape(rows, steps, features)


def _rank3_masks(rng, rows, features, steps=4):
    t, p = _probabilities(rng, rows * steps, features)
    return t.reshape(rows, steps, features), p.reshape(rows, steps, features)


def _rank3_onehot(rng, rows, classes, steps=4):
    t, p = _onehot(rng, rows * steps, classes)
    return t.reshape(rows, steps, classes), p.reshape(rows, steps, classes)


# Each takes (rng, rows, features) and returns targets and predictions in float64. Behind it: the
# numbers of features for which a formula is tried if it does not say so itself.
DATA: dict[str, tuple[Callable[[Any, int, int], Arrays], tuple[int, ...]]] = {
    "regression": (_regression, (1, 3)),
    "positive": (_positive, (1, 3)),
    "counts": (_counts, (1, 3)),
    "probabilities": (_probabilities, (1, 3)),
    "binary_logits": (_binary_logits, (1, 3)),
    "signs": (_signs, (1, 3)),
    "class_logits": (_class_logits, (3, 5)),
    "onehot": (_onehot, (3, 5)),
    "labels": (_labels, (3,)),
    "labels_column": (_labels_column, (3,)),
    "distributions": (_distributions, (3, 5)),
    "levels": (_levels, (3,)),
    "grades": (_grades, (2, 4)),
    "distances": (_distances, (1,)),
    "pairs": (_pairs, (4,)),
    "triplets": (_triplets, (4,)),
    "heads": (_heads, (1,)),
    "mixture": (_mixture, (2,)),
    "quantiles": (_quantiles, (3,)),
    "marked": (_marked, (1, 3)),
    "missing": (_missing, (1, 3)),
    "carried": (_carried, (1,)),
    "policy": (_policy, (1,)),
    "survival": (_survival, (3,)),
    "times": (_times, (1,)),
    "tasks": (_tasks, (1,)),
    "rank3": (_rank3, (1, 3)),
    "rank3_masks": (_rank3_masks, (1, 3)),
    "rank3_onehot": (_rank3_onehot, (3,)),
}


# --- entries ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Idiom:
    """One formula in several spellings.

    Attributes
    ----------
    name : str
    numpy, ops, k : callable or None
        Functions of targets and predictions, the same mathematics in each.
    data : str
        A key of `DATA`.
    kind : {"loss", "metric"}
        Losses have a derivative that differences can check.
    gives : {"rows", "batch", "elements", "steps"}
        What it returns: one value per row, a scalar, the shape of the targets, or (for rank 3) one
        value per row and step. Of all but "batch", Keras takes the mean.
    features : tuple of int
        The sizes that it is tried with.
    exact : bool
        Whether its parts compute in the type of the arrays. Built-in losses compute in
        `config.floatx()`: their spellings agree to 1e-12 only where that is float64.
    """

    name: str
    numpy: Function
    ops: Function
    k: Function | None
    data: str
    kind: str
    gives: str
    features: tuple[int, ...]
    exact: bool

    @property
    def spellings(self) -> dict[str, Function]:
        """The functions by the name of their vocabulary."""
        found = {"numpy": self.numpy, "ops": self.ops, "k": self.k}
        return {word: function for word, function in found.items() if function is not None}

    def arrays(self, rng, rows: int = 7, features: int | None = None) -> Arrays:
        """Return targets and predictions in float64."""
        return DATA[self.data][0](rng, rows, features or self.features[0])

    def shape(self, y_true, y_pred) -> tuple[int, ...]:
        """Return the shape of the result."""
        return {
            "rows": y_pred.shape[:1],
            "batch": (),
            "elements": y_true.shape,
            "steps": y_pred.shape[:-1],
        }[self.gives]


IDIOMS: dict[str, Idiom] = {}


def idiom(data, gives, *, kind="loss", features=None, exact=True):
    """Register the functions `numpy`, `ops` and `k` of a class under its name."""

    def register(cls):
        spellings = [vars(cls).get(word) for word in ("numpy", "ops", "k")]
        for function in filter(None, spellings):
            function.__name__ = cls.__name__  # errors name the function
        if cls.__name__ in IDIOMS:
            raise ValueError(f"two idioms are called {cls.__name__}")
        IDIOMS[cls.__name__] = entry = Idiom(
            cls.__name__, *spellings, data, kind, gives, features or DATA[data][1], exact
        )
        return entry

    return register


loss = idiom
metric = functools.partial(idiom, kind="metric")


# --- losses: regression ----------------------------------------------------------------------


@loss("regression", "rows")
class mse_by_row:
    def numpy(t, p):
        return ((t - p) ** 2).mean(axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(t - p), axis=-1)

    def k(t, p):
        return K.mean(K.square(t - p), axis=-1)


@loss("regression", "batch")
class mse_by_batch:
    def numpy(t, p):
        return np.mean(np.square(t - p))

    def ops(t, p):
        return ops.mean((t - p) ** 2)

    def k(t, p):
        return K.mean(K.pow(t - p, 2))


@loss("regression", "elements")
class squares_without_a_mean:
    def numpy(t, p):
        return np.square(t - p)

    def ops(t, p):
        return ops.power(t - p, 2)

    def k(t, p):
        return K.square(p - t)


@loss("regression", "rows")
class rmse_by_row:
    def numpy(t, p):
        return np.sqrt(np.mean(np.square(p - t), axis=-1))

    def ops(t, p):
        return ops.sqrt(ops.mean(ops.square(p - t), axis=-1))

    def k(t, p):
        return K.sqrt(K.mean(K.square(p - t), axis=-1))


@loss("regression", "batch")
class rmse_by_batch:
    def numpy(t, p):
        return np.sqrt(np.mean(np.square(p - t)))

    def ops(t, p):
        return ops.sqrt(ops.mean(ops.square(p - t)))

    def k(t, p):
        return K.sqrt(K.mean(K.square(p - t)))


@loss("regression", "batch", features=(3,))
class rmse_by_column:
    """MCRMSE: a mean over the rows inside, over the columns outside."""

    def numpy(t, p):
        return np.mean(np.sqrt(np.mean(np.square(t - p), axis=0)))

    def ops(t, p):
        return ops.mean(ops.sqrt(ops.mean(ops.square(t - p), axis=0)), axis=-1)

    def k(t, p):
        return K.mean(K.sqrt(K.mean(K.square(t - p), axis=0)))


@loss("regression", "rows")
class half_sum_of_squares:
    def numpy(t, p):
        return 0.5 * ((p - t) * (p - t)).sum(axis=1)

    def ops(t, p):
        return ops.sum(1 / 2 * ops.square(p - t), axis=1)

    def k(t, p):
        return 0.5 * K.sum(K.square(p - t), axis=1)


@loss("regression", "batch")
class sum_of_squares_over_the_number_of_rows:
    def numpy(t, p):
        return np.sum(np.square(t - p)) / np.size(t) * t.shape[-1]

    def ops(t, p):
        return ops.sum(ops.square(t - p)) / ops.shape(p)[0]

    def k(t, p):
        return K.sum(K.square(t - p)) / K.cast(K.shape(p)[0], "float64")


@loss("regression", "rows")
class mae_with_builtin_abs:
    def numpy(t, p):
        return abs(t - p).mean(axis=-1)

    def ops(t, p):
        return ops.mean(abs(t - p), axis=-1)

    def k(t, p):
        return K.mean(abs(p - t), axis=-1)


@loss("regression", "rows")
class euclidean_distance:
    def numpy(t, p):
        return np.linalg.norm(t - p, axis=-1)

    def ops(t, p):
        return ops.norm(t - p, axis=-1)

    def k(t, p):
        return K.sqrt(K.maximum(K.sum(K.square(t - p), axis=-1), K.epsilon()))


@loss("regression", "rows", features=(3,))
class relative_l2:
    def numpy(t, p):
        return np.linalg.norm(t - p, axis=1) / (np.linalg.norm(t, axis=1) + EPS)

    def ops(t, p):
        return ops.norm(t - p, axis=1) / (ops.norm(t, axis=1) + 1e-7)

    def k(t, p):
        return K.sqrt(K.sum((t - p) ** 2, 1)) / (K.sqrt(K.sum(t**2, 1)) + K.epsilon())


@loss("regression", "batch")
class r2_loss:
    def numpy(t, p):
        return np.sum(np.square(t - p)) / (np.sum(np.square(t - np.mean(t))) + EPS)

    def ops(t, p):
        residual = ops.sum(ops.square(t - p))
        total = ops.sum(ops.square(t - ops.mean(t)))
        return residual / (total + 1e-7)

    def k(t, p):
        return K.sum(K.square(t - p)) / (K.sum(K.square(t - K.mean(t))) + K.epsilon())


@loss("regression", "batch", features=(3,))
class nash_sutcliffe_by_column:
    def numpy(t, p):
        residual = ((t - p) ** 2).sum(axis=0)
        total = ((t - t.mean(axis=0)) ** 2).sum(axis=0)
        return (residual / (total + EPS)).mean()

    def ops(t, p):
        residual = ops.sum(ops.square(t - p), axis=0)
        total = ops.sum(ops.square(t - ops.mean(t, axis=0, keepdims=True)), axis=0)
        return ops.mean(residual / (total + 1e-7))

    def k(t, p):
        residual = K.sum(K.square(t - p), axis=0)
        total = K.sum(K.square(t - K.mean(t, axis=0)), axis=0)
        return K.mean(residual / (total + K.epsilon()))


@loss("regression", "batch")
class kling_gupta:
    def numpy(t, p):
        dt, dp = t - np.mean(t), p - np.mean(p)
        r = np.mean(dt * dp) / (np.std(t) * np.std(p))
        alpha, beta = np.std(p) / np.std(t), np.mean(p) - np.mean(t)
        return np.sqrt((r - 1) ** 2 + (alpha - 1) ** 2 + beta**2)

    def ops(t, p):
        dt, dp = t - ops.mean(t), p - ops.mean(p)
        r = ops.mean(dt * dp) / (ops.std(t) * ops.std(p))
        alpha, beta = ops.std(p) / ops.std(t), ops.mean(p) - ops.mean(t)
        return ops.sqrt(ops.square(r - 1) + ops.square(alpha - 1) + ops.square(beta))

    def k(t, p):
        dt, dp = t - K.mean(t), p - K.mean(p)
        r = K.mean(dt * dp) / (K.std(t) * K.std(p))
        alpha, beta = K.std(p) / K.std(t), K.mean(p) - K.mean(t)
        return K.sqrt(K.square(r - 1) + K.square(alpha - 1) + K.square(beta))


def _quantile(q):
    def numpy(t, p):
        e = t - p
        return np.mean(np.maximum(q * e, (q - 1) * e), axis=-1)

    def with_ops(t, p):
        e = ops.subtract(t, p)
        return ops.mean(ops.maximum(q * e, (q - 1) * e), axis=-1)

    def with_k(t, p):
        e = t - p
        return K.mean(K.maximum(q * e, (q - 1) * e), axis=-1)

    return numpy, with_ops, with_k


@loss("regression", "rows")
class quantile_of_a_closure:
    numpy, ops, k = _quantile(0.3)


@loss("regression", "batch")
class pinball_by_where:
    def numpy(t, p):
        return np.mean(np.where(t >= p, 0.9 * (t - p), (0.9 - 1) * (t - p)))

    def ops(t, p):
        return ops.mean(ops.where(t >= p, 0.9 * (t - p), (1 - 0.9) * (p - t)))

    def k(t, p):
        return K.mean(K.switch(K.greater_equal(t, p), 0.9 * (t - p), (1 - 0.9) * (p - t)))


QUANTILES = [0.1, 0.5, 0.9]


@loss("quantiles", "rows")
class several_quantiles_concatenated:
    def numpy(t, p):
        parts = []
        for i, q in enumerate(QUANTILES):
            e = t - p[:, i : i + 1]
            parts.append(np.maximum(q * e, (q - 1) * e))
        return np.mean(np.concatenate(parts, axis=-1), axis=-1)

    def ops(t, p):
        parts = []
        for i, q in enumerate(QUANTILES):
            e = t - p[:, i : i + 1]
            parts.append(ops.maximum(q * e, (q - 1) * e))
        return ops.mean(ops.concatenate(parts, axis=-1), axis=-1)

    def k(t, p):
        parts = []
        for i, q in enumerate(QUANTILES):
            e = t - p[:, i : i + 1]
            parts.append(K.maximum(q * e, (q - 1) * e))
        return K.mean(K.concatenate(parts, axis=-1), axis=-1)


@loss("quantiles", "batch")
class several_quantiles_stacked:
    def numpy(t, p):
        e = np.stack([t[:, 0] - p[:, i] for i in range(3)], axis=1)
        return np.mean(np.maximum(np.array(QUANTILES) * e, (np.array(QUANTILES) - 1) * e))

    def ops(t, p):
        values = []
        for i, q in enumerate(QUANTILES):
            e = t[:, 0] - p[:, i]
            values.append(ops.mean(ops.maximum(q * e, (q - 1) * e)))
        return ops.mean(ops.stack(values))

    def k(t, p):
        values = []
        for i, q in enumerate(QUANTILES):
            e = t[:, 0] - p[:, i]
            values.append(K.mean(K.maximum(q * e, (q - 1) * e)))
        return K.mean(K.stack(values))


@loss("quantiles", "rows")
class quantiles_that_must_not_cross:
    def numpy(t, p):
        e = t - p
        q = np.array([QUANTILES])
        pinball = np.sum(np.maximum(q * e, (q - 1) * e), axis=-1)
        return pinball + 2.0 * np.sum(np.maximum(0, p[:, :-1] - p[:, 1:]), axis=-1)

    def ops(t, p):
        e = t - p
        q = np.array([QUANTILES])
        pinball = ops.sum(ops.maximum(q * e, (q - 1) * e), axis=-1)
        return pinball + 2.0 * ops.sum(ops.relu(p[:, :-1] - p[:, 1:]), axis=-1)

    def k(t, p):
        e = t - p
        q = np.array([QUANTILES])
        pinball = K.sum(K.maximum(q * e, (q - 1) * e), axis=-1)
        return pinball + 2.0 * K.sum(K.relu(p[:, :-1] - p[:, 1:]), axis=-1)


@loss("regression", "rows")
class expectile:
    def numpy(t, p):
        e = t - p
        return np.mean(np.abs(0.8 - (e < 0)) * e**2, axis=-1)

    def ops(t, p):
        e = t - p
        return ops.mean(ops.abs(0.8 - ops.cast(e < 0, "float64")) * e**2, axis=-1)

    def k(t, p):
        e = t - p
        return K.mean(K.abs(0.8 - K.cast(K.less(e, 0), "float64")) * K.square(e), axis=-1)


@loss("regression", "rows")
class huber_by_where:
    def numpy(t, p):
        error = t - p
        small = np.abs(error) < 1
        return np.mean(np.where(small, error**2 / 2, np.abs(error) - 0.5), axis=-1)

    def ops(t, p):
        error = t - p
        small = ops.abs(error) < 1
        return ops.mean(ops.where(small, ops.square(error) / 2, ops.abs(error) - 0.5), axis=-1)

    def k(t, p):
        error = t - p
        small = K.abs(error) < 1
        return K.mean(K.switch(small, K.square(error) / 2, K.abs(error) - 0.5), axis=-1)


def _huber(delta):
    def numpy(t, p):
        e = np.abs(t - p)
        quadratic = np.minimum(e, delta)
        return np.mean(0.5 * quadratic**2 + delta * (e - quadratic))

    def with_ops(t, p):
        e = ops.abs(t - p)
        quadratic = ops.minimum(e, delta)
        return ops.mean(0.5 * ops.square(quadratic) + delta * (e - quadratic))

    def with_k(t, p):
        e = K.abs(t - p)
        quadratic = K.minimum(e, delta)
        return K.mean(0.5 * K.square(quadratic) + delta * (e - quadratic))

    return numpy, with_ops, with_k


@loss("regression", "batch")
class huber_by_minimum:
    numpy, ops, k = _huber(1.5)


@loss("regression", "batch")
class smooth_l1_by_cast:
    def numpy(t, p):
        x = np.abs(t - p)
        inside = (x < 1.0).astype("float32")
        return np.mean(inside * 0.5 * x**2 + (1 - inside) * (x - 0.5))

    def ops(t, p):
        x = ops.absolute(t - p)
        inside = ops.cast(x < 1.0, "float32")
        return ops.mean(inside * 0.5 * x**2 + (1 - inside) * (x - 0.5))

    def k(t, p):
        x = K.abs(t - p)
        inside = K.cast(K.less(x, 1.0), "float32")
        return K.mean(inside * 0.5 * K.square(x) + (1 - inside) * (x - 0.5))


@loss("regression", "rows")
class log_cosh_by_definition:
    def numpy(t, p):
        return np.mean(np.log((np.exp(p - t) + np.exp(t - p)) / 2), axis=-1)

    def ops(t, p):
        return ops.mean(ops.log((ops.exp(p - t) + ops.exp(t - p)) / 2), axis=-1)

    def k(t, p):
        return K.mean(K.log((K.exp(p - t) + K.exp(t - p)) / 2), axis=-1)


@loss("regression", "rows")
class log_cosh_by_softplus:
    def numpy(t, p):
        x = p - t
        return np.mean(x + np.log1p(np.exp(-2.0 * x)) - np.log(2.0), axis=-1)

    def ops(t, p):
        x = p - t
        return ops.mean(x + ops.softplus(-2.0 * x) - math.log(2), axis=-1)

    def k(t, p):
        x = p - t
        return K.mean(x + K.softplus(-2.0 * x) - math.log(2.0), axis=-1)


@loss("regression", "rows")
class asymmetric_mse:
    def numpy(t, p):
        return np.mean(np.where(p < t, 4.0, 1.0) * np.square(t - p), axis=-1)

    def ops(t, p):
        return ops.mean(ops.where(ops.less(p, t), 4.0, 1.0) * ops.square(t - p), axis=-1)

    def k(t, p):
        low = K.cast(K.less(p, t), "float64")
        return K.mean((1.0 + 3.0 * low) * K.square(t - p), axis=-1)


@loss("regression", "batch")
class penalty_on_wrong_signs:
    def numpy(t, p):
        squares = np.square(t - p)
        return np.mean(np.where(np.less(t * p, 0), 100.0 * squares, squares))

    def ops(t, p):
        squares = ops.square(t - p)
        return ops.mean(ops.where(ops.less(t * p, 0), 100.0 * squares, squares))

    def k(t, p):
        squares = K.square(t - p)
        return K.mean(K.switch(K.less(t * p, 0), 100.0 * squares, squares))


@loss("regression", "batch", features=(3,))
class directions_of_a_series:
    def numpy(t, p):
        wrong = np.sign(t[:, 1:] - t[:, :-1]) != np.sign(p[:, 1:] - p[:, :-1])
        return np.mean(np.square(t - p)) * (1 + 0.5 * np.mean(wrong.astype("float32")))

    def ops(t, p):
        wrong = ops.not_equal(ops.sign(t[:, 1:] - t[:, :-1]), ops.sign(p[:, 1:] - p[:, :-1]))
        return ops.mean(ops.square(t - p)) * (1 + 0.5 * ops.mean(ops.cast(wrong, "float64")))

    def k(t, p):
        wrong = K.not_equal(K.sign(t[:, 1:] - t[:, :-1]), K.sign(p[:, 1:] - p[:, :-1]))
        return K.mean(K.square(t - p)) * (1 + 0.5 * K.mean(K.cast(wrong, "float64")))


@loss("regression", "rows")
class linex:
    def numpy(t, p):
        e = t - p
        return np.mean(np.exp(0.5 * e) - 0.5 * e - 1, axis=-1)

    def ops(t, p):
        e = t - p
        return ops.mean(ops.expm1(0.5 * e) - 0.5 * e, axis=-1)

    def k(t, p):
        e = t - p
        return K.mean(K.exp(0.5 * e) - 0.5 * e - 1, axis=-1)


@loss("regression", "rows", features=(3,))
class columns_weighted_by_a_list:
    def numpy(t, p):
        return np.mean(np.square(t - p) * [1.0, 2.0, 0.5], axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(t - p) * [1.0, 2.0, 0.5], axis=-1)

    def k(t, p):
        return K.mean(K.square(t - p) * K.constant([1.0, 2.0, 0.5]), axis=-1)


@loss("regression", "elements", features=(3,))
class elements_times_a_list:
    def numpy(t, p):
        return (t - p) ** 2 * [1.0, 1.0, 1.0]

    def ops(t, p):
        return ops.square(t - p) * [1.0, 1.0, 1.0]

    def k(t, p):
        return K.square(t - p) * [1.0, 1.0, 1.0]


@loss("regression", "rows", features=(3,))
class columns_weighted_one_by_one:
    def numpy(t, p):
        first, second, rest = (np.square(t[:, i] - p[:, i]) for i in range(3))
        return 3 * first + second + 0.25 * rest

    def ops(t, p):
        first, second, rest = (ops.square(t[:, i] - p[:, i]) for i in range(3))
        return 3 * first + second + 0.25 * rest

    def k(t, p):
        first, second, rest = (K.square(t[:, i] - p[:, i]) for i in range(3))
        return 3 * first + second + 0.25 * rest


@loss("regression", "batch")
class weighted_where_the_target_is_large:
    def numpy(t, p):
        weights = np.where(np.abs(t) > 1.0, 5.0, 1.0)
        return np.mean(weights * np.square(t - p))

    def ops(t, p):
        weights = ops.where(ops.abs(t) > 1.0, 5.0, 1.0)
        return ops.mean(ops.multiply(weights, ops.square(t - p)))

    def k(t, p):
        large = K.cast(K.greater(K.abs(t), 1.0), "float64")
        return K.mean((1.0 + 4.0 * large) * K.square(t - p))


@loss("regression", "rows")
class weighted_by_exp_of_the_target:
    def numpy(t, p):
        return np.mean(np.exp(0.5 * np.abs(t)) * np.abs(t - p), axis=-1)

    def ops(t, p):
        return ops.mean(ops.exp(0.5 * ops.abs(t)) * ops.abs(t - p), axis=-1)

    def k(t, p):
        return K.mean(K.exp(0.5 * K.abs(t)) * K.abs(t - p), axis=-1)


@loss("carried", "batch")
class weights_carried_in_the_target:
    def numpy(t, p):
        y, w = t[:, 0:1], t[:, 1:2]
        return np.sum(w * np.square(y - p)) / np.sum(w)

    def ops(t, p):
        y, w = ops.split(t, 2, axis=-1)
        return ops.sum(w * ops.square(y - p)) / ops.sum(w)

    def k(t, p):
        y, w = t[:, 0:1], t[:, 1:2]
        return K.sum(w * K.square(y - p)) / K.sum(w)


@loss("positive", "rows")
class msle:
    def numpy(t, p):
        return np.mean(np.square(np.log1p(p) - np.log1p(t)), axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(ops.log1p(p) - ops.log1p(t)), axis=-1)

    def k(t, p):
        first = K.log(K.clip(p, K.epsilon(), None) + 1.0)
        return K.mean(K.square(first - K.log(K.clip(t, K.epsilon(), None) + 1.0)), axis=-1)


@loss("positive", "batch")
class rmsle:
    def numpy(t, p):
        return np.sqrt(np.mean((np.log(p + 1) - np.log(t + 1)) ** 2))

    def ops(t, p):
        return ops.sqrt(ops.mean(ops.square(ops.log1p(p) - ops.log1p(t))))

    def k(t, p):
        return K.sqrt(K.mean(K.square(K.log(p + 1.0) - K.log(t + 1.0))))


@loss("positive", "rows")
class mape:
    def numpy(t, p):
        return 100 * np.mean(np.abs((t - p) / np.clip(np.abs(t), EPS, None)), axis=-1)

    def ops(t, p):
        return 100 * ops.mean(ops.abs((t - p) / ops.maximum(ops.abs(t), 1e-7)), axis=-1)

    def k(t, p):
        return 100.0 * K.mean(K.abs((t - p) / K.clip(K.abs(t), K.epsilon(), None)), axis=-1)


@loss("positive", "rows")
class smape:
    def numpy(t, p):
        return np.mean(2 * np.abs(p - t) / (np.abs(p) + np.abs(t) + EPS), axis=-1)

    def ops(t, p):
        return ops.mean(2 * ops.abs(p - t) / (ops.abs(p) + ops.abs(t) + 1e-7), axis=-1)

    def k(t, p):
        return K.mean(2 * K.abs(p - t) / (K.abs(p) + K.abs(t) + K.epsilon()), axis=-1)


@loss("positive", "batch")
class wape:
    def numpy(t, p):
        return np.abs(t - p).sum() / np.abs(t).sum()

    def ops(t, p):
        return ops.sum(ops.abs(t - p)) / ops.sum(ops.abs(t))

    def k(t, p):
        return K.sum(K.abs(t - p)) / K.sum(K.abs(t))


@loss("regression", "rows")
class charbonnier:
    def numpy(t, p):
        return np.mean(np.sqrt(np.square(t - p) + 1e-3**2), axis=-1)

    def ops(t, p):
        return ops.mean(ops.sqrt(ops.square(t - p) + 1e-3**2), axis=-1)

    def k(t, p):
        return K.mean(K.sqrt(K.square(t - p) + K.square(1e-3)), axis=-1)


@loss("regression", "batch")
class wing:
    def numpy(t, p, w=1.0, epsilon=0.5):
        x = np.abs(t - p)
        c = w * (1.0 - math.log(1.0 + w / epsilon))
        return np.mean(np.where(w > x, w * np.log(1.0 + x / epsilon), x - c))

    def ops(t, p, w=1.0, epsilon=0.5):
        x = ops.abs(t - p)
        c = w * (1.0 - math.log(1.0 + w / epsilon))
        return ops.mean(ops.where(ops.greater(w, x), w * ops.log(1.0 + x / epsilon), x - c))

    def k(t, p, w=1.0, epsilon=0.5):
        x = K.abs(t - p)
        c = w * (1.0 - math.log(1.0 + w / epsilon))
        return K.mean(K.switch(K.greater(w, x), w * K.log(1.0 + x / epsilon), x - c))


@loss("regression", "rows")
class tukey_biweight:
    def numpy(t, p, c=2.0):
        x = (t - p) / c
        inside = c**2 / 6 * (1 - (1 - x**2) ** 3)
        return np.sum(np.where(np.abs(x) <= 1, inside, c**2 / 6), axis=-1)

    def ops(t, p, c=2.0):
        x = (t - p) / c
        inside = c**2 / 6 * (1 - ops.power(1 - ops.square(x), 3))
        return ops.sum(ops.where(ops.abs(x) <= 1, inside, c**2 / 6), axis=-1)

    def k(t, p, c=2.0):
        x = (t - p) / c
        inside = c**2 / 6 * (1 - K.pow(1 - K.square(x), 3))
        return K.sum(K.switch(K.less_equal(K.abs(x), 1), inside, K.ones_like(x) * c**2 / 6), -1)


@loss("regression", "rows")
class cauchy:
    def numpy(t, p):
        return np.mean(np.log1p(((t - p) / 0.5) ** 2), axis=-1)

    def ops(t, p):
        return ops.mean(ops.log1p(ops.square((t - p) / 0.5)), axis=-1)

    def k(t, p):
        return K.mean(K.log(1 + K.square((t - p) / 0.5)), axis=-1)


@loss("regression", "rows")
class geman_mcclure:
    def numpy(t, p):
        s = np.square(t - p)
        return np.mean(s / (s + 1.0), axis=-1)

    def ops(t, p):
        s = ops.square(t - p)
        return ops.mean(ops.divide(s, s + 1.0), axis=-1)

    def k(t, p):
        s = K.square(t - p)
        return K.mean(s / (s + 1.0), axis=-1)


@loss("regression", "batch")
class correntropy:
    def numpy(t, p):
        return 1 - np.exp(-((t - p) ** 2) / (2 * 0.8**2)).mean()

    def ops(t, p):
        return 1 - ops.mean(ops.exp(-ops.square(t - p) / (2 * 0.8**2)))

    def k(t, p):
        return 1 - K.mean(K.exp(-K.square(t - p) / (2 * 0.8**2)))


@loss("regression", "rows")
class power_of_the_error:
    def numpy(t, p):
        return np.mean(np.abs(t - p) ** 1.5, axis=-1)

    def ops(t, p):
        return ops.mean(ops.power(ops.abs(t - p), 1.5), axis=-1)

    def k(t, p):
        return K.mean(K.pow(K.abs(t - p), 1.5), axis=-1)


@loss("regression", "rows")
class focal_mse:
    def numpy(t, p):
        e = t - p
        return np.mean((2 / (1 + np.exp(-0.2 * np.abs(e))) - 1) ** 2 * e**2, axis=-1)

    def ops(t, p):
        e = t - p
        return ops.mean((2 * ops.sigmoid(0.2 * ops.abs(e)) - 1) ** 2 * e**2, axis=-1)

    def k(t, p):
        e = t - p
        return K.mean(K.square(2 * K.sigmoid(0.2 * K.abs(e)) - 1) * K.square(e), axis=-1)


@loss("regression", "batch")
class error_through_tanh:
    def numpy(t, p):
        return np.mean((p - t) * np.tanh(p - t))

    def ops(t, p):
        return ops.mean((p - t) * ops.tanh(p - t))

    def k(t, p):
        return K.mean((p - t) * K.tanh(p - t))


@loss("positive", "rows")
class mse_with_a_log_barrier:
    def numpy(t, p):
        return np.mean((t - p) ** 2 - 0.1 * np.log(p), axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(t - p) - 0.1 * ops.log(p), axis=-1)

    def k(t, p):
        return K.mean(K.square(t - p), axis=-1) - 0.1 * K.mean(K.log(p), axis=-1)


@loss("regression", "batch")
class mse_with_a_penalty_below_zero:
    def numpy(t, p):
        return np.mean(np.square(t - p)) + 10 * np.mean(np.square(np.minimum(p, 0)))

    def ops(t, p):
        return ops.mean(ops.square(t - p)) + 10 * ops.mean(ops.square(ops.relu(-p)))

    def k(t, p):
        return K.mean(K.square(t - p)) + 10 * K.mean(K.square(K.minimum(p, 0.0)))


@loss("regression", "rows", features=(3,))
class sum_of_the_outputs_is_kept:
    def numpy(t, p):
        gap = np.sum(p, axis=1) - np.sum(t, axis=1)
        return np.mean((t - p) ** 2, axis=1) + 0.5 * gap**2

    def ops(t, p):
        gap = ops.sum(p, axis=1) - ops.sum(t, axis=1)
        return ops.mean(ops.square(t - p), axis=1) + 0.5 * ops.square(gap)

    def k(t, p):
        gap = K.sum(p, axis=1) - K.sum(t, axis=1)
        return K.mean(K.square(t - p), axis=1) + 0.5 * K.square(gap)


@loss("regression", "rows", features=(3,))
class smooth_along_the_columns:
    def numpy(t, p):
        rough = np.sum(np.abs(p[:, 1:] - p[:, :-1]), axis=-1)
        return np.mean((t - p) ** 2, axis=-1) + 0.1 * rough

    def ops(t, p):
        rough = ops.sum(ops.abs(p[:, 1:] - p[:, :-1]), axis=-1)
        return ops.mean(ops.square(t - p), axis=-1) + 0.1 * rough

    def k(t, p):
        rough = K.sum(K.abs(p[:, 1:] - p[:, :-1]), axis=-1)
        return K.mean(K.square(t - p), axis=-1) + 0.1 * rough


@loss("regression", "batch")
class pearson:
    def numpy(t, p):
        dt, dp = t - np.mean(t), p - np.mean(p)
        r = np.sum(dt * dp) / np.sqrt(np.sum(dt**2) * np.sum(dp**2) + EPS)
        return 1 - r

    def ops(t, p):
        dt, dp = t - ops.mean(t), p - ops.mean(p)
        r = ops.sum(dt * dp) * ops.rsqrt(ops.sum(dt**2) * ops.sum(dp**2) + 1e-7)
        return 1 - r

    def k(t, p):
        dt, dp = t - K.mean(t), p - K.mean(p)
        top = K.sum(dt * dp)
        return 1 - top / K.sqrt(K.sum(K.square(dt)) * K.sum(K.square(dp)) + K.epsilon())


@loss("regression", "batch", features=(3,))
class pearson_by_column_squared:
    def numpy(t, p):
        dt, dp = t - t.mean(axis=0), p - p.mean(axis=0)
        r = (dt * dp).sum(axis=0) / np.sqrt((dt**2).sum(axis=0) * (dp**2).sum(axis=0) + EPS)
        return 1 - (np.maximum(np.minimum(r, 1.0), -1.0) ** 2).mean()

    def ops(t, p):
        dt, dp = t - ops.mean(t, axis=0), p - ops.mean(p, axis=0)
        scale = ops.sqrt(ops.sum(dt**2, axis=0) * ops.sum(dp**2, axis=0) + 1e-7)
        r = ops.clip(ops.sum(dt * dp, axis=0) / scale, -1.0, 1.0)
        return 1 - ops.mean(ops.square(r))

    def k(t, p):
        dt, dp = t - K.mean(t, axis=0), p - K.mean(p, axis=0)
        scale = K.sqrt(K.sum(dt**2, axis=0) * K.sum(dp**2, axis=0) + K.epsilon())
        r = K.maximum(K.minimum(K.sum(dt * dp, axis=0) / scale, 1.0), -1.0)
        return 1 - K.mean(K.square(r))


@loss("regression", "batch")
class concordance:
    def numpy(t, p):
        covariance = np.mean((t - np.mean(t)) * (p - np.mean(p)))
        bottom = np.var(t) + np.var(p) + (np.mean(t) - np.mean(p)) ** 2
        return 1 - 2 * covariance / (bottom + EPS)

    def ops(t, p):
        covariance = ops.mean((t - ops.mean(t)) * (p - ops.mean(p)))
        bottom = ops.var(t) + ops.var(p) + ops.square(ops.mean(t) - ops.mean(p))
        return 1 - 2 * covariance / (bottom + 1e-7)

    def k(t, p):
        covariance = K.mean((t - K.mean(t)) * (p - K.mean(p)))
        bottom = K.var(t) + K.var(p) + K.square(K.mean(t) - K.mean(p))
        return 1 - 2 * covariance / (bottom + K.epsilon())


@loss("regression", "batch")
class mse_and_variance_of_the_errors:
    def numpy(t, p):
        return np.mean((t - p) ** 2) + 0.5 * (t - p).var()

    def ops(t, p):
        return ops.mean(ops.square(t - p)) + 0.5 * ops.var(t - p)

    def k(t, p):
        return K.mean(K.square(t - p)) + 0.5 * K.var(t - p)


@loss("regression", "batch")
class mae_and_squared_bias:
    def numpy(t, p):
        return np.mean(np.abs(t - p)) + np.square(np.mean(p) - np.mean(t))

    def ops(t, p):
        return ops.mean(ops.abs(t - p)) + ops.square(ops.mean(p) - ops.mean(t))

    def k(t, p):
        return K.mean(K.abs(t - p)) + K.square(K.mean(p) - K.mean(t))


@loss("regression", "rows")
class elastic:
    def numpy(t, p):
        return 0.3 * np.mean(np.abs(t - p), axis=-1) + 0.7 * np.mean((t - p) ** 2, axis=-1)

    def ops(t, p):
        l1 = ops.mean(ops.abs(t - p), axis=-1)
        return 0.3 * l1 + 0.7 * ops.mean(ops.square(t - p), axis=-1)

    def k(t, p):
        return 0.3 * K.mean(K.abs(t - p), axis=-1) + 0.7 * K.mean(K.square(t - p), axis=-1)


@loss("regression", "rows", features=(3,))
class largest_error_of_a_row:
    def numpy(t, p):
        return np.max(np.abs(t - p), axis=-1)

    def ops(t, p):
        return ops.max(ops.abs(t - p), axis=-1)

    def k(t, p):
        return K.max(K.abs(t - p), axis=-1)


@loss("regression", "batch")
class errors_in_units_of_the_target:
    """Scaled by the spread of the batch's targets, which has no derivative to be taken."""

    def numpy(t, p):
        return np.mean(np.square(t - p)) * (1 / (np.std(t) + EPS))

    def ops(t, p):
        return ops.mean(ops.square(t - p)) * ops.stop_gradient(1 / (ops.std(t) + 1e-7))

    def k(t, p):
        return K.mean(K.square(t - p)) * K.stop_gradient(1 / (K.std(t) + K.epsilon()))


@loss("regression", "batch", features=(3,))
class hard_rows_weigh_more:
    def numpy(t, p):
        rows = np.mean(np.square(t - p), axis=-1)
        e = np.exp(rows - np.max(rows))
        return np.sum(e / np.sum(e) * rows)

    def ops(t, p):
        rows = ops.mean(ops.square(t - p), axis=-1)
        return ops.sum(ops.softmax(rows, axis=0) * rows)

    def k(t, p):
        rows = K.mean(K.square(t - p), axis=-1)
        e = K.exp(rows - K.max(rows))
        return K.sum(e / K.sum(e) * rows)


@loss("regression", "rows")
class angles:
    def numpy(t, p):
        return np.mean(1 - np.cos(t - p), axis=-1)

    def ops(t, p):
        return ops.mean(1 - ops.cos(t - p), axis=-1)

    def k(t, p):
        return K.mean(1 - K.cos(t - p), axis=-1)


@loss("regression", "rows")
class sine_and_cosine_of_angles:
    def numpy(t, p):
        return np.mean((np.sin(t) - np.sin(p)) ** 2 + (np.cos(t) - np.cos(p)) ** 2, axis=-1)

    def ops(t, p):
        sines, cosines = ops.sin(t) - ops.sin(p), ops.cos(t) - ops.cos(p)
        return ops.mean(ops.square(sines) + ops.square(cosines), axis=-1)

    def k(t, p):
        sines, cosines = K.sin(t) - K.sin(p), K.cos(t) - K.cos(p)
        return K.mean(K.square(sines) + K.square(cosines), axis=-1)


@loss("marked", "batch")
class missing_targets_marked:
    def numpy(t, p):
        mask = (t != -1).astype("float32")
        return np.sum(mask * np.square(t - p)) / np.sum(mask)

    def ops(t, p):
        mask = ops.cast(ops.not_equal(t, -1), "float32")
        return ops.sum(mask * ops.square(t - p)) / ops.sum(mask)

    def k(t, p):
        mask = K.cast(K.not_equal(t, -1), "float32")
        return K.sum(mask * K.square(t - p)) / K.sum(mask)


@loss("marked", "rows")
class missing_targets_multiplied_away:
    def numpy(t, p):
        mask = np.where(np.equal(t, -1.0), 0.0, 1.0)
        return np.mean(np.square(t * mask - p * mask), axis=-1)

    def ops(t, p):
        mask = ops.where(ops.equal(t, -1.0), 0.0, 1.0)
        return ops.mean(ops.square(t * mask - p * mask), axis=-1)

    def k(t, p):
        mask = K.cast(K.not_equal(t, -1.0), "float64")
        return K.mean(K.square(t * mask - p * mask), axis=-1)


@loss("marked", "batch")
class missing_targets_by_logical_not:
    def numpy(t, p):
        there = np.logical_not(np.logical_or(t == -1, t < -100)).astype(float)
        return (np.abs(t - p) * there).sum() / np.maximum(there.sum(), 1)

    def ops(t, p):
        there = ops.cast(ops.logical_not(ops.logical_or(t == -1, t < -100)), "float64")
        return ops.sum(ops.abs(t - p) * there) / ops.maximum(ops.sum(there), 1)

    def k(t, p):
        there = 1 - K.cast(K.any(K.stack([K.equal(t, -1), K.less(t, -100)]), axis=0), "float64")
        return K.sum(K.abs(t - p) * there) / K.maximum(K.sum(there), 1.0)


@loss("missing", "batch")
class missing_targets_are_nan:
    def numpy(t, p):
        gone = np.isnan(t)
        squares = np.where(gone, 0.0, np.square(t - p))
        return np.sum(squares) / np.sum(1.0 - gone)

    def ops(t, p):
        gone = ops.isnan(t)
        squares = ops.where(gone, 0.0, ops.square(t - p))
        return ops.sum(squares) / ops.sum(1.0 - ops.cast(gone, "float64"))


@loss("missing", "rows")
class missing_targets_replaced_by_predictions:
    def numpy(t, p):
        return np.mean(np.square(np.where(np.isfinite(t), t, p) - p), axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(ops.where(ops.isfinite(t), t, p) - p), axis=-1)


@loss("positive", "rows")
class poisson:
    def numpy(t, p):
        return (p - t * np.log(p + EPS)).mean(axis=-1)

    def ops(t, p):
        return ops.mean(p - t * ops.log(p + 1e-7), axis=-1)

    def k(t, p):
        return K.mean(p - t * K.log(p + K.epsilon()), axis=-1)


@loss("counts", "batch")
class poisson_of_log_rates:
    def numpy(t, p):
        return np.mean(np.exp(p) - t * p)

    def ops(t, p):
        return ops.mean(ops.exp(p) - ops.multiply(t, p))

    def k(t, p):
        return K.mean(K.exp(p) - t * p)


@loss("positive", "rows")
class gamma_deviance:
    def numpy(t, p):
        return 2 * np.mean(np.log(p / t) + t / p - 1, axis=-1)

    def ops(t, p):
        return 2 * ops.mean(ops.log(p / t) + t / p - 1, axis=-1)

    def k(t, p):
        return 2 * K.mean(K.log(p / t) + t / p - 1, axis=-1)


@loss("counts", "batch")
class tweedie:
    def numpy(t, p, rho=1.5):
        return np.mean(-t * p ** (1 - rho) / (1 - rho) + p ** (2 - rho) / (2 - rho))

    def ops(t, p, rho=1.5):
        first = t * ops.power(p, 1 - rho) / (1 - rho)
        return ops.mean(ops.power(p, 2 - rho) / (2 - rho) - first)

    def k(t, p, rho=1.5):
        return K.mean(-t * K.pow(p, 1 - rho) / (1 - rho) + K.pow(p, 2 - rho) / (2 - rho))


# --- losses: several heads in one output -----------------------------------------------------


@loss("heads", "elements")
class gaussian_of_mean_and_log_sigma:
    def numpy(t, p):
        mu, log_sigma = p[:, :1], p[:, 1:]
        return 0.5 * np.square((t - mu) / np.exp(log_sigma)) + log_sigma

    def ops(t, p):
        mu, log_sigma = p[:, :1], p[:, 1:]
        return 0.5 * ops.square((t - mu) / ops.exp(log_sigma)) + log_sigma

    def k(t, p):
        mu, log_sigma = p[:, :1], p[:, 1:]
        return 0.5 * K.square((t - mu) / K.exp(log_sigma)) + log_sigma


@loss("heads", "batch")
class gaussian_of_mean_and_log_variance:
    def numpy(t, p):
        mean, log_variance = p[..., 0], p[..., 1]
        square = np.square(np.squeeze(t, axis=-1) - mean)
        return np.mean(0.5 * log_variance + 0.5 * square * np.exp(-log_variance))

    def ops(t, p):
        mean, log_variance = p[..., 0], p[..., 1]
        square = ops.square(ops.squeeze(t, axis=-1) - mean)
        return ops.mean(0.5 * log_variance + 0.5 * square * ops.exp(-log_variance))

    def k(t, p):
        mean, log_variance = p[..., 0], p[..., 1]
        square = K.square(K.squeeze(t, axis=-1) - mean)
        return K.mean(0.5 * log_variance + 0.5 * square * K.exp(-log_variance))


@loss("heads", "rows")
class gaussian_of_mean_and_softplus:
    def numpy(t, p):
        mu, raw = np.split(p, 2, axis=-1)
        sigma = np.log1p(np.exp(raw)) + 1e-3
        density = np.log(np.sqrt(2 * np.pi) * sigma) + 0.5 * np.square((t - mu) / sigma)
        return np.sum(density, axis=-1)

    def ops(t, p):
        mu, raw = ops.split(p, 2, axis=-1)
        sigma = ops.softplus(raw) + 1e-3
        density = ops.log(math.sqrt(2 * math.pi) * sigma) + 0.5 * ops.square((t - mu) / sigma)
        return ops.sum(density, axis=-1)

    def k(t, p):
        mu, raw = p[:, 0:1], p[:, 1:2]
        sigma = K.softplus(raw) + 1e-3
        density = K.log(np.sqrt(2 * np.pi) * sigma) + 0.5 * K.square((t - mu) / sigma)
        return K.sum(density, axis=-1)


@loss("heads", "batch", features=(2,))
class gaussian_of_several_targets:
    def numpy(t, p):
        f = t.shape[-1]
        mu, log_sigma = p[:, :f], p[:, f:]
        return np.mean(log_sigma + 0.5 * (t - mu) ** 2 * np.exp(-2 * log_sigma))

    def ops(t, p):
        f = t.shape[-1]
        mu, log_sigma = p[:, :f], p[:, f:]
        return ops.mean(log_sigma + 0.5 * ops.square(t - mu) * ops.exp(-2 * log_sigma))

    def k(t, p):
        f = K.int_shape(t)[-1]
        mu, log_sigma = p[:, :f], p[:, f:]
        return K.mean(log_sigma + 0.5 * K.square(t - mu) * K.exp(-2 * log_sigma))


@loss("heads", "elements")
class laplace_of_location_and_log_scale:
    def numpy(t, p):
        return p[:, 1:] + np.abs(t - p[:, :1]) * np.exp(-p[:, 1:])

    def ops(t, p):
        return p[:, 1:] + ops.abs(t - p[:, :1]) * ops.exp(-p[:, 1:])

    def k(t, p):
        return p[:, 1:] + K.abs(t - p[:, :1]) * K.exp(-p[:, 1:])


@loss("mixture", "rows")
class mixture_density:
    def numpy(t, p, components=2):
        logits, mu, log_sigma = np.split(p, 3, axis=1)
        parts = logits - log_sigma - 0.5 * np.square((t - mu) * np.exp(-log_sigma))
        top = np.max(parts, axis=1, keepdims=True)
        joint = np.log(np.sum(np.exp(parts - top), axis=1)) + top[:, 0]
        return np.log(np.sum(np.exp(logits), axis=1)) - joint + 0.5 * np.log(2 * np.pi)

    def ops(t, p, components=2):
        logits = p[:, :components]
        mu, log_sigma = p[:, components : 2 * components], p[:, 2 * components :]
        parts = ops.log_softmax(logits) - log_sigma
        parts = parts - 0.5 * ops.square((t - mu) / ops.exp(log_sigma))
        return 0.5 * math.log(2 * math.pi) - ops.logsumexp(parts, axis=1)

    def k(t, p, components=2):
        logits = p[:, :components]
        mu, log_sigma = p[:, components : 2 * components], p[:, 2 * components :]
        parts = logits - log_sigma - 0.5 * K.square((t - mu) / K.exp(log_sigma))
        total = K.logsumexp(logits, axis=1)
        return total - K.logsumexp(parts, axis=1) + 0.5 * math.log(2 * math.pi)


@loss("mixture", "batch")
class mixture_density_by_densities:
    def numpy(t, p):
        e = np.exp(p[:, :2])
        weights = e / np.sum(e, axis=1, keepdims=True)
        sigma = np.exp(p[:, 4:])
        density = np.exp(-0.5 * ((t - p[:, 2:4]) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
        return -np.mean(np.log(np.sum(weights * density, axis=1) + 1e-10))

    def ops(t, p):
        weights, sigma = ops.softmax(p[:, :2], axis=-1), ops.exp(p[:, 4:])
        density = ops.exp(-0.5 * ops.square((t - p[:, 2:4]) / sigma))
        density = density / (sigma * np.sqrt(2 * np.pi))
        return -ops.mean(ops.log(ops.sum(weights * density, axis=1) + 1e-10))

    def k(t, p):
        weights, sigma = K.softmax(p[:, :2]), K.exp(p[:, 4:])
        density = K.exp(-0.5 * K.square((t - p[:, 2:4]) / sigma)) / (sigma * np.sqrt(2 * np.pi))
        return -K.mean(K.log(K.sum(weights * density, axis=1) + 1e-10))


@loss("tasks", "rows")
class a_class_and_a_number:
    def numpy(t, p):
        q = np.clip(p[:, 0], EPS, 1 - EPS)
        bce = -t[:, 0] * np.log(q) - (1 - t[:, 0]) * np.log(1 - q)
        return bce + t[:, 0] * np.square(t[:, 1] - p[:, 1])

    def ops(t, p):
        bce = ops.binary_crossentropy(t[:, 0], p[:, 0])
        return bce + t[:, 0] * ops.square(t[:, 1] - p[:, 1])

    def k(t, p):
        bce = K.binary_crossentropy(t[:, 0], p[:, 0])
        return bce + t[:, 0] * K.square(t[:, 1] - p[:, 1])


@loss("policy", "batch")
class clipped_policy_ratio:
    def numpy(t, p):
        advantages, old = t[:, :1], t[:, 1:]
        ratio = np.exp(p - old)
        clipped = np.clip(ratio, 1 - 0.2, 1 + 0.2)
        return -np.mean(np.minimum(ratio * advantages, clipped * advantages))

    def ops(t, p):
        advantages, old = t[:, :1], t[:, 1:]
        ratio = ops.exp(p - old)
        clipped = ops.clip(ratio, 1 - 0.2, 1 + 0.2)
        return -ops.mean(ops.minimum(ratio * advantages, clipped * advantages))

    def k(t, p):
        advantages, old = t[:, :1], t[:, 1:]
        ratio = K.exp(p - old)
        clipped = K.clip(ratio, min_value=1 - 0.2, max_value=1 + 0.2)
        return -K.mean(K.minimum(ratio * advantages, clipped * advantages))


@loss("survival", "rows")
class survival_by_intervals:
    def numpy(t, p):
        k = p.shape[1]
        survived = 1.0 + t[:, 0:k] * (p - 1.0)
        died = 1.0 - t[:, k : 2 * k] * p
        parts = np.concatenate((survived, died), axis=-1)
        return np.sum(-np.log(np.clip(parts, EPS, None)), axis=-1)

    def ops(t, p):
        k = ops.shape(p)[1]
        survived = 1.0 + t[:, 0:k] * (p - 1.0)
        died = 1.0 - t[:, k : 2 * k] * p
        parts = ops.concatenate((survived, died), axis=-1)
        return ops.sum(-ops.log(ops.maximum(parts, 1e-7)), axis=-1)

    def k(t, p):
        k = K.int_shape(p)[1]
        survived = 1.0 + t[:, 0:k] * (p - 1.0)
        died = 1.0 - t[:, k : 2 * k] * p
        return K.sum(-K.log(K.clip(K.concatenate((survived, died)), K.epsilon(), None)), axis=-1)


@loss("times", "rows")
class weibull_with_censoring:
    def numpy(t, p):
        y, seen, a, b = t[:, 0], t[:, 1], p[:, 0], p[:, 1]
        ya = (y + EPS) / a
        return -1 * (seen * (np.log(b) + b * np.log(ya)) - np.power(ya, b))

    def ops(t, p):
        y, seen, a, b = t[:, 0], t[:, 1], p[:, 0], p[:, 1]
        ya = (y + 1e-7) / a
        return -1 * (seen * (ops.log(b) + b * ops.log(ya)) - ops.power(ya, b))

    def k(t, p):
        y, seen, a, b = t[:, 0], t[:, 1], p[:, 0], p[:, 1]
        ya = (y + K.epsilon()) / a
        return -1 * (seen * (K.log(b) + b * K.log(ya)) - K.pow(ya, b))


