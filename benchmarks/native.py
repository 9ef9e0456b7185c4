"""Compiles the C programs of this folder, with the compiler that the variable CC names (cc)."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def build(source: str, target: str, *options: str) -> None:
    """Compile a file of this folder; exit with a message if that fails."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    command = [*compiler, *options, "-std=gnu11", str(HERE / source), "-o", target, "-lm"]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise SystemExit(
            f"{source} needs a C compiler, and there is no {compiler[0]!r}: install gcc or clang, "
            "or name yours in the environment variable CC"
        ) from None
    except subprocess.CalledProcessError:
        raise SystemExit(f"{shlex.join(compiler)} cannot compile {source}") from None


def kernel_options() -> list[str]:
    """Return what files of csrc/kernels need, for a fast instruction set of this machine."""
    return ["-ffp-contract=off", "-fno-math-errno", *instruction_set()]


def instruction_set() -> list[str]:
    machine = platform.machine().lower()
    if machine in ("aarch64", "arm64"):
        return ["-DFNN_ISA_NEON"]
    try:
        cpu = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpu = ""
    if machine in ("x86_64", "amd64") and " avx2" in cpu and " fma" in cpu:
        return ["-mavx2", "-mfma", "-DFNN_ISA_AVX2"]
    return ["-DFNN_ISA_PORTABLE"]
