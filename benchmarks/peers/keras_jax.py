"""Keras on JAX, its fastest backend on a CPU: compile, fit, predict."""

from __future__ import annotations

import numpy as np
from workloads import ADAM, SGD, Workload

TITLE = "Keras on JAX, fit"
PACKAGES = ("keras", "jax")
VARIANTS = {"": {"KERAS_BACKEND": "jax"}}


class Contender:
    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import keras

        self.batch, self.x, self.y = workload.batch, x, y
        hidden = [keras.layers.Dense(n, activation="relu") for n in workload.sizes[1:-1]]
        last = keras.layers.Dense(
            workload.sizes[-1], activation="softmax" if workload.classifier else None
        )
        self.model = keras.Sequential([keras.Input(shape=(workload.sizes[0],)), *hidden, last])
        self.model.set_weights(workload.weights())
        adam = workload.optimizer == "adam"
        self.model.compile(
            optimizer=keras.optimizers.Adam(**ADAM) if adam else keras.optimizers.SGD(**SGD),
            loss="sparse_categorical_crossentropy" if workload.classifier else "mse",
        )

    def epoch(self, shuffle: bool) -> float:
        history = self.model.fit(
            self.x, self.y, batch_size=self.batch, epochs=1, shuffle=shuffle, verbose=0
        )
        return history.history["loss"][0]

    def weights(self) -> list[np.ndarray]:
        return self.model.get_weights()

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, batch_size=min(len(x), 4096), verbose=0)
