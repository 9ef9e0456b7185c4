"""Checks of the labels against the losses: what would train in vain, or not at all."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from fastnn.program.scoring import LOGITS_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastnn.program import LossTerm, MetricTerm, Program
    from fastnn.training.data import Data

BLOCK = 1 << 20
"""Elements looked at at a time, so that a memory-mapped y is never read as a whole."""

REGRESSION = (
    "mean_squared_error", "mean_absolute_error", "huber", "log_cosh",
    "mean_absolute_percentage_error", "mean_squared_logarithmic_error",
)  # fmt: skip

PROBABLE = ("sigmoid", "hard_sigmoid", "softmax", "exponential", "softplus")
"""Activations that give probabilities, or what the crossentropies divide by its sum."""


class TrainingWarning(UserWarning):
    """Something that trains, but hardly as intended."""


def check_labels(program: Program, data: Data, method: str) -> None:
    """Check that labels are of the classes that the losses and metrics count.

    Raises
    ------
    ValueError
        Naming the first row whose label is outside the range.
    """
    checked = set()
    terms: list[LossTerm | MetricTerm] = [*program.losses, *program.metrics]
    for term in terms:
        kind = term.kind.removesuffix("_logits")
        sparse = kind.startswith("sparse_")
        if (term.target, sparse) in checked or not (sparse or kind == "binary_crossentropy"):
            continue
        checked.add((term.target, sparse))
        labels = data.targets[term.target]
        assert labels is not None
        tensor = program.tensors[term.prediction]
        where = f"{method}: y"
        if len(program.outputs) > 1:
            name = program.output_names[program.targets[term.target].output]
            where += f" for output '{name}'"
        if sparse:
            _check_classes(labels, tensor.features, kind, where)
        else:
            _check_probabilities(labels, kind, where)


def blocks(array: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the first row number and the rows of each block."""
    step = max(1, BLOCK // max(1, array[0].size))
    for start in range(0, len(array), step):
        yield start, array[start : start + step]


def _check_classes(labels: np.ndarray, classes: int, kind: str, where: str) -> None:
    for start, block in blocks(labels):
        if block.min() >= 0 and block.max() < classes:  # false for NaN
            if block.dtype.kind != "f":
                continue
            good = block == np.floor(block)
        else:
            good = (block >= 0) & (block < classes)
        if good.all():
            continue
        place = np.unravel_index(int(np.argmin(good)), good.shape)
        bad = block[place]
        if classes == 1:
            advice = (
                f"'{kind}' needs one unit per class: Dense(number of classes, "
                "activation='softmax'), or 'binary_crossentropy' with one sigmoid unit"
            )
        elif block.dtype.kind == "u" and bad == np.iinfo(block.dtype).max:
            advice = (
                f"in {block.dtype} 0 - 1 wraps around to {bad}: labels start at 0, so leave the "
                "- 1 out, or use y.astype(int) before it"
            )
        elif bad == classes and labels.min() == 1:
            advice = "labels start at 0: use y - 1"
        elif block.dtype.kind == "f" and bad != np.floor(bad):
            advice = "labels are whole numbers; for predicting numbers use a loss such as 'mse'"
        else:
            advice = "give the last layer one unit per class, or number the classes from 0"
        raise ValueError(
            f"{where} expects class labels from 0 to {classes - 1} (the output has {classes} "
            f"{'unit' if classes == 1 else 'units'}), got {bad} in row {start + int(place[0])}: "
            f"{advice}"
        )


def _check_probabilities(labels: np.ndarray, kind: str, where: str) -> None:
    for start, block in blocks(labels):
        if block.dtype.kind == "b":
            return
        if not (block.min() < 0 or block.max() > 1):  # NaN passes: it shows in the loss
            continue
        bad = (block < 0) | (block > 1)
        if not bad.any():  # a NaN hid the others
            continue
        place = np.unravel_index(int(np.argmax(bad)), bad.shape)
        value = block[place]
        if value == -1:
            advice = "for labels -1 and 1 use (y + 1) / 2"
        elif block.dtype == np.uint8:
            advice = "scale the images: y / 255"
        else:
            advice = (
                "for more than two classes use 'sparse_categorical_crossentropy', for predicting "
                "numbers 'mse'"
            )
        raise ValueError(
            f"{where} expects labels from 0 to 1 for '{kind}', got {value} in row "
            f"{start + int(place[0])}: {advice}"
        )


# --- warnings --------------------------------------------------------------------------------


def advise(program: Program, data: Data, *, split: bool) -> None:
    """Warn, once per fit, about what course students stumble over.

    (Building the program warns about a softmax or sigmoid before a loss from logits.)

    Parameters
    ----------
    program : Program
    data : Data
        All rows, before any is split off.
    split : bool
        Whether the last rows are to become the validation data.
    """
    messages = [*_softmaxes(program), *_single_classes(program), *losses_of_logits(program)]
    messages += _accuracies(program, data)
    if split:
        messages += _sorted_labels(program, data)
    for message in messages:
        warnings.warn(message, TrainingWarning, stacklevel=5)


def advise_batches(program: Program) -> None:
    """Warn, once per fit in several batches, of metrics whose mean over them is another number."""
    for term in program.metrics:
        if term.depends_on_batches:
            warnings.warn(
                f"Metric '{term.name}' gives one value for a batch, and what is reported is the "
                f"mean of the batches' values, which is not its value for all rows: for that, call "
                f"evaluate with batch_size=len(x), or write a Metric that adds up what it is made "
                "of",
                TrainingWarning,
                stacklevel=4,
            )


def _softmaxes(program: Program) -> Iterator[str]:
    for op in program.forward:
        activation = op.attrs.get("activation")
        if activation in ("softmax", "log_softmax") and program.tensors[op.output].features == 1:
            yield (
                f"Layer '{op.name}' applies {activation} to one unit, which always gives the same "
                "output: use activation='sigmoid' with one unit, or one unit per class"
            )


def _single_classes(program: Program) -> Iterator[str]:
    warned = {
        tensor
        for op in program.forward if op.attrs.get("activation") in ("softmax", "log_softmax")
        for tensor in (*op.inputs, op.output)
    }  # fmt: skip
    for term in program.losses:
        kind = term.kind.removesuffix("_logits")
        if term.prediction in warned or program.tensors[term.prediction].features > 1:
            continue
        if kind == "categorical_crossentropy":
            yield (
                f"The loss '{kind}' of one unit is always the same, so nothing is learned: use "
                "'binary_crossentropy', or one unit per class"
            )


def losses_of_logits(program: Program) -> Iterator[str]:
    """Crossentropies that expect probabilities where the last activation gives none."""
    last = {op.output: op for op in program.forward if op.kind in ("dense", "activation")}
    for term in program.losses:
        op, wanted = last.get(term.prediction), LOGITS_OF.get(term.kind)
        if op is None or wanted is None:
            continue
        activation = op.attrs.get("activation", "linear")
        if activation in PROBABLE:
            continue
        loss = "".join(word.capitalize() for word in term.kind.split("_"))
        name = program.output_names[program.targets[term.target].output]
        ending = "no activation" if activation == "linear" else f"activation={activation!r}"
        yield (
            f"The loss '{term.kind}' expects probabilities, but output '{name}' has {ending}: use "
            f"activation={wanted!r} in the last layer, or loss=losses.{loss}(from_logits=True)"
        )


def _accuracies(program: Program, data: Data) -> Iterator[str]:
    regression = {term.target for term in program.losses if term.kind in REGRESSION}
    for term in program.metrics:
        if term.kind not in ("binary_accuracy", "categorical_accuracy", "accuracy"):
            continue
        labels = data.targets[term.target]
        if term.target not in regression or labels is None:
            continue
        some = labels[:4096]
        if not ((some == 0) | (some == 1) | (some != some)).all():  # NaN shows in the loss
            yield (
                f"Metric '{term.metric.name}' counts right classes, but y holds other numbers than "
                "0 and 1: for predicting numbers use metrics=['mae']"
            )


def _sorted_labels(program: Program, data: Data) -> Iterator[str]:
    for term in program.losses:
        kind = term.kind.removesuffix("_logits")
        labels = data.targets[term.target]
        assert labels is not None
        if not kind.endswith(("_crossentropy", "hinge")) or labels.ndim > 2:
            continue
        if labels.ndim == 2:
            labels = labels[:, 0] if labels.shape[1] == 1 else np.argmax(labels, axis=1)
        if labels[0] == labels[-1]:
            continue
        before, after = labels[:-1], labels[1:]
        if (before <= after).all() or (before >= after).all():
            yield (
                "The labels are sorted by class, and validation_split takes the last rows: "
                "training and validation get different classes. Shuffle the rows first: "
                "order = np.random.permutation(len(x)); x, y = x[order], y[order]"
            )
