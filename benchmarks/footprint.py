"""What a library costs before it computes anything: seconds to import, bytes on the disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

KERAS_ON_JAX = {"KERAS_BACKEND": "jax"}
# Name -> distribution, environment variables, the import alone, and with it what a first network
# needs: some libraries, fastnn among them, load their parts when these are first used.
LIBRARIES: dict[str, tuple[str, dict[str, str], str, str]] = {
    "fastnn": ("fastnn", {}, "import fastnn", "from fastnn import Sequential, layers, optimizers"),
    "jax": ("jax", {}, "import jax", "import jax.numpy"),
    "torch": ("torch", {}, "import torch", "from torch import nn, optim"),
    "keras": (
        "keras", KERAS_ON_JAX, "import keras", "from keras import Sequential, layers, optimizers"
    ),
    "sklearn": ("scikit-learn", {}, "import sklearn", "from sklearn import neural_network"),
    "numpy": ("numpy", {}, "import numpy", "import numpy"),
}  # fmt: skip
BESIDES = {"keras": ["jax"]}  # a backend, which pip does not count among the dependencies


def installed(name: str) -> bool:
    try:
        for distribution in (LIBRARIES[name][0], *BESIDES.get(name, [])):
            importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def run_elsewhere(code: str, variables: dict[str, str]) -> str:
    """Return the last line that a fresh interpreter prints; its working directory is empty.

    Its imports may write byte code, as pip does for what it installs.
    """
    environment = {**os.environ, **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as elsewhere:  # so that no checkout is imported instead
        result = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=True,
        )
    return result.stdout.splitlines()[-1]


def import_seconds(statement: str, variables: dict[str, str]) -> float:
    """Import in a fresh interpreter and return what the import alone took."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return float(run_elsewhere(code, variables))


def import_times(names: list[str], repeat: int, *, ready: bool) -> dict[str, list[float]]:
    """Return each library's import times; they take turns, and the first turn is dropped."""
    entries = {name: LIBRARIES[name] for name in names}
    statements = {name: entry[3] if ready else entry[2] for name, entry in entries.items()}
    turns = [
        {
            name: import_seconds(statement, entries[name][1])
            for name, statement in statements.items()
        }
        for _ in range(repeat + 1)
    ]
    return {name: [turn[name] for turn in turns[1:]] for name in names}


def closure(distribution: str) -> set[str]:
    """Return a distribution and everything installed that it needs, without extras."""
    found: set[str] = set()
    todo = [distribution]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # meant for another system
        found.add(name)
        for requirement in requirements:
            if "extra ==" not in requirement:
                todo.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return found


def bytes_of(distribution: str) -> int:
    """Return the size of a distribution's files; of an editable one, of its package's folder."""
    meta = importlib.metadata.distribution(distribution)
    origin = json.loads(meta.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        spec = importlib.util.find_spec(distribution)
        assert spec is not None and spec.origin is not None
        paths = list(Path(spec.origin).parent.rglob("*"))
    else:
        paths = [Path(str(meta.locate_file(file))) for file in meta.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file())


def sizes(names: list[str]) -> dict[str, float]:
    """Return the bytes of each library together with all it needs."""
    result = {}
    for name in names:
        needed: set[str] = set()
        for distribution in (LIBRARIES[name][0], *BESIDES.get(name, [])):
            needed |= closure(distribution)
        result[name] = float(sum(bytes_of(distribution) for distribution in needed))
    return result
