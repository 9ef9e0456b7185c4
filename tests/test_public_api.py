"""What `import fastnn as keras` offers: names, old spellings, and the command line."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnn
import fastnn as keras
from fastnn import benchmark
from fastnn.__main__ import main

RANDOM = np.random.default_rng(0)


def run(code):
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


# --- names ------------------------------------------------------------------------------------


def test_every_name_is_there_and_listed():
    assert dir(fastnn) == sorted(fastnn.__all__)
    for name in fastnn.__all__:
        assert getattr(fastnn, name) is getattr(fastnn, name) is not None
    with pytest.raises(AttributeError, match="module 'fastnn' has no attribute 'Sequentail'"):
        fastnn.Sequentail  # noqa: B018


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(fastnn.__file__).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name for node in block.body for alias in node.names}
    assert seen | {"__version__"} == set(fastnn.__all__)


@pytest.mark.parametrize(
    "name", [n for n in fastnn.__all__ if n.islower() and not n.startswith("_")]
)
def test_submodules_keep_their_promises(name):
    module = getattr(fastnn, name)
    for member in getattr(module, "__all__", []):
        assert hasattr(module, member), member


@pytest.mark.parametrize(
    "code",
    [
        "import fastnn.layers, fastnn.models",
        "import fastnn; fastnn.losses, fastnn.callbacks, fastnn.saving",
        "from fastnn.saving import load_model; from fastnn.models import Sequential",
        "from fastnn import *; Sequential([Input(shape=(2,)), layers.Dense(1)])",
    ],
)
def test_a_fresh_interpreter_may_begin_anywhere(code):
    run(code)


def test_import_is_light():
    loaded = run(
        "import numpy, sys; before = set(sys.modules); import fastnn;"
        "print(*sorted(set(sys.modules) - before))"
    ).split()
    assert {name for name in loaded if name.startswith("fastnn")} == {"fastnn", "fastnn._version"}
    assert len(loaded) <= 4, loaded


def test_models_need_no_archives_and_no_network():
    loaded = run(
        "import numpy, dataclasses, sys; before = set(sys.modules); import fastnn.models;"
        "print(*sorted(set(sys.modules) - before))"
    ).split()
    heavy = {"zipfile", "json", "urllib.request", "http.client", "inspect", "argparse"}
    assert not heavy & set(loaded)


# --- course code ------------------------------------------------------------------------------


X, Y = RANDOM.random((60, 784)), RANDOM.integers(10, size=60)


def test_a_first_notebook(tmp_path, monkeypatch):
    """The steps of a first chapter on neural networks, in its spellings."""
    monkeypatch.chdir(tmp_path)
    x = (255 * X).astype(np.uint8).reshape(-1, 28, 28)
    model = keras.models.Sequential()
    model.add(keras.layers.Flatten(input_shape=[28, 28]))
    model.add(keras.layers.Dense(30, activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    assert [layer.name for layer in model.layers] == ["flatten", "dense", "dense_1"]
    weights, biases = model.layers[1].get_weights()
    assert weights.shape == (784, 30) and biases.shape == (30,)
    model.compile(
        loss=keras.losses.sparse_categorical_crossentropy,
        optimizer=keras.optimizers.SGD(),
        metrics=[keras.metrics.sparse_categorical_accuracy],
    )
    checkpoint = keras.callbacks.ModelCheckpoint("my_model.h5", save_best_only=True)
    early = keras.callbacks.EarlyStopping(patience=10, restore_best_weights=True)
    history = model.fit(
        x[:40] / 255.0, Y[:40], epochs=2, validation_data=(x[40:] / 255.0, Y[40:]), verbose=0,
        callbacks=[checkpoint, early],
    )  # fmt: skip
    assert sorted(history.history) == [
        "loss", "sparse_categorical_accuracy", "val_loss", "val_sparse_categorical_accuracy",
    ]  # fmt: skip
    model.save("again.h5")
    loaded = keras.models.load_model("again.h5")
    np.testing.assert_array_equal(
        loaded.predict(x[:3] / 255.0, verbose=0), model.predict(x[:3] / 255.0, verbose=0)
    )


def test_spellings_of_keras_1_and_2():
    from fastnn.layers import Activation, Dense, Dropout
    from fastnn.models import Sequential

    model = Sequential()
    model.add(Dense(20, input_dim=784, init="uniform"))
    model.add(Activation("relu"))
    model.add(Dropout(0.5))
    model.add(Dense(10, input_shape=(20,), activation="softmax"))
    limits = np.abs(model.layers[0].get_weights()[0])
    assert 0.04 < limits.max() <= 0.05
    model.compile(
        loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(lr=0.01), metrics=["acc"]
    )
    history = model.fit(X, keras.utils.to_categorical(Y, 10), verbose=0)
    assert sorted(history.history) == ["acc", "loss"]


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("auxiliary", [False, True])
def test_wide_and_deep(inputs, auxiliary):
    a = keras.layers.Input(shape=[5], name="wide_input")
    b = keras.layers.Input(shape=[6], name="deep_input") if inputs == 2 else a
    hidden = keras.layers.Dense(30, activation="relu")(b)
    hidden = keras.layers.Dense(30, activation="relu")(hidden)
    output = keras.layers.Dense(1, name="main_output")(keras.layers.concatenate([a, hidden]))
    outputs = [output]
    if auxiliary:
        outputs.append(keras.layers.Dense(1, name="aux_output")(hidden))
    model = keras.models.Model(inputs=[a, b][:inputs], outputs=outputs)
    model.compile(
        loss=["mse"] * len(outputs), loss_weights=[0.9, 0.1][: len(outputs)], optimizer="sgd"
    )
    x = (X[:, :5], X[:, 5:11]) if inputs == 2 else X[:, :5]
    y = [X[:, 0]] * len(outputs)
    history = model.fit(x, y, epochs=2, verbose=0)
    expected = {"loss"} | ({"main_output_loss", "aux_output_loss"} if auxiliary else set())
    assert set(history.history) == expected
    predictions = model.predict(x, verbose=0)
    assert len(predictions) == 2 if auxiliary else predictions.shape == (60, 1)


# --- the command line -------------------------------------------------------------------------


def test_info(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for word in ("fastnn", fastnn.__version__, "NumPy", np.__version__, "CPU", "ISA", "threads"):
        assert word in text


def test_bench(capsys, monkeypatch):
    small = (
        benchmark.Workload((20, 8, 10), 4, "sgd", 2), benchmark.Workload((13, 8, 1), 4, "adam", 2),
    )  # fmt: skip
    monkeypatch.setattr(benchmark, "WORKLOADS", small)
    monkeypatch.setattr(benchmark, "PREDICTED_ROWS", 50)
    assert main(["bench", "--roofline", "--repeat", "1"]) == 0
    assert capsys.readouterr().out.count("% of the roofline") == 2
    assert main(["bench", "--repeat", "1"]) == 0
    text = capsys.readouterr().out
    assert text.count(" us  ") == 4
    for words in ("20-8-10, batch 4, sgd", "13-8-1, batch 4, adam", "one sample", "50 samples"):
        assert words in text


def test_the_command_line_says_what_it_knows(capsys):
    for arguments in ([], ["fly"], ["bench", "--repeat", "0"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
    assert "--repeat must be at least 1" in capsys.readouterr().err
    importlib.import_module("fastnn.__main__")
