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

    @property
    def flops(self) -> float:
        """The operations of a step's products: x W, x' dz and, but for the first layer, dz W'."""
        products = [2.0 * a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True)]
        return self.batch * (3 * sum(products) - products[0])

    @property
    def title(self) -> str:
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch}, {self.optimizer}"


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
    model = models.Sequential(
        [
            layers.Input(shape=workload.sizes[:1]),
            *[layers.Dense(units, activation="relu") for units in hidden],
            layers.Dense(outputs, activation="softmax" if outputs > 1 else None),
        ]
    )
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


def time_step(workload: Workload, repeat: int) -> tuple[Any, float]:
    """Return the model of a workload and the seconds of a training step."""
    model = build(workload)
    x, y = data(workload, workload.batch * workload.steps)
    seconds = measure(lambda: model.fit(x, y, workload.batch, verbose=0), repeat)
    return model, seconds / workload.steps


def run(repeat: int = 7) -> Iterator[tuple[str, float]]:
    """Yield what was measured and the seconds it takes, one workload after the other."""
    for workload in WORKLOADS:
        yield f"{workload.title}: a training step", time_step(workload, repeat)[1]
    model = build(WORKLOADS[0])
    x, _ = data(WORKLOADS[0], PREDICTED_ROWS)
    one = measure(lambda: model.predict(x[:1], verbose=0), 30 * repeat)
    yield "784-300-100-10: predict one sample", one
    many = measure(lambda: model.predict(x, verbose=0), repeat)
    yield f"784-300-100-10: predict {PREDICTED_ROWS:,} samples", many


def roofline(repeat: int = 7) -> Iterator[str]:
    """Yield lines of text: this machine's peaks, and how near to them a step of each workload is.

    The bound of a step is the larger of two times: its products at the peak of multiply-adds, and
    reading and writing all weights and optimizer slots once at the peak of memory (Williams,
    Waterman and Patterson, Communications of the ACM 52(4), 2009). Weights that stay in a cache
    may be faster than that.
    """
    from fastnn import _core

    threads = _core.get_num_threads()
    for n in sorted({1, threads}):
        flops, memory = _core.peak_flops("float32", n), _core.peak_bytes(n)
        yield f"{n} thread{'s' * (n > 1)}: {flops / 1e9:.1f} GFLOP/s, {memory / 1e9:.1f} GB/s"
    for workload in WORKLOADS:
        flops, memory = _core.peak_flops("float32", threads), _core.peak_bytes(threads)
        model, seconds = time_step(workload, repeat)
        slots = len(model.optimizer.slot_names)
        bound = max(workload.flops / flops, model.count_params() * 4 * 2 * (1 + slots) / memory)
        yield (
            f"{seconds * 1e6:12,.1f} us  {workload.flops / seconds / 1e9:6.1f} GFLOP/s  "
            f"{bound / seconds:5.0%} of the roofline  {workload.title}"
        )
