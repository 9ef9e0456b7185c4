"""Every kind of data trains to the same bits as the plain float32 array of the same numbers."""

from __future__ import annotations

import array as arrays

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, config
from fastnn.layers import Add, Dense, Flatten
from fastnn.training.arrays import to_array

ROWS = 45


class Column:
    """What a pandas Series looks like from outside."""

    iloc = None

    def __init__(self, values, name="y"):
        self.values = np.asarray(values)
        self.dtype = self.values.dtype
        self.name = name

    def to_numpy(self, dtype=None, na_value=None):
        return self.values.astype(dtype or self.dtype)


class Frame:
    """The same for a DataFrame: columns of different types become an array of objects."""

    iloc = None

    def __init__(self, columns):
        self.columns = list(columns)
        self.values = [np.asarray(v) for v in columns.values()]
        self.dtypes = [v.dtype for v in self.values]

    def to_numpy(self, dtype=None, na_value=None):
        if dtype is None and len(set(self.dtypes)) > 1:
            dtype = object
        return np.stack([v.astype(dtype or v.dtype) for v in self.values], axis=1)


@pytest.fixture(params=("c", "numpy"))
def engine(request):
    config.set_engine(request.param)
    return request.param


def numbers():
    """Small whole numbers, which every number type holds exactly."""
    rng = np.random.default_rng(3)
    return rng.integers(0, 2, (ROWS, 5)), rng.integers(0, 3, ROWS)


def trained(x, y, *, shape=(5,), **options):
    config.set_random_seed(1)
    model = Sequential([Input(shape), Flatten(), Dense(4, activation="tanh"),
                        Dense(3, activation="softmax")])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, **options).history
    answers = model.predict(x)
    return model.get_weights(), history, answers, model.evaluate(x, y, verbose=0)


def assert_same(first, second):
    for a, b in zip(first[0], second[0], strict=True):
        assert a.tobytes() == b.tobytes()
    assert first[1] == second[1]
    assert first[2].tobytes() == second[2].tobytes()
    assert first[3] == second[3]


TYPES = ("float32", "float64", "float16", "longdouble", ">f4", ">f8", "bool", "int8", "uint8",
         "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4")  # fmt: skip


@pytest.mark.parametrize("dtype", TYPES)
def test_number_types(engine, dtype):
    x, y = numbers()
    plain = trained(x.astype("float32"), y)
    assert_same(trained(x.astype(dtype), y), plain)
    if dtype != "bool":
        assert_same(trained(x.astype("float32"), y.astype(dtype)), plain)


def layouts():
    x, _ = numbers()
    x = x.astype("float32")
    wide = np.zeros((ROWS, 11), "float32")
    wide[:, 1::2] = x
    back = np.ascontiguousarray(x[::-1])
    tall = np.zeros((2 * ROWS, 5), "float32")
    tall[::2] = x
    records = np.zeros(ROWS, [("flag", "u1"), ("x", "f4", (5,))])  # not aligned
    records["x"] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    return {
        "fortran": np.asfortranarray(x),
        "columns of a wider array": wide[:, 1::2],
        "backward": back[::-1],
        "every other row": tall[::2],
        "inside records": records["x"],
        "read-only": frozen,
        "list": x.tolist(),
        "tuple of arrays": tuple(x),
        "list of one array": [x],
        "frame": Frame(dict(zip("abcde", x.T, strict=True))),
        "mixed frame": Frame(
            {name: column.astype(dtype) for name, column, dtype in
             zip("abcde", x.T, ("bool", "int8", "float32", "int64", "float64"), strict=True)}
        ),
        "extra axis": x[:, :, None],
    }  # fmt: skip


@pytest.mark.parametrize("kind", layouts())
def test_layouts(engine, kind):
    x, y = numbers()
    assert_same(trained(layouts()[kind], y), trained(x.astype("float32"), y))


@pytest.mark.parametrize(
    "labels",
    [
        lambda y: y[:, None],
        lambda y: list(y),
        lambda y: [y],
        Column,
        lambda y: Frame({"y": y}),
        lambda y: arrays.array("i", y),
        lambda y: np.asfortranarray(np.stack([y, y], 1))[:, 0],
    ],
)
def test_labels(engine, labels):
    x, y = numbers()
    assert_same(trained(x, labels(y)), trained(x, y))


def test_images_in_fortran_order(engine):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (ROWS, 6, 7)).astype("uint8")
    _, y = numbers()
    plain = trained(x.astype("float32"), y, shape=(6, 7))
    assert_same(trained(x, y, shape=(6, 7)), plain)
    assert_same(trained(np.asfortranarray(x), y, shape=(6, 7)), plain)
    assert_same(trained(x.transpose(0, 2, 1).copy().transpose(0, 2, 1), y, shape=(6, 7)), plain)


def test_a_file_larger_than_memory(engine, tmp_path):
    """A sparse file of 64 GB: a copy of the whole would fail."""
    rows, features = 2**20, 2**14
    x = np.memmap(tmp_path / "x", "float32", "w+", shape=(rows, features))
    x[:64] = np.random.default_rng(0).normal(size=(64, features))
    y = np.arange(rows, dtype="uint8") % 2
    results = []
    for given, labels in ((x, y), (np.array(x[:64]), y[:64])):
        config.set_random_seed(1)
        model = Sequential([Input((features,)), Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(given, labels, batch_size=32, steps_per_epoch=2, shuffle=False, verbose=0)
        assert model.optimizer.iterations == 2
        results.append(model.predict(given, batch_size=32, steps=1).tobytes())
    assert results[0] == results[1]


def test_data_are_not_changed(engine):
    x, y = numbers()
    x, y = x.astype("float32"), y.copy()
    before = x.tobytes(), y.tobytes()
    w = np.ones(ROWS)
    trained(x, y, sample_weight=w, validation_split=0.2)
    assert (x.tobytes(), y.tobytes()) == before
    assert (w == 1).all()


def test_one_number_per_row(engine):
    """(n,) and (n, 1) are the same, for x and for y."""
    x = np.linspace(-1, 1, ROWS)
    results = []
    for given in (x, x[:, None]):
        for right in (3 * x, 3 * x[:, None]):
            config.set_random_seed(1)
            model = Sequential([Input((1,)), Dense(1)])
            model.compile("sgd", "mse", metrics=["mae"])
            history = model.fit(given, right, epochs=2, verbose=0, validation_data=(x, right[:]))
            results.append((history.history, model.get_weights()[0].tobytes()))
    assert all(other == results[0] for other in results)


def test_validation_labels_may_have_the_other_form(engine):
    x, y = numbers()
    one = trained(x, y, validation_data=(x, y[:, None]))
    two = trained(x, y, validation_data=(x, y))
    assert_same(one, two)


@pytest.mark.parametrize("dtype", ["int32", "float32", "bool"])
def test_types_of_sample_weights(engine, dtype):
    x, y = numbers()
    w = (np.arange(ROWS) % 2).astype(dtype)
    first = trained(x, y, sample_weight=w)
    assert_same(first, trained(x, y, sample_weight=w.astype("float64")))
    assert_same(first, trained(x, y, sample_weight=w[:, None].tolist()))


def test_several_inputs_of_different_types(engine):
    a, b = Input((5,), name="a"), Input((5,), name="b")
    x, y = numbers()
    results = []
    named = {"b": x.tolist(), "a": Frame(dict(enumerate(x.T)))}
    for given in ([x.astype("uint8"), x.astype("float64")], named):
        config.set_random_seed(1)
        model = Model([a, b], Dense(3, activation="softmax")(Add()([a, b])))
        model.compile("adam", "sparse_categorical_crossentropy")
        model.fit(given, y, verbose=0)
        results.append(model.predict(given))
    assert results[0].tobytes() == results[1].tobytes()


def test_arrays_are_used_as_they_are():
    for dtype in ("float32", "float64", "uint8", "int64"):
        x = np.ones((3, 4), dtype)
        assert to_array(x, "x") is x
        assert np.shares_memory(to_array(x.T, "x"), x)
