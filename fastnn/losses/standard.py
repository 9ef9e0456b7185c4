"""The losses of Keras, each one function in ops that gives one value for each row."""

from __future__ import annotations

import math
from typing import Any

from fastnn import config, ops
from fastnn.losses.registry import FUNCTIONS, loss

# --- regression ------------------------------------------------------------------------------


@loss("MeanSquaredError", "mse")
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of (y_pred - y_true)^2."""
    return ops.mean(ops.square(y_pred - y_true), axis=-1)


@loss("MeanAbsoluteError", "mae")
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of abs(y_pred - y_true)."""
    return ops.mean(ops.absolute(y_pred - y_true), axis=-1)


@loss("MeanAbsolutePercentageError", "mape")
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 times the mean of abs((y_true - y_pred) / y_true); smaller targets count as epsilon."""
    scale = ops.maximum(ops.absolute(y_true), config.epsilon())
    return 100.0 * ops.mean(ops.absolute((y_true - y_pred) / scale), axis=-1)


@loss("MeanSquaredLogarithmicError", "msle")
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (log(1 + y_true) - log(1 + y_pred))^2; what is not positive counts as epsilon."""
    small = config.epsilon()
    first = ops.log(ops.maximum(y_pred, small) + 1.0)
    second = ops.log(ops.maximum(y_true, small) + 1.0)
    return ops.mean(ops.square(first - second), axis=-1)


def _positive_delta(who: str, delta: float) -> None:
    if not delta > 0:
        raise ValueError(f"{who}: expected a positive delta, got {delta!r}")


@loss("Huber", "huber_loss", name="huber_loss", check=_positive_delta)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Squared error near zero, absolute error beyond `delta` (Huber 1964).

    With e = abs(y_pred - y_true): e^2/2 where e <= delta, else delta e - delta^2/2.
    """
    error = y_pred - y_true
    # The highest of the lines s e - s^2/2 with |s| <= delta; its slope is that of the loss.
    slope = ops.stop_gradient(ops.clip(error, -delta, delta))
    return ops.mean(slope * (error - 0.5 * slope), axis=-1)


@loss("LogCosh", "logcosh", "log_cosh_loss", name="log_cosh")
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log(cosh(y_pred - y_true)): about e^2/2 near zero, abs(e) - log 2 far away."""
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), axis=-1)


@loss("Poisson")
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of y_pred - y_true log(y_pred)."""
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


@loss("KLDivergence", "kld", "kullback_leibler_divergence")
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of y_true log(y_true / y_pred), both moved into epsilon .. 1."""
    t = ops.clip(y_true, config.epsilon(), 1.0)
    p = ops.clip(y_pred, config.epsilon(), 1.0)
    return ops.sum(t * ops.log(t / p), axis=-1)


@loss("CosineSimilarity", arguments=("axis", "reduction", "name", "dtype"))
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between y_true and y_pred: -1 where they point one way."""
    return -ops.sum(ops.normalize(y_true, axis) * ops.normalize(y_pred, axis), axis=axis)


# --- margins: labels -1 and 1; 0 counts as -1 ------------------------------------------------


def _signs(y_true: Any) -> Any:
    """Return labels 0 and 1 as -1 and 1; other labels stay."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


@loss("Hinge")
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(0, 1 - y_true y_pred)."""
    return ops.mean(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


@loss("SquaredHinge")
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(0, 1 - y_true y_pred)^2."""
    return ops.mean(ops.square(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


@loss("CategoricalHinge")
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """By how much the right class misses a lead of 1 over the best wrong one, at least 0.

    max(0, wrong - right + 1) with right = sum(y_true y_pred), wrong = max((1 - y_true) y_pred).
    """
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


# --- crossentropies --------------------------------------------------------------------------


def _crossentropy_options(
    who: str, axis: int = -1, label_smoothing: float = 0.0, **others: Any
) -> None:
    if axis != -1:
        raise ValueError(
            f"{who}: expected axis=-1, got {axis!r}: the classes must be on the last axis, move "
            "them there"
        )
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"{who}: expected label_smoothing from 0 to 1, got {label_smoothing!r}")
    if others.get("ignore_class") is not None:
        raise ValueError(
            f"{who}: ignore_class is not supported yet: give those rows a sample_weight of 0 "
            "instead"
        )


@loss("BinaryCrossentropy", "bce", check=_crossentropy_options)
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Crossentropy of independent yes/no labels: the mean of -t log p - (1-t) log(1-p).

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits, not probabilities (behind a sigmoid layer fastnn computes from the
        logits by itself).
    label_smoothing : float
        Moves the labels this far towards 1/2.
    """
    t = y_true
    if label_smoothing:
        t = t * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return ops.mean(ops.binary_crossentropy(t, y_pred, from_logits), axis=-1)


@loss("CategoricalCrossentropy", check=_crossentropy_options)
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Crossentropy of one-hot labels: -sum of t log p over the classes.

    Parameters
    ----------
    from_logits : bool
        y_pred holds logits, not probabilities (behind a softmax layer fastnn computes from the
        logits by itself).
    label_smoothing : float
        Spreads this much of every label over all classes.
    """
    t = y_true
    if label_smoothing:
        t = t * (1.0 - label_smoothing) + label_smoothing / y_pred.shape[-1]
    return ops.categorical_crossentropy(t, y_pred, from_logits)


@loss(
    "SparseCategoricalCrossentropy",
    sparse=True,
    arguments=("from_logits", "ignore_class", "reduction", "axis", "name", "dtype"),
    check=_crossentropy_options,
)
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Crossentropy of integer labels: -log p of the right class."""
    return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits)


__all__ = [*FUNCTIONS]
