"""Course code for Keras runs unchanged after one line: ``import fastnn as keras``.

The spellings are those that courses and books of many years use; each test is a small notebook.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn as keras


@pytest.fixture(scope="module")
def digits():
    """8 x 8 images of digits, as uint8, and their labels."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    return (x_train[:600], y_train[:600]), (x_test, y_test)


@pytest.fixture(scope="module")
def houses():
    """Standardized Boston housing."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.boston_housing.load_data()
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    return (x_train - mean) / deviation, y_train, (x_test - mean) / deviation, y_test


# --- the models that the project is judged by ----------------------------------------------------


def test_image_classifier():
    """Sequential 784-300-100-10 with Flatten, added layer by layer."""
    keras.utils.set_random_seed(42)
    rng = np.random.default_rng(0)
    y_all = rng.integers(0, 10, 400)
    prototypes = rng.random((10, 28, 28))
    x_all = 0.7 * prototypes[y_all] + 0.3 * rng.random((400, 28, 28))
    x_valid, x_train = x_all[:80], x_all[80:]
    y_valid, y_train = y_all[:80], y_all[80:]

    model = keras.models.Sequential()
    model.add(keras.layers.Flatten(input_shape=[28, 28]))
    model.add(keras.layers.Dense(300, activation="relu"))
    model.add(keras.layers.Dense(100, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.summary()

    assert model.layers[1].name == "dense"
    assert model.get_layer("dense") is model.layers[1]
    weights, biases = model.layers[1].get_weights()
    assert weights.shape == (784, 300)
    assert biases.shape == (300,)
    assert (biases == 0).all()
    assert model.count_params() == 266_610

    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer="sgd",
        metrics=["accuracy"],
    )
    history = model.fit(x_train, y_train, epochs=5, validation_data=(x_valid, y_valid), verbose=0)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.params["epochs"] == 5
    assert history.epoch == [0, 1, 2, 3, 4]
    assert history.history["loss"][-1] < history.history["loss"][0]

    loss, accuracy = model.evaluate(x_valid, y_valid, verbose=0)
    assert loss == pytest.approx(history.history["val_loss"][-1], rel=1e-6)
    y_proba = model.predict(x_valid[:3], verbose=0)
    np.testing.assert_allclose(y_proba.sum(axis=1), 1, rtol=1e-6)
    y_pred = model.predict(x_valid, verbose=0).argmax(axis=-1)
    assert (y_pred == y_valid).mean() == pytest.approx(accuracy)


def test_the_same_model_as_a_list_with_functions_for_names():
    model = keras.models.Sequential([
        keras.layers.Flatten(input_shape=[28, 28]),
        keras.layers.Dense(300, activation=keras.activations.relu),
        keras.layers.Dense(100, activation="relu", kernel_initializer="he_normal"),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(
        loss=keras.losses.sparse_categorical_crossentropy,
        optimizer=keras.optimizers.SGD(),
        metrics=[keras.metrics.sparse_categorical_accuracy],
    )
    x, y = np.random.default_rng(0).random((64, 28, 28)), np.arange(64) % 10
    history = model.fit(x, y, verbose=0)
    assert set(history.history) == {"loss", "sparse_categorical_accuracy"}


def test_regression(houses):
    x_train, y_train, x_test, y_test = houses
    keras.set_random_seed(1)
    model = keras.models.Sequential([
        keras.layers.Dense(30, activation="relu", input_shape=x_train.shape[1:]),
        keras.layers.Dense(1),
    ])  # fmt: skip
    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.SGD(learning_rate=1e-3))
    history = model.fit(x_train, y_train, epochs=20, validation_split=0.1, verbose=0)
    assert history.history["val_loss"][-1] < history.history["val_loss"][0]
    mse_test = model.evaluate(x_test, y_test, verbose=0)
    assert isinstance(mse_test, float)
    assert mse_test < 60
    assert model.predict(x_test[:3], verbose=0).shape == (3, 1)


def test_wide_and_deep_with_one_input(houses):
    x_train, y_train, x_test, y_test = houses
    input_ = keras.layers.Input(shape=x_train.shape[1:])
    hidden1 = keras.layers.Dense(30, activation="relu")(input_)
    hidden2 = keras.layers.Dense(30, activation="relu")(hidden1)
    concat = keras.layers.concatenate([input_, hidden2])
    output = keras.layers.Dense(1)(concat)
    model = keras.models.Model(inputs=[input_], outputs=[output])
    model.summary()

    model.compile(loss="mean_squared_error", optimizer=keras.optimizers.SGD(learning_rate=1e-3))
    history = model.fit(x_train, y_train, epochs=5, validation_data=(x_test, y_test), verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.evaluate(x_test, y_test, verbose=0) == pytest.approx(
        history.history["val_loss"][-1]
    )
    assert model.predict(x_test[:3], verbose=0).shape == (3, 1)


def wide_and_deep(auxiliary):
    input_wide = keras.layers.Input(shape=[5], name="wide_input")
    input_deep = keras.layers.Input(shape=[10], name="deep_input")
    hidden1 = keras.layers.Dense(30, activation="relu")(input_deep)
    hidden2 = keras.layers.Dense(30, activation="relu")(hidden1)
    concat = keras.layers.concatenate([input_wide, hidden2])
    output = keras.layers.Dense(1, name="main_output")(concat)
    outputs = [output]
    if auxiliary:
        outputs.append(keras.layers.Dense(1, name="aux_output")(hidden2))
    return keras.models.Model(inputs=[input_wide, input_deep], outputs=outputs)


def test_wide_and_deep_with_two_inputs(houses):
    x_train, y_train, x_test, y_test = houses
    x_train_wide, x_train_deep = x_train[:, :5], x_train[:, 3:]
    x_test_wide, x_test_deep = x_test[:, :5], x_test[:, 3:]
    model = wide_and_deep(auxiliary=False)
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(learning_rate=1e-3))
    history = model.fit(
        (x_train_wide, x_train_deep), y_train, epochs=5,
        validation_data=((x_test_wide, x_test_deep), y_test), verbose=0,
    )  # fmt: skip
    assert history.history["val_loss"][-1] < history.history["val_loss"][0]
    assert isinstance(model.evaluate((x_test_wide, x_test_deep), y_test, verbose=0), float)
    y_pred = model.predict((x_test_wide[:3], x_test_deep[:3]), verbose=0)
    by_name = model.predict(
        {"deep_input": x_test_deep[:3], "wide_input": x_test_wide[:3]}, verbose=0
    )
    np.testing.assert_array_equal(y_pred, by_name)


def test_wide_and_deep_with_an_auxiliary_output(houses):
    x_train, y_train, x_test, y_test = houses
    x_train_wide, x_train_deep = x_train[:, :5], x_train[:, 3:]
    x_test_wide, x_test_deep = x_test[:, :5], x_test[:, 3:]
    model = wide_and_deep(auxiliary=True)
    model.compile(
        loss=["mse", "mse"], loss_weights=[0.9, 0.1],
        optimizer=keras.optimizers.SGD(learning_rate=1e-3),
    )  # fmt: skip
    history = model.fit(
        [x_train_wide, x_train_deep], [y_train, y_train], epochs=5,
        validation_data=([x_test_wide, x_test_deep], [y_test, y_test]), verbose=0,
    )  # fmt: skip
    assert list(history.history) == [
        "aux_output_loss", "loss", "main_output_loss",
        "val_aux_output_loss", "val_loss", "val_main_output_loss",
    ]  # fmt: skip
    total, main, aux = model.evaluate([x_test_wide, x_test_deep], [y_test, y_test], verbose=0)
    assert total == pytest.approx(0.9 * main + 0.1 * aux)
    y_main, y_aux = model.predict([x_test_wide[:3], x_test_deep[:3]], verbose=0)
    assert y_main.shape == y_aux.shape == (3, 1)

    by_name = {"main_output": y_train, "aux_output": y_train}
    model.compile(
        loss={"main_output": "mse", "aux_output": "mae"},
        loss_weights={"main_output": 0.9, "aux_output": 0.1},
        optimizer="sgd",
        metrics={"main_output": ["mae"]},
    )
    history = model.fit(
        {"wide_input": x_train_wide, "deep_input": x_train_deep}, by_name, verbose=0
    )
    assert "main_output_mae" in history.history


# --- old spellings -----------------------------------------------------------------------------


def test_keras_1_perceptron():
    """Dense(..., init=...), input_dim, Activation as a layer, one-hot labels."""
    from fastnn.layers import Activation, Dense
    from fastnn.models import Sequential
    from fastnn.optimizers import SGD
    from fastnn.utils import to_categorical

    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    y = to_categorical([0, 0, 0, 1], 2)
    keras.set_random_seed(3)
    model = Sequential()
    model.add(Dense(8, input_dim=2, init="uniform"))
    model.add(Activation("tanh"))
    model.add(Dense(2, init="uniform"))
    model.add(Activation("softmax"))
    model.compile(
        loss="categorical_crossentropy", optimizer=SGD(lr=0.5, momentum=0.9), metrics=["acc"]
    )
    history = model.fit(x, y, epochs=300, batch_size=4, verbose=0)
    assert set(history.history) == {"acc", "loss"}
    assert history.history["acc"][-1] == 1


def test_binary_classifier():
    (x_train, y_train), (x_test, y_test) = keras.datasets.breast_cancer.load_data()
    mean, deviation = x_train.mean(axis=0), x_train.std(axis=0)
    model = keras.Sequential()
    model.add(keras.layers.Dense(16, activation="relu", input_shape=(30,)))
    model.add(keras.layers.Dropout(0.2))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(optimizer="rmsprop", loss="binary_crossentropy", metrics=["accuracy"])
    model.fit((x_train - mean) / deviation, y_train, epochs=10, batch_size=16, verbose=0)
    _, accuracy = model.evaluate((x_test - mean) / deviation, y_test, verbose=0)
    assert accuracy > 0.9


@pytest.mark.parametrize(
    "activation",
    [
        lambda: [keras.layers.LeakyReLU(alpha=0.2)],
        lambda: [keras.layers.LeakyReLU(negative_slope=0.2)],
        lambda: [keras.layers.PReLU()],
        lambda: [keras.layers.ELU(alpha=1.0)],
        lambda: [keras.layers.Activation("selu")],
        lambda: [keras.layers.Activation(keras.activations.tanh)],
    ],
)
def test_activation_layers_between_dense_layers(activation, digits):
    (x, y), _ = digits
    keras.set_random_seed(0)
    model = keras.models.Sequential([
        keras.layers.Input(shape=x.shape[1:]),
        keras.layers.Rescaling(1 / 16),
        keras.layers.Flatten(),
        keras.layers.Dense(32, kernel_initializer="he_normal", use_bias=False),
        *activation(),
        keras.layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    adam = keras.optimizers.Adam(learning_rate=0.01)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=6, verbose=0)
    assert history.history["accuracy"][-1] > 0.9


def test_strings_and_instances_for_the_same_things():
    def trained(optimizer, loss, initializer):
        keras.set_random_seed(5)
        model = keras.Sequential([keras.layers.Dense(3, kernel_initializer=initializer)])
        model.compile(optimizer=optimizer, loss=loss)
        model.fit(np.eye(4), np.ones((4, 3)), epochs=2, verbose=0)
        return model.get_weights()[0]

    expected = trained("sgd", "mse", "he_normal")
    for optimizer in ("SGD", keras.optimizers.SGD(), keras.optimizers.SGD(0.01)):
        np.testing.assert_array_equal(trained(optimizer, "mse", "he_normal"), expected)
    for loss in ("mean_squared_error", keras.losses.MeanSquaredError(), "MSE"):
        np.testing.assert_array_equal(trained("sgd", loss, "he_normal"), expected)
    for initializer in ("HeNormal", keras.initializers.HeNormal(), keras.initializers.HeNormal):
        np.testing.assert_array_equal(trained("sgd", "mse", initializer), expected)
    scaling = keras.initializers.VarianceScaling(scale=2.0, mode="fan_in")
    np.testing.assert_array_equal(trained("sgd", "mse", scaling), expected)


# --- callbacks and files -----------------------------------------------------------------------


def small_model(houses):
    model = keras.models.Sequential([
        keras.layers.Dense(30, activation="relu", input_shape=[13]),
        keras.layers.Dense(30, activation="relu"),
        keras.layers.Dense(1),
    ])  # fmt: skip
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(learning_rate=1e-3))
    return model


def test_saving_and_loading(houses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x_train, y_train, x_test, _ = houses
    model = small_model(houses)
    model.fit(x_train, y_train, epochs=2, verbose=0)
    model.save("my_model.h5")
    loaded = keras.models.load_model("my_model.h5")
    np.testing.assert_array_equal(
        loaded.predict(x_test, verbose=0), model.predict(x_test, verbose=0)
    )
    model.save_weights("my_weights.weights.h5")
    other = small_model(houses)
    other.load_weights("my_weights.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_checkpoint_and_early_stopping(houses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x_train, y_train, x_test, y_test = houses
    keras.utils.set_random_seed(42)
    model = small_model(houses)
    checkpoint_cb = keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True)
    early_stopping_cb = keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True)

    class PrintRatio(keras.callbacks.Callback):
        ratios = []

        def on_epoch_end(self, epoch, logs):
            self.ratios.append(logs["val_loss"] / logs["loss"])

    history = model.fit(
        x_train, y_train, epochs=60, validation_data=(x_test, y_test), verbose=0,
        callbacks=[checkpoint_cb, early_stopping_cb, PrintRatio()],
    )  # fmt: skip
    assert len(PrintRatio.ratios) == len(history.epoch)
    best = keras.models.load_model("best.keras")
    assert best.evaluate(x_test, y_test, verbose=0) == pytest.approx(
        min(history.history["val_loss"]), rel=1e-6
    )


def test_custom_loss_and_training_by_batches(houses):
    x_train, y_train, _, _ = houses
    model = small_model(houses)
    losses = [model.train_on_batch(x_train[:32], y_train[:32]) for _ in range(3)]
    assert losses[-1] < losses[0]
    assert model.test_on_batch(x_train[:32], y_train[:32]) < losses[-1]
    assert model.predict_on_batch(x_train[:2]).shape == (2, 1)


def test_session_and_names():
    keras.utils.clear_session()
    first = keras.Sequential([keras.layers.Dense(1), keras.layers.Dense(1)])
    assert [first.name, *(layer.name for layer in first.layers)] == [
        "sequential", "dense", "dense_1"
    ]  # fmt: skip
    keras.backend.clear_session()
    assert keras.layers.Dense(1).name == "dense"


def test_the_perceptron_of_the_first_lesson():
    """Heaviside and sign, on arrays and as activations of a net that is not trained."""
    assert keras.activations.heaviside([-1.0, 0.0, 2.0]).tolist() == [0, 1, 1]
    assert keras.activations.sign([-1.0, 0.0, 2.0]).tolist() == [-1, 0, 1]
    model = keras.Sequential([
        keras.Input((2,)),
        keras.layers.Dense(2, activation="heaviside"),
        keras.layers.Dense(1, activation="heaviside"),
    ])  # fmt: skip
    model.set_weights([[[1, 1], [1, 1]], [-0.5, -1.5], [[1], [-1]], [-0.5]])  # exclusive or
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    assert model.predict(x, verbose=0).ravel().tolist() == [0, 1, 1, 0]
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'greater_equal'.*has derivative 0"):
        model.fit(x, np.array([0, 1, 1, 0]), verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_activation_of_ones_own(houses):
    x_train, y_train, _, _ = houses

    def my_softplus(z):
        return np.log1p(np.exp(z))

    my_softplus.derivative = lambda z: 1 / (1 + np.exp(-z))

    def trained(activation):
        keras.set_random_seed(2)
        model = keras.Sequential([
            keras.layers.Dense(8, activation=activation, input_shape=(13,)),
            keras.layers.Dense(1),
        ])  # fmt: skip
        model.compile("sgd", "mse")
        model.fit(x_train, y_train, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_allclose(trained(my_softplus), trained("softplus"), rtol=1e-4, atol=1e-6)


def test_a_notebook_as_a_script(tmp_path):
    """A whole file with nothing changed but its import."""
    code = """
import fastnn as keras
from fastnn.models import Sequential
from fastnn.layers import Dense, Flatten
from fastnn.datasets import digits
(x_train, y_train), (x_test, y_test) = digits.load_data()
model = Sequential()
model.add(Flatten(input_shape=x_train.shape[1:]))
model.add(Dense(20, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(x_train / 16.0, y_train, epochs=2, validation_split=0.1)
model.evaluate(x_test / 16.0, y_test)
"""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        env={**os.environ, "PYTHONPATH": str(Path(keras.__file__).parents[1])},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert "Epoch 2/2" in run.stdout
    assert "val_accuracy" in run.stdout
