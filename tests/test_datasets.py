"""fastnn.datasets: what the loaders return, where they look, and how they download."""

import gzip
import hashlib
import http.server
import io
import json
import os
import pickle
import threading
import zipfile

import numpy as np
import pytest

from fastnn import datasets
from fastnn.datasets import _cache, boston_housing, fashion_mnist, imdb, mnist


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home; nothing outside is found, nothing outside is asked."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("FASTNN_HOME", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(_cache, "ORIGIN", "http://127.0.0.1:9/")  # nobody listens there
    return tmp_path


class Server:
    """Serves one answer on the loopback interface."""

    def __init__(self, body, status=200, promised=None):
        self.requests = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(promised or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def serve(home, monkeypatch):
    def start(*args, **kwargs):
        server = Server(*args, **kwargs)
        monkeypatch.setattr(_cache, "ORIGIN", server.origin)
        return server

    return start


def npz(**arrays):
    """Return the bytes of a compressed .npz file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(name + ".npy", "w") as stream:
                np.lib.format.write_array(stream, array)
    return file.getvalue()


def mnist_file(**changes):
    """Return the bytes of a file shaped like MNIST's, of blank images."""
    arrays = {
        "x_train": np.zeros((60000, 28, 28), np.uint8),
        "y_train": np.arange(60000, dtype=np.uint8) % 10,
        "x_test": np.ones((10000, 28, 28), np.uint8),
        "y_test": np.arange(10000, dtype=np.uint8) % 10,
    }
    return npz(**{**arrays, **changes})


@pytest.fixture(scope="module")
def blank_mnist():
    return mnist_file()


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# --- embedded -------------------------------------------------------------------------------------


def test_boston_housing_is_split_like_keras():
    (x_train, y_train), (x_test, y_test) = boston_housing.load_data()
    assert x_train.shape == (404, 13) and x_test.shape == (102, 13)
    assert x_train.dtype == y_train.dtype == np.float64
    # The first training row and the first prices that Keras's loader gives with its default seed.
    np.testing.assert_allclose(
        x_train[0],
        [1.23247, 0, 8.14, 0, 0.538, 6.142, 91.7, 3.9769, 4, 307, 21, 396.9, 18.72],
    )
    assert y_train[:5].tolist() == [15.2, 42.3, 50.0, 21.1, 17.7]
    assert y_test[:5].tolist() == [7.2, 18.8, 19.0, 27.0, 22.2]
    assert len(boston_housing.FEATURES) == 13


def test_splits_follow_size_and_seed():
    (x_train, _), (x_test, y_test) = boston_housing.load_data(test_split=0.0)
    assert len(x_train) == 506 and len(x_test) == len(y_test) == 0
    one, other = datasets.digits.load_data(seed=1), datasets.digits.load_data(seed=2)
    assert not np.array_equal(one[0][1], other[0][1])
    with pytest.raises(ValueError, match="test_split"):
        boston_housing.load_data(test_split=1.0)


def test_digits_and_breast_cancer():
    (x_train, y_train), (x_test, y_test) = datasets.digits.load_data()
    assert x_train.shape == (1437, 8, 8) and x_test.shape == (360, 8, 8)
    assert x_train.dtype == y_train.dtype == np.uint8
    assert x_train.max() == 16 and set(y_test) == set(range(10))
    (x_train, y_train), (x_test, y_test) = datasets.breast_cancer.load_data()
    assert x_train.shape == (455, 30) and x_test.shape == (114, 30)
    assert np.bincount(np.concatenate([y_train, y_test])).tolist() == [212, 357]


# --- generated ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["moons", "circles", "spirals", "blobs"])
def test_generated_points_depend_on_the_seed_alone(name):
    make = getattr(datasets, name)
    x, y = make(101, seed=3)
    again, _ = make(101, seed=3)
    other, _ = make(101, seed=4)
    assert x.shape == (101, 2) and x.dtype == np.float32 and y.shape == (101,)
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(x, again)
    assert not np.array_equal(x, other)
    for wrong in ({"samples": 0}, {"noise": -1.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            make(**wrong)


def test_generated_shapes_are_what_they_are_called():
    x, y = datasets.circles(200, factor=0.3, noise=0.0, seed=0)
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), np.where(y == 0, 1, 0.3), rtol=1e-6)
    x, y = datasets.moons(200, noise=0.0, seed=0)
    centre = np.where(y[:, None] == 0, [0.0, 0.0], [1.0, 0.5])
    np.testing.assert_allclose(np.linalg.norm(x - centre, axis=1), 1, rtol=1e-6)
    assert (x[y == 0, 1] >= 0).all() and (x[y == 1, 1] <= 0.5).all()
    x, y = datasets.spirals(300, classes=3, noise=0.0, seed=0)
    angle = np.arctan2(x[:, 1], x[:, 0]) - 2 * np.pi * (np.linalg.norm(x, axis=1) + y / 3)
    np.testing.assert_allclose(np.exp(1j * angle), 1, atol=1e-5)
    x, y = datasets.blobs(300, classes=4, features=5, noise=0.0, seed=0)
    assert x.shape == (300, 5) and len(np.unique(x, axis=0)) == 4


# --- where files are looked for -------------------------------------------------------------------


@pytest.mark.parametrize("place", ["FASTNN_HOME", ".fastnn", "KERAS_HOME", ".keras"])
def test_mnist_is_found_where_it_may_lie(place, home, monkeypatch, blank_mnist):
    put(home / place / "datasets" / "mnist.npz", blank_mnist)
    if place.isupper():
        monkeypatch.setenv(place, str(home / place))
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert x_train.shape == (60000, 28, 28) and x_test.shape == (10000, 28, 28)
    assert x_train.dtype == y_train.dtype == np.uint8
    assert y_train[:3].tolist() == [0, 1, 2] and y_test.shape == (10000,)
    assert x_test.flags.writeable


def test_an_absolute_path_is_used_as_it_is(home, blank_mnist):
    put(home / "elsewhere" / "digits.npz", blank_mnist)
    (x_train, _), _ = mnist.load_data(str(home / "elsewhere" / "digits.npz"))
    assert len(x_train) == 60000


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (lambda: b"<html>not a data set</html>", "not an .npz archive"),
        (lambda: npz(x_train=np.zeros((9999, 28, 28), np.uint8)), "'x_train' with shape"),
        (lambda: npz(x_train=np.zeros((60000, 28, 28), np.int8)), "'x_train' with dtype"),
        (lambda: mnist_file(y_test=np.full(10000, 10, np.uint8)), "labels above 9"),
        (lambda: npz(x_train=np.array([None] * 60000)), "only little-endian numbers"),
        (lambda: npz(x_test=np.zeros(3)), "lacks the array 'x_train'"),
        (lambda: mnist_file()[:-100], "cut short"),
    ],
    ids=["html", "shape", "dtype", "labels", "objects", "missing", "cut"],
)
def test_a_file_that_is_not_mnist_is_refused_and_named(content, complaint, home):
    path = home / ".fastnn" / "datasets" / "mnist.npz"
    put(path, content())
    with pytest.raises(ValueError, match=complaint) as caught:
        mnist.load_data()
    assert str(path) in str(caught.value) and "Remove it" in str(caught.value)


# --- downloads ------------------------------------------------------------------------------------


def left_over(home):
    return [p for p in home.rglob("*") if p.is_file()]


def test_a_download_is_kept_and_used_again(serve, home, monkeypatch, blank_mnist):
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(blank_mnist).hexdigest())
    with serve(blank_mnist) as server:
        first = mnist.load_data()
        second = mnist.load_data()
    assert server.requests == ["/mnist.npz"]
    np.testing.assert_array_equal(first[0][1], second[0][1])
    assert left_over(home) == [home / ".fastnn" / "datasets" / "mnist.npz"]
    assert left_over(home)[0].read_bytes() == blank_mnist


def test_a_download_goes_to_fastnn_home(serve, home, monkeypatch, blank_mnist):
    monkeypatch.setenv("FASTNN_HOME", str(home / "mine"))
    monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(blank_mnist).hexdigest())
    with serve(blank_mnist):
        mnist.load_data()
    assert left_over(home) == [home / "mine" / "datasets" / "mnist.npz"]


def test_a_download_with_another_checksum_is_thrown_away(serve, home, blank_mnist):
    with serve(blank_mnist), pytest.raises(ValueError, match=mnist.SHA256):
        mnist.load_data()
    assert left_over(home) == []


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ({"body": b"half", "promised": 8}, "4 of 8 bytes"),
        ({"body": b"no such file", "status": 404}, "404"),
    ],
    ids=["interrupted", "missing"],
)
def test_a_failed_download_leaves_nothing_and_says_what_to_do(answer, complaint, serve, home):
    with serve(**answer) as server, pytest.raises(OSError, match=complaint) as caught:
        mnist.load_data()
    message = str(caught.value)
    assert f"{server.origin}mnist.npz" in message
    assert str(home / ".fastnn" / "datasets" / "mnist.npz") in message
    assert mnist.SHA256 in message
    assert left_over(home) == []


def test_offline_says_what_to_do(home):
    with pytest.raises(_cache.DatasetUnavailableError, match=r"put it at .*mnist\.npz") as caught:
        mnist.load_data()
    assert mnist.SHA256 in str(caught.value)
    assert left_over(home) == []


# --- fashion_mnist --------------------------------------------------------------------------------


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def put_fashion(home, **changes):
    parts = {
        "train-images-idx3-ubyte": idx(np.full((60000, 28, 28), 7, np.uint8)),
        "train-labels-idx1-ubyte": idx(np.arange(60000, dtype=np.uint8) % 10),
        "t10k-images-idx3-ubyte": idx(np.full((10000, 28, 28), 8, np.uint8)),
        "t10k-labels-idx1-ubyte": idx(np.arange(10000, dtype=np.uint8) % 10),
    }
    parts.update({name.replace("_", "-"): content for name, content in changes.items()})
    for name, content in parts.items():
        put(home / ".keras/datasets/fashion-mnist" / (name + ".gz"), gzip.compress(content, 1))


def test_fashion_mnist_is_read_from_keras_cache(home):
    put_fashion(home)
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    assert x_train.shape == (60000, 28, 28) and (x_train == 7).all()
    assert x_test.shape == (10000, 28, 28) and (x_test == 8).all()
    assert y_train[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and len(y_test) == 10000
    assert x_train.dtype == y_train.dtype == np.uint8
    assert len(fashion_mnist.CLASSES) == 10


@pytest.mark.parametrize(
    "labels",
    [
        idx(np.zeros(59999, np.uint8)),
        idx(np.full(60000, 10, np.uint8)),
        idx(np.zeros(60000, np.uint8)) + b"more",
        b"",
    ],
    ids=["short", "range", "long", "empty"],
)
def test_fashion_mnist_refuses_other_files(labels, home):
    put_fashion(home, train_labels_idx1_ubyte=labels)
    with pytest.raises(ValueError, match="train-labels"):
        fashion_mnist.load_data()


def test_fashion_mnist_refuses_a_damaged_archive(home):
    put_fashion(home)
    path = home / ".keras/datasets/fashion-mnist/train-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="damaged"):
        fashion_mnist.load_data()


# --- imdb -----------------------------------------------------------------------------------------


def object_array(lists):
    array = np.empty(len(lists), object)
    array[:] = lists
    return array


def imdb_file(**changes):
    random = np.random.default_rng(0)
    reviews = [
        [int(word) for word in random.integers(1, 50, size=random.integers(1, 6))]
        for _ in range(500)
    ]
    lists = object_array(reviews * 50)
    arrays = {
        "x_train": lists,
        "y_train": np.arange(25000) % 2,
        "x_test": lists[::-1],
        "y_test": np.arange(25000) % 2,
        **changes,
    }
    return npz(**arrays), arrays


@pytest.fixture(scope="module")
def reviews_file():
    return imdb_file()


def test_imdb_is_shuffled_shifted_and_limited_like_keras(home, reviews_file):
    content, arrays = reviews_file
    put(home / ".keras" / "datasets" / "imdb.npz", content)
    (x_train, y_train), (x_test, y_test) = imdb.load_data()
    assert len(x_train) == len(x_test) == 25000 and y_train.dtype == np.int64

    random = np.random.RandomState(113)
    train_order, test_order = np.arange(25000), np.arange(25000)
    random.shuffle(train_order)
    random.shuffle(test_order)
    np.testing.assert_array_equal(y_train, arrays["y_train"][train_order])
    np.testing.assert_array_equal(y_test, arrays["y_test"][test_order])
    # 49 + 3 is the largest number; without num_words Keras leaves exactly that one out.
    shifted = [1] + [word + 3 if word < 49 else 2 for word in arrays["x_train"][train_order[0]]]
    assert x_train[0] == shifted

    (x_train, y_train), _ = imdb.load_data(num_words=30, skip_top=10, maxlen=4)
    assert {word for review in x_train for word in review} == {2, *range(10, 30)}
    assert max(map(len, x_train)) == 3 and len(y_train) == len(x_train) < 25000
    (x_train, _), _ = imdb.load_data(num_words=30, start_char=None, oov_char=None, index_from=0)
    assert {word for review in x_train for word in review} == set(range(1, 30))
    with pytest.raises(ValueError, match="maxlen=1"):
        imdb.load_data(maxlen=1)


class Trap:
    def __reduce__(self):
        return os.system, ("echo trapped > trapped",)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"x_test": object_array([Trap()] * 25000)}, "system"),
        ({"x_test": object_array([["a"]] * 25000)}, "other than lists of numbers"),
        ({"x_test": object_array([[1]] * 10)}, "10 reviews"),
        ({"y_test": np.full(25000, 2)}, "not 0 and 1"),
        ({"x_test": np.arange(25000)}, "damaged"),
    ],
    ids=["code", "words", "count", "labels", "numbers"],
)
def test_imdb_runs_nothing_and_reads_only_lists_of_numbers(changes, complaint, home, monkeypatch):
    monkeypatch.chdir(home)
    put(home / ".keras" / "datasets" / "imdb.npz", imdb_file(**changes)[0])
    with pytest.raises(ValueError, match=complaint):
        imdb.load_data()
    assert not (home / "trapped").exists()


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_lists_pickled_by_python_2_and_3_are_read(module):
    old = (
        b"\x80\x02c" + module.encode() + b"\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85"
        b"q\x02U\x01bq\x03\x87q\x04Rq\x05(K\x01K\x02\x85q\x06cnumpy\ndtype\nq\x07U\x02O8q\x08K"
        b"\x00K\x01\x87q\x09Rq\x0a(K\x03U\x01|q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tq\x0c"
        b"b\x89]q\x0d(]q\x0e(K\x01K\x02e]q\x0fK\x03aetq\x10b."
    )
    assert imdb.unpickle_lists(io.BytesIO(old)) == [[1, 2], [3]]
    new = pickle.dumps(object_array([[1, 2], [3, 70000]]), protocol=3)
    assert imdb.unpickle_lists(io.BytesIO(new)) == [[1, 2], [3, 70000]]


def test_word_index(home, serve, monkeypatch):
    content = json.dumps({"the": 1, "film": 2}).encode()
    monkeypatch.setattr(imdb, "WORD_INDEX_MD5", hashlib.md5(content).hexdigest())
    with serve(content):
        assert imdb.get_word_index() == {"the": 1, "film": 2}
    put(home / ".fastnn/datasets/imdb_word_index.json", b'{"the": "first"}')
    with pytest.raises(ValueError, match="no table of words"):
        imdb.get_word_index()


def test_a_bomb_is_not_inflated(home):
    """A member that claims an array of MNIST's shape but holds gigabytes is refused unread."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        header = io.BytesIO()
        np.lib.format.write_array(header, np.zeros((60000, 28, 28), np.uint8))
        with archive.open("x_train.npy", "w") as stream:
            stream.write(header.getvalue())
            for _ in range(20):
                stream.write(bytes(1 << 20))
    put(home / ".keras" / "datasets" / "mnist.npz", file.getvalue())
    with pytest.raises(ValueError, match="does not fit"):
        mnist.load_data()
