"""NumPy on tensors: an expression has the shape and the value that it has on arrays."""

from __future__ import annotations

import functools
import operator
import re

import numpy as np
import pytest
from tensors import evaluate, leaf, shape_of

from fastnn import ops
from fastnn.ops import NotTraceable

ROWS = 5
RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(ROWS, 3)),
    "y": RNG.uniform(0.1, 0.9, size=(ROWS, 3)),
    "z": RNG.normal(size=(ROWS, 2, 3)),
    "v": RNG.normal(size=ROWS),
    "c": RNG.normal(size=(ROWS, 1)),
    "k": RNG.integers(0, 3, (ROWS, 1)),
}
CONSTANTS = {
    "np": np, "ops": ops, "W": RNG.normal(size=(3, 4)), "w": np.array([0.5, 1.0, 2.0]),
    "reduce": functools.reduce, "operator": operator,
}  # fmt: skip

EXPRESSIONS = """
np.abs(x)
np.absolute(x - y)
np.square(x)
np.sqrt(y)
np.exp(x)
np.expm1(x)
np.exp2(x)
np.log(y)
np.log1p(y)
np.log2(y)
np.log10(y)
np.sin(x)
np.cos(x)
np.tan(x)
np.tanh(x)
np.sinh(x)
np.cosh(x)
np.arcsinh(x)
np.arctanh(y)
np.arccosh(1 + y)
np.cbrt(x)
np.sign(x)
np.floor(x)
np.ceil(x)
np.rint(x)
np.trunc(x)
np.fix(x)
np.round(x)
np.round(x, 1)
np.around(x, 2)
np.maximum(x, y)
np.minimum(x, 0.0)
np.fmax(x, y)
np.fmin(x, 0)
np.clip(x, -1, 1)
np.clip(x, None, 0.5)
np.clip(x, a_min=0, a_max=None)
np.clip(y, 1e-7, 1 - 1e-7)
np.power(y, 2.5)
np.power(y, x)
np.float_power(y, 2)
np.reciprocal(y)
np.negative(x)
np.positive(x)
np.hypot(x, y)
np.logaddexp(x, y)
np.heaviside(x, 0.5)
np.copysign(y, x)
np.mod(x, y)
np.remainder(x, 2)
np.fmod(x, y)
np.floor_divide(x, y)
np.divmod(x, y)
np.deg2rad(x)
np.degrees(x)
np.true_divide(x, y)
np.add(x, 1)
np.subtract(1, x)
np.multiply(x, w)
np.divide(x, w)
np.equal(x, x)
np.not_equal(x, 0)
np.less(x, y)
np.greater_equal(x, y)
np.logical_and(x > 0, y > 0.5)
np.logical_or(x > 0, y > 0.5)
np.logical_xor(x > 0, y > 0.5)
np.logical_not(x > 0)
(x > 0) & (y < 0.5)
(x > 0) | (y < 0.5)
~(x > 0)
np.isnan(x)
np.isfinite(x)
np.isinf(x / 0.0)
np.isclose(x, y, atol=0.5)
np.allclose(x, x)
np.where(x > 0, x, y)
np.where(x > 0, x, 0.0)
np.where(x > 0, 1, -1)
np.select([x < -1, x < 0, x > 1], [x, x * 2, x * 3], 7.0)
np.nan_to_num(np.log(x))
np.nan_to_num(np.log(x), nan=1.0)
np.nan_to_num(x / 0.0, posinf=3.0)
np.nan_to_num(x / 0.0, posinf=3.0, neginf=-2.0)
np.sum(x)
np.sum(x, axis=-1)
np.sum(x, 1)
np.sum(x, axis=0)
np.sum(x, axis=1, keepdims=True)
np.sum(x, axis=(0, 1))
np.sum(z, axis=(1, 2))
np.sum(x, axis=-1, where=x > 0)
np.sum(x, initial=2.0)
np.mean(x)
np.mean(x, axis=-1)
np.mean(np.square(x - y), axis=-1)
np.mean(x, axis=0, keepdims=True)
np.mean(x, keepdims=True)
np.mean(x, where=x > -9)
np.mean(x, axis=1, where=y > 0.0)
np.mean(x, axis=-1, dtype=float)
np.average(x, axis=1)
np.average(x, axis=1, weights=w)
np.average(x, weights=y)
np.average(x, axis=1, weights=w, keepdims=True)
np.std(x)
np.std(x, axis=1)
np.std(x, axis=1, ddof=1)
np.var(x, axis=0)
np.var(x, ddof=1, keepdims=True)
np.max(x, axis=1)
np.min(x)
np.max(x, axis=1, initial=0.0)
np.max(x, axis=1, initial=-9.0, where=y > 0.5)
np.amax(x, axis=-1, keepdims=True)
np.amin(x, axis=0)
np.ptp(x, axis=1)
np.prod(x, axis=1)
np.prod(y)
np.any(x > 1)
np.any(x > 1, axis=1)
np.all(x > -3, axis=-1)
np.all(y > 0)
np.count_nonzero(x > 0)
np.count_nonzero(x > 0, axis=1)
np.argmax(x, axis=-1)
np.argmin(x, axis=1)
np.argmax(x, axis=-1, keepdims=True)
np.linalg.norm(x)
np.linalg.norm(x, axis=1)
np.linalg.norm(x, axis=-1, keepdims=True)
np.linalg.norm(x, ord=1, axis=1)
np.linalg.norm(x, np.inf, 1)
np.linalg.norm(x, 2, axis=1)
np.linalg.norm(v)
np.nansum(x)
np.nanmean(np.where(x > -1, x, np.nan), axis=0)
np.nanmean(np.where(x > -1, x, np.nan))
np.nanmax(np.where(x > -1, x, np.nan), axis=0)
np.nanmin(np.where(x > -1, x, np.nan))
np.nanstd(np.where(x > -1, x, np.nan))
np.nanvar(np.where(x > -1, x, np.nan), axis=0, ddof=1)
np.nanprod(x, axis=1)
np.add.reduce(x, axis=1)
np.add.reduce(x)
np.maximum.reduce(x, axis=1)
np.multiply.reduce(x, axis=1, keepdims=True)
np.logaddexp.reduce(x, axis=1)
np.add.accumulate(x, axis=1)
np.logical_or.reduce(x > 0, axis=1)
np.cumsum(x, axis=1)
np.cumsum(z, axis=-1)
np.cumsum(z, axis=1)
np.cumprod(x, axis=1)
np.diff(x, axis=1)
np.diff(x)
np.diff(z, n=2)
np.diff(z, axis=1)
np.dot(x, W)
np.dot(x, w)
np.matmul(x, W)
x @ W
x @ w
np.inner(x, w)
np.outer(v, w)
np.vdot(x, y)
np.einsum('ij,ij->i', x, y)
np.einsum('ij,jk->ik', x, W)
np.einsum('ij,ij->', x, y)
np.einsum('bij,bkj->bik', z, z)
np.einsum('ij->j', x)
np.tensordot(x, W, axes=1)
np.tensordot(z, W, axes=([2], [0]))
np.tensordot(z, W, ([2], [0]))
z @ np.swapaxes(z, 1, 2)
np.trace(z[:, :, :2], axis1=1, axis2=2)
np.tril(z)
np.triu(z, 1)
np.concatenate([x, y], axis=-1)
np.concatenate((x, y), 1)
np.concatenate([x, c], axis=1)
np.stack([x, y], axis=-1)
np.stack([x, y], axis=1)
np.hstack([x, y])
np.hstack((x, c))
np.column_stack([v, x])
np.column_stack((v, v))
np.dstack([x, y])
np.append(x, y, axis=1)
np.split(x, 3, axis=1)
np.split(x, [1], axis=-1)
np.array_split(x, 2, axis=1)
np.hsplit(x, 3)
np.reshape(x, (-1, 3, 1))
np.reshape(z, (-1, 6))
np.reshape(x, (-1,))
np.ravel(x)
np.transpose(z, (0, 2, 1))
np.swapaxes(z, 1, 2)
np.moveaxis(z, 1, 2)
np.squeeze(c)
np.squeeze(c, axis=-1)
np.squeeze(c, 1)
np.expand_dims(x, -1)
np.expand_dims(x, axis=1)
np.expand_dims(x, (1, 3))
np.repeat(x, 2, axis=1)
np.tile(x, (1, 2))
np.flip(x, axis=1)
np.flip(x, 1)
np.fliplr(x)
np.roll(x, 1, axis=1)
np.pad(x, ((0, 0), (1, 2)))
np.pad(x, ((0, 0), (1, 1)), constant_values=2.0)
np.pad(x, ((0, 0), (1, 1)), mode='constant')
np.take(x, [0, 2], axis=1)
np.take(x, 1, axis=1)
np.take_along_axis(x, k, axis=1)
np.zeros_like(x)
np.ones_like(x)
np.full_like(x, 2.5)
np.empty_like(x) * 0
np.atleast_1d(x)
np.atleast_2d(x)
np.linalg.norm(z, axis=(1, 2))
np.copy(x)
np.real(x)
-x
+x
abs(x)
x**2
x**0.5 * 0 + 1
2**x
x / y
1 / y
x // y
x % 2
7 % y
divmod(x, y)
x + 1
1 + x
x - w
w - x
w * x
W.T[0] * x
np.float64(2) * x
x > 0
x <= y
x == x
x != 0
x[:, 0]
x[:, 1:]
x[:, :-1]
x[:, -1]
x[..., 0]
x[..., None]
x[:, None, :]
x[:, ::2]
x[:, ::-1]
x[:, np.newaxis]
z[:, 0]
z[:, :, 1]
z[:, 1, :]
z[..., 1:]
x[:]
v[:, None]
v[:, None] * w
x[:, [0, 2]]
x[:, np.array([True, False, True])]
x.sum()
x.sum(axis=-1)
x.sum(1, keepdims=True)
x.mean()
x.mean(axis=-1)
x.mean(0)
x.max()
x.max(axis=1)
x.min(-1)
x.prod(axis=1)
x.std()
x.std(axis=0)
x.std(ddof=1)
x.var(1)
x.argmax(axis=-1)
x.argmax(1)
x.argmin(-1)
(x > 0).any()
(x > 0).all(axis=1)
x.reshape(-1, 3)
x.reshape((-1, 1, 3))
z.reshape(-1, 6)
x.ravel()
x.flatten()
c.squeeze()
c.squeeze(-1)
z.transpose(0, 2, 1)
z.transpose((0, 2, 1))
z.swapaxes(1, 2)
x.astype('float64')
x.astype(float)
(x > 0).astype(int)
(x * 3).astype('int32')
(x > 0).astype(bool)
x.copy()
x.clip(-1, 1)
x.clip(0)
x.clip(max=1)
x.round()
x.round(2)
x.dot(W)
x.dot(w)
x.cumsum(axis=1)
x.cumprod(1)
x.repeat(2, axis=1)
x.take([1], axis=1)
x.mean(axis=1, keepdims=True)
x.sum(axis=1, where=x > 0)
z.trace(axis1=1, axis2=2)
np.sqrt(np.mean(np.square(y - x), axis=-1))
1 - np.sum(np.square(x - y)) / np.sum(np.square(x - np.mean(x)))
np.mean(np.maximum(0.9 * (x - y), -0.1 * (x - y)), axis=-1)
-np.mean(y * np.log(y) + (1 - y) * np.log(1 - y), axis=-1)
np.exp(x) / np.sum(np.exp(x), axis=-1, keepdims=True)
np.log(np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)), axis=1))
np.sum(x * y, axis=-1) / (np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1))
np.mean(np.where(np.abs(x - y) < 1, 0.5 * (x - y) ** 2, np.abs(x - y) - 0.5))
(x - x.mean(axis=0)) / x.std(axis=0)
np.mean((v - v.mean()) * (v - v.mean()))
np.mean(x * [1.0, 2.0, 3.0], axis=1)
np.average(np.square(x - y), axis=-1, weights=[0.2, 0.3, 0.5])
np.divide(x, y, where=True)
np.sum(np.where(y > 0.5, x, 0)) / np.sum(y > 0.5)
np.einsum('bij,jk->bik', z, W)
np.einsum('bi,bi->b', x, y)
np.einsum('ij', x)
reduce(np.maximum, [x, y, -x])
x[:, [2]]
x[..., [0, 2]]
x[:, np.array([-1, 0])]
np.max(x, axis=1, keepdims=True)
np.vecdot(x, y) if hasattr(np, 'vecdot') else np.sum(x * y, axis=-1)
np.cumsum(z * np.inf, axis=1)
np.average(z, axis=1, weights=w[:2])
np.average(x, axis=0, weights=v**2)
np.count_nonzero(x > 0, axis=0)
np.signbit(x)
np.rad2deg(x)
np.radians(x)
np.conjugate(x)
np.bitwise_xor(x > 0, y > 0.5)
"""


def run(expression, names):
    return eval(expression, {**CONSTANTS, **names})


@pytest.mark.parametrize("expression", [e for e in EXPRESSIONS.splitlines() if e])
def test_expressions(expression):
    with np.errstate(all="ignore"):
        wanted = run(expression, ARRAYS)
        traced = run(expression, {name: leaf(name, *a.shape[1:]) for name, a in ARRAYS.items()})
        values = evaluate(traced, ARRAYS)
    several = isinstance(traced, (tuple, list))
    triples = zip(wanted, traced, values, strict=True) if several else [(wanted, traced, values)]
    for array, tensor, value in triples:
        assert shape_of(tensor, ROWS) == np.shape(array) == np.shape(value)
        np.testing.assert_allclose(value, np.asarray(array, float), rtol=1e-12, atol=1e-13)


def test_numbers_of_rows():
    x = leaf("x", 3)
    for rows in (ops.shape(x)[0], np.shape(x)[0], np.size(x, 0), np.size(x, axis=0)):
        assert evaluate(rows, ARRAYS) == ROWS
    assert evaluate(np.size(x), ARRAYS) == evaluate(x.size, ARRAYS) == 3 * ROWS
    assert np.shape(x)[1] == np.size(x, 1) == 3 and np.ndim(x) == x.ndim == 2
    assert evaluate(np.broadcast_to(leaf("c", 1), (ops.shape(x)[0], 3)), ARRAYS).shape == (ROWS, 3)
    assert evaluate(round(x, 1), ARRAYS)[0, 0] == np.round(ARRAYS["x"][0, 0], 1)


REFUSED = [
    ("x.shape[0] * x", r"got None: .*ops\.shape\(x\)\[0\]"),
    ("len(x)", r"ops\.shape\(x\)\[0\]"),
    ("float(x)", "a Python number"),
    ("np.float32(x)", "become an array"),
    ("np.array([x, y])", r"np\.stack\(\[x, y\], axis=-1\)"),
    ("np.mean([x, y], axis=0)", r"np\.stack\(\[x, y\], axis=-1\)"),
    ("np.maximum.reduce([x, y])", "become an array"),
    ("max(x, 0)", r"np\.maximum\(x, 0\)"),
    ("x if (x > 0).all() else y", r"np\.where\(condition, a, b\)"),
    ("sum(x)", r"np\.sum\(x, axis=\.\.\.\)"),
    ("x[x > 0]", r"np\.sum\(np\.where\(mask, x, 0\)\)"),
    ("x[:, k]", r"np\.take_along_axis"),
    ("x[:, [[0, 1]]]", r"x\[:, \[0, 2\]\]"),
    ("z[:, [0, 1], 0]", "a list and slices"),
    ("z[:, [0, 1], [0, 1]]", "one list"),
    ("x[0]", "order of its rows"),
    ("x[1:]", "order of its rows"),
    ("np.sort(x)", r"ops\.sort works on arrays only"),
    ("x.sort()", r"ops\.sort works on arrays only"),
    ("np.argsort(x, axis=1)", r"ops\.argsort works on arrays only"),
    ("np.median(x)", r"ops\.median works on arrays only"),
    ("np.arctan(x)", r"ops\.arctan works on arrays only"),
    ("np.percentile(x, 50)", r"np\.percentile is not for tensors"),
    ("np.linalg.det(z)", r"np\.linalg\.det is not for tensors"),
    ("np.corrcoef(x, y)", r"np\.corrcoef is not for tensors"),
    ("np.nonzero(x)", r"np\.nonzero is not for tensors"),
    ("x.nonzero()", r"np\.nonzero is not for tensors"),
    ("np.add.outer(x, y)", r"np\.add\.outer is not for tensors"),
    ("np.spacing(x)", r"np\.spacing is not for tensors"),
    ("np.where(x > 0)", r"where\(condition, x1, x2\)"),
    ("np.add(w, x, out=w)", r"write y = y \+ x"),
    ("operator.iadd(w, x)", r"write y = y \+ x"),
    ("np.divide(x, y, where=y > 0)", r"np\.where\(condition, a, b\)"),
    ("np.add.reduce(x, axis=1, initial=2.0)", r"np\.add\.reduce with initial"),
    ("np.mean(x, out=w)", r"np\.mean of tensors knows no out"),
    ("np.average(x, returned=True)", "knows no returned"),
    ("np.take(x, [0], axis=1, mode='clip')", "knows no mode"),
    ("np.ones_like(x, shape=(3,))", "knows no shape"),
    ("np.std(x, where=y > 0)", "knows no where"),
    ("x @ y", "rows meet each other"),
    ("x.T", "move the batch axis"),
    ("np.atleast_2d(v)", r"x\[:, None\]"),
    ("np.dstack([v, v])", "np.dstack of one axis"),
    ("np.concatenate([x, y])", "use axis=-1"),
    ("np.cumsum(x, axis=0)", "order of its rows"),
    ("np.cumsum(x)", "axis="),
    ("np.diff(x, axis=0)", "order of its rows"),
    ("np.argmax(x)", "axis="),
    ("np.einsum('ij,kj->ik', x, y)", "one letter"),
    ("np.einsum('ij->ji', x)", "the first of the result"),
    ("x + 'a'", "expected numbers"),
    ("x.tolist()", "no numbers yet"),
]


@pytest.mark.parametrize(("expression", "words"), REFUSED)
def test_what_only_numbers_can_do(expression, words):
    names = {name: leaf(name, *a.shape[1:]) for name, a in ARRAYS.items()}
    with pytest.raises(NotTraceable, match=words):
        run(expression, names)


@pytest.mark.parametrize("expression", ["x[:, [0, 3]]", "x[:, 3]", "x[:, :, 0]",
                                        "x[:, np.array([True])]"])  # fmt: skip
def test_indices_are_checked(expression):
    with pytest.raises(IndexError):
        run(expression, {"x": leaf("x", 3)})


def test_errors_name_the_line():
    def my_loss(t, p):
        return np.sort(t - p)

    with pytest.raises(NotTraceable, match=re.escape("my_loss, line ")):
        my_loss(leaf("x", 3), leaf("y", 3))


def test_unknown_attributes():
    with pytest.raises(AttributeError, match="a tensor has no attribute 'foo'"):
        leaf("x", 3).foo  # noqa: B018


def test_recording_is_fast():
    """About 15 µs where this was written; 200 on any machine that tests run on."""
    from timeit import repeat

    t, p = leaf("t", 3), leaf("p", 3)
    best = min(repeat(lambda: np.mean(np.square(t - p), axis=-1), number=200, repeat=5)) / 200
    assert best < 200e-6
