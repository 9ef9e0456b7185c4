"""Callbacks: when they are called, what they are told, and what the ready-made ones do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fastnn import Input, Sequential, callbacks, optimizers
from fastnn.layers import Dense


class Recorder(callbacks.Callback):
    """Notes the names of the hooks, with their number."""

    def __init__(self, *hooks):
        super().__init__()
        self.calls = []
        for name in hooks or [n for n in dir(callbacks.Callback) if n.startswith("on_")]:
            setattr(self, name, self.note(name))

    def note(self, name):
        def hook(*args, logs=None):
            self.calls.append((name, *(a for a in args if isinstance(a, int))))

        return hook


class Scripted:
    """A model that a callback may steer, with given logs for each epoch."""

    metric_directions = {"accuracy": "max", "out_accuracy": "max", "loss": "min", "odd": None}

    def __init__(self, callback):
        self.stop_training = False
        self.callback = callback
        self.state = -1
        self.saved = []
        self.optimizer = optimizers.SGD(0.1)
        callback.set_model(self)

    def get_weights(self):
        return [np.array(self.state)]

    def set_weights(self, weights):
        self.state = int(weights[0])

    def save(self, path, overwrite=True):
        self.saved.append((path, "model"))

    def save_weights(self, path, overwrite=True):
        self.saved.append((path, "weights"))

    def run(self, name, values):
        """Play epochs; return the number of those that were run."""
        self.stop_training = False
        self.callback.on_train_begin({})
        for epoch, value in enumerate(values):
            self.callback.on_epoch_begin(epoch, {})
            self.state = epoch
            self.callback.on_epoch_end(epoch, {} if value is None else {name: value})
            if self.stop_training:
                break
        self.callback.on_train_end({})
        return epoch + 1


def model(**settings):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", **settings)
    return model


X, Y = np.arange(12.0).reshape(6, 2) / 12, np.arange(6.0) / 6


# --- when hooks are called -------------------------------------------------------------------


def test_order_of_the_hooks():
    seen = Recorder()
    model().fit(X, Y, batch_size=4, epochs=2, validation_data=(X, Y), callbacks=[seen], verbose=0)
    epoch = [
        ("on_train_batch_begin", 0), ("on_train_batch_end", 0),
        ("on_train_batch_begin", 1), ("on_train_batch_end", 1),
        ("on_test_begin",),
        ("on_test_batch_begin", 0), ("on_test_batch_end", 0),
        ("on_test_batch_begin", 1), ("on_test_batch_end", 1),
        ("on_test_end",),
    ]  # fmt: skip
    assert seen.calls == [
        ("on_train_begin",),
        ("on_epoch_begin", 0), *epoch, ("on_epoch_end", 0),
        ("on_epoch_begin", 1), *epoch, ("on_epoch_end", 1),
        ("on_train_end",),
    ]  # fmt: skip


def test_hooks_of_evaluate_and_predict():
    seen = Recorder()
    one = model()
    one.evaluate(X, Y, batch_size=4, callbacks=[seen], verbose=0)
    one.predict(X, batch_size=4, callbacks=[seen], verbose=0)
    assert [call[0] for call in seen.calls] == [
        "on_test_begin", *["on_test_batch_begin", "on_test_batch_end"] * 2, "on_test_end",
        "on_predict_begin", *["on_predict_batch_begin", "on_predict_batch_end"] * 2,
        "on_predict_end",
    ]  # fmt: skip


def test_the_old_batch_hooks_are_called():
    class Old(callbacks.Callback):
        calls = 0

        def on_batch_end(self, batch, logs=None):
            self.calls += 1
            assert math.isfinite(logs["loss"])

    old = Old()
    model().fit(X, Y, batch_size=2, callbacks=[old], verbose=0)
    assert old.calls == 3


def test_what_hooks_are_told():
    told = {}

    class Look(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            told["epoch"] = dict(logs)
            logs["mine"] = 7.0

        def on_train_end(self, logs=None):
            told["train"] = dict(logs)

        def on_test_end(self, logs=None):
            told["test"] = dict(logs)

        def on_predict_batch_end(self, batch, logs=None):
            told["outputs"] = logs["outputs"]

    look = Look()
    one = model(metrics=["mae"])
    history = one.fit(X, Y, callbacks=[look], validation_data=(X, Y), verbose=0)
    assert list(told["epoch"]) == ["loss", "mae", "val_loss", "val_mae"]
    assert list(told["test"]) == ["loss", "mae"]
    assert told["train"] == {**told["epoch"], "mine": 7.0}
    assert history.history["mine"] == [7.0]  # user callbacks run before History
    assert look.model is one
    assert look.params == {"verbose": 0, "epochs": 1, "steps": 1}
    predicted = one.predict(X, callbacks=look, verbose=0)
    np.testing.assert_array_equal(told["outputs"], predicted)


def test_only_batch_hooks_cost_a_return_to_python_per_batch():
    assert not callbacks.CallbackList([callbacks.EarlyStopping()]).watches_batches("train")
    shown = callbacks.CallbackList(add_progbar=True, add_history=True)
    assert shown.watches_batches("train")
    assert not shown.needs_every_batch("train")
    assert not callbacks.CallbackList(callbacks.ModelCheckpoint("x")).needs_every_batch("train")
    for watcher in (
        callbacks.TerminateOnNaN(),
        callbacks.ModelCheckpoint("x", save_freq=3),
        callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
        callbacks.LambdaCallback(on_batch_begin=lambda batch, logs=None: None),
    ):
        assert callbacks.CallbackList(watcher).needs_every_batch("train")
        assert not callbacks.CallbackList(watcher).needs_every_batch("test")


def test_a_callback_that_fails_leaves_the_model_usable():
    class Fail(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError

    one = model()
    with pytest.raises(ZeroDivisionError):
        one.fit(X, Y, epochs=3, callbacks=[Fail()], verbose=0)
    assert one.optimizer.iterations == 1
    assert one.fit(X, Y, epochs=3, verbose=0).epoch == [0, 1, 2]


def test_a_callback_may_use_the_model():
    class Use(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.evaluate(X, Y, verbose=0)
            self.model.predict(X[:1])

    plain, used = model(), model()
    used.set_weights(plain.get_weights())
    used.seed = plain.seed
    a = plain.fit(X, Y, batch_size=2, epochs=3, validation_data=(X, Y), verbose=0)
    b = used.fit(X, Y, batch_size=2, epochs=3, validation_data=(X, Y), callbacks=[Use()], verbose=0)
    assert a.history == b.history


def test_wrong_callbacks():
    with pytest.raises(TypeError, match=r"write EarlyStopping\(\.\.\.\)"):
        model().fit(X, Y, callbacks=[callbacks.EarlyStopping], verbose=0)
    with pytest.raises(TypeError, match="LambdaCallback"):
        model().fit(X, Y, callbacks=[print], verbose=0)
    with pytest.raises(TypeError, match="on_epoch_ned"):
        callbacks.LambdaCallback(on_epoch_ned=print)


# --- EarlyStopping ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "values", "epochs"),
    [
        ({}, [3, 2, 2, 1], 3),  # patience 0: the first epoch without improvement
        ({}, [3, 4, 5], 2),  # but never in the first epoch
        ({"patience": 2}, [3, 4, 4, 4, 4], 3),
        ({"patience": 2}, [3, 4, 2, 4, 4, 1], 5),
        ({"min_delta": 0.5}, [3, 2.4, 2.0, 1], 3),
        ({"min_delta": -0.5}, [3, 2.4, 2.0, 1], 3),
        ({"mode": "max"}, [1, 2, 2, 3], 3),
        ({"start_from_epoch": 3}, [1, 2, 3, 4, 5, 6], 5),
        ({"patience": 2, "baseline": 1.0}, [3, 2, 1.5, 1.4, 1.3, 1.6, 2], 6),
        ({"patience": 3, "baseline": 2.5}, [3, 2, 2, 2, 2, 2, 2], 5),
        ({}, [math.nan, math.nan, math.nan], 2),
        ({"monitor": "accuracy"}, [0.1, 0.2, 0.2], 3),
        ({"monitor": "val_accuracy"}, [0.1, 0.2, 0.2], 3),
        ({"monitor": "val_out_accuracy"}, [0.3, 0.2, 0.2], 2),
    ],
)
def test_early_stopping_stops(settings, values, epochs):
    stop = callbacks.EarlyStopping(**settings)
    assert Scripted(stop).run(stop.monitor, values) == epochs


@pytest.mark.parametrize("values", [[3, 1, 2, 2, 2], [3, 1, 2]])
def test_early_stopping_restores_the_best_weights_even_if_it_did_not_stop(values):
    stop = callbacks.EarlyStopping(patience=3, restore_best_weights=True)
    script = Scripted(stop)
    script.run("val_loss", values)
    assert script.state == 1
    assert stop.best_epoch == 1
    assert stop.best == 1


def test_early_stopping_begins_anew_with_every_fit():
    stop = callbacks.EarlyStopping(patience=1)
    script = Scripted(stop)
    assert script.run("val_loss", [1, 2, 2]) == 2
    assert script.run("val_loss", [9, 8, 7]) == 3


def test_early_stopping_says_so(capsys):
    stop = callbacks.EarlyStopping(verbose=1, restore_best_weights=True)
    Scripted(stop).run("val_loss", [1, 2])
    assert capsys.readouterr().out == (
        "Epoch 2: early stopping\n"
        "Restoring model weights from the end of the best epoch: 1.\n"
    )  # fmt: skip


def test_early_stopping_without_its_value_warns():
    stop = callbacks.EarlyStopping()
    with pytest.warns(UserWarning, match="'val_loss', which is not logged.*validation_data"):
        Scripted(stop).run("loss", [1])


@pytest.mark.parametrize("name", ["nonsense", "odd"])
def test_the_direction_of_an_unknown_value_must_be_given(name):
    with pytest.raises(ValueError, match="mode='max' or mode='min'"):
        Scripted(callbacks.EarlyStopping(monitor=name)).run(name, [1, 2])
    assert Scripted(callbacks.EarlyStopping(monitor=name, mode="min")).run(name, [1, 2]) == 2


def test_an_unknown_mode_warns():
    with pytest.warns(UserWarning, match="going on with 'auto'"):
        stop = callbacks.EarlyStopping(mode="up")
    assert stop.mode == "auto"


def test_early_stopping_in_a_training():
    one = model(metrics=["mae"])
    stop = callbacks.EarlyStopping(monitor="val_mae", patience=2, mode="max")
    history = one.fit(X, Y, epochs=50, validation_split=0.5, callbacks=[stop], verbose=0)
    assert len(history.epoch) == stop.stopped_epoch + 1 < 50


# --- ModelCheckpoint -------------------------------------------------------------------------


def test_checkpoint_every_epoch_with_names():
    save = callbacks.ModelCheckpoint("{epoch:02d}-{val_loss:.2f}.npz")
    script = Scripted(save)
    script.run("val_loss", [1.5, 2.25])
    assert script.saved == [("01-1.50.npz", "model"), ("02-2.25.npz", "model")]


def test_checkpoint_of_the_best(capsys):
    save = callbacks.ModelCheckpoint(
        "best.npz", save_best_only=True, save_weights_only=True, verbose=1
    )
    script = Scripted(save)
    script.run("val_loss", [1.5, 2.5, 0.12345])
    assert script.saved == [("best.npz", "weights")] * 2
    assert capsys.readouterr().out == (
        "\nEpoch 1: val_loss improved from None to 1.50000, saving model to best.npz\n"
        "\nEpoch 1: finished saving model to best.npz\n"
        "\nEpoch 2: val_loss did not improve from 1.50000\n"
        "\nEpoch 3: val_loss improved from 1.50000 to 0.12345, saving model to best.npz\n"
        "\nEpoch 3: finished saving model to best.npz\n"
    )


def test_checkpoint_with_a_value_to_beat():
    save = callbacks.ModelCheckpoint("best.npz", save_best_only=True, initial_value_threshold=1.0)
    script = Scripted(save)
    script.run("val_loss", [1.5, 0.5, 0.7])
    assert len(script.saved) == 1


def test_checkpoint_without_its_value_warns_and_saves():
    save = callbacks.ModelCheckpoint("best.npz", save_best_only=True)
    script = Scripted(save)
    with pytest.warns(UserWarning, match="'val_loss', which is not logged"):
        script.run("loss", [1.0])
    assert script.saved == [("best.npz", "model")]


def test_checkpoint_every_so_many_batches(tmp_path):
    saved = []
    one = model()
    one.save = lambda path, overwrite: saved.append((path, one.optimizer.iterations))
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.npz", save_freq=4)
    one.fit(X, Y, batch_size=2, epochs=3, callbacks=[save], verbose=0)
    assert [(path.rsplit("/")[-1], n) for path, n in saved] == [("2-1.npz", 4), ("3-2.npz", 8)]


def test_checkpoint_makes_directories_and_files(tmp_path):
    one = model()
    path = tmp_path / "deep" / "in" / "best.npz"
    save = callbacks.ModelCheckpoint(path, monitor="loss", save_best_only=True)
    one.fit(X, Y, callbacks=[save], verbose=0)
    assert path.exists()


def test_a_training_goes_on_from_a_checkpoint_bit_for_bit(tmp_path):
    from fastnn.models import load_model

    one = model()
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    whole = one.fit(X, Y, batch_size=4, epochs=4, callbacks=[save], verbose=0).history
    again = load_model(tmp_path / "2.keras")
    rest = again.fit(X, Y, batch_size=4, initial_epoch=2, epochs=4, verbose=0).history
    assert rest["loss"] == whole["loss"][2:]
    for a, b in zip(one.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_checkpoint_errors(tmp_path):
    with pytest.raises(ValueError, match="save_freq='epoch'"):
        callbacks.ModelCheckpoint("x.npz", save_freq="batch")
    with pytest.raises(KeyError, match=r"val_loss.*names it knows"):
        Scripted(callbacks.ModelCheckpoint("{val_loss}.npz")).run("loss", [1])
    with pytest.raises(IsADirectoryError, match="file name"):
        Scripted(callbacks.ModelCheckpoint(tmp_path)).run("loss", [1])


# --- the others ------------------------------------------------------------------------------


def test_lambda_callback():
    seen = []
    note = callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, sorted(logs))),
        on_train_end=lambda logs: seen.append("end"),
    )
    model().fit(X, Y, epochs=2, callbacks=[note], verbose=0)
    assert seen == [(0, ["loss"]), (1, ["loss"]), "end"]


def test_terminate_on_nan(capsys):
    x = X.copy()
    x[2] = np.nan
    one = model()
    one.fit(x, Y, batch_size=2, shuffle=False, epochs=4, callbacks=[callbacks.TerminateOnNaN()],
            verbose=0)  # fmt: skip
    assert one.optimizer.iterations == 2
    assert capsys.readouterr().out == "Batch 1: Invalid loss, terminating training\n"


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    one = model(metrics=["mae"])
    history = one.fit(X, Y, epochs=2, callbacks=[callbacks.CSVLogger(path)], verbose=0).history
    lines = path.read_text().splitlines()
    assert lines[0] == "epoch,loss,mae,val_loss,val_mae"
    assert lines[1] == f"0,{history['loss'][0]},{history['mae'][0]},NA,NA"
    one.fit(X, Y, initial_epoch=2, epochs=3, verbose=0,
            callbacks=[callbacks.CSVLogger(path, append=True)])  # fmt: skip
    lines = path.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "0", "1", "2"]
    one.fit(X, Y, callbacks=[callbacks.CSVLogger(path, separator=";")], verbose=0)
    assert path.read_text().startswith("epoch;loss;mae")


@pytest.mark.parametrize(
    "schedule", [lambda epoch: 0.5 / (epoch + 1), lambda epoch, rate: 0.5 / (epoch + 1)]
)
def test_learning_rate_scheduler(schedule, capsys):
    one = model()
    scheduler = callbacks.LearningRateScheduler(schedule, verbose=1)
    history = one.fit(X, Y, epochs=2, callbacks=[scheduler], verbose=0).history
    assert list(history) == ["loss", "learning_rate"]
    assert history["learning_rate"] == [0.5, 0.25]
    assert one.optimizer.learning_rate == 0.25
    said = "Epoch 2: LearningRateScheduler setting learning rate to 0.25."
    assert said in capsys.readouterr().out


def test_learning_rate_scheduler_changes_the_steps():
    one, two = model(), model()
    two.set_weights(one.get_weights())
    off = callbacks.LearningRateScheduler(lambda epoch: 0.0 if epoch else 0.5)
    one.fit(X, Y, epochs=5, callbacks=[off], verbose=0)
    two.optimizer.learning_rate = 0.5
    two.fit(X, Y, epochs=1, verbose=0)
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_learning_rate_scheduler_errors():
    with pytest.raises(ValueError, match="return a float, got None for epoch 0"):
        model().fit(X, Y, verbose=0,
                    callbacks=[callbacks.LearningRateScheduler(lambda epoch: None)])  # fmt: skip

    def broken(epoch, rate):
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        model().fit(X, Y, callbacks=[callbacks.LearningRateScheduler(broken)], verbose=0)


def test_reduce_on_plateau(capsys):
    reduce = callbacks.ReduceLROnPlateau(factor=0.5, patience=2, min_lr=0.03, verbose=1)
    script = Scripted(reduce)
    script.run("val_loss", [1, 1, 1, 1, 1, 1, 1, 1])
    assert script.optimizer.learning_rate == 0.03  # 0.1, 0.05, then the least
    out = capsys.readouterr().out
    assert "Epoch 3: ReduceLROnPlateau reducing learning rate to 0.05." in out
    assert "Epoch 5: ReduceLROnPlateau reducing learning rate to 0.03." in out
    assert out.count("reducing") == 2


def test_reduce_on_plateau_cools_down():
    reduce = callbacks.ReduceLROnPlateau(factor=0.5, patience=1, cooldown=3)
    script = Scripted(reduce)
    script.run("val_loss", [1, 1, 1, 1])
    assert script.optimizer.learning_rate == 0.05
    with pytest.raises(ValueError, match="factor below 1"):
        callbacks.ReduceLROnPlateau(factor=1.0)


def test_a_history_of_your_own_is_used():
    mine = callbacks.History()
    assert model().fit(X, Y, callbacks=[mine], verbose=0) is mine
    assert len(mine.history["loss"]) == 1
