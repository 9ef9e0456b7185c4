"""What Keras itself says of the losses and metrics: the numbers of the tests' tables, and names.

    pip install keras jax pytest && pip install -e .
    KERAS_BACKEND=jax python tests/keras_numbers.py          # prints what differs from the tables
    KERAS_BACKEND=jax python tests/keras_numbers.py cosine   # prints the numbers of a row

Not a test: the tests know Keras's numbers by the tables, and need no Keras.
"""

from __future__ import annotations

import inspect
import sys

import keras
import numpy as np
from loss_table import LOSSES, REDUCTIONS, W
from test_metrics import RESULTS

import fastnn


def loss_numbers(name):
    """Return a row's values, and its results without and with weights."""
    cls, batch, options, *_ = LOSSES[name]
    function = getattr(keras.losses, cls.function.__name__)
    made = getattr(keras.losses, cls.__name__)
    weighted = [made(reduction=r, **options)(*batch, sample_weight=W) for r in REDUCTIONS]
    return [np.asarray(function(*batch, **options)), [made(**options)(*batch), *weighted]]


def metric_numbers(metric, batch):
    """Return the result of a metric with the same configuration, without and with weights."""
    options = {k: v for k, v in metric.get_config().items() if k != "name"}
    made = getattr(keras.metrics, type(metric).__name__)(**options)
    results = []
    for weights in (None, W):
        made.reset_state()
        made.update_state(*(np.asarray(a) for a in batch), sample_weight=weights)
        results.append(float(made.result()))
    return results


def written(numbers):
    return "[" + ", ".join(repr(float(f"{float(x):.7g}")) for x in numbers) + "]"


def differ(ours, theirs):
    return not np.allclose(ours, theirs, rtol=2e-6, atol=1e-7)


def compare_numbers():
    for name, (_, _, _, *ours) in LOSSES.items():
        for known, found in zip(ours, loss_numbers(name), strict=True):
            if differ(known, found):
                print(f"loss {name}: {written(known)} in the table, Keras: {written(found)}")
    for metric, batch, *known in RESULTS:
        if not hasattr(keras.metrics, type(metric).__name__):
            continue
        if differ(known, found := metric_numbers(metric, batch)):
            print(f"metric {metric.name}: {written(known)} in the table, Keras: {written(found)}")


def arguments(cls):
    return [
        f"{p.name}={p.default!r}"
        for p in list(inspect.signature(cls.__init__).parameters.values())[1:]
    ]


def compare_names():
    for ours, theirs in ((fastnn.losses, keras.losses), (fastnn.metrics, keras.metrics)):
        for name, cls in ours.CLASSES.items():
            if not hasattr(theirs, name):
                print(f"{ours.__name__}.{name}: Keras has none")
            elif arguments(cls) != arguments(getattr(theirs, name)):
                print(f"{ours.__name__}.{name}: {arguments(cls)}, "
                      f"Keras: {arguments(getattr(theirs, name))}")  # fmt: skip
        for name in dir(theirs):
            function = getattr(theirs, name)
            if inspect.isfunction(function) and not hasattr(ours, name):
                print(f"{ours.__name__}.{name} is missing")
            elif inspect.isfunction(function) and name not in ("get", "serialize", "deserialize"):
                mine = inspect.signature(getattr(ours, name)).parameters.values()
                yours = inspect.signature(function).parameters.values()
                if [(p.name, p.default) for p in mine] != [(p.name, p.default) for p in yours]:
                    print(f"{ours.__name__}.{name}: other arguments than {[*map(str, yours)]}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(name, *map(written, loss_numbers(name)), sep="\n    ")
    if not sys.argv[1:]:
        compare_numbers()
        compare_names()
