"""A contender with Keras's API, fastnn or Keras itself: compile, fit, predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from workloads import Workload


def compiled(keras: Any, workload: Workload, **options: Any) -> Any:
    """Return the compiled model with its first weights; `keras` is the package to build it with."""
    layers, optimizers = keras.layers, keras.optimizers
    dtype = "uint8" if workload.uint8 else "float32"
    stack = [keras.Input(shape=(workload.sizes[0],), dtype=dtype)]
    if workload.uint8:
        stack.append(layers.Rescaling(workload.scale))
    for units in workload.sizes[1:-1]:
        if workload.batchnorm:
            stack += [layers.Dense(units), layers.BatchNormalization()]
            stack.append(layers.Activation(workload.activation))
        else:
            stack.append(layers.Dense(units, activation=workload.activation))
        if workload.dropout:
            stack.append(layers.Dropout(workload.dropout))
    activation = "softmax" if workload.classifier else None
    model = keras.Sequential([*stack, layers.Dense(workload.sizes[-1], activation=activation)])
    for variable, value in zip(model.trainable_weights, workload.weights(), strict=True):
        variable.assign(value)
    optimizer = {
        "sgd": optimizers.SGD,
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "rmsprop": optimizers.RMSprop,
    }[workload.optimizer]
    model.compile(
        optimizer=optimizer(**workload.settings),
        loss="sparse_categorical_crossentropy" if workload.classifier else "mse",
        **options,
    )
    return model


class Contender:
    """One whose network is built with `keras`, the package; the options are for compile."""

    def __init__(
        self, keras: Any, workload: Workload, x: np.ndarray, y: np.ndarray, **options: Any
    ) -> None:
        self.batch, self.x, self.y = workload.batch, x, y
        self.model = compiled(keras, workload, **options)

    def epoch(self, shuffle: bool) -> float:
        history = self.model.fit(
            self.x, self.y, batch_size=self.batch, epochs=1, shuffle=shuffle, verbose=0
        )
        return history.history["loss"][0]

    def weights(self) -> list[np.ndarray]:
        return [np.array(variable) for variable in self.model.trainable_weights]

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x, verbose=0)
