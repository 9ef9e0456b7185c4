"""Data: the checked arrays of one fit, evaluate or predict, in the order of the model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.training.arrays import arrange, check_rows, to_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.program import Program


class Data:
    """Rows to train on or to predict for.

    Attributes
    ----------
    inputs : list of ndarray, shape (n, ...)
        One for each input of the model, in the shape it expects.
    targets : list of ndarray or None
        One for each output; None where y has nothing for it.
    weights : list of ndarray or None
        Sample weights for each output.
    rows : int
    shapes : tuple of tuple or None
        Of one sample of y for each output, as it was given.
    weight_shapes : tuple of tuple or None
        Of one sample's weights for each output; None where there are none.
    """

    def __init__(
        self,
        inputs: list[np.ndarray],
        targets: list[np.ndarray | None],
        weights: list[np.ndarray | None],
        rows: int,
        shapes: Sequence[tuple[int, ...] | None],
        weight_shapes: Sequence[tuple[int, ...] | None] | None = None,
    ) -> None:
        self.inputs = inputs
        self.targets = targets
        self.weights = weights
        self.rows = rows
        self.shapes = tuple(shapes)
        self.weight_shapes = tuple(
            weight_shapes
            if weight_shapes is not None
            else (None if w is None else w.shape[1:] for w in weights)
        )

    def part(self, start: int, stop: int) -> Data:
        """Return some of the rows; the arrays are views."""

        def cut(arrays: list[np.ndarray | None]) -> list[np.ndarray | None]:
            return [None if array is None else array[start:stop] for array in arrays]

        inputs = [array[start:stop] for array in self.inputs]
        return Data(
            inputs, cut(self.targets), cut(self.weights), stop - start, self.shapes,
            self.weight_shapes,
        )  # fmt: skip

    def for_program(self, program: Program, method: str) -> Data:
        """Return the data as an engine of `program` binds it: one entry for each target.

        Raises
        ------
        ValueError
            If an array has another shape than the program was built for.
        """
        targets: list[np.ndarray | None] = []
        weights: list[np.ndarray | None] = []
        for target in program.targets:
            name = program.output_names[target.output]
            array = self.targets[target.output]
            assert array is not None  # fit and evaluate have looked
            targets.append(fit_shape(array, target.shape, f"{method}: y of output '{name}'"))
            row_weights = self.weights[target.output]
            weights.append(_row_weights(row_weights, program, target.output, method))
        return Data(self.inputs, targets, weights, self.rows, self.shapes, self.weight_shapes)


def read_data(model: Any, x: Any, y: Any = None, sample_weight: Any = None, *, method: str) -> Data:
    """Check what fit, evaluate or predict got and arrange it in the order of the model.

    Parameters
    ----------
    model : Model
        Built: it has inputs and outputs.
    x, y, sample_weight : array, list of arrays, dict by name, or None
    method : str
        Named in errors.

    Raises
    ------
    ValueError, TypeError
        If something does not fit; the message says what and how to mend it.
    """
    input_names, output_names = list(model.input_names), list(model.output_names)
    if x is None:
        raise ValueError(f"{method} needs x: pass an array with one row per sample")
    shapes = [tensor.sample_shape for tensor in model.inputs]
    if len(shapes) == 1 and isinstance(x, (list, tuple)) and len(x) > 1:
        ranks = [getattr(item, "ndim", 0) for item in x]
        pair = len(x) == 2 and y is None and method != "predict"
        if ranks[0] == len(shapes[0]) + 1 and ((pair and ranks[1] > 0) or len(set(ranks)) == 1):
            raise ValueError(
                f"{method}: x: the model has one input, '{input_names[0]}', got a "
                f"{type(x).__name__} of {len(x)} arrays: pass one array with one row per sample"
                + (f", and the targets as an argument of their own: {method}(x, y)" if pair else "")
            )
    given = arrange(
        x, input_names, f"{method}: x", noun="input",
        wraps=lambda item: np.ndim(item) == len(shapes[0]) + 1,
    )  # fmt: skip
    inputs = []
    for tensor, name, shape, value in zip(model.inputs, input_names, shapes, given, strict=True):
        several = len(input_names) > 1 or isinstance(x, dict)
        who = f"{method}: x for input '{name}'" if several else f"{method}: x"
        inputs.append(_input(model, tensor, to_array(value, who), shape, method))
    x_labels = ["x"] if len(inputs) == 1 else [f"x for input '{name}'" for name in input_names]

    targets: list[np.ndarray | None] = [None] * len(output_names)
    if y is not None:
        rows = len(inputs[0])
        items = arrange(
            y, output_names, f"{method}: y", noun="output",
            wraps=lambda item: np.ndim(item) > 0 and len(item) == rows,
        )  # fmt: skip
        targets = [
            None if item is None else to_array(item, f"{method}: {label}")
            for item, label in zip(items, _labels("y", output_names), strict=True)
        ]
    weights = _sample_weights(sample_weight, output_names, len(inputs[0]), method)
    rows = check_rows(
        [*inputs, *targets, *weights],
        [*x_labels, *_labels("y", output_names), *_labels("sample_weight", output_names)],
        method,
    )
    given_shapes = [None if target is None else target.shape[1:] for target in targets]
    return Data(inputs, targets, weights, rows, given_shapes)


def _labels(what: str, names: Sequence[str]) -> list[str]:
    return [what] if len(names) == 1 else [f"{what} for output '{name}'" for name in names]


def fit_shape(array: np.ndarray, shape: Sequence[int], who: str) -> np.ndarray:
    """Return (n, ...) data in the given shape per sample, adding or dropping a last axis of 1.

    Raises
    ------
    ValueError
        If that does not make it fit.
    """
    shape = tuple(shape)
    sample = array.shape[1:]
    if sample == shape:
        return array
    if (*sample, 1) == shape:
        return array[..., None]
    if sample == (*shape, 1):
        return array[..., 0]
    raise ValueError(f"{who} expects shape {batch_shape(shape)}, got {batch_shape(sample)}")


def batch_shape(shape: Sequence[int | None]) -> str:
    """Return the shape of a batch for an error message: ``(n, 784)``."""
    return "(n, " + ", ".join(map(str, shape)) + ")" if shape else "(n,)"


def _input(
    model: Any, tensor: Any, array: np.ndarray, shape: tuple[int, ...], method: str
) -> np.ndarray:
    try:
        return fit_shape(array, shape, method)
    except ValueError:
        raise ValueError(_misfit(model, tensor, array, shape, method)) from None


def _misfit(model: Any, tensor: Any, array: np.ndarray, shape: tuple[int, ...], method: str) -> str:
    """Say which layer cannot use the array, and guess what went wrong."""
    sample = array.shape[1:]
    layer = reader_of(model, tensor)
    who = f"{method}: {layer}" if layer else f"{method}: input '{tensor.name}'"
    size, got = int(np.prod(shape)), int(np.prod(sample))
    if array.shape == shape:
        or_all = ", or if these are all samples, begin with Input(x.shape[1:])"
        return (
            f"{who} expects a batch of shape {batch_shape(shape)}, got a single sample of shape "
            f"{array.shape}: add the batch axis, x[None]{or_all if len(shape) > 1 else ''}"
        )
    if len(shape) == len(sample) == 1:
        which = f" from input '{tensor.name}'" if layer and len(model.inputs) > 1 else ""
        return (
            f"{who} expects {shape[0]} features per sample{which}, got {sample[0]}: check "
            "Input(shape=...) or the columns of x"
        )
    if size == got and len(shape) == 1:
        advice = f"add Flatten() after Input(shape={sample}), or x.reshape(len(x), {size})"
    elif size == got:
        advice = f"x.reshape(len(x), {', '.join(map(str, shape))})"
    elif not sample and len(shape) == 1 and array.shape[0] == shape[0]:
        advice = "add the batch axis, x[None]"
    else:
        advice = "check Input(shape=...) or the shape of x"
    return f"{who} expects shape {batch_shape(shape)}, got {array.shape}: {advice}"


def reader_of(model: Any, tensor: Any) -> str:
    """Name the first layer that reads an input of the model: ``Dense 'dense'``."""
    from fastnn.graph import ancestors

    for node in ancestors(model.outputs, model.inputs):
        if any(source is tensor for source in node.inputs):
            return f"{type(node.layer).__name__} '{node.layer.name}'"
    return ""


# --- sample weights --------------------------------------------------------------------------


def _sample_weights(
    value: Any, names: list[str], rows: int, method: str
) -> list[np.ndarray | None]:
    """Return the weights of each output; one array serves all outputs."""
    if value is None:
        return [None] * len(names)
    flat = not isinstance(value, (list, tuple, dict)) or (
        isinstance(value, (list, tuple)) and np.ndim(value[0] if value else 0) == 0
        and not (len(value) == len(names) and any(item is None for item in value))
    )  # fmt: skip
    if flat:
        items = [value] * len(names)
    else:
        items = arrange(
            value, names, f"{method}: sample_weight", noun="output",
            wraps=lambda item: np.ndim(item) > 0 and len(item) == rows,
        )  # fmt: skip
    weights: list[np.ndarray | None] = []
    for item, label in zip(items, _labels("sample_weight", names), strict=True):
        if item is None:
            weights.append(None)
            continue
        array = to_array(item, f"{method}: {label}")
        if array.dtype.kind != "f":
            array = array.astype(np.float64)
        weights.append(array)
    return weights


def _row_weights(
    weights: np.ndarray | None, program: Program, output: int, method: str
) -> np.ndarray | None:
    """Return weights of shape (n,), or (n, rows of one sample's prediction)."""
    if weights is None or weights.ndim == 1:
        return weights
    tensor = program.tensors[program.outputs[output]]
    rows = tensor.shape[:-1]
    if weights.ndim == 2 and weights.shape[1] == 1 and tensor.rows == 1:
        return weights[:, 0]
    if weights.shape[1:] == rows:
        return weights.reshape(len(weights), -1)
    raise ValueError(
        f"{method}: sample_weight expects shape (n,)"
        + (f" or {batch_shape(rows)}" if rows else "")
        + f", got {weights.shape}: give one number per row of x"
    )


def class_weights_to_rows(class_weight: Any, target: np.ndarray, method: str) -> np.ndarray:
    """Return the sample weights that `class_weight` means for these labels.

    Parameters
    ----------
    class_weight : dict
        From class numbers to weights; a class that it does not name has weight 1, one that no
        label is of has no effect.
    target : ndarray
        Class numbers, shape (n,) or (n, 1), or one-hot rows.

    Raises
    ------
    ValueError
        If it is no such dict, or the labels are not one class per row.
    """
    if not isinstance(class_weight, dict):
        raise ValueError(
            f"{method}: class_weight expects a dict from class to weight, got "
            f"{type(class_weight).__name__}: dict(enumerate(weights)) makes one from a list"
        )
    if target.ndim > 2:
        raise ValueError(
            f"{method}: class_weight needs one class per row, y has shape {target.shape}: use "
            "sample_weight"
        )
    labels = target
    if target.ndim == 2:
        labels = np.argmax(target, axis=1) if target.shape[1] > 1 else target[:, 0]
    labels = np.rint(labels).astype(np.int64)
    weights = np.ones(len(labels))
    for key, weight in class_weight.items():
        number = _class_number(key)
        rows = labels == number
        if number is None or (number < 0 and not rows.any()):
            raise ValueError(
                f"{method}: class_weight expects classes as keys, got {key!r}: y has the classes "
                f"{labels.min()} to {labels.max()}"
            )
        try:
            weights[rows] = value = float(weight)
        except (TypeError, ValueError):
            value = math.nan
        if not math.isfinite(value):
            raise ValueError(
                f"{method}: class_weight expects finite numbers, got {key!r}: {weight!r}"
            )
    return weights


def _class_number(key: Any) -> int | None:
    """Return a key of `class_weight` as a whole number, or None if it is none."""
    try:
        number = int(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isinstance(key, str) or number == key else None
