"""What an installation holds, and what an import costs."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn import _core

PACKAGE = Path(fastnn.__file__).parent

# Slow to import, and of no use before something asks for them.
HEAVY = {
    "argparse", "asyncio", "concurrent.futures", "ctypes.util", "dataclasses", "decimal", "doctest",
    "email", "hashlib", "http.client", "importlib.metadata", "json", "logging", "matplotlib",
    "multiprocessing", "numpy.testing", "pandas", "scipy", "shutil", "ssl", "subprocess",
    "tempfile", "typing_extensions", "unittest", "urllib.request", "zipfile",
}  # fmt: skip


def run(code, **environment):
    """Run Python code in a new process and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(code):
    return set(run(f"{code}; import sys; print(*sys.modules)").split())


def test_version_is_that_of_the_installed_package():
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", fastnn.__version__)
    assert importlib.metadata.version("fastnn") == fastnn.__version__


def test_numpy_is_the_only_dependency():
    required = importlib.metadata.requires("fastnn") or []
    hard = [line for line in required if "extra ==" not in line]
    assert [re.match(r"\w+", line).group() for line in hard] == ["numpy"]


def test_types_and_data_are_installed():
    assert (PACKAGE / "py.typed").is_file()
    assert (PACKAGE / "_core.pyi").is_file()
    assert {path.name for path in (PACKAGE / "datasets").rglob("*.npz")} >= {
        "boston_housing.npz",
        "breast_cancer.npz",
        "digits.npz",
    }


def test_the_stub_names_what_the_extension_has():
    stub = set()
    for node in ast.parse((PACKAGE / "_core.pyi").read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            stub.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            stub.add(node.target.id)
    actual = {
        name
        for name, value in vars(_core).items()
        if not name.startswith("_")
        and (getattr(value, "__module__", None) == "fastnn._core" or isinstance(value, dict))
    }
    assert stub <= actual
    assert {name for name in actual - stub if not isinstance(getattr(_core, name), type)} == set()


def test_import_brings_numpy_and_little_else():
    """Compared with numpy alone, so that what numpy loads is not counted."""
    extra = modules_after("import fastnn, numpy") - modules_after("import numpy")
    assert not extra & HEAVY
    assert {name for name in extra if name.split(".")[0] != "fastnn"} <= {"__future__"}
    assert len(extra) <= 5, sorted(extra)


def test_building_a_model_loads_nothing_heavy():
    """Names load when they are first used; a model needs no file formats and no plots."""
    code = """
import fastnn
model = fastnn.Sequential([fastnn.Input(shape=(3,)), fastnn.layers.Dense(2)])
model.compile(optimizer="adam", loss="mse")
"""
    extra = modules_after(f"exec({code!r})") - modules_after("import numpy.random, dataclasses")
    assert not extra & HEAVY


def test_every_public_name_is_there():
    for name in fastnn.__all__:
        assert getattr(fastnn, name) is not None
    assert set(fastnn.__all__) <= set(dir(fastnn))
    assert run("from fastnn import *; print(Sequential.__name__)").strip() == "Sequential"


def test_runs_as_a_module():
    out = subprocess.run(
        [sys.executable, "-m", "fastnn", "info"], capture_output=True, text=True, check=True
    ).stdout
    assert fastnn.__version__ in out and _core.isas()[0] in out


@pytest.mark.parametrize("name", ["FASTNN_ISA", "FASTNN_NUM_THREADS"])
def test_a_wrong_environment_is_no_traceback(name):
    for value in (b"x", b"x" + "\u00e4".encode() * 20):  # cut within a letter
        run = subprocess.run(
            [sys.executable, "-m", "fastnn", "info"],
            capture_output=True, text=True, env={**os.environb, name.encode(): value},
        )  # fmt: skip
        assert (run.returncode, run.stdout) == (2, "") and "Traceback" not in run.stderr
        assert f"error: {name} " in run.stderr and "'x" in run.stderr


def test_environment_chooses_the_instruction_set():
    for name in _core.isas():
        assert run("from fastnn import _core; print(_core.isa())", FASTNN_ISA=name).strip() == name
    code = """
try:
    import fastnn._core
except ValueError as error:
    print(error)
"""
    message = run(code, FASTNN_ISA="mmx")
    assert "FASTNN_ISA is 'mmx'" in message and ", ".join(_core.isas()) in message
