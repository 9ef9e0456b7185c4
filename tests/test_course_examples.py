"""The smaller examples of the course run as they stand and show what they say they show."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs an example in an empty folder; returns what it prints, its picture being there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)  # as python does for a script

    def start(name):
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        assert Path(f"{name}.png").read_bytes().startswith(b"\x89PNG")
        return capsys.readouterr().out

    return start


def test_perceptron(run):
    text = run("perceptron")
    right = [int(n) for n in re.findall(r"(\d) of 4 right", text)]
    assert right[0] == 4 and right[1] < 4 and right[2] == 4


def test_activations(run):
    rows = dict(re.findall(r"^(\w+) .* (\d+\.\d+)$", run("activations"), re.MULTILINE))
    assert len(rows) == 9
    assert float(rows["sigmoid"]) < 1e-5 and float(rows["relu"]) == 1


def test_decision_boundaries(run):
    text = run("decision_boundaries")
    for name in ("moons", "circles", "spirals"):
        accuracies = re.findall(rf"{name}, two hidden layers of (\d+): accuracy (\S+)", text)
        assert [width for width, _ in accuracies] == ["1", "2", "4", "32"]
        assert float(accuracies[0][1]) < 0.95 < float(accuracies[-1][1])


def test_wide_and_deep(run):
    text = run("wide_and_deep")
    assert "Connected to" in text and "Total params: 1,357" in text
    scores = dict(re.findall(r"^test (\w+): (\S+)$", text, re.MULTILINE))
    price, auxiliary = float(scores["price_loss"]), float(scores["auxiliary_loss"])
    assert float(scores["loss"]) == pytest.approx(0.9 * price + 0.1 * auxiliary, abs=0.01)
    assert float(scores["price_mae"]) < 4


def test_early_stopping(run):
    text = run("early_stopping")
    (_, long_loss), (short, short_loss) = re.findall(r"(\d+) epochs, test loss (\S+),", text)
    assert int(short) < 100 and float(short_loss) < float(long_loss)
