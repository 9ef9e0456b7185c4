"""Functions of ops and NumPy, operators and slices between the layers of a functional model."""

from __future__ import annotations

import json

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, config, models, ops, optimizers
from fastnn.layers import Dense
from fastnn.layers.operation import Operation
from fastnn.models import clone_model, load_model, model_from_json

X = np.random.default_rng(0).normal(size=(9, 6))
CONSTANT = np.arange(3.0)


def graph(x):
    """A bit of everything."""
    first, second = ops.split(x, 2, axis=-1)
    scaled = (x[:, :3] * 2 - 1) / (np.exp(-x[:, 3:]) + 1)
    joined = ops.concatenate([first * second, scaled, x[..., -2:]], axis=1)
    centred = joined - joined.mean(axis=-1, keepdims=True)
    h = Dense(3, activation="tanh", name="hidden")(np.maximum(centred, -0.5))
    h = ops.where(h > 0, h, 0.1 * h) + CONSTANT
    return Dense(2, name="out")(ops.reshape(ops.stack([h, h**2], axis=1), (-1, 6)))


def by_hand(model, x):
    first, second = np.split(x, 2, axis=-1)
    scaled = (x[:, :3] * 2 - 1) / (np.exp(-x[:, 3:]) + 1)
    joined = np.concatenate([first * second, scaled, x[..., -2:]], axis=1)
    centred = np.maximum(joined - joined.mean(axis=-1, keepdims=True), -0.5)
    w, b, v, c = (variable.numpy() for variable in model.weights)
    h = np.tanh(centred @ w + b)
    h = np.where(h > 0, h, 0.1 * h) + CONSTANT
    return np.stack([h, h**2], axis=1).reshape(-1, 6) @ v + c


def made(engine="c"):
    config.set_floatx("float64")
    config.set_random_seed(1)
    x = Input((6,))
    model = Model(x, graph(x))
    model.compile(optimizers.Adam(0.01), "mse", engine=engine)
    return model


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_values_and_training(engine):
    model = made(engine)
    np.testing.assert_allclose(model.predict(X, verbose=0), by_hand(model, X), rtol=1e-12)
    np.testing.assert_allclose(model(X), by_hand(model, X), rtol=1e-12)
    np.testing.assert_allclose(model(X, training=True), by_hand(model, X), rtol=1e-12)
    losses = model.fit(X, X[:, :2], epochs=30, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), by_hand(model, X), rtol=1e-12)


def test_they_are_nodes_but_no_layers(capsys):
    model = made()
    assert [layer.name for layer in model.layers] == ["input_layer", "hidden", "out"]
    functions = {n.layer.function for n in model.nodes if isinstance(n.layer, Operation)}
    assert {"ops.split", "np.exp", "ops.concatenate", "tensor.mean", "ops.get_item"} <= functions
    model.summary()
    text = capsys.readouterr().out
    assert "(GetItem)" in text and "stack (Stack)" in text and "hidden (Dense)" in text
    assert model.count_params() == (8 * 3 + 3) + (6 * 2 + 2)


def test_configurations_and_clones():
    model = made()
    copies = [
        clone_model(model),
        Model.from_config(model.get_config()),
        Model.from_config(json.loads(json.dumps(model.get_config()))),
        model_from_json(model.to_json()),
    ]
    for copy in copies:
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy.predict(X, verbose=0), model.predict(X, verbose=0))
        assert copy.get_config()["layers"] == model.get_config()["layers"]


def test_saved_and_resumed_bit_for_bit(tmp_path):
    model = made()
    model.fit(X, X[:, :2], epochs=2, batch_size=4, verbose=0, shuffle=False)
    model.save(tmp_path / "m.npz")
    again = load_model(tmp_path / "m.npz")
    for one in (model, again):
        one.fit(X, X[:, :2], epochs=4, initial_epoch=2, batch_size=4, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_file_can_name_nothing_but_known_functions(tmp_path):
    data = made().get_config()
    node = next(layer for layer in data["layers"] if layer["class_name"] == "Operation")
    for name in ("os.system", "np.load", "ops.__class__", "tensor.numpy", "eval"):
        node["config"]["function"] = name
        with pytest.raises(ValueError, match="Unknown operation"):
            Model.from_config(data)


def test_a_model_within_a_model():
    inner = made()
    x = Input((6,))
    outer = Model(x, ops.tanh(inner(x * 0.5)))
    np.testing.assert_allclose(outer(X), np.tanh(by_hand(inner, X * 0.5)), rtol=1e-12)


def test_infinite_constants_are_saved(tmp_path):
    x = Input((3,))
    model = Model(x, np.where(np.equal(x, 0), np.array([np.nan, 1.0, 2.0]), np.maximum(x, -np.inf)))
    model.save(tmp_path / "m.npz")
    found = load_model(tmp_path / "m.npz")(np.array([[1.0, 0.0, -3.0]]))
    np.testing.assert_array_equal(found, [[1, 1, -3]])


def test_what_has_no_batch_axis_says_where_to_put_it():
    x = Input((3,))
    with pytest.raises(ValueError, match="put what has none into a layer of your own, or a Lambda"):
        x - ops.mean(x, axis=0, keepdims=True)
    assert (x / np.linalg.norm(x, axis=1, keepdims=True)).shape == (None, 3)
    assert (~(x > 0) & (x < 1)).shape == (None, 3)


def test_what_cannot_be_an_argument():
    x = Input((3,))
    with pytest.raises(TypeError, match="takes tensors, numbers and arrays, got function"):
        ops.add(x, lambda: 1)
    with pytest.raises(TypeError, match="no numbers yet"):
        sum(x)
    with pytest.raises(ValueError, match="do not fit"):
        x + np.ones(4)
    with pytest.raises(AttributeError, match="has no attribute 'numpy'"):
        x.numpy()
    assert (x + 1).shape == (None, 3)


def test_automatic_names_are_free(tmp_path):
    Sequential([Input((4,)), Dense(8, "relu"), Dense(3, "softmax")]).save(tmp_path / "m.npz")
    config.clear_session()
    loaded = models.load_model(tmp_path / "m.npz")
    model = Sequential(loaded.layers[:-1])
    model.add(Dense(1, activation="sigmoid"))
    assert [layer.name for layer in model.layers] == ["dense", "dense_2"]
