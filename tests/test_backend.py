"""`fastnn.backend`: the functions of old Keras, on arrays and on tensors."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from tensors import evaluate, leaf, shape_of

from fastnn import Input, config, ops
from fastnn import backend as K
from fastnn.ops import NotTraceable
from fastnn.variable import Variable

ROWS = 4
RNG = np.random.default_rng(0)
ARRAYS = {
    "x": RNG.normal(size=(ROWS, 3)), "p": RNG.uniform(0.1, 0.9, size=(ROWS, 3)),
    "t": np.eye(3)[[0, 2, 1, 1]], "z": RNG.normal(size=(ROWS, 2, 3)), "v": RNG.normal(size=ROWS),
    "labels": np.array([0.0, 2.0, 1.0, 1.0]),
}  # fmt: skip
ROOT2 = np.sqrt(2)


def run(expression, names):
    return eval(expression, {"K": K, "np": np, **names})


BOTH = [
    # what it is, what it should be in NumPy
    ("K.abs(x)", "np.abs(x)"),
    ("K.all(x > -9, axis=1)", "np.all(x > -9, axis=1)"),
    ("K.any(K.greater(x, 1))", "np.any(x > 1)"),
    ("K.argmax(x)", "np.argmax(x, -1)"),
    ("K.argmin(x)", "np.argmin(x, -1)"),
    ("K.batch_dot(x, p)", "np.sum(x * p, 1, keepdims=True)"),
    ("K.batch_dot(x, p, axes=1)", "np.sum(x * p, 1, keepdims=True)"),
    ("K.batch_dot(z, z, axes=2)", "z @ np.swapaxes(z, 1, 2)"),
    ("K.batch_dot(z, z, axes=(1, 1))", "np.swapaxes(z, 1, 2) @ z"),
    ("K.batch_dot(z, x)", "np.einsum('nij,nj->ni', z, x)"),
    ("K.batch_dot(x, z, axes=(1, 2))", "np.einsum('nj,nij->ni', x, z)"),
    ("K.batch_dot(z, K.permute_dimensions(z, (0, 2, 1)))", "z @ np.swapaxes(z, 1, 2)"),
    ("K.batch_flatten(z)", "np.reshape(z, (4, 6))"),
    ("K.batch_normalization(x, np.ones(3), np.full(3, 3.0), 2 * np.ones(3), np.ones(3), -1, 1.0)",
     "(x - 1) / 2 + 2"),
    ("K.batch_normalization(x, K.mean(x, 0, True), K.var(x, 0, True), 0.5 * np.ones(3), "
     "np.ones(3), epsilon=0.1)",
     "(x - x.mean(0)) / np.sqrt(x.var(0) + 0.1) + 0.5"),
    ("K.binary_crossentropy(t, p)", "-t * np.log(p) - (1 - t) * np.log(1 - p)"),
    ("K.binary_crossentropy(t, x, from_logits=True)", "np.log1p(np.exp(x)) - t * x"),
    ("K.cast(x > 0, 'float32')", "x > 0"),
    ("K.cast(3 * x, 'int32')", "np.trunc(3 * x)"),
    ("K.cast_to_floatx(x > 0)", "x > 0"),
    ("K.categorical_crossentropy(t, p)", "-np.log(np.sum(t * p, 1) / np.sum(p, 1))"),
    ("K.sparse_categorical_crossentropy(labels, p)", "-np.log(np.sum(t * p, 1) / np.sum(p, 1))"),
    ("K.sparse_categorical_crossentropy(labels, p, ignore_class=1)",
     "np.where(labels == 1, 0, -np.log(np.sum(t * p, 1) / np.sum(p, 1)))"),
    ("K.clip(x, -1, 1)", "np.clip(x, -1, 1)"),
    ("K.clip(x, None, 0.5)", "np.minimum(x, 0.5)"),
    ("K.clip(x, min_value=0.0, max_value=None)", "np.maximum(x, 0)"),
    ("K.concatenate([x, p])", "np.concatenate([x, p], -1)"),
    ("K.cos(x)", "np.cos(x)"),
    ("K.cumsum(x, axis=1)", "np.cumsum(x, 1)"),
    ("K.cumprod(x, axis=-1)", "np.cumprod(x, 1)"),
    ("K.dot(x, np.ones((3, 2)))", "x @ np.ones((3, 2))"),
    ("K.elu(x, 2.0)", "np.where(x > 0, x, 2 * np.expm1(x))"),
    ("K.equal(x, x)", "x == x"),
    ("K.exp(x)", "np.exp(x)"),
    ("K.expand_dims(x)", "x[..., None]"),
    ("K.expand_dims(x, 1)", "x[:, None]"),
    ("K.flatten(x)", "np.ravel(x)"),
    ("K.gather(np.array([5.0, 6.0, 7.0]), labels)", "labels + 5"),
    ("K.greater_equal(x, 0)", "x >= 0"),
    ("K.hard_sigmoid(x)", "np.clip(0.2 * x + 0.5, 0, 1)"),
    ("K.in_top_k(p, labels, 2)", "np.sum(p > np.sum(t * p, 1, keepdims=True), 1) < 2"),
    ("K.l2_normalize(x, axis=-1)", "x / np.linalg.norm(x, axis=-1, keepdims=True)"),
    ("K.l2_normalize(x)", "x / np.linalg.norm(x)"),
    ("K.less(x, 0)", "x < 0"),
    ("K.less_equal(x, 0)", "x <= 0"),
    ("K.log(p)", "np.log(p)"),
    ("K.logsumexp(x, axis=1)", "np.log(np.sum(np.exp(x), 1))"),
    ("K.max(x, axis=1, keepdims=True)", "np.max(x, 1, keepdims=True)"),
    ("K.maximum(x, p)", "np.maximum(x, p)"),
    ("K.mean(x)", "np.mean(x)"),
    ("K.mean(K.square(x - p), axis=-1)", "np.mean((x - p) ** 2, -1)"),
    ("K.min(x)", "np.min(x)"),
    ("K.minimum(x, 0.1)", "np.minimum(x, 0.1)"),
    ("K.not_equal(x, 0)", "x != 0"),
    ("K.one_hot(labels, 3)", "t"),
    ("K.ones_like(x)", "np.ones_like(x)"),
    ("K.zeros_like(x)", "np.zeros_like(x)"),
    ("K.permute_dimensions(z, (0, 2, 1))", "np.transpose(z, (0, 2, 1))"),
    ("K.pow(x, 2)", "x**2"),
    ("K.prod(x, axis=1)", "np.prod(x, 1)"),
    ("K.relu(x)", "np.maximum(x, 0)"),
    ("K.relu(x, alpha=0.1)", "np.where(x > 0, x, 0.1 * x)"),
    ("K.relu(x, max_value=0.5)", "np.clip(x, 0, 0.5)"),
    ("K.relu(x, alpha=0.1, max_value=1.0, threshold=0.2)",
     "np.where(x > 0.2, np.minimum(x, 1), 0.1 * (x - 0.2))"),
    ("K.repeat(x, 2)", "np.stack([x, x], 1)"),
    ("K.repeat_elements(x, 2, axis=1)", "np.repeat(x, 2, 1)"),
    ("K.reshape(z, (-1, 6))", "np.reshape(z, (-1, 6))"),
    ("K.reverse(x, axes=1)", "x[:, ::-1]"),
    ("K.reverse(z, axes=[1, 2])", "z[:, ::-1, ::-1]"),
    ("K.round(K.clip(p, 0, 1))", "np.round(p)"),
    ("K.sigmoid(x)", "1 / (1 + np.exp(-x))"),
    ("K.sign(x)", "np.sign(x)"),
    ("K.sin(x)", "np.sin(x)"),
    ("K.softmax(x)", "np.exp(x) / np.sum(np.exp(x), -1, keepdims=True)"),
    ("K.softplus(x)", "np.log1p(np.exp(x))"),
    ("K.softsign(x)", "x / (1 + np.abs(x))"),
    ("K.sqrt(p)", "np.sqrt(p)"),
    ("K.squeeze(K.expand_dims(x), -1)", "x"),
    ("K.stack([x, p], axis=1)", "np.stack([x, p], 1)"),
    ("K.std(x, axis=0)", "np.std(x, 0)"),
    ("K.stop_gradient(x)", "x"),
    ("K.sum(x, axis=-1)", "np.sum(x, -1)"),
    ("K.switch(x > 0, x, p)", "np.where(x > 0, x, p)"),
    ("K.switch(K.greater(v, 0), x, 0 * x)", "np.where(v[:, None] > 0, x, 0)"),
    ("K.switch(K.mean(x) > 0, lambda: x, lambda: -x)", "np.where(np.mean(x) > 0, x, -x)"),
    ("K.tanh(x)", "np.tanh(x)"),
    ("K.tile(x, (1, 2))", "np.tile(x, (1, 2))"),
    ("K.var(x)", "np.var(x)"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "wanted"), BOTH)
def test_on_arrays_and_tensors(expression, wanted):
    wanted = np.asarray(run(wanted, ARRAYS), float)
    found = run(expression, ARRAYS)
    assert np.shape(found) == wanted.shape
    np.testing.assert_allclose(np.asarray(found, float), wanted, rtol=1e-6, atol=1e-7)
    tensors = {name: leaf(name, *a.shape[1:]) for name, a in ARRAYS.items()}
    traced = run(expression, tensors)
    assert shape_of(traced, ROWS) == wanted.shape
    np.testing.assert_allclose(evaluate(traced, ARRAYS), wanted, rtol=1e-6, atol=1e-7)


def test_names_of_ops_are_the_same_functions():
    for name in ("abs", "mean", "sum", "square", "log", "maximum", "equal", "std", "reshape"):
        assert getattr(K, name) is getattr(ops, name)


def test_shapes():
    x = leaf("x", 3)
    assert K.int_shape(x) == (None, 3) and K.int_shape([[1, 2]]) == (1, 2)
    assert K.int_shape(Input((5,))) == (None, 5)
    assert K.ndim(x) == K.ndim(Input((5,))) == 2 and K.ndim(2.0) == 0
    assert K.shape(np.ones((2, 3))) == (2, 3) and K.shape(x)[1] == 3
    assert K.count_params(np.ones((2, 3))) == 6
    assert K.dtype(np.ones(2, np.int8)) == "int8" and K.dtype(x) == "float64"
    assert K.is_keras_tensor(x) and K.is_keras_tensor(Input((5,)))
    assert not K.is_keras_tensor(np.ones(3))
    with pytest.raises(ValueError, match=r"expected two axes, got shape \(2,\)"):
        K.repeat(np.ones(2), 2)
    with pytest.raises(ValueError, match="axis 0 counts samples"):
        K.batch_dot(np.ones((2, 3)), np.ones((2, 3)), axes=0)
    with pytest.raises(ValueError, match="two or three axes"):
        K.batch_dot(np.ones(3), np.ones(3))


def test_making():
    assert K.arange(5).dtype == np.int32 and list(K.arange(1, 7, 2)) == [1, 3, 5]
    assert K.arange(2, dtype="float32").dtype == np.float32
    assert (K.eye(3) == np.eye(3)).all() and K.eye(3).dtype == np.float32
    assert K.zeros((2,)).tolist() == [0, 0] and K.ones((2,), "int32").dtype == np.int32
    constant = K.constant([1, 2, 3])
    assert constant.dtype == np.float32 and constant.tolist() == [1, 2, 3]
    assert K.constant(2, shape=(2, 2)).tolist() == [[2, 2], [2, 2]]
    assert K.constant([1, 2, 3, 4], "int32", (2, 2)).tolist() == [[1, 2], [3, 4]]
    assert K.constant(1.5, shape=2).tolist() == [1.5, 1.5]


def test_random_numbers():
    assert K.random_normal((2000,), 5.0, 0.1, seed=1).mean() == pytest.approx(5, abs=0.01)
    assert K.random_uniform((2000,), 2, 3, seed=1).min() >= 2
    assert np.abs(K.truncated_normal((2000,), seed=1)).max() <= 2
    assert set(K.random_bernoulli((100,), 0.5, seed=1)) == {0.0, 1.0}
    assert set(K.dropout(np.ones(100), 0.5, seed=1)) == {0.0, 2.0}
    with pytest.raises(NotTraceable, match="draws numbers for arrays"):
        K.random_normal(K.shape(leaf("x", 3)))


def test_variables():
    v = K.variable([1, 2], name="v")
    assert isinstance(v, Variable) and v.name == "v" and v.dtype == "float32"
    assert K.get_value(v).tolist() == K.eval(v).tolist() == [1, 2]
    K.set_value(v, [3, 4])
    assert K.update(v, v + 1) is v and K.get_value(v).tolist() == [4, 5]
    K.update_add(v, [1, 1])
    K.update_sub(v, [2, 0])
    assert v.numpy().tolist() == [3, 6] and K.sum(v) == 9
    assert K.variable(2, dtype="float64").shape == () and K.count_params(v) == 2
    with pytest.raises(NotTraceable, match="become an array"):
        K.update_add(v, leaf("x"))
    with pytest.raises(NotTraceable, match="no numbers yet"):
        K.eval(leaf("x"))


def test_print_tensor(capsys):
    x = leaf("x", 3)
    assert K.print_tensor(x, "x =") is x
    assert "shape=(None, 3)" in capsys.readouterr().out
    K.print_tensor(np.array([1.5]), "y =")
    assert capsys.readouterr().out == "y = [1.5]\n"


def test_settings():
    assert K.backend() == "numpy" and K.floatx() == "float32" and K.epsilon() == 1e-7
    assert K.image_data_format() == "channels_last"
    K.set_image_data_format("channels_first")
    assert K.image_data_format() == config.image_data_format() == "channels_first"
    K.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="expected 'channels_last' or 'channels_first'"):
        K.set_image_data_format("channels")
    assert [K.get_uid("a"), K.get_uid("a"), K.get_uid("b")] == [1, 2, 1]
    K.clear_session()
    assert K.get_uid("a") == 1


@pytest.mark.parametrize(
    ("types", "wanted"),
    [
        ((), "float32"),
        (("int32", "float32"), "float32"),
        (("int64", "float32"), "float32"),
        ((int, "int8"), "int8"),
        ((float, "int32"), "float32"),
        ((float, "float16"), "float16"),
        (("bool", "int8"), "int8"),
        (("uint8", "int8"), "int16"),
        (("uint64", "int64"), "float32"),
        (("float16", "float32"), "float32"),
        (("float64", "int8"), "float64"),
        ((int, float), "float32"),
        (("bool", int), "int32"),
        (("bool",), "bool"),
    ],
)
def test_result_types_of_keras(types, wanted):
    assert K.result_type(*types) == wanted


def test_kinds_of_types():
    assert K.is_float_dtype("float16") and not K.is_float_dtype("int32")
    assert K.is_int_dtype("uint8") and not K.is_int_dtype("bool") and K.is_int_dtype(int)
    assert K.standardize_dtype(float) == "float32"


def test_importing_it_loads_no_engine():
    code = (
        "import sys, fastnn.backend, fastnn.random;"
        "print(*sorted(m for m in sys.modules if m.startswith('fastnn')))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[1] for name in run.stdout.split() if "." in name}
    assert loaded <= {"_version", "backend", "config", "lookup", "missing", "ops", "random",
                      "variable"}  # fmt: skip
