"""The benchmarks' own checks: contenders that compute something else are not timed."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import _core

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
    normalized = {"b128-batchnorm", "b1024-batchnorm"}
    others = {"tanh-rmsprop", "dropout-adamw", "uint8-adam", "tabular-adam"}
    assert without == normalized | others
    for peer in ("torch", "torch-compile", "numpy"):
        assert {w.name for w in WORKLOADS if peers.left_out(peer, w)} >= normalized
    assert not any(peers.left_out("jax", w) for w in WORKLOADS)
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


# --- against another checkout: all times are made up ---


def test_turns_go_abba():
    import baseline

    said = []

    def contender(name, seconds):
        return lambda: said.append(name) or seconds

    pairs = baseline.take_turns([contender("A", 1.0), contender("B", 2.0)], 4)
    assert "".join(said) == "ABBAABBA"
    assert pairs == [(1.0, 2.0)] * 4


def test_the_interval_of_a_median():
    import baseline

    # 40 values: the 14th and the 27th, as in tables of the sign test.
    assert [baseline.rank(n) for n in (1, 2, 5, 6, 8, 9, 40, 100)] == [0, 0, 0, 0, 0, 1, 13, 39]
    for n in (6, 17, 40, 320):
        tails = [sum(math.comb(n, i) for i in range(baseline.rank(n) + k)) / 2**n for k in (1, 2)]
        assert tails[0] <= 0.025 < tails[1]
    ratios = np.random.default_rng(0).permutation(np.arange(1.0, 41.0))
    result = baseline.estimate([(2.0, 2 * ratio) for ratio in ratios])
    assert result == baseline.Estimate(20.5, 14.0, 27.0)


def made_up(*runs):
    """Return a measure that gives these ratios, run by run, with a spread of 0.1 %, and its log."""
    ratios, calls = iter(runs), []

    def measure(against_itself, pairs):
        calls.append((against_itself, pairs))
        ratio, spread = next(ratios), 0.001
        if isinstance(ratio, tuple):
            ratio, spread = ratio
        return [(1.0, ratio + spread * (-1) ** i) for i in range(pairs)]

    return measure, calls


def test_a_row_is_slower_if_two_runs_say_so():
    import baseline

    for runs, slower in (
        ([1.02], False),
        ([1.0305], False),  # its interval begins below
        ([1.05, 1.02], False),
        ([1.05, 1.04], True),
        ([0.9], False),
    ):
        measure, calls = made_up(1.0, *runs)
        row = baseline.compare(measure, 40, 1.03)
        assert calls == [(True, 40)] + [(False, 40)] * len(runs)
        assert row.counts and row.slower == slower
        assert row.ratio.median == pytest.approx(np.mean(runs), abs=0.0011)


def test_an_unsteady_row_gets_more_pairs():
    import baseline

    noisy = (1.0, 0.1)
    measure, calls = made_up(noisy, noisy, 1.0, 1.0)
    row = baseline.compare(measure, 40, 1.03)
    assert calls == [(True, 40), (True, 40), (True, 80), (False, 160)]
    assert row.counts and not row.slower

    for same in (noisy, 1.02, 0.98):  # or it is steady, but not around 1
        measure, calls = made_up(*[same] * 4)
        row = baseline.compare(measure, 40, 1.03)
        assert calls == [(True, 40), (True, 40), (True, 80), (True, 160)]
        assert not row.counts and not row.slower

    measure, calls = made_up(1.02, 1.0)  # half of what is to be found: enough for an import
    assert baseline.compare(measure, 40, 1.05).counts


def test_what_is_found():
    import baseline

    def row(*runs, limit=1.03, same=1.0):
        same_run, *others = [made_up(r)[0](False, 40) for r in (same, *runs)]
        return baseline.Comparison(limit, same_run, others)

    rows = {"a": row(1.02), "b": row(1.0)}
    assert baseline.geometric_mean(rows.values()) == pytest.approx(1.02**0.5)
    assert baseline.findings(rows, {"import": row(1.04, limit=1.05)}, (100.0, 150.0)) == []
    assert baseline.findings({"a": row(1.02)}, {}, None) == [
        "slower: the geometric mean, 1.020, is above 1.01"
    ]
    rows = {"a": row(1.06, 1.05), "b": row(0.9), "c": row(same=1.5)}
    assert baseline.findings(rows, {"import": row(1.1, 1.1, limit=1.05)}, (100.0, 151.0)) == [
        "slower: a", "slower: import", "larger: the package, more than 1.5 times",
    ]  # fmt: skip
    assert baseline.geometric_mean([row(same=1.5)]) is None
    assert baseline.findings({"c": row(same=1.5)}, {}, None) == []


def test_a_checkout_is_where_its_modules_are(tmp_path, monkeypatch):
    import baseline
    from processes import Failure

    checkout = baseline.Checkout(tmp_path, 1)
    inside = str(tmp_path / "fastnn" / "_core.so")
    checkout.require([inside])
    for files in ([], [inside, fastnn.__file__], [str(tmp_path / "fastnn.py")]):
        with pytest.raises(Failure, match="imported"):
            checkout.require(files)
    monkeypatch.setenv("PYTHONPATH", "more")
    assert checkout.variables["PYTHONPATH"] == os.pathsep.join([str(tmp_path), "more"])
    (tmp_path / "fastnn").mkdir()
    for name, content in (("a.py", "12"), ("b.c", "345"), ("c.cpython-1.so", "6789")):
        (tmp_path / "fastnn" / name).write_text(content)
    assert checkout.package_bytes() == 2


def test_a_worker_tells_what_it_imported(monkeypatch, tmp_path):
    """Without the check, an installed fastnn would be timed in place of the checkout."""
    import baseline
    from processes import Failure
    from workloads import BY_NAME

    monkeypatch.setenv("PYTHONPATH", str(Path(fastnn.__file__).parents[1]))
    with pytest.raises(Failure, match="imported"):
        baseline.Checkout(tmp_path, 1).start(BY_NAME["predict-one"])


def test_against_another_checkout(monkeypatch, tmp_path, capsys):
    """The command line, from one checkout to itself; what it finds depends on the machine."""
    import baseline
    import compare

    checkout = Path(fastnn.__file__).parents[1]
    monkeypatch.setattr(baseline, "THIS", checkout)
    monkeypatch.setattr(baseline, "GROWTH", 1)
    monkeypatch.setattr(baseline, "steady", lambda same, limit: True)
    file = tmp_path / "figures.json"
    arguments = ["--baseline", checkout, "--workloads", "predict-one", "import", "size"]
    arguments += ["--pairs", 1, "--turn", 0.001, "--threads", 1, "--json", file]
    monkeypatch.setattr(sys, "argv", ["compare.py", *map(str, arguments)])
    status = compare.main()
    output = capsys.readouterr().out
    report = json.loads(file.read_text())
    assert status == int(bool(report["findings"])) and not report["failures"]
    titles = ["predict one sample", *footprint_statements()]
    assert [row["title"] for row in report["rows"]] == titles
    assert all(f"\n{title}\n  A/A " in output for title in titles)
    assert all(len(row["same"]) == 1 == len(row["runs"][0]) for row in report["rows"])
    assert report["bytes"][0] == report["bytes"][1] > 1e5
    assert "geometric mean of 1 of 1 workloads" in output
    assert "fewer than 40 pairs: a look, no verdict" in output


def footprint_statements():
    import footprint

    return footprint.LIBRARIES["fastnn"][2:]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pairs", "80"], "--pairs is for --baseline"),
        (["--baseline", ".", "--peers", "jax"], "--peers is not for --baseline"),
        (["--baseline", ".", "--from", "a.json"], "--from is not for --baseline"),
        (["--baseline", ".", "--pairs", "0"], "must be at least 1"),
    ],
)
def test_options_that_do_not_go_together(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit):
        draw(monkeypatch, *arguments)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("init", "message"),
    [("", "_core"), ("raise ImportError('half a checkout')", "half a checkout")],
)
def test_a_baseline_that_is_not_built(monkeypatch, tmp_path, init, message):
    """Its _core is missing, or is found elsewhere if fastnn is installed in editable mode."""
    (tmp_path / "fastnn").mkdir()
    (tmp_path / "fastnn" / "__init__.py").write_text(init)
    with pytest.raises(SystemExit, match=rf"{message}.*build_ext -i"):
        draw(monkeypatch, "--baseline", tmp_path)


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
    assert names["forward"] == names["backward"] == set(_core.ACTIVATIONS) - {"linear"}
    assert {"binary crossentropy", "categorical crossentropy"} < names["loss"]
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
