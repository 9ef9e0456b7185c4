"""The steps from a graph to a program, in order."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from fastnn.graph import ancestors
from fastnn.layers.python import takes_training
from fastnn.program.backward import derive_backward, fuse_activations
from fastnn.program.builder import Builder
from fastnn.program.definition import Program
from fastnn.program.derive import ancestors as derive_ancestors
from fastnn.program.lowering import lower
from fastnn.program.network import is_built_in, require_repeatable, trace_network
from fastnn.program.scoring import attach
from fastnn.program.segments import emit_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.graph import SymbolicTensor
    from fastnn.layers import Layer
    from fastnn.losses import Loss
    from fastnn.metrics import Metric
    from fastnn.optimizers import Optimizer
    from fastnn.program.network import Network


def build(
    inputs: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    *,
    losses: Sequence[Loss | None] | None = None,
    metrics: Sequence[Sequence[Metric]] | None = None,
    weighted_metrics: Sequence[Sequence[Metric]] | None = None,
    loss_weights: Sequence[float | None] | None = None,
    targets: Sequence[Sequence[int] | None] | None = None,
    sample_weights: Sequence[Sequence[int] | None] | None = None,
    output_names: Sequence[str] | None = None,
    optimizer: Optimizer | None = None,
    dtype: str = "float32",
    fuse: bool = True,
    training: bool | None = None,
    advise: bool = True,
) -> Program:
    """Compile the graph between `inputs` and `outputs` into a program.

    Parameters
    ----------
    inputs, outputs : list of SymbolicTensor
    losses : list of Loss or None, one for each output
    metrics, weighted_metrics : list of lists of Metric, one list for each output
    loss_weights : list of float or None (1.0), one for each output
    targets : list of tuple or None
        The shape of one sample of y for each output; None where unknown: that of the prediction,
        without its last axis for sparse labels.
    sample_weights : list of tuple or None
        The shape of one sample's weights for each output, ``()`` for a number; None: none.
    output_names : list of str
        Default: the names of the layers that make the outputs.
    optimizer : Optimizer, optional
        Without one the program has no backward part.
    dtype : {"float32", "float64"}
    fuse : bool
        False switches all rewrites off.
    training : bool, optional
        Whether layers are traced as in training. Default: if there is an optimizer.
    advise : bool
        Whether to warn of what beginners stumble over.

    Raises
    ------
    ValueError
        If the outputs depend on an input that is not given, or a target's shape does not fit.

    Examples
    --------
    >>> from fastnn import Input, layers, program
    >>> x = Input(shape=(4,))
    >>> y = layers.Dense(3, activation="relu", name="hidden")(x)
    >>> print(program.build([x], [y]))
    t1[3] = dense(t0[4]; activation=relu, slope=0.0, hidden/kernel, hidden/bias)
    """
    program = Program(dtype, optimizer)
    builder = Builder()
    layers = _collect(program, inputs, outputs)
    training = optimizer is not None if training is None else training
    network = trace_network(inputs, outputs, dtype, training=training)
    _refuse_strangers(network, program)
    require_repeatable(network, inputs, outputs, dtype, training=training)
    ends, penalties = lower(network, builder)
    program.outputs = [tensor.index for tensor in ends]
    program.inputs = list(range(len(inputs)))
    program.forward = builder.operations
    program.output_names = list(output_names or (t.node.layer.name for t in outputs))

    none = [None] * len(outputs)
    for op in program.forward:
        if op.kind == "python":
            op.attrs["layer"].scored = bool(losses) or optimizer is not None
    scoring = attach(
        program,
        builder,
        losses or none,
        metrics or [()] * len(outputs),
        weighted_metrics or [()] * len(outputs),
        [1.0 if w is None else float(w) for w in loss_weights or none],
        targets or none,
        sample_weights or none,
        fuse=fuse,
        advise=advise,
    )
    for value in penalties:
        scoring.add_penalty(value)
    scoring.fold_activations()
    if fuse:
        fuse_activations(program, builder, scoring)
    if optimizer is not None:
        derive_backward(program, builder, scoring, fuse=fuse)
    scoring.emit(_compact(program, builder, scoring.read()))
    emit_segments(program)
    own = not all(is_built_in(type(layer)) for layer in layers)

    def is_current() -> bool:
        if own and trace_network(inputs, outputs, dtype, training=training) != network:
            return False
        return scoring.retraced() and program.inference_is_current()

    program.is_current = is_current
    if training and any(takes_training(type(layer)) for layer in layers):
        program.twin = functools.partial(
            build, inputs, outputs, losses=losses, metrics=metrics,
            weighted_metrics=weighted_metrics, loss_weights=loss_weights, targets=targets,
            sample_weights=sample_weights, output_names=output_names, dtype=dtype, fuse=fuse,
            training=False, advise=False,
        )  # fmt: skip
    return program


def _collect(
    program: Program, inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]
) -> list[Layer]:
    """Collect the variables of all layers; refuse what training cannot do with them."""
    seen: set[int] = set()
    layers: dict[int, Layer] = {}
    for node in ancestors(outputs, inputs):
        layers.update((id(layer), layer) for layer in (node.layer, *node.layer.inner_layers))
        trainable = {id(v) for v in node.layer.trainable_weights}
        for variable in node.layer.weights:
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            if variable.regularizer is not None or variable.constraint is not None:
                raise ValueError(
                    f"Variable '{variable.path}' has a regularizer or a constraint, which "
                    "training does not apply yet: leave them None"
                )
            if variable.dtype != program.dtype and id(variable) in trainable:
                raise ValueError(
                    f"Layer '{node.layer.name}' computes in {variable.dtype}, its model in "
                    f"{program.dtype}: give all layers one dtype, e.g. by "
                    f"config.set_floatx('{variable.dtype}') before they are made"
                )
            program.variables.append(variable)
            if id(variable) in trainable:
                program.trainable.append(variable)
    return list(layers.values())


def _refuse_strangers(network: Network, program: Program) -> None:
    """Raise ValueError for a weight that layers read and that the model does not know."""
    known = {id(variable) for variable in program.variables}
    for tensor in derive_ancestors(network.roots):
        variable = tensor.attrs.get("variable")
        if variable is not None and variable.trainable and id(variable) not in known:
            raise ValueError(
                f"Layer '{tensor.layer}' reads the weight '{variable.path}', which is not one of "
                "the model's, so it would be neither trained nor saved: make it, or the layer "
                "it belongs to, in __init__ or build, and keep it in an attribute, or in a list or "
                "a dict there"
            )


def _compact(program: Program, builder: Builder, read: set[int]) -> dict[int, int]:
    """Renumber the tensors and storages that are left in use; lay the storages out.

    `read` are those that losses and metrics read. Returns the new numbers by the old ones.
    """
    used = [*program.inputs, *program.outputs, *read]
    for op in program.forward:
        used += [*op.inputs, *op.outputs]
    kept = [builder.tensors[i] for i in sorted(set(used))]
    number = {tensor.index: new for new, tensor in enumerate(kept)}
    storages = sorted({tensor.storage for tensor in kept})
    place = {storage: new for new, storage in enumerate(storages)}

    for tensor in kept:
        tensor.index, tensor.storage = number[tensor.index], place[tensor.storage]
    for new, old in enumerate(storages):
        storage = builder.storages[old]
        storage.index = new
        program.storages.append(storage)
    for tensor in kept:  # runs of several rows must follow one another without gaps
        if len(tensor.shape) > 1:
            program.storages[tensor.storage].padded = False
    program.tensors = kept
    program.inputs = [number[i] for i in program.inputs]
    program.outputs = [number[i] for i in program.outputs]
    for op in [*program.forward, *program.backward]:
        op.inputs = tuple(number[i] for i in op.inputs)
        op.outputs = tuple(number[i] for i in op.outputs)
    for loss in program.losses:
        loss.prediction = number[loss.prediction]
    for metric in program.metrics:
        metric.prediction = number[metric.prediction]
    for gradient in program.gradients:
        gradient.tensor = number[gradient.tensor]
    for leaf in builder.leaves.values():
        kind, index = leaf.attrs["source"]
        if index in number:  # else nothing reads it
            leaf.attrs["source"] = kind, number[index]
    return number
