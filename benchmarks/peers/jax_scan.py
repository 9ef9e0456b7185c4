"""JAX: the whole epoch is one jitted call, a lax.scan over gathered batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from workloads import Workload

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

        settings, kept = workload.settings, 1 - workload.dropout
        activate = jnp.tanh if workload.activation == "tanh" else jax.nn.relu
        hidden = len(workload.sizes) - 2
        seed = jax.random.key(0)

        def forward(params: Any, x: Any, keys: Any = None) -> Any:
            if workload.uint8:
                x = x.astype(jnp.float32) * workload.scale
            for layer in range(hidden):
                x = activate(x @ params[2 * layer] + params[2 * layer + 1])
                if keys is not None:
                    mask = jax.random.bernoulli(keys[layer], kept, x.shape)
                    x = jnp.where(mask, x / kept, 0)
            return x @ params[-2] + params[-1]

        def loss(params: Any, x: Any, y: Any, keys: Any) -> Any:
            z = forward(params, x, keys)
            if workload.classifier:
                return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
            return jnp.mean((z - y) ** 2)

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
            params, slots, iterations = state
            t = (iterations + 1).astype(jnp.float32)
            keys = None
            if workload.dropout:
                keys = jax.random.split(jax.random.fold_in(seed, iterations), hidden)
            x, y = data[0][rows], data[1][rows]
            value, gradients = jax.value_and_grad(loss)(params, x, y, keys)
            new = [update(*each, t) for each in zip(params, gradients, slots, strict=True)]
            return ([w for w, _ in new], [s for _, s in new], iterations + 1), value

        @partial(jax.jit, donate_argnums=0)
        def epoch(state: Any, data: Any, rows: Any) -> Any:
            state, losses = jax.lax.scan(partial(step, data), state, rows)
            return state, losses.mean()

        @jax.jit
        def predict(params: Any, x: Any) -> Any:
            z = forward(params, x)
            return jax.nn.softmax(z) if workload.classifier else z

        self._epoch, self._predict = epoch, predict

    def epoch(self, shuffle: bool) -> float:
        rows = np.arange(self.steps * self.batch, dtype=np.int32)
        if shuffle:
            self.random.shuffle(rows)
        state, loss = self._epoch(
            (self.params, self.slots, self.iterations),
            (self.x, self.y),
            rows.reshape(self.steps, self.batch),
        )
        self.params, self.slots, self.iterations = state
        self.jax.block_until_ready(state)
        return float(loss)

    def weights(self) -> list[np.ndarray]:
        return [np.asarray(w) for w in self.params]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self._predict(self.params, x))
