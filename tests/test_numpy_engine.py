"""The NumPy engine: random words, sums, short batches, sources of rows, a step by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from engines import CASES, ENGINES, Case, make, train

from fastnn import _core, config, optimizers, program
from fastnn.layers import Dense, Dropout, Input
from fastnn.numpy_engine import activations, operations, updates
from fastnn.numpy_engine.random import keep_mask, philox, words
from fastnn.operations import FORWARD, RULE_SLOTS


def test_there_is_a_function_for_every_kind():
    assert {*operations.FORWARD, "segment"} == set(FORWARD)
    derived = set(operations.FORWARD) - {"random"}  # which depends on nothing
    assert set(operations.BACKWARD) == {f"{kind}_backward" for kind in derived}
    names = tuple(_core.ACTIVATIONS)
    assert tuple(activations.ACTIVATIONS) == tuple(activations.BACKWARD) == names
    assert tuple(updates.UPDATES) == tuple(RULE_SLOTS) == tuple(_core.RULES)


# Known answers of Philox4x32-10 from the file kat_vectors of Random123 (Salmon et al.).
@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, answer):
    assert philox(np.array([counter]), key).tolist() == [answer]


def test_words_depend_on_their_place_only():
    where = {"seed": 2**40 + 5, "step": 3, "stream": 1}
    all_words = words(103, **where)
    for n in (0, 1, 4, 102):
        np.testing.assert_array_equal(words(n, **where), all_words[:n])
    for change in ({"seed": 5}, {"seed": 2**41 + 5}, {"step": 4}, {"stream": 0}):
        assert np.mean(words(103, **{**where, **change}) == all_words) < 0.1


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_right_share(rate):
    keep = keep_mask(np.arange(400), 250, rate, seed=1, step=0, stream=0)
    deviation = np.sqrt(rate * (1 - rate) / keep.size)
    assert abs(keep.mean() - (1 - rate)) < 4 * deviation
    rows, columns = keep.mean(axis=1), keep.mean(axis=0)
    assert rows.std() == pytest.approx(np.sqrt(rate * (1 - rate) / 250), rel=0.2)
    assert columns.std() == pytest.approx(np.sqrt(rate * (1 - rate) / 400), rel=0.2)


def dropout_model(rate=0.25, n=40):
    config.set_random_seed(0)
    x = Input(shape=(30,))
    y = Dense(30, name="out", use_bias=False)(Dropout(rate)(x))
    case = Case([x], [y], ["mse"], [np.ones((n, 30), "f")], [np.zeros((n, 30), "f")])
    y.node.layer.set_weights([np.eye(30)])
    return case


@pytest.mark.parametrize("name", ENGINES)
def test_dropout_scales_what_it_keeps_and_rests_outside_training(name):
    case = dropout_model()
    prog = case.build(optimizers.SGD())
    engine = case.engine(ENGINES[name], prog)
    masks = []
    for step, seed in ((0, 1), (0, 1), (1, 1), (0, 2)):
        engine.train(np.arange(40), 40, np.zeros((1, 8)), step=step, seed=seed)
        masks.append(engine.value(prog.outputs[0], 40).copy())
        kept = masks[-1] != 0
        np.testing.assert_allclose(masks[-1][kept], 1 / 0.75, rtol=1e-6)
        assert 0.7 < kept.mean() < 0.8
        expected = keep_mask(np.arange(40), 30, 0.25, seed=seed, step=step, stream=0)
        np.testing.assert_array_equal(kept, expected)
    np.testing.assert_array_equal(masks[0], masks[1])
    assert np.any(masks[0] != masks[2]) and np.any(masks[0] != masks[3])
    output = np.zeros((40, 30), "f")
    case.engine(ENGINES[name], prog.for_inference).predict(0, 40, [output])
    np.testing.assert_array_equal(output, 1)


@pytest.mark.parametrize("name", ENGINES)
def test_sums_do_not_depend_on_batches(name):
    for case_name in ("binary", "several_outputs", "ranks"):
        case = make(case_name)
        prog = case.build(optimizers.SGD())
        found = []
        for batch in (1, 4, case.rows):
            engine = case.engine(ENGINES[name], prog, batch, training=False)
            engine.evaluate(np.arange(case.rows), batch)
            found.append(engine.sums.copy())
            engine.reset()
            assert not engine.sums.any()
        np.testing.assert_allclose(found[0], found[2], rtol=1e-12)
        np.testing.assert_allclose(found[1], found[2], rtol=1e-12)


@pytest.mark.parametrize("name", ENGINES)
def test_reported_numbers_are_those_of_the_definitions(name):
    case = make("binary")
    prog = case.build(optimizers.SGD())
    engine = case.engine(ENGINES[name], prog)
    engine.evaluate(np.arange(case.rows), 5)
    p = np.zeros((case.rows, 1))
    engine.predict(0, case.rows, [p])
    p, y, w = p[:, 0], case.y[0], case.weights[0]
    row_loss = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    right = (p > 0.5) == y
    assert prog.results(engine.sums) == pytest.approx(
        {
            "loss": np.sum(w * row_loss) / len(y),
            "acc": np.mean(right),
            "weighted_acc": np.sum(w * right) / np.sum(w),
            "mae": np.sum(w * abs(p - y)) / np.sum(w),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("name", ENGINES)
def test_prediction_does_not_depend_on_how_rows_are_split(name):
    case = make("several_outputs", "float32")
    prog = program.build(case.inputs, case.outputs)
    results = []
    for capacity, cuts in ((1, [0, 21]), (4, [0, 3, 20, 21]), (21, [0, 21])):
        engine = case.engine(ENGINES[name], prog, capacity, training=False)
        outputs = [np.zeros((21, 3), "f"), np.zeros((21, 2), "f")]
        for start, stop in itertools.pairwise(cuts):
            engine.predict(start, stop, outputs)
        results.append(outputs)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6)
            if name == "c":
                np.testing.assert_array_equal(a, b)


SOURCES = {
    "uint8": lambda x: (x * 20 + 100).astype("uint8"),
    "int64": lambda x: (x * 20).astype("int64"),
    "bool": lambda x: x > 0,
    "float32": lambda x: x.astype("float32"),
    "fortran": np.asfortranarray,
    "every other column": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[::-1],
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ENGINES)
def test_rows_come_from_any_array(name, source, tmp_path):
    case = make("plain")
    case.x = [SOURCES[source](case.x[0])]
    case.x[0].setflags(write=False)
    plain = [np.ascontiguousarray(case.x[0], dtype="float64")]
    prog = case.build(optimizers.SGD())
    found = []
    on_disk = np.lib.format.open_memmap(
        tmp_path / "x.npy", "w+", dtype=case.x[0].dtype, shape=case.x[0].shape
    )
    on_disk[...] = case.x[0]
    for x in (case.x, plain, [on_disk]):
        case.x = x
        engine = case.engine(ENGINES[name], prog, 8, training=False)
        engine.evaluate(np.arange(23)[::-2].copy(), 8)
        found.append(engine.sums.copy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_a_training_step_by_hand():
    case = make("plain")
    optimizer = optimizers.SGD(0.5)
    prog = case.build(optimizer)
    engine = case.engine(ENGINES["numpy"], prog)
    n = engine.gather(np.arange(case.rows))
    engine.forward(n, training=True, step=0, seed=0)
    engine.score(n, gradients=True)
    engine.backward(n)
    kernel = prog.trainable[0]
    before = kernel.numpy()
    gradient = engine.parameter_gradient(kernel).copy()
    # the gradient of the kernel is x' dz, dz being what the layer behind has left for it
    first = prog.forward[0]
    x, dz = engine.value(first.inputs[0], n), engine.gradient(first.output, n)
    np.testing.assert_allclose(gradient, x.T @ dz, rtol=1e-12)
    engine.update(optimizer.coefficients(0, 1)[0])
    np.testing.assert_allclose(kernel.value, before - 0.5 * gradient, rtol=1e-12)


def test_a_tensor_without_gradient_says_so():
    case = make("plain")
    prog = case.build(optimizers.SGD())
    engine = case.engine(ENGINES["numpy"], prog)
    with pytest.raises(ValueError, match="tensor 0 has no gradient"):
        engine.gradient(prog.inputs[0], 3)


@pytest.mark.parametrize("name", ENGINES)
def test_diverging_training_warns_of_nothing_and_has_infinite_loss(name):
    case = make("plain")
    case.losses = ["mse"]
    case.y, case.metrics = [np.ones((case.rows, 4))], None
    case.outputs = [Dense(4, activation="exponential", dtype="float64")(case.outputs[0])]
    logs = train(case, ENGINES[name], optimizers.SGD(1e30), epochs=6)
    assert not np.isfinite(logs[-1]["loss"])


@pytest.mark.parametrize("case_name", CASES)
@pytest.mark.parametrize("name", ENGINES)
def test_training_helps(name, case_name):
    logs = train(make(case_name), ENGINES[name], optimizers.Adam(0.02), epochs=40, batch=8)
    assert logs[-1]["loss"] < 0.9 * logs[0]["loss"]
