"""Look for cliffs: sizes at which a training step takes longer than at both sizes next to them.

    python benchmarks/sweep.py                         about a minute
    python benchmarks/sweep.py --threads 1 --csv times.csv --plot times.png

A step is forward, backward and Adam of Input(w) -> Dense(w, relu) -> Dense(1): for every width w
from 1 to 300 with batches of 32, and for every batch from 1 to 300 with a width of 64. It is timed
by the public API: one epoch of `fit` is 20 to 1,000 steps, the fewer the larger they are, so that
the 0.3 ms that `fit` takes to begin count for at most a sixth.

All sizes take turns, round after round, and the best time of each counts, so that a busy moment of
the machine does not look like a cliff. The sizes that stand out most are timed again, each together
with the two next to it, and the median of these ratios is what is reported: a machine that slows
down for seconds slows all three.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import fastnn
from fastnn import layers, optimizers

MOST = 300
BATCH, WIDTH = 32, 64
"""What stays the same while the other one runs through all sizes."""

SUSPECTS, WORST = 20, 5
"""How many sizes are timed again, and how many of them are printed."""

NUMBERS = 1_000_000
numbers = np.random.default_rng(0).standard_normal(NUMBERS, np.float32)
"""The data of all sizes: the same memory, so that none finds it in a nearer cache."""


class Timed:
    """A network that is trained on the same samples again and again, and the best of its times."""

    def __init__(self, width: int, batch: int) -> None:
        self.batch = batch
        operations = 4 * batch * width**2
        self.steps = max(20, min(1000, 100_000_000 // operations, NUMBERS // (batch * width)))
        rows = self.steps * batch
        self.x = numbers[: rows * width].reshape(rows, width)
        self.y = numbers[:rows]
        self.model = fastnn.Sequential([
            layers.Input((width,)), layers.Dense(width, activation="relu"), layers.Dense(1)
        ])  # fmt: skip
        # Tiny updates take as long as others, and leave relu as many zeros as there were: where
        # there are many, fastnn leaves them out, and then the time would depend on them.
        self.model.compile(optimizers.Adam(learning_rate=1e-7), loss="mse")
        self.best = float("inf")

    def run(self) -> float:
        start = time.perf_counter()
        self.model.fit(self.x, self.y, batch_size=self.batch, shuffle=False, verbose=0)
        seconds = (time.perf_counter() - start) / self.steps
        self.best = min(self.best, seconds)
        return seconds


class Sweep(NamedTuple):
    what: str
    title: str
    sizes: list[Timed]  # 1, 2, 3, ...


def cliff(less: float, own: float, more: float) -> float:
    """Return a size's time over that of the slower of the two sizes next to it."""
    return own / max(less, more)


def suspects(sweep: Sweep) -> list[int]:
    """Return the indices of the sizes that stand out most."""
    best = [size.best for size in sweep.sizes]
    inner = range(1, len(best) - 1)
    return sorted(inner, key=lambda i: cliff(*best[i - 1 : i + 2]), reverse=True)[:SUSPECTS]


def time_again(sweep: Sweep, i: int, turns: int) -> float:
    """Return the ratio of a suspect: the median over turns that it takes with its neighbours."""
    three = sweep.sizes[i - 1 : i + 2]
    return statistics.median(cliff(*[size.run() for size in three]) for _ in range(turns))


def report(sweep: Sweep, turns: int) -> None:
    ratios = {i: time_again(sweep, i, turns) for i in suspects(sweep)}
    worst = sorted(ratios, key=lambda i: ratios[i], reverse=True)[:WORST]
    print(f"{sweep.title}: worst ratio {ratios[worst[0]]:.2f} at {sweep.what} {worst[0] + 1}")
    print(f"{sweep.what:>9}{'ratio':>9}{'us a step':>12}{'one less':>12}{'one more':>12}")
    for i in worst:
        less, own, more = (size.best * 1e6 for size in sweep.sizes[i - 1 : i + 2])
        print(f"{i + 1:9}{ratios[i]:9.3f}{own:12.2f}{less:12.2f}{more:12.2f}")
    print(flush=True)


def write(file: Path, sweeps: list[Sweep]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sweep", "size", "microseconds"])
        for sweep in sweeps:
            for i, size in enumerate(sweep.sizes):
                writer.writerow([sweep.what, i + 1, f"{size.best * 1e6:.3f}"])


def draw(file: Path, sweeps: list[Sweep]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 8), layout="constrained")
    for axes, sweep in zip(figure.subplots(len(sweeps)), sweeps, strict=True):
        times = [size.best * 1e6 for size in sweep.sizes]
        axes.plot(range(1, len(times) + 1), times, ".-", linewidth=0.5)
        axes.set(title=sweep.title, xlabel=sweep.what, ylabel="microseconds a step", ylim=0)
        axes.grid(alpha=0.3)
    figure.savefig(file)


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for sizes that are slower than their like.")
    parser.add_argument("--most", type=int, default=MOST, help="last size (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=30, help="rounds (default: %(default)s)")
    parser.add_argument("--threads", type=int, help="threads (default: all)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all times")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw all times")
    arguments = parser.parse_args()
    if arguments.most < 3 or arguments.rounds < 1:
        parser.error("--most must be at least 3 and --rounds at least 1")
    if arguments.threads is not None:
        fastnn.set_num_threads(arguments.threads)

    all_sizes = range(1, arguments.most + 1)
    sweeps = [
        Sweep("width", f"Widths with batches of {BATCH}", [Timed(w, BATCH) for w in all_sizes]),
        Sweep("batch", f"Batches with a width of {WIDTH}", [Timed(WIDTH, b) for b in all_sizes]),
    ]
    for _ in range(arguments.rounds):
        for sweep in sweeps:
            for size in sweep.sizes:
                size.run()
    threads = fastnn.get_num_threads()
    print(f"{threads} thread{'s' * (threads > 1)}\n")
    for sweep in sweeps:
        report(sweep, 2 * arguments.rounds)
    if arguments.csv:
        write(arguments.csv, sweeps)
    if arguments.plot:
        draw(arguments.plot, sweeps)
    return 0


if __name__ == "__main__":
    sys.exit(main())
