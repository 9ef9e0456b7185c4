"""NumPy as fast as it goes: every result in a buffer made once, all parameters in one array."""

from __future__ import annotations

import numpy as np
from workloads import ADAM, SGD, Workload

from peers import thread_variants

TITLE = "tuned NumPy"
PACKAGES = ("numpy",)
VARIANTS = thread_variants()
CHUNK = 16384  # parameters updated at a time: their five arrays stay in the second-level cache


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        self.workload, self.x, self.y = workload, x, y
        self.random = np.random.default_rng(0)
        self.step = 0
        arrays = workload.weights()
        ends = np.cumsum([0] + [a.size for a in arrays])
        self.w = np.concatenate([a.ravel() for a in arrays])
        self.g, self.m, self.v = (np.zeros_like(self.w) for _ in range(3))
        spans = list(zip(ends[:-1], ends[1:], arrays, strict=True))
        self.params = [self.w[i:j].reshape(a.shape) for i, j, a in spans]
        self.gradients = [self.g[i:j].reshape(a.shape) for i, j, a in spans]
        batch = workload.batch
        self.values = [np.empty((batch, n), np.float32) for n in workload.sizes]
        self.deltas = [np.empty((batch, n), np.float32) for n in workload.sizes]
        self.masks = [np.empty((batch, n), bool) for n in workload.sizes]
        self.target = np.empty((batch, *y.shape[1:]), y.dtype)
        self.range = np.arange(batch)
        self.scratch = np.empty((2, min(CHUNK, self.w.size)), np.float32)

    def forward(self) -> None:
        last = len(self.values) - 1
        for layer in range(last):
            z = self.values[layer + 1]
            np.matmul(self.values[layer], self.params[2 * layer], out=z)
            z += self.params[2 * layer + 1]
            if layer + 1 < last:
                np.maximum(z, 0, out=z)

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
            np.matmul(self.values[layer].T, dz, out=self.gradients[2 * layer])
            np.sum(dz, axis=0, out=self.gradients[2 * layer + 1])
            if layer > 0:
                below = self.deltas[layer]
                np.matmul(dz, self.params[2 * layer].T, out=below)
                np.greater(self.values[layer], 0, out=self.masks[layer])
                below *= self.masks[layer]

    def update(self) -> None:
        self.step += 1
        if self.workload.optimizer == "sgd":
            self.g *= np.float32(SGD["learning_rate"])
            self.w -= self.g
            return
        b1, b2 = ADAM["beta_1"], ADAM["beta_2"]
        rate = ADAM["learning_rate"] * np.sqrt(1 - b2**self.step) / (1 - b1**self.step)
        rate, epsilon = np.float32(rate), np.float32(ADAM["epsilon"])
        for i in range(0, self.w.size, CHUNK):
            w, g, m, v = (a[i : i + CHUNK] for a in (self.w, self.g, self.m, self.v))
            s, t = self.scratch[0, : w.size], self.scratch[1, : w.size]
            np.multiply(g, g, out=s)
            s *= np.float32(1 - b2)
            v *= np.float32(b2)
            v += s
            g *= np.float32(1 - b1)
            m *= np.float32(b1)
            m += g
            np.sqrt(v, out=s)
            s += epsilon
            np.multiply(m, rate, out=t)
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
            np.take(self.x, rows, axis=0, out=self.values[0], mode="clip")
            np.take(self.y, rows, axis=0, out=self.target, mode="clip")
            self.forward()
            losses += self.loss()
            self.backward()
            self.update()
        return losses / steps

    def weights(self) -> list[np.ndarray]:
        return self.params

    def predict(self, x: np.ndarray) -> np.ndarray:
        last = len(self.params) - 2
        for layer in range(0, last + 2, 2):
            x = x @ self.params[layer]
            x += self.params[layer + 1]
            if layer < last:
                np.maximum(x, 0, out=x)
        if self.workload.classifier:
            x -= x.max(axis=1, keepdims=True)
            np.exp(x, out=x)
            x /= x.sum(axis=1, keepdims=True)
        return x
