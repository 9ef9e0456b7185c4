"""The public kernels against the NumPy twins: every size, type and instruction set."""

import numpy as np
import pytest

from fastnn import _core, kernels, losses
from fastnn.numpy_engine import activations as twin
from fastnn.operations import FROM_INPUT

SIZES = (1, 5, 6, 7, 15, 16, 17, 33, 100)
TYPES = ("float32", "float64")


def tolerance(dtype, k=1):
    return {"rtol": 2e-5 if dtype == "float32" else 1e-12, "atol": np.finfo(dtype).eps * 8 * k}


def arrays(rng, dtype, *shapes):
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", TYPES)
def test_dense_on_awkward_sizes(isa, dtype):
    rng = np.random.default_rng(0)
    for b in SIZES:
        for i in (1, 3, 16, 33, 300):
            for o in (1, 5, 16, 17, 50, 97):
                x, w, bias = arrays(rng, dtype, (b, i), (i, o), (o,))
                out = np.full((b, o), np.nan, dtype)
                y = kernels.dense(x, w, bias, "tanh", out=out)
                assert y is out
                np.testing.assert_allclose(y, np.tanh(x @ w + bias), **tolerance(dtype, i))


@pytest.mark.parametrize("dtype", TYPES)
def test_dense_gradient_on_awkward_sizes(isa, dtype):
    rng = np.random.default_rng(1)
    for b in (1, 6, 17, 70, 300):
        for i in (1, 3, 16, 33, 130):
            for o in (1, 5, 16, 50):
                x, w, dy, y = arrays(rng, dtype, (b, i), (i, o), (b, o), (b, o))
                out = tuple(np.full(shape, np.nan, dtype) for shape in (x.shape, w.shape, (o,)))
                got = kernels.dense_gradient(dy, x, w, y=y, activation="tanh", out=out)
                assert all(a is b for a, b in zip(got, out, strict=True))
                dx, dw, db = got
                dz = dy * (1 - y * y)
                np.testing.assert_allclose(dx, dz @ w.T, **tolerance(dtype, 20 * o))
                np.testing.assert_allclose(dw, x.T @ dz, **tolerance(dtype, 20 * b))
                np.testing.assert_allclose(db, dz.sum(0), **tolerance(dtype, 20 * b))


def sparse(rng, array, density):
    return np.where(rng.random(array.shape) < density, array, 0).astype(array.dtype)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_products_larger_than_every_block(isa, density):
    """Packing, several blocks of rows, columns and depth, and short last ones."""
    rng = np.random.default_rng(2)
    b, i, o = (201, 521, 531) if isa != "portable" else (101, 261, 101)
    x, w, dy = arrays(rng, "float64", (b, i), (i, o), (b, o))
    x, dy = sparse(rng, x, density), sparse(rng, dy, density)
    np.testing.assert_allclose(kernels.dense(x, w), x @ w, rtol=1e-12, atol=1e-12)
    dx, dw, _ = kernels.dense_gradient(dy, x, w)
    np.testing.assert_allclose(dx, dy @ w.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(dw, x.T @ dy, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("name", _core.ACTIVATIONS)
def test_activations(isa, name, dtype):
    rng = np.random.default_rng(3)
    slope = kernels.SLOPES.get(name, 0.0)
    for n in SIZES:
        x = (4 * rng.standard_normal((3, n))).astype(dtype)
        y = kernels.activation(x, name, out=np.full_like(x, np.nan))
        exact = twin.ACTIVATIONS[name](x.astype("float64"), slope)
        np.testing.assert_allclose(y, exact, **tolerance(dtype))
        dy = rng.standard_normal(x.shape).astype(dtype)
        dx = kernels.activation_gradient(dy, x, y, name)
        exact = twin.BACKWARD[name](
            dy.astype("float64"), x.astype("float64"), y.astype("float64"), slope
        )
        np.testing.assert_allclose(dx, exact, **tolerance(dtype, 10))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("kind", _core.CROSSENTROPIES)
def test_crossentropies(isa, kind, dtype):
    rng = np.random.default_rng(4)
    for n in SIZES:
        x = rng.uniform(-4, 4, (7, n)).astype(dtype)
        labels = rng.integers(0, n, 7)
        t = rng.integers(0, 2, (7, n)) if kind == "binary" else np.eye(n)[labels]
        exact = x.astype("float64")
        if kind == "binary":
            p, share = twin.sigmoid(exact), 1 / n
            expected = losses.binary_crossentropy(t.astype("float64"), exact, from_logits=True)
        else:
            p, share = twin.softmax(exact), 1
            expected = losses.categorical_crossentropy(t, exact, from_logits=True)
        given = labels if kind == "sparse_categorical" else t
        values = kernels.crossentropy(kind, given, x)
        np.testing.assert_allclose(values, expected, **tolerance(dtype, 20))
        same, gradient = kernels.crossentropy_gradient(kind, given, x, scale=1.0)
        assert same.tobytes() == values.tobytes()
        np.testing.assert_allclose(gradient, share * (p - t), **tolerance(dtype, 50))
        mean = kernels.crossentropy_gradient(kind, given, x)[1]
        np.testing.assert_allclose(mean, gradient / 7, **tolerance(dtype))


def test_labels_that_name_no_class(isa):
    values, gradient = kernels.crossentropy_gradient(
        "sparse_categorical", [-1, 2, 1], np.zeros((3, 2)), scale=1.0
    )
    np.testing.assert_allclose(values, [0, np.nan, np.log(2)])
    np.testing.assert_allclose(gradient, [[0, 0], [np.nan, np.nan], [0.5, -0.5]])


def test_the_same_bits_on_every_instruction_set_and_thread_count():
    rng = np.random.default_rng(5)
    x, w, bias, dy = arrays(rng, "float32", (70, 300), (300, 97), (97,), (70, 97))
    logits = (10 * rng.standard_normal((70, 33))).astype("float32")
    labels = rng.integers(0, 33, 70)
    results = set()
    before = _core.isa()
    for isa in _core.isas():
        _core.set_isa(isa)
        for threads in (1, 2, 3, 8):
            _core.set_num_threads(threads)
            made = [kernels.dense(x, w, bias, name) for name in _core.ACTIVATIONS]
            made += kernels.dense_gradient(dy, x, w)
            made += [
                kernels.activation_gradient(dy, x[:, :97], made[k], name)
                for k, name in enumerate(_core.ACTIVATIONS)
            ]
            made += kernels.crossentropy_gradient("sparse_categorical", labels, logits)
            results.add(b"".join(a.tobytes() for a in made))
    _core.set_num_threads(0)
    _core.set_isa(before)
    assert len(results) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(700, 600, 1024), (400, 512, 1024), (400, 64, 5120)])
def test_threads_share_packed_blocks(shape, dtype):
    """Rows whole pages apart; several blocks of columns or steps, halves, uneven shares."""
    m, k, n = shape
    x, w, dy = arrays(np.random.default_rng(8), dtype, (m, k), (k, n), (m, n))
    results = set()
    for threads in (1, 2, 3):
        _core.set_num_threads(threads)
        made = [kernels.dense(x, w), *kernels.dense_gradient(dy, x, w)]
        results.add(b"".join(a.tobytes() for a in made))
    _core.set_num_threads(0)
    assert len(results) == 1
    for got, (a, b) in zip(made, [(x, w), (dy, w.T), (x.T, dy)], strict=False):
        expected = a.astype("float64") @ b
        close = 64 * np.finfo(dtype).eps * np.abs(expected).max()  # of sums of up to 5120 products
        np.testing.assert_allclose(got, expected, rtol=0, atol=close)


@pytest.mark.parametrize("density", [1.0, 0.2])
def test_a_batch_split_does_not_change_a_bit(density):
    rng = np.random.default_rng(6)
    x, w = arrays(rng, "float32", (301, 300), (300, 97))
    x = sparse(rng, x, density)
    whole = kernels.dense(x, w)
    parts = [kernels.dense(x[i : i + 7], w) for i in range(0, 301, 7)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_operands_of_other_types_orders_and_ranks():
    x = np.arange(24).reshape(2, 3, 4)
    w = np.asfortranarray(np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(kernels.dense(x, w), x @ w)
    assert kernels.dense(x, w).dtype == np.float64
    assert kernels.dense(x, w.astype("float32")).dtype == np.float32
    assert kernels.dense(np.zeros((0, 4)), w).shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernels.dense(np.ones((2, 3)), np.ones((4, 2))), "expected x features 4, got 3"),
        (lambda: kernels.dense(np.ones((2, 3)), np.ones(3)), "kernel of shape"),
        (lambda: kernels.dense(np.ones((2, 3)), np.ones((3, 2)), np.ones(3)), "bias shape"),
        (lambda: kernels.dense(np.ones((2, 3)), np.ones((3, 2)), activation="rely"), "'rely'"),
        (lambda: kernels.activation(np.ones(3), "relu", out=np.ones(4)), "expected out"),
        (
            lambda: kernels.dense_gradient(
                np.ones((2, 3)),
                np.ones((2, 3)),
                np.ones((3, 3)),
                out=(np.ones((2, 3)), np.ones((3, 3)), np.ones(4)),
            ),
            r"expected out to be C-contiguous, of shape \(3,\)",
        ),
        (lambda: kernels.activation_gradient(np.ones(3), np.ones(3), None, "relu"), "from y"),
        (lambda: kernels.crossentropy("mse", 1, 1), "expected a kind of .*, got 'mse'"),
        (lambda: kernels.crossentropy_gradient("binary", [[1.0, 2.0]], [[1.0]]), "y_true of shape"),
        (lambda: kernels.crossentropy("sparse_categorical", [1, 0], [[1.0]]), "labels of shape"),
    ],
)
def test_errors_name_what_was_expected(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_activation_says_what_its_derivative_needs():
    dy = np.ones((1, 2), np.float32)
    for name in _core.ACTIVATIONS:
        x, y = (dy, None) if name in FROM_INPUT else (None, dy)
        assert kernels.activation_gradient(dy, x, y, name).shape == (1, 2)


def test_rows_without_features_leave_the_bias():
    kernel, bias = np.zeros((0, 3), np.float32), np.float32([1, -2, 3])
    for shape in ((0,), (2, 0), (2, 5, 0)):
        y = kernels.dense(np.zeros(shape, np.float32), kernel, bias, "relu")
        np.testing.assert_array_equal(y, np.broadcast_to([1, 0, 3], (*shape[:-1], 3)))


def test_operands_that_are_not_aligned_are_copied():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    bytes_ = np.zeros(x.nbytes + 1, np.uint8)
    odd = bytes_[1:].view(np.float32).reshape(x.shape)
    odd[...] = x
    np.testing.assert_array_equal(kernels.dense(odd, np.eye(4, dtype=np.float32)), x)
    with pytest.raises(ValueError, match="not aligned"):
        kernels.activation(x, "relu", out=odd)


def test_dense_does_not_write_over_its_operands():
    x = np.ones((4, 4), np.float32)
    with pytest.raises(ValueError, match="shares memory"):
        kernels.dense(x, np.eye(4, dtype=np.float32), out=x)
    w, b, dy = np.eye(4, dtype=np.float32), np.empty(4, np.float32), np.ones_like(x)
    one = np.empty_like(w)
    for out in ((x, one, b), (dy, one, b), (np.empty_like(x), w, b), (one, one, b),
                (np.empty_like(x), one, one[0])):  # fmt: skip
        with pytest.raises(ValueError, match="shares memory"):
            kernels.dense_gradient(dy, x, w, out=out)
    assert kernels.dense_gradient(dy, x, w)[0].tobytes() == dy.tobytes()


@pytest.mark.parametrize("name", ["relu", "softmax"])
def test_activation_writes_over_x_itself_but_not_over_a_part_of_it(name):
    base = np.linspace(-1, 1, 101 * 7, dtype=np.float32).reshape(101, 7)
    x = base[:-1]
    expected = kernels.activation(x.copy(), name)
    for out in (base[1:], base.ravel()[1:701].reshape(100, 7)):
        with pytest.raises(ValueError, match=r"overlaps a part of x.*pass x itself"):
            kernels.activation(x, name, out=out)
    assert kernels.activation(x, name, out=base[:-1]).tobytes() == expected.tobytes()


def test_out_that_is_no_array():
    for call in (lambda out: kernels.activation([1.0, 2.0], "relu", out=out),
                 lambda out: kernels.dense([1.0, 2.0], np.eye(2), out=out)):  # fmt: skip
        with pytest.raises(TypeError, match=r"got list: make it with np\.empty\(\(2"):
            call([0.0, 0.0])
    with pytest.raises(TypeError, match=r"expected out to be \(dx, dkernel, dbias\), got ndarray"):
        kernels.dense_gradient([[1.0]], [[1.0]], [[1.0]], out=np.ones(3))


@pytest.mark.parametrize("other", TYPES)
def test_lists_take_the_type_of_the_arrays_beside_them(other):
    w = np.eye(2, dtype=other)
    assert kernels.dense([[1, 2]], w).dtype == other
    assert kernels.dense([[1, 2]], w, [1, 2]).dtype == other
    assert {g.dtype.name for g in kernels.dense_gradient([[1, 2]], [[1, 2]], w)} == {other}
    assert kernels.activation_gradient([[1, 2]], None, w[:1], "tanh").dtype == other
    y = w[:1]
    assert {a.dtype.name for a in kernels.crossentropy_gradient("binary", [[1, 2]], y)} == {other}


def test_lists_alone_are_float32():
    assert kernels.dense([[1, 2]], [[1], [2]]).dtype == np.float32
    assert kernels.activation([1, 2], "relu").dtype == np.float32
    assert kernels.crossentropy("binary", [[1.0]], [[2.0]]).dtype == np.float32
