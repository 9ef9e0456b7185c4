"""``python -m fastnn info`` and ``python -m fastnn bench``."""

from __future__ import annotations

import argparse
import platform
import sys


def info() -> None:
    """Print what a report of a problem, or of a measurement, should say."""
    import numpy as np

    import fastnn
    from fastnn import _core

    lines = {
        "fastnn": fastnn.__version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": np.__version__,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "CPU": cpu_model(),
        "ISA": f"{_core.isa()} (available: {', '.join(_core.isas())}; FASTNN_ISA chooses)",
        "threads": f"{_core.get_num_threads()} (FASTNN_NUM_THREADS chooses)",
    }
    for name, value in lines.items():
        print(f"{name:8} {value}")


def cpu_model() -> str:
    """Return what the CPU calls itself."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or "unknown"


def bench(repeat: int, roofline: bool) -> None:
    """Print a table of times."""
    from fastnn import benchmark

    info()
    if roofline:
        print()
        for line in benchmark.roofline(repeat):
            print(line, flush=True)
        return
    print(f"\nmedian of {repeat}, after a warm-up")
    for title, seconds in benchmark.run(repeat):
        print(f"{seconds * 1e6:12,.1f} us  {title}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m fastnn", description="fastnn on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info", help="CPU, instruction set, threads, versions")
    timing = commands.add_parser("bench", help="time training steps and predictions")
    timing.add_argument("--repeat", type=int, default=7, help="timed repetitions (default 7)")
    timing.add_argument(
        "--roofline", action="store_true", help="measure this machine's peaks and compare with them"
    )
    options = parser.parse_args(arguments)
    from fastnn import _built_core

    try:
        _built_core()
    except (ImportError, ValueError) as error:  # not built; FASTNN_ISA or FASTNN_NUM_THREADS
        parser.error(str(error))
    if options.command == "info":
        info()
    elif options.repeat < 1:
        parser.error("--repeat must be at least 1")
    else:
        bench(options.repeat, options.roofline)
    return 0


if __name__ == "__main__":
    sys.exit(main())
