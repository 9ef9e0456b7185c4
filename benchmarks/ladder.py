"""From the naive loop to fastnn's matrix product, in steps that can be run and timed.

    python benchmarks/ladder.py                        all steps: about a quarter of a minute
    python benchmarks/ladder.py --step register-tile   one of them
    CC=clang python benchmarks/ladder.py               with another compiler than cc

The task is the forward product of a dense layer, y = x W + b with 128 samples, 784 inputs and 300
outputs in float32. Why a step is faster than the one before stands above its function in ladder.c.
All run on one thread (NumPy too) except `fastnn-threads`. Every step is checked against a float64
product before any is timed; they are timed in turns, and the best time of each counts. fastnn's
product is the last step's idea for all shapes, instruction sets and numbers of threads.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one of these is read when NumPy is imported
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["VECLIB_MAXIMUM_THREADS"] = "1"

import numpy as np
from native import build

import fastnn
from fastnn import _core, kernels

SAMPLES, INPUTS, OUTPUTS = 128, 784, 300
FLOPS = 2 * SAMPLES * INPUTS * OUTPUTS
PYTHON_SAMPLES = 2
"""Python's loops compute these only; their time is scaled to all samples."""

TURN = 0.02
"""Seconds that a step is run for, again and again, when it is its turn."""

TOLERANCE = (INPUTS + 1) * 2.0**-24
"""Relative to |x| |W| + |b|: what rounding can do to a sum of so many terms, in whatever order."""

random = np.random.default_rng(0)
x = random.standard_normal((SAMPLES, INPUTS)).astype(np.float32)
w = (random.standard_normal((INPUTS, OUTPUTS)) / np.sqrt(INPUTS)).astype(np.float32)
b = random.standard_normal(OUTPUTS).astype(np.float32)
y = np.empty((SAMPLES, OUTPUTS), np.float32)


def python_loops() -> None:
    """Compute the first rows of y; on lists, whose elements Python gets faster than an array's."""
    x_list, w_list, b_list = lists()
    for i in range(PYTHON_SAMPLES):
        for j in range(OUTPUTS):
            total = b_list[j]
            for p in range(INPUTS):
                total += x_list[i][p] * w_list[p][j]
            y[i, j] = total


@functools.cache
def lists() -> tuple[list[list[float]], list[list[float]], list[float]]:
    return x.tolist(), w.tolist(), b.tolist()


def numpy_rows() -> None:
    for i in range(SAMPLES):
        y[i] = x[i] @ w + b


def numpy_product() -> None:
    np.matmul(x, w, out=y)
    np.add(y, b, out=y)


def fastnn_product() -> None:
    kernels.dense(x, w, b, out=y)


SCALAR = "-O2 -fno-tree-vectorize -fno-tree-slp-vectorize -ffp-contract=off"
THIS_MACHINE = "-mcpu=native" if platform.machine() in ("aarch64", "arm64") else "-march=native"
VECTORS = f"-O3 {THIS_MACHINE} -ffp-contract=fast"


@functools.cache
def compiled(options: str) -> ctypes.CDLL:
    """Compile ladder.c as a shared library and load it."""
    with tempfile.TemporaryDirectory() as directory:
        library = str(Path(directory, "ladder.so"))
        build("ladder.c", library, *options.split(), "-shared", "-fPIC")
        return ctypes.CDLL(library)


def in_c(name: str, options: str) -> Callable[[], None]:
    """Return the product by a function of ladder.c."""

    def product() -> None:
        function = getattr(compiled(options), name)
        function.argtypes = [ctypes.c_void_p] * 4 + [ctypes.c_size_t] * 3
        function.restype = None
        arrays = (array.ctypes.data for array in (y, x, w, b))
        function(*arrays, SAMPLES, OUTPUTS, INPUTS)

    return product


class Step(NamedTuple):
    name: str
    title: str
    product: Callable[[], None]
    threads: int = 1
    samples: int = SAMPLES


STEPS = [
    Step("python", "three loops in Python", python_loops, samples=PYTHON_SAMPLES),
    Step("numpy-rows", "NumPy, row by row", numpy_rows),
    Step("naive", "the three loops in C", in_c("naive", SCALAR)),
    Step("along-rows", "the loops in another order", in_c("along_rows", SCALAR)),
    Step("vectors", "the same with vectors", in_c("along_rows", VECTORS)),
    Step("register-tile", "the sums in registers", in_c("register_tile", VECTORS)),
    Step("panels", "W in the first-level cache", in_c("panels", VECTORS)),
    Step("fastnn", "fastnn's product", fastnn_product),
    Step("fastnn-threads", "fastnn's, all threads", fastnn_product, fastnn.get_num_threads()),
    Step("numpy", "for comparison: x @ W + b", numpy_product),
]


def check(step: Step) -> float:
    """Run a step once and return its largest error; fail if rounding does not explain it."""
    y.fill(np.nan)
    step.product()
    rows = slice(step.samples)
    exact = x[rows].astype(np.float64) @ w + b
    error = np.abs(y[rows] - exact) / (np.abs(x[rows]).astype(np.float64) @ np.abs(w) + np.abs(b))
    largest = float(error.max())
    if not largest <= TOLERANCE:
        raise SystemExit(f"{step.name} is wrong: error {largest:.1e}, allowed {TOLERANCE:.1e}")
    return largest


def seconds(step: Step) -> float:
    """Return the best time of the whole product in one turn: a few milliseconds, or one run."""
    fastnn.set_num_threads(step.threads)
    best, end = float("inf"), time.perf_counter() + TURN
    while True:
        start = time.perf_counter()
        step.product()
        stop = time.perf_counter()
        best = min(best, stop - start)
        if stop > end:
            return best * SAMPLES / step.samples


def main() -> int:
    parser = argparse.ArgumentParser(description="From the naive loop to fastnn's matrix product.")
    parser.add_argument("--step", choices=[step.name for step in STEPS], help="run one step")
    parser.add_argument("--repeat", type=int, default=30, help="turns (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.repeat < 1:
        parser.error("--repeat must be at least 1")
    steps = [step for step in STEPS if arguments.step in (None, step.name)]

    errors = [check(step) for step in steps]
    best = [float("inf")] * len(steps)
    peaks = {step.threads: 0.0 for step in steps}
    # In turns: while the machine is slow, or busy with something else, it is so for every step.
    for _ in range(arguments.repeat):
        for threads in peaks:
            peaks[threads] = max(peaks[threads], _core.peak_flops("float32", threads))
        best = [min(before, seconds(step)) for before, step in zip(best, steps, strict=True)]

    for threads, peak in peaks.items():
        print(f"Peak of {threads} thread{'s' * (threads > 1)}: {peak / 1e9:.1f} GFLOP/s")
    print(
        "Faster: than the step before. "
        f"Error: relative to |x| |W| + |b|; at most {TOLERANCE:.1e} is allowed.\n"
        f"Python computes {PYTHON_SAMPLES} of the {SAMPLES} samples; its time is scaled.\n\n"
        f"{'step':43}{'us':>12}{'GFLOP/s':>9}{'faster':>11}{'of peak':>9}{'error':>9}"
    )
    before = None
    for step, taken, error in zip(steps, best, errors, strict=True):
        faster = f"{before / taken:,.2f}x" if before and step.name != "numpy" else ""
        print(
            f"{step.name:15}{step.title:28}{taken * 1e6:12,.0f}{FLOPS / taken / 1e9:9.2f}"
            f"{faster:>11}{FLOPS / taken / peaks[step.threads]:9.2%}{error:9.1e}"
        )
        before = taken
    return 0


if __name__ == "__main__":
    sys.exit(main())
