"""Times every activation, crossentropy and optimizer update against a copy of its operands.

    python benchmarks/elementwise.py

One thread, float32. For operands in the second-level cache and in memory: nanoseconds per element,
and how many times as long it takes as copying as many bytes as it reads and writes. Needs a C
compiler; the kernels are compiled from csrc/kernels by themselves (elementwise.c).
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from native import build, kernel_options


def measure(repetitions: int) -> list[tuple[str, str, list[float]]]:
    """Return group, name and times: cached, in memory, and of the two copies."""
    with tempfile.TemporaryDirectory() as directory:
        program = str(Path(directory, "elementwise"))
        build("elementwise.c", program, "-O3", *kernel_options())
        result = subprocess.run(
            [program, str(repetitions)], check=True, capture_output=True, text=True
        )
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    return [(group, name, [float(time) for time in times]) for group, name, *times in lines]


def main() -> int:
    parser = argparse.ArgumentParser(description="Elementwise kernels against copies.")
    parser.add_argument("--repeat", type=int, default=10, help="repetitions (default 10)")
    arguments = parser.parse_args()
    columns = f"{'in cache':>10}{'copies':>8}{'in memory':>12}{'copies':>8}"
    print(f"{'nanoseconds per element':44}{columns}")
    for group, name, (cached, far, copy_cached, copy_far) in measure(arguments.repeat):
        print(
            f"{group:9} {name:34}{cached:10.3f}{cached / copy_cached:8.2f}"
            f"{far:12.3f}{far / copy_far:8.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
