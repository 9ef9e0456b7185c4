"""NumPy as fast as it goes: every result in a buffer made once, all parameters in one array."""

from __future__ import annotations

import numpy as np
from workloads import Workload

from peers import thread_variants

TITLE = "tuned NumPy"
PACKAGES = ("numpy",)
VARIANTS = thread_variants()
CHUNK = 16384  # parameters updated at a time: their five arrays stay in the second-level cache


def left_out(workload: Workload) -> str:
    return "batch normalization is not written for it here" if workload.batchnorm else ""


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        self.workload, self.x, self.y = workload, x, y
        self.random = np.random.Generator(np.random.SFC64(0))
        self.step = 0
        arrays = workload.weights()
        ends = np.cumsum([0] + [a.size for a in arrays])
        self.w = np.concatenate([a.ravel() for a in arrays])
        self.g, self.m, self.v = (np.zeros_like(self.w) for _ in range(3))
        spans = list(zip(ends[:-1], ends[1:], arrays, strict=True))
        self.params = [self.w[i:j].reshape(a.shape) for i, j, a in spans]
        self.gradients = [self.g[i:j].reshape(a.shape) for i, j, a in spans]
        batch = workload.batch

        def buffers(dtype: type = np.float32) -> list[np.ndarray]:
            return [np.empty((batch, n), dtype) for n in workload.sizes]

        self.values, self.deltas = buffers(), buffers()
        self.slopes = buffers(bool if workload.activation == "relu" else np.float32)
        self.inputs = self.values  # what the next layer reads
        if workload.dropout:
            self.inputs, self.factors = [self.values[0], *buffers()[1:]], buffers()
        self.rows = np.empty((batch, workload.sizes[0]), x.dtype)
        if not workload.uint8:
            self.rows = self.values[0]
        self.target = np.empty((batch, *y.shape[1:]), y.dtype)
        self.range = np.arange(batch)
        self.scratch = np.empty((2, min(CHUNK, self.w.size)), np.float32)

    def forward(self) -> None:
        if self.workload.uint8:
            np.multiply(self.rows, np.float32(self.workload.scale), out=self.values[0])
        last = len(self.values) - 1
        for layer in range(1, last + 1):
            z = self.values[layer]
            np.matmul(self.inputs[layer - 1], self.params[2 * layer - 2], out=z)
            z += self.params[2 * layer - 1]
            if layer < last:
                self.activate(z)
                if self.workload.dropout:
                    self.drop(layer)

    def activate(self, z: np.ndarray) -> None:
        if self.workload.activation == "tanh":
            np.tanh(z, out=z)
        else:
            np.maximum(z, 0, out=z)

    def drop(self, layer: int) -> None:
        """Multiply the values by 0 or 1 / (1 - dropout); `factors` keeps which."""
        rate, factors = np.float32(self.workload.dropout), self.factors[layer]
        self.random.random(dtype=np.float32, out=factors)
        np.greater_equal(factors, rate, out=factors)
        factors *= 1 / (1 - rate)
        np.multiply(self.values[layer], factors, out=self.inputs[layer])

    def loss(self) -> float:
        """The loss of the batch; the gradient goes to the last of `deltas`."""
        z, dz, batch = self.values[-1], self.deltas[-1], self.workload.batch
        if self.workload.classifier:
            np.subtract(z, z.max(axis=1, keepdims=True), out=z)
            np.exp(z, out=dz)
            total = dz.sum(axis=1, keepdims=True)
            loss = np.log(total).mean() - z[self.range, self.target].mean()
            total *= batch
            dz /= total
            dz[self.range, self.target] -= np.float32(1 / batch)
        else:
            np.subtract(z, self.target, out=dz)
            loss = np.dot(dz.ravel(), dz.ravel()) / batch
            dz *= np.float32(2 / batch)
        return float(loss)

    def backward(self) -> None:
        for layer in range(len(self.values) - 2, -1, -1):
            dz = self.deltas[layer + 1]
            np.matmul(self.inputs[layer].T, dz, out=self.gradients[2 * layer])
            np.sum(dz, axis=0, out=self.gradients[2 * layer + 1])
            if layer > 0:
                below = self.deltas[layer]
                np.matmul(dz, self.params[2 * layer].T, out=below)
                if self.workload.dropout:
                    below *= self.factors[layer]
                values, slopes = self.values[layer], self.slopes[layer]
                if self.workload.activation == "tanh":
                    np.multiply(values, values, out=slopes)
                    np.subtract(1, slopes, out=slopes)
                else:
                    np.greater(values, 0, out=slopes)
                below *= slopes

    def update(self) -> None:
        self.step += 1
        if self.workload.optimizer == "sgd":
            self.g *= np.float32(self.workload.settings["learning_rate"])
            self.w -= self.g
            return
        rule = self.rmsprop if self.workload.optimizer == "rmsprop" else self.adam
        for i in range(0, self.w.size, CHUNK):
            rule(slice(i, i + CHUNK))

    def rmsprop(self, chunk: slice) -> None:
        settings = self.workload.settings
        w, g, v = self.w[chunk], self.g[chunk], self.v[chunk]
        s = self.scratch[0, : w.size]
        np.multiply(g, g, out=s)
        s *= np.float32(1 - settings["rho"])
        v *= np.float32(settings["rho"])
        v += s
        np.add(v, np.float32(settings["epsilon"]), out=s)
        np.sqrt(s, out=s)
        g *= np.float32(settings["learning_rate"])
        g /= s
        w -= g

    def adam(self, chunk: slice) -> None:
        settings = self.workload.settings
        b1, b2, rate = settings["beta_1"], settings["beta_2"], settings["learning_rate"]
        w, g, m, v = self.w[chunk], self.g[chunk], self.m[chunk], self.v[chunk]
        s, t = self.scratch[0, : w.size], self.scratch[1, : w.size]
        if "weight_decay" in settings:
            w *= np.float32(1 - rate * settings["weight_decay"])
        np.multiply(g, g, out=s)
        s *= np.float32(1 - b2)
        v *= np.float32(b2)
        v += s
        g *= np.float32(1 - b1)
        m *= np.float32(b1)
        m += g
        np.sqrt(v, out=s)
        s += np.float32(settings["epsilon"])
        rate *= np.sqrt(1 - b2**self.step) / (1 - b1**self.step)
        np.multiply(m, np.float32(rate), out=t)
        t /= s
        w -= t

    def epoch(self, shuffle: bool) -> float:
        batch = self.workload.batch
        order = np.arange(len(self.x))
        if shuffle:
            self.random.shuffle(order)
        losses = 0.0
        steps = len(order) // batch
        for start in range(0, steps * batch, batch):
            rows = order[start : start + batch]
            np.take(self.x, rows, axis=0, out=self.rows, mode="clip")
            np.take(self.y, rows, axis=0, out=self.target, mode="clip")
            self.forward()
            losses += self.loss()
            self.backward()
            self.update()
        return losses / steps

    def weights(self) -> list[np.ndarray]:
        return self.params

    def predict(self, x: np.ndarray) -> np.ndarray:
        if self.workload.uint8:
            x = x * np.float32(self.workload.scale)
        last = len(self.params) - 2
        for layer in range(0, last + 2, 2):
            x = x @ self.params[layer]
            x += self.params[layer + 1]
            if layer < last:
                self.activate(x)
        if self.workload.classifier:
            x -= x.max(axis=1, keepdims=True)
            np.exp(x, out=x)
            x /= x.sum(axis=1, keepdims=True)
        return x
