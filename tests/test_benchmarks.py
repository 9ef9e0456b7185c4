"""The benchmarks' own checks: contenders that compute something else are not timed."""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastnn.operations import ACTIVATIONS

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("FASTNN_HOME", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")  # made-up images: the same everywhere


TRAINED = ["b32-sgd", "b32-adam", "small-adam", "tanh-rmsprop", "dropout-adamw"]
TRAINED += ["uint8-adam", "tabular-adam"]


@functools.cache
def expected(workload):
    from workloads import CHECKED_STEPS, loss_of, reference

    weights, mean = reference(workload.checked, CHECKED_STEPS)
    return {"mean": mean, "after": loss_of(workload, weights, CHECKED_STEPS)}


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("peer", ["fastnn", "fastnn-numpy", "numpy"])
def test_contenders_pass_the_check(peer, name):
    import peers
    import worker
    from workloads import BY_NAME

    worker.check_training(peers.load(peer).Contender, BY_NAME[name], expected(BY_NAME[name]))


@pytest.mark.parametrize("name", TRAINED)
def test_a_learning_rate_off_by_a_hundredth_is_found(name, monkeypatch):
    import peers
    import worker
    from workloads import BY_NAME, SETTINGS

    workload = BY_NAME[name]
    right = expected(workload)
    wrong = SETTINGS[workload.optimizer].copy()
    wrong["learning_rate"] *= 1.01
    monkeypatch.setitem(SETTINGS, workload.optimizer, wrong)
    with pytest.raises(ValueError, match="the float64 reference has"):
        worker.check_training(peers.load("numpy").Contender, workload, right)


@pytest.mark.parametrize(
    ("missing", "message"),
    [("dropout", "it drops nothing"), ("weight_decay", "the float64 reference has")],
)
def test_what_a_contender_leaves_out_is_found(missing, message):
    import peers
    import worker
    from workloads import BY_NAME

    def without(workload, x, y):
        return contender(dataclasses.replace(workload, **{missing: 0.0}), x, y)

    workload = BY_NAME["dropout-adamw"]
    contender = peers.load("numpy").Contender
    with pytest.raises(ValueError, match=message):
        worker.check_training(without, workload, expected(workload))


def test_a_wrong_prediction_is_found(monkeypatch):
    import peers
    import worker
    from workloads import BY_NAME

    workload = dataclasses.replace(BY_NAME["predict-one"], rows=3)
    worker.Turn("numpy", workload, {})
    contender = peers.load("numpy").Contender
    predict = contender.predict
    monkeypatch.setattr(contender, "predict", lambda self, x: predict(self, x) + np.eye(3, 10) / 99)
    with pytest.raises(AssertionError):
        worker.Turn("numpy", workload, {})


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop"])
def test_the_reference_knows_both_places_of_epsilon(optimizer, monkeypatch):
    from workloads import BY_NAME, SETTINGS, reference

    workload = dataclasses.replace(BY_NAME["tabular-adam"], optimizer=optimizer)
    for epsilon, equal in ((1e-7, False), (1e-30, True)):
        monkeypatch.setitem(SETTINGS, optimizer, SETTINGS[optimizer] | {"epsilon": epsilon})
        (early, *_), _ = reference(workload, 3)
        (late, *_), _ = reference(workload, 3, late_epsilon=True)
        assert np.allclose(early, late, rtol=0, atol=1e-12) == equal


def test_data():
    from workloads import BY_NAME

    x, _ = BY_NAME["uint8-adam"].data(1)
    assert x.dtype == np.uint8 and x.shape == (100, 784) and x.max() > 200
    x, y = BY_NAME["tabular-adam"].data(100)
    assert x.shape == (3200, 30) and x.dtype == np.float32
    assert set(y) == {0, 1} and 0.4 < y.mean() < 0.6


def test_who_is_left_out():
    import peers
    from workloads import WORKLOADS

    without = {w.name for w in WORKLOADS if peers.left_out("sklearn", w)}
    assert without == {"tanh-rmsprop", "dropout-adamw", "uint8-adam", "tabular-adam"}
    assert not any(peers.left_out("fastnn", w) for w in WORKLOADS)


def test_compare(tmp_path):
    """The command line: a table, a ratio to fastnn, figures as JSON."""
    file = tmp_path / "figures.json"
    result = subprocess.run(
        [
            sys.executable, str(BENCHMARKS / "compare.py"), "--workloads", "small-adam", "--peers",
            "fastnn", "numpy", "--repeat", "2", "--json", str(file), "--markdown",
        ],
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert "| 13-64-64-1, batch 32, Adam |" in result.stdout
    (row,) = json.loads(file.read_text())["rows"]
    assert set(row["ratios"]) == {"fastnn", "numpy"} and row["ratios"]["fastnn"] == 1
    assert all(len(seconds) == 2 for seconds in row["seconds"].values())


def run(script, *options):
    result = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), *options],
        capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    return result.stdout


def test_every_step_of_the_ladder_is_right():
    """A step whose product is wrong ends the program."""
    table = [line.split() for line in run("ladder.py", "--repeat", "1").splitlines()]
    steps = [line for line in table if line and line[-1][-4:-2] == "e-"]
    assert [step[0] for step in steps] == [
        "python", "numpy-rows", "naive", "along-rows", "vectors", "register-tile", "panels",
        "fastnn", "fastnn-threads", "numpy",
    ]  # fmt: skip
    assert all(0 <= float(step[-1]) < 5e-5 for step in steps)


def test_elementwise():
    """Every kernel is timed in the cache and in memory."""
    _, *table = run("elementwise.py", "--repeat", "1").splitlines()
    kernels = [(line[:9].strip(), line[10:44].strip()) for line in table]
    assert len(set(kernels)) == len(kernels)
    names = {group: {name for g, name in kernels if g == group} for group, _ in kernels}
    assert names["forward"] == names["backward"] == set(ACTIVATIONS) - {"linear"}
    assert {"mean_squared_error", "categorical_crossentropy, logits"} < names["loss"]
    assert {"SGD", "RMSprop", "Adam"} < names["update"]
    assert names["other"] == {"dropout"}
    assert all(float(number) > 0 for line in table for number in line[44:].split())


def test_products():
    """A wrong product ends the program."""
    _, _, *table = run("products.py", "--repeat", "1", "--most", "1024").splitlines()
    lines = [line.split() for line in table]
    assert {"fastnn", "NumPy"} <= {line[5] for line in lines}
    for *shape, _, rate, share, rate_back, share_back in lines:
        assert " ".join(shape) == "1024 x 1024 x 1024"
        assert float(rate) > 0 and float(rate_back) > 0
        assert share.endswith("%") and share_back.endswith("%")


def test_sweep(tmp_path):
    file = tmp_path / "times.csv"
    output = run("sweep.py", "--most", "5", "--rounds", "1", "--threads", "2", "--csv", str(file))
    assert "Widths with batches of 32: worst ratio" in output
    assert "Batches with a width of 64: worst ratio" in output
    header, *rows = [line.split(",") for line in file.read_text().splitlines()]
    assert header == ["sweep", "size", "microseconds"]
    sizes = [str(size) for size in range(1, 6)]
    assert [row[:2] for row in rows] == [[what, n] for what in ("width", "batch") for n in sizes]
    assert all(float(row[2]) > 0 for row in rows)


REPORT = {
    "conditions": "a machine",
    "rows": [
        {"title": "a workload", "ratios": {"fastnn": 1.0, "jax": 2.5, "numpy": 0.5}},
        {"title": "another", "ratios": {"fastnn": 1.0, "numpy": 40.0}},
        {"title": "fastnn alone", "ratios": {"fastnn": 1.0}},
    ],
}


def draw(monkeypatch, *arguments):
    import compare

    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, arguments)])
    return compare.main()


def test_a_chart_of_a_former_run(monkeypatch, tmp_path):
    former = tmp_path / "figures.json"
    former.write_text(json.dumps(REPORT))
    for file, start in (("ratios.png", b"\x89PNG"), ("ratios.svg", b"<?xml")):
        assert draw(monkeypatch, "--from", former, "--chart", tmp_path / file) == 0
        assert (tmp_path / file).read_bytes().startswith(start)
    svg = (tmp_path / "ratios.svg").read_text()
    assert "<!-- another -->" in svg and "<!-- tuned NumPy -->" in svg and "<!-- 2.5 -->" in svg
    assert "fastnn alone" not in svg


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "compare.py"], "--from needs --chart"),
        (["--from", "missing.json", "--chart", "a.png"], "there is no file missing.json"),
        (["--chart", "a.jpeg"], "must end in .png or .svg"),
        (["--chart", "a.svg"], "pip install matplotlib"),
    ],
)
def test_a_chart_that_cannot_be_drawn(monkeypatch, capsys, arguments, message):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit):
        draw(monkeypatch, *arguments)
    assert message in capsys.readouterr().err
