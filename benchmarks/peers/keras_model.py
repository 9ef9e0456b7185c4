"""The network of a workload in Keras's API, for fastnn and for Keras alike."""

from __future__ import annotations

from typing import Any

from workloads import Workload


def compiled(keras: Any, workload: Workload, **options: Any) -> Any:
    """Return the compiled model with its first weights; `keras` is the package to build it with."""
    layers, optimizers = keras.layers, keras.optimizers
    dtype = "uint8" if workload.uint8 else "float32"
    stack = [keras.Input(shape=(workload.sizes[0],), dtype=dtype)]
    if workload.uint8:
        stack.append(layers.Rescaling(workload.scale))
    for units in workload.sizes[1:-1]:
        stack.append(layers.Dense(units, activation=workload.activation))
        if workload.dropout:
            stack.append(layers.Dropout(workload.dropout))
    activation = "softmax" if workload.classifier else None
    model = keras.Sequential([*stack, layers.Dense(workload.sizes[-1], activation=activation)])
    model.set_weights(workload.weights())
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
