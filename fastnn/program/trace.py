"""Tracing: losses and metrics are called once, with tensors in the place of numbers."""

from __future__ import annotations

import copy
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import ops
from fastnn.ops.operation import as_tensor
from fastnn.ops.reductions import _mean
from fastnn.ops.shapes import _reshape
from fastnn.ops.tensor import NotTraceable, Tensor
from fastnn.program.derive import ancestors
from fastnn.program.simplify import attributes, number, simplify
from fastnn.variable import Variable, tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastnn.losses import Loss
    from fastnn.metrics import Metric


class Traced:
    """A traced loss: its value and, if it states one, its own gradient by the prediction."""

    def __init__(self, value: Tensor, gradient: Tensor | None) -> None:
        self.value = value
        self.gradient = gradient

    @property
    def values(self) -> list[Tensor]:
        """All that was recorded."""
        return [self.value] if self.gradient is None else [self.value, self.gradient]


def trace_loss(
    loss: Loss,
    y_true: Tensor,
    y_pred: Tensor,
    weights: Tensor | None = None,
    *,
    again: bool = False,
) -> Traced | None:
    """Return the trace of a loss; None if it cannot be traced and states its own gradient.

    The value has one number for each row, or one for the whole batch. A loss whose root is a mean
    over everything gives one for each row (unless rows are to be summed): the mean is the same, and
    rows can be weighted. `again`: it has been traced before, and is not asked whether it gives the
    same twice.

    Raises
    ------
    NotTraceable
        If it computes what tensors cannot, and states no gradient.
    TypeError, ValueError
        If it returns no value, or one that is another at each call.
    """
    who = f"Loss '{loss.name}'"
    stated = loss.states_gradient
    try:
        if loss.reduces_itself:
            value = _recorded(
                lambda: loss(y_true, y_pred, weights), f"{who}: __call__", y_pred, again
            )
        else:
            value = _recorded(
                lambda: loss.call(y_true, y_pred), f"{who}: call(y_true, y_pred)", y_pred, again
            )
        gradient = None
        if stated:
            gradient = _recorded(
                lambda: loss.gradient(y_true, y_pred),
                f"{who}: gradient(y_true, y_pred)",
                y_pred,
                again,
            )
    except NotTraceable as error:
        if stated:
            return None
        raise NotTraceable(
            f"{who} cannot be traced: {error}. (Or compute in NumPy what you like, and state the "
            "derivative yourself: see fastnn.losses.Loss)"
        ) from None
    if gradient is not None and gradient.shape != y_pred.shape:
        raise ValueError(
            f"{who}: gradient(y_true, y_pred) must have y_pred's shape {y_pred.shape}, got "
            f"{gradient.shape}"
        )
    by_rows = by_row(value) if value.batched or loss.reduction != "sum" else None
    if gradient is not None and by_rows is not None and not value.batched:
        by_rows = None  # the gradient is that of the one number
    if by_rows is None:
        by_rows = value if value.batched or not value.shape else ops.mean(value)
    if by_rows.fold > 1:  # a flattened batch: so many values of each sample
        by_rows = _reshape(by_rows, shape=(None, by_rows.fold, *by_rows.shape[1:]), fold=1)
    return Traced(by_rows, gradient)


def by_row(value: Tensor) -> Tensor | None:
    """Return numbers of rows whose mean over the batch is the value, if it is such a mean."""
    (value,) = simplify([value])
    if value.batched:
        return value
    name = value.op.name
    if name == "mean" and value.args[0].batched and len(value.attrs["axes"]) == value.args[0].ndim:
        (x,) = value.args
        if x.fold > 1:
            x = _reshape(x, shape=(None, x.fold, *x.shape[1:]), fold=1)
        return _mean(x, axes=tuple(range(1, x.ndim)), keepdims=False) if x.ndim > 1 else x
    if value.elements != 1 or value.shape:
        return None
    if name == "negative":
        rows = by_row(value.args[0])
        return None if rows is None else ops.negative(rows)
    if name in ("multiply", "divide", "add", "subtract"):
        a, b = value.args
        if number(b) is not None:
            rows = by_row(a)
            return None if rows is None else value.op(rows, b)
        if number(a) is not None and name != "divide":
            rows = by_row(b)
            return None if rows is None else value.op(a, rows)
        if name in ("add", "subtract"):
            first, second = by_row(a), by_row(b)
            if first is not None and second is not None and first.shape == second.shape:
                return value.op(first, second)
    return None


def _recorded(function: Callable[[], Any], who: str, like: Tensor, again: bool) -> Tensor:
    """Call a function, two times: what it draws or reads anew would be frozen in the trace."""
    from fastnn.losses.base import returned

    found = []
    for _ in range(1 if again else 2):
        with tracing(like.dtype) as assigned:
            found.append(as_tensor(returned(who, _called(function, who)), like.dtype))
        if assigned:
            raise ValueError(
                f"{who} assigns to variable '{next(iter(assigned)).path}': a loss has no state"
            )
    first, second = found[0], found[-1]
    if first is not second and structure([first]) != structure([second]):
        raise ValueError(
            f"{who} gives another result at each call: it is traced once, and numbers of "
            "np.random, the clock or a counter would stay the same for all batches. Draw them "
            "before fit; fastnn.random has random numbers for layers"
        )
    return first


def _called(function: Callable[[], Any], who: str) -> Any:
    """Call a function; TypeErrors that beginners meet say more."""
    try:
        return function()
    except NotTraceable:
        raise
    except TypeError as error:
        text = str(error)
        if "NoneType" in text:
            hint = "the number of rows, y_pred.shape[0], is None: write ops.shape(y_pred)[0]"
        elif "positional argument" in text:
            hint = (
                "it is called with (y_true, y_pred); of a function that makes losses or metrics, "
                "call it in compile"
            )
        else:
            raise
        raise TypeError(f"{who}: {text}: {hint}") from error


def structure(values: Sequence[Tensor]) -> Any:
    """Return what two traces share just if they compute the same of the same leaves."""
    order = ancestors(values)
    place = {id(tensor): k for k, tensor in enumerate(order)}
    steps = [
        (tensor.op.name, tuple(place[id(arg)] for arg in tensor.args), attributes(tensor))
        for tensor in order
    ]
    return steps, [place[id(value)] for value in values]


# --- metrics ---------------------------------------------------------------------------------


def trace_metric(
    metric: Metric,
    y_true: Tensor,
    y_pred: Tensor,
    weights: Tensor | None,
    *,
    again: bool = False,
) -> dict[Variable, Tensor] | NotTraceable | None:
    """Return what a batch adds to each variable of a metric; None, or why, if only Python can tell.

    What `update_state` adds must be numbers of rows, all to be added, or one number for the batch,
    that do not depend on the state; and the same at each call (which `again` does not ask).
    """
    found = _added(metric, y_true, y_pred, weights)
    if again or not isinstance(found, dict):
        return found
    second = _added(metric, y_true, y_pred, weights)
    same = (
        isinstance(second, dict)
        and second.keys() == found.keys()
        and structure([*found.values()]) == structure([second[v] for v in found])
    )
    if not same:
        return None  # random numbers, the clock, a counter: to be asked anew for each batch
    return found


def _added(
    metric: Metric, y_true: Tensor, y_pred: Tensor, weights: Tensor | None
) -> dict[Variable, Tensor] | NotTraceable | None:
    """Return what one call of `update_state` adds, and leave the metric as it was."""
    before = _Attributes(metric)
    try:
        with tracing(y_pred.dtype) as assigned:
            metric.update_state(y_true, y_pred, sample_weight=weights)
    except NotTraceable as error:
        before.restore()
        return error
    except Exception:
        before.restore()
        raise
    if before.changed():  # it keeps what it remembers in attributes
        before.restore()
        return None
    added = {}
    for variable, value in assigned.items():
        delta = _increment(as_tensor(value, y_pred.dtype), variable)
        if delta is None or variable.shape:
            return None
        added[variable] = delta
    return added


class _Attributes:
    """What a metric, those within it and plain objects that it keeps hold in attributes."""

    def __init__(self, metric: Any) -> None:
        self.owners: list[Any] = []
        pending = [metric]
        while pending:
            owner = pending.pop()
            if any(owner is known for known in self.owners):
                continue
            self.owners.append(owner)
            for value in vars(owner).values():
                items = value if isinstance(value, (list, tuple)) else [value]
                pending.extend(item for item in items if _keeps_state(item))
        self.held = [dict(vars(owner)) for owner in self.owners]
        self.inside = [
            {name: copy.copy(value) for name, value in held.items() if isinstance(value, KEEPERS)}
            for held in self.held
        ]

    def changed(self) -> bool:
        return any(
            not _same(vars(owner), held)
            or any(not _same(held[name], items) for name, items in inside.items())
            for owner, held, inside in zip(self.owners, self.held, self.inside, strict=True)
        )

    def restore(self) -> None:
        for owner, held, inside in zip(self.owners, self.held, self.inside, strict=True):
            vars(owner).clear()
            vars(owner).update(held)
            for name, items in inside.items():
                keeper: Any = held[name]
                if isinstance(keeper, np.ndarray):
                    keeper[...] = items
                    continue
                keeper.clear()
                if isinstance(keeper, (list, deque)):
                    keeper.extend(items)
                else:
                    keeper.update(items)


KEEPERS = (list, dict, set, deque, np.ndarray)
"""What an attribute may be that is changed without being set."""


def _keeps_state(item: Any) -> bool:
    """Whether it is a metric, or an object of a class of one's own (but no layer, model, loss)."""
    if hasattr(item, "update_state"):
        return True
    known = {cls.__module__.partition(".")[0] for cls in type(item).__mro__[:-1]}
    return hasattr(item, "__dict__") and not known & {"builtins", "fastnn", "numpy"}


def _same(now: Any, before: Any) -> bool:
    """Whether two lists, dicts or sets hold the same objects, two arrays the same bytes."""
    if isinstance(now, np.ndarray):
        return now.tobytes() == before.tobytes()
    if isinstance(now, dict):
        return now.keys() == before.keys() and all(now[key] is before[key] for key in before)
    if isinstance(now, set):
        return {id(item) for item in now} == {id(item) for item in before}
    return len(now) == len(before) and all(a is b for a, b in zip(now, before, strict=True))


def _increment(value: Tensor, variable: Variable) -> Tensor | None:
    """Return what is added to a variable, as numbers of rows or of the batch."""
    (value,) = simplify([value])
    parts: list[Tensor] = []
    found = 0
    pending = [(value, 1)]
    while pending:
        tensor, sign = pending.pop()
        name = tensor.op.name
        if name in ("add", "subtract"):
            a, b = tensor.args
            pending += [(a, sign), (b, -sign if name == "subtract" else sign)]
        elif name == "negative":
            pending.append((tensor.args[0], -sign))
        elif name == "variable" and tensor.attrs["variable"] is variable:
            found += sign
        else:
            parts.append(tensor if sign > 0 else ops.negative(tensor))
    if found != 1 or not parts:
        return None
    delta = parts[0]
    for part in parts[1:]:
        delta = ops.add(delta, part)
    if any(t.op.name == "variable" for t in ancestors([delta])):
        return None
    if delta.shape:
        return None
    total = delta.args[0] if delta.op.name == "negative" else delta
    if total.op.name == "sum" and total.args[0].batched:  # rows, added one by one in float64
        (rows,) = total.args
        return rows if total is delta else ops.negative(rows)
    return delta
