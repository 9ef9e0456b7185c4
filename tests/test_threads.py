"""Threads as Python sees them: their number, callers in several threads, and fork."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import Sequential, layers

ROWS, FEATURES, BATCH = 1024, 64, 256  # enough work for several threads


def data(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((ROWS, FEATURES)).astype("float32")
    return x, (x[:, 0] > 0).astype("int64")


def train(epochs=2, seed=1):
    """Return the bytes of the trained weights of a model that is made, and seeded, here."""
    fastnn.set_random_seed(seed)
    model = Sequential(
        [
            fastnn.Input(shape=(FEATURES,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return continue_training(model, epochs)


def continue_training(model, epochs=2):
    model.fit(*data(), batch_size=BATCH, epochs=epochs, verbose=0)
    return b"".join(w.tobytes() for w in model.get_weights())


# --- how many ---------------------------------------------------------------------------------


def test_set_and_get():
    for n in (1, 2, 256, np.int64(3)):
        fastnn.set_num_threads(n)
        assert fastnn.get_num_threads() == n


@pytest.mark.parametrize("bad", [-1, 257, 10**30, 2.0, "2", True, None])
def test_refuses_other_numbers(bad):
    fastnn.set_num_threads(3)
    with pytest.raises(ValueError, match=r"set_num_threads.*256"):
        fastnn.set_num_threads(bad)
    assert fastnn.get_num_threads() == 3


def threads_of_a_process(**environment):
    code = "import fastnn; print(fastnn.get_num_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    return done.stdout.strip(), done.stderr


def test_environment():
    assert threads_of_a_process(FASTNN_NUM_THREADS="5") == ("5", "")
    default = threads_of_a_process(FASTNN_NUM_THREADS="")[0]
    assert 1 <= int(default) <= os.cpu_count()
    for nonsense in ("0", "many", "1000"):
        out, error = threads_of_a_process(FASTNN_NUM_THREADS=nonsense)
        expected = f"FASTNN_NUM_THREADS must be a whole number from 1 to 256, got '{nonsense}'"
        assert out == "" and expected in error


if hasattr(os, "sched_setaffinity"):  # Linux

    def test_default_respects_the_affinity_mask():
        code = (
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
            "import fastnn; print(fastnn.get_num_threads())"
        )
        env = {k: v for k, v in os.environ.items() if k != "FASTNN_NUM_THREADS"}
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
        assert out.stdout == "1\n", out.stderr


# --- callers in several threads -----------------------------------------------------------------


def test_models_train_in_several_python_threads():
    """They take turns in the pool and give the bits that each gives alone."""
    fastnn.set_num_threads(3)
    models = [build_small(seed) for seed in range(3)]
    alone = [continue_training(build_small(seed)) for seed in range(3)]
    together = [b""] * 3

    def work(i):
        together[i] = continue_training(models[i])

    workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert together == alone


def build_small(seed):
    fastnn.set_random_seed(seed)
    model = Sequential(
        [fastnn.Input(shape=(FEATURES,)), layers.Dense(64, activation="tanh"), layers.Dense(1)]
    )
    model.compile(optimizer="sgd", loss="mse")
    return model


def test_training_leaves_other_python_threads_running():
    """An epoch is one call into C; were the interpreter locked, this thread would stand still."""
    model = build_small(0)
    x = np.zeros((400_000, FEATURES), "float32")
    running, done = threading.Event(), threading.Event()

    class Started(fastnn.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            running.set()

    def work():
        model.fit(x, x[:, 0], batch_size=BATCH, verbose=0, callbacks=[Started()])
        done.set()

    worker = threading.Thread(target=work)
    worker.start()
    running.wait()
    turns = 0
    while not done.is_set():
        time.sleep(0.0001)
        turns += 1
    worker.join()
    assert turns > 20


def test_denormals_are_the_callers_again():
    tiny = np.float32(1e-40)
    train(epochs=1)
    assert tiny * np.float32(0.5) > 0


# --- fork ---------------------------------------------------------------------------------------


@pytest.fixture
def forking():
    """Python 3.12 and newer warn of fork in a process with threads: here it is the subject."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield multiprocessing.get_context("fork")


def test_children_train_after_their_parent_has(forking):
    fastnn.set_num_threads(3)
    expected = train()
    with forking.Pool(2) as pool:
        results = pool.map_async(train, [2, 2, 2, 2])
        assert train() == expected  # the parent's pool lives on
        assert results.get(timeout=60) == [expected] * 4


def test_children_forked_while_another_thread_trains(forking):
    fastnn.set_num_threads(3)
    expected = train()
    other, stop = build_small(5), threading.Event()

    def keep_training():
        while not stop.is_set():
            continue_training(other, epochs=1)

    worker = threading.Thread(target=keep_training)
    worker.start()
    try:
        for _ in range(5):
            receive, send = forking.Pipe(duplex=False)
            child = forking.Process(target=lambda end: end.send(train()), args=(send,))
            child.start()
            assert receive.poll(60), "the child hangs"
            assert receive.recv() == expected
            child.join(60)
            assert child.exitcode == 0
    finally:
        stop.set()
        worker.join()


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_a_metric_in_python_behind_a_batch_in_parts(threads):
    """Nobody waits for a thread that does not come."""

    class Largest(fastnn.metrics.Metric):
        def reset_state(self):
            self.largest = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.largest = max(self.largest, float(np.max(y_pred)))

        def result(self):
            return self.largest

    rows = 4000
    x = np.linspace(0, 1, rows)[:, None]
    dense = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = Sequential([fastnn.Input((1,)), dense])
    model.compile("sgd", "mse", metrics=["mae", Largest()])
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(threads)
    try:
        for _ in range(3):
            results = model.evaluate(x, x, batch_size=rows, verbose=0)
            model.fit(x, x, batch_size=rows, epochs=2, verbose=0)
    finally:
        fastnn.set_num_threads(before)
    assert results == pytest.approx([0, 0, 1])
