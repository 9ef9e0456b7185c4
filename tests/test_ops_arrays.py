"""`fastnn.ops` on arrays: Keras's names, types and values."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest
from keras_ops import NAMES
from tensors import evaluate, leaf

from fastnn import config, ops
from fastnn.ops import NotTraceable
from fastnn.variable import Variable

F = np.array([[0.5, -1.5, 2.0], [3.0, 0.25, -0.75]], np.float32)
U = np.array([[0.1, 0.5, 0.9], [0.3, 0.7, 0.2]], np.float32)
I = np.array([[1, 2, 3], [4, 0, 6]], np.int32)  # noqa: E741
B = np.array([[True, False, True], [False, False, True]])
D = F.astype(np.float64)


def same(found, wanted, dtype):
    assert np.asarray(found).dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype != "float64" else 1e-14)
    assert np.shape(found) == np.shape(wanted)


# --- names ------------------------------------------------------------------------------------


def test_every_name_of_keras_is_there():
    assert set(NAMES) <= set(ops.__all__)
    for name in NAMES:
        assert getattr(ops, name).__doc__, name
    assert {name for name in vars(ops) if name in NAMES} == set(NAMES)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("append", "(x1, x2, axis=None)"),
        ("arange", "(start, stop=None, step=None, dtype=None)"),
        ("bincount", "(x, weights=None, minlength=0, sparse=False)"),
        ("cumsum", "(x, axis=None, dtype=None)"),
        ("diff", "(a, n=1, axis=-1)"),
        ("eye", "(N, M=None, k=0, dtype=None)"),
        ("full", "(shape, fill_value, dtype=None)"),
        ("identity", "(n, dtype=None)"),
        ("in_top_k", "(targets, predictions, k)"),
        ("linspace",
         "(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0)"),
        ("median", "(x, axis=None, keepdims=False)"),
        ("multi_hot", "(inputs, num_classes=None, axis=-1, dtype=None, sparse=False, **kwargs)"),
        ("quantile", "(x, q, axis=None, method='linear', keepdims=False)"),
        ("searchsorted", "(sorted_sequence, values, side='left')"),
        ("select", "(condlist, choicelist, default=0)"),
        ("top_k", "(x, k, sorted=True)"),
        ("trace", "(x, offset=0, axis1=0, axis2=1)"),
        ("tril", "(x, k=0)"),
    ],
)  # fmt: skip
def test_signatures_of_keras(name, signature):
    parameters = inspect.signature(getattr(ops, name)).parameters.values()
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    assert str(inspect.Signature(plain)) == signature


# --- types: those of Keras 3.15 ------------------------------------------------------------------


@pytest.mark.parametrize("name", [
    "exp", "log", "sqrt", "sin", "tanh", "log2", "log1p", "expm1", "floor", "ceil", "reciprocal",
    "arctan", "erf", "softplus", "softmax", "mean", "std", "var", "logsumexp", "norm", "median",
    "elu", "gelu", "silu", "softsign", "normalize", "relu6", "sparsemax", "rsqrt",
])  # fmt: skip
def test_functions_of_whole_numbers_give_floats(name):
    function = getattr(ops, name)
    with np.errstate(all="ignore"):
        assert function(I).dtype == function(F).dtype == np.float32
        assert function(D).dtype == np.float64
        if name != "softplus":
            assert function(B).dtype == np.float32
        assert function([1, 2]).dtype == function([1.0, 2.0]).dtype == np.float32
        config.set_floatx("float64")
        assert function(I).dtype == np.float64 and function(F).dtype == np.float32


@pytest.mark.parametrize("name", [
    "abs", "sum", "prod", "max", "min", "square", "round", "sort", "cumsum", "cumprod",
    "trunc", "relu", "copy", "array", "convert_to_tensor", "ravel", "diff", "trace", "tril", "triu",
])  # fmt: skip
def test_whole_numbers_stay_whole(name):
    function = getattr(ops, name)
    assert function(I).dtype == np.int32
    assert function(I.astype(np.int64)).dtype == np.int64
    assert function(F).dtype == np.float32
    if name not in ("trace", "tril", "triu"):
        assert function([3, 1, 2]).dtype == np.int32
        assert function([1.0, 2.0]).dtype == np.float32


@pytest.mark.parametrize("name", ["argmax", "argmin", "argsort", "count_nonzero"])
def test_places_and_counts_are_int32(name):
    for x in (F, I, D, [1.0, 2.0]):
        assert getattr(ops, name)(x).dtype == np.int32


@pytest.mark.parametrize("name", [
    "equal", "less", "greater_equal", "logical_and", "logical_xor", "isclose",
])  # fmt: skip
def test_comparisons_are_truth_values(name):
    assert getattr(ops, name)(F, I).dtype == bool
    assert ops.isnan(F).dtype == ops.any(F, axis=0).dtype == ops.logical_not(I).dtype == bool


@pytest.mark.parametrize(("a", "b", "dtype"), [
    (F, F, "float32"), (I, F, "float32"), (B, F, "float32"), (F, 2, "float32"), (2.0, I, "float32"),
    (F, 2.5, "float32"), (D, F, "float64"), (D, I, "float64"), (I, I, "int32"), (I, 2, "int32"),
    (B, I, "int32"), (B, 2, "int32"), ([1, 2, 3], I, "int32"), ([1.0, 2.0, 3.0], I, "float32"),
    (2, 3, "int32"), (2, 3.0, "float32"), (I.astype(np.int64), I, "int64"),
])  # fmt: skip
def test_arithmetic(a, b, dtype):
    for name in ("add", "multiply", "subtract", "maximum", "power", "mod", "floor_divide"):
        with np.errstate(all="ignore"):
            assert getattr(ops, name)(a, b).dtype == dtype, name
    with np.errstate(all="ignore"):
        assert ops.divide(a, b).dtype == (dtype if dtype.startswith("float") else "float32")
    assert ops.where(B, a, b).dtype == dtype


def test_truth_values_count_as_numbers():
    same(ops.sum(B), 3, "int32")
    same(ops.square(B), B, "int32")
    same(ops.exp(B), np.exp(B.astype(float)), "float32")  # not in NumPy's float16
    same(ops.mean(B), 0.5, "float32")
    same(ops.cumsum(B, axis=0), np.cumsum(B, axis=0), "int32")
    same(ops.logaddexp(B, B), np.logaddexp(B.astype(float), B), "float32")


def test_large_sums_of_whole_numbers_are_not_cut_off():
    large = np.full(3, 2**31 - 1, np.int32)
    assert ops.sum(large) == 3 * (2**31 - 1)
    assert ops.convert_to_tensor([2**40]).dtype == np.int64


def test_standardize_dtype():
    names = [ops.standardize_dtype(d) for d in (None, int, float, "int", bool, np.int8, "float16")]
    assert names == ["float32", "int32", "float32", "int32", "bool", "int8", "float16"]
    with pytest.raises(ValueError, match=r"expected the name of a number type, .* got 'floot'"):
        ops.standardize_dtype("floot")
    assert ops.dtype(F) == ops.dtype(2.0) == "float32" and ops.dtype([1]) == "int32"
    assert ops.dtype(leaf("x", 3)) == "float64"


# --- making -----------------------------------------------------------------------------------


def test_making():
    same(ops.zeros((2, 3)), np.zeros((2, 3)), "float32")
    same(ops.ones(3, "int32"), np.ones(3), "int32")
    same(ops.full((2,), 3), [3, 3], "float32")
    same(ops.full((2, 2), [1, 2], "int32"), [[1, 2], [1, 2]], "int32")
    same(ops.empty([2, 1]), np.zeros((2, 1)), "float32")
    same(ops.eye(2, 3, 1), np.eye(2, 3, 1), "float32")
    same(ops.identity(3, "int32"), np.eye(3), "int32")
    config.set_floatx("float64")
    assert ops.zeros(()).dtype == ops.eye(2).dtype == np.float64


def test_ranges():
    same(ops.arange(5), range(5), "int32")
    same(ops.arange(1, 7, 2), [1, 3, 5], "int32")
    same(ops.arange(1.0, 3.0), [1, 2], "float32")
    same(ops.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], "float32")
    same(ops.arange(3, dtype="float64"), [0, 1, 2], "float64")
    same(ops.arange(np.float64(2)), [0, 1], "float64")
    same(ops.linspace(0, 1, 5), np.linspace(0, 1, 5), "float32")
    same(ops.linspace(0.0, 1.0, 4, endpoint=False), [0, 0.25, 0.5, 0.75], "float32")
    same(ops.linspace(0, 4, 3, dtype="int32"), [0, 2, 4], "int32")
    same(ops.linspace([0, 1], [2, 3], 3, axis=1), [[0, 1, 2], [1, 2, 3]], "float32")
    y, step = ops.linspace(0, 1, 3, retstep=True)
    same(y, [0, 0.5, 1], "float32")
    same(step, 0.5, "float32")


def test_copies():
    variable = Variable(np.arange(3.0), name="v")
    for function in (ops.array, ops.copy, ops.convert_to_numpy):
        y = function(F)
        assert y is not F and not np.shares_memory(y, F) and y.dtype == F.dtype
        same(function(variable), [0, 1, 2], "float32")
        assert not np.shares_memory(function(variable), variable.value)
    same(ops.array([1, 2], "float64"), [1, 2], "float64")
    assert ops.is_tensor(F) and ops.is_tensor(leaf("x")) and not ops.is_tensor([1.0])
    x = leaf("x", 3)
    assert ops.copy(x) is ops.array(x) is x


def test_casting_within_the_range():
    same(ops.saturate_cast(F * 1000, "uint8"), [[255, 0, 255], [255, 250, 0]], "uint8")
    big = np.array([3e9, -3e9, np.inf, 2147483520], np.float32)
    same(ops.saturate_cast(big, "int32"), [2**31 - 1, -(2**31), 2**31 - 1, 2147483520], "int32")
    same(ops.saturate_cast([1e30, -1e30], "int64"), [2**63 - 1, -(2**63)], "int64")
    same(ops.saturate_cast([300, -300], "int8"), [127, -128], "int8")
    same(ops.saturate_cast(I, "float32"), I, "float32")
    same(ops.saturate_cast(np.array([1e9, -np.inf]), "float16"), [65504, -65504], "float16")
    x = np.array([[300.7, -5.0], [2.9, 0.1]])
    traced = ops.saturate_cast(leaf("x", 2), "uint8")
    same(evaluate(traced, {"x": x}), [[255, 0], [2, 0]], "float64")
    assert ops.saturate_cast(leaf("x", 2), "float32").op.name == "input"


# --- matrices ---------------------------------------------------------------------------------


def test_diagonals_and_triangles():
    same(ops.diag(F), np.diag(F), "float32")
    same(ops.diag(np.array([1, 2], np.int32), 1), np.diag([1, 2], 1), "int32")
    same(ops.tril(F, -1), np.tril(F, -1), "float32")
    same(ops.triu(I), np.triu(I), "int32")
    assert ops.tril(B).dtype == bool
    same(ops.trace(I), 1, "int32")
    cube = np.arange(24.0).reshape(2, 3, 4)
    same(ops.trace(cube, 1, 1, 2), np.trace(cube, 1, 1, 2), "float64")


def test_of_tensors():
    cube = np.arange(24.0).reshape(2, 3, 4)
    cube[:, 0, 2] = np.nan  # above the diagonal: not to be touched by what does not take it
    z = leaf("z", 3, 4)
    for k in (-1, 0, 2):
        for name in ("tril", "triu"):
            traced = getattr(ops, name)(z, k)
            assert traced.shape == (None, 3, 4)
            same(evaluate(traced, {"z": cube}), getattr(np, name)(cube, k), "float64")
    for offset, axes in ((0, (1, 2)), (1, (2, 1)), (-1, (-2, -1))):
        traced = ops.trace(z, offset, *axes)
        assert traced.shape == (None,)
        same(evaluate(traced, {"z": cube}), np.trace(cube, offset, *axes), "float64")
    with pytest.raises(NotTraceable, match=r"tril: no matrices in \(None, 4\)"):
        ops.tril(leaf("z", 4))
    with pytest.raises(NotTraceable, match="trace along the batch"):
        ops.trace(z)


# --- along an axis ----------------------------------------------------------------------------


def test_running_sums_and_products():
    same(ops.cumsum(F), np.cumsum(F), "float32")
    same(ops.cumsum(F, axis=1), np.cumsum(F, axis=1), "float32")
    same(ops.cumprod(I, axis=0), np.cumprod(I, axis=0), "int32")
    same(ops.cumsum(F, dtype="int32"), [0, -1, 1, 4, 4, 4], "int32")
    same(ops.cumprod([2, 3], dtype="float64"), [2, 6], "float64")


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9])
def test_running_sums_of_tensors(length, rng):
    x = rng.normal(size=(3, 2, length))
    x[0, 0, length // 2] = np.nan
    x[1, 1, -1] = np.inf  # a product with zeros would spread it to the front
    for function, wanted in ((ops.cumsum, np.cumsum), (ops.cumprod, np.cumprod)):
        y = function(leaf("x", 2, length), axis=-1)
        same(evaluate(y, {"x": x}), wanted(x, axis=-1), "float64")
        y = function(leaf("x", length, 2), axis=1)
        swapped = np.swapaxes(x, 1, 2)
        same(evaluate(y, {"x": swapped}), wanted(swapped, axis=1), "float64")


def test_differences():
    same(ops.diff(F), np.diff(F), "float32")
    same(ops.diff(I, n=2), np.diff(I, 2), "int32")
    same(ops.diff([1, 4, 9]), [3, 5], "int32")
    x = np.arange(24.0).reshape(2, 3, 4) ** 2
    for n, axis in ((1, -1), (2, -1), (1, 1), (2, 1)):
        y = ops.diff(leaf("x", 3, 4), n, axis)
        assert y.shape[1:] == np.diff(x, n, axis).shape[1:]
        same(evaluate(y, {"x": x}), np.diff(x, n, axis), "float64")


def test_sorting():
    same(ops.sort(F), np.sort(F), "float32")
    same(ops.sort(F, axis=0), np.sort(F, axis=0), "float32")
    same(ops.argsort(F), np.argsort(F), "int32")
    same(ops.argsort([2, 1, 2, 1]), [1, 3, 0, 2], "int32")  # stable
    same(ops.argsort(F, axis=None), np.argsort(F, axis=None), "int32")


def test_top_k():
    values, places = ops.top_k(F, 2)
    same(values, [[2, 0.5], [3, 0.25]], "float32")
    same(places, [[2, 0], [0, 1]], "int32")
    values, places = ops.top_k([1, 3, 3, 2, 3], 3)
    same(values, [3, 3, 3], "int32")
    same(places, [1, 2, 4], "int32")  # of equal ones the first
    with pytest.raises(ValueError, match="expected k from 0 to 3, the last length, got 4"):
        ops.top_k(F, 4)


def test_in_top_k():
    p = np.array([[0.1, 0.1, 0.5], [0.2, 0.2, 0.2], [np.nan, 0.3, 0.1], [0.7, 0.2, 0.1]])
    t = np.array([0, 1, 0, 0])
    for k, wanted in ((1, [0, 1, 0, 1]), (2, [1, 1, 0, 1]), (3, [1, 1, 1, 1])):
        same(ops.in_top_k(t, p, k), np.array(wanted, bool), "bool")
        traced = ops.in_top_k(leaf("t"), leaf("p", 3), k)
        assert traced.shape == (None,)
        same(evaluate(traced, {"t": t.astype(float), "p": p}), wanted, "float64")


def test_quantiles():
    same(ops.median(F), 0.375, "float32")
    same(ops.median(I, axis=1), [2, 4], "float32")
    same(ops.median(D, axis=[0, 1], keepdims=True), [[0.375]], "float64")
    same(ops.quantile(F, 0.3), np.quantile(F, 0.3), "float32")
    same(ops.quantile(F, [0.1, 0.5], axis=1), np.quantile(F, [0.1, 0.5], axis=1), "float32")
    same(ops.quantile(F, 0.4, method="nearest"), np.quantile(F, 0.4, method="nearest"), "float32")
    same(ops.quantile(I, 0.5, axis=0, keepdims=True), [[2.5, 1.0, 4.5]], "float32")


def test_append():
    same(ops.append(F, I), np.append(F, I), "float32")
    same(ops.append(I, 2), np.append(I, 2), "int32")
    same(ops.append(F, I, axis=0), np.append(F, I, axis=0), "float32")


def test_sparsemax():
    """Of the paper; Keras 3.15 gives rows whose sum is not 1, [0, 0, 0.25] for the first of U."""
    same(ops.sparsemax(U), [[0, 0.3, 0.7], [7 / 30, 19 / 30, 4 / 30]], "float32")
    same(ops.sparsemax(F), [[0, 0, 1], [1, 0, 0]], "float32")
    same(ops.sparsemax(F.T, axis=0), ops.sparsemax(F).T, "float32")
    x = np.random.default_rng(1).normal(size=(50, 9))
    y = ops.sparsemax(x)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-14)
    assert (y >= 0).all() and (y == 0).any()
    shifts = np.where(y > 0, x - y, np.nan)  # in the support, y is x less one number a row
    np.testing.assert_allclose(np.nanmax(shifts, -1), np.nanmin(shifts, -1), atol=1e-12)


# --- counting and looking up ------------------------------------------------------------------


def test_bincount():
    x = np.array([0, 1, 1, 3])
    same(ops.bincount(x), [1, 2, 0, 1], "int32")
    same(ops.bincount(x, minlength=6), [1, 2, 0, 1, 0, 0], "int32")
    same(ops.bincount([0, 1], weights=np.array([0.5, 2.0], np.float32)), [0.5, 2], "float32")
    same(ops.bincount([[0, 1], [1, 3]]), [[1, 1, 0, 0], [0, 1, 0, 1]], "int32")
    same(ops.bincount([[0, 1]], weights=np.array([[0.5, 2.0]])), [[0.5, 2]], "float64")


def test_searchsorted():
    sequence = np.array([1.0, 2.0, 3.0])
    same(ops.searchsorted(sequence, [0.5, 2, 9]), [0, 1, 3], "int32")
    same(ops.searchsorted(sequence, [[0.5, 2, 9]], side="right"), [[0, 2, 3]], "int32")
    with pytest.raises(ValueError, match=r"a sequence of one axis, got \(2, 3\)"):
        ops.searchsorted(F, 1.0)


def test_select():
    same(ops.select([F > 1, F < 0], [F, -F], 9.0),
         np.select([F > 1, F < 0], [F, -F], 9.0), "float32")  # fmt: skip
    same(ops.select([F > 1, F < 0], [I, I]), np.select([F > 1, F < 0], [I, I]), "int32")
    same(ops.select([F > 1], [1.0], -1.0), np.where(F > 1, 1, -1), "float32")
    x = leaf("x", 3)
    same(evaluate(ops.select([x > 1, x < 0], [x, -x], 9.0), {"x": D}),
         np.select([D > 1, D < 0], [D, -D], 9.0), "float64")  # fmt: skip
    with pytest.raises(ValueError, match="as many choices as conditions, got 1 and 2"):
        ops.select([F > 1, F < 0], [F])


def test_multi_hot():
    labels = np.array([[0, 2], [1, 1]])
    same(ops.multi_hot(labels, 3), [[1, 0, 1], [0, 1, 0]], "float32")
    same(ops.multi_hot([0, 2], 4, dtype="int32"), [1, 0, 1, 0], "int32")
    same(ops.multi_hot(labels, num_tokens=3), [[1, 0, 1], [0, 1, 0]], "float32")
    traced = ops.multi_hot(leaf("t", 2), 3)
    assert traced.shape == (None, 3)
    same(evaluate(traced, {"t": labels.astype(float)}), [[1, 0, 1], [0, 1, 0]], "float64")
    with pytest.raises(TypeError, match="expected num_classes"):
        ops.multi_hot(labels)


# --- functions --------------------------------------------------------------------------------


def test_angles():
    same(ops.arcsin(U), np.arcsin(U), "float32")
    same(ops.arccos(D / 4), np.arccos(D / 4), "float64")
    same(ops.arctan(I), np.arctan(I), "float32")
    same(ops.arctan2(F, I), np.arctan2(F, I), "float32")
    same(ops.arctan2(1.0, -1.0), 3 * math.pi / 4, "float32")


# Of SciPy 1.17; sqrt(pi) / 2 x near 0
INVERSES = [
    (1e-300, 8.86226925452758e-301), (1e-10, 8.862269254527581e-11), (0.1, 0.08885599049425769),
    (0.5, 0.4769362762044699), (-0.9, -1.1630871536766743), (0.999, 2.326753765513524),
    (1 - 2**-20, 3.465505025803331), (1 - 2**-53, 5.8635847487551676),
]  # fmt: skip


def test_inverse_of_erf():
    x, wanted = np.array(INVERSES).T
    np.testing.assert_allclose(ops.erfinv(x), wanted, rtol=1e-15)
    x = np.linspace(-0.999999, 0.999999, 1000)
    np.testing.assert_allclose(ops.erf(ops.erfinv(x)), x, rtol=1e-15)
    same(ops.erfinv(np.float32(0.5)), 0.4769362762044699, "float32")
    same(ops.erfinv([0, 1]), [0, np.inf], "float32")
    same(ops.erfinv(np.array([-1, 2, np.nan, 0.0])), [-np.inf, np.nan, np.nan, 0], "float64")
    assert np.signbit(ops.erfinv(-0.0))


# --- what tensors cannot do -------------------------------------------------------------------

x = leaf("x", 3)
ON_ARRAYS = {
    "arange": (3, x), "arccos": (x,), "arcsin": (x,), "arctan": (x,), "arctan2": (x, 1.0),
    "argsort": (x,), "bincount": (x,), "diag": (x,), "erfinv": (x,), "eye": (x,),
    "linspace": (0, x), "median": (x,), "quantile": (x, 0.5), "searchsorted": ([1.0], x),
    "sort": (x,), "sparsemax": (x,), "top_k": (x, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ON_ARRAYS)
def test_what_works_on_arrays_only(name):
    with pytest.raises(NotTraceable, match=rf"ops\.{name} works on arrays only"):
        getattr(ops, name)(*ON_ARRAYS[name])


@pytest.mark.parametrize(("name", "value"), [("zeros", 0), ("ones", 1), ("empty", 0)])
def test_as_many_rows_as_the_batch(name, value):
    made = getattr(ops, name)((ops.shape(x)[0], 3))
    assert made.shape == ops.full((ops.shape(x)[0], 3), 2.0).shape == (None, 3)
    assert made.args[0].attrs["value"] == value
    with pytest.raises(NotTraceable, match=rf"ops\.{name} of as many rows .* ops\.ones_like"):
        getattr(ops, name)((3, ops.shape(x)[0]))


def test_other_refusals():
    with pytest.raises(NotTraceable, match=r"ops\.full of a tensor"):
        ops.full((2,), x)
    with pytest.raises(NotTraceable, match="no numbers yet"):
        ops.convert_to_numpy(x)
    with pytest.raises(NotTraceable, match="cumsum along the batch"):
        ops.cumsum(x, axis=0)
    with pytest.raises(NotTraceable, match="concatenate along the batch"):
        ops.append(x, x)
