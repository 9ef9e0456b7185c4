"""JAX: the whole epoch is one jitted call, a lax.scan over gathered batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from workloads import ADAM, SGD, Workload

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

        def forward(params: Any, x: Any) -> Any:
            for layer in range(0, len(params), 2):
                x = x @ params[layer] + params[layer + 1]
                if layer + 2 < len(params):
                    x = jax.nn.relu(x)
            return x

        def loss(params: Any, x: Any, y: Any) -> Any:
            z = forward(params, x)
            if workload.classifier:
                return -jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=1).mean()
            return jnp.mean((z - y) ** 2)

        def update(w: Any, g: Any, slots: Any, t: Any) -> Any:
            if workload.optimizer == "sgd":
                return w - SGD["learning_rate"] * g, slots
            m, v = slots
            m = m + (g - m) * (1 - ADAM["beta_1"])
            v = v + (g * g - v) * (1 - ADAM["beta_2"])
            rate = ADAM["learning_rate"] * jnp.sqrt(1 - ADAM["beta_2"] ** t)
            rate = rate / (1 - ADAM["beta_1"] ** t)
            return w - rate * m / (jnp.sqrt(v) + ADAM["epsilon"]), (m, v)

        def step(data: Any, state: Any, rows: Any) -> Any:
            params, slots, iterations = state
            t = (iterations + 1).astype(jnp.float32)
            value, gradients = jax.value_and_grad(loss)(params, data[0][rows], data[1][rows])
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
