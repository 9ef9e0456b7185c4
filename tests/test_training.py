"""compile, fit, evaluate, predict: what they compute, in which order, and what they report."""

from __future__ import annotations

import collections
import copy
import pickle

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, _core, callbacks, config, losses, optimizers
from fastnn.layers import Concatenate, Dense, Dropout
from fastnn.metrics import Metric
from fastnn.numpy_engine.random import shuffled
from fastnn.training import TrainingWarning, loops
from fastnn.training.data import class_weights_to_rows

ENGINES = ("c", "numpy")


@pytest.fixture(params=ENGINES)
def engine(request):
    config.set_engine(request.param)
    return request.param


def data(rows=70, seed=1):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype("float32")
    y = (x[:, 0] > 0).astype("int64") + (x[:, 1] > 0)
    return x, y


def classifier(seed=3, *, dropout=0.0, **compiled):
    config.set_random_seed(seed)
    model = Sequential([Input((4,)), Dense(8, activation="relu"), Dropout(dropout),
                        Dense(3, activation="softmax")])  # fmt: skip
    settings = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy",
                "metrics": ["accuracy"]}  # fmt: skip
    model.compile(**{**settings, **compiled})
    return model


def still(**compiled):
    """A model that does not move, so that the loss of an epoch has one value."""
    return classifier(optimizer=optimizers.SGD(0.0), **compiled)


def weights(model):
    return [w.copy() for w in model.get_weights()]


def assert_same_bits(first, second):
    for a, b in zip(first, second, strict=True):
        assert a.tobytes() == b.tobytes()


def entropy(model, x, y):
    p = model.predict(x).astype("float64")
    return -np.log(p[np.arange(len(y)), y])


# --- fit -------------------------------------------------------------------------------------


def test_fit_learns_and_reports_in_alphabetical_order(engine):
    x, y = data(400)
    model = classifier(optimizer=optimizers.Adam(0.02))
    history = model.fit(x, y, epochs=12, validation_data=(x, y), verbose=0)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == list(range(12))
    assert history.params == {"verbose": 0, "epochs": 12, "steps": 13}
    assert model.history is history
    assert history.history["val_loss"][-1] < 0.5 * history.history["loss"][0]
    assert history.history["val_accuracy"][-1] > 0.85
    assert all(isinstance(v, float) for values in history.history.values() for v in values)
    assert model.optimizer.iterations == 12 * 13


def test_the_loss_of_an_epoch_weighs_batches_by_their_rows(engine):
    x, y = data(70)  # 32 + 32 + 6 rows
    model = still()
    (loss,) = model.fit(x, y, verbose=0).history["loss"]
    assert loss == pytest.approx(entropy(model, x, y).mean(), rel=1e-5)


def test_the_loss_is_measured_during_the_updates(engine):
    x, y = data(64)
    model, twin = classifier(), classifier()
    history = model.fit(x, y, shuffle=False, verbose=0).history
    parts = [twin.train_on_batch(x[i : i + 32], y[i : i + 32]) for i in (0, 32)]
    assert history["loss"] == [pytest.approx(np.mean([p[0] for p in parts]), rel=1e-6)]
    assert history["accuracy"] == [pytest.approx(np.mean([p[1] for p in parts]))]
    assert_same_bits(weights(model), weights(twin))


def test_shuffling_visits_every_row_in_a_new_order_each_epoch():
    first, second = _core.shuffled(50, 7, 0), _core.shuffled(50, 7, 2)
    assert sorted(first) == sorted(second) == list(range(50))
    assert list(first) != list(second) != list(range(50))
    assert list(second) != list(_core.shuffled(50, 8, 2))
    for n in (0, 1, 2, 3, 50, 1000):
        assert list(_core.shuffled(n, 2**40 + 7, 2)) == list(shuffled(n, seed=2**40 + 7, step=2))


def test_every_order_is_equally_likely():
    orders = collections.Counter(tuple(_core.shuffled(4, 1, step)) for step in range(24000))
    assert len(orders) == 24
    assert sum((count - 1000) ** 2 / 1000 for count in orders.values()) < 50  # chi^2, p = 0.001


def test_the_same_seed_gives_the_same_bits_and_another_does_not(engine):
    x, y = data()
    runs = []
    for seed in (5, 5, 6):
        model = classifier(dropout=0.3)
        model.seed = seed
        model.fit(x, y, epochs=3, verbose=0)
        runs.append(weights(model))
    assert_same_bits(runs[0], runs[1])
    assert any(a.tobytes() != b.tobytes() for a, b in zip(runs[0], runs[2], strict=True))


def test_two_fits_continue_as_one(engine):
    x, y = data()
    whole, parts = classifier(dropout=0.2), classifier(dropout=0.2)
    one = whole.fit(x, y, epochs=4, verbose=0)
    two = parts.fit(x, y, epochs=2, verbose=0)
    three = parts.fit(x, y, initial_epoch=2, epochs=4, verbose=0)
    assert_same_bits(weights(whole), weights(parts))
    assert three.epoch == [2, 3]
    assert two.history["loss"] + three.history["loss"] == one.history["loss"]


class EveryBatch(callbacks.Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((batch, dict(logs)))


def test_a_known_speed_is_a_hint_only():
    """Of the budget the first call takes a part, should the data be slower to read this time."""
    assert loops.Pace(0.2, single=False).steps(10**6) == 1
    pace = loops.Pace(0.2, single=False, speed=8000.0)
    assert pace.steps(10**6) == 100
    pace.took(100, 10.0)
    assert pace.steps(10**6) == 2 and pace.speed == 10
    assert loops.Pace(0.2, single=True, speed=8000.0).steps(10**6) == 1


def test_the_bits_do_not_depend_on_how_an_epoch_is_cut(engine, monkeypatch):
    x, y = data(200)
    runs = []
    watcher = EveryBatch()
    for cut in ([], [watcher]):
        model = classifier(dropout=0.2)
        history = model.fit(x, y, batch_size=16, epochs=3, callbacks=cut, verbose=0)
        runs.append((weights(model), history.history["loss"]))
    monkeypatch.setattr(loops.Pace, "steps", lambda self, left: min(left, 5))
    model = classifier(dropout=0.2)
    history = model.fit(x, y, batch_size=16, epochs=3, verbose=0)
    runs.append((weights(model), history.history["loss"]))
    for other in runs[1:]:
        assert_same_bits(runs[0][0], other[0])
        assert runs[0][1] == other[1]
    assert [batch for batch, _ in watcher.seen] == list(range(13)) * 3
    assert list(watcher.seen[0][1]) == ["accuracy", "loss"]
    assert watcher.seen[-1][1]["loss"] == runs[0][1][-1]


def test_steps_per_epoch_goes_on_through_the_data():
    x, y = data(96)
    by_steps, by_hand = classifier(), classifier()
    history = by_steps.fit(
        x, y, batch_size=16, epochs=3, steps_per_epoch=2, shuffle=False, verbose=0
    )
    for i in range(0, 96, 16):
        by_hand.train_on_batch(x[i : i + 16], y[i : i + 16])
    assert_same_bits(weights(by_steps), weights(by_hand))
    assert history.params["steps"] == 2


def test_an_epoch_ends_with_the_data():
    x, y = data(96)
    model = classifier()
    with pytest.warns(UserWarning, match="steps_per_epoch=5, but only 3 batches"):
        model.fit(x, y, batch_size=32, steps_per_epoch=5, epochs=1, verbose=0)
    assert model.optimizer.iterations == 3


def test_steps_without_a_batch_size_divide_all_rows(engine):
    x, y = data(103)
    model, expected = classifier(metrics=None), classifier(metrics=None)
    model.fit(x, y, steps_per_epoch=3, epochs=2, shuffle=False, verbose=0)
    expected.fit(x, y, batch_size=35, epochs=2, shuffle=False, verbose=0)
    assert model.optimizer.iterations == 6
    assert_same_bits(weights(model), weights(expected))
    assert model.predict(x, steps=1).shape == (103, 3)
    whole = pytest.approx(entropy(model, x, y).mean(), rel=1e-5)
    assert model.evaluate(x, y, steps=2, verbose=0) == whole


@pytest.mark.parametrize(
    ("sizes", "rows"),
    [({}, 103), ({"batch_size": 10}, 20), ({"batch_size": 10, "validation_batch_size": 7}, 14)],
)
def test_validation_steps_divide_all_rows_only_without_a_batch_size(engine, sizes, rows):
    x, y = data(103)
    model = still()
    history = model.fit(x, y, validation_data=(x, y), validation_steps=2, verbose=0, **sizes)
    expected = entropy(model, x, y)[:rows].mean()
    assert history.history["val_loss"][0] == pytest.approx(expected, rel=1e-5)


def test_zero_epochs_do_nothing(engine):
    x, y = data()
    model = classifier()
    before = weights(model)
    assert model.fit(x, y, epochs=0, verbose=0).history == {}
    assert_same_bits(before, weights(model))


def test_a_frozen_layer_stays(engine):
    x, y = data()
    model = classifier()
    model.fit(x, y, verbose=0)
    model.layers[0].trainable = False
    before = weights(model)
    model.fit(x, y, verbose=0)
    after = weights(model)
    assert_same_bits(before[:2], after[:2])
    assert before[2].tobytes() != after[2].tobytes()


def test_a_larger_batch_after_a_small_one(engine):
    x, y = data(300)
    model = classifier()
    model.fit(x[:5], y[:5], verbose=0)
    model.fit(x, y, batch_size=128, verbose=0)
    model.fit(x, y, batch_size=1000, verbose=0)
    assert model.optimizer.iterations == 1 + 3 + 1


def test_a_model_without_input_shape_is_built_by_its_data(engine):
    x, y = data()
    model = Sequential([Dense(8, activation="relu"), Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert not model.built
    model.fit(x, y, verbose=0)
    assert model.get_weights()[0].shape == (4, 8)


def test_nan_in_the_data_gives_a_nan_loss(engine):
    x, y = data()
    x[3, 1] = np.nan
    model = classifier()
    with pytest.warns(TrainingWarning, match="x has nan in row 3, column 1"):
        history = model.fit(x, y, epochs=2, verbose=0)
    assert np.isnan(history.history["loss"][-1])


# --- validation ------------------------------------------------------------------------------


def test_validation_split_takes_the_last_rows(engine):
    x, y = data(71)
    model = still()
    history = model.fit(x, y, validation_split=0.25, verbose=0).history
    kept = int(np.floor(71 * 0.75))
    assert history["loss"][0] == pytest.approx(entropy(model, x[:kept], y[:kept]).mean(), rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(
        entropy(model, x[kept:], y[kept:]).mean(), rel=1e-5
    )


def test_validation_split_splits_sample_weights(engine):
    x, y = data(40)
    w = np.arange(40.0)
    model = still()
    history = model.fit(x, y, sample_weight=w, validation_split=0.5, verbose=0).history
    terms = entropy(model, x, y) * w
    assert history["loss"][0] == pytest.approx(terms[:20].sum() / 20, rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(terms[20:].sum() / 20, rel=1e-5)


def test_validation_data_may_have_weights_and_goes_before_the_split(engine):
    x, y = data(40)
    w = np.linspace(0, 2, 40)
    model = still()
    history = model.fit(x, y, validation_data=(x, y, w), validation_split=0.3, verbose=0).history
    assert history["val_loss"][0] == pytest.approx((entropy(model, x, y) * w).mean(), rel=1e-5)
    assert history["loss"][0] == pytest.approx(entropy(model, x, y).mean(), rel=1e-5)


@pytest.mark.parametrize(("frequency", "epochs"), [(2, [1, 3]), ([1, 5], [0, 4]), (1, range(5))])
def test_validation_freq(frequency, epochs):
    x, y = data()
    seen = []
    note = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(epoch) if "val_loss" in logs else None
    )
    classifier().fit(
        x, y, epochs=5, validation_data=(x, y), validation_freq=frequency, callbacks=[note],
        verbose=0,
    )  # fmt: skip
    assert seen == list(epochs)


def test_validation_steps_and_batch_size(engine):
    x, y = data(60)
    model = still()
    history = model.fit(
        x, y, validation_data=(x, y), validation_batch_size=7, validation_steps=2, verbose=0
    ).history
    assert history["val_loss"][0] == pytest.approx(entropy(model, x, y)[:14].mean(), rel=1e-5)


# --- weights of rows -------------------------------------------------------------------------


def test_sample_weight_scales_the_loss_by_the_number_of_rows(engine):
    x, y = data(32)
    w = np.linspace(0, 3, 32)
    model = still(metrics=["accuracy"], weighted_metrics=["accuracy"])
    logs = model.evaluate(x, y, sample_weight=w, verbose=0, return_dict=True)
    right = model.predict(x).argmax(1) == y
    assert logs["loss"] == pytest.approx((entropy(model, x, y) * w).sum() / 32, rel=1e-5)
    assert logs["accuracy"] == pytest.approx(right.mean())
    assert logs["weighted_accuracy"] == pytest.approx((right * w).sum() / w.sum())


def test_logs_are_in_alphabetical_order_with_validation(engine):
    # "val_" comes before "weighted_", as in Keras 3.15.1.
    x, y = data(32)
    model = classifier(weighted_metrics=["accuracy"])
    history = model.fit(x, y, epochs=1, validation_split=0.3, verbose=0).history
    assert list(history) == [
        "accuracy", "loss", "val_accuracy", "val_loss", "val_weighted_accuracy",
        "weighted_accuracy",
    ]  # fmt: skip


@pytest.mark.parametrize("one_hot", [False, True])
def test_class_weight_is_a_sample_weight_by_class(engine, one_hot):
    x, y = data(64)
    by_class = {0: 0.5, 2: 3.0}  # class 1 is missing: 1.0
    w = np.array([0.5, 1.0, 3.0])[y]
    loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
    targets = np.eye(3)[y] if one_hot else y
    one, two = classifier(loss=loss), classifier(loss=loss)
    a = one.fit(x, targets, class_weight=by_class, validation_data=(x, targets), verbose=0)
    b = two.fit(x, targets, sample_weight=w, validation_data=(x, targets), verbose=0)
    assert a.history == b.history  # so it is not applied to the validation either
    assert_same_bits(weights(one), weights(two))


def test_keys_of_class_weight():
    """As in Keras: whole numbers of any type, numbers of no label, and labels below 0."""
    y = np.array([0, 1, 2, 1])
    for keys in ([1, 2, 7], [np.int64(1), 2.0, 7], [True, "2", 7]):
        rows = class_weights_to_rows(dict(zip(keys, (3, 4, 5), strict=True)), y, "fit")
        assert rows.tolist() == [1, 3, 4, 3]
    assert class_weights_to_rows({-1: 2, 1: 3}, np.array([[-1], [1]]), "fit").tolist() == [2, 3]


# --- several inputs and outputs --------------------------------------------------------------


def wide_and_deep():
    config.set_random_seed(2)
    wide, deep = Input((2,), name="wide"), Input((3,), name="deep")
    hidden = Dense(6, activation="relu")(deep)
    main = Dense(1, name="main")(Concatenate()([wide, hidden]))
    aux = Dense(1, name="aux", activation="sigmoid")(hidden)
    return Model(inputs=[wide, deep], outputs=[main, aux])


def two_inputs(rows=40):
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(rows, 2)), rng.normal(size=(rows, 3))
    return a, b, a[:, 0] + b[:, 1], (b[:, 0] > 0).astype(int)


def test_lists_and_dicts_are_the_same(engine):
    a, b, y, z = two_inputs()
    forms = [
        ([a, b], [y, z], ["mse", "binary_crossentropy"], [0.9, 0.1], [["mae"], ["accuracy"]]),
        ({"deep": b, "wide": a}, {"aux": z, "main": y},
         {"aux": "binary_crossentropy", "main": "mse"}, {"main": 0.9, "aux": 0.1},
         {"main": "mae", "aux": ["accuracy"]}),
    ]  # fmt: skip
    runs = []
    for x, targets, loss, loss_weights, metrics in forms:
        model = wide_and_deep()
        model.compile("adam", loss=loss, loss_weights=loss_weights, metrics=metrics)
        history = model.fit(x, targets, epochs=2, verbose=0, validation_data=(x, targets)).history
        runs.append((history, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert_same_bits(runs[0][1], runs[1][1])
    assert list(runs[0][0]) == [
        "aux_accuracy", "aux_loss", "loss", "main_loss", "main_mae",
        "val_aux_accuracy", "val_aux_loss", "val_loss", "val_main_loss", "val_main_mae",
    ]  # fmt: skip
    history = runs[0][0]
    for k in range(2):
        parts = 0.9 * history["main_loss"][k] + 0.1 * history["aux_loss"][k]
        assert history["loss"][k] == pytest.approx(parts)


def test_evaluate_lists_loss_then_metrics_then_the_outputs_losses(engine):
    a, b, y, z = two_inputs()
    model = wide_and_deep()
    model.compile("adam", loss=["mse", "binary_crossentropy"], metrics=["mae", "accuracy"])
    values = model.evaluate([a, b], [y, z], verbose=0)
    logs = model.evaluate([a, b], [y, z], verbose=0, return_dict=True)
    names = ["loss", "main_mae", "aux_accuracy", "main_loss", "aux_loss"]
    assert model.metrics_names == names
    assert values == [logs[name] for name in names]
    main, aux = model.predict([a, b])
    assert logs["main_loss"] == pytest.approx(np.mean((main[:, 0] - y) ** 2), rel=1e-5)
    assert logs["main_mae"] == pytest.approx(np.mean(np.abs(main[:, 0] - y)), rel=1e-5)
    assert logs["aux_accuracy"] == pytest.approx(np.mean((aux[:, 0] > 0.5) == z))


def test_one_loss_serves_all_outputs_and_one_output_may_have_none(engine):
    a, b, y, z = two_inputs()
    model = wide_and_deep()
    model.compile("adam", loss="mse")
    assert list(model.fit([a, b], [y, z], verbose=0).history) == ["aux_loss", "loss", "main_loss"]
    model.compile("adam", loss={"main": "mse"})
    assert list(model.fit([a, b], {"main": y}, verbose=0).history) == ["loss"]
    assert isinstance(model.evaluate([a, b], [y, None], verbose=0), float)


def test_sample_weights_by_output(engine):
    a, b, y, z = two_inputs()
    w = np.linspace(0, 1, len(y))
    model = wide_and_deep()
    model.compile(optimizers.SGD(0.0), loss=["mse", "mse"])
    model.fit([a, b], [y, z], sample_weight={"main": w}, verbose=0)
    logs = model.evaluate([a, b], [y, z], sample_weight=[w, None], verbose=0, return_dict=True)
    main, aux = model.predict([a, b])
    assert logs["main_loss"] == pytest.approx(np.mean(w * (main[:, 0] - y) ** 2), rel=1e-5)
    assert logs["aux_loss"] == pytest.approx(np.mean((aux[:, 0] - z) ** 2), rel=1e-5)


# --- compile ---------------------------------------------------------------------------------


def test_the_default_optimizer_is_rmsprop():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile(loss="mse")
    assert type(model.optimizer).__name__ == "RMSprop"


@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_keeps_the_name_given_and_finds_its_kind_by_shape(engine, name):
    x, y = data(50)
    sparse = classifier(metrics=[name])
    assert sparse.metrics_names == ["loss"]  # not known before the data
    right = float(np.mean(sparse.predict(x).argmax(1) == y))
    assert sparse.evaluate(x, y, verbose=0)[1] == pytest.approx(right)
    assert sparse.evaluate(x, y[:, None], verbose=0)[1] == pytest.approx(right)
    assert sparse.metrics_names == ["loss", name]
    dense = classifier(metrics=[name], loss="categorical_crossentropy")
    assert dense.evaluate(x, np.eye(3)[y], verbose=0)[1] == pytest.approx(right)


def test_a_metric_in_a_string_or_object_keeps_its_name(engine):
    from fastnn import metrics

    x, y = data(20)
    model = Sequential([Input((4,)), Dense(1)])
    error = metrics.RootMeanSquaredError(name="distance")
    model.compile("sgd", "mse", metrics=["mae", error, "RootMeanSquaredError"])
    model.fit(x, y, verbose=0)
    assert model.metrics_names == ["loss", "mae", "distance", "RootMeanSquaredError"]
    values = model.evaluate(x, y, verbose=0)
    assert values[2] == values[3] == pytest.approx(np.sqrt(values[0]), rel=1e-6)


def test_compile_again_starts_a_new_optimizer(engine):
    x, y = data()
    model = classifier()
    model.fit(x, y, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.optimizer.iterations == 0
    assert model.metrics_names == ["loss"]
    assert model.metrics == []
    history = model.fit(x, y, verbose=0)
    assert list(history.history) == ["loss"]


def test_a_failed_compile_leaves_the_old_one():
    model = classifier()
    before = model.optimizer
    with pytest.raises(ValueError, match="nonsense"):
        model.compile("adam", loss="nonsense")
    assert model.optimizer is before


def test_the_engine_is_chosen_per_model():
    from fastnn import _core, numpy_engine

    x, y = data(10)
    for name, cls in (("c", _core.Engine), ("numpy", numpy_engine.Engine)):
        model = classifier(engine=name)
        model.fit(x, y, verbose=0)
        assert isinstance(model._engines._training.engine, cls)


# --- evaluate, predict, single batches -------------------------------------------------------


def test_evaluate_of_a_loss_alone_is_a_number(engine):
    x, y = data()
    model = classifier(metrics=None)
    value = model.evaluate(x, y, verbose=0)
    assert isinstance(value, float)
    assert model.evaluate(x, y, verbose=0, return_dict=True) == {"loss": value}
    assert value == pytest.approx(entropy(model, x, y).mean(), rel=1e-5)


def test_evaluate_does_not_depend_on_the_batch_size(engine):
    x, y = data()
    model = classifier()
    first = model.evaluate(x, y, verbose=0)
    for size in (1, 7, 1000):
        other = model.evaluate(x, y, batch_size=size, verbose=0)
        assert other == (first if engine == "c" else pytest.approx(first, rel=1e-6))


def test_evaluate_steps(engine):
    x, y = data()
    model = classifier(metrics=None)
    assert model.evaluate(x, y, batch_size=8, steps=3, verbose=0) == pytest.approx(
        entropy(model, x, y)[:24].mean(), rel=1e-5
    )


def test_predict_does_not_depend_on_the_split_into_batches(engine):
    x, _ = data(3000)
    model = classifier()
    whole = model.predict(x)
    assert whole.shape == (3000, 3)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(1), 1, rtol=1e-5)
    parts = np.concatenate([model.predict(x[i : i + 7]) for i in range(0, 3000, 7)])
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-7)
    if engine == "c":
        assert parts.tobytes() == whole.tobytes()
    assert model.predict(x, batch_size=32, steps=2).shape == (64, 3)
    assert model.predict_on_batch(x[:2]).shape == (2, 3)


def test_predict_writes_into_a_given_array(engine):
    i = Input((3,))
    two = Model(i, [Dense(2, name="a")(i), Dense(1, name="b")(i)])
    one = Model(i, two.outputs[0])
    x = np.random.default_rng(0).random((70, 3), np.float32)
    expected = two.predict(x, verbose=0)
    out = np.full((70, 2), np.nan, np.float32)
    for _ in range(2):
        assert one.predict(x, verbose=0, out=out) is out
        np.testing.assert_array_equal(out, expected[0])
    both = [np.full((70, 2), np.nan, np.float32), np.full((70, 1), np.nan, np.float32)]
    assert two.predict(x, verbose=0, out=both) is both
    np.testing.assert_array_equal(both[1], expected[1])
    for wrong, message in [
        (out[:69], r"shape \(70, 2\)"),
        (out.astype(np.float64), "dtype float32"),
        (np.asfortranarray(out), "C-contiguous"),
        (out.tolist(), "NumPy array"),
        (np.ma.masked_array(out), "NumPy array"),
    ]:
        with pytest.raises((ValueError, TypeError), match=message):
            one.predict(x, verbose=0, out=wrong)
    with pytest.raises(ValueError, match="2 arrays"):
        two.predict(x, verbose=0, out=out)
    twins = Model(i, [Dense(2)(i), Dense(2)(i)])
    with pytest.raises(ValueError, match="shares memory"):
        twins.predict(x, verbose=0, out=[out, out])
    square = Model(i, Dense(3)(i))
    with pytest.raises(ValueError, match="shares memory"):
        square.predict(x, verbose=0, out=x)
    kernel = square.layers[-1].kernel.buffer.ravel()[:9].reshape(3, 3)
    with pytest.raises(ValueError, match=r"or with a weight: make it with np\.empty\(\(3, 3\)"):
        square.predict(x[:3], verbose=0, out=kernel)
    np.testing.assert_array_equal(one.predict(x, verbose=0), expected[0])


def test_predict_sees_new_weights_and_new_layers(engine):
    x, _ = data(5)
    model = classifier()
    first = model.predict(x)
    again = model.predict(x)
    assert_same_bits([first], [again])
    assert not np.shares_memory(first, again)
    model.set_weights([0 * w for w in model.get_weights()])
    np.testing.assert_allclose(model.predict(x), 1 / 3, rtol=1e-6)
    model.pop()
    assert model.predict(x).shape == (5, 8)
    model.add(Dense(2))
    assert model.predict(x).shape == (5, 2)


def test_predict_keeps_no_data(engine):
    import weakref

    x, y = data(50)
    model = classifier()
    for use in (model.predict, lambda x: model.fit(x, y, verbose=0),
                lambda x: model.evaluate(x, y, verbose=0), model.predict):  # fmt: skip
        mine = x.copy()
        watch = weakref.ref(mine)
        use(mine)
        del mine
        assert watch() is None


def test_a_model_without_compile_predicts_with_the_engine_in_use():
    x, _ = data(3)
    model = Sequential([Input((4,)), Dense(2)])
    model.predict(x)
    config.set_engine("numpy")
    model.predict(x)
    assert model._engines._predicting.name == "numpy"


@pytest.mark.parametrize("copy", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_trains_on_by_itself(engine, copy):
    x, y = data()
    model = classifier()
    model.fit(x, y, verbose=0)
    model.predict(x)
    twin = copy(model)
    before = weights(model)
    assert_same_bits(before, weights(twin))
    twin.fit(x, y, epochs=2, verbose=0)
    assert_same_bits(before, weights(model))
    model.fit(x, y, epochs=2, verbose=0)
    assert_same_bits(weights(model), weights(twin))


def test_a_loop_of_predictions_leaks_nothing():
    import gc
    import tracemalloc

    x, _ = data(3)
    model = classifier()
    for _ in range(10):
        model.predict(x)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(500):
        model.predict(x)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert after - before < 2000


def test_outputs_in_a_dict(engine):
    x, _ = data(6)
    entry = Input((4,))
    model = Model(entry, {"a": Dense(2)(entry), "b": Dense(1)(entry)})
    predicted = model.predict(x)
    assert {name: p.shape for name, p in predicted.items()} == {"a": (6, 2), "b": (6, 1)}
    model.compile("sgd", loss={"a": "mse", "b": "mae"})
    history = model.fit(x, {"b": np.zeros(6), "a": np.zeros((6, 2))}, verbose=0).history
    assert list(history) == ["a_loss", "b_loss", "loss"]


def test_single_batches_report_that_batch(engine):
    x, y = data(64)
    model = classifier()
    before = model.evaluate(x[:32], y[:32], verbose=0)
    assert model.train_on_batch(x[:32], y[:32]) == pytest.approx(before, rel=1e-6)
    assert model.optimizer.iterations == 1
    after = model.test_on_batch(x[:32], y[:32], return_dict=True)
    assert list(after) == ["accuracy", "loss"]
    assert after["loss"] < before[0]
    assert model.optimizer.iterations == 1
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert isinstance(model.train_on_batch(x, y), float)


# --- interruptions ---------------------------------------------------------------------------


class Interrupt(callbacks.Callback):
    def __init__(self, after):
        self.after = after

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.after:
            raise KeyboardInterrupt


def test_an_interrupted_training_goes_on(engine):
    x, y = data(96)
    whole, cut = classifier(), classifier()
    for i in range(0, 64, 16):
        whole.train_on_batch(x[i : i + 16], y[i : i + 16])
    with pytest.raises(KeyboardInterrupt):
        cut.fit(x, y, batch_size=16, shuffle=False, callbacks=[Interrupt(2)], verbose=0)
    assert cut.optimizer.iterations == 2
    for i in (32, 48):
        cut.train_on_batch(x[i : i + 16], y[i : i + 16])
    assert_same_bits(weights(whole), weights(cut))


def test_steps_are_counted_if_the_call_itself_is_interrupted(monkeypatch):
    x, y = data(96)
    model = classifier(engine="numpy")
    model.fit(x, y, verbose=0)  # 3 steps
    engine_class = type(model._engines._training.engine)
    train = engine_class.train

    def interrupted(self, rows, batch_size, coefficients, *, step, seed):
        train(self, rows[:20], batch_size, coefficients, step=step, seed=seed)
        raise KeyboardInterrupt

    monkeypatch.setattr(engine_class, "train", interrupted)
    monkeypatch.setattr(loops.Pace, "steps", lambda self, left: left)
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=10, verbose=0)
    assert model.optimizer.iterations == 3 + 2


def test_ctrl_c_stops_soon_and_every_step_is_counted(engine, request):
    import _thread
    import signal
    import threading

    x, y = data(96)
    model, twin = classifier(), classifier()
    # A shell that starts the tests in the background has them ignore the signal.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, handler))
    timer = threading.Timer(0.1, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=16, shuffle=False, epochs=10**9, verbose=0)
    timer.join()
    epochs, rest = divmod(model.optimizer.iterations, 6)
    assert epochs + rest > 0
    if engine == "c":  # a NumPy step is interrupted wherever it is
        twin.fit(x, y, batch_size=16, shuffle=False, epochs=epochs, verbose=0)
        for i in range(0, 16 * rest, 16):
            twin.train_on_batch(x[i : i + 16], y[i : i + 16])
        assert_same_bits(weights(model), weights(twin))
    model.fit(x, y, verbose=0)


def test_stop_training_in_a_batch_hook_ends_the_epoch(engine):
    x, y = data(96)
    model = classifier()

    class Stop(callbacks.Callback):
        def on_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    history = model.fit(x, y, epochs=5, callbacks=[Stop()], verbose=0)
    assert model.optimizer.iterations == 2
    assert history.epoch == [0]
    model.fit(x, y, epochs=1, verbose=0)
    assert model.optimizer.iterations == 5


def test_threads_share_a_model(engine):
    import threading

    x, _ = data(200)
    model = classifier()
    expected = model.predict(x)
    wrong = []

    def ask():
        for _ in range(20):
            if model.predict(x).tobytes() != expected.tobytes():
                wrong.append(1)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


# --- losses and metrics of one's own ---------------------------------------------------------


@pytest.mark.parametrize("shape", [(40,), (40, 1)])
def test_a_loss_and_metrics_of_your_own_get_y_in_the_shape_of_the_predictions(engine, shape):
    """Also (n,) against (n, 1), which NumPy would broadcast to (n, n)."""

    def error(y_true, y_pred):
        return np.mean(np.abs(y_true - y_pred), axis=-1)

    error.gradient = lambda y_true, y_pred: np.sign(y_pred - y_true) / y_pred.shape[-1]

    class Error(losses.Loss):
        def call(self, y_true, y_pred):
            return error(y_true, y_pred)

        def gradient(self, y_true, y_pred):
            return error.gradient(y_true, y_pred)

    class Largest(Metric):
        def reset_state(self):
            self.largest = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            assert y_true.shape == y_pred.shape
            self.largest = max(self.largest, float(np.max(np.abs(y_true - y_pred))))

        def result(self):
            return self.largest

    x, y = data(40)
    y = (y + 0.5).reshape(shape)
    w = np.linspace(0.5, 2, 40)
    results, trained = [], []
    for loss, metric in (("mae", "mae"), (error, error), (Error(), Error())):
        config.set_random_seed(4)
        model = Sequential([Input((4,)), Dense(5, activation="tanh"), Dense(1)])
        model.compile("sgd", loss, metrics=[metric, Largest()], weighted_metrics=[metric])
        model.fit(x, y, sample_weight=w, epochs=2, batch_size=16, verbose=0)
        results.append(model.evaluate(x, y, sample_weight=w, verbose=0))
        trained.append(np.concatenate([one.ravel() for one in weights(model)]))
    assert results[0][1] != pytest.approx(results[0][3])  # the weights count
    for others, other in zip(results[1:], trained[1:], strict=True):
        np.testing.assert_allclose(others, results[0], rtol=1e-5)
        np.testing.assert_allclose(other, trained[0], rtol=1e-5, atol=1e-6)
