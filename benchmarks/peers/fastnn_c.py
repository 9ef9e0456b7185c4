"""fastnn through its public API, as a user calls it."""

from __future__ import annotations

import numpy as np
from workloads import Workload

from peers import keras_model

TITLE = "fastnn"
PACKAGES = ("fastnn",)
VARIANTS: dict[str, dict[str, str]] = {"": {}}


class Contender(keras_model.Contender):
    engine = "c"

    def __init__(self, workload: Workload, x: np.ndarray, y: np.ndarray) -> None:
        import fastnn

        super().__init__(fastnn, workload, x, y, engine=self.engine)
