"""The contenders, one file each. A module of this package has

TITLE       what the tables call it
PACKAGES    the distributions it needs; the first one's version is printed
VARIANTS    {label: environment variables}: each is timed in a process of its own, the best counts
left_out    a function (optional): why it is left out of a workload, or "" if it can do it
LATE_EPSILON  True if epsilon is added where PyTorch adds it (see workloads.reference)
Contender   a class with
    __init__(workload, x, y)    the network with workload.weights(), the data where it computes
    epoch(shuffle) -> float     every batch of x and y once, updating; the mean loss
    weights() -> list           kernel and bias of every layer, kernels as (inputs, outputs)
    predict(x) -> ndarray       NumPy in, NumPy out: probabilities, or values of a regression
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from types import ModuleType

from workloads import Workload

MODULES = {
    "fastnn": "fastnn_c",
    "jax": "jax_scan",
    "torch": "torch_eager",
    "torch-compile": "torch_compile",
    "keras": "keras_jax",
    "sklearn": "scikit_learn",
    "numpy": "numpy_tuned",
    "fastnn-numpy": "fastnn_numpy",
}
"""Name on the command line -> module; fastnn comes first, all are measured against it."""

DEFAULT = [name for name in MODULES if name != "fastnn-numpy"]

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load(name: str) -> ModuleType:
    """Import a peer's module; frameworks are imported only when its Contender is made."""
    return importlib.import_module(f"peers.{MODULES[name]}")


def version(peer: ModuleType) -> str | None:
    """Return the version of the peer's first package, or None if one of them is not installed."""
    try:
        first, *_ = [importlib.metadata.version(package) for package in peer.PACKAGES]
        return first
    except importlib.metadata.PackageNotFoundError:
        return None


def left_out(name: str, workload: Workload) -> str:
    """Return why a peer cannot do a workload, or "" if it can."""
    reason: str = getattr(load(name), "left_out", lambda workload: "")(workload)
    return reason


def thread_variants() -> dict[str, dict[str, str]]:
    """All threads (as installed), and one, for libraries that listen to OpenMP's variables."""
    return {"": {}, "1 thread": ONE_THREAD} if CPUS > 1 else {"": {}}
