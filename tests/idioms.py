"""Losses and metrics as users write them: a corpus for tracing.

Every entry is one formula in up to three spellings: plain NumPy, `fastnn.ops` (Keras's
``keras.ops``) and `fastnn.backend` as ``K`` (old Keras; left out where it had no such function).
They are the losses and metrics of courses, guides, books and answers, written as they are there:
methods beside functions, closures, slices of several heads, masks, Python lists as weights,
built-in losses inside one's own.

`IDIOMS` maps names to entries, `DATA` makes arrays for them, and `REFUSED` lists functions that
cannot be traced, with words that the error has to contain. `REFUSED_BY_FIT` names the few that can
be traced and that only training refuses.

The arrays stay away from kinks: differences of targets and predictions from multiples of 0.1,
probabilities from multiples of 0.05, columns from each other. So central differences with a step
of 1e-6 tell derivatives with respect to the predictions to about 1e-7.
"""

from __future__ import annotations

import functools
import math
import time
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
    """Return multiples of 0.1 from `low` to `high` tenths, plus `offset` to `offset + width`."""
    return 0.1 * rng.integers(low, high, shape) + offset + rng.uniform(0, width, shape)


def _errors(rng, shape, low=-25, high=25):
    """Return errors, no multiples of 0.1, whose absolute values differ within a row."""
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
    t, p = _scores(rng, (rows, classes)), _scores(rng, (rows, classes), step=0.9)
    return _softmax(t), _softmax(p)


def _levels(rng, rows, levels):
    """Ordinal targets, [1, 1, 0] for the third of four classes, and independent probabilities."""
    p = _probabilities(rng, rows, levels)[1]
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


@loss("quantiles", "batch")
class one_target_for_several_outputs:
    def numpy(t, p):
        return np.mean(np.square(np.repeat(t, 3, axis=1) - p))

    def ops(t, p):
        return ops.mean(ops.square(ops.tile(t, (1, 3)) - p))

    def k(t, p):
        return K.mean(K.square(K.tile(t, (1, 3)) - p))


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
        return np.mean(np.log(np.cosh(p - t)), axis=-1)

    def ops(t, p):
        return ops.mean(ops.log(ops.cosh(p - t)), axis=-1)

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
        return np.mean(np.square(t - p)) * (1 + 0.5 * np.mean(wrong.astype(float)))

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
        return np.average(np.square(y - p), weights=w)

    def ops(t, p):
        y, w = ops.split(t, 2, axis=-1)
        return ops.average(ops.square(y - p), weights=w)

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
        return ops.sum(ops.exp(rows - ops.logsumexp(rows)) * rows)

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
        there = K.cast(K.not_equal(t, -1), "float64") * K.cast(K.greater_equal(t, -100), "float64")
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


# --- losses: two classes, and many labels ----------------------------------------------------


@loss("probabilities", "rows")
class bce_by_hand:
    def numpy(t, p):
        p = np.clip(p, EPS, 1 - EPS)
        return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), axis=-1)

    def ops(t, p):
        p = ops.clip(p, 1e-7, 1 - 1e-7)
        return -ops.mean(t * ops.log(p) + (1 - t) * ops.log(1 - p), axis=-1)

    def k(t, p):
        p = K.clip(p, K.epsilon(), 1 - K.epsilon())
        return -K.mean(t * K.log(p) + (1 - t) * K.log(1 - p), axis=-1)


@loss("probabilities", "batch")
class bce_with_epsilon_inside_the_log:
    def numpy(t, p):
        return -(t * np.log(p + EPS) + (1 - t) * np.log(1 - p + EPS)).mean()

    def ops(t, p):
        return -ops.mean(t * ops.log(p + 1e-7) + (1 - t) * ops.log(1 - p + 1e-7))

    def k(t, p):
        return -K.mean(t * K.log(p + K.epsilon()) + (1 - t) * K.log(1 - p + K.epsilon()))


@loss("probabilities", "rows")
class bce_weighted_by_class:
    def numpy(t, p):
        p = np.clip(p, EPS, 1 - EPS)
        bce = -(t * np.log(p) + (1 - t) * np.log(1 - p))
        return np.mean((t * 5.0 + (1 - t) * 0.5) * bce, axis=-1)

    def ops(t, p):
        weights = t * 5.0 + (1 - t) * 0.5
        return ops.mean(weights * ops.binary_crossentropy(t, p), axis=-1)

    def k(t, p):
        weights = t * 5.0 + (1 - t) * 0.5
        return K.mean(weights * K.binary_crossentropy(t, p), axis=-1)


@loss("probabilities", "batch", features=(3,))
class bce_weighted_by_label_and_class:
    """Two lists of weights, one for the zeros and one for the ones of every label."""

    def numpy(t, p):
        zeros, ones = np.array([0.5, 1.0, 0.25]), np.array([2.0, 1.0, 4.0])
        weights = zeros ** (1 - t) * ones**t
        return np.mean(-weights * (t * np.log(p) + (1 - t) * np.log(1 - p)))

    def ops(t, p):
        zeros = ops.convert_to_tensor([0.5, 1.0, 0.25])
        ones = ops.convert_to_tensor([2.0, 1.0, 4.0])
        weights = ops.power(zeros, 1 - t) * ops.power(ones, t)
        return ops.mean(weights * ops.binary_crossentropy(t, p))

    def k(t, p):
        zeros, ones = np.array([0.5, 1.0, 0.25]), np.array([2.0, 1.0, 4.0])
        return K.mean((zeros ** (1 - t)) * (ones**t) * K.binary_crossentropy(t, p))


@loss("probabilities", "batch")
class bce_balanced_by_the_batch:
    def numpy(t, p):
        positive = np.mean(t)
        first = (1 - positive) * t * np.log(p)
        return -np.mean(first + positive * (1 - t) * np.log(1 - p))

    def ops(t, p):
        positive = ops.mean(t)
        first = (1 - positive) * t * ops.log(p)
        return -ops.mean(first + positive * (1 - t) * ops.log(1 - p))

    def k(t, p):
        positive = K.mean(t)
        first = (1 - positive) * t * K.log(p)
        return -K.mean(first + positive * (1 - t) * K.log(1 - p))


@loss("probabilities", "batch")
class bce_with_smoothed_labels:
    def numpy(t, p):
        s = t * (1 - 0.1) + 0.5 * 0.1
        return np.mean(-s * np.log(p) - (1 - s) * np.log(1 - p))

    def ops(t, p):
        s = t * (1 - 0.1) + 0.5 * 0.1
        return ops.mean(ops.binary_crossentropy(s, p))

    def k(t, p):
        s = t * (1 - 0.1) + 0.5 * 0.1
        return K.mean(K.binary_crossentropy(s, p))


@loss("binary_logits", "rows")
class bce_of_logits_by_hand:
    def numpy(t, p):
        return np.mean(np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p))), axis=-1)

    def ops(t, p):
        return ops.mean(ops.relu(p) - p * t + ops.log1p(ops.exp(-ops.abs(p))), axis=-1)

    def k(t, p):
        return K.mean(K.maximum(p, 0.0) - p * t + K.log(1 + K.exp(-K.abs(p))), axis=-1)


@loss("binary_logits", "batch")
class bce_of_logits_with_weights_of_positives:
    def numpy(t, p):
        weights = 1 + (3.0 - 1) * t
        return np.mean((1 - t) * p + weights * np.log1p(np.exp(-p)))

    def ops(t, p):
        weights = 1 + (3.0 - 1) * t
        return ops.mean((1 - t) * p + weights * ops.softplus(-p))

    def k(t, p):
        weights = 1 + (3.0 - 1) * t
        return K.mean((1 - t) * p + weights * K.softplus(-p))


@loss("binary_logits", "batch")
class log_of_a_sigmoid:
    def numpy(t, p):
        s = 1 / (1 + np.exp(-p))
        return -np.mean(t * np.log(s) + (1 - t) * np.log(1 - s))

    def ops(t, p):
        return -ops.mean(t * ops.log(ops.sigmoid(p)) + (1 - t) * ops.log(1 - ops.sigmoid(p)))

    def k(t, p):
        return -K.mean(t * K.log(K.sigmoid(p)) + (1 - t) * K.log(1 - K.sigmoid(p)))


def _binary_focal(gamma=2.0, alpha=0.25):
    def numpy(t, p):
        p = np.clip(p, EPS, 1 - EPS)
        pt = np.where(np.equal(t, 1), p, 1 - p)
        weights = np.where(np.equal(t, 1), alpha, 1 - alpha)
        return np.mean(-weights * (1 - pt) ** gamma * np.log(pt), axis=-1)

    def with_ops(t, p):
        p = ops.clip(p, 1e-7, 1 - 1e-7)
        pt = ops.where(ops.equal(t, 1), p, 1 - p)
        weights = ops.where(ops.equal(t, 1), alpha, 1 - alpha)
        return ops.mean(-weights * ops.power(1 - pt, gamma) * ops.log(pt), axis=-1)

    def with_k(t, p):
        p = K.clip(p, K.epsilon(), 1.0 - K.epsilon())
        pt = K.switch(K.equal(t, 1), p, 1 - p)
        weights = K.switch(K.equal(t, 1), K.ones_like(p) * alpha, K.ones_like(p) * (1 - alpha))
        return K.mean(-weights * K.pow(1.0 - pt, gamma) * K.log(pt), axis=-1)

    return numpy, with_ops, with_k


@loss("probabilities", "rows")
class binary_focal:
    numpy, ops, k = _binary_focal()


@loss("probabilities", "batch")
class binary_focal_of_ones_and_zeros:
    """The formula that answers repeat most: two `where`, two sums."""

    def numpy(t, p, gamma=2.0, alpha=0.25):
        p1 = np.where(t == 1, p, np.ones_like(p))
        p0 = np.where(t == 0, p, np.zeros_like(p))
        ones = np.sum(alpha * np.power(1.0 - p1, gamma) * np.log(p1 + EPS))
        return -ones - np.sum((1 - alpha) * np.power(p0, gamma) * np.log(1.0 - p0 + EPS))

    def ops(t, p, gamma=2.0, alpha=0.25):
        p1 = ops.where(t == 1, p, ops.ones_like(p))
        p0 = ops.where(t == 0, p, ops.zeros_like(p))
        ones = ops.sum(alpha * ops.power(1.0 - p1, gamma) * ops.log(p1 + 1e-7))
        return -ones - ops.sum((1 - alpha) * ops.power(p0, gamma) * ops.log(1.0 - p0 + 1e-7))

    def k(t, p, gamma=2.0, alpha=0.25):
        p1 = K.switch(K.equal(t, 1), p, K.ones_like(p))
        p0 = K.switch(K.equal(t, 0), p, K.zeros_like(p))
        ones = K.sum(alpha * K.pow(1.0 - p1, gamma) * K.log(p1 + K.epsilon()))
        return -ones - K.sum((1 - alpha) * K.pow(p0, gamma) * K.log(1.0 - p0 + K.epsilon()))


@loss("probabilities", "batch")
class focal_of_a_crossentropy:
    def numpy(t, p):
        bce = -(t * np.log(p) + (1 - t) * np.log(1 - p))
        return np.mean((1 - np.exp(-bce)) ** 2 * bce)

    def ops(t, p):
        bce = ops.binary_crossentropy(t, p)
        return ops.mean(ops.square(1 - ops.exp(-bce)) * bce)

    def k(t, p):
        bce = K.binary_crossentropy(t, p)
        return K.mean(K.pow(1 - K.exp(-bce), 2) * bce)


@loss("probabilities", "rows", features=(3,))
class brier_of_many_labels:
    def numpy(t, p):
        return np.sum(np.power(p - t, 2), axis=-1)

    def ops(t, p):
        return ops.sum(ops.power(p - t, 2), axis=-1)

    def k(t, p):
        return K.sum(K.pow(p - t, 2), axis=-1)


@loss("probabilities", "batch")
class dice_flattened:
    def numpy(t, p, smooth=1.0):
        a, b = np.reshape(t, (-1,)), np.reshape(p, (-1,))
        return 1 - (2.0 * np.sum(a * b) + smooth) / (np.sum(a) + np.sum(b) + smooth)

    def ops(t, p, smooth=1.0):
        a, b = ops.reshape(t, [-1]), ops.reshape(p, [-1])
        return 1 - (2.0 * ops.sum(a * b) + smooth) / (ops.sum(a) + ops.sum(b) + smooth)

    def k(t, p, smooth=1.0):
        a, b = K.flatten(t), K.flatten(p)
        return 1 - (2.0 * K.sum(a * b) + smooth) / (K.sum(a) + K.sum(b) + smooth)


@loss("probabilities", "rows", features=(3,))
class dice_by_row_of_squares:
    def numpy(t, p):
        bottom = (t**2).sum(axis=-1) + (p**2).sum(axis=-1)
        return 1 - 2 * (t * p).sum(axis=-1) / (bottom + EPS)

    def ops(t, p):
        bottom = ops.sum(ops.square(t), axis=-1) + ops.sum(ops.square(p), axis=-1)
        return 1 - 2 * ops.sum(t * p, axis=-1) / (bottom + 1e-7)

    def k(t, p):
        bottom = K.sum(K.square(t), -1) + K.sum(K.square(p), -1)
        return 1 - 2 * K.sum(K.abs(t * p), axis=-1) / (bottom + K.epsilon())


@loss("probabilities", "rows")
class bce_and_dice:
    def numpy(t, p):
        bce = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), axis=-1)
        return bce + 1 - (2 * np.sum(t * p) + 1) / (np.sum(t) + np.sum(p) + 1)

    def ops(t, p):
        bce = ops.mean(ops.binary_crossentropy(t, p), axis=-1)
        return bce + 1 - (2 * ops.sum(t * p) + 1) / (ops.sum(t) + ops.sum(p) + 1)

    def k(t, p):
        bce = K.mean(K.binary_crossentropy(t, p), axis=-1)
        return bce + 1 - (2 * K.sum(t * p) + 1) / (K.sum(t) + K.sum(p) + 1)


@loss("probabilities", "batch")
class log_cosh_of_dice:
    def numpy(t, p):
        x = 1 - (2 * np.sum(t * p) + 1) / (np.sum(t) + np.sum(p) + 1)
        return np.log((np.exp(x) + np.exp(-x)) / 2)

    def ops(t, p):
        x = 1 - (2 * ops.sum(t * p) + 1) / (ops.sum(t) + ops.sum(p) + 1)
        return ops.log((ops.exp(x) + ops.exp(-x)) / 2.0)

    def k(t, p):
        x = 1 - (2 * K.sum(t * p) + 1) / (K.sum(t) + K.sum(p) + 1)
        return K.log((K.exp(x) + K.exp(-x)) / 2.0)


@loss("probabilities", "batch")
class focal_tversky:
    def numpy(t, p):
        a, b = t.flatten(), p.flatten()
        tp, fn, fp = (a * b).sum(), (a * (1 - b)).sum(), ((1 - a) * b).sum()
        return (1 - (tp + 1) / (tp + 0.7 * fn + (1 - 0.7) * fp + 1)) ** 0.75

    def ops(t, p):
        tp, fn, fp = ops.sum(t * p), ops.sum(t * (1 - p)), ops.sum((1 - t) * p)
        return ops.power(1 - (tp + 1) / (tp + 0.7 * fn + (1 - 0.7) * fp + 1), 0.75)

    def k(t, p):
        a, b = K.flatten(t), K.flatten(p)
        tp, fn, fp = K.sum(a * b), K.sum(a * (1 - b)), K.sum((1 - a) * b)
        return K.pow(1 - (tp + 1) / (tp + 0.7 * fn + (1 - 0.7) * fp + 1), 0.75)


@loss("probabilities", "batch", features=(3,))
class tversky_by_column:
    def numpy(t, p):
        tp, fn, fp = (np.sum(x, axis=0) for x in (t * p, t * (1 - p), (1 - t) * p))
        return np.sum(1 - tp / (tp + 0.3 * fp + 0.7 * fn + EPS))

    def ops(t, p):
        tp, fn, fp = (ops.sum(x, axis=0) for x in (t * p, t * (1 - p), (1 - t) * p))
        return ops.sum(1 - tp / (tp + 0.3 * fp + 0.7 * fn + 1e-7))

    def k(t, p):
        tp, fn, fp = (K.sum(x, axis=0) for x in (t * p, t * (1 - p), (1 - t) * p))
        return K.sum(1 - tp / (tp + 0.3 * fp + 0.7 * fn + K.epsilon()))


@loss("probabilities", "rows", features=(3,))
class jaccard:
    def numpy(t, p, smooth=100):
        both = np.sum(np.abs(t * p), axis=-1)
        either = np.sum(np.abs(t) + np.abs(p), axis=-1) - both
        return (1 - (both + smooth) / (either + smooth)) * smooth

    def ops(t, p, smooth=100):
        both = ops.sum(ops.abs(t * p), axis=-1)
        either = ops.sum(ops.abs(t) + ops.abs(p), axis=-1) - both
        return (1 - (both + smooth) / (either + smooth)) * smooth

    def k(t, p, smooth=100):
        both = K.sum(K.abs(t * p), axis=-1)
        either = K.sum(K.abs(t) + K.abs(p), axis=-1) - both
        return (1 - (both + smooth) / (either + smooth)) * smooth


@loss("probabilities", "batch")
class log_of_iou:
    def numpy(t, p):
        both = np.sum(t * p)
        return -np.log((both + EPS) / (np.sum(t + p) - both + EPS))

    def ops(t, p):
        both = ops.sum(t * p)
        return -ops.log((both + 1e-7) / (ops.sum(t + p) - both + 1e-7))

    def k(t, p):
        both = K.sum(t * p)
        return -K.log((both + K.epsilon()) / (K.sum(t + p) - both + K.epsilon()))


@loss("probabilities", "batch", features=(1, 3))
class soft_macro_f1:
    def numpy(t, p):
        tp = np.sum(t * p, axis=0)
        fp, fn = np.sum((1 - t) * p, axis=0), np.sum(t * (1 - p), axis=0)
        precision, recall = tp / (tp + fp + EPS), tp / (tp + fn + EPS)
        f1 = 2 * precision * recall / (precision + recall + EPS)
        return 1 - np.mean(np.where(np.isnan(f1), np.zeros_like(f1), f1))

    def ops(t, p):
        tp = ops.sum(t * p, axis=0)
        fp, fn = ops.sum((1 - t) * p, axis=0), ops.sum(t * (1 - p), axis=0)
        precision, recall = tp / (tp + fp + 1e-7), tp / (tp + fn + 1e-7)
        f1 = 2 * precision * recall / (precision + recall + 1e-7)
        return 1 - ops.mean(ops.where(ops.isnan(f1), ops.zeros_like(f1), f1))

    def k(t, p):
        tp = K.sum(t * p, axis=0)
        fp, fn = K.sum((1 - t) * p, axis=0), K.sum(t * (1 - p), axis=0)
        precision, recall = tp / (tp + fp + K.epsilon()), tp / (tp + fn + K.epsilon())
        return 1 - K.mean(2 * precision * recall / (precision + recall + K.epsilon()))


@loss("probabilities", "batch", features=(3,))
class double_soft_f1:
    """F1 of the ones and of the zeros, averaged over the labels."""

    def numpy(t, p):
        tp, tn = np.sum(p * t, axis=0), np.sum((1 - p) * (1 - t), axis=0)
        wrong = np.sum(p * (1 - t), axis=0) + np.sum((1 - p) * t, axis=0)
        ones, zeros = 2 * tp / (2 * tp + wrong + 1e-16), 2 * tn / (2 * tn + wrong + 1e-16)
        return np.mean(0.5 * (1 - ones + 1 - zeros))

    def ops(t, p):
        tp, tn = ops.sum(p * t, axis=0), ops.sum((1 - p) * (1 - t), axis=0)
        wrong = ops.sum(p * (1 - t), axis=0) + ops.sum((1 - p) * t, axis=0)
        ones, zeros = 2 * tp / (2 * tp + wrong + 1e-16), 2 * tn / (2 * tn + wrong + 1e-16)
        return ops.mean(0.5 * (1 - ones + 1 - zeros))

    def k(t, p):
        tp, tn = K.sum(p * t, axis=0), K.sum((1 - p) * (1 - t), axis=0)
        wrong = K.sum(p * (1 - t), axis=0) + K.sum((1 - p) * t, axis=0)
        ones, zeros = 2 * tp / (2 * tp + wrong + 1e-16), 2 * tn / (2 * tn + wrong + 1e-16)
        return K.mean(0.5 * (1 - ones + 1 - zeros))


@loss("levels", "rows")
class ordinal_by_thresholds:
    def numpy(t, p):
        return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)

    def ops(t, p):
        return ops.sum(ops.binary_crossentropy(t, p), axis=1)

    def k(t, p):
        return K.sum(K.binary_crossentropy(t, p), axis=1)


@loss("signs", "rows")
class hinge:
    def numpy(t, p):
        return np.maximum(1.0 - t * p, 0.0).mean(axis=-1)

    def ops(t, p):
        return ops.mean(ops.maximum(1.0 - t * p, 0.0), axis=-1)

    def k(t, p):
        return K.mean(K.maximum(1.0 - t * p, 0.0), axis=-1)


@loss("signs", "batch")
class squared_hinge:
    def numpy(t, p):
        return np.mean(np.square(np.maximum(1 - t * p, 0)))

    def ops(t, p):
        return ops.mean(ops.square(ops.relu(1 - t * p)))

    def k(t, p):
        return K.mean(K.square(K.relu(1 - t * p)))


@loss("probabilities", "rows")
class hinge_of_labels_zero_and_one:
    def numpy(t, p):
        signs = np.where(t > 0, 1.0, -1.0)
        return np.mean(np.maximum(0, 1 - signs * (2 * p - 1)), axis=-1)

    def ops(t, p):
        signs = 2 * ops.cast(t > 0, "float32") - 1
        return ops.mean(ops.maximum(0, 1 - signs * (2 * p - 1)), axis=-1)

    def k(t, p):
        signs = 2 * K.cast(t > 0, "float32") - 1
        return K.mean(K.maximum(1 - signs * (2 * p - 1), 0.0), axis=-1)


@loss("signs", "batch")
class modified_huber:
    def numpy(t, p):
        z = t * p
        return np.mean(np.where(z >= -1, np.maximum(0, 1 - z) ** 2, -4 * z))

    def ops(t, p):
        z = t * p
        return ops.mean(ops.where(z >= -1, ops.square(ops.maximum(0, 1 - z)), -4 * z))

    def k(t, p):
        z = t * p
        return K.mean(K.switch(K.greater_equal(z, -1), K.square(K.relu(1 - z)), -4 * z))


@loss("signs", "rows")
class logistic_of_signs:
    def numpy(t, p):
        return np.sum(np.logaddexp(0, -t * p), axis=-1)

    def ops(t, p):
        return ops.sum(ops.softplus(-t * p), axis=-1)

    def k(t, p):
        return K.sum(K.softplus(-t * p), axis=-1)


@loss("signs", "batch")
class critic_of_a_wasserstein_gan:
    def numpy(t, p):
        return np.mean(t * p)

    def ops(t, p):
        return ops.mean(ops.multiply(t, p))

    def k(t, p):
        return K.mean(t * p)


# --- losses: several classes -----------------------------------------------------------------


@loss("onehot", "rows")
class cce_by_hand:
    def numpy(t, p):
        return -np.sum(t * np.log(np.clip(p, EPS, 1.0)), axis=-1)

    def ops(t, p):
        return -ops.sum(t * ops.log(ops.clip(p, 1e-7, 1.0)), axis=-1)

    def k(t, p):
        return -K.sum(t * K.log(K.clip(p, K.epsilon(), 1.0)), axis=-1)


@loss("onehot", "rows")
class cce_of_rows_that_are_divided_first:
    def numpy(t, p):
        p = p / np.sum(p, axis=-1, keepdims=True)
        return -np.sum(t * np.log(np.clip(p, EPS, 1 - EPS)), axis=-1)

    def ops(t, p):
        return ops.categorical_crossentropy(t, p)

    def k(t, p):
        return K.categorical_crossentropy(t, p)


@loss("class_logits", "rows")
class softmax_by_hand:
    def numpy(t, p):
        e = np.exp(p - np.max(p, axis=-1, keepdims=True))
        q = e / np.sum(e, axis=-1, keepdims=True)
        return -np.sum(t * np.log(q + 1e-12), axis=-1)

    def ops(t, p):
        e = ops.exp(p - ops.max(p, axis=-1, keepdims=True))
        q = e / ops.sum(e, axis=-1, keepdims=True)
        return -ops.sum(t * ops.log(q + 1e-12), axis=-1)

    def k(t, p):
        e = K.exp(p - K.max(p, axis=-1, keepdims=True))
        q = e / K.sum(e, axis=-1, keepdims=True)
        return -K.sum(t * K.log(q + 1e-12), axis=-1)


@loss("class_logits", "batch")
class log_of_a_softmax:
    def numpy(t, p):
        e = np.exp(p)
        return -np.mean(np.sum(t * np.log(e / e.sum(axis=-1, keepdims=True)), axis=-1))

    def ops(t, p):
        return -ops.mean(ops.sum(t * ops.log(ops.softmax(p)), axis=-1))

    def k(t, p):
        return -K.mean(K.sum(t * K.log(K.softmax(p)), axis=-1))


@loss("class_logits", "rows")
class log_softmax_by_logsumexp:
    def numpy(t, p):
        return np.log(np.exp(p).sum(axis=-1)) - (t * p).sum(axis=-1)

    def ops(t, p):
        return -ops.sum(t * ops.log_softmax(p, axis=-1), axis=-1)

    def k(t, p):
        return K.logsumexp(p, axis=-1) - K.sum(t * p, axis=-1)


@loss("class_logits", "rows")
class cce_from_logits:
    def numpy(t, p):
        shifted = p - np.max(p, axis=-1, keepdims=True)
        return np.log(np.sum(np.exp(shifted), axis=-1)) - np.sum(t * shifted, axis=-1)

    def ops(t, p):
        return ops.categorical_crossentropy(t, p, from_logits=True)

    def k(t, p):
        return K.categorical_crossentropy(t, p, from_logits=True)


@loss("class_logits", "rows")
class temperature:
    def numpy(t, p, T=2.5):
        e = np.exp(p / T)
        q = e / np.sum(e, axis=-1, keepdims=True)
        return -(T**2) * np.sum(t * np.log(q), axis=-1)

    def ops(t, p, T=2.5):
        return -(T**2) * ops.sum(t * ops.log_softmax(p / T), axis=-1)

    def k(t, p, T=2.5):
        return -(T**2) * K.sum(t * K.log(K.softmax(p / T)), axis=-1)


CLASS_WEIGHTS = [1.0, 4.0, 0.5]


def _weighted_cce(weights):
    weights = np.array(weights)

    def numpy(t, p):
        q = p / np.sum(p, axis=-1, keepdims=True)
        q = np.clip(q, EPS, 1 - EPS)
        return -np.sum(t * np.log(q) * weights, -1)

    def with_ops(t, p):
        q = p / ops.sum(p, axis=-1, keepdims=True)
        q = ops.clip(q, 1e-7, 1 - 1e-7)
        return -ops.sum(t * ops.log(q) * weights, -1)

    def with_k(t, p):
        constants = K.constant(weights)
        q = p / K.sum(p, axis=-1, keepdims=True)
        q = K.clip(q, K.epsilon(), 1 - K.epsilon())
        return -K.sum(t * K.log(q) * constants, -1)

    return numpy, with_ops, with_k


@loss("onehot", "rows", features=(3,))
class cce_weighted_by_a_list:
    numpy, ops, k = _weighted_cce(CLASS_WEIGHTS)


@loss("onehot", "rows", features=(3,))
class cce_times_the_weight_of_the_class:
    def numpy(t, p):
        p = p / np.sum(p, axis=-1, keepdims=True)
        return np.sum(t * CLASS_WEIGHTS, axis=-1) * -np.sum(t * np.log(p), axis=-1)

    def ops(t, p):
        weights = ops.sum(t * CLASS_WEIGHTS, axis=-1)
        return weights * ops.categorical_crossentropy(t, p)

    def k(t, p):
        weights = K.sum(t * K.constant(CLASS_WEIGHTS), axis=-1)
        return weights * K.categorical_crossentropy(t, p)


@loss("onehot", "rows", features=(3,))
class costs_of_confusions:
    """A matrix of what each confusion costs, by a product with constants."""

    def numpy(t, p):
        costs = np.array([[0.0, 1.0, 5.0], [2.0, 0.0, 1.0], [4.0, 0.5, 0.0]])
        return np.sum(np.matmul(t, costs) * p, axis=-1)

    def ops(t, p):
        costs = np.array([[0.0, 1.0, 5.0], [2.0, 0.0, 1.0], [4.0, 0.5, 0.0]])
        return ops.sum(ops.matmul(t, costs) * p, axis=-1)

    def k(t, p):
        costs = K.constant([[0.0, 1.0, 5.0], [2.0, 0.0, 1.0], [4.0, 0.5, 0.0]])
        return K.sum(K.dot(t, costs) * p, axis=-1)


@loss("onehot", "rows")
class cce_with_smoothed_labels:
    def numpy(t, p):
        s = (1 - 0.1) * t + 0.1 / p.shape[-1]
        return -(s * np.log(p)).sum(axis=-1)

    def ops(t, p):
        s = (1 - 0.1) * t + 0.1 / p.shape[-1]
        return -ops.sum(s * ops.log(p), axis=-1)

    def k(t, p):
        s = (1 - 0.1) * t + 0.1 / K.int_shape(p)[-1]
        return -K.sum(s * K.log(p), axis=-1)


@loss("onehot", "rows")
class categorical_focal:
    def numpy(t, p, gamma=2.0, alpha=0.25):
        p = np.clip(p, EPS, 1 - EPS)
        p /= np.sum(p, axis=-1, keepdims=True)
        return np.sum(alpha * np.power(1 - p, gamma) * (-t * np.log(p)), axis=-1)

    def ops(t, p, gamma=2.0, alpha=0.25):
        p = ops.clip(p, 1e-7, 1 - 1e-7)
        p /= ops.sum(p, axis=-1, keepdims=True)
        return ops.sum(alpha * ops.power(1 - p, gamma) * (-t * ops.log(p)), axis=-1)

    def k(t, p, gamma=2.0, alpha=0.25):
        p = K.clip(p, K.epsilon(), 1 - K.epsilon())
        p /= K.sum(p, axis=-1, keepdims=True)
        return K.sum(alpha * K.pow(1 - p, gamma) * (-t * K.log(p)), axis=-1)


@loss("onehot", "rows")
class cce_times_the_missing_probability:
    def numpy(t, p):
        p = p / np.sum(p, axis=-1, keepdims=True)
        return -np.sum(t * np.log(p), axis=-1) * (1 - np.sum(t * p, axis=-1)) ** 2

    def ops(t, p):
        p = p / ops.sum(p, axis=-1, keepdims=True)
        return ops.categorical_crossentropy(t, p) * ops.square(1 - ops.sum(t * p, axis=-1))

    def k(t, p):
        p = p / K.sum(p, axis=-1, keepdims=True)
        return K.categorical_crossentropy(t, p) * (1 - K.sum(t * p, axis=-1)) ** 2


@loss("labels", "rows")
class sparse_cce_by_comparison:
    """NumPy's `np.eye(classes)[labels]` indexes by a tensor; a comparison says the same."""

    def numpy(t, p):
        q = np.clip(p / np.sum(p, axis=-1, keepdims=True), EPS, 1 - EPS)
        return -np.sum((t[:, np.newaxis] == np.arange(3)) * np.log(q), axis=-1)

    def ops(t, p):
        return ops.sparse_categorical_crossentropy(ops.cast(t, "int32"), p)

    def k(t, p):
        return K.sparse_categorical_crossentropy(t, p)


@loss("labels_column", "rows")
class sparse_cce_by_one_hot:
    def numpy(t, p):
        return -np.sum(np.equal(t, np.arange(3)) * np.log(p), axis=-1)

    def ops(t, p):
        hot = ops.one_hot(ops.cast(ops.squeeze(t, axis=-1), "int32"), 3)
        return -ops.sum(hot * ops.log(p), axis=-1)

    def k(t, p):
        hot = K.one_hot(K.cast(K.flatten(t), "int32"), 3)
        return -K.sum(hot * K.log(p), axis=-1)


@loss("labels", "rows")
class sparse_cce_by_taking_along_an_axis:
    def numpy(t, p):
        own = np.take_along_axis(p, np.expand_dims(t.astype("int32"), -1), axis=-1)
        return -np.log(own)[:, 0]

    def ops(t, p):
        own = ops.take_along_axis(p, ops.expand_dims(ops.cast(t, "int32"), -1), axis=-1)
        return -ops.log(ops.squeeze(own, axis=-1))


@loss("labels_column", "batch")
class sparse_cce_weighted_by_a_list:
    def numpy(t, p):
        hot = (t == np.arange(3)).astype(float)
        weights = np.sum(hot * CLASS_WEIGHTS, axis=-1)
        return np.sum(weights * -np.sum(hot * np.log(p), axis=-1)) / np.sum(weights)

    def ops(t, p):
        labels = ops.cast(ops.reshape(t, (-1,)), "int32")
        weights = ops.take(ops.convert_to_tensor(CLASS_WEIGHTS), labels)
        cce = -ops.sum(ops.one_hot(labels, 3) * ops.log(p), axis=-1)
        return ops.sum(weights * cce) / ops.sum(weights)

    def k(t, p):
        labels = K.cast(K.flatten(t), "int32")
        weights = K.gather(K.constant(CLASS_WEIGHTS), labels)
        cce = -K.sum(K.one_hot(labels, 3) * K.log(p), axis=-1)
        return K.sum(weights * cce) / K.sum(weights)


@loss("onehot", "rows")
class ordinal_by_the_distance_of_classes:
    def numpy(t, p):
        p = p / np.sum(p, axis=-1, keepdims=True)
        distance = np.abs(np.argmax(t, axis=1) - np.argmax(p, axis=1)) / (p.shape[1] - 1)
        return (1.0 + distance) * -np.sum(t * np.log(p), axis=-1)

    def ops(t, p):
        distance = ops.abs(ops.argmax(t, axis=1) - ops.argmax(p, axis=1))
        weights = 1.0 + ops.cast(distance, "float64") / (p.shape[1] - 1)
        return weights * ops.categorical_crossentropy(t, p)

    def k(t, p):
        distance = K.abs(K.argmax(t, axis=1) - K.argmax(p, axis=1))
        weights = 1.0 + K.cast(distance, "float64") / (K.int_shape(p)[1] - 1)
        return weights * K.categorical_crossentropy(t, p)


@loss("labels", "rows")
class ordinal_by_the_expected_class:
    def numpy(t, p):
        return np.square(np.sum(p * np.arange(3), axis=-1) - t)

    def ops(t, p):
        return ops.square(ops.sum(p * ops.arange(3, dtype="float32"), axis=-1) - t)

    def k(t, p):
        return K.square(K.sum(p * K.constant([0, 1, 2]), axis=-1) - t)


@loss("distributions", "rows", features=(3,))
class earth_mover_by_a_triangle:
    """Cumulated probabilities by a product with ones below the diagonal."""

    def numpy(t, p):
        return np.sqrt(np.mean(((t - p) @ np.triu(np.ones((3, 3)))) ** 2, axis=-1))

    def ops(t, p):
        steps = ops.matmul(t - p, np.triu(np.ones((3, 3))))
        return ops.sqrt(ops.mean(ops.square(steps), axis=-1))

    def k(t, p):
        steps = K.dot(t - p, K.constant(np.triu(np.ones((3, 3)))))
        return K.sqrt(K.mean(K.square(steps), axis=-1))


@loss("onehot", "rows")
class categorical_hinge:
    def numpy(t, p):
        own, other = np.sum(t * p, axis=-1), np.max((1.0 - t) * p, axis=-1)
        return np.maximum(other - own + 1.0, 0.0)

    def ops(t, p):
        own, other = ops.sum(t * p, axis=-1), ops.max((1.0 - t) * p, axis=-1)
        return ops.maximum(other - own + 1.0, 0.0)

    def k(t, p):
        own, other = K.sum(t * p, axis=-1), K.max((1.0 - t) * p, axis=-1)
        return K.maximum(0.0, other - own + 1.0)


@loss("class_logits", "rows")
class hinge_of_all_other_classes:
    def numpy(t, p):
        own = np.sum(t * p, axis=1, keepdims=True)
        return np.sum((1 - t) * np.maximum(0, p - own + 1.25), axis=1)

    def ops(t, p):
        own = ops.sum(t * p, axis=1, keepdims=True)
        return ops.sum((1 - t) * ops.maximum(0, p - own + 1.25), axis=1)

    def k(t, p):
        own = K.sum(t * p, axis=1, keepdims=True)
        return K.sum((1 - t) * K.maximum(p - own + 1.25, 0.0), axis=1)


@loss("onehot", "rows")
class spherical:
    def numpy(t, p):
        return -np.sum(t * p, axis=-1) / np.linalg.norm(p, axis=-1)

    def ops(t, p):
        return -ops.sum(t * p, axis=-1) / ops.norm(p, axis=-1)

    def k(t, p):
        return -K.sum(t * p, axis=-1) / K.sqrt(K.sum(K.square(p), axis=-1))


@loss("onehot", "rows")
class poly_1:
    def numpy(t, p):
        own = np.sum(t * p, axis=-1)
        return -np.log(own) + 2.0 * (1 - own)

    def ops(t, p):
        own = ops.sum(t * p, axis=-1)
        return -ops.log(own) + 2.0 * (1 - own)

    def k(t, p):
        own = K.sum(t * p, axis=-1)
        return -K.log(own) + 2.0 * (1 - own)


@loss("onehot", "batch")
class generalized_crossentropy:
    def numpy(t, p, q=0.7):
        return np.mean((1 - np.max(t * p, axis=-1) ** q) / q)

    def ops(t, p, q=0.7):
        return ops.mean((1 - ops.power(ops.max(t * p, axis=-1), q)) / q)

    def k(t, p, q=0.7):
        return K.mean((1.0 - K.pow(K.max(t * p, axis=-1), q)) / q)


@loss("onehot", "rows")
class symmetric_crossentropy:
    def numpy(t, p):
        forward = -np.sum(t * np.log(np.clip(p, 1e-7, 1)), axis=-1)
        return 0.1 * forward - np.sum(p * np.log(np.clip(t, 1e-4, 1)), axis=-1)

    def ops(t, p):
        forward = -ops.sum(t * ops.log(ops.clip(p, 1e-7, 1)), axis=-1)
        return 0.1 * forward - ops.sum(p * ops.log(ops.clip(t, 1e-4, 1)), axis=-1)

    def k(t, p):
        forward = -K.sum(t * K.log(K.clip(p, 1e-7, 1.0)), axis=-1)
        return 0.1 * forward - K.sum(p * K.log(K.clip(t, 1e-4, 1.0)), axis=-1)


@loss("onehot", "rows")
class crossentropy_less_entropy:
    """The penalty of confident predictions."""

    def numpy(t, p):
        return -np.sum(t * np.log(p), axis=-1) + 0.1 * np.sum(p * np.log(p), axis=-1)

    def ops(t, p):
        entropy = -ops.sum(p * ops.log(p), axis=-1)
        return -ops.sum(t * ops.log(p), axis=-1) - 0.1 * entropy

    def k(t, p):
        entropy = -K.sum(p * K.log(p), axis=-1)
        return -K.sum(t * K.log(p), axis=-1) - 0.1 * entropy


@loss("distributions", "batch")
class mse_and_entropy_of_the_mean_prediction:
    def numpy(t, p):
        mean = np.mean(p, axis=0)
        return np.mean((t - p) ** 2) + 0.05 * np.sum(mean * np.log(mean + EPS))

    def ops(t, p):
        mean = ops.mean(p, axis=0)
        return ops.mean(ops.square(t - p)) + 0.05 * ops.sum(mean * ops.log(mean + 1e-7))

    def k(t, p):
        mean = K.mean(p, axis=0)
        return K.mean(K.square(t - p)) + 0.05 * K.sum(mean * K.log(mean + K.epsilon()))


@loss("distributions", "rows")
class kl_divergence:
    def numpy(t, p):
        t, p = np.clip(t, EPS, 1), np.clip(p, EPS, 1)
        return np.sum(t * np.log(t / p), axis=-1)

    def ops(t, p):
        t, p = ops.clip(t, 1e-7, 1), ops.clip(p, 1e-7, 1)
        return ops.sum(t * ops.log(t / p), axis=-1)

    def k(t, p):
        t, p = K.clip(t, K.epsilon(), 1), K.clip(p, K.epsilon(), 1)
        return K.sum(t * K.log(t / p), axis=-1)


@loss("distributions", "rows")
class jensen_shannon:
    def numpy(t, p):
        m = (t + p) / 2
        return np.sum(t * np.log(t / m) + p * np.log(p / m), axis=-1) / 2

    def ops(t, p):
        m = (t + p) / 2
        return ops.sum(t * ops.log(t / m) + p * ops.log(p / m), axis=-1) / 2

    def k(t, p):
        m = (t + p) / 2
        return K.sum(t * K.log(t / m) + p * K.log(p / m), axis=-1) / 2


@loss("distributions", "rows")
class hellinger:
    def numpy(t, p):
        return np.linalg.norm(np.sqrt(t) - np.sqrt(p), axis=-1) / np.sqrt(2)

    def ops(t, p):
        return ops.norm(ops.sqrt(t) - ops.sqrt(p), axis=-1) / np.sqrt(2)

    def k(t, p):
        return K.sqrt(K.sum(K.square(K.sqrt(t) - K.sqrt(p)), axis=-1)) / math.sqrt(2)


@loss("distributions", "rows")
class bhattacharyya:
    def numpy(t, p):
        return -np.log(np.sum(np.sqrt(t * p), axis=-1))

    def ops(t, p):
        return -ops.log(ops.sum(ops.sqrt(t * p), axis=-1))

    def k(t, p):
        return -K.log(K.sum(K.sqrt(t * p), axis=-1))


# --- losses: embeddings and ranks ------------------------------------------------------------


@loss("regression", "rows", features=(3,))
class cosine_by_hand:
    def numpy(t, p):
        lengths = np.sqrt(np.sum(t * t, axis=-1)) * np.sqrt(np.sum(p * p, axis=-1))
        return 1 - np.sum(t * p, axis=-1) / (lengths + EPS)

    def ops(t, p):
        lengths = ops.sqrt(ops.sum(t * t, axis=-1)) * ops.sqrt(ops.sum(p * p, axis=-1))
        return 1 - ops.sum(t * p, axis=-1) / (lengths + 1e-7)

    def k(t, p):
        lengths = K.sqrt(K.sum(t * t, axis=-1)) * K.sqrt(K.sum(p * p, axis=-1))
        return 1 - K.sum(t * p, axis=-1) / (lengths + K.epsilon())


@loss("regression", "rows", features=(3,))
class cosine_of_unit_vectors:
    def numpy(t, p):
        a = t / np.linalg.norm(t, axis=-1, keepdims=True)
        b = p / np.linalg.norm(p, axis=-1, keepdims=True)
        return -np.einsum("ij,ij->i", a, b)

    def ops(t, p):
        return -ops.sum(ops.normalize(t, axis=-1) * ops.normalize(p, axis=-1), axis=-1)

    def k(t, p):
        return -K.sum(K.l2_normalize(t, axis=-1) * K.l2_normalize(p, axis=-1), axis=-1)


@loss("distances", "batch")
class contrastive:
    def numpy(t, p, margin=1):
        return np.mean(t * np.square(p) + (1 - t) * np.square(np.maximum(margin - p, 0)))

    def ops(t, p, margin=1):
        return ops.mean(t * ops.square(p) + (1 - t) * ops.square(ops.maximum(margin - p, 0)))

    def k(t, p, margin=1):
        return K.mean(t * K.square(p) + (1 - t) * K.square(K.maximum(margin - p, 0)))


@loss("pairs", "rows")
class contrastive_of_two_embeddings:
    def numpy(t, p):
        a, b = np.split(p, 2, axis=-1)
        d = np.sqrt(np.maximum(np.sum(np.square(a - b), axis=-1, keepdims=True), EPS))
        return np.mean((1 - t) * d**2 + t * np.maximum(0, 3 - d) ** 2, axis=-1)

    def ops(t, p):
        a, b = ops.split(p, 2, axis=-1)
        d = ops.sqrt(ops.maximum(ops.sum(ops.square(a - b), axis=-1, keepdims=True), 1e-7))
        return ops.mean((1 - t) * d**2 + t * ops.square(ops.maximum(0, 3 - d)), axis=-1)

    def k(t, p):
        half = K.int_shape(p)[-1] // 2
        a, b = p[:, :half], p[:, half:]
        d = K.sqrt(K.maximum(K.sum(K.square(a - b), axis=-1, keepdims=True), K.epsilon()))
        return K.mean((1 - t) * K.square(d) + t * K.square(K.maximum(3 - d, 0.0)), axis=-1)


@loss("triplets", "rows")
class triplet:
    def numpy(t, p, alpha=0.4):
        n = p.shape[-1] // 3
        anchor, positive, negative = p[:, 0:n], p[:, n : 2 * n], p[:, 2 * n :]
        near = np.sum(np.square(anchor - positive), axis=1)
        return np.maximum(near - np.sum(np.square(anchor - negative), axis=1) + alpha, 0.0)

    def ops(t, p, alpha=0.4):
        anchor, positive, negative = ops.split(p, 3, axis=1)
        near = ops.sum(ops.square(anchor - positive), axis=1)
        return ops.maximum(near - ops.sum(ops.square(anchor - negative), axis=1) + alpha, 0.0)

    def k(t, p, alpha=0.4):
        n = K.int_shape(p)[-1] // 3
        anchor, positive, negative = p[:, 0:n], p[:, n : 2 * n], p[:, 2 * n :]
        near = K.sum(K.square(anchor - positive), axis=1)
        return K.maximum(near - K.sum(K.square(anchor - negative), axis=1) + alpha, 0.0)


@loss("triplets", "batch")
class triplet_by_softmax:
    def numpy(t, p):
        a, b, c = p[:, :4], p[:, 4:8], p[:, 8:]
        near, far = np.linalg.norm(a - b, axis=1), np.linalg.norm(a - c, axis=1)
        return np.mean((np.exp(near) / (np.exp(near) + np.exp(far))) ** 2)

    def ops(t, p):
        a, b, c = p[:, :4], p[:, 4:8], p[:, 8:]
        both = ops.stack([ops.norm(a - b, axis=1), ops.norm(a - c, axis=1)], axis=1)
        return ops.mean(ops.square(ops.softmax(both, axis=1)[:, 0]))

    def k(t, p):
        a, b, c = p[:, :4], p[:, 4:8], p[:, 8:]
        near = K.sqrt(K.sum(K.square(a - b), axis=1))
        far = K.sqrt(K.sum(K.square(a - c), axis=1))
        return K.mean(K.square(K.softmax(K.stack([near, far], axis=1))[:, 0]))


@loss("triplets", "rows")
class triplet_of_cosines:
    def numpy(t, p):
        units = [x / np.sqrt(np.sum(x**2, axis=-1, keepdims=True)) for x in np.split(p, 3, axis=1)]
        a, b, c = units
        return np.log1p(np.exp(np.sum(a * c, axis=-1) - np.sum(a * b, axis=-1)))

    def ops(t, p):
        a, b, c = (ops.normalize(x, axis=-1) for x in ops.split(p, 3, axis=1))
        return ops.softplus(ops.sum(a * c, axis=-1) - ops.sum(a * b, axis=-1))

    def k(t, p):
        a, b, c = (K.l2_normalize(p[:, i : i + 4], axis=-1) for i in (0, 4, 8))
        return K.softplus(K.sum(a * c, axis=-1) - K.sum(a * b, axis=-1))


@loss("grades", "rows", features=(2,))
class bayesian_personalized_ranking:
    def numpy(t, p):
        return -np.log(1 / (1 + np.exp(-(p[:, 0] - p[:, 1]))))

    def ops(t, p):
        return -ops.log(ops.sigmoid(p[:, 0] - p[:, 1]))

    def k(t, p):
        return -K.log(K.sigmoid(p[:, 0] - p[:, 1]))


@loss("grades", "rows")
class all_pairs_of_a_row:
    """RankNet: every document against every other, in three axes."""

    def numpy(t, p):
        better = np.sign(t[:, :, None] - t[:, None, :])
        gaps = np.expand_dims(p, 2) - np.expand_dims(p, 1)
        return np.mean((better > 0) * np.log1p(np.exp(-gaps)), axis=(1, 2))

    def ops(t, p):
        better = ops.sign(t[:, :, None] - t[:, None, :])
        gaps = ops.expand_dims(p, 2) - ops.expand_dims(p, 1)
        return ops.mean(ops.cast(better > 0, "float32") * ops.softplus(-gaps), axis=(1, 2))

    def k(t, p):
        better = K.sign(K.expand_dims(t, 2) - K.expand_dims(t, 1))
        gaps = K.expand_dims(p, 2) - K.expand_dims(p, 1)
        return K.mean(K.cast(K.greater(better, 0), "float32") * K.softplus(-gaps), axis=[1, 2])


@loss("grades", "rows", features=(4,))
class neighbouring_columns_ranked_by_hinge:
    def numpy(t, p):
        dt, dp = t[:, 1:] - t[:, :-1], p[:, 1:] - p[:, :-1]
        return np.sum(np.maximum(0.0, 0.25 - np.sign(dt) * dp), axis=-1)

    def ops(t, p):
        dt, dp = t[:, 1:] - t[:, :-1], p[:, 1:] - p[:, :-1]
        return ops.sum(ops.maximum(0.0, 0.25 - ops.sign(dt) * dp), axis=-1)

    def k(t, p):
        dt, dp = t[:, 1:] - t[:, :-1], p[:, 1:] - p[:, :-1]
        return K.sum(K.relu(0.25 - K.sign(dt) * dp), axis=-1)


@loss("grades", "rows")
class listwise_softmax:
    def numpy(t, p):
        a, b = np.exp(t), np.exp(p)
        a, b = a / a.sum(axis=1, keepdims=True), b / b.sum(axis=1, keepdims=True)
        return -np.sum(a * np.log(b), axis=1)

    def ops(t, p):
        return -ops.sum(ops.softmax(t) * ops.log_softmax(p), axis=1)

    def k(t, p):
        return -K.sum(K.softmax(t) * K.log(K.softmax(p)), axis=1)


# --- losses: three axes ----------------------------------------------------------------------


@loss("rank3", "steps")
class mse_by_step:
    def numpy(t, p):
        return np.mean(np.square(t - p), axis=-1)

    def ops(t, p):
        return ops.mean(ops.square(t - p), axis=-1)

    def k(t, p):
        return K.mean(K.square(t - p), axis=-1)


@loss("rank3", "rows")
class mse_over_two_axes:
    def numpy(t, p):
        return ((t - p) ** 2).mean(axis=(1, 2))

    def ops(t, p):
        return ops.mean(ops.square(t - p), axis=(1, 2))

    def k(t, p):
        return K.mean(K.square(t - p), axis=[1, 2])


@loss("rank3", "rows")
class mse_of_flattened_rows:
    def numpy(t, p):
        n = t.shape[1] * t.shape[2]
        return np.mean(np.square(t.reshape(-1, n) - p.reshape(-1, n)), axis=-1)

    def ops(t, p):
        n = t.shape[1] * t.shape[2]
        return ops.mean(ops.square(ops.reshape(t, (-1, n)) - ops.reshape(p, (-1, n))), axis=-1)

    def k(t, p):
        return K.mean(K.square(K.batch_flatten(t) - K.batch_flatten(p)), axis=-1)


@loss("rank3", "batch")
class last_step_only:
    def numpy(t, p):
        return np.mean(np.square(t[:, -1, :] - p[:, -1, :]))

    def ops(t, p):
        return ops.mean(ops.square(t[:, -1] - p[:, -1]))

    def k(t, p):
        return K.mean(K.square(t[:, -1, :] - p[:, -1, :]))


@loss("rank3", "batch")
class later_steps_weigh_more:
    def numpy(t, p):
        weights = np.array([1.0, 0.5, 0.25, 0.125])[::-1].reshape(1, 4, 1)
        return np.mean(weights * np.abs(t - p))

    def ops(t, p):
        weights = ops.reshape(ops.convert_to_tensor([0.125, 0.25, 0.5, 1.0]), (1, 4, 1))
        return ops.mean(weights * ops.abs(t - p))

    def k(t, p):
        weights = K.reshape(K.constant([0.125, 0.25, 0.5, 1.0]), (1, 4, 1))
        return K.mean(weights * K.abs(t - p))


@loss("rank3", "rows")
class length_of_steps:
    """Bone lengths, velocities: differences along the second axis."""

    def numpy(t, p):
        dt, dp = t[:, 1:, :] - t[:, :-1, :], p[:, 1:, :] - p[:, :-1, :]
        return np.mean((t - p) ** 2, axis=(1, 2)) + np.mean((dt - dp) ** 2, axis=(1, 2))

    def ops(t, p):
        dt, dp = t[:, 1:] - t[:, :-1], p[:, 1:] - p[:, :-1]
        values = ops.mean(ops.square(t - p), axis=(1, 2))
        return values + ops.mean(ops.square(dt - dp), axis=(1, 2))

    def k(t, p):
        dt, dp = t[:, 1:, :] - t[:, :-1, :], p[:, 1:, :] - p[:, :-1, :]
        return K.mean(K.square(t - p), axis=(1, 2)) + K.mean(K.square(dt - dp), axis=(1, 2))


@loss("rank3_masks", "batch")
class dice_by_mask:
    def numpy(t, p):
        both = np.sum(t * p, axis=1)
        either = np.sum(t, axis=1) + np.sum(p, axis=1)
        return 1 - np.mean((2.0 * both + 1) / (either + 1))

    def ops(t, p):
        both = ops.sum(t * p, axis=1)
        either = ops.sum(t, axis=1) + ops.sum(p, axis=1)
        return 1 - ops.mean((2.0 * both + 1) / (either + 1))

    def k(t, p):
        both = K.sum(t * p, axis=1)
        either = K.sum(t, axis=1) + K.sum(p, axis=1)
        return 1 - K.mean((2.0 * both + 1) / (either + 1))


@loss("rank3_onehot", "steps")
class cce_by_step_with_padding:
    """Class 0 is padding: its steps weigh nothing."""

    def numpy(t, p):
        real = np.not_equal(np.argmax(t, axis=-1), 0).astype("float32")
        return real * -np.sum(t * np.log(p), axis=-1)

    def ops(t, p):
        real = ops.cast(ops.not_equal(ops.argmax(t, axis=-1), 0), "float32")
        return real * -ops.sum(t * ops.log(p), axis=-1)

    def k(t, p):
        real = K.cast(K.not_equal(K.argmax(t, axis=-1), 0), "float32")
        return real * -K.sum(t * K.log(p), axis=-1)


# --- losses: built-in ones inside ------------------------------------------------------------


@loss("regression", "rows", exact=False)
class mse_and_a_tenth_of_mae:
    def numpy(t, p):
        return losses.mean_squared_error(t, p) + 0.1 * losses.mean_absolute_error(t, p)

    def ops(t, p):
        return losses.mean_squared_error(t, p) + 0.1 * ops.mean(ops.abs(t - p), axis=-1)

    def k(t, p):
        return losses.mean_squared_error(t, p) + 0.1 * K.mean(K.abs(t - p), axis=-1)


@loss("regression", "rows", exact=False)
class hundred_times_mse:
    def numpy(t, p):
        return 100 * losses.MSE(t, p)

    def ops(t, p):
        return ops.multiply(100, losses.mse(t, p))

    def k(t, p):
        return 100 * losses.mean_squared_error(t, p)


@loss("probabilities", "batch", features=(3,), exact=False)
class bce_less_cosine:
    def numpy(t, p):
        return losses.BinaryCrossentropy()(t, p) - losses.CosineSimilarity()(t, p)

    def ops(t, p):
        bce, cosine = losses.BinaryCrossentropy(), losses.CosineSimilarity(axis=-1)
        return ops.subtract(bce(t, p), cosine(t, p))

    def k(t, p):
        return losses.BinaryCrossentropy()(t, p) - losses.CosineSimilarity()(t, p)


@loss("regression", "rows", exact=False)
class rmse_of_a_builtin:
    def numpy(t, p):
        return np.sqrt(losses.mean_squared_error(t, p) + EPS)

    def ops(t, p):
        return ops.sqrt(losses.mean_squared_error(t, p) + 1e-7)

    def k(t, p):
        return K.sqrt(losses.mean_squared_error(t, p) + K.epsilon())


@loss("onehot", "rows", exact=False)
class cce_and_huber_of_probabilities:
    def numpy(t, p):
        return losses.categorical_crossentropy(t, p) + losses.huber(t, p, delta=0.3)

    def ops(t, p):
        return losses.categorical_crossentropy(t, p) + losses.huber(t, p, delta=0.3)

    def k(t, p):
        return losses.categorical_crossentropy(t, p) + losses.huber(t, p, delta=0.3)


@loss("tasks", "batch", exact=False)
class two_builtins_on_slices:
    def numpy(t, p):
        bce = losses.BinaryCrossentropy()(t[:, :1], p[:, :1])
        return bce + 0.5 * losses.MeanSquaredError()(t[:, 1:], p[:, 1:])

    def ops(t, p):
        bce = losses.BinaryCrossentropy()(t[:, :1], p[:, :1])
        return bce + 0.5 * losses.MeanSquaredError()(t[:, 1:], p[:, 1:])

    def k(t, p):
        bce = K.mean(losses.binary_crossentropy(t[:, :1], p[:, :1]))
        return bce + 0.5 * K.mean(losses.mean_squared_error(t[:, 1:], p[:, 1:]))


# --- metrics ---------------------------------------------------------------------------------


@metric("regression", "batch")
class rmse_metric:
    def numpy(t, p):
        return np.sqrt(np.mean((p - t) ** 2))

    def ops(t, p):
        return ops.sqrt(ops.mean(ops.square(p - t)))

    def k(t, p):
        return K.sqrt(K.mean(K.square(p - t)))


@metric("regression", "batch")
class r2:
    def numpy(t, p):
        residual = np.sum(np.square(t - p))
        return 1 - residual / (np.sum(np.square(t - np.mean(t))) + EPS)

    def ops(t, p):
        residual = ops.sum(ops.square(t - p))
        return 1 - residual / (ops.sum(ops.square(t - ops.mean(t))) + 1e-7)

    def k(t, p):
        residual = K.sum(K.square(t - p))
        return 1 - residual / (K.sum(K.square(t - K.mean(t))) + K.epsilon())


@metric("regression", "batch")
class explained_variance:
    def numpy(t, p):
        return 1 - np.var(t - p) / np.var(t)

    def ops(t, p):
        return 1 - ops.var(t - p) / ops.var(t)

    def k(t, p):
        return 1 - K.var(t - p) / K.var(t)


@metric("regression", "batch")
class largest_error:
    def numpy(t, p):
        return np.abs(t - p).max()

    def ops(t, p):
        return ops.max(ops.abs(t - p))

    def k(t, p):
        return K.max(K.abs(t - p))


@metric("regression", "batch")
class bias:
    def numpy(t, p):
        return (p - t).mean()

    def ops(t, p):
        return ops.mean(p) - ops.mean(t)

    def k(t, p):
        return K.mean(p - t)


@metric("regression", "batch")
class mean_prediction:
    def numpy(t, p):
        return np.mean(p)

    def ops(t, p):
        return ops.mean(p)

    def k(t, p):
        return K.mean(p)


@metric("regression", "batch")
class spread_of_predictions:
    def numpy(t, p):
        return p.std() / t.std()

    def ops(t, p):
        return ops.std(p) / ops.std(t)

    def k(t, p):
        return K.std(p) / K.std(t)


@metric("regression", "rows")
class mae_in_units_of_the_data:
    def numpy(t, p, scale=250.0, shift=12.0):
        return np.mean(np.abs((t * scale + shift) - (p * scale + shift)), axis=-1)

    def ops(t, p, scale=250.0, shift=12.0):
        return ops.mean(ops.abs((t * scale + shift) - (p * scale + shift)), axis=-1)

    def k(t, p, scale=250.0, shift=12.0):
        return K.mean(K.abs((t * scale + shift) - (p * scale + shift)), axis=-1)


@metric("positive", "batch")
class within_ten_percent:
    def numpy(t, p):
        return np.mean(np.abs(t - p) <= 0.1 * np.abs(t))

    def ops(t, p):
        near = ops.less_equal(ops.abs(t - p), 0.1 * ops.abs(t))
        return ops.mean(ops.cast(near, "float64"))

    def k(t, p):
        return K.mean(K.cast(K.less_equal(K.abs(t - p), 0.1 * K.abs(t)), "float64"))


@metric("regression", "batch")
class same_sign:
    def numpy(t, p):
        return np.mean((np.sign(t) == np.sign(p)).astype(float))

    def ops(t, p):
        return ops.mean(ops.cast(ops.equal(ops.sign(t), ops.sign(p)), "float64"))

    def k(t, p):
        return K.mean(K.cast(K.equal(K.sign(t), K.sign(p)), "float64"))


@metric("positive", "batch")
class smape_metric:
    def numpy(t, p):
        return 100 * np.mean(np.abs(t - p) / ((np.abs(t) + np.abs(p)) / 2))

    def ops(t, p):
        return 100 * ops.mean(ops.abs(t - p) / ((ops.abs(t) + ops.abs(p)) / 2))

    def k(t, p):
        return 100 * K.mean(K.abs(t - p) / ((K.abs(t) + K.abs(p)) / 2))


@metric("rank3", "rows")
class psnr:
    def numpy(t, p):
        mse = np.mean((t - p) ** 2, axis=(1, 2))
        return 10 * np.log(255.0**2 / mse) / np.log(10)

    def ops(t, p):
        mse = ops.mean(ops.square(t - p), axis=(1, 2))
        return 20 * math.log10(255.0) - 10 * ops.log(mse) / ops.log(10.0)

    def k(t, p):
        mse = K.mean(K.square(t - p), axis=[1, 2])
        return 10 * K.log(255.0**2 / mse) / math.log(10)


@metric("probabilities", "batch")
class binary_accuracy:
    def numpy(t, p):
        return np.mean(t == np.round(p))

    def ops(t, p):
        return ops.mean(ops.cast(ops.equal(t, ops.round(p)), "float64"))

    def k(t, p):
        return K.mean(K.cast(K.equal(t, K.round(p)), "float64"))


@metric("probabilities", "rows")
class accuracy_above_a_threshold:
    def numpy(t, p):
        return np.mean(np.equal(t, (p > 0.7).astype(t.dtype)), axis=-1)

    def ops(t, p):
        guess = ops.cast(p > 0.7, t.dtype)
        return ops.mean(ops.cast(ops.equal(t, guess), "float64"), axis=-1)

    def k(t, p):
        guess = K.cast(K.greater(p, 0.7), K.dtype(t))
        return K.mean(K.cast(K.equal(t, guess), "float64"), axis=-1)


@metric("probabilities", "rows", features=(3,))
class all_labels_right:
    def numpy(t, p):
        return np.all(t == np.round(p), axis=-1).astype("float32")

    def ops(t, p):
        return ops.cast(ops.all(ops.equal(t, ops.round(p)), axis=-1), "float32")

    def k(t, p):
        return K.cast(K.all(K.equal(t, K.round(p)), axis=-1), "float32")


@metric("probabilities", "rows", features=(3,))
class all_labels_right_by_product:
    def numpy(t, p):
        return np.prod((np.abs(t - p) < 0.5).astype(float), axis=-1)

    def ops(t, p):
        return ops.prod(ops.cast(ops.abs(t - p) < 0.5, "float32"), axis=-1)

    def k(t, p):
        return K.prod(K.cast(K.less(K.abs(t - p), 0.5), "float32"), axis=-1)


@metric("probabilities", "rows", features=(3,))
class any_label_found:
    def numpy(t, p):
        return np.where(np.any(np.logical_and(t == 1, p > 0.5), axis=-1), 1.0, 0.0)

    def ops(t, p):
        return ops.cast(ops.any(ops.logical_and(t == 1, p > 0.5), axis=-1), "float32")

    def k(t, p):
        return K.cast(K.any(K.greater(t * p, 0.5), axis=-1), "float32")


@metric("probabilities", "batch", features=(3,))
class hamming:
    def numpy(t, p):
        return np.mean(np.not_equal(t, np.where(p > 0.5, 1, 0)))

    def ops(t, p):
        return ops.mean(ops.cast(ops.not_equal(t, ops.where(p > 0.5, 1, 0)), "float64"))

    def k(t, p):
        return K.mean(K.cast(K.not_equal(t, K.round(p)), "float64"))


@metric("probabilities", "batch")
class precision:
    def numpy(t, p):
        tp = np.sum(np.round(np.clip(t * p, 0, 1)))
        return tp / (np.sum(np.round(np.clip(p, 0, 1))) + EPS)

    def ops(t, p):
        tp = ops.sum(ops.round(ops.clip(t * p, 0, 1)))
        return tp / (ops.sum(ops.round(ops.clip(p, 0, 1))) + 1e-7)

    def k(t, p):
        tp = K.sum(K.round(K.clip(t * p, 0, 1)))
        return tp / (K.sum(K.round(K.clip(p, 0, 1))) + K.epsilon())


@metric("probabilities", "batch")
class recall:
    def numpy(t, p):
        tp = (t * p).clip(0, 1).round().sum()
        return tp / (t.clip(0, 1).round().sum() + EPS)

    def ops(t, p):
        tp = ops.sum(ops.round(ops.clip(t * p, 0, 1)))
        return tp / (ops.sum(ops.round(ops.clip(t, 0, 1))) + 1e-7)

    def k(t, p):
        tp = K.sum(K.round(K.clip(t * p, 0, 1)))
        return tp / (K.sum(K.round(K.clip(t, 0, 1))) + K.epsilon())


@metric("probabilities", "batch")
class f1:
    """Functions inside, as the answers write it."""

    def numpy(t, p):
        def ratio(of):
            return np.sum(np.round(t * p)) / (np.sum(np.round(of)) + EPS)

        return 2 * ratio(p) * ratio(t) / (ratio(p) + ratio(t) + EPS)

    def ops(t, p):
        def ratio(of):
            return ops.sum(ops.round(t * p)) / (ops.sum(ops.round(of)) + 1e-7)

        return 2 * ratio(p) * ratio(t) / (ratio(p) + ratio(t) + 1e-7)

    def k(t, p):
        def ratio(of):
            return K.sum(K.round(K.clip(t * p, 0, 1))) / (K.sum(K.round(of)) + K.epsilon())

        return 2 * ratio(p) * ratio(t) / (ratio(p) + ratio(t) + K.epsilon())


@metric("probabilities", "rows", features=(3,))
class f_beta_by_row:
    def numpy(t, p, beta=2):
        guess = np.round(p)
        tp = np.sum(t * guess, axis=-1)
        bottom = beta**2 * np.sum(t, axis=-1) + np.sum(guess, axis=-1)
        return (1 + beta**2) * tp / (bottom + EPS)

    def ops(t, p, beta=2):
        guess = ops.round(p)
        tp = ops.sum(t * guess, axis=-1)
        bottom = beta**2 * ops.sum(t, axis=-1) + ops.sum(guess, axis=-1)
        return (1 + beta**2) * tp / (bottom + 1e-7)

    def k(t, p, beta=2):
        guess = K.round(p)
        tp = K.sum(t * guess, axis=-1)
        bottom = beta**2 * K.sum(t, axis=-1) + K.sum(guess, axis=-1)
        return (1 + beta**2) * tp / (bottom + K.epsilon())


@metric("probabilities", "batch")
class specificity:
    def numpy(t, p):
        tn = np.sum(np.round(np.clip((1 - t) * (1 - p), 0, 1)))
        return tn / (np.sum(np.round(np.clip(1 - t, 0, 1))) + EPS)

    def ops(t, p):
        tn = ops.sum(ops.round(ops.clip((1 - t) * (1 - p), 0, 1)))
        return tn / (ops.sum(ops.round(ops.clip(1 - t, 0, 1))) + 1e-7)

    def k(t, p):
        tn = K.sum(K.round(K.clip((1 - t) * (1 - p), 0, 1)))
        return tn / (K.sum(K.round(K.clip(1 - t, 0, 1))) + K.epsilon())


@metric("probabilities", "batch")
class specificity_by_logic:
    def numpy(t, p):
        no, guess = np.logical_not(t > 0.5), p > 0.5
        return np.sum(np.logical_and(no, np.logical_not(guess))) / (np.sum(no) + EPS)

    def ops(t, p):
        no, guess = ops.logical_not(t > 0.5), p > 0.5
        tn = ops.cast(ops.logical_and(no, ops.logical_not(guess)), "float64")
        return ops.sum(tn) / (ops.sum(ops.cast(no, "float64")) + 1e-7)

    def k(t, p):
        no = 1.0 - K.cast(K.greater(t, 0.5), "float64")
        tn = K.sum(no * (1.0 - K.cast(K.greater(p, 0.5), "float64")))
        return tn / (K.sum(no) + K.epsilon())


@metric("probabilities", "batch")
class balanced_accuracy:
    def numpy(t, p):
        guess = (p >= 0.5) * 1.0
        ones = np.sum(t * guess) / np.sum(t)
        return (ones + np.sum((1 - t) * (1 - guess)) / np.sum(1 - t)) / 2

    def ops(t, p):
        guess = ops.cast(ops.greater_equal(p, 0.5), "float64")
        ones = ops.sum(t * guess) / ops.sum(t)
        return (ones + ops.sum((1 - t) * (1 - guess)) / ops.sum(1 - t)) / 2

    def k(t, p):
        guess = K.cast(K.greater_equal(p, 0.5), "float64")
        ones = K.sum(t * guess) / K.sum(t)
        return (ones + K.sum((1 - t) * (1 - guess)) / K.sum(1 - t)) / 2


@metric("probabilities", "batch")
class matthews_correlation:
    def numpy(t, p):
        guess = np.round(np.clip(p, 0, 1))
        tp, tn = np.sum(t * guess), np.sum((1 - t) * (1 - guess))
        fp, fn = np.sum((1 - t) * guess), np.sum(t * (1 - guess))
        bottom = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return (tp * tn - fp * fn) / (bottom + EPS)

    def ops(t, p):
        guess = ops.round(ops.clip(p, 0, 1))
        tp, tn = ops.sum(t * guess), ops.sum((1 - t) * (1 - guess))
        fp, fn = ops.sum((1 - t) * guess), ops.sum(t * (1 - guess))
        bottom = ops.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return (tp * tn - fp * fn) / (bottom + 1e-7)

    def k(t, p):
        guess = K.round(K.clip(p, 0, 1))
        tp, tn = K.sum(t * guess), K.sum((1 - t) * (1 - guess))
        fp, fn = K.sum((1 - t) * guess), K.sum(t * (1 - guess))
        bottom = K.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        return (tp * tn - fp * fn) / (bottom + K.epsilon())


@metric("probabilities", "batch")
class iou_above_a_threshold:
    def numpy(t, p):
        guess = (p > 0.5).astype("float32")
        both = np.sum(t * guess)
        return (both + 1) / (np.sum(np.maximum(t, guess)) + 1)

    def ops(t, p):
        guess = ops.cast(p > 0.5, "float32")
        both = ops.sum(t * guess)
        return (both + 1) / (ops.sum(ops.maximum(t, guess)) + 1)

    def k(t, p):
        guess = K.cast(K.greater(p, 0.5), "float32")
        both = K.sum(t * guess)
        return (both + 1) / (K.sum(t) + K.sum(guess) - both + 1)


@metric("regression", "batch")
class pearson_metric:
    def numpy(t, p):
        dt, dp = t - t.mean(), p - p.mean()
        return np.mean(dt * dp) / (t.std() * p.std())

    def ops(t, p):
        dt, dp = t - ops.mean(t), p - ops.mean(p)
        return ops.mean(dt * dp) / (ops.std(t) * ops.std(p))

    def k(t, p):
        dt, dp = t - K.mean(t), p - K.mean(p)
        return K.mean(dt * dp) / (K.std(t) * K.std(p))


@metric("onehot", "rows")
class categorical_accuracy:
    def numpy(t, p):
        return (np.argmax(t, axis=-1) == np.argmax(p, axis=-1)).astype("float32")

    def ops(t, p):
        return ops.cast(ops.equal(ops.argmax(t, axis=-1), ops.argmax(p, axis=-1)), "float32")

    def k(t, p):
        return K.cast(K.equal(K.argmax(t, axis=-1), K.argmax(p, axis=-1)), K.floatx())


@metric("labels", "rows")
class sparse_accuracy:
    def numpy(t, p):
        return np.equal(t, p.argmax(axis=-1)).astype(float)

    def ops(t, p):
        return ops.cast(ops.equal(ops.cast(t, "int64"), ops.argmax(p, axis=-1)), "float32")

    def k(t, p):
        return K.cast(K.equal(t, K.cast(K.argmax(p, axis=-1), K.dtype(t))), "float32")


@metric("onehot", "batch", features=(3,))
class accuracy_of_one_class:
    def numpy(t, p):
        own = np.argmax(t, axis=-1) == 1
        right = np.logical_and(own, np.argmax(p, axis=-1) == 1)
        return np.sum(right) / np.maximum(np.sum(own), 1)

    def ops(t, p):
        own = ops.cast(ops.equal(ops.argmax(t, axis=-1), 1), "float64")
        guess = ops.cast(ops.equal(ops.argmax(p, axis=-1), 1), "float64")
        return ops.sum(own * guess) / ops.maximum(ops.sum(own), 1)

    def k(t, p):
        own = K.cast(K.equal(K.argmax(t, axis=-1), 1), "float64")
        guess = K.cast(K.equal(K.argmax(p, axis=-1), 1), "float64")
        return K.sum(own * guess) / K.maximum(K.sum(own), 1)


@metric("onehot", "batch", features=(3,))
class macro_f1_by_one_hot:
    def numpy(t, p):
        guess = np.equal(np.expand_dims(np.argmax(p, axis=-1), -1), np.arange(3)) * 1.0
        tp = np.sum(t * guess, axis=0)
        return np.mean(2 * tp / (np.sum(t, axis=0) + np.sum(guess, axis=0) + EPS))

    def ops(t, p):
        guess = ops.one_hot(ops.argmax(p, axis=-1), 3)
        tp = ops.sum(t * guess, axis=0)
        return ops.mean(2 * tp / (ops.sum(t, axis=0) + ops.sum(guess, axis=0) + 1e-7))

    def k(t, p):
        guess = K.one_hot(K.argmax(p, axis=-1), 3)
        tp = K.sum(t * guess, axis=0)
        return K.mean(2 * tp / (K.sum(t, axis=0) + K.sum(guess, axis=0) + K.epsilon()))


@metric("onehot", "rows")
class confidence:
    def numpy(t, p):
        return np.amax(p, axis=-1)

    def ops(t, p):
        return ops.amax(p, axis=-1)

    def k(t, p):
        return K.max(p, axis=-1)


@metric("onehot", "rows")
class entropy_of_predictions:
    def numpy(t, p):
        return -(p * np.log(p + EPS)).sum(axis=-1)

    def ops(t, p):
        return -ops.sum(p * ops.log(p + 1e-7), axis=-1)

    def k(t, p):
        return -K.sum(p * K.log(p + K.epsilon()), axis=-1)


@metric("onehot", "batch")
class perplexity:
    def numpy(t, p):
        return np.exp(np.mean(-np.sum(t * np.log(p), axis=-1)))

    def ops(t, p):
        return ops.exp(ops.mean(-ops.sum(t * ops.log(p), axis=-1)))

    def k(t, p):
        return K.exp(K.mean(-K.sum(t * K.log(p), axis=-1)))


@metric("onehot", "batch")
class margin_to_the_runner_up:
    def numpy(t, p):
        return np.mean(np.sum(t * p, axis=-1) - np.max(np.where(t == 1, 0.0, p), axis=-1))

    def ops(t, p):
        other = ops.max(ops.where(t == 1, 0.0, p), axis=-1)
        return ops.mean(ops.sum(t * p, axis=-1) - other)

    def k(t, p):
        return K.mean(K.sum(t * p, axis=-1) - K.max((1 - t) * p, axis=-1))


@metric("distances", "batch")
class accuracy_of_distances:
    def numpy(t, p):
        return np.mean(np.equal(t, (p < 0.5).astype(t.dtype)))

    def ops(t, p):
        return ops.mean(ops.cast(ops.equal(t, ops.cast(p < 0.5, t.dtype)), "float64"))

    def k(t, p):
        return K.mean(K.cast(K.equal(t, K.cast(p < 0.5, t.dtype)), "float64"))


@metric("quantiles", "batch")
class coverage_of_an_interval:
    def numpy(t, p):
        lower, upper = np.min(p, axis=-1, keepdims=True), np.max(p, axis=-1, keepdims=True)
        return np.mean(np.logical_and(t >= lower, t <= upper))

    def ops(t, p):
        lower, upper = ops.min(p, axis=-1, keepdims=True), ops.max(p, axis=-1, keepdims=True)
        return ops.mean(ops.cast(ops.logical_and(t >= lower, t <= upper), "float64"))

    def k(t, p):
        lower, upper = K.min(p, axis=-1, keepdims=True), K.max(p, axis=-1, keepdims=True)
        above, below = K.cast(t >= lower, "float64"), K.cast(t <= upper, "float64")
        return K.mean(above * below)


@metric("rank3_onehot", "batch")
class accuracy_without_padding:
    def numpy(t, p):
        own, guess = np.argmax(t, axis=-1), np.argmax(p, axis=-1)
        real = (own != 0).astype(float)
        return np.sum(real * (own == guess)) / np.maximum(np.sum(real), 1.0)

    def ops(t, p):
        own, guess = ops.argmax(t, axis=-1), ops.argmax(p, axis=-1)
        real = ops.cast(own != 0, "float64")
        right = real * ops.cast(own == guess, "float64")
        return ops.sum(right) / ops.maximum(ops.sum(real), 1.0)

    def k(t, p):
        own, guess = K.argmax(t, axis=-1), K.argmax(p, axis=-1)
        real = K.cast(K.not_equal(own, 0), "float64")
        return K.sum(real * K.cast(K.equal(own, guess), "float64")) / K.maximum(K.sum(real), 1.0)


LOSSES = {name: entry for name, entry in IDIOMS.items() if entry.kind == "loss"}
METRICS = {name: entry for name, entry in IDIOMS.items() if entry.kind == "metric"}


# --- what has to be refused ------------------------------------------------------------------


def _imitation(name, source):
    """Return a module of another library's name, with a function that treats tensors as it does."""
    module = types.ModuleType(name)
    exec(compile(source, f"<{name}>", "exec"), vars(module))
    return module


tf = _imitation(
    "tensorflow",
    """
import numpy

def convert_to_tensor(x):
    if hasattr(x, "__tf_tensor__"):
        return x.__tf_tensor__(None, None)
    try:
        return numpy.asarray(x, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Attempt to convert a value ({x}) to a Tensor: {error}") from error

def square(x):
    return numpy.square(convert_to_tensor(x))

def reduce_mean(x, axis=None):
    return numpy.mean(convert_to_tensor(x), axis=axis)
""",
)

torch = _imitation(
    "torch",
    """
def mean(x, dim=None):
    if hasattr(type(x), "__torch_function__"):
        return type(x).__torch_function__(mean, (type(x),), (x,), {"dim": dim})
    kind = type(x).__name__
    raise TypeError(f"mean(): argument 'input' (position 1) must be Tensor, not {kind}")
""",
)


def float_of_a_tensor(t, p):
    return float(np.mean(t)) * np.mean(np.square(t - p))


def item_of_a_tensor(t, p):
    return np.mean(np.square(t - p)) / np.max(t).item()


def functions_of_math(t, p):
    return math.sqrt(np.mean(np.square(t - p)))


def branch_on_a_value(t, p):
    if np.mean(t) > 0:
        return np.mean(np.square(t - p))
    return np.mean(np.abs(t - p))


def branch_on_elements(t, p):
    return np.mean(np.square(t - p)) if t > 0 else np.mean(np.abs(t - p))


def both_conditions_by_and(t, p):
    return np.mean(np.where(t > 0 and p > 0, np.square(t - p), np.abs(t - p)))


def chained_comparison(t, p):
    return np.mean(np.where(0 < t < 1, np.square(t - p), np.abs(t - p)))


def negation_by_not(t, p):
    return np.mean(np.square(t - p) * (not t))


def builtin_max(t, p):
    return np.mean(max(t - p, 0))


def builtin_min(t, p):
    return np.mean(min(abs(t - p), 1.0))


def builtin_sum(t, p):
    return sum((t - p) ** 2)


def builtin_len(t, p):
    return np.sum(np.square(t - p)) / len(p)


def loop_over_rows(t, p):
    total = 0.0
    for row in t - p:
        total = total + np.sum(np.square(row))
    return total


def loop_over_pairs_of_rows(t, p):
    return np.mean([(a - b) ** 2 for a, b in zip(t, p, strict=True)])


def array_of_tensors(t, p):
    return np.mean(np.square(np.array([t, p])))


def arrays_by_asarray(t, p):
    return np.mean(np.square(np.asarray(t) - np.asarray(p)))


def item_assignment(t, p):
    e = t - p
    e[0] = 1
    return np.mean(np.square(e))


def assignment_by_mask(t, p):
    e = t - p
    e[e < 0] = 0
    return np.mean(np.square(e))


def boolean_mask(t, p):
    return np.mean(np.square(t[t > 0] - p[t > 0]))


def indices_of_nonzero(t, p):
    return np.mean(np.take(np.square(t - p), np.nonzero(t)[0], axis=0))


def tensorflow_function(t, p):
    return tf.reduce_mean(tf.square(t - p), axis=-1)


def torch_function(t, p):
    return torch.mean((t - p) ** 2, dim=-1)


def noise_of_numpy(t, p):
    return np.mean(np.square(t - p + np.random.normal(0, 0.1)))


def noise_of_a_shape(t, p):
    return np.mean(np.square(t - p) * np.random.rand(1, t.shape[-1]))


def time_of_the_clock(t, p):
    return np.mean(np.square(t - p)) * (1 + time.perf_counter())


def sorted_values(t, p):
    return np.mean(np.square(np.sort(t) - np.sort(p)))


def median_of_the_batch(t, p):
    return np.median(np.abs(t - p))


def product_of_all_rows_with_all(t, p):
    return np.mean(np.square(t @ p.T))


def nothing_given_back(t, p):
    np.mean(np.square(t - p))


def rounded_predictions(t, p):
    return np.mean(np.abs(t - np.round(p)))


def accuracy_as_a_loss(t, p):
    return np.mean(np.not_equal(t, p > 0.5))


def predicted_class_as_a_loss(t, p):
    return np.mean(np.square(np.argmax(t, axis=-1) - np.argmax(p, axis=-1)))


def signs_as_a_loss(t, p):
    return np.mean(np.abs(np.sign(t) - np.sign(p)), axis=-1)


def predictions_unused(t, p):
    return np.mean(np.square(t))


# (name, function, words that the error has to contain), for regression data of three columns.
REFUSED: list[tuple[str, Function, tuple[str, ...]]] = [
    (function.__name__, function, words)
    for function, words in [
        (float_of_a_tensor, ("number",)),
        (item_of_a_tensor, ("number",)),
        (functions_of_math, ("number",)),
        (branch_on_a_value, ("np.where",)),
        (branch_on_elements, ("np.where",)),
        (both_conditions_by_and, ("np.logical_and",)),
        (chained_comparison, ("np.logical_and",)),
        (negation_by_not, ("np.logical_not",)),
        (builtin_max, ("np.maximum",)),
        (builtin_min, ("np.minimum",)),
        (builtin_sum, ("np.sum",)),
        (builtin_len, ("ops.shape",)),
        (loop_over_rows, ("axis=",)),
        (loop_over_pairs_of_rows, ("axis=",)),
        (array_of_tensors, ("np.stack",)),
        (arrays_by_asarray, ("fastnn.ops",)),
        (item_assignment, ("np.where",)),
        (assignment_by_mask, ("np.where",)),
        (boolean_mask, ("np.where",)),
        (indices_of_nonzero, ("np.nonzero", "fastnn.ops")),
        (tensorflow_function, ("fastnn.ops",)),
        (torch_function, ("fastnn.ops",)),
        (noise_of_numpy, ("fastnn.random",)),
        (noise_of_a_shape, ("fastnn.random",)),
        (time_of_the_clock, ("fastnn.random",)),
        (sorted_values, ("ops.sort", "arrays only")),
        (median_of_the_batch, ("ops.median", "arrays only")),
        (product_of_all_rows_with_all, ("batch",)),
        (nothing_given_back, ("None", "return")),
        (rounded_predictions, ("round", "rounded_predictions")),
        (accuracy_as_a_loss, ("accuracy_as_a_loss",)),
        (predicted_class_as_a_loss, ("argmax", "predicted_class_as_a_loss")),
        (signs_as_a_loss, ("sign", "signs_as_a_loss")),
        (predictions_unused, ("predictions_unused",)),
    ]
]

# These of them can be traced: it is `fit` that finds no derivative, and metrics may be so.
REFUSED_BY_FIT = {
    "rounded_predictions",
    "accuracy_as_a_loss",
    "predicted_class_as_a_loss",
    "signs_as_a_loss",
    "predictions_unused",
}
