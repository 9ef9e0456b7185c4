"""The progress bar: on a terminal, anywhere else, and as one line per epoch."""

from __future__ import annotations

import contextlib
import io
import re

import numpy as np
import pytest

from fastnn import Input, Sequential
from fastnn.callbacks import Progbar, progress
from fastnn.layers import Dense

BAR = "━" * 20


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


class Clock:
    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def on_terminal(work):
    """Return what `work` prints on a terminal."""
    terminal = Terminal()
    with contextlib.redirect_stdout(terminal):
        work()
    return terminal.getvalue()


def plain(text):
    return re.sub(r"\x1b\[\d+m", "", text)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (1.2e-4, "1.2000e-04"), (1e-3, "1.0000e-03"), (-2.0, "-2.0000"),
     (0.0, "0.0000e+00"), (12345.678, "12345.6780"), (float("nan"), "nan"), ("odd", "odd")],
)  # fmt: skip
def test_numbers(value, text):
    assert progress.number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(12e-6, "12us/step"), (3.4e-3, "3ms/step"), (2.2, "2s/step"), (0, "0s/step")],
)
def test_durations(seconds, text):
    assert progress.duration_per(seconds, "step") == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.9, "7s"), (60, "60s"), (67, "1:07"), (3667, "1:01:07")]
)
def test_remaining(seconds, text):
    assert progress.remaining(seconds) == text


def test_on_a_terminal(clock):
    def work():
        bar = Progbar(10, stateful_metrics=["accuracy", "loss"])
        clock.now = 1.0
        bar.update(4, [("accuracy", 0.25)])
        clock.now = 1.04
        bar.update(5, [("accuracy", 0.5)])  # too soon
        clock.now = 2.0
        bar.update(10, [("accuracy", 0.5), ("loss", 1.2e-4)])

    text = on_terminal(work)
    first, second = plain(text).split("\r")[1:]
    assert first == f" 4/10 {BAR} 1s 250ms/step - accuracy: 0.2500"
    assert second == f"10/10 {BAR} 2s 200ms/step - accuracy: 0.5000 - loss: 1.2000e-04\n"
    done = text.split("\r")[1].split(progress.GREEN)[1].split(progress.RESET)[0]
    assert done == "━" * 8


def test_a_shorter_line_covers_the_one_before(clock):
    def work():
        bar = Progbar(2, stateful_metrics=["loss"])
        clock.now = 1.0
        bar.update(1, [("loss", 100000.0)])
        clock.now = 2.0
        bar.update(2, [("loss", 1.0)])

    first, second = plain(on_terminal(work)).split("\r")[1:]
    assert len(second.rstrip("\n")) == len(first)


def test_elsewhere_only_the_finished_line_without_colours(capsys, clock):
    bar = Progbar(3)
    for step in range(3):
        clock.now += 1
        bar.update(step + 1, [("loss", float(step))])
    assert capsys.readouterr().out == f"3/3 {BAR} 3s 1s/step - loss: 1.0000\n"


def test_one_line_per_epoch(capsys, clock):
    bar = Progbar(10, verbose=2)
    clock.now = 10e-6
    bar.add(10, [("loss", 0.25)])
    assert capsys.readouterr().out == "10/10 - 0s - 1us/step - loss: 0.2500\n"


def test_silent(capsys):
    Progbar(1, verbose=0).update(1)
    assert capsys.readouterr().out == ""


def test_an_unknown_target(clock):
    def work():
        bar = Progbar(None)
        clock.now = 1.0
        bar.update(7)
        bar.update(7, finalize=True)

    assert "7/Unknown" in plain(on_terminal(work))


def test_streams_without_the_character(clock):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with contextlib.redirect_stdout(stream):
        Progbar(1).update(1)
    stream.flush()
    assert b"1/1 ====================" in stream.buffer.getvalue()


# --- what fit, evaluate and predict print ----------------------------------------------------


def model():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


X, Y = np.zeros((70, 2)), np.zeros(70)
VALUES = r" - loss: \d\.\d{4}e[+-]\d\d - mae: \d\.\d{4}e[+-]\d\d"


def test_fit(capsys):
    model().fit(X, Y, epochs=2, validation_data=(X, Y))
    time = r"\d+s \d+(s|ms|us)/step"
    valid = VALUES.replace("loss", "val_loss").replace("mae", "val_mae")
    line = rf"3/3 {BAR} {time}{VALUES}{valid}\n"
    assert re.fullmatch(rf"Epoch 1/2\n{line}Epoch 2/2\n{line}", capsys.readouterr().out)


def test_fit_of_one_epoch_has_no_headline(capsys):
    model().fit(X, Y, verbose=2)
    assert re.fullmatch(
        rf"3/3 - \d+s - \d+(s|ms|us)/step{VALUES}\n", capsys.readouterr().out
    )  # fmt: skip
    model().fit(X, Y, verbose=0)
    assert capsys.readouterr().out == ""


def test_evaluate(capsys):
    one = model()
    one.evaluate(X, Y)
    assert re.fullmatch(rf"3/3 {BAR} \d+s \S+{VALUES}\n", capsys.readouterr().out)
    one.evaluate(X, Y, verbose=0)
    assert capsys.readouterr().out == ""


def test_predict_is_silent_unless_it_takes_long_or_is_asked(capsys, clock, monkeypatch):
    one = model()
    one.predict(X)
    assert capsys.readouterr().out == ""
    one.predict(X, verbose=1)
    assert capsys.readouterr().out.startswith(f"3/3 {BAR} 0s 0s/step\n")
    engine = one._engines._predicting.engine
    slow = type("Slow", (), {"bind": engine.bind, "unbind": engine.unbind})()
    slow.predict = lambda *a: (setattr(clock, "now", clock.now + 1), engine.predict(*a))
    monkeypatch.setattr(one._engines._predicting, "engine", slow)
    one._engines.quick = None
    one.predict(X)
    assert capsys.readouterr().out.startswith(f"3/3 {BAR} 1s 333ms/step\n")


def test_on_a_terminal_the_line_grows_during_an_epoch(monkeypatch):
    monkeypatch.setattr("fastnn.training.fitting.SHOWN", 0.0)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    one = model()
    lines = plain(on_terminal(lambda: one.fit(X, Y, batch_size=1))).split("\r")
    assert lines[0] == ""
    assert lines[1].startswith(" 1/70 ")
    assert len(lines) == 1 + 70 + 1
    assert lines[-1].startswith("70/70 ")
