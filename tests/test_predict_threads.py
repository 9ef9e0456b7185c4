"""Predictions of many rows, whose last batch is shorter, by several threads."""

from __future__ import annotations

import numpy as np

import fastnn


def test_the_last_shorter_batch_waits_for_the_others(rng):
    """In a shorter batch a sample belongs to another thread than its place did before."""
    model = fastnn.Sequential(
        [
            fastnn.Input((64,)),
            fastnn.layers.Dense(256, "relu"),
            fastnn.layers.Dense(10, "softmax"),
        ]
    )
    engine_batch = 1024
    x = rng.random((2 * engine_batch + engine_batch // 2, 64), np.float32)
    fastnn.set_num_threads(1)
    expected = model.predict(x, verbose=0)
    for threads in (2, 3, 4):
        fastnn.set_num_threads(threads)
        for _ in range(20):
            np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
