"""What Keras computes: numbers of Keras 3.15.1 on JAX 0.10.2, written down here."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Input, Sequential
from fastnn.layers import Dense
from fastnn.optimizers import SGD, Adam, schedules


def model():
    one = Sequential([Input((6,)), Dense(5, activation="relu"), Dense(3, activation="tanh")])
    rng = np.random.default_rng(5)
    one.set_weights([rng.normal(size=w.shape).astype("float32") * 0.5 for w in one.get_weights()])
    return one


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6)).astype("float32")
    rng.normal(size=50), rng.integers(0, 4, 50), rng.integers(0, 2, 50)  # drawn, not used
    return x, rng.integers(0, 2, (50, 3)).astype("float32")


@pytest.mark.parametrize(
    ("optimizer", "losses"),
    [
        (lambda: SGD(schedules.ExponentialDecay(0.1, 3, 0.5)),
         [1.0481704473495483, 0.9591391086578369, 0.9253999590873718]),
        (lambda: SGD(schedules.PiecewiseConstantDecay([2, 5], [0.1, 0.05, 0.01])),
         [1.045871376991272, 0.9366700649261475, 0.9068500399589539]),
        (lambda: Adam(schedules.CosineDecay(0.1, 8, warmup_target=0.2, warmup_steps=3)),
         [0.8454025983810425, 0.3458864986896515, 0.3095621168613434]),
        (lambda: SGD(schedules.PolynomialDecay(0.1, 5, power=2.0, cycle=True)),
         [1.0498769283294678, 0.9960793852806091, 0.9856763482093811]),
        (lambda: SGD(schedules.InverseTimeDecay(0.1, 3, 0.5, staircase=True)),
         [1.045871376991272, 0.9249987006187439, 0.8509625196456909]),
        (lambda: SGD(lambda: 0.05),
         [1.0634821653366089, 0.9891136884689331, 0.9204278588294983]),
    ],
    ids=["exponential", "piecewise", "cosine", "polynomial", "inverse time", "function"],
)  # fmt: skip
def test_training_with_a_schedule(optimizer, losses):
    """fit(x, y, epochs=3, batch_size=16, shuffle=False) from the same weights."""
    one = model()
    one.compile(optimizer(), "mse")
    x, y = data()
    history = one.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], losses, rtol=3e-5)
