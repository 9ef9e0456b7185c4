"""What a library costs before it computes anything: seconds to import, bytes on the disk."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# Name -> distribution, module, environment variables.
LIBRARIES = {
    "fastnn": ("fastnn", "fastnn", {}),
    "jax": ("jax", "jax", {}),
    "torch": ("torch", "torch", {}),
    "keras": ("keras", "keras", {"KERAS_BACKEND": "jax"}),
    "sklearn": ("scikit-learn", "sklearn.neural_network", {}),
    "numpy": ("numpy", "numpy", {}),
}
BESIDES = {"keras": ["jax"]}  # a backend, which pip does not count among the dependencies


def installed(name: str) -> bool:
    try:
        for distribution in (LIBRARIES[name][0], *BESIDES.get(name, [])):
            importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def import_seconds(name: str) -> float:
    """Import in a fresh interpreter and return what the import alone took."""
    _, module, variables = LIBRARIES[name]
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    with tempfile.TemporaryDirectory() as elsewhere:  # so that no checkout is imported instead
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **variables},
            cwd=elsewhere,
            capture_output=True,
            text=True,
            check=True,
        )
    return float(result.stdout.split()[-1])


def import_times(names: list[str], repeat: int) -> dict[str, float]:
    """Return each library's median import time; they take turns, and the first turn is dropped."""
    turns = [{name: import_seconds(name) for name in names} for _ in range(repeat + 1)]
    return {name: statistics.median(turn[name] for turn in turns[1:]) for name in names}


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
