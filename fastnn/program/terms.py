"""Losses and metrics of a program: what they read, and whether the targets fit."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING

from fastnn.metrics import Metric
from fastnn.program.definition import LossTerm, MetricTerm, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.losses import Loss
    from fastnn.program.builder import Builder
    from fastnn.program.definition import Program

LOGITS_OF = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
"""The activation behind which each crossentropy is computed from the logits."""


def attach_terms(
    program: Program,
    builder: Builder,
    losses: Sequence[Loss | None],
    metrics: Sequence[Sequence[Metric]],
    weighted_metrics: Sequence[Sequence[Metric]],
    loss_weights: Sequence[float],
    targets: Sequence[Sequence[int] | None],
    *,
    fuse: bool,
) -> None:
    """Fill the program's targets, losses, metrics and accumulators."""
    several = len(losses) > 1
    uses = count_uses(program, builder)
    names: list[str] = program.accumulators

    target_of: dict[int, int] = {}
    for k, output in enumerate(program.outputs):
        terms = [t for t in (losses[k], *metrics[k], *weighted_metrics[k]) if t is not None]
        if terms:
            shape = builder.tensors[output].shape
            fitted = _fit(program.output_names[k], terms, shape, targets[k])
            target_of[k] = len(program.targets)
            program.targets.append(Target(fitted, k))

    for k, loss in enumerate(losses):
        if loss is None:
            continue
        term = LossTerm(
            kind=loss.kind,
            prediction=program.outputs[k],
            probability=-1,
            target=target_of[k],
            accumulator=len(names),
            weight=loss_weights[k],
            reduction=loss.engine_reduction,
            attrs={"loss": loss} if loss.kind == "python" else dict(loss.attrs),
        )
        _from_logits(program, builder, term, uses, name=program.output_names[k], fuse=fuse)
        program.losses.append(term)
        names.append(f"{program.output_names[k]}_loss" if several else "loss")

    for group, weighted in ((metrics, False), (weighted_metrics, True)):
        for k, group_k in enumerate(group):
            for metric in group_k:
                prefix = f"{program.output_names[k]}_" if several else ""
                name = prefix + metric.name
                if name in names and weighted:
                    name = f"{prefix}weighted_{metric.name}"
                program.metrics.append(
                    MetricTerm(
                        kind=metric.kind,
                        prediction=program.outputs[k],
                        target=target_of[k],
                        accumulator=len(names),
                        weighted=weighted,
                        attrs=(
                            {"metric": metric} if metric.kind == "python" else dict(metric.attrs)
                        ),
                    )
                )
                program.metric_objects.append(metric)
                names.append(_unique(name, names))


def _unique(name: str, names: Sequence[str]) -> str:
    if name not in names:
        return name
    k = 1
    while f"{name}_{k}" in names:
        k += 1
    return f"{name}_{k}"


def count_uses(program: Program, builder: Builder) -> Counter[int]:
    """Return how often each storage is read: by operations, losses and as an output."""
    uses = Counter(builder.storage(i) for op in program.forward for i in op.inputs)
    uses.update(builder.storage(i) for i in program.outputs)
    uses.update(builder.storage(loss.prediction) for loss in program.losses)
    return uses


def _from_logits(
    program: Program,
    builder: Builder,
    term: LossTerm,
    uses: Counter[int],
    *,
    name: str,
    fuse: bool,
) -> None:
    """Let a crossentropy behind its activation read the logits instead.

    That is exact where the two in a row must clip, and its gradient is a subtraction. If nobody
    else needs the activation's output before the loss, training leaves the operation out.
    """
    op = builder.producers.get(term.prediction)
    activation = op.attrs.get("activation") if op and op.kind == "activation" else None
    if activation is None:
        return
    if term.kind.endswith("_logits"):
        if activation in LOGITS_OF.values():
            warnings.warn(
                f"Output '{name}' ends in {activation} and its loss has from_logits=True, which "
                f"applies {LOGITS_OF[term.kind.removesuffix('_logits')]} once more: drop the "
                "activation or from_logits=True",
                stacklevel=2,
            )
        return
    assert op is not None
    if fuse and LOGITS_OF.get(term.kind) == activation:
        term.kind += "_logits"
        term.prediction = op.inputs[0]
        if uses[builder.storage(op.output)] == 1:  # only as this output
            op.attrs["folded"] = True
            term.probability = op.output


def _fit(
    name: str, terms: Sequence[Loss | Metric], shape: tuple[int, ...], given: Sequence[int] | None
) -> tuple[int, ...]:
    """Return the shape of the targets if every loss and metric can compare it with `shape`.

    Targets that differ from the predictions only by a last axis of 1 get the predictions' shape:
    a loss or metric written in Python would broadcast (n,) against (n, 1) to (n, n).
    """
    if given is None:
        sparse = any(t.kind.startswith("sparse_") for t in terms)
        given = shape[:-1] if sparse else shape
    given = tuple(int(n) for n in given)
    for term in terms:
        if term.kind == "python":
            continue
        if term.kind.startswith("sparse_"):
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
    if term.kind.startswith("sparse_"):
        expected = shape[:-1]
        dense = term.kind.removeprefix("sparse_").removesuffix("_logits")
        advice = flatten or "labels are one integer per row"
        if given == shape:
            advice = f"for one-hot y use '{dense}'"
    elif given in (shape[:-1], (*shape[:-1], 1)):
        if term.kind.startswith("categorical_"):
            sparse = "sparse_" + term.kind.removesuffix("_logits")
            advice = f"for integer labels use '{sparse}', or utils.to_categorical(y)"
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
