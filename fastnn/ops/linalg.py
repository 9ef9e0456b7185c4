"""Products: of matrices within each sample, and what can be written as one."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn.ops import elementwise as e
from fastnn.ops import reductions as r
from fastnn.ops import shapes
from fastnn.ops.operation import as_array, as_tensor, of_floatx, recorded
from fastnn.ops.tensor import NotTraceable, Shape, Tensor, where


def _multiplied(a: Tensor, b: Tensor) -> tuple[Shape, int]:
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2] or (b.batched and b.ndim < 3):
        rows = a.batched and b.batched
        raise (NotTraceable if rows else ValueError)(
            f"{where()}matmul: shapes {a.shape} and {b.shape} do not fit each other"
            + (": a product over the batch would let rows meet each other; within each sample "
               "both need three axes, as (n, a, b) @ (n, b, c)" if rows else "")
        )  # fmt: skip
    if b.batched:
        if not a.batched or a.shape[:-2] != b.shape[:-2] or a.fold != b.fold:
            raise ValueError(
                f"{where()}matmul: shapes {a.shape} and {b.shape} differ in their first axes"
            )
    elif b.ndim > 2:
        raise ValueError(f"{where()}matmul: a matrix has two axes, got {b.shape}")
    return (*a.shape[:-1], b.shape[-1]), a.fold


def _matmul_gradient(g: Tensor, y: Tensor, a: Tensor, b: Tensor) -> tuple[Any, Any]:
    if b.batched:  # where a sample's gradient is zero, it stays so, whatever the sample holds
        there = r.max(e.not_equal(g, 0.0), axis=(-2, -1), keepdims=True)
        a, b = e.where(there, a, 0.0), e.where(there, b, 0.0)
        return (
            _matmul(g, shapes.swapaxes(b, -1, -2)),
            _matmul(shapes.swapaxes(a, -1, -2), g),
        )
    da = _matmul(g, shapes.swapaxes(b, -1, -2))
    if b.op.name == "constant":
        return da, None
    # of one matrix for all samples: the sum over the rows of all outer products
    outer = e.chain(shapes.expand_dims(g, -2), shapes.expand_dims(a, -1))
    return da, r.sum(outer, axis=tuple(range(a.ndim - 1)))


@recorded(_multiplied, _matmul_gradient)
def _matmul(a: Any, b: Any) -> Any:
    return np.matmul(a, b)


def _tensors(*xs: Any) -> list[Tensor]:
    dtype = next(x.dtype for x in xs if isinstance(x, Tensor))
    return [as_tensor(x, dtype) for x in xs]


def matmul(x1: Any, x2: Any) -> Any:
    """Return the product of matrices: (n, a) @ (a, b), or of each sample (n, a, b) @ (n, b, c)."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        a, b = as_array(x1), as_array(x2)
        return of_floatx(np.matmul(a, b), a, b)
    a, b = _tensors(x1, x2)
    if b.batched and not a.batched and a.ndim == 2 and b.ndim == 3:  # a b = (b' a')'
        turned = _matmul(shapes.swapaxes(b, -1, -2), shapes.transpose(a))
        return shapes.swapaxes(turned, -1, -2)
    if b.ndim == 1 and not b.batched:  # a vector
        return shapes.squeeze(_matmul(a, shapes.expand_dims(b, -1)), -1)
    return _matmul(a, b)


def dot(x1: Any, x2: Any) -> Any:
    """Return the product over the last axis of x1 and the last but one of x2."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        a, b = as_array(x1), as_array(x2)
        return of_floatx(np.dot(a, b), a, b)
    a, b = _tensors(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return e.multiply(a, b)
    if a.ndim == b.ndim == 1:
        return r.sum(e.multiply(a, b))
    return matmul(a, b)


def vdot(x1: Any, x2: Any) -> Any:
    """Return the sum of all products of elements."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        return of_floatx(np.vdot(as_array(x1), as_array(x2)), x1, x2)
    return r.sum(e.multiply(x1, x2))


def outer(x1: Any, x2: Any) -> Any:
    """Return all products of an element of x1 and one of x2."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        return of_floatx(np.outer(as_array(x1), as_array(x2)), x1, x2)
    a, b = _tensors(x1, x2)
    if b.batched:
        raise NotTraceable(f"{where()}outer with a batch would let rows meet each other")
    return e.multiply(shapes.expand_dims(a, -1), shapes.ravel(b))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """Return the product over the named axes."""
    if not isinstance(x1, Tensor) and not isinstance(x2, Tensor):
        return of_floatx(np.tensordot(as_array(x1), as_array(x2), axes), x1, x2)
    a, b = _tensors(x1, x2)
    if isinstance(axes, int):
        left, right = list(range(a.ndim - axes, a.ndim)), list(range(axes))
    else:
        left, right = ([k] if isinstance(k, int) else list(k) for k in axes)
    letters = "abcdefghijklmnopqrstuvwxyz"
    first = letters[: a.ndim]
    second = list(letters[a.ndim : a.ndim + b.ndim])
    for i, j in zip(left, right, strict=True):
        second[j % b.ndim] = first[i % a.ndim]
    result = [c for k, c in enumerate(first) if k not in [i % a.ndim for i in left]]
    result += [c for k, c in enumerate(second) if k not in [j % b.ndim for j in right]]
    return einsum(f"{first},{''.join(second)}->{''.join(result)}", a, b)


def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> Any:
    """Return a sum of products written as ``"ij,jk->ik"``.

    On tensors the batch's letter comes first wherever it stands, and no letter twice in one place.
    """
    if not any(isinstance(x, Tensor) for x in operands):
        arrays = [as_array(x) for x in operands]
        return of_floatx(np.einsum(subscripts, *arrays), *arrays)
    tensors = _tensors(*operands)
    words = subscripts.replace(" ", "")
    left, _, out = words.partition("->")
    terms = left.split(",")
    if "." in words or len(terms) != len(tensors) or any(len(set(t)) < len(t) for t in terms):
        raise NotTraceable(f"{where()}einsum of tensors: cannot read {subscripts!r}")
    if "->" not in words:
        joined = "".join(terms)
        out = "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    batch = {term[0] for term, x in zip(terms, tensors, strict=True) if x.batched}
    if len(batch) > 1 or (batch and not batch.isdisjoint(out[1:])):
        raise NotTraceable(
            f"{where()}einsum {subscripts!r}: the first axis of tensors is the batch: give it one "
            "letter, the first of the result too"
        )
    if len(terms) == 2 and _is_product(terms[0], terms[1], out) and not tensors[1].batched:
        return _matmul(*tensors)
    order = "".join(dict.fromkeys("".join([*batch, out, *terms])))
    product = None
    for term, x in zip(terms, tensors, strict=True):
        here = [c for c in order if c in term]
        y = shapes.transpose(x, [term.index(c) for c in here])
        missing = [k for k, c in enumerate(order) if c not in term]
        y = shapes.expand_dims(y, missing) if missing else y
        product = y if product is None else e.multiply(product, y)
    summed = tuple(k for k, c in enumerate(order) if c not in out)
    return r.sum(product, axis=summed) if summed else product


def _is_product(first: str, second: str, out: str) -> bool:
    """Whether subscripts are those of a matrix product: ``...j,jk->...k``."""
    return (
        len(first) > 1 and len(second) == 2 and first[-1] == second[0]
        and out == first[:-1] + second[1] and second[1] not in first
    )  # fmt: skip
