"""JAX: the whole epoch is one jitted call, a lax.scan over gathered batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from workloads import EPSILON, MOMENTUM, Workload

from peers import CPUS

TITLE = "JAX jit, epoch in scan"
PACKAGES = ("jax",)
VARIANTS: dict[str, dict[str, str]] = {"": {}}
if CPUS > 1:
    VARIANTS["1 thread"] = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import jax
        import jax.numpy as jnp

        self.jax = jax
        self.random = np.random.default_rng(0)
        self.steps, self.batch = len(x) // workload.batch, workload.batch
        self.x, self.y = jax.device_put(x), jax.device_put(y)
        self.params = [jnp.array(w) for w in workload.weights()]
        self.slots = [(jnp.zeros_like(w), jnp.zeros_like(w)) for w in self.params]
        self.iterations = jnp.zeros((), jnp.int32)
        self.averages = [
            (jnp.zeros(n), jnp.ones(n)) for n in workload.sizes[1:-1] if workload.batchnorm
        ]

        settings, kept = workload.settings, 1 - workload.dropout
        activate = jnp.tanh if workload.activation == "tanh" else jax.nn.relu
        hidden = len(workload.sizes) - 2
        seed = jax.random.key(0)

        def forward(params: Any, x: Any, keys: Any = None, averages: Any = ()) -> Any:
            if workload.uint8:
                x = x.astype(jnp.float32) * workload.scale
            new = []
            for layer, (kernel, bias, *scale) in enumerate(workload.layers(params)[:-1]):
                x = x @ kernel + bias
                if scale:
                    mean, variance = x.mean(axis=0), x.var(axis=0)
                    x = (x - mean) * jax.lax.rsqrt(variance + EPSILON) * scale[0] + scale[1]
                    old = averages[layer]
                    new.append(
                        (
                            old[0] * MOMENTUM + mean * (1 - MOMENTUM),
                            old[1] * MOMENTUM + variance * (1 - MOMENTUM),
                        )
                    )
                x = activate(x)
                if keys is not None:
                    mask = jax.random.bernoulli(keys[layer], kept, x.shape)
                    x = jnp.where(mask, x / kept, 0)
            return x @ params[-2] + params[-1], new

        def loss(params: Any, x: Any, y: Any, keys: Any, averages: Any) -> Any:
            z, averages = forward(params, x, keys, averages)
            if workload.classifier:
                chosen = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1)
                return -chosen.mean(), averages
            return jnp.mean((z - y) ** 2), averages

        def update(w: Any, g: Any, slots: Any, t: Any) -> Any:
            rate = settings["learning_rate"]
            if workload.optimizer == "sgd":
                return w - rate * g, slots
            m, v = slots
            if workload.optimizer == "rmsprop":
                v = v + (g * g - v) * (1 - settings["rho"])
                return w - rate * g / jnp.sqrt(v + settings["epsilon"]), (m, v)
            if "weight_decay" in settings:
                w = w * (1 - rate * settings["weight_decay"])
            m = m + (g - m) * (1 - settings["beta_1"])
            v = v + (g * g - v) * (1 - settings["beta_2"])
            rate = rate * jnp.sqrt(1 - settings["beta_2"] ** t) / (1 - settings["beta_1"] ** t)
            return w - rate * m / (jnp.sqrt(v) + settings["epsilon"]), (m, v)

        def step(data: Any, state: Any, rows: Any) -> Any:
            params, slots, iterations, averages = state
            t = (iterations + 1).astype(jnp.float32)
            keys = None
            if workload.dropout:
                keys = jax.random.split(jax.random.fold_in(seed, iterations), hidden)
            x, y = data[0][rows], data[1][rows]
            (value, averages), gradients = jax.value_and_grad(loss, has_aux=True)(
                params, x, y, keys, averages
            )
            new = [update(*each, t) for each in zip(params, gradients, slots, strict=True)]
            return ([w for w, _ in new], [s for _, s in new], iterations + 1, averages), value

        @partial(jax.jit, donate_argnums=0)
        def epoch(state: Any, data: Any, rows: Any) -> Any:
            state, losses = jax.lax.scan(partial(step, data), state, rows)
            return state, losses.mean()

        @jax.jit
        def predict(params: Any, x: Any) -> Any:
            z, _ = forward(params, x)
            return jax.nn.softmax(z) if workload.classifier else z

        self._epoch, self._predict = epoch, predict

    def epoch(self, shuffle: bool) -> float:
        rows = np.arange(self.steps * self.batch, dtype=np.int32)
        if shuffle:
            self.random.shuffle(rows)
        state, loss = self._epoch(
            (self.params, self.slots, self.iterations, self.averages),
            (self.x, self.y),
            rows.reshape(self.steps, self.batch),
        )
        self.params, self.slots, self.iterations, self.averages = state
        self.jax.block_until_ready(state)
        return float(loss)

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(w) for w in self.params]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._predict(self.params, x))
