"""Simplification: rules on single operations, common subexpressions, and lowering.

A rule gets a tensor whose arguments are simple already, and returns what to put in its place, or
None. Constants are folded in float64 and rounded once, when a program takes them in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import ops
from fastnn.ops.elementwise import chain
from fastnn.ops.nn import _log_softmax, _softmax
from fastnn.ops.operation import constant
from fastnn.ops.reductions import _logsumexp, _sum, count
from fastnn.ops.shapes import _reshape, broadcast_like, keep_axes
from fastnn.ops.tensor import Tensor, without_lines
from fastnn.program.derive import ancestors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LEAVES = frozenset({"input", "constant", "rows", "variable", "like"})


def simplify(outputs: Iterable[Tensor], *, lower: bool = False) -> list[Tensor]:
    """Return tensors of the same values, each made once.

    Parameters
    ----------
    outputs : iterable of Tensor
    lower : bool
        Also put in the place of operations without a step in C what they are in other ops.
    """
    outputs = list(outputs)
    simplifier = _Simplifier(lower)
    with without_lines():
        for tensor in ancestors(outputs):  # in their order, so that `visit` is never deep
            simplifier.visit(tensor)
        return [simplifier.visit(tensor) for tensor in outputs]


class _Simplifier:
    def __init__(self, lower: bool) -> None:
        self.lower = lower
        self.done: dict[int, Tensor] = {}
        self.made: dict[Any, Tensor] = {}
        self.kept: list[Tensor] = []  # so that ids stay theirs

    def visit(self, tensor: Tensor) -> Tensor:
        known = self.done.get(id(tensor))
        if known is not None:
            return known
        self.kept.append(tensor)
        args = tuple(self.visit(arg) for arg in tensor.args)
        simple = tensor
        if any(a is not b for a, b in zip(args, tensor.args, strict=True)):
            simple = Tensor(tensor.op, args, tensor.attrs, tensor.shape, tensor.fold, tensor.dtype)
            simple.line = tensor.line
            self.put_in_place(simple, tensor)
        result = self.replaced(simple)
        if result is not None:
            self.put_in_place(result, simple)
        found = self.made.setdefault(key(simple), simple) if result is None else None
        result = self.visit(result) if result is not None else found
        assert result is not None
        self.done[id(tensor)] = self.done[id(simple)] = result
        self.kept.append(simple)
        return result

    def put_in_place(self, result: Tensor, tensor: Tensor) -> None:
        """Let a result stand where the tensor stood: the order of sums is that of the trace."""
        if result.serial > tensor.serial > max((arg.serial for arg in result.args), default=-1):
            result.serial = tensor.serial
        if not result.layer:
            result.layer = tensor.layer

    def replaced(self, tensor: Tensor) -> Tensor | None:
        if tensor.op.name in LEAVES:
            return None
        rules = RULES.get(tensor.op.name, ())
        rules += (LOWERED if self.lower else STABLE).get(tensor.op.name, ())
        for rule in (*rules, folded, unbroadcast):
            found = rule(tensor)
            if found is not None:
                return found
        if self.lower and tensor.op.lower is not None:
            return tensor.op.lower(*tensor.args, **tensor.attrs)
        return None


def key(tensor: Tensor) -> Any:
    """Return what two tensors share just if they are the same computation."""
    args = tuple(id(arg) for arg in tensor.args)
    return tensor.op.name, args, attributes(tensor), tensor.shape, tensor.fold


def attributes(tensor: Tensor) -> Any:
    """Return an operation's constants in a form that can be compared; arrays by their bytes."""
    return tuple(
        (name, (value.tobytes(), value.shape) if isinstance(value, np.ndarray) else _plain(value))
        for name, value in sorted(tensor.attrs.items())
    )


def _plain(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


# --- what a rule looks at --------------------------------------------------------------------


def number(tensor: Tensor) -> float | None:
    """Return the value of a constant that is one number, else None."""
    if tensor.op.name == "constant" and tensor.attrs["value"].size == 1:
        return float(tensor.attrs["value"].reshape(-1)[0])
    return None


def is_number(tensor: Tensor) -> bool:
    """Whether a tensor is one number for the whole batch."""
    return not tensor.batched and tensor.elements == 1


def never_zero(tensor: Tensor) -> bool:
    """Whether a tensor certainly holds no zero (and no NaN)."""
    seen: set[int] = set()
    pending = [tensor]
    while pending:
        one = pending.pop()
        name = one.op.name
        if id(one) in seen or name == "rows":
            continue
        seen.add(id(one))
        if name == "constant":
            value = one.attrs["value"].astype(one.dtype)
            if not (np.isfinite(value).all() and (value != 0).all()):
                return False
        elif name == "broadcast_like" or (name == "add" and one.args[0] is one.args[1]):
            pending.append(one.args[0])
        elif name in ("multiply", "divide", "chain", "chain_divide", "negative", "reshape"):
            pending.extend(one.args)
        else:
            return False
    return True


def is_broadcast(tensor: Tensor) -> bool:
    return tensor.op.name == "broadcast_like"


# --- rules -----------------------------------------------------------------------------------


def folded(tensor: Tensor) -> Tensor | None:
    """What is computed of constants alone is a constant."""
    if not tensor.args or any(arg.op.name != "constant" for arg in tensor.args):
        return None
    with np.errstate(all="ignore"):
        values = [arg.attrs["value"] for arg in tensor.args]
        return constant(tensor.op.numpy(*values, **tensor.attrs), tensor.dtype)


def unbroadcast(tensor: Tensor) -> Tensor | None:
    """Elementwise operations broadcast by themselves: they take what was broadcast as it was."""
    op = tensor.op
    if not any(is_broadcast(arg) for arg in tensor.args) or not _elementwise(tensor):
        return None
    bare = [arg.args[0] if is_broadcast(arg) else arg for arg in tensor.args]
    result = op(*bare, **tensor.attrs)
    if (result.shape, result.fold) != (tensor.shape, tensor.fold):
        for arg in tensor.args:
            if is_broadcast(arg) and (arg.shape, arg.fold) == (tensor.shape, tensor.fold):
                return broadcast_like(result, arg.args[1])
        return None
    return result


def _elementwise(tensor: Tensor) -> bool:
    from fastnn.ops.operation import broadcast

    return tensor.op.shape is broadcast


def _chain(tensor: Tensor) -> Tensor | None:
    g, d = tensor.args
    if never_zero(g) or (d.op.name == "constant" and never_zero(d)):  # 0 times d is 0 by itself
        return ops.multiply(g, d) if tensor.op.name == "chain" else ops.divide(g, d)
    if tensor.op.name == "chain" and d.op.name == "multiply" and not is_number(d):
        for one, x in (d.args, d.args[::-1]):  # numbers meet numbers first: g (u x) = (g u) x
            if one.op.name == "constant" and is_number(one) and never_zero(one):
                return chain(ops.multiply(g, one), x)
    return None


def _multiply(tensor: Tensor) -> Tensor | None:
    a, b = tensor.args
    if a is b:
        return ops.square(a)
    for one, other in ((a, b), (b, a)):
        if number(one) == 1 and tensor.shape == other.shape:
            return other
    for one, other in ((a, b), (b, a)):  # numbers meet numbers first: u (v x) = (u v) x
        if is_number(one) and other.op.name == "multiply" and not is_number(other):
            for inner, x in (other.args, other.args[::-1]):
                if is_number(inner) and not is_number(x):
                    return ops.multiply(ops.multiply(one, inner), x)
        if is_number(one) and other.op.name == "negative" and not is_number(other):
            return ops.multiply(ops.negative(one), other.args[0])
    return None


def _negative(tensor: Tensor) -> Tensor | None:
    (x,) = tensor.args
    if x.op.name == "negative":
        return x.args[0]
    if x.op.name == "multiply" and not is_number(x):
        for u, y in (x.args, x.args[::-1]):
            if is_number(u):
                return ops.multiply(ops.negative(u), y)
    if x.op.name == "subtract":
        return ops.subtract(x.args[1], x.args[0])
    return None


def _add(tensor: Tensor) -> Tensor | None:
    a, b = tensor.args
    for one, other in ((a, b), (b, a)):
        if number(one) == 0 and tensor.shape == other.shape:
            return other
    if b.op.name == "negative":
        return ops.subtract(a, b.args[0])
    return None


def _subtract(tensor: Tensor) -> Tensor | None:
    a, b = tensor.args
    if number(b) == 0 and tensor.shape == a.shape:
        return a
    if b.op.name == "negative":
        return ops.add(a, b.args[0])
    return None


def _divide(tensor: Tensor) -> Tensor | None:
    a, b = tensor.args
    return a if number(b) == 1 and tensor.shape == a.shape else None


def _power(tensor: Tensor) -> Tensor | None:
    x, exponent = tensor.args
    if exponent.elements != 1 or x.ndim < exponent.ndim:
        return None
    return {
        0.5: lambda: ops.sqrt(x), 1.0: lambda: x, 2.0: lambda: ops.square(x),
        3.0: lambda: ops.multiply(x, ops.square(x)), 4.0: lambda: ops.square(ops.square(x)),
        -1.0: lambda: ops.reciprocal(x), -2.0: lambda: ops.reciprocal(ops.square(x)),
    }.get(number(exponent), lambda: None)()  # type: ignore[arg-type]  # fmt: skip


def _distance(tensor: Tensor) -> Tensor | None:
    """A square or an absolute value has no sign: targets stand behind predictions."""
    (x,) = tensor.args
    if x.op.name != "subtract":
        return None
    a, b = x.args
    is_target = [t.op.name == "input" and t.attrs["source"][0] == "target" for t in (a, b)]
    return tensor.op(ops.subtract(b, a)) if is_target == [True, False] else None


def _softmax_by_hand(tensor: Tensor) -> Tensor | None:
    """exp(x) / sum(exp(x)) overflows where softmax does not."""
    a, b = tensor.args
    whole = b.args[0] if b.op.name == "broadcast_like" else b
    if a.op.name == "exp" and whole.op.name == "sum" and whole.args[0] is a:
        axes = whole.attrs["axes"]
        if whole.attrs["keepdims"] and not (a.batched and 0 in axes):
            return _softmax(a.args[0], axes=axes)
    if number(a) == 1 and b.op.name == "add":  # 1 / (1 + exp(-x))
        for one, e in (b.args, b.args[::-1]):
            if number(one) == 1 and e.op.name == "exp" and tensor.shape == e.shape:
                return ops.sigmoid(ops.negative(e.args[0]))
    return None


def _relu(tensor: Tensor) -> Tensor | None:
    for x, other in (tensor.args, tensor.args[::-1]):
        if number(other) == 0 and x.shape == tensor.shape:
            return ops.relu(x)
    return None


def _log1p(tensor: Tensor) -> Tensor | None:
    (x,) = tensor.args
    return ops.softplus(x.args[0]) if x.op.name == "exp" else None


def _log(tensor: Tensor) -> Tensor | None:
    (x,) = tensor.args
    if x.op.name == "sum" and x.args[0].op.name == "exp":
        return _logsumexp(x.args[0].args[0], **x.attrs)
    if x.op.name == "add":  # log(1 + exp(x))
        for one, e in (x.args, x.args[::-1]):
            if number(one) == 1 and e.op.name == "exp" and x.shape == e.shape:
                return ops.softplus(e.args[0])
    if x.op.name == "softmax":
        return _log_softmax(*x.args, **x.attrs)
    if x.op.name == "sigmoid":
        return ops.negative(ops.softplus(ops.negative(x.args[0])))
    return None


def _of_nothing(tensor: Tensor) -> Tensor | None:
    """A reduction along axes of length 1 only drops them."""
    (x,) = tensor.args
    axes = tensor.attrs["axes"]
    if all(x.shape[k] == 1 for k in axes):
        return x if tensor.shape == x.shape else _reshape(x, shape=tensor.shape, fold=tensor.fold)
    return None


def _sum_of_broadcast(tensor: Tensor) -> Tensor | None:
    """A sum of equal numbers is a product."""
    (x,) = tensor.args
    axes, keepdims = tensor.attrs["axes"], tensor.attrs["keepdims"]
    if not is_broadcast(x):
        return None
    small, like = x.args
    lead = like.ndim - small.ndim
    if any(k >= lead and small.shape[k - lead] != 1 for k in axes):
        return None
    if lead:
        small = _reshape(small, shape=(1,) * lead + small.shape, fold=small.fold)
        if small.shape[0] is not None and like.batched and 0 not in axes:
            small = broadcast_like(small, _sum(like, axes=axes, keepdims=True))
    total = ops.multiply(small, count(like, axes))
    if keepdims:
        target = _sum(like, axes=axes, keepdims=True)
        return broadcast_like(total, target)
    target = _sum(like, axes=axes, keepdims=False)
    kept = keep_axes(target, like, axes)
    total = broadcast_like(total, kept)
    return _reshape(total, shape=target.shape, fold=target.fold)


def _sum_over_rows(tensor: Tensor) -> Tensor | None:
    """A sum along the batch alone: one form, and without what is the same for all rows."""
    (x,) = tensor.args
    axes, name = tensor.attrs["axes"], x.op.name
    if not x.batched or 0 not in axes:
        return None
    if tensor.attrs["keepdims"]:
        return _reshape(_sum(x, axes=axes, keepdims=False), shape=tensor.shape, fold=1)
    if axes != (0,):
        return None
    if name == "negative":
        return ops.negative(_sum(x.args[0], axes=axes, keepdims=False))
    if name not in ("multiply", "divide", "chain", "chain_divide"):
        return None
    a, b = x.args
    if a.batched and not b.batched:
        return x.op(_sum(a, axes=axes, keepdims=False), _of_one_row(b, x))
    if b.batched and not a.batched and name in ("multiply", "chain"):
        return x.op(_of_one_row(a, x), _sum(b, axes=axes, keepdims=False))
    return None


def _of_one_row(same: Tensor, x: Tensor) -> Tensor:
    """Return what is the same for all rows of x without the axis of length 1 of the batch."""
    if same.ndim < x.ndim:
        return same
    return _reshape(same, shape=same.shape[1:], fold=1)


def _reshape_of_reshape(tensor: Tensor) -> Tensor | None:
    (x,) = tensor.args
    if x.op.name == "reshape":
        return _reshape(x.args[0], **tensor.attrs)
    if is_broadcast(x) and is_number(x.args[0]):
        one = x.args[0]
        if one.ndim > tensor.ndim:
            one = _reshape(one, shape=(), fold=1)
        return broadcast_like(one, _reshape(x.args[1], **tensor.attrs))
    return x if (x.shape, x.fold) == (tensor.shape, tensor.fold) else None


def _broadcast_to_itself(tensor: Tensor) -> Tensor | None:
    x, like = tensor.args
    if (x.shape, x.fold) == (like.shape, like.fold):
        return x
    return broadcast_like(x.args[0], like) if is_broadcast(x) else None


RULES: dict[str, tuple[Callable[[Tensor], Tensor | None], ...]] = {
    "chain": (_chain,), "chain_divide": (_chain,), "multiply": (_multiply,),
    "negative": (_negative,), "add": (_add,), "subtract": (_subtract,),
    "divide": (_divide,), "square": (_distance,), "absolute": (_distance,),
    "power": (_power,), "sum": (_of_nothing, _sum_of_broadcast),
    "mean": (_of_nothing,), "max": (_of_nothing,), "min": (_of_nothing,), "prod": (_of_nothing,),
    "reshape": (_reshape_of_reshape,), "broadcast_like": (_broadcast_to_itself,),
}  # fmt: skip
"""By the name of the operation; the first rule that answers counts."""

LOWERED: dict[str, tuple[Callable[[Tensor], Tensor | None], ...]] = {"sum": (_sum_over_rows,)}
"""For what is being lowered: sums along the batch cost a pass each."""

STABLE: dict[str, tuple[Callable[[Tensor], Tensor | None], ...]] = {
    "divide": (_softmax_by_hand,), "log": (_log,), "log1p": (_log1p,), "maximum": (_relu,),
}  # fmt: skip
"""Formulas that overflow, or that have a name; not for what is being lowered."""
