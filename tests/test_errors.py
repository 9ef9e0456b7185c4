"""Errors of training say who, what was expected, what came and how to mend it; nothing changes."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, config, losses, optimizers
from fastnn.callbacks import EarlyStopping, ReduceLROnPlateau, TerminateOnNaN
from fastnn.layers import Activation, Concatenate, Dense, Flatten
from fastnn.training import TrainingWarning

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4))
Y = np.tile([0, 1, 2], 7)[:20]


def classifier(**compiled):
    model = Sequential([Input((4,), name="data"), Dense(5, name="hidden"),
                        Dense(3, activation="softmax", name="classes")])  # fmt: skip
    model.compile(**{"loss": "sparse_categorical_crossentropy", **compiled})
    return model


def two_outputs(**compiled):
    x = Input((4,), name="data")
    model = Model(x, [Dense(1, name="left")(x), Dense(1, name="right")(x)])
    model.compile(**{"loss": "mse", **compiled})
    return model


class Sparse:
    nnz = 1

    def toarray(self):
        raise AssertionError


class Batches:
    """What a data set that is read batch by batch looks like."""

    def __len__(self):
        return 2

    def __getitem__(self, k):
        return X[10 * k : 10 * k + 10], Y[10 * k : 10 * k + 10]


class Frame:
    iloc = None
    columns = ("age", "town")
    dtypes = (np.dtype("int64"), np.dtype(object))

    def to_numpy(self):
        raise AssertionError


WRONG = {
    "too few features": (
        {"x": X[:, :3]},
        r"Dense 'hidden' expects 4 features per sample, got 3: check Input\(shape=\.\.\.\)",
    ),
    "one sample": ({"x": X[0]}, r"single sample of shape \(4,\): add the batch axis, x\[None\]"),
    "images": ({"x": X.reshape(20, 2, 2)}, r"got \(20, 2, 2\): add Flatten\(\)"),
    "other shape": ({"x": X.reshape(10, 4, 2)}, r"expects shape \(n, 4\), got \(10, 4, 2\)"),
    "fewer labels": ({"y": Y[:-1]}, "as many rows everywhere, got: x has 20, y has 19"),
    "fewer weights": ({"sample_weight": Y[1:]}, "x has 20, y has 20, sample_weight has 19"),
    "no rows": ({"x": X[:0], "y": Y[:0]}, "at least one row"),
    "no x": ({"x": None}, "fit needs x"),
    "no y": ({"y": None}, "fit needs y: the right answers"),
    "a number": ({"x": 3.0}, "got the single number 3.0"),
    "two inputs": ({"x": [X, X]}, "the model has one input, 'data', got a list of 2 arrays"),
    "data and targets in one": (
        {"x": (X, Y), "y": None},
        r"got a tuple of 2 arrays: .*, and the targets as an argument of their own: fit\(x, y\)",
    ),
    "unknown input": ({"x": {"wide": X}}, r"no input 'wide'; its inputs are \['data'\]"),
    "unknown output": ({"y": {"z": Y}}, r"no output 'z'; its outputs are \['classes'\]"),
    "strings": ({"y": np.array(["cat", "dog"] * 10)}, "first value 'cat'.*np.unique"),
    "objects": (
        {"x": np.array([[1, 2, 3, "a"]] * 20, dtype=object)},
        r"dtype object with str 'a' at \[0, 3\]",
    ),
    "numbers as objects": ({"x": X.astype(object)}, r"dtype object: .* with \.astype\(float\)"),
    "dates": ({"x": np.zeros((20, 4), "M8[D]")}, r"dtype datetime64\[D\].*turn the dates"),
    "complex": ({"x": X + 1j}, "real and the imaginary part"),
    "ragged": ({"x": [[1, 2, 3, 4], [1, 2]]}, "make every row the same length"),
    "masked": ({"x": np.ma.masked_less(X, 0)}, r"masked array.*x\.filled\(0\)"),
    "frame": ({"x": Frame()}, r"'town' \(object\).*get_dummies"),
    "one-hot": ({"y": np.eye(3)[Y]}, "for one-hot y use 'categorical_crossentropy'"),
    "class too large": (
        {"y": np.where(np.arange(20) == 7, 3, Y)},
        r"class labels from 0 to 2 \(the output has 3 units\), got 3 in row 7",
    ),
    "classes from 1": ({"y": Y + 1}, "got 3 in row 2: labels start at 0: use y - 1"),
    "negative class": ({"y": Y - 1}, "got -1 in row 0"),
    "classes that wrap around": (
        {"y": Y.astype("uint8") - np.uint8(1)},
        r"got 255 in row 0: in uint8 0 - 1 wraps around to 255: .* use y\.astype\(int\)",
    ),
    "fractions": ({"y": Y + 0.5}, "got 0.5 in row 0: labels are whole numbers"),
    "missing label": ({"y": np.where(Y == 1, np.nan, Y)}, "got nan in row 1"),
    "batch_size 0": ({"batch_size": 0}, "batch_size expects a whole number of at least 1, got 0"),
    "batch_size an array": ({"batch_size": X}, "at least 1, got ndarray: pass data by keyword"),
    "batch_size 1.5": ({"batch_size": 1.5}, "batch_size expects a whole number"),
    "epochs": ({"epochs": -1}, "epochs expects a whole number of at least 0, got -1"),
    "initial_epoch": ({"initial_epoch": -1}, "initial_epoch expects"),
    "steps": ({"steps_per_epoch": 0}, "steps_per_epoch expects"),
    "verbose": ({"verbose": 3}, "verbose expects 'auto', 0, 1 or 2, got 3"),
    "shuffle": ({"shuffle": "yes"}, "fit: shuffle must be True or False, got 'yes'"),
    "frequency": ({"validation_freq": 0}, "validation_freq expects"),
    "split 1": ({"validation_split": 1.0}, "between 0 and 1, got 1.0"),
    "empty training": ({"validation_split": 0.96}, "leaves 0 for training and 20 for validation"),
    "empty validation": (
        {"x": X[:1], "y": Y[:1], "validation_split": 1e-17},
        "leaves 1 for training and 0 for validation",
    ),
    "validation of one": ({"validation_data": X}, r"expects \(x, y\).*got ndarray"),
    "validation of four": ({"validation_data": (X, Y, Y, Y)}, "got 4 items"),
    "validation features": (
        {"validation_data": (X[:, :2], Y)},
        "fit: validation_data: Dense 'hidden' expects 4 features per sample, got 2",
    ),
    "validation labels": ({"validation_data": (X, Y + 3)}, "validation_data: y .* got 3 in row 0"),
    "validation y": ({"validation_data": (X, np.eye(3)[Y])}, r"expects shape \(n,\), got \(n, 3\)"),
    "class_weight": ({"class_weight": [1, 2, 3]}, r"expects a dict.*dict\(enumerate"),
    "class_weight value": ({"class_weight": {0: "a"}}, "expects finite numbers, got 0: 'a'"),
    "class_weight nan": ({"class_weight": {0: np.nan}}, "class_weight expects .* got 0: nan"),
    "class_weight names": ({"class_weight": {"cat": 2.0}}, "classes as keys, got 'cat': .* 0 to 2"),
    "class_weight part": ({"class_weight": {0: 1.0, 0.5: 2.0}}, r"classes as keys, got 0\.5"),
    "class_weight infinite": ({"class_weight": {np.inf: 1.0}}, "classes as keys, got inf"),
    "class_weight below 0": ({"class_weight": {-1: 2.0}}, "classes as keys, got -1: y has"),
    "both weights": ({"class_weight": {0: 2.0}, "sample_weight": X[:, 0]}, "cannot be combined"),
    "weights of features": ({"sample_weight": X}, r"sample_weight expects shape \(n,\), got"),
}


@pytest.mark.parametrize("engine", ["c", "numpy"])
@pytest.mark.parametrize("case", WRONG)
def test_fit_refuses(case, engine):
    arguments, message = WRONG[case]
    model = classifier(engine=engine)
    before = [w.tobytes() for w in model.get_weights()]
    with pytest.raises(ValueError, match=message):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
    assert [w.tobytes() for w in model.get_weights()] == before
    assert model.optimizer.iterations == 0
    model.fit(X, Y, verbose=0)  # still usable
    assert model.optimizer.iterations == 1


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (iter([X]), "got list_iterator: collect what it yields"),
        ((row for row in X), "got generator"),
        (Sparse(), r"sparse matrix: use x\.toarray\(\)"),
        (Batches(), "got Batches: collect"),
        ({1, 2}, "got set"),
        ("data.csv", "got str"),
    ],
)
def test_fit_refuses_what_is_no_array(x, message):
    with pytest.raises(TypeError, match=message):
        classifier().fit(x, Y, verbose=0)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("fit", {"epoch": 3}, r"unexpected keyword argument 'epoch': did you mean 'epochs'\?$"),
        ("fit", {"nb_epoch": 3, "verbose": 0}, "'nb_epoch': did you mean 'epochs'"),
        ("evaluate", {"workers": 2}, "'workers': it takes x, y, batch_size, verbose, "),
        ("train_on_batch", {"sample_weights": Y}, "did you mean 'sample_weight'"),
        ("test_on_batch", {"return_dic": True}, "did you mean 'return_dict'"),
    ],
)
def test_unknown_arguments(method, arguments, message):
    model = classifier()
    with pytest.raises(TypeError, match=rf"^Model\.{method}\(\) got an .*{message}"):
        getattr(model, method)(X, Y, **arguments)
    assert model.optimizer.iterations == 0


def test_python_s_own_errors_name_the_model():
    model = classifier()
    with pytest.raises(TypeError, match=r"^Model\.compile\(\) got .*did you mean 'optimizer'"):
        model.compile(optimiser="adam")
    with pytest.raises(TypeError, match=r"^Model\.predict\(\) got .*did you mean 'batch_size'"):
        model.predict(X, batchsize=2)
    with pytest.raises(TypeError, match=r"^Model\.predict\(\) missing 1 required"):
        model.predict()
    with pytest.raises(TypeError, match=r"^Model\.fit\(\) got multiple values"):
        model.fit(X, Y, 32, batch_size=32)
    parameters = list(inspect.signature(model.fit).parameters)
    assert parameters[:3] == ["x", "y", "batch_size"]
    assert "one row per sample" in " ".join(model.fit.__doc__.lower().split())


def test_methods_need_compile():
    model = Sequential([Input((4,)), Dense(1)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(RuntimeError, match=r"is not compiled yet: call model\.compile"):
            call(X, Y)
    assert model.predict(X).shape == (20, 1)


def test_compile_needs_a_loss_to_train():
    model = classifier(loss=None)
    with pytest.raises(ValueError, match="without loss and metrics"):
        model.evaluate(X, Y)
    model = classifier(loss=None, metrics=["accuracy"])
    with pytest.raises(ValueError, match="has no loss to minimize"):
        model.fit(X, Y)
    assert 0 <= model.evaluate(X, Y, verbose=0) <= 1


def test_something_must_be_trainable():
    model = classifier()
    model.trainable = False
    with pytest.raises(ValueError, match=r"no trainable weights: set layer\.trainable = True"):
        model.fit(X, Y)
    model.trainable = True
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"optimizer": "addam"}, "addam"),
        ({"loss": "meansquared"}, "meansquared"),
        ({"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
        ({"loss": ["mse"]}, r"loss has 1 entries, the model has 2 outputs \['left', 'right'\]"),
        ({"loss": {"middle": "mse"}}, "loss names 'middle'"),
        ({"metrics": ["mae", "mae", "mae"]}, "metrics has 3 entries"),
        ({"metrics": {"middle": "mae"}}, "metrics names 'middle'"),
        ({"loss_weights": [1.0]}, "loss_weights has 1 entries"),
        ({"loss_weights": 0.5}, "loss_weights expects a list or a dict"),
        ({"loss_weights": ["a", "b"]}, "loss_weights expects numbers, got 'a'"),
        ({"engine": "cuda"}, "engine expects 'c' or 'numpy', got 'cuda'"),
    ],
)
def test_compile_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        two_outputs(**arguments)


def test_several_outputs():
    model = two_outputs()
    y = X[:, 0]
    with pytest.raises(ValueError, match=r"has 2 outputs \['left', 'right'\], got one ndarray"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"has 2 outputs.*, got 3 items"):
        model.fit(X, [y, y, y])
    with pytest.raises(ValueError, match="needs y for output 'right'"):
        model.fit(X, {"left": y})
    with pytest.raises(ValueError, match="y for output 'right' has 19"):
        model.fit(X, [y, y[1:]])
    with pytest.raises(ValueError, match=r"'right'.*y must have shape"):
        model.fit(X, [y, X])
    with pytest.raises(ValueError, match="class_weight is for models with one output"):
        model.fit(X, [y, y], class_weight={0: 1.0})


def test_images_need_flatten():
    model = Sequential([Input((2, 2)), Flatten(), Dense(1)])
    model.compile(loss="mse")
    with pytest.raises(ValueError, match=r"Flatten 'flatten' expects shape \(n, 2, 2\).*reshape"):
        model.predict(X)


def test_a_called_model_names_itself():
    model = classifier()
    for call in (model, lambda x: model(x, training=False)):
        with pytest.raises(ValueError, match=rf"^Model '{model.name}': Dense 'hidden' expects"):
            call(X[0])
        with pytest.raises(ValueError, match=rf"^Model '{model.name}': x expects numbers"):
            call(np.array([["a"] * 4]))
        assert call(X[:1]).shape == (1, 3)
    with pytest.raises(ValueError, match=r"^predict: Dense 'hidden'"):
        model.predict(X[0])


def test_binary_labels():
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy")
    with pytest.raises(ValueError, match=r"got 2 in row 2: for more than two classes"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match=r"got -1 in row 0: for labels -1 and 1 use"):
        model.fit(X, np.sign(Y - 0.5).astype(int))
    with pytest.raises(ValueError, match=r"got 255 in row 1: scale the images"):
        model.fit(X, (Y > 0).astype("uint8") * 255)
    model.fit(X, Y / 2, verbose=0)


def test_one_unit_for_three_classes():
    model = Sequential([Input((4,)), Dense(1)])
    model.compile(loss="sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"has 1 unit.*one unit per class"):
        model.fit(X, Y)


def test_derivatives_of_your_own_are_asked_for_before_anything_is_printed(capsys):
    def mine(y_true, y_pred):
        return np.mean((y_pred - y_true) ** 2, axis=-1)

    class Mine(losses.Loss):
        def call(self, y_true, y_pred):
            return mine(y_true, y_pred)

    model = Sequential([Input((4,)), Dense(3, activation="heaviside"), Dense(1)])
    model.compile(loss="mse", metrics=[mine])
    with pytest.raises(ValueError, match=r"'greater_equal'.*has derivative 0"):
        model.fit(X, X[:, 0], epochs=2)
    assert capsys.readouterr().out == ""
    assert len(model.evaluate(X, X[:, 0], verbose=0)) == 2
    given = Mine()
    given.gradient = lambda y_true, y_pred: 2 * (y_pred - y_true)
    model = Sequential([Input((4,)), Dense(1)])
    model.compile(loss=given)
    model.fit(X, X[:, 0], verbose=0)


# --- warnings --------------------------------------------------------------------------------


def warned(model, x, y, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, verbose=0, epochs=3, **options)
    assert all(w.filename == __file__ for w in caught if w.category is TrainingWarning)
    return [str(w.message) for w in caught if w.category is TrainingWarning]


def test_sorted_labels_with_validation_split():
    for y in (np.sort(Y), np.sort(Y)[::-1], np.sort(Y)[:, None]):
        (message,) = warned(classifier(), X, y, validation_split=0.2)
        assert "sorted by class" in message
        assert "np.random.permutation" in message
    for loss in ("categorical_crossentropy", "categorical_hinge"):
        one_hot = classifier(loss=loss)
        assert len(warned(one_hot, X, np.eye(3)[np.sort(Y)], validation_split=0.2)) == 1
    assert not warned(classifier(), X, Y, validation_split=0.2)
    assert not warned(classifier(), X, np.sort(Y))
    assert not warned(classifier(), X, 0 * Y, validation_split=0.2)


def test_accuracy_on_a_regression():
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["accuracy"])
    (message,) = warned(model, X, X[:, 0])
    assert "'accuracy' counts right classes" in message
    assert not warned(model, X, (X[:, 0] > 0))
    model.compile("sgd", "mse", metrics=["mae"])
    assert not warned(model, X, X[:, 0])


def test_softmax_over_one_unit():
    model = Sequential([Input((4,)), Dense(1, activation="softmax", name="last")])
    model.compile(loss="binary_crossentropy")
    (message,) = warned(model, X, Y > 0)
    assert "Layer 'last' applies softmax to one unit" in message
    assert "sigmoid" in message


def test_a_single_class():
    model = Sequential([Input((4,)), Dense(1, activation="sigmoid")])
    model.compile(loss="categorical_crossentropy")
    (message,) = warned(model, X, (Y > 0)[:, None])
    assert "nothing is learned: use 'binary_crossentropy', or one unit per class" in message
    model = Sequential([Input((4,)), Dense(1, activation="softmax")])
    model.compile(loss="categorical_crossentropy")
    (message,) = warned(model, X, (Y > 0)[:, None])
    assert "applies softmax to one unit" in message


def test_weighted_classes():  # advantages of actions, in reinforcement learning
    model = Sequential([Input((4,)), Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy")
    assert not warned(model, X, -2.5 * np.eye(3)[Y])


@pytest.mark.parametrize(
    ("loss", "units", "wanted", "cls"),
    [
        ("sparse_categorical_crossentropy", 3, "softmax", "SparseCategoricalCrossentropy"),
        ("categorical_crossentropy", 3, "softmax", "CategoricalCrossentropy"),
        ("binary_crossentropy", 1, "sigmoid", "BinaryCrossentropy"),
    ],
)
def test_no_activation_before_a_loss_from_probabilities(loss, units, wanted, cls):
    y = np.eye(3)[Y] if loss.startswith("cat") else Y % max(units, 2)

    def messages(*last, **settings):
        model = Sequential([Input((4,)), *last])
        model.compile("sgd", getattr(losses, cls)(**settings))
        return warned(model, X, y)

    (message,) = messages(Dense(units, name="last"))
    assert f"output 'last' has no activation: use activation='{wanted}' in the" in message
    assert f"or loss=losses.{cls}(from_logits=True)" in message
    (message,) = messages(Dense(units), Activation("tanh", name="squash"))
    assert "output 'squash' has activation='tanh'" in message
    assert not messages(Dense(units), from_logits=True)
    assert not messages(Dense(units, activation=wanted))
    assert not messages(Dense(units), Activation(wanted))
    assert not messages(Dense(units, activation="hard_sigmoid"))


def test_softmax_before_a_loss_from_logits():
    model = Sequential([Input((4,)), Dense(3), Activation("softmax")])
    model.compile(loss=losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.warns(UserWarning, match="from_logits=True"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_a_loss_that_is_nan_is_explained(engine):
    def explained(x, y, sample_weight=None, loss="mse", shape=(4,), **compiled):
        model = Sequential([Input(shape), Flatten(), Dense(5, "relu"), Dense(1)])
        model.compile(loss=loss, engine=engine, **compiled)
        (message,) = warned(model, x, y, sample_weight=sample_weight)
        assert message.startswith("fit: the loss of epoch 1 is ") and "anew" in message
        return message

    def spoilt(array, place, value):
        array = np.array(array, dtype=float)
        array[place] = value
        return array

    y, nan, inf = X[:, 0], np.nan, np.inf
    message = explained(spoilt(X, (7, 2), nan), y)
    assert "; x has nan in row 7, column 2: replace such values" in message
    assert "x has inf in row 19, column 0" in explained(spoilt(X, (19, 0), inf), y)
    assert "x has 1e+300 (too large for float32)" in explained(spoilt(X, (1, 1), 1e300), y)
    images = spoilt(X.reshape(20, 2, 2), (3, 1, 0), nan)
    assert "x has nan in row 3 at [1, 0]" in explained(images, y, shape=(2, 2))
    for labels in (spoilt(y, 7, nan), spoilt(y, 7, nan)[:, None]):
        assert "; y has nan in row 7: replace" in explained(X, labels)
    assert "sample_weight has nan in row 2" in explained(X, y, spoilt(np.ones(20), 2, nan))
    one_hot = Sequential([Input((4,)), Dense(3, "softmax")])
    one_hot.compile("sgd", "mse", metrics=["accuracy"], engine=engine)
    (message,) = warned(one_hot, X, spoilt(np.eye(3)[Y], (4, 1), nan))
    assert "y has nan in row 4, column 1" in message and "'mae'" not in message


@pytest.mark.parametrize("engine", ["c", "numpy"])
def test_a_learning_rate_that_is_too_high_is_named(engine):
    model = Sequential([Input((4,)), Dense(5), Dense(5), Dense(1)])
    model.compile(optimizers.SGD(1e9), "mse", engine=engine)
    (message,) = warned(model, X, X[:, 0], batch_size=1)
    assert "x and y are finite: usually the learning rate, 1e+09, is too high: try 1e+08" in message


def test_what_an_earlier_fit_has_spoilt_is_named():
    model = classifier(optimizer="adam")
    weights = model.get_weights()
    with pytest.warns(TrainingWarning, match="x has nan in row 3"):
        model.fit(np.where(np.arange(20)[:, None] == 3, np.nan, X), Y, verbose=0)
    with pytest.warns(TrainingWarning, match="the weights held no finite numbers before this fit"):
        model.fit(X, Y, verbose=0)
    model.set_weights(weights)
    with pytest.warns(TrainingWarning, match=r"state held no finite numbers.*or compile it anew"):
        model.fit(X, Y, batch_size=5, verbose=0)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.set_weights(weights)
    assert np.isfinite(model.fit(X, Y, verbose=0).history["loss"]).all()


def test_the_padding_of_rows_spoils_nothing():
    model = Sequential([Input((4,)), Dense(3, use_bias=False)])
    model.compile(optimizers.RMSprop(0.01, momentum=0.9, epsilon=1e-46), "mse")  # 0 as a float32
    targets = X[:, :3] + 1
    assert np.isfinite(model.fit(X, targets, verbose=0).history["loss"]).all()
    model.optimizer.learning_rate = 1e30
    (message,) = warned(model, X, targets, batch_size=1)
    assert "x and y are finite: usually the learning rate" in message


def test_two_inputs_and_outputs_are_named_where_the_loss_is_nan():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    model = Model([a, b], [Dense(1, name="left")(a), Dense(1, name="right")(b)])
    model.compile(loss="mse")
    (message,) = warned(model, [X, X * np.nan], [X[:, 0], X[:, 1]])
    assert "x for input 'b' has nan in row 0, column 0" in message
    model = two_outputs()
    (message,) = warned(model, X, [X[:, 0], X[:, 1] * np.nan])
    assert "y for output 'right' has nan in row 0:" in message


def test_terminate_on_nan_is_not_explained():
    model = Sequential([Input((4,)), Dense(1)])
    model.compile(loss="mse")
    assert not warned(model, X * np.nan, X[:, 0], callbacks=[TerminateOnNaN()])


def test_well_made_models_are_not_warned_about():
    config.set_random_seed(0)
    assert not warned(classifier(metrics=["accuracy"]), X, Y, validation_split=0.25)


def test_several_inputs_are_named():
    left, right = Input((5,), name="left"), Input((3,), name="right")
    model = Model([left, right], Dense(1, name="out")(Concatenate(name="both")([left, right])))
    with pytest.raises(ValueError, match="'both' expects 5 features per sample from input 'left'"):
        model.predict([np.zeros((2, 3)), np.zeros((2, 5))], verbose=0)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("sparse_categorical_crossentropy", np.arange(10)),
        ("categorical_crossentropy", np.eye(10)),
        ("mse", np.arange(10.0)),
    ],
)
def test_a_forgotten_flatten(loss, y):
    model = Sequential([Input((8, 8)), Dense(10, "softmax")])
    model.compile(loss=loss)
    with pytest.raises(ValueError, match=r"got \(n.*\): a Dense layer keeps .* put Flatten\(\)"):
        model.fit(np.zeros((10, 8, 8)), y, verbose=0)


def test_all_samples_taken_for_one():
    model = Sequential([Input((20, 4)), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"these are all samples, begin with Input\(x.shape\[1:\]"):
        model.fit(np.zeros((20, 4)), np.zeros(20), verbose=0)


@pytest.mark.parametrize(
    ("callback", "name"),
    [(EarlyStopping, name) for name in ("patience", "min_delta", "baseline", "start_from_epoch")]
    + [(ReduceLROnPlateau, name) for name in ("patience", "factor", "cooldown", "min_lr")],
)
@pytest.mark.parametrize("value", ["3", [1], np.ones(2), float("nan")])
def test_arguments_of_callbacks_are_numbers(callback, name, value):
    with pytest.raises(ValueError, match=rf"^{callback.__name__}: {name} must be a number, got "):
        callback(**{name: value})
    with pytest.raises(ValueError, match=r"monitor must be the name of a logged value, got \['l"):
        callback(monitor=["loss"])


@pytest.mark.parametrize("decay", ["0.1", np.ones(3), -1.0, float("nan")])
def test_weight_decay_is_a_number(decay):
    with pytest.raises(ValueError, match=r"^AdamW: expected weight_decay to be None or a number"):
        optimizers.AdamW(weight_decay=decay)


@pytest.mark.parametrize("monitor", ["val_acc", "val_lss"])
def test_a_misspelt_monitor(monitor):
    model = Sequential([Input((4,)), Dense(3, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    data = {"x": X, "y": Y, "validation_split": 0.2, "verbose": 0}
    meant = f"did you mean '{monitor.replace('acc', 'accuracy').replace('lss', 'loss')}'"
    with pytest.raises(ValueError, match=meant):
        model.fit(**data, callbacks=[EarlyStopping(monitor)])
    with pytest.warns(UserWarning, match=meant):
        model.fit(**data, callbacks=[EarlyStopping(monitor, mode="max")])


def test_loss_in_place_of_the_optimizer():
    model = Sequential([Input((4,)), Dense(1)])
    with pytest.raises(ValueError, match=r"'mse' is a loss: compile\(optimizer=..., loss='mse'\)"):
        model.compile("mse", "adam")
    with pytest.raises(ValueError, match="did you mean 'adam'") as caught:
        model.compile("adm", "mse")
    assert "is a loss" not in str(caught.value)
    with pytest.raises(ValueError, match=r"loss_weights expects numbers, got 'mae': for metrics"):
        model.compile("sgd", "mse", ["mae"])


@pytest.mark.parametrize("save", ["save", "save_weights"])
def test_save_to_what_is_no_path(save):
    model = Sequential([Input((4,)), Dense(1)])
    with pytest.raises(TypeError, match=r"^Cannot write to 3: expected the name of a file"):
        getattr(model, save)(3)


def test_too_little_memory_for_a_weight(monkeypatch):
    def full(shape, dtype):
        raise MemoryError(f"Unable to allocate {shape}")

    layer = Dense(3, name="huge")
    monkeypatch.setattr("fastnn.variable.aligned_zeros", full)
    with pytest.raises(MemoryError, match=r"^Dense 'huge': no memory for weight 'kernel' of shape"):
        layer.build((None, 4))
    monkeypatch.undo()
    layer.build((None, 4))
    assert layer.count_params() == 15


def test_why_the_loss_is_nan():
    model = Sequential([Input((4,)), Dense(5, "relu", kernel_initializer="zeros"), Dense(3)])
    with pytest.warns(TrainingWarning) as caught:  # 0 / 0, as no row's outputs are normalized
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(X, Y, batch_size=20, verbose=0)
    message = str(caught[-1].message)
    assert "epoch 1 is nan; the loss 'sparse_categorical_crossentropy' expects prob" in message
    assert "spoilt" not in message and np.isfinite(model.predict(X, verbose=0)).all()
    model = classifier(optimizer="sgd")
    with pytest.warns(TrainingWarning, match=r"x has nan in row 0, .* weights are spoilt"):
        model.fit(np.where(np.arange(4) == 1, np.nan, X), Y, verbose=0)
