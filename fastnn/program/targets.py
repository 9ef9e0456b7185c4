"""Targets: the shape in which every loss and metric of an output can compare them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.losses.base import kind_of
from fastnn.metrics import Metric
from fastnn.metrics.registry import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.losses import Loss


def fit_target(
    name: str, terms: Sequence[Loss | Metric], shape: tuple[int, ...], given: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the shape of the targets if every loss and metric can compare it with `shape`.

    Targets that differ from the predictions only by a last axis of 1 get the predictions' shape:
    a loss or metric written in Python would broadcast (n,) against (n, 1) to (n, n).
    """
    if given is None:
        sparse = any(kind_of(t).startswith("sparse_") for t in terms)
        given = shape[:-1] if sparse else shape
    given = tuple(int(n) for n in given)
    for term in terms:
        if not kind_of(term):
            continue
        if kind_of(term).startswith("sparse_"):
            fits = bool(shape) and given in (shape[:-1], (*shape[:-1], 1))
        else:
            fits = given == shape or (*given, 1) == shape or given == (*shape, 1)
        if not fits:
            raise ValueError(_misfit(name, term, shape, given))
    return shape if (*given, 1) == shape or given == (*shape, 1) else given


def _misfit(name: str, term: Loss | Metric, shape: tuple[int, ...], given: tuple[int, ...]) -> str:
    expected: tuple[int, ...] = shape
    flatten = ""
    if len(shape) > 1 and len(given) < 2:
        flatten = "a Dense layer keeps the axes before the last: put Flatten() in front of it"
    advice = flatten or "the last layer needs as many units as y has columns"
    if kind_of(term).startswith("sparse_"):
        expected = shape[:-1]
        dense = kind_of(term).removeprefix("sparse_").removesuffix("_logits")
        advice = flatten or "labels are one integer per row"
        if given == shape:
            advice = f"for one-hot y use '{dense}'"
    elif given in (shape[:-1], (*shape[:-1], 1)):
        if kind_of(term).startswith("categorical_"):
            sparse = "sparse_" + kind_of(term).removesuffix("_logits")
            there = f"'{sparse}', or " if sparse in FUNCTIONS else ""
            advice = f"for integer labels use {there}utils.to_categorical(y)"
        elif given in ((), (1,)):
            right = "loss='sparse_categorical_crossentropy'"
            if isinstance(term, Metric):
                right = "metrics=['accuracy']"
            advice = f"for class labels use {right}, to predict one number end in Dense(1)"

    def batch(s: tuple[int, ...]) -> str:
        return "(n, " + ", ".join(map(str, s)) + ")" if s else "(n,)"

    return (
        f"'{term.name}' of output '{name}': predictions have shape {batch(shape)}, so y must have "
        f"shape {batch(expected)}, got {batch(given)}: {advice}"
    )
