"""Keras on JAX, its fastest backend on a CPU: compile, fit, predict."""

from __future__ import annotations

import numpy as np
from workloads import Workload

from peers import keras_model

TITLE = "Keras on JAX, fit"
PACKAGES = ("keras", "jax")
VARIANTS = {"": {"KERAS_BACKEND": "jax"}}


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import keras

        self.batch, self.x, self.y = workload.batch, x, y
        self.model = keras_model.compiled(keras, workload)

    def epoch(self, shuffle: bool) -> float:
        history = self.model.fit(
            self.x, self.y, batch_size=self.batch, epochs=1, shuffle=shuffle, verbose=0
        )
        return history.history["loss"][0]

    def weights(self) -> list[np.ndarray]:
        return self.model.get_weights()

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, batch_size=min(len(x), 4096), verbose=0)
