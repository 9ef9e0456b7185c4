"""``python -m fastnn bench``: how long this machine takes for one training step, and to predict.

Only fastnn is timed here; ``benchmarks/compare.py`` of the source tree sets it against others.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Workload(NamedTuple):
    """A network of relu layers, and how it is trained."""

    sizes: tuple[int, ...]
    batch: int
    optimizer: str
    steps: int  # in one timed epoch


WORKLOADS = (
    Workload((784, 300, 100, 10), 32, "sgd", 300),
    Workload((784, 300, 100, 10), 32, "adam", 300),
    Workload((784, 300, 100, 10), 128, "adam", 100),
    Workload((784, 300, 100, 10), 1024, "adam", 20),
    Workload((784, 2048, 2048, 10), 256, "adam", 8),
    Workload((13, 64, 64, 1), 32, "adam", 1000),
)
PREDICTED_ROWS = 60000


def build(workload: Workload) -> Any:
    """Return the compiled model of a workload: a classifier, or a regression on one number."""
    from fastnn import layers, models

    *hidden, outputs = workload.sizes[1:]
    model = models.Sequential([
        layers.Input(shape=workload.sizes[:1]),
        *[layers.Dense(units, activation="relu") for units in hidden],
        layers.Dense(outputs, activation="softmax" if outputs > 1 else None),
    ])
    model.compile(workload.optimizer, "sparse_categorical_crossentropy" if outputs > 1 else "mse")
    return model


def data(workload: Workload, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random samples without zeros, which would be left out, and targets."""
    random = np.random.default_rng(0)
    x = 1 - random.random((rows, workload.sizes[0]), dtype=np.float32)
    outputs = workload.sizes[-1]
    return x, random.integers(outputs, size=rows) if outputs > 1 else x.sum(axis=1)


def measure(work: Callable[[], Any], repeat: int) -> float:
    """Return the median of the seconds that `work` takes, after two calls to warm up."""
    times = []
    for _ in range(repeat + 2):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def run(repeat: int = 7) -> Iterator[tuple[str, float]]:
    """Yield what was measured and the seconds it takes, one workload after the other."""
    for workload in WORKLOADS:
        model = build(workload)
        x, y = data(workload, workload.batch * workload.steps)
        seconds = measure(lambda: model.fit(x, y, workload.batch, verbose=0), repeat)  # noqa: B023
        name = "-".join(map(str, workload.sizes))
        title = f"{name}, batch {workload.batch}, {workload.optimizer}: a training step"
        yield title, seconds / workload.steps
    model = build(WORKLOADS[0])
    x, _ = data(WORKLOADS[0], PREDICTED_ROWS)
    one = measure(lambda: model.predict(x[:1], verbose=0), 30 * repeat)
    yield "784-300-100-10: predict one sample", one
    many = measure(lambda: model.predict(x, verbose=0), repeat)
    yield f"784-300-100-10: predict {PREDICTED_ROWS:,} samples", many
