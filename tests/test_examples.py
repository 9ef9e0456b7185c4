"""The examples run as they stand, on what is embedded."""

import runpy
import sys
from pathlib import Path

import pytest

from fastnn import Model
from fastnn.datasets import _cache

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs an example in an empty folder, without MNIST and without a network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)  # as python does for a script
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("FASTNN_HOME", "KERAS_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_cache, "ORIGIN", "http://127.0.0.1:9/")

    def start(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *arguments])
        try:
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        except SystemExit as stop:
            return capsys.readouterr().out, stop.code
        return capsys.readouterr().out, 0

    return start


def test_mnist_without_mnist_runs_on_the_digits(run):
    text, status = run("mnist.py", "--seeds", "2", "--epochs", "8", "--require", "0.95")
    assert status == 0, text
    assert "Running on the small digits inside fastnn instead" in text
    assert "Total params: 50,610" in text and text.count("Model:") == 1
    assert "digits, seed 1: test loss" in text and "Mean test accuracy of 2: 0.9" in text
    assert "Epoch 8/8" in text and "val_accuracy" in text
    assert Path("mnist.png").read_bytes().startswith(b"\x89PNG") and "mnist.png" in text


def test_boston_housing(run):
    text, status = run("boston_housing.py", "--require", "3.3")
    assert status == 0, text
    assert "Total params: 5,121" in text and "Epoch 100/100" in text
    assert "seed 0: test MSE" in text and "Mean test MAE of 1: 2." in text
    assert Path("boston_housing.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "requirement"), [("mnist.py", "1.01"), ("boston_housing.py", "0.01")]
)
def test_a_requirement_that_is_missed_is_an_error(name, requirement, run):
    _, status = run(name, "--epochs", "1", "--require", requirement)
    assert requirement in str(status)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_no_picture_without_matplotlib(path, run, monkeypatch):
    """Every example runs without it; short, for what they learn is tested elsewhere."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    fit = Model.fit
    monkeypatch.setattr(Model, "fit", lambda *a, **k: fit(*a, **{**k, "epochs": 1}))
    text, status = run(path.name)
    assert status == 0
    assert ("pip install matplotlib" in text) == (path.stem != "pictures")
    assert not list(Path().glob("*.png"))
