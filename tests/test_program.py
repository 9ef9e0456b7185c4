"""What programs are made of: rewrites, modes, targets; and that rewrites change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from engines import CASES, ENGINES, Case, make, restore, snapshot, train, variables

from fastnn import config, losses, metrics, optimizers, program
from fastnn.layers import Activation, Add, Dense, Flatten, Input
from fastnn.operations import ACCUMULATE, OVERWRITE, SKIP

RULES = {
    "sgd": optimizers.SGD(0.05),
    "nesterov": optimizers.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adam": optimizers.Adam(0.01),
}


def fresh(name):
    optimizer = RULES[name]
    return type(optimizer).from_config(optimizer.get_config())


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("engine", ENGINES)
def test_rewrites_change_nothing(engine, name):
    case = make(name)
    start = snapshot(case)
    logs, weights = [], []
    for fuse in (True, False):
        restore(case, start)
        logs.append(train(case, ENGINES[engine], fresh("adam"), batch=8, fuse=fuse))
        weights.append(snapshot(case))
    for fused, plain in zip(*logs, strict=True):
        assert fused == pytest.approx(plain, rel=1e-9)
    for fused, plain, before in zip(*weights, start, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-8, atol=1e-10)
        assert fused.shape == before.shape
    assert any(np.any(a != b) for a, b in zip(weights[0], start, strict=True))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("engine", ENGINES)
def test_updates_inside_the_backward_pass_are_the_same_updates(engine, rule):
    case = make("plain")
    start = snapshot(case)
    weights = []
    for fuse in (True, False):
        restore(case, start)
        train(case, ENGINES[engine], fresh(rule), batch=5, fuse=fuse)
        weights.append(snapshot(case))
    for fused, plain in zip(*weights, strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-8, atol=1e-10)


def kinds(operations):
    return [op.kind for op in operations]


def test_a_classifier_is_fused():
    prog = make("plain").build(optimizers.Adam())
    assert kinds(prog.forward) == ["dense", "dense", "dense", "activation"]
    assert [op.attrs["activation"] for op in prog.forward] == ["relu", "tanh", "linear", "softmax"]
    assert prog.forward[-1].attrs["folded"]
    (loss,) = prog.losses
    assert loss.value.op.name == "sparse_softmax_crossentropy"
    superop = prog.scoring[0]
    assert superop.kind == "crossentropy"
    assert superop.attrs["kind"] == "sparse_categorical"
    assert superop.inputs == prog.forward[-1].inputs
    assert superop.attrs["probability"] == prog.forward[-1].output == prog.outputs[0]
    assert superop.attrs["mode"] == OVERWRITE
    assert kinds(prog.backward) == ["dense_backward"] * 3
    assert [op.attrs.get("derivative") for op in prog.backward] == [
        ("tanh", 0.0), ("relu", 0.0), None
    ]  # fmt: skip
    assert [op.attrs.get("derivative_done") for op in prog.backward] == [None, True, True]
    assert prog.backward[-1].input_modes == (SKIP,)
    assert all(update.fused for update in prog.updates)
    assert len(prog.updates) == 6


def test_without_rewrites():
    prog = make("plain").build(optimizers.Adam(), fuse=False)
    assert kinds(prog.forward) == ["dense", "activation"] * 3
    assert "map" in kinds(prog.scoring) and "crossentropy" not in kinds(prog.scoring)
    assert not any(update.fused for update in prog.updates)
    assert not any("derivative" in op.attrs for op in prog.backward)


def test_an_activation_layer_behind_dense_is_fused_only_if_nobody_reads_between():
    x = Input(shape=(4,))
    z = Dense(3)(x)
    prog = program.build([x], [Activation("relu")(z)])
    assert kinds(prog.forward) == ["dense"]
    prog = program.build([x], [Activation("relu")(z), z])
    assert kinds(prog.forward) == ["dense", "activation"]
    prog = program.build([x], [Add()([Activation("relu")(z), z])])
    assert kinds(prog.forward) == ["dense", "activation", "segment"]
    prog = program.build([x], [Activation("gelu")(z)])  # its derivative needs z
    assert kinds(prog.forward) == ["dense", "activation"]


def test_probabilities_that_go_on_are_computed_where_they_stand():
    prog = make("several_outputs").build(optimizers.Adam())
    softmax = next(op for op in prog.forward if op.attrs.get("activation") == "softmax")
    assert "folded" not in softmax.attrs
    # label smoothing makes a map of it; it reads the logits all the same
    assert prog.losses[0].value.op.name == "softmax_crossentropy"
    # the logits' gradient: first from the loss, then through the softmax
    (slope,) = [slope for slope in prog.gradients if slope.tensor == softmax.inputs[0]]
    assert slope.mode == OVERWRITE
    backward = next(op for op in prog.backward if op.kind == "activation_backward")
    assert backward.input_modes == (ACCUMULATE,)


def test_the_first_contribution_overwrites_and_the_next_accumulate():
    x = Input(shape=(4,))
    h = Dense(4, activation="relu")(x)
    y = Add()([Dense(4)(h), h])
    case = Case([x], [y], ["mse"], [np.zeros((2, 4))], [np.zeros((2, 4))])
    prog = case.build(optimizers.SGD())
    assert [op.input_modes for op in prog.backward] == [
        (OVERWRITE, OVERWRITE), (ACCUMULATE,), (SKIP,)
    ]  # fmt: skip
    assert "derivative_done" not in prog.backward[-1].attrs


def test_a_shared_layer_is_updated_once_from_the_whole_gradient():
    prog = make("shared").build(optimizers.SGD())
    calls = [op for op in prog.backward if op.params and op.params[0].path == "dense/kernel"]
    assert [op.param_modes[0] for op in calls] == [OVERWRITE, ACCUMULATE, ACCUMULATE]
    fused = {update.variable.path: update.fused for update in prog.updates}
    assert fused == {
        "dense/kernel": False, "dense/bias": False, "out/kernel": True, "out/bias": True
    }  # fmt: skip


def test_nothing_is_computed_below_the_lowest_trainable_variable():
    case = make("frozen")
    prog = case.build(optimizers.SGD())
    # out, the frozen middle (its input only), the trainable one; the first is left out
    assert [op.input_modes for op in prog.backward] == [(OVERWRITE,), (OVERWRITE,), (SKIP,)]
    assert [op.param_modes for op in prog.backward] == [
        (OVERWRITE, OVERWRITE), (SKIP, SKIP), (OVERWRITE, OVERWRITE)
    ]  # fmt: skip
    assert len(prog.variables) == 8 and len(prog.trainable) == len(prog.updates) == 4
    names = [v.path for v in prog.variables]
    before = dict(zip(names, snapshot(case), strict=True))
    train(case, ENGINES["numpy"], optimizers.SGD(0.1))
    changed = {v.path for v in variables(case) if np.any(v.value != before[v.path])}
    assert changed == {v.path for v in prog.trainable}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_model_without_trainable_variables_has_no_backward_part(engine):
    case = make("binary")
    for node in {o.node for o in case.outputs}:
        node.layer.trainable = False
    hidden = case.outputs[0].node.inputs[0].node.layer
    hidden.trainable = False
    prog = case.build(optimizers.SGD())
    assert prog.backward == [] and prog.updates == [] and prog.losses[0].mode == SKIP
    assert not any(storage.gradient for storage in prog.storages)
    (log,) = train(case, ENGINES[engine], optimizers.SGD(), epochs=1)
    assert log["loss"] > 0


def test_views_share_a_storage_which_is_then_not_padded():
    x = Input(shape=(3, 5))
    prog = program.build([x], [Dense(2)(Flatten()(x))])
    a, b = prog.tensors[prog.inputs[0]], prog.tensors[prog.forward[0].inputs[0]]
    assert a.storage == b.storage and (a.shape, b.shape) == ((3, 5), (15,))
    assert not prog.storages[a.storage].padded
    assert prog.storages[prog.tensors[prog.outputs[0]].storage].padded


def test_numbering_has_no_gaps():
    for name in CASES:
        prog = make(name).build(optimizers.SGD())
        assert [t.index for t in prog.tensors] == list(range(len(prog.tensors)))
        assert [s.index for s in prog.storages] == list(range(len(prog.storages)))
        used = {t.storage for t in prog.tensors}
        assert used == set(range(len(prog.storages)))


def test_an_output_may_be_an_input_and_appear_twice():
    x = Input(shape=(2,))
    h = Dense(2, activation="relu")(x)
    prog = program.build([x], [x, h, h])
    assert prog.outputs[0] == prog.inputs[0] and prog.outputs[1] == prog.outputs[2]
    engine = ENGINES["numpy"](prog, 4, training=False)
    rows = np.arange(6.0).reshape(3, 2)
    engine.bind([rows])
    outputs = [np.zeros((3, 2)) for _ in range(3)]
    engine.predict(0, 3, outputs)
    np.testing.assert_array_equal(outputs[0], rows)
    np.testing.assert_array_equal(outputs[1], outputs[2])


def test_a_missing_input_is_named():
    a, b = Input(shape=(2,), name="left"), Input(shape=(2,), name="right")
    with pytest.raises(ValueError, match=r"depend on the input 'right'.*'left'.*inputs="):
        program.build([a], [Add()([a, b])])


def test_print():
    text = str(make("plain").build(optimizers.SGD()))
    assert "t1[17] = dense(t0[15]; activation=relu" in text.replace("t2", "t1").replace(
        "t1[15]", "t0[15]"
    )
    assert "sparse_softmax_crossentropy(y0, t" in text and "(fused)" in text


# --- targets ---------------------------------------------------------------------------------


def fit(loss, shape, target, metric=()):
    x = Input(shape=shape)
    return program.build(
        [x], [Activation("linear", name="out")(x)], losses=[losses.get(loss)],
        metrics=[[metrics.get(m) for m in metric]], targets=[target],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("loss", "shape", "target"),
    [
        ("mse", (1,), ()), ("mse", (1,), (1,)), ("mse", (3,), (3,)), ("mse", (3,), (3, 1)),
        ("mse", (4, 3), (4, 3)), ("mse", (4, 1), (4,)), ("bce", (1,), ()),
        ("sparse_categorical_crossentropy", (3,), ()),
        ("sparse_categorical_crossentropy", (3,), (1,)),
        ("sparse_categorical_crossentropy", (4, 3), (4,)),
        ("categorical_crossentropy", (3,), (3,)),
    ],
)  # fmt: skip
def test_targets_that_fit(loss, shape, target):
    fitted = fit(loss, shape, target).targets[0].shape
    assert fitted == (target if loss.startswith("sparse_") else shape)


@pytest.mark.parametrize("target", [(), (1,), (2,)])
def test_targets_of_a_loss_in_python_fit_as_they_are_or_with_a_last_axis_of_1(target):
    def mine(y_true, y_pred):
        return np.mean(y_pred, axis=-1) + np.sum(y_true)

    assert fit(mine, (1,), target).targets[0].shape == (target or (1,))
    assert fit(mine, (3,), target).targets[0].shape == target


@pytest.mark.parametrize(
    ("loss", "shape", "target", "advice"),
    [
        ("mse", (3,), (), "class labels use loss='sparse_categorical_cross.* Dense\\(1\\)"),
        ("bce", (3,), (), "class labels use loss='sparse_categorical_crossentropy', to predict"),
        ("mse", (3,), (1,), "Dense\\(1\\)"),
        ("mse", (3,), (4,), "as many units"),
        ("mse", (4, 3), (3,), "Flatten"),
        ("categorical_crossentropy", (3,), (), "sparse_categorical_crossentropy.*to_categorical"),
        ("categorical_hinge", (3,), (), "integer labels use utils.to_categorical"),
        ("sparse_categorical_crossentropy", (3,), (3,), "'categorical_crossentropy'"),
        ("sparse_categorical_crossentropy", (3,), (2,), "one integer per row"),
    ],
)
def test_targets_that_do_not_fit(loss, shape, target, advice):
    with pytest.raises(ValueError, match=f"output 'out': predictions have shape.*{advice}"):
        fit(loss, shape, target)


def test_a_metric_that_does_not_fit_the_targets_is_named():
    with pytest.raises(ValueError, match="'sparse_categorical_accuracy' of output 'out'"):
        fit("categorical_crossentropy", (3,), (3,), ["sparse_categorical_accuracy"])
    with pytest.raises(ValueError, match=r"'accuracy' of .* metrics=\['accuracy'\], to predict"):
        fit("sparse_categorical_crossentropy", (3,), (), [metrics.Accuracy()])


def test_names_of_results():
    prog = make("several_outputs").build(optimizers.SGD())
    assert prog.result_names == [
        "loss", "kind_accuracy", "place_mae", "place_RootMeanSquaredError",
        "kind_weighted_accuracy", "kind_loss", "place_loss",
    ]  # fmt: skip
    assert make("binary").build(optimizers.SGD()).result_names == [
        "loss", "acc", "weighted_acc", "mae"
    ]  # fmt: skip


def test_a_metric_given_twice_is_numbered():
    prog = fit("mse", (1,), (1,), ["mae", "mae"])
    assert prog.result_names == ["loss", "mae", "mae_1"]


def test_softmax_with_from_logits_is_warned_about():
    config.set_random_seed(0)
    x = Input(shape=(2,))
    y = Dense(3, activation="softmax", name="out")(x)
    with pytest.warns(UserWarning, match="'out' ends in softmax.*from_logits=True"):
        program.build([x], [y], losses=[losses.SparseCategoricalCrossentropy(from_logits=True)])


def test_an_output_without_loss_or_metric_needs_no_target():
    case = make("several_outputs")
    case.losses, case.metrics, case.weighted_metrics = [None, "mse"], None, None
    case.y = [None, case.y[1]]
    prog = case.build(optimizers.SGD(0.1))
    assert [target.output for target in prog.targets] == [1]
    assert prog.result_names == ["loss"]
    first, *_, last = train(case, ENGINES["numpy"], optimizers.SGD(0.1), epochs=20)
    assert last["loss"] < first["loss"]


def test_penalties_are_not_dropped_silently():
    x = Input(shape=(2,))
    layer = Dense(3)
    y = layer(x)
    layer.kernel.regularizer = lambda w: w.sum()
    with pytest.raises(ValueError, match="'dense/kernel' has a regularizer or a constraint"):
        program.build([x], [y])
