"""A name that fastnn does not have: the error says what to use instead, or what is meant."""

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import fastnn
from fastnn.missing import KERAS_HAS
from fastnn.optimizers import schedules

MODULES = [fastnn, schedules]
MODULES += [m for m in (getattr(fastnn, n) for n in fastnn.__all__) if isinstance(m, ModuleType)]
BY_NAME = {module.__name__: module for module in MODULES}


def message(module, name):
    assert not hasattr(module, name)
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert type(caught.value) is AttributeError
    return str(caught.value)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_module_guesses(module):
    own = [key for key, value in vars(module).items()
           if getattr(value, "__module__", "").startswith("fastnn") and not key.startswith("_")
           and key != "explain_missing"]  # fmt: skip
    name = getattr(module, "__all__", own)[-1]
    assert message(module, f"{name}x").endswith(f"'{name}x': did you mean '{name}'?")
    plain = f"module '{module.__name__}' has no attribute "
    assert message(module, "xyzzy") == plain + "'xyzzy'"
    assert message(module, "_private") == plain + "'_private'"
    assert message(module, "__path_of_it__") == plain + "'__path_of_it__'"
    assert message(module, "a.b") == plain + "'a.b'"


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        (fastnn.layers, "Conv2D", "dense networks, without Keras's convolutions: Flatten"),
        (fastnn.layers, "SeparableConv1D", "convolutions"),
        (fastnn.layers, "Conv3DTranspose", "convolutions"),
        (fastnn.layers, "MaxPooling2D", "convolutions"),
        (fastnn.layers, "GlobalAveragePooling2D", "convolutions"),
        (fastnn.layers, "LSTM", "recurrent layers: Flatten"),
        (fastnn.layers, "SimpleRNNCell", "recurrent layers"),
        (fastnn.layers, "ConvLSTM2D", "recurrent layers"),
        (fastnn.layers, "MultiHeadAttention", "attention"),
        (fastnn.layers, "GaussianDropout", "use Dropout, or write a layer of your own"),
        (fastnn.layers, "GroupNormalization", "does not have it yet: use BatchNormalization"),
        (fastnn.losses, "dice", "a loss of your own"),
        (fastnn.metrics, "TopKCategoricalAccuracy", "a metric of your own"),
        (fastnn, "applications", "pretrained convolutional networks"),
        (fastnn, "mixed_precision", "reduced precision"),
        (fastnn.backend, "gradients", "without Keras's backends: leave it out"),
        (fastnn.backend, "learning_phase", "leave it out, or use Keras"),
        (fastnn.backend, "conv2d", "convolutions: Flatten"),
        (fastnn.saving, "register_keras_serializable", "leave it out, and pass custom_objects="),
        (fastnn.utils, "CustomObjectScope", "leave it out, and pass custom_objects="),
        (fastnn.utils, "get_file", "urllib.request.urlretrieve"),
    ],
)
def test_names_of_keras(module, name, words):
    assert words in message(module, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fit_generator", "train_on_batch"),
        ("predict_classes", "argmax"),
        ("predict_proba", r"use predict\(x\)"),
        ("to_yaml", "to_json"),
    ],
)
def test_methods_that_models_once_had(name, words):
    model = fastnn.Sequential([fastnn.Input((2,)), fastnn.layers.Dense(1)])
    with pytest.raises(AttributeError, match=f"'Sequential' .* no attribute '{name}': .*{words}"):
        getattr(model, name)
    with pytest.raises(AttributeError, match="has no attribute 'predictt'"):
        model.predictt  # noqa: B018


@pytest.mark.parametrize(
    ("get", "name", "words"),
    [
        (fastnn.losses.get, "dice", "a loss of your own"),
        (fastnn.metrics.get, "top_k_categorical_accuracy", "a metric of your own"),
        (fastnn.optimizers.get, "nadam", "Adam or AdamW"),
    ],
)
def test_names_of_keras_as_strings(get, name, words):
    with pytest.raises(ValueError, match=f"{name}.*Keras has it.*{words}"):
        get(name)


def test_what_the_documentation_lists_is_explained():
    page = (Path(__file__).parents[1] / "docs/keras-differences.md").read_text()
    missing = page.partition("## Not there yet")[2].partition("\n## ")[0]
    names = ["regularizers", "constraints", *re.findall(r"`(\w+\.[\w.]+)`", missing)]
    for name in names:
        home, _, last = f"fastnn.{name}".rpartition(".")
        if home in BY_NAME:  # not Model.add_loss
            assert "Keras has it, fastnn does not have it yet: " in message(BY_NAME[home], last)
    assert len(names) > 30


def test_what_is_there_is_not_called_missing():
    """A name that fastnn has got since would be explained for a near miss of it."""
    for home, entries in KERAS_HAS.items():
        module = BY_NAME[home]
        for name in getattr(module, "__all__", vars(module)):
            plain = name.replace("_", "")
            for expression, _, _ in entries:
                assert not re.fullmatch(expression, plain, re.IGNORECASE), f"{home}.{name}"


@pytest.mark.parametrize(
    ("module", "name", "words"),
    [
        ("fastnn.layers", "Conv2D", "convolutions: Flatten"),
        ("fastnn", "applications", "pretrained convolutional networks"),
        ("fastnn.models", "Sequentail", "did you mean 'Sequential'"),
        ("fastnn.backend", "floatz", ""),  # no package, so it is not asked
    ],
)
def test_import_statements(module, name, words):
    expected = rf"^cannot import name '{name}' from '{module}'.*{words}"
    with pytest.raises(ImportError, match=expected):
        exec(f"from {module} import {name}")


def test_asking_whether_a_submodule_is_there_costs_nothing():
    code = (
        "import numpy, sys; from fastnn import lookup; from fastnn.models import files;"
        "print('difflib' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr


def test_python_does_not_guess_a_second_time():
    result = subprocess.run(
        [sys.executable, "-c", "import fastnn; fastnn.layers.Dence"], capture_output=True, text=True
    )
    last = result.stderr.strip().splitlines()[-1]
    expected = "AttributeError: module 'fastnn.layers' has no attribute 'Dence': did you mean"
    assert last == f"{expected} 'Dense'?"


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("from fastnn.utils import np_utils", ": import from fastnn.utils"),
        ("from fastnn.utils.np_utils import to_categorical", ": import from fastnn.utils"),
        ("from fastnn.layers.core import Dense", ": import from fastnn.layers"),
        ("from fastnn.optimizers.legacy import Adam", ": import from fastnn.optimizers"),
        ("from fastnn.regularizers import l2", "use Dropout, or the weight_decay"),
        ("from fastnn.preprocessing.image import load_img", "prepare the data with NumPy"),
        ("import fastnn.applications.vgg16", "pretrained convolutional networks"),
    ],
)
def test_import_lines_of_old_keras(line, advice):
    run = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True)
    assert re.search(f"^(ModuleNotFound|Import)Error: .*{re.escape(advice)}", run.stderr, re.M)


def test_other_imports_fail_as_ever():
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'fastnn\.xyzzy'$"):
        exec("import fastnn.xyzzy")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'fastnnx'$"):
        exec("import fastnnx")
