"""Models in files: what is saved comes back to the bit, and nothing else is believed."""

import itertools
import json
import os
import zipfile

import numpy as np
import pytest

import fastnn as keras
from fastnn import callbacks, layers, losses, metrics, optimizers, saving
from fastnn.saving import FileFormatError, Store, write_store

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(70, 4)).astype(np.float32)
Y = RANDOM.integers(3, size=70)


def classifier(**compiled):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input(shape=(4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(0.3),
            layers.PReLU(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    defaults = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy",
                "metrics": ["accuracy"]}  # fmt: skip
    model.compile(**{**defaults, **compiled})
    return model


def wide_and_deep():
    """Two inputs, two outputs, a shared layer, and a model within the model."""
    keras.utils.set_random_seed(2)
    a, b = keras.Input(shape=(4,), name="a"), keras.Input(shape=(2,), name="b")
    shared = layers.Dense(4, activation="tanh", name="shared")
    inner = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(5), layers.LeakyReLU()])
    deep = inner(shared(shared(a)))
    both = layers.Concatenate()([deep, b])
    model = keras.Model(
        inputs=[a, b],
        outputs=[layers.Dense(1, name="value")(both),
                 layers.Dense(3, activation="softmax", name="kind")(deep)],
    )  # fmt: skip
    model.compile(
        optimizer=optimizers.RMSprop(learning_rate=0.01, momentum=0.5),
        loss={"value": losses.Huber(delta=0.5), "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 0.3, "kind": 1.0},
        metrics={"value": ["mae"], "kind": ["accuracy"]},
        weighted_metrics=[[], [metrics.SparseCategoricalAccuracy(name="weighted")]],
    )
    return model


def bits(model):
    return [weight.tobytes() for weight in model.get_weights()]


def alter(path, change):
    """Let `change` alter the manifest and the arrays of a saved model."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    with Store(path) as store:
        arrays = {name: store.read(name) for name in store.datasets}
    change(manifest["groups"], arrays)
    write_store(path, arrays, manifest["groups"])


# --- resumed training -------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["c", "numpy"])
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: "sgd",
        lambda: optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        lambda: optimizers.RMSprop(0.002, momentum=0.3, centered=True),
        lambda: optimizers.Adam(0.01, amsgrad=True),
        lambda: optimizers.AdamW(optimizers.schedules.ExponentialDecay(0.01, 3, 0.9)),
    ],
    ids=["sgd", "nesterov", "rmsprop", "amsgrad", "adamw-schedule"],
)
def test_training_resumed_from_a_file_goes_on_bit_for_bit(optimizer, engine, tmp_path):
    straight = classifier(optimizer=optimizer(), engine=engine)
    straight.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    straight.save(tmp_path / "model.npz")
    straight.fit(X, Y, batch_size=16, epochs=2, verbose=0)

    resumed = keras.models.load_model(tmp_path / "model.npz")
    assert resumed.optimizer.iterations == 10
    resumed.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    assert bits(resumed) == bits(straight)
    assert resumed.evaluate(X, Y, verbose=0) == straight.evaluate(X, Y, verbose=0)
    assert resumed.optimizer.iterations == 20


def test_a_model_of_many_parts_comes_back(tmp_path):
    model = wide_and_deep()
    x = [X, X[:, :2]]
    y = {"value": X[:, 0], "kind": Y}
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for mine, its in zip(model.predict(x, verbose=0), loaded.predict(x, verbose=0), strict=True):
        assert mine.tobytes() == its.tobytes()
    weights = np.linspace(0.1, 2, 70)
    for each in (model, loaded):
        each.fit(x, y, epochs=2, verbose=0, sample_weight=[weights, weights])
    assert bits(model) == bits(loaded)
    assert model.history.history == loaded.history.history
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


def test_learning_rates_changed_by_hand_are_kept(tmp_path):
    model = classifier()
    model.optimizer.learning_rate = 0.0123
    model.save(tmp_path / "a.npz")
    assert keras.models.load_model(tmp_path / "a.npz").optimizer.learning_rate == 0.0123


def test_frozen_layers_stay_frozen(tmp_path):
    model = classifier()
    model.layers[0].trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "a.npz")
    loaded = keras.models.load_model(tmp_path / "a.npz")
    before = loaded.layers[0].get_weights()[0]
    loaded.fit(X, Y, verbose=0)
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(loaded.layers[0].get_weights()[0], before)
    assert bits(loaded) == bits(model)


def test_models_that_were_not_trained_compiled_or_built(tmp_path):
    model = classifier()
    model.save(tmp_path / "untrained.npz")
    loaded = keras.models.load_model(tmp_path / "untrained.npz")
    for each in (model, loaded):
        each.fit(X, Y, verbose=0)
    assert bits(loaded) == bits(model)

    plain = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(2)])
    plain.save(tmp_path / "uncompiled.npz")
    loaded = keras.models.load_model(tmp_path / "uncompiled.npz")
    assert not loaded.compiled and bits(loaded) == bits(plain)

    unbuilt = keras.Sequential([layers.Dense(2, name="late")])
    unbuilt.save(tmp_path / "unbuilt.npz")
    loaded = keras.models.load_model(tmp_path / "unbuilt.npz")
    assert not loaded.built and loaded.layers[0].name == "late"
    with pytest.raises(ValueError, match="has no weights yet"):
        unbuilt.save_weights(tmp_path / "w.npz")


def test_saving_without_and_loading_without_the_training(tmp_path):
    model = classifier()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "small.npz", include_optimizer=False)
    with np.load(tmp_path / "small.npz") as file:
        assert not [name for name in file.files if name.startswith("optimizer")]
    assert not keras.models.load_model(tmp_path / "small.npz").compiled
    model.save(tmp_path / "full.npz")
    loaded = keras.models.load_model(tmp_path / "full.npz", compile=False)
    assert not loaded.compiled and bits(loaded) == bits(model)


def test_loading_draws_no_random_numbers(tmp_path):
    classifier().save(tmp_path / "a.npz")
    keras.utils.set_random_seed(5)
    keras.models.load_model(tmp_path / "a.npz")
    after = layers.Dense(3)
    after.build((None, 2))
    keras.utils.set_random_seed(5)
    fresh = layers.Dense(3)
    fresh.build((None, 2))
    np.testing.assert_array_equal(after.get_weights()[0], fresh.get_weights()[0])


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.npz", "m.keras", "m.h5", "m", "m.weights.h5"])
def test_the_name_is_used_as_it_is(name, tmp_path):
    model = classifier()
    model.save(tmp_path / name)
    assert os.listdir(tmp_path) == [name]
    assert bits(keras.models.load_model(str(tmp_path / name))) == bits(model)


def test_numpy_reads_the_weights(tmp_path):
    model = classifier()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.npz")
    first = model.layers[0]
    with np.load(tmp_path / "m.npz") as file:
        np.testing.assert_array_equal(file[f"layers/{first.name}/kernel"], first.get_weights()[0])
        assert file[f"optimizer/m/layers/{first.name}/bias"].shape == (8,)
    with Store(tmp_path / "m.npz") as store:
        assert store[f"layers/{first.name}"].attrs == {"class_name": "Dense"}
        assert store["optimizer"].attrs == {"iterations": 3}


def test_overwrite(tmp_path):
    model = classifier()
    model.save(tmp_path / "m.npz")
    before = (tmp_path / "m.npz").read_bytes()
    model.fit(X, Y, verbose=0)
    for save in (model.save, model.save_weights):
        with pytest.raises(FileExistsError, match="overwrite=True"):
            save(tmp_path / "m.npz", overwrite=False)
    assert (tmp_path / "m.npz").read_bytes() == before
    model.save(tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_bytes() != before


def test_a_failed_save_leaves_the_old_file(tmp_path):
    model = classifier()
    model.save(tmp_path / "m.npz")
    before = (tmp_path / "m.npz").read_bytes()
    model.compile(optimizers.SGD(lambda step: 0.1), "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="compile/optimizer/config/learning_rate"):
        model.save(tmp_path / "m.npz")
    assert (tmp_path / "m.npz").read_bytes() == before and os.listdir(tmp_path) == ["m.npz"]


def test_checkpoints_can_be_loaded(tmp_path):
    model = classifier()
    path = str(tmp_path / "epoch-{epoch}.npz")
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[callbacks.ModelCheckpoint(path)])
    resumed = keras.models.load_model(tmp_path / "epoch-2.npz")
    resumed.fit(X, Y, epochs=3, initial_epoch=2, verbose=0)
    assert bits(resumed) == bits(model)


# --- objects of the user's own ------------------------------------------------------------------


class Square(layers.Layer):
    def build(self, input_shape):
        self.factor = self.add_weight((1,), "ones", name="factor")

    def call(self, inputs, training=False):
        return self.factor.value * inputs**2

    def backward(self, inputs, output, doutput):
        return 2 * self.factor.value * inputs * doutput, [np.sum(inputs**2 * doutput)[None]]


class Fourth(losses.Loss):
    def call(self, y_true, y_pred):
        return np.mean((y_pred - y_true) ** 4, axis=-1)

    def gradient(self, y_true, y_pred):
        return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]


def off_by(y_true, y_pred):
    return np.mean(np.abs(y_pred - y_true), axis=-1)


def own_model():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input(shape=(4,)), Square(), layers.Dense(1)])
    model.compile("sgd", Fourth(), metrics=[off_by])
    return model


OWN = {"Square": Square, "Fourth": Fourth, "off_by": off_by}


def test_own_classes_and_functions_are_given_by_name(tmp_path):
    model = own_model()
    model.fit(X, X[:, :1], verbose=0)
    model.save(tmp_path / "own.npz")
    loaded = keras.models.load_model(tmp_path / "own.npz", custom_objects=OWN)
    for each in (model, loaded):
        each.fit(X, X[:, :1], verbose=0)
    assert bits(loaded) == bits(model)
    assert loaded.history.history == model.history.history


def test_own_objects_that_are_missing_are_named(tmp_path):
    own_model().save(tmp_path / "own.npz")
    with pytest.raises(FileFormatError, match=r"'Square'.*custom_objects"):
        keras.models.load_model(tmp_path / "own.npz")
    for missing in ("Fourth", "off_by"):
        given = {name: value for name, value in OWN.items() if name != missing}
        with pytest.raises(FileFormatError, match=rf"'{missing}'.*object\}},? or .*compile=False"):
            keras.models.load_model(tmp_path / "own.npz", custom_objects=given)
    loaded = keras.models.load_model(tmp_path / "own.npz", {"Square": Square}, compile=False)
    assert loaded.predict(X, verbose=0).shape == (70, 1)


# --- weights ------------------------------------------------------------------------------------


def test_weights_go_into_a_model_built_again(tmp_path):
    model, again = classifier(), classifier()
    assert model.layers[0].name != again.layers[0].name  # numbered names differ
    model.fit(X, Y, verbose=0)
    model.save_weights(tmp_path / "w.weights.h5")
    again.load_weights(tmp_path / "w.weights.h5")
    assert bits(again) == bits(model)
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "whole.npz")
    again.load_weights(tmp_path / "whole.npz")
    assert bits(again) == bits(model)


def test_weights_are_found_by_name(tmp_path):
    def build(*names):
        return keras.Sequential(
            [keras.Input(shape=(4,)), *[layers.Dense(4, name=name) for name in names]]
        )

    one, other = build("first", "second"), build("second", "first")
    one.save_weights(tmp_path / "w.npz")
    other.load_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(
        one.get_layer("first").get_weights()[0], other.get_layer("first").get_weights()[0]
    )


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(8, name="a"),
                              layers.Dense(3, name="b")])  # fmt: skip
    model.save_weights(tmp_path / "w.npz")
    other = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(8, name="a"),
                              layers.Dense(5, name="b"), layers.Dense(2, name="c")])  # fmt: skip
    before = bits(other)
    with pytest.raises(ValueError) as caught:
        other.load_weights(tmp_path / "w.npz")
    message = str(caught.value)
    assert "'b/kernel' has shape (8, 5) in the model, (8, 3) in the file" in message
    assert "'c/kernel' of shape (5, 2), the file does not" in message
    assert "skip_mismatch=True" in message
    assert bits(other) == before
    with pytest.warns(UserWarning, match="in 2 of 6 weights") as warned:
        other.load_weights(tmp_path / "w.npz", skip_mismatch=True)
    assert warned[0].filename == __file__
    assert bits(other)[:2] == bits(model)[:2] and bits(other)[2:] == before[2:]
    other.predict(X, verbose=0)


def test_weights_of_layers_with_other_names_are_taken_in_order_as_far_as_they_fit(tmp_path):
    def build(units):
        return keras.Sequential([keras.Input((4,)), layers.Dense(8), layers.Dense(units)])

    model, other = build(3), build(5)
    model.save_weights(tmp_path / "w.npz")
    first, second = (layer.name for layer in other.layers)
    its = model.layers[1].name
    wrong = rf"'{second}/kernel' has shape \(8, 5\) in the model, \(8, 3\) in the file as '{its}"
    with pytest.raises(ValueError, match=wrong):
        other.load_weights(tmp_path / "w.npz")
    before = bits(other)
    with pytest.warns(UserWarning, match=wrong):
        other.load_weights(tmp_path / "w.npz", skip_mismatch=True)
    assert first != model.layers[0].name
    assert bits(other) == [*bits(model)[:2], *before[2:]]


class Constant(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, step):
        return self.rate

    def get_config(self):
        return {"rate": self.rate}


def test_a_schedule_of_ones_own_is_a_custom_object(tmp_path):
    model = classifier()
    model.compile(keras.optimizers.SGD(Constant(0.25)), "sparse_categorical_crossentropy")
    model.save(tmp_path / "m.npz")
    with pytest.raises(FileFormatError, match=r"Constant.*custom_objects"):
        keras.models.load_model(tmp_path / "m.npz")
    loaded = keras.models.load_model(tmp_path / "m.npz", custom_objects={"Constant": Constant})
    assert loaded.optimizer.current_learning_rate() == 0.25


def test_weights_and_models_are_told_apart(tmp_path):
    model = classifier()
    model.save_weights(tmp_path / "w.npz")
    with pytest.raises(FileFormatError, match="load_weights"):
        keras.models.load_model(tmp_path / "w.npz")
    write_store(tmp_path / "other.npz", {"layers/x": np.zeros(1)})
    with pytest.raises(FileFormatError, match="holds no model"):
        keras.models.load_model(tmp_path / "other.npz")
    with pytest.raises(FileFormatError, match="holds no weights"):
        model.load_weights(tmp_path / "other.npz")


def test_layers_of_equal_names_at_different_levels(tmp_path):
    inner = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(4, name="same")], name="inner")
    model = keras.Sequential([keras.Input(shape=(4,)), layers.Dense(4, name="same"), inner])
    model.compile("adam", "mse")
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        assert {"layers/same/kernel", "layers/inner/same/kernel"} <= set(file.files)
    loaded = keras.models.load_model(tmp_path / "m.npz")
    for each in (model, loaded):
        each.fit(X, X, verbose=0)
    assert bits(loaded) == bits(model)


# --- files that were altered -------------------------------------------------------------------


def config_of(groups):
    return groups[""]["model"]["config"]


ALTERATIONS = {
    "class": lambda g, a: config_of(g)["layers"][1].update(class_name="os.system"),
    "lambda": lambda g, a: config_of(g)["layers"][1].update(class_name="Lambda"),
    "argument": lambda g, a: config_of(g)["layers"][1]["config"].update(trap=1),
    "no layers": lambda g, a: config_of(g).pop("layers"),
    "no config": lambda g, a: g[""]["model"].pop("config"),
    "model": lambda g, a: g[""].update(model=7),
    "layer as model": lambda g, a: g[""].update(model=config_of(g)["layers"][1]),
    "activation": lambda g, a: config_of(g)["layers"][1]["config"].update(activation="evil"),
    "initializer": lambda g, a: config_of(g)["layers"][1]["config"].update(
        kernel_initializer={"class_name": "Popen", "config": {}}
    ),
    "more units": lambda g, a: config_of(g)["layers"][1]["config"].update(units=9),
    "a terabyte": lambda g, a: config_of(g)["layers"][1]["config"].update(units=1 << 36),
    "an exabyte": lambda g, a: config_of(g)["layers"][1]["config"].update(units=1 << 58),
    "negative": lambda g, a: config_of(g)["layers"][1]["config"].update(units=-1),
    "input": lambda g, a: config_of(g)["layers"][0]["config"].update(batch_shape=[None, "x"]),
    "array missing": lambda g, a: a.pop(next(n for n in a if n.startswith("layers/"))),
    "array too many": lambda g, a: a.update({"layers/more/kernel": np.zeros(2)}),
    "slot missing": lambda g, a: a.pop(next(n for n in a if n.startswith("optimizer/v"))),
    "slot shape": lambda g, a: a.update(
        {next(n for n in a if n.startswith("optimizer/v")): np.zeros(2, np.float32)}
    ),
    "slot unknown": lambda g, a: a.update({"optimizer/w/layers/x/kernel": np.zeros(2)}),
    "no iterations": lambda g, a: g.update(optimizer={}),
    "iterations": lambda g, a: g["optimizer"].update(iterations=-1),
    "optimizer": lambda g, a: g[""]["compile"].update(optimizer={"class_name": "Evil"}),
    "optimizer type": lambda g, a: g[""]["compile"].update(optimizer=[1]),
    "rate": lambda g, a: g[""]["compile"]["optimizer"]["config"].update(learning_rate="fast"),
    "loss": lambda g, a: g[""]["compile"].update(loss="evil"),
    "loss type": lambda g, a: g[""]["compile"].update(loss=3),
    "metrics": lambda g, a: g[""]["compile"].update(metrics={"class_name": "Evil"}),
    "engine": lambda g, a: g[""]["compile"].update(engine="gpu"),
    "seed": lambda g, a: g[""].update(seed="x"),
    "no seed": lambda g, a: g[""].pop("seed"),
    "compile": lambda g, a: g[""].update(compile=[]),
}


def test_nesting_without_end_is_refused(tmp_path):
    """Deeper than Python's stack is for the JSON reader, and for what follows it."""
    text = json.dumps({"format": "fastnn store", "version": 1, "datasets": {}, "groups": {
        "": {"kind": "model", "compile": None, "model": "NEST"}}})  # fmt: skip
    for depth in (2000, 100_000):
        deep = '{"class_name": "Sequential", "config": {"name": "s", "layers": [' * depth
        with zipfile.ZipFile(tmp_path / "deep.npz", "w") as archive:
            archive.writestr("manifest.json", text.replace('"NEST"', deep + "]}}" * depth))
        with pytest.raises(FileFormatError):
            keras.models.load_model(tmp_path / "deep.npz")


@pytest.mark.parametrize("name", ALTERATIONS)
def test_altered_models_are_refused(name, tmp_path):
    model = classifier()
    model.fit(X, Y, verbose=0)
    path = tmp_path / "m.npz"
    model.save(path)
    alter(path, ALTERATIONS[name])
    with pytest.raises(FileFormatError) as caught:
        keras.models.load_model(path)
    assert str(path) in str(caught.value)


def test_damaged_models_are_refused_and_weights_left_alone(tmp_path):
    model = classifier()
    model.fit(X, Y, verbose=0)
    path = tmp_path / "m.npz"
    model.save(path)
    content = path.read_bytes()
    before = bits(model)
    for length in itertools.chain(range(0, len(content), 997), [len(content) - 1]):
        path.write_bytes(content[:length])
        with pytest.raises(FileFormatError):
            keras.models.load_model(path)
        with pytest.raises(FileFormatError):
            model.load_weights(path)
    middle = content.index(model.get_weights()[0].tobytes()) + 5
    path.write_bytes(content[:middle] + b"!" + content[middle + 1 :])
    with pytest.raises(FileFormatError, match="damaged"):
        model.load_weights(path)
    assert bits(model) == before


def test_keras_spellings():
    assert keras.models.load_model is saving.load_model is keras.saving.load_model
    assert keras.models.save_model is saving.save_model
