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

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def on_path(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.setenv("FASTNN_HOME", "/nowhere")
    monkeypatch.setenv("HOME", "/nowhere")  # made-up images: the same everywhere


@functools.cache
def expected(workload):
    from workloads import CHECKED_STEPS, loss_of, reference

    weights, mean = reference(workload, CHECKED_STEPS)
    return {"mean": mean, "after": loss_of(workload, weights, CHECKED_STEPS)}


@pytest.mark.parametrize("name", ["b32-sgd", "b32-adam", "small-adam"])
@pytest.mark.parametrize("peer", ["fastnn", "fastnn-numpy", "numpy"])
def test_contenders_pass_the_check(peer, name):
    import peers
    import worker
    from workloads import BY_NAME

    worker.check_training(peers.load(peer).Contender, BY_NAME[name], expected(BY_NAME[name]))


@pytest.mark.parametrize("name", ["b32-sgd", "b32-adam", "small-adam"])
def test_a_learning_rate_off_by_a_hundredth_is_found(name, monkeypatch):
    import peers
    import worker
    from workloads import BY_NAME

    workload = BY_NAME[name]
    right = expected(workload)
    module = peers.load("numpy")
    settings = "SGD" if workload.optimizer == "sgd" else "ADAM"
    rates = getattr(module, settings)
    monkeypatch.setattr(module, settings, rates | {"learning_rate": 1.01 * rates["learning_rate"]})
    with pytest.raises(ValueError, match="the float64 reference has"):
        worker.check_training(module.Contender, workload, right)


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
