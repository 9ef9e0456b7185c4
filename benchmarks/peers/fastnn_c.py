"""fastnn through its public API, as a user calls it."""

from __future__ import annotations

import numpy as np
from workloads import Workload

from peers import keras_model

TITLE = "fastnn"
PACKAGES = ("fastnn",)
VARIANTS: dict[str, dict[str, str]] = {"": {}}


class Contender:
    engine = "c"

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import fastnn

        self.batch, self.x, self.y = workload.batch, x, y
        self.model = keras_model.compiled(fastnn, workload, engine=self.engine)

    def epoch(self, shuffle: bool) -> float:
        history = self.model.fit(
            self.x, self.y, batch_size=self.batch, epochs=1, shuffle=shuffle, verbose=0
        )
        return history.history["loss"][0]

    def weights(self) -> list[np.ndarray]:
        return self.model.get_weights()

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, verbose=0)
