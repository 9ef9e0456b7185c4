"""Losses and metrics: one value for every row of a prediction, and the losses' gradients.

`ROW_VALUES[kind](t, p, options)` takes targets t and predictions p of shape (rows, features)
(sparse targets: (rows, 1)) and gives the values, shape (rows,). `ROW_GRADIENTS[kind]` gives
dvalue/dp, shape (rows, features). For the ``*_logits`` kinds p holds logits, and
`PROBABILITIES[kind](p)` what they stand for. `options` may hold smoothing, delta, threshold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.numpy_engine.activations import log_softmax, sigmoid, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

EPSILON = 1e-7  # probabilities are held this far from 0 and 1, as in Keras


# --- regression ------------------------------------------------------------------------------


def mean_squared_error(t, p, options):
    return np.mean((p - t) ** 2, axis=-1)


def mean_squared_error_gradient(t, p, options):
    return 2 * (p - t) / p.shape[-1]


def mean_absolute_error(t, p, options):
    return np.mean(np.abs(p - t), axis=-1)


def mean_absolute_error_gradient(t, p, options):
    return np.sign(p - t) / p.shape[-1]


def huber(t, p, options):
    delta = options.get("delta", 1.0)
    e = np.abs(p - t)
    return np.mean(np.where(e <= delta, 0.5 * e * e, delta * e - 0.5 * delta**2), axis=-1)


def huber_gradient(t, p, options):
    delta = options.get("delta", 1.0)
    return np.clip(p - t, -delta, delta) / p.shape[-1]


# --- classification, from probabilities ------------------------------------------------------


def binary_crossentropy(t, p, options):
    t, q = _smooth_binary(t, options), _clip(p)
    return np.mean(-(t * np.log(q) + (1 - t) * np.log(1 - q)), axis=-1)


def binary_crossentropy_gradient(t, p, options):
    t, q = _smooth_binary(t, options), _clip(p)
    return np.where(q == p, (q - t) / (q * (1 - q)), 0) / p.shape[-1]


def categorical_crossentropy(t, p, options):
    t, q = _smooth_categorical(t, options), _clip(_normalize(p))
    return -np.sum(t * np.log(q), axis=-1)


def categorical_crossentropy_gradient(t, p, options):
    t, share = _smooth_categorical(t, options), _normalize(p)
    q = _clip(share)
    dshare = np.where(q == share, -t / q, 0)
    # share = p / sum(p): the normalization's own derivative
    return (dshare - np.sum(dshare * share, axis=-1, keepdims=True)) / _sum(p)


def sparse_categorical_crossentropy(t, p, options):
    return -np.log(_pick(_clip(_normalize(p)), t))


def sparse_categorical_crossentropy_gradient(t, p, options):
    return categorical_crossentropy_gradient(_one_hot(t, p), p, {})


# --- classification, from logits -------------------------------------------------------------


def binary_crossentropy_logits(t, p, options):
    t = _smooth_binary(t, options)
    # max(p, 0) - p t + log(1 + exp(-|p|)): neither exp can overflow nor log meet a zero
    return np.mean(np.maximum(p, 0) - p * t + np.log1p(np.exp(-np.abs(p))), axis=-1)


def binary_crossentropy_logits_gradient(t, p, options):
    return (sigmoid(p) - _smooth_binary(t, options)) / p.shape[-1]


def categorical_crossentropy_logits(t, p, options):
    return -np.sum(_smooth_categorical(t, options) * log_softmax(p), axis=-1)


def categorical_crossentropy_logits_gradient(t, p, options):
    t = _smooth_categorical(t, options)
    return softmax(p) * _sum(t) - t


def sparse_categorical_crossentropy_logits(t, p, options):
    return -_pick(log_softmax(p), t)


def sparse_categorical_crossentropy_logits_gradient(t, p, options):
    return softmax(p) - _one_hot(t, p)


# --- accuracies ------------------------------------------------------------------------------


def accuracy(t, p, options):
    return np.mean(t == p, axis=-1, dtype=p.dtype)


def binary_accuracy(t, p, options):
    return np.mean((p > options.get("threshold", 0.5)) == t, axis=-1, dtype=p.dtype)


def categorical_accuracy(t, p, options):
    return (np.argmax(t, axis=-1) == np.argmax(p, axis=-1)).astype(p.dtype)


def sparse_categorical_accuracy(t, p, options):
    return (t[:, 0] == np.argmax(p, axis=-1)).astype(p.dtype)


# --- what they share -------------------------------------------------------------------------


def _clip(p):
    return np.clip(p, p.dtype.type(EPSILON), p.dtype.type(1 - EPSILON))


def _sum(p):
    return np.sum(p, axis=-1, keepdims=True)


def _normalize(p):
    return p / _sum(p)


def _smooth_binary(t, options):
    s = options.get("smoothing", 0.0)
    return t * (1 - s) + 0.5 * s if s else t


def _smooth_categorical(t, options):
    s = options.get("smoothing", 0.0)
    return t * (1 - s) + s / t.shape[-1] if s else t


def _pick(p, t):
    return np.take_along_axis(p, t.astype(np.int64), axis=-1)[:, 0]


def _one_hot(t, p):
    return (np.arange(p.shape[-1]) == t).astype(p.dtype)


ROW_VALUES: dict[str, Callable[..., np.ndarray]] = {
    function.__name__: function
    for function in (
        mean_squared_error, mean_absolute_error, huber,
        binary_crossentropy, categorical_crossentropy, sparse_categorical_crossentropy,
        binary_crossentropy_logits, categorical_crossentropy_logits,
        sparse_categorical_crossentropy_logits,
        accuracy, binary_accuracy, categorical_accuracy, sparse_categorical_accuracy,
    )
}  # fmt: skip

ROW_GRADIENTS: dict[str, Callable[..., np.ndarray]] = {
    name: globals()[f"{name}_gradient"] for name in ROW_VALUES if not name.endswith("accuracy")
}

PROBABILITIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "binary_crossentropy_logits": sigmoid,
    "categorical_crossentropy_logits": softmax,
    "sparse_categorical_crossentropy_logits": softmax,
}


def reduce(
    values: np.ndarray, weights: np.ndarray, reduction: str, rows: int
) -> tuple[float, np.ndarray]:
    """Return a batch's loss, and by what to multiply each row's gradient.

    Parameters
    ----------
    values, weights : ndarray
        One for each row.
    reduction : {"sum_over_batch_size", "sum", "mean_with_sample_weight"}
    rows : int
        Rows in the batch: the divisor of the first.
    """
    total = float(np.sum(weights * values, dtype=np.float64))
    if reduction == "sum":
        return total, weights
    if reduction == "mean_with_sample_weight":
        divisor = float(np.sum(weights, dtype=np.float64))
        return (total / divisor, weights / divisor) if divisor else (0.0, 0 * weights)
    return total / rows, weights / rows
