"""Keras on JAX, its fastest backend on a CPU: compile, fit, predict."""

from __future__ import annotations

import numpy as np
from workloads import Workload

from peers import keras_model

TITLE = "Keras on JAX, fit"
PACKAGES = ("keras", "jax")
VARIANTS = {"": {"KERAS_BACKEND": "jax"}}


class Contender(keras_model.Contender):
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import keras

        super().__init__(keras, workload, x, y)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, batch_size=min(len(x), 4096), verbose=0)
