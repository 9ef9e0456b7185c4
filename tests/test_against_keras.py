"""What Keras computes: numbers of Keras 3.15.1 on JAX 0.10.2, written down here."""

from __future__ import annotations

import numpy as np
import pytest

from fastnn import Input, Sequential, losses
from fastnn.layers import Dense
from fastnn.optimizers import SGD, Adam, AdamW, RMSprop, schedules


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
    ("optimizer", "expected"),
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
def test_training_with_a_schedule(optimizer, expected):
    """fit(x, y, epochs=3, batch_size=16, shuffle=False) from the same weights."""
    one = model()
    one.compile(optimizer(), "mse")
    x, y = data()
    history = one.fit(x, y, epochs=3, batch_size=16, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=3e-5)


ROWS = np.arange(10)
X = np.sin(np.outer(ROWS + 1, [1.0, 2.0, 3.0])).astype("float32")


def small(units=1, activation=None):
    one = Sequential([Input((3,)), Dense(4, activation="tanh"),
                      Dense(units, activation=activation)])  # fmt: skip
    one.set_weights(
        [np.cos(np.arange(w.size) + w.ndim).reshape(w.shape) / 2 for w in one.get_weights()]
    )
    return one


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (lambda: SGD(0.1),
         [0.4641456, 0.3541292, 0.3226435]),
        (lambda: SGD(0.1, momentum=0.9),
         [0.4302362, 0.3846294, 0.3143051]),
        (lambda: SGD(0.1, momentum=0.9, nesterov=True),
         [0.4337316, 0.3904402, 0.2535387]),
        (lambda: SGD(0.1, weight_decay=0.5),
         [0.4563646, 0.3747341, 0.3750204]),
        (lambda: RMSprop(0.02),
         [0.4421544, 0.2821087, 0.2215542]),
        (lambda: RMSprop(0.02, rho=0.8, momentum=0.5, centered=True, epsilon=0.001),
         [0.4415669, 0.2691279, 0.1917894]),
        (lambda: Adam(0.05),
         [0.4188398, 0.251232, 0.2003145]),
        (lambda: Adam(0.05, amsgrad=True, weight_decay=0.1),
         [0.4181061, 0.2526945, 0.2020713]),
        (lambda: AdamW(0.05, weight_decay=0.2),
         [0.417422, 0.2543851, 0.2043772]),
    ],
)  # fmt: skip
def test_training_with_an_optimizer(optimizer, expected):
    """fit(x, cos(0, 1, ... 9), epochs=3, batch_size=4, shuffle=False) from the same weights."""
    one = small()
    one.compile(optimizer(), "mse")
    y = np.cos(ROWS).astype("float32")
    history = one.fit(X, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    np.testing.assert_allclose(history["loss"], expected, rtol=3e-5)


TARGETS = {
    "number": np.cos(ROWS).astype("float32"),
    "class": ROWS % 3,
    "one-hot": np.eye(3, dtype="float32")[ROWS % 3],
    "bit": ROWS % 2,
    "bits": np.stack([ROWS % 2, ROWS // 2 % 2], axis=1),
}


@pytest.mark.parametrize(
    ("loss", "units", "activation", "y", "expected"),
    [
        (losses.BinaryCrossentropy(label_smoothing=0.2), 2, "sigmoid", "bits",
         [0.9954951, 0.964695, 0.938979]),
        (losses.BinaryCrossentropy(from_logits=True), 1, None, "bit",
         [0.8693078, 0.8273128, 0.7939255]),
        (losses.BinaryCrossentropy(), 3, "softmax", "one-hot",
         [0.7893537, 0.7697677, 0.7506503]),
        (losses.CategoricalCrossentropy(label_smoothing=0.1), 3, "softmax", "one-hot",
         [1.372386, 1.320309, 1.271068]),
        (losses.CategoricalCrossentropy(), 3, "sigmoid", "one-hot",
         [1.363853, 1.340258, 1.317509]),
        (losses.SparseCategoricalCrossentropy(), 3, "softmax", "class",
         [1.356628, 1.29211, 1.230374]),
        (losses.SparseCategoricalCrossentropy(from_logits=True), 3, None, "class",
         [1.356628, 1.29211, 1.230374]),
        (losses.MeanAbsoluteError(reduction="mean_with_sample_weight"), 1, None, "number",
         [0.6508114, 0.5464543, 0.4369668]),
        (losses.MeanSquaredError(reduction="sum"), 1, None, "number",
         [13.11832, 25.01311, 180.2266]),
        (losses.Huber(delta=0.5), 3, None, "one-hot",
         [0.2797902, 0.2271861, 0.1876838]),
    ],
)  # fmt: skip
def test_training_with_a_weighted_loss(loss, units, activation, y, expected):
    """As above with SGD(0.1) and sample_weight = 0, 1, 2, 3, 0, 1 ..."""
    one = small(units, activation)
    one.compile(SGD(0.1), loss)
    weights = (ROWS % 4).astype("float32")
    history = one.fit(X, TARGETS[y], sample_weight=weights, epochs=3, batch_size=4, shuffle=False,
                      verbose=0).history  # fmt: skip
    np.testing.assert_allclose(history["loss"], expected, rtol=3e-5)
