"""Imports go one way: a module may import what is to its left in LEVELS, or in its own folder.

The imports of a function count too; those below `if TYPE_CHECKING` do not, they are never run.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import fastnn

PACKAGE = Path(__file__).parents[1] / "fastnn"

LEVELS = [
    {"_version", "lookup"},
    {"missing"},
    {"config"},
    {"variable", "operations"},
    {"ops", "graph"},
    {"random"},
    {"backend"},
    {"_core"},
    {"kernels", "numpy_engine"},
    {"activations", "initializers", "regularizers", "constraints", "losses", "optimizers"},
    {"metrics"},
    {"layers"},
    {"program"},
    {"callbacks"},
    {"training", "store"},
    {"models"},
    {"datasets", "utils", "benchmark", "saving"},
    {"__init__"},
    {"__main__"},
]
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}

LAZY_FACADE = "__init__"  # loads its names with import_module when they are first used


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def statements(tree: ast.AST):
    """Yield all nodes that run, however deep."""
    for child in ast.iter_child_nodes(tree):
        if is_type_checking(child):
            for other in child.orelse:
                yield other
                yield from statements(other)
        else:
            yield child
            yield from statements(child)


def imported(source: str, package: str) -> set[str]:
    """Return the full names that `source`, a module of `package`, imports from fastnn.

    ``from fastnn import x`` gives ``fastnn.x``, whether x is a module or not.
    """
    found = set()
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            if base == "fastnn" or (node.level and not node.module):
                found |= {f"{base}.{alias.name}" for alias in node.names}
            else:
                found.add(base)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            if node.args and isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
            elif "fastnn" in ast.unparse(node):
                found.add("fastnn")  # a computed name: could be anything
    return {name for name in found if name == "fastnn" or name.startswith("fastnn.")}


def home(name: str) -> str:
    """Return the entry of LEVELS that a full name belongs to."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LEVEL else "__init__"


def violations(importer: str, names: set[str]) -> list[str]:
    """Return the imports of the entry `importer` that do not go to the left."""
    return sorted(
        f"{importer} -> {name}"
        for name in names
        if home(name) != importer and LEVEL[home(name)] >= LEVEL[importer]
    )


def modules():
    cython = [*PACKAGE.glob("*.pyx"), *PACKAGE.glob("*.pxi")]
    for path in sorted([*PACKAGE.rglob("*.py"), *cython]):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        package = parts if parts[-1] == "__init__" else parts[:-1]
        entry = "_core" if path.suffix == ".pxi" else parts[1]  # a part of _core.pyx
        yield path, entry, ".".join(p for p in package if p != "__init__")


def test_every_module_has_its_place():
    assert {entry for _, entry, _ in modules()} - set(LEVEL) == set()


def test_imports_go_one_way():
    wrong = []
    for path, entry, package in modules():
        if path.suffix != ".py":  # not Python: its import statements stand alone on lines
            lines = re.findall(r"^\s*((?:from \S+ )?c?import .*)$", path.read_text(), re.M)
            source = "\n".join(lines).replace("cimport", "import").replace("(", "*")
        else:
            source = path.read_text()
        if entry == LAZY_FACADE:
            source = source.replace('import_module(f"fastnn.', 'lazily(f"fastnn.')
        names = imported(source, package)
        wrong += [f"{path.relative_to(PACKAGE)}: {v}" for v in violations(entry, names)]
    assert not wrong, "\n".join(["imports against the direction:", *wrong])


def test_the_numpy_engine_stands_alone():
    """It is the oracle of the C engine, so it must not use it."""
    for path, entry, package in modules():
        if entry == "numpy_engine":
            names = imported(path.read_text(), package)
            assert "_core" not in {home(name) for name in names}, path


def test_nothing_but_numpy_and_the_standard_library():
    """What a module imports when it is itself imported: numpy is the only dependency."""
    import sys

    allowed = {"numpy", "fastnn", "__future__", *sys.stdlib_module_names}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, path


def test_the_checker_sees_what_it_should():
    source = """
import fastnn.layers.dense
from fastnn import graph, Sequential
from fastnn.models import Model
from . import base
from .. import saving
from ..config import floatx
if TYPE_CHECKING:
    from fastnn.training import fit
else:
    from fastnn import utils
def f():
    import numpy
    from fastnn.callbacks import History
    importlib.import_module("fastnn.datasets.mnist")
"""
    names = imported(source, "fastnn.layers")
    assert names == {
        "fastnn.layers.dense",
        "fastnn.graph",
        "fastnn.Sequential",
        "fastnn.models",
        "fastnn.layers.base",
        "fastnn.saving",
        "fastnn.config",
        "fastnn.utils",
        "fastnn.callbacks",
        "fastnn.datasets.mnist",
    }
    assert violations("layers", names) == [
        "layers -> fastnn.Sequential",
        "layers -> fastnn.callbacks",
        "layers -> fastnn.datasets.mnist",
        "layers -> fastnn.models",
        "layers -> fastnn.saving",
        "layers -> fastnn.utils",
    ]
    assert violations("training", {"fastnn.saving", "fastnn.training.data"}) == [
        "training -> fastnn.saving"
    ]


def test_a_checkout_that_is_not_built_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastnn._core", None)  # what importing it finds
    monkeypatch.delattr(fastnn, "_core", raising=False)
    monkeypatch.delitem(vars(fastnn), "get_num_threads", raising=False)
    with pytest.raises(ImportError, match=r"fastnn' is not built for Python .*pip install -e \."):
        from fastnn import _core  # noqa: F401
    with pytest.raises(ImportError, match="is not built"):
        fastnn.get_num_threads()
