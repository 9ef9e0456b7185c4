"""Measure the accuracy of the C library's functions, in units of the last place (ULP).

    python benchmarks/ulp.py           a sample: about a million floats, half a million doubles
    python benchmarks/ulp.py --all     all 2**32 floats (a minute or more a function)
    python benchmarks/ulp.py --all --only tanh

Fails if an error exceeds the bound that the documentation states. Needs a C compiler; the
functions are compiled from csrc/kernels/vmath.h by themselves (ulp.c). All instruction sets give
the same bits, so one is enough.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from native import build, kernel_options

BOUNDS = {
    "exp": 2.0,
    "expm1 (x <= 0)": 2.0,
    "expm1": 3.0,
    "log": 2.0,
    "log1p (0 <= x <= 1)": 2.0,
    "log1p": 3.0,
    "tanh": 3.0,
    "sigmoid": 3.0,
    "softplus": 3.0,
    "sin": 2.0,
    "cos": 2.0,
    "erf": 3.0,
    "power (x^-2.7)": 3.0,
    "power (1.7^x)": 3.0,
    "normal probability": 6.0,
    "normal density": 3.0,
}
"""What docs/arithmetic.md promises, for float and double alike."""


def measure(double: bool, step: int, only: str | None) -> Iterator[tuple[str, float, float]]:
    """Compile and run ulp.c; yield the name, largest error and place of each function."""
    with tempfile.TemporaryDirectory() as directory:
        program = str(Path(directory, "ulp"))
        build("ulp.c", program, "-O2", *kernel_options(), *(["-DFNN_DOUBLE"] if double else []))
        command = [program, str(step), *([only] if only else [])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                name, error, x = line.split("\t")
                yield name, float(error), float(x)
        if process.returncode:
            raise SystemExit(f"{program} ended with status {process.returncode}")


def main() -> int:
    parser = argparse.ArgumentParser(description="Accuracy of the C library's functions, in ULP.")
    parser.add_argument("--all", action="store_true", help="try every float")
    parser.add_argument("--only", choices=BOUNDS, help="measure one function")
    arguments = parser.parse_args()
    failures = 0
    for double in (False, True):
        sample = 4_000_000 if arguments.all else 250_000
        # An odd prime visits every residue of the mantissa's low bits.
        step = sample if double else 1 if arguments.all else 4093
        print(f"{'float64' if double else 'float32':22}{'ULP':>8}{'bound':>8}   at")
        for name, error, x in measure(double, step, arguments.only):
            fine = error <= BOUNDS[name]
            failures += not fine
            line = f"{name:22}{error:8.3f}{BOUNDS[name]:8.1f}   {x:.9g}"
            print(line if fine else line + "   more than its bound", flush=True)
        print()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
