"""What is measured: networks, their data and first weights, and a float64 reference to check by.

Nothing here imports a peer, so that a worker process holds one framework and NumPy only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKED_STEPS = 8
LEAST_SECONDS = 0.2  # of a repetition: a processor that has slept is slow for some milliseconds
TOLERANCE = 1e-4  # relative, of losses after CHECKED_STEPS steps in float32
ADAM = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
SGD = {"learning_rate": 0.01}
SETTINGS: dict[str, dict[str, float]] = {
    "sgd": SGD,
    "adam": ADAM,
    "adamw": ADAM,
    "rmsprop": {"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7},
}
"""Optimizer -> the arguments of Keras's class, but for the weight decay, which a workload has."""


@dataclass(frozen=True)
class Workload:
    """A network and something to do with it.

    ``activation``, "relu" or "tanh", follows every layer but the last; with ``dropout`` that share
    of its values is dropped in training. With ``uint8`` the images are bytes from 0 to 255, which
    the network divides by 255. With ``grain`` no pixel of the images is zero. With ``batchnorm``
    each layer but the last is normalized by the batch before its activation.

    ``kind`` is "train", "predict_one" or "predict_many". A repetition is as many epochs of
    ``count`` training steps, calls of predict on one sample, or predictions of all ``rows``, as
    take `LEAST_SECONDS`; figures are given for one step or call.
    """

    name: str
    title: str
    sizes: tuple[int, ...]
    kind: str = "train"
    optimizer: str = "adam"
    batch: int = 32
    count: int = 100
    rows: int = 0
    grain: bool = False
    activation: str = "relu"
    dropout: float = 0.0
    weight_decay: float = 0.0
    uint8: bool = False
    batchnorm: bool = False

    @property
    def classifier(self) -> bool:
        """Softmax and cross-entropy over classes; otherwise a regression by squared error."""
        return self.sizes[-1] > 1

    @property
    def settings(self) -> dict[str, float]:
        """The arguments of the optimizer."""
        decay = {"weight_decay": self.weight_decay} if self.optimizer == "adamw" else {}
        return SETTINGS[self.optimizer] | decay

    @property
    def checked(self) -> Workload:
        """The workload as contenders are checked on it.

        Nothing is dropped, as that is random, and weights decay fast enough to be seen.
        """
        return replace(self, dropout=0.0, weight_decay=1000 * self.weight_decay)

    @property
    def scale(self) -> float:
        """What the network multiplies its input by."""
        return 1 / 255 if self.uint8 else 1.0

    def data(self, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the samples and the targets of `count` (default: all) units of work."""
        rows = self.rows or (count or self.count) * self.batch
        if self.sizes[0] != PIXELS:
            x, y = tabular_data(rows, self.sizes[0])
            return x, (y[:, 0] > 0).astype(np.int32) if self.classifier else y
        x, y = image_data(rows)
        if self.grain:
            x = np.maximum(x, np.random.default_rng(2).uniform(0.001, 0.1, x.shape).astype(x.dtype))
        if self.uint8:
            x = np.rint(x * 255).astype(np.uint8)
        return x, y

    def weights(self) -> list[np.ndarray]:
        """Return kernel and bias of every layer, in float32: Glorot uniform, and small biases.

        With `batchnorm` gamma and beta follow those of a hidden layer.
        """
        rng = np.random.default_rng(1)
        arrays = []
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            limit = np.sqrt(6 / (inputs + outputs))
            arrays.append(rng.uniform(-limit, limit, (inputs, outputs)).astype(np.float32))
            arrays.append(rng.uniform(-0.01, 0.01, outputs).astype(np.float32))
            if self.batchnorm and len(arrays) // 4 < len(self.sizes) - 2:
                arrays += [np.ones(outputs, np.float32), np.zeros(outputs, np.float32)]
        return arrays

    def layers(self, arrays: Sequence[Any]) -> list[list[Any]]:
        """Return what is given for every weight as lists for each layer."""
        each = 4 if self.batchnorm else 2
        return [list(arrays[k : k + each]) for k in range(0, len(arrays), each)]


PIXELS = 784
MLP = (PIXELS, 300, 100, 10)
WORKLOADS = (
    Workload("b32-sgd", "784-300-100-10, batch 32, SGD", MLP, optimizer="sgd", count=400),
    Workload("b32-adam", "784-300-100-10, batch 32, Adam", MLP, count=400),
    Workload("b128-adam", "784-300-100-10, batch 128, Adam", MLP, batch=128, count=100),
    Workload("b128-grain", "the same, no pixel zero", MLP, batch=128, grain=True),
    Workload("b1024-adam", "784-300-100-10, batch 1024, Adam", MLP, batch=1024, count=20),
    Workload(
        "wide-adam", "784-2048-2048-10, batch 256, Adam", (784, 2048, 2048, 10), batch=256, count=10
    ),
    Workload("small-adam", "13-64-64-1, batch 32, Adam", (13, 64, 64, 1), count=1000),
    Workload(
        "tanh-rmsprop", "784-128-64-10, tanh, batch 50, RMSprop", (PIXELS, 128, 64, 10),
        activation="tanh", optimizer="rmsprop", batch=50, count=400,
    ),
    Workload(
        "dropout-adamw", "784-256-128-64-10, dropout 0.2, batch 100, AdamW",
        (PIXELS, 256, 128, 64, 10), dropout=0.2, optimizer="adamw", weight_decay=0.004, batch=100,
        count=200,
    ),
    Workload(
        "uint8-adam", "784-300-100-10, uint8 images, batch 100, Adam", MLP, uint8=True, batch=100,
        count=300,
    ),
    Workload("tabular-adam", "30-64-32-2, batch 32, Adam", (30, 64, 32, 2), count=1000),
    Workload(
        "b128-batchnorm", "784-300-100-10, batch normalization, batch 128, Adam", MLP, batch=128,
        batchnorm=True,
    ),
    Workload(
        "b1024-batchnorm", "the same, batch 1024", MLP, batch=1024, count=20, batchnorm=True,
    ),
    Workload("predict-one", "predict one sample", MLP, kind="predict_one", rows=1),
    Workload("predict-60000", "predict 60,000", MLP, kind="predict_many", rows=60000),
)  # fmt: skip
BY_NAME = {workload.name: workload for workload in WORKLOADS}


# --- data ------------------------------------------------------------------------------------


def mnist_file() -> Path | None:
    """Return the MNIST file of fastnn's or Keras's cache, if there is one."""
    homes = [Path.home() / ".fastnn", Path.home() / ".keras"]
    if "FASTNN_HOME" in os.environ:
        homes.insert(0, Path(os.environ["FASTNN_HOME"]))
    files = (home / "datasets" / "mnist.npz" for home in homes)
    return next((file for file in files if file.is_file()), None)


def image_data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return up to 60,000 images as float32 rows in [0, 1] and their classes: MNIST or made up."""
    file = mnist_file()
    if file is not None:
        with np.load(file) as arrays:
            x, y = arrays["x_train"][:rows], arrays["y_train"][:rows]
        return x.reshape(len(x), -1).astype(np.float32) / np.float32(255), y.astype(np.int32)
    # Ten prototypes under noise; a fifth of the pixels is lit, as in MNIST.
    rng = np.random.default_rng(0)
    prototypes = rng.random((10, 784), np.float32) * (rng.random((10, 784)) < 0.2)
    y = rng.integers(0, 10, rows, np.int32)
    return (prototypes[y] * rng.random((rows, 784), np.float32)).astype(np.float32), y


def tabular_data(rows: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal samples and a smooth, noisy function of them, (rows, 1)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, features), np.float32)
    y = np.sin(x[:, :1]) + x[:, 1:2] * x[:, 2:3] + 0.1 * rng.standard_normal((rows, 1), np.float32)
    return x, y.astype(np.float32)


# --- the reference ---------------------------------------------------------------------------


def forward(workload: Workload, weights: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """Return the value of every layer, the input first; the last one is not activated.

    Without dropout: see Workload.checked.
    """
    values = [x.astype(np.float64) * workload.scale]
    *hidden, last = workload.layers(weights)
    for kernel, bias, *scale in hidden:
        z = values[-1] @ kernel + bias
        if scale:
            z = scale[0] * normalized(z)[0] + scale[1]
        values.append(activate(workload, z))
    values.append(values[-1] @ last[0] + last[1])
    return values


EPSILON = 1e-3
"""What batch normalization adds to the variance, and its averages of former batches: momentum."""
MOMENTUM = 0.99


def normalized(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return z with the batch's mean 0 and variance 1, and what it was multiplied with."""
    factor = 1 / np.sqrt(z.var(axis=0) + EPSILON)
    return (z - z.mean(axis=0)) * factor, factor


def activate(workload: Workload, z: np.ndarray) -> np.ndarray:
    return np.tanh(z) if workload.activation == "tanh" else np.maximum(z, 0)


def slope(workload: Workload, value: np.ndarray) -> np.ndarray:
    """Return the derivative of the activation where it has this value."""
    return 1 - value**2 if workload.activation == "tanh" else (value > 0).astype(value.dtype)


def softmax(z: np.ndarray) -> np.ndarray:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def loss_and_gradient(
    workload: Workload, prediction: np.ndarray, y: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the mean loss of a batch and its gradient with respect to the last layer."""
    rows = len(y)
    if workload.classifier:
        p = softmax(prediction)
        loss = -np.log(p[np.arange(rows), y]).mean()
        p[np.arange(rows), y] -= 1
        return float(loss), p / rows
    error = prediction - y
    return float((error**2).mean()), 2 * error / error.size


def reference(
    workload: Workload, steps: int, *, late_epsilon: bool = False
) -> tuple[list[np.ndarray], float]:
    """Train `steps` batches in order, in float64; return the weights and the mean loss.

    Adam's epsilon is added to the square root of v, as in section 2 of the paper (Kingma and Ba,
    arXiv:1412.6980) and in Keras; with `late_epsilon` to that of the bias-corrected v, as in its
    algorithm 1 and in PyTorch. Pixels that are hardly ever lit feel the difference. RMSprop's is
    added to v, as in Keras; with `late_epsilon` to its square root, as in PyTorch.
    """
    optimizer, settings = workload.optimizer, workload.settings
    weights = [w.astype(np.float64) for w in workload.weights()]
    m, v = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    x, y = workload.data(steps)
    losses = []
    for step in range(steps):
        rows = slice(step * workload.batch, (step + 1) * workload.batch)
        values = forward(workload, weights, x[rows])
        loss, dz = loss_and_gradient(workload, values[-1], y[rows])
        losses.append(loss)
        gradients: list[np.ndarray] = []
        for layer, (kernel, bias, *scale) in reversed([*enumerate(workload.layers(weights))]):
            below = values[layer]
            own = []
            if scale:
                unit, factor = normalized(below @ kernel + bias)
                own = [(dz * unit).sum(axis=0), dz.sum(axis=0)]
                dz = scale[0] * factor * (dz - (own[1] + unit * own[0]) / len(dz))
            gradients = [below.T @ dz, dz.sum(axis=0), *own, *gradients]
            dz = (dz @ kernel.T) * slope(workload, below)
        for w, g, mi, vi in zip(weights, gradients, m, v, strict=True):
            rate = settings["learning_rate"]
            if optimizer == "sgd":
                w -= rate * g
                continue
            epsilon = settings["epsilon"]
            if optimizer == "rmsprop":
                vi += (g * g - vi) * (1 - settings["rho"])
                root = np.sqrt(vi) + epsilon if late_epsilon else np.sqrt(vi + epsilon)
                w -= rate * g / root
                continue
            w -= rate * settings.get("weight_decay", 0.0) * w
            mi += (g - mi) * (1 - settings["beta_1"])
            vi += (g * g - vi) * (1 - settings["beta_2"])
            t = step + 1
            correction = np.sqrt(1 - settings["beta_2"] ** t)
            epsilon *= correction if late_epsilon else 1
            w -= rate * correction / (1 - settings["beta_1"] ** t) * mi / (np.sqrt(vi) + epsilon)
    return weights, float(np.mean(losses))


def loss_of(workload: Workload, weights: list[np.ndarray], steps: int) -> float:
    """Return the loss of given weights on the rows of the first `steps` batches, in float64."""
    x, y = workload.data(steps)
    values = forward(workload, [np.asarray(w, np.float64) for w in weights], x)
    return loss_and_gradient(workload, values[-1], y)[0]


def predictions(workload: Workload, x: np.ndarray) -> np.ndarray:
    """Return the probabilities (or values) the first weights give, in float64."""
    weights = [w.astype(np.float64) for w in workload.weights()]
    z = forward(workload, weights, x)[-1]
    return softmax(z) if workload.classifier else z
