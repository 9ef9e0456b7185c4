"""Times the three products of a dense layer against NumPy's (and PyTorch's, if it is installed).

    python benchmarks/products.py                 one thread
    python benchmarks/products.py --threads 2

Squares and a wide layer, float32: GFLOP/s of x W, and of dy W' and x' dy together, and their share
of the multiply-adds that registers allow, measured in the same round. The contenders take turns,
each with a call to warm up and one that counts, into arrays that are there; medians of the rounds.
Every result is checked against a float64 product first.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

SHAPES = [(1024, 1024, 1024), (2048, 2048, 2048), (4096, 4096, 4096), (256, 2048, 2048)]
"""Samples, inputs and outputs of the layer."""


def contenders(threads: int, x: Any, w: Any, dy: Any) -> dict[str, tuple[Callable, Callable]]:
    """Return for each library x W and (dy W', x' dy) as functions without arguments."""
    import numpy as np

    import fastnn
    from fastnn import kernels

    fastnn.set_num_threads(threads)
    y, dx, dw = np.empty_like(dy), np.empty_like(x), np.empty_like(w)
    db = np.empty(w.shape[1], np.float32)
    functions: dict[str, tuple[Callable, Callable]] = {
        "fastnn": (
            lambda: kernels.dense(x, w, out=y),
            lambda: kernels.dense_gradient(dy, x, w, out=(dx, dw, db))[:2],
        ),
        "NumPy": (
            lambda: np.matmul(x, w, out=y),
            lambda: (np.matmul(dy, w.T, out=dx), np.matmul(x.T, dy, out=dw)),
        ),
    }
    try:
        import torch
    except ImportError:
        return functions
    torch.set_num_threads(threads)
    a, b, c, out, of_a, of_b = (torch.from_numpy(array) for array in (x, w, dy, y, dx, dw))
    functions["PyTorch"] = (
        lambda: torch.matmul(a, b, out=out).numpy(),
        lambda: (torch.matmul(c, b.T, out=of_a).numpy(), torch.matmul(a.T, c, out=of_b).numpy()),
    )
    return functions


def check(functions: tuple[Callable, Callable], x: Any, w: Any, dy: Any) -> None:
    """Compare a few rows of each result with float64."""
    import numpy as np

    rows = slice(None, None, max(1, len(w) // 8))
    some = slice(None, None, max(1, len(x) // 8))
    for array in (functions[0](), *functions[1]()):
        array.fill(np.nan)  # all contenders write into the same arrays
    forward, (dx, dw) = functions[0](), functions[1]()
    d64 = dy.astype(np.float64)
    for got, expected in [
        (forward[some], x[some].astype(np.float64) @ w),
        (dx[some], d64[some] @ w.T),
        (dw[rows], x.T[rows].astype(np.float64) @ d64),
    ]:
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())


SETTLE = 0.1  # seconds between contenders: other libraries' threads spin for a while when done


def seconds(function: Callable) -> float:
    function()  # wakes threads and fills caches, as the products before it would in a training
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description="Dense products against other libraries.")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=7, help="rounds (default 7)")
    parser.add_argument("--most", type=int, default=4096, help="largest size (default 4096)")
    arguments = parser.parse_args()
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)
    import numpy as np

    from fastnn import _core

    print(f"{arguments.threads} thread(s): GFLOP/s, and the share of the peak")
    print(f"{'samples x inputs x outputs':28}{'':10}{'x W':>14}{'dy Wt, xt dy':>16}")
    for m, k, n in SHAPES:
        if max(m, k, n) > arguments.most:
            continue
        rng = np.random.default_rng(0)
        x, w, dy = (rng.standard_normal(shape, np.float32) for shape in ((m, k), (k, n), (m, n)))
        all_functions = contenders(arguments.threads, x, w, dy)
        for functions in all_functions.values():
            check(functions, x, w, dy)
        rates: dict[str, list[list[float]]] = {name: [[], []] for name in all_functions}
        shares: dict[str, list[list[float]]] = {name: [[], []] for name in all_functions}
        for _ in range(arguments.repeat):
            for name, functions in all_functions.items():
                time.sleep(SETTLE)
                for i, function in enumerate(functions):
                    peak = _core.peak_flops("float32", arguments.threads)
                    rate = 2.0 * m * k * n * (i + 1) / seconds(function)
                    rates[name][i].append(rate / 1e9)
                    shares[name][i].append(rate / peak)
        for name in all_functions:
            cells = [
                f"{statistics.median(rates[name][i]):6.1f}"
                f" {statistics.median(shares[name][i]):5.0%}"
                for i in range(2)
            ]
            print(f"{f'{m} x {k} x {n}':28}{name:10}{cells[0]:>14}{cells[1]:>16}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
