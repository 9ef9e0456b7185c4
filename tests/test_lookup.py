"""Names of losses, metrics, optimizers, initializers, activations and layers are found alike."""

import pytest

from fastnn import activations, initializers, layers, losses, metrics, optimizers
from fastnn.lookup import Lookup, did_you_mean
from fastnn.optimizers import schedules

KINDS = [
    (losses, "loss", "mse", "mze"),
    (metrics, "metric", "accuracy", "acuracy"),
    (optimizers, "optimizer", "adam", "adan"),
    (initializers, "initializer", "he_normal", "he_norml"),
    (activations, "activation", "relu", "rleu"),
]


@pytest.mark.parametrize(("module", "kind", "right", "wrong"), KINDS)
def test_every_kind_guesses_or_lists_its_names(module, kind, right, wrong):
    assert type(module.get(right.upper())) is type(module.get(right))
    with pytest.raises(ValueError, match=rf"^Unknown {kind} '{wrong}': did you mean '{right}'\?$"):
        module.get(wrong)
    with pytest.raises(ValueError, match=rf"^Unknown {kind} 'xyzzy' \(known: .*\b{right}\b"):
        module.get("xyzzy")


@pytest.mark.parametrize("module", [losses, metrics, optimizers, initializers, schedules, layers])
def test_unknown_classes_in_a_configuration(module):
    for name in ("Xyzzy", None, 3, ["a"]):
        with pytest.raises(ValueError, match=r"^Unknown .*known: "):
            module.deserialize({"class_name": name, "config": {}})


@pytest.mark.parametrize(
    ("module", "base"),
    [
        (losses, losses.Loss), (metrics, metrics.Sum), (optimizers, optimizers.SGD),
        (initializers, initializers.Ones), (layers, layers.Flatten),
    ],
)  # fmt: skip
def test_classes_of_ones_own(module, base):
    class Mine(base):
        pass

    data = module.serialize(Mine())
    assert data["class_name"] == "Mine"
    assert type(module.deserialize(data, custom_objects={"Mine": Mine})) is Mine
    with pytest.raises(ValueError, match=r"Unknown .*'Mine'"):
        module.deserialize(data)
    if module is not layers:
        assert type(module.get(Mine)) is Mine


def test_custom_objects_go_first():
    class Adam(optimizers.SGD):
        pass

    data = {"class_name": "Adam", "config": {}}
    assert type(optimizers.deserialize(data, {"Adam": Adam})) is Adam
    assert type(optimizers.deserialize(data)) is optimizers.Adam


def test_the_nearest_name_in_its_own_spelling():
    assert did_you_mean("dence", ["Dense", "Dropout"]) == ": did you mean 'Dense'?"
    assert did_you_mean("Huberr", ["Huber", "huber"]) == ": did you mean 'Huber'?"
    assert did_you_mean("huberr", ["Huber", "huber"]) == ": did you mean 'huber'?"
    assert did_you_mean("LSTM", ["Dense", "Dropout"]) == ""
    known = ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"]
    assert did_you_mean("sparse_crossentropy", known).endswith(f"{known[2]!r}?")
    assert did_you_mean("decay", ["weight_decay"]) == ""  # another thing
    assert did_you_mean("categorial_crossentropy", known).endswith(f"{known[1]!r}?")
    assert Lookup("number", {"Int": int}).find("Int") is int
    with pytest.raises(ValueError, match=r"Unknown number 'x' \(known: Int\)"):
        Lookup("number", {"Int": int}).find("x")


def test_seeds_that_keras_wrote():
    seed = {"class_name": "SeedGenerator", "config": {"seed": 5}}
    made = initializers.get({"class_name": "HeNormal", "config": {"seed": seed}})
    assert made.seed == 5
