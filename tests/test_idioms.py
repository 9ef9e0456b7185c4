"""The corpus of users' losses and metrics, `idioms.py`: traced, derived, run by both engines.

Every loss stands behind a dense layer whose kernel is the identity: its predictions are the
inputs, bit for bit, and an engine's gradient of that layer's output is the loss's own.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np
import pytest
from engines import ENGINES, CEngine
from idioms import IDIOMS, LOSSES, METRICS, REFUSED

from fastnn import _core, config, losses, ops, optimizers, program
from fastnn.layers import Dense, Input
from fastnn.losses.base import FunctionLoss
from fastnn.metrics.base import FunctionMetric, Metric
from fastnn.models import Sequential

ROWS, BATCH = 7, 4

DIFFERENT = {
    "half_sum_of_squares", "sum_of_squares_over_the_number_of_rows", "nash_sutcliffe_by_column",
    "pinball_by_where", "several_quantiles_stacked",
    "one_target_for_several_outputs", "linex", "rmsle", "mape", "wing", "focal_mse",
    "mse_with_a_penalty_below_zero", "pearson", "pearson_by_column_squared",
    "errors_in_units_of_the_target", "hard_rows_weigh_more", "tweedie", "mixture_density",
    "a_class_and_a_number", "survival_by_intervals",
    "bce_weighted_by_label_and_class", "bce_with_smoothed_labels",
    "log_of_a_sigmoid", "focal_of_a_crossentropy", "bce_and_dice",
    "focal_tversky", "ordinal_by_thresholds", "hinge_of_labels_zero_and_one",
    "logistic_of_signs", "log_softmax_by_logsumexp", "cce_from_logits",
    "cce_times_the_weight_of_the_class", "cce_times_the_missing_probability",
    "sparse_cce_by_comparison", "sparse_cce_by_one_hot", "sparse_cce_by_taking_along_an_axis",
    "sparse_cce_weighted_by_a_list", "ordinal_by_the_distance_of_classes",
    "crossentropy_less_entropy", "cosine_of_unit_vectors",
    "triplet_by_softmax", "triplet_of_cosines",
}  # fmt: skip
"""Losses whose spellings in NumPy and in ops are other mathematics, or in another order."""

NOT_YET: set[str] = set()
"""Of `REFUSED`: what is not refused yet, or not in these words."""


def spelled(*groups):
    """Return parameters (name, word) for every spelling."""
    return [
        pytest.param(name, word, id=f"{name}-{word}")
        for group in groups
        for name, entry in group.items()
        for word in entry.spellings
    ]


@pytest.fixture(autouse=True)
def double():
    """Built-in losses inside of one's own compute in floatx on arrays."""
    config.set_floatx("float64")


# --- programs and data, each made once ---------------------------------------------------------


@functools.cache
def data(name, features, rows=ROWS):
    """Return targets, predictions and sample weights."""
    rng = np.random.default_rng(1)
    t, p = IDIOMS[name].arrays(rng, rows, features)
    return t, p, rng.uniform(0.5, 2, rows)


def identity(shape, activation="linear", dtype="float64"):
    """Return input and output of a model that predicts its inputs."""
    i = Input(shape=shape, dtype=dtype)
    layer = Dense(shape[-1], activation, kernel_initializer="identity", name="same", dtype=dtype)
    return i, layer(i)


def built(
    t, p, *, loss=None, metric=None, weights=None, activation="linear", dtype="float64", **options
):
    """Return a program that compares predictions of p's shape with targets of t's.

    `weights`: the shape of the weights of a sample; `metric` counts without and with them.
    """
    i, o = identity(p.shape[1:], activation, dtype)
    return program.build(
        [i],
        [o],
        losses=[loss],
        metrics=[[] if metric is None else [FunctionMetric(metric)]],
        weighted_metrics=[[] if metric is None else [FunctionMetric(metric)]],
        targets=[t.shape[1:]],
        sample_weights=[weights],
        optimizer=None if loss is None else optimizers.SGD(),
        dtype=dtype,
        **options,
    )


@functools.cache
def program_of(name, word, features, weighted):
    """Return the program of a loss."""
    t, p, _ = data(name, features)
    loss = losses.get(IDIOMS[name].spellings[word])
    return built(t, p, loss=loss, weights=() if weighted else None)


@functools.cache
def formulas_of(name, word, features):
    return str(program_of(name, word, features, False))


def run(cls, prog, t, p, w, batch=BATCH, threads=0):
    """Take training steps of rate 0; return the loss and the gradients of all predictions."""
    engine = cls(prog, batch)
    engine.bind([p], [t], [w])
    if threads:
        engine.use_threads(threads)
    kernel, bias = (v.numpy() for v in prog.trainable)
    gradients = []
    for start in range(0, len(p), batch):
        rows = np.arange(start, min(start + batch, len(p)))
        engine.train(rows, batch, np.zeros((1, 8)), step=0, seed=0)
        gradients.append(engine.gradient(prog.outputs[0], len(rows)).copy())
        for variable, value in zip(prog.trainable, (kernel, bias), strict=True):
            variable.assign(value)  # 0 x NaN is NaN
    trained = prog.results(engine.sums)
    engine.reset()
    engine.evaluate(np.arange(len(p)), batch)
    assert prog.results(engine.sums) == trained
    return trained["loss"], np.concatenate(gradients)


def called_in_python(prog):
    return [op.kind for op in prog.scoring + prog.evaluation if op.kind.startswith("python")]


# --- what is expected --------------------------------------------------------------------------


def batches(rows, size=BATCH):
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def reduced(function, t, p, w, reduction, by_row):
    """Return the loss of one batch."""
    n = len(p)
    if not by_row:
        value = function(t, p)
        total = float(n if w is None else w.sum())
        if w is None:
            return value
        return value * {"sum": total, "sum_over_batch_size": total / n}.get(reduction, 1.0)
    values = function(t, p).reshape(n, -1)
    weights = np.broadcast_to(np.ones(n)[:, None] if w is None else w.reshape(n, -1), values.shape)
    total = np.sum(values * weights)
    return (
        total
        / {
            "sum": 1.0,
            "sum_over_batch_size": values.size,
            "mean_with_sample_weight": weights.sum(),
        }[reduction]
    )


def difference(function, p, h=1e-6):
    """Return the derivative of a function of the predictions, by central differences."""
    slopes = np.zeros_like(p)
    for place in np.ndindex(*p.shape):
        moved = p.copy()
        moved[place] = p[place] + h
        up = function(moved)
        moved[place] = p[place] - h
        slopes[place] = (up - function(moved)) / (2 * h)
    return slopes


def _mse_and_variance(t, p):
    e = t - p
    return np.mean(e**2, axis=-1) + 0.5 * np.mean((e - e.mean()) ** 2, axis=-1)


def _bce_balanced(t, p):
    positive = np.mean(t)
    first = (1 - positive) * t * np.log(p)
    return -np.mean(first + positive * (1 - t) * np.log(1 - p), axis=-1)


ROWS_OF = {
    "mse_and_variance_of_the_errors": _mse_and_variance,
    "bce_balanced_by_the_batch": _bce_balanced,
}
"""The rows of means over everything in which rows meet each other."""


def rows_of(name):
    """Return a function of rows whose mean is a loss that is a mean over everything."""
    function = IDIOMS[name].numpy

    def one_by_one(t, p):
        return np.array([function(t[i : i + 1], p[i : i + 1]) for i in range(len(p))])

    return ROWS_OF.get(name, one_by_one)


@functools.cache
def expected(name, features, weighted, by_row, reduction="sum_over_batch_size"):
    """Return the loss over all batches and its gradient, of the NumPy spelling on arrays."""
    entry = IDIOMS[name]
    t, p, w = data(name, features)
    w = w if weighted else None
    function = entry.numpy
    if by_row and entry.gives == "batch" and weighted:
        function = rows_of(name)
    elif entry.gives == "batch":
        by_row = False
    loss, slopes = 0.0, []
    for rows in batches(len(p)):
        part = None if w is None else w[rows]

        def value(q, rows=rows, part=part):
            return reduced(function, t[rows], q, part, reduction, by_row)

        loss += value(p[rows]) * len(p[rows]) / len(p)
        slopes.append(difference(value, p[rows]))
    return loss, np.concatenate(slopes)


# --- losses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "word"), spelled(LOSSES))
def test_values_and_gradients(name, word):
    entry = IDIOMS[name]
    for features in entry.features:
        t, p, w = data(name, features)
        for weighted in (False, True):
            prog = program_of(name, word, features, weighted)
            assert not called_in_python(prog)
            compare(prog, t, p, w if weighted else None, expected(
                name, features, weighted, prog.losses[0].value.batched
            ))  # fmt: skip


def compare(prog, t, p, w, wanted):
    """Check the engines against each other, and against a loss and its differences."""
    (loss, slopes), (value, gradient) = (run(cls, prog, t, p, w) for cls in ENGINES.values())
    np.testing.assert_allclose(value, loss, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(value, wanted[0], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-6, atol=1e-7)


ROWS_THAT_MEET = {"bce_and_dice"}  # what gives rows, but of sums over the batch


@pytest.mark.parametrize(
    "name", [n for n, entry in LOSSES.items() if entry.gives != "batch" and n not in ROWS_THAT_MEET]
)
def test_a_row_of_weight_zero_is_selected_away(name):
    entry = LOSSES[name]
    for features in entry.features:
        t, p, w = data(name, features)
        w, spoilt = w.copy(), p.copy()
        w[2] = w[5] = 0
        prog = program_of(name, "numpy", features, True)
        wanted = run(CEngine, prog, t, p, w)
        spoilt[2], spoilt[5] = np.nan, np.inf
        for cls in ENGINES.values():
            loss, slopes = run(cls, prog, t, spoilt, w)
            assert loss == pytest.approx(wanted[0], rel=1e-12)
            assert not np.any(slopes[[2, 5]])
            np.testing.assert_allclose(slopes, wanted[1], rtol=1e-10, atol=1e-10)


REDUCED = ("mse_by_row", "rmse_by_batch", "elements_times_a_list", "huber_by_minimum", "pearson",
           "cosine_by_hand", "missing_targets_marked")  # fmt: skip


@pytest.mark.parametrize("reduction", ["sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("name", REDUCED)
def test_other_reductions(name, reduction):
    entry = LOSSES[name]
    features = entry.features[-1]
    t, p, w = data(name, features)
    for weighted in (False, True):
        loss = FunctionLoss(entry.numpy)
        loss.reduction = reduction
        prog = built(t, p, loss=loss, weights=() if weighted else None)
        compare(prog, t, p, w if weighted else None, expected(
            name, features, weighted, prog.losses[0].value.batched, reduction
        ))  # fmt: skip


ACTIVATIONS = {
    **dict.fromkeys(
        ("onehot", "labels", "labels_column", "distributions", "rank3_onehot"), "softmax"
    ),
    **dict.fromkeys(("probabilities", "levels", "rank3_masks"), "sigmoid"),
}
"""By kinds of data: what makes such probabilities of logits, and may be folded into a loss."""


def activated(activation, x):
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-x))
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("name", [n for n, entry in LOSSES.items() if entry.data in ACTIVATIONS])
def test_behind_the_activation_of_probabilities(name):
    entry = LOSSES[name]
    t, p, _ = data(name, entry.features[-1])
    activation = ACTIVATIONS[entry.data]
    x = np.log(p / (1 - p)) if activation == "sigmoid" else np.log(p)

    def loss(z):
        return np.mean(entry.numpy(t, activated(activation, z)))

    slopes = difference(loss, x).reshape(-1, x.shape[-1])
    expected = [x.reshape(slopes.shape).T @ slopes, slopes.sum(axis=0)]
    for word, fuse in [("numpy", True), ("ops", True), ("ops", False)]:
        function = losses.get(entry.spellings[word])
        prog = built(t, p, loss=function, activation=activation, fuse=fuse)
        assert not called_in_python(prog)
        start = [v.numpy() for v in prog.trainable]
        for cls in ENGINES.values():
            engine = cls(prog, ROWS)
            engine.bind([x], [t], [None])
            coefficients = np.zeros((1, 8))
            coefficients[0, 1] = 1
            engine.train(np.arange(ROWS), ROWS, coefficients, step=0, seed=0)
            assert prog.results(engine.sums)["loss"] == pytest.approx(loss(x), rel=1e-6, abs=1e-8)
            for variable, before, gradient in zip(prog.trainable, start, expected, strict=True):
                np.testing.assert_allclose(
                    before - variable.value, gradient, rtol=2e-6, atol=2e-7
                )  # fmt: skip
                variable.assign(before)


@pytest.mark.parametrize("features", [2, 9, 15, 16, 17, 64, 513])
def test_engines_agree_on_any_number_of_features(features):
    """With f = 513 a row fills a tile; two losses in one program, and metrics of them."""
    for first, second, third in (
        ("rmse_by_row", "huber_by_minimum", "pearson"),
        ("kling_gupta", "largest_error_of_a_row", "hard_rows_weigh_more"),
        ("smooth_along_the_columns", "nash_sutcliffe_by_column", "rmse_by_column"),
        ("log_softmax_by_logsumexp", "hinge_of_all_other_classes", "cce_from_logits"),
    ):
        t, p, w = data(first, features, 21)
        i, o = identity(p.shape[1:])
        again = Dense(features, "tanh", kernel_initializer="identity", dtype="float64")(o)
        prog = program.build(
            [i],
            [o, again],
            losses=[losses.get(LOSSES[first].numpy), losses.get(LOSSES[second].ops)],
            metrics=[[FunctionMetric(LOSSES[third].numpy)], [FunctionMetric(LOSSES[first].ops)]],
            loss_weights=[0.3, 2.0],
            targets=[t.shape[1:], t.shape[1:]],
            sample_weights=[(), None],
            optimizer=optimizers.SGD(),
            dtype="float64",
        )
        start = [v.numpy() for v in prog.trainable]
        found = []
        for cls in ENGINES.values():
            engine = cls(prog, 8)
            engine.bind([p], [t, t], [w, None])
            prog.reset()
            coefficients = np.zeros((3, 8))
            coefficients[:, 1] = 0.01
            engine.train(np.arange(21), 8, coefficients, step=0, seed=0)
            found.append(
                [*prog.results(engine.sums).values(), *(v.numpy() for v in prog.trainable)]
            )
            for variable, value in zip(prog.trainable, start, strict=True):
                variable.assign(value)
        for a, b in zip(*found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [n for n, entry in LOSSES.items() if entry.gives == "steps"])
def test_weights_of_steps(name):
    entry = LOSSES[name]
    t, p, _ = data(name, entry.features[-1])
    w = np.random.default_rng(2).uniform(0.5, 2, p.shape[:-1])
    for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight"):
        loss = FunctionLoss(entry.ops)
        loss.reduction = reduction

        def value(q, rows, reduction=reduction):
            return reduced(entry.numpy, t[rows], q, w[rows], reduction, True)

        slopes = [difference(lambda q, r=rows: value(q, r), p[rows]) for rows in batches(ROWS)]
        total = sum(value(p[rows], rows) * len(p[rows]) / ROWS for rows in batches(ROWS))
        prog = built(t, p, loss=loss, weights=w.shape[1:])
        compare(prog, t, p, w, (total, np.concatenate(slopes)))


@pytest.mark.parametrize("name", LOSSES)
def test_numpy_and_ops_are_one_formula(name):
    """And where they are other mathematics, the same numbers: see the test of values."""
    same = [
        formulas_of(name, "numpy", features) == formulas_of(name, "ops", features)
        for features in LOSSES[name].features
    ]
    assert all(same) == (name not in DIFFERENT)


@pytest.mark.parametrize("features", [1, 64])
def test_a_loss_of_ones_own_is_the_program_of_the_built_in(features):
    def mine(t, p):
        return np.mean(np.square(p - t), axis=-1)

    def theirs(t, p):
        return ops.mean((p - t) ** 2, axis=-1)

    t = p = np.zeros((3, features))
    built_in, first, second = (
        built(t, p, loss=losses.get(loss), weights=()) for loss in ("mse", mine, theirs)
    )
    assert str(first) == str(built_in)
    assert str(second) == str(built_in)
    assert steps(first) == steps(built_in)


def steps(prog):
    """Return the steps of the C engine's maps."""
    return [str(op.attrs["map"]) for op in prog.scoring if op.kind == "map"]


# --- bits --------------------------------------------------------------------------------------

LARGE = {
    "mse_by_row": 3, "elements_times_a_list": 3, "huber_by_where": 1, "log_cosh_by_definition": 64,
    "rmse_by_batch": 3, "pearson": 3, "nash_sutcliffe_by_column": 3, "hard_rows_weigh_more": 3,
    "missing_targets_are_nan": 3, "several_quantiles_stacked": 3, "cosine_by_hand": 17,
    "sparse_cce_by_taking_along_an_axis": 3, "log_softmax_by_logsumexp": 5, "bce_and_dice": 3,
    "mixture_density": 2, "focal_of_a_crossentropy": 1, "all_pairs_of_a_row": 4,
}  # fmt: skip
"""Of each kind some, by the number of features that they are tried with in large batches."""


def left_by(prog, t, p, w, batch, threads):
    """Return a hash of all that a C engine leaves behind."""
    start = [v.numpy() for v in prog.trainable]
    engine = CEngine(prog, batch, training=bool(prog.losses))
    engine.bind([p], [t], [w])
    engine.use_threads(threads)
    rows, left = np.arange(len(p)), []
    if prog.losses:
        steps = -(-len(p) // batch)
        coefficients = np.zeros((steps, 8))
        coefficients[:, 1] = 1e-3
        engine.train(rows, batch, coefficients, step=0, seed=0)
        left = [v.numpy() for v in prog.trainable]
        assert all(np.any(a != b) for a, b in zip(left, start, strict=True))
        for variable, value in zip(prog.trainable, start, strict=True):
            variable.assign(value)
    engine.evaluate(rows, batch)
    assert all(np.isfinite(array).all() for array in left)
    left.append(engine.sums.copy())
    return hashlib.sha256(b"".join(array.tobytes() for array in left)).digest()


def same_bits(name, features, rows, batch, every_thread):
    config.set_floatx("float32")
    entry = IDIOMS[name]
    t, p, w = (array.astype("float32") for array in data(name, features, rows))
    loss = losses.get(entry.numpy) if entry.kind == "loss" else None
    prog = built(t, p, loss=loss, metric=entry.numpy, weights=(), dtype="float32")
    before = _core.isa()
    found = {}
    _core.set_num_threads(8)
    try:
        for isa in _core.isas():
            _core.set_isa(isa)
            for threads in (1, 2, 3, 8) if every_thread else (1, 3):
                found[isa, threads] = left_by(prog, t, p, w, batch, threads)
    finally:
        _core.set_isa(before)
    reference = next(iter(found.values()))
    assert not [key for key, left in found.items() if left != reference]
    assert left_by(prog, t, p, w + 1e-3, batch, 1) != reference  # the test can fail


@pytest.mark.parametrize("name", IDIOMS)
def test_the_same_bits(name):
    same_bits(name, IDIOMS[name].features[-1], ROWS, BATCH, every_thread=False)


@pytest.mark.parametrize("name", [*LARGE, *METRICS])
def test_the_same_bits_of_large_batches(name):
    """Which threads divide, and pass in parts."""
    features = LARGE.get(name, IDIOMS[name].features[-1])
    same_bits(name, features, 1500, 700, every_thread=True)


# --- metrics -----------------------------------------------------------------------------------


def reported(cls, prog, t, p, w):
    """Evaluate; return what is reported without and with weights."""
    engine = cls(prog, BATCH, training=False)
    engine.bind([p], [t], [w])
    prog.reset()
    engine.evaluate(np.arange(len(p)), BATCH)
    plain, weighted = found = list(prog.results(engine.sums).values())
    np.testing.assert_array_equal(found, [term.metric.result() for term in prog.metrics])
    return plain, weighted


def mean_of(entry, t, p, w):
    """Return the mean of the values of rows, or of batches, with these weights of the rows."""
    parts = batches(len(p))
    with np.errstate(all="ignore"):
        values = [np.asarray(entry.numpy(t[rows], p[rows]), float) for rows in parts]
    if entry.gives == "batch":
        return np.average(values, weights=None if w is None else [w[rows].sum() for rows in parts])
    values = np.concatenate(values).reshape(len(p), -1).mean(axis=1)
    return np.average(values, weights=w)


@pytest.mark.parametrize(("name", "word"), spelled(METRICS))
def test_metrics(name, word):
    check_metric(IDIOMS[name], word)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_as_metrics(name):
    check_metric(IDIOMS[name], "numpy")


def check_metric(entry, word):
    function = entry.spellings[word]
    for features in entry.features:
        t, p, w = data(entry.name, features)
        for weights in (None, w):
            prog = built(t, p, metric=function, weights=None if weights is None else ())
            assert not called_in_python(prog)
            if entry.gives != "batch":  # added one after the other, in float64
                assert all(term.states[0].value.batched for term in prog.metrics)
            expected = mean_of(entry, t, p, None), mean_of(entry, t, p, weights)
            for cls in ENGINES.values():
                found = reported(cls, prog, t, p, weights)
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        if entry.gives == "rows" and entry.name not in ROWS_THAT_MEET:
            gone, spoilt = w.copy(), p.copy()
            gone[1], spoilt[1] = 0, np.nan
            for cls in ENGINES.values():
                _, found = reported(cls, prog, t, spoilt, gone)
                assert found == pytest.approx(mean_of(entry, t, p, gone), rel=1e-10)


def test_a_metric_of_a_model_that_evaluates():
    """Through compile and evaluate: of rows all rows, of batches each once, the short one too."""
    for name in ("mse_by_row", "pearson_metric", "r2"):
        entry = IDIOMS[name]
        t, p, w = data(name, 1)
        model = Sequential([Input((1,)), Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=[entry.numpy], weighted_metrics=[entry.ops])
        found = model.evaluate(p, t, BATCH, sample_weight=w, verbose=0)[1:]
        assert found == pytest.approx([mean_of(entry, t, p, None), mean_of(entry, t, p, w)])


@pytest.mark.parametrize(
    "name",
    ["boolean_mask", "sorted_values", "median_of_the_batch", "item_assignment", "builtin_len",
     "loop_over_rows", "functions_of_math"],
)  # fmt: skip
def test_metrics_that_cannot_be_traced_are_called(name):
    (function,) = (function for refused, function, _ in REFUSED if refused == name)
    t, p, _ = data("mse_by_row", 3)
    prog = built(t, p, metric=function)
    assert called_in_python(prog)
    expected = np.mean([function(t[rows], p[rows]) for rows in batches(ROWS)])
    for cls in ENGINES.values():
        assert reported(cls, prog, t, p, None) == pytest.approx((expected, expected), rel=1e-12)


class LessAndLess(Metric):
    """It subtracts, and what it adds has a minus."""

    def __init__(self, name="less_and_less", **kwargs):
        super().__init__(name=name, **kwargs)
        self.by_row, self.by_batch = self.add_variable(), self.add_variable()

    def update_state(self, t, p, sample_weight=None):
        self.by_row.assign_sub(ops.sum(ops.square(t - p)))
        self.by_batch.assign_add(-np.max(p))

    def result(self):
        return self.by_row + self.by_batch


def test_a_metric_that_subtracts():
    t, p, _ = data("mse_by_row", 3)
    i, o = identity((3,))
    metrics = [LessAndLess()]
    prog = program.build([i], [o], metrics=[metrics], dtype="float64")
    assert not called_in_python(prog)
    expected = -np.sum((t - p) ** 2) - sum(p[rows].max() for rows in batches(ROWS))
    for cls in ENGINES.values():
        engine = cls(prog, BATCH, training=False)
        engine.bind([p], [t])
        prog.reset()
        engine.evaluate(np.arange(ROWS), BATCH)
        assert prog.results(engine.sums)["less_and_less"] == pytest.approx(expected, rel=1e-12)


# --- refusals ----------------------------------------------------------------------------------


def model_of_three():
    model = Sequential([Input((3,)), Dense(3)])
    rng = np.random.default_rng(0)
    return model, rng.standard_normal((8, 3)), rng.standard_normal((8, 3))


def train(model, x, y, loss):
    model.compile("sgd", loss)
    return model.fit(x, y, verbose=0, batch_size=4).history["loss"][-1]


@pytest.mark.parametrize(
    ("name", "function", "words"), [refused for refused in REFUSED if refused[0] not in NOT_YET]
)
def test_refused(name, function, words):
    """The error says what to write instead; nothing has changed, another loss trains."""
    model, x, y = model_of_three()
    before = model.get_weights()
    with pytest.raises((TypeError, ValueError)) as caught:
        train(model, x, y, function)
    for word in words:
        assert word in str(caught.value)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.isfinite(train(model, x, y, "mse"))
    assert np.isfinite(train(model, x, y, IDIOMS["mse_by_batch"].numpy))


def test_not_refused_yet():
    """Fails for what is mended: take it out of NOT_YET."""
    for name, function, words in REFUSED:
        if name in NOT_YET:
            model, x, y = model_of_three()
            try:
                said = str(train(model, x, y, function))
            except (TypeError, ValueError) as error:
                said = str(error)
            assert not all(word in said for word in words), name
