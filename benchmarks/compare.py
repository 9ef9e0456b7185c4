"""Times fastnn and whatever of its peers is installed, side by side, and prints the ratios.

    python benchmarks/compare.py                      everything that is installed
    python benchmarks/compare.py --quick              a look, in about a minute
    python benchmarks/compare.py --workloads b32-adam --peers fastnn jax
    python benchmarks/compare.py --markdown           ends with the table of the README

Every contender has the same network, first weights and data, and its first steps are checked
against a float64 reference before it is timed. Then the contenders take turns, repetition by
repetition, each in a process of its own that sleeps between its turns. A ratio is the median over
the repetitions of (the peer's time / fastnn's time in the same repetition).
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import footprint
import peers
from workloads import BY_NAME, CHECKED_STEPS, WORKLOADS, Workload, loss_of, mnist_file, reference

ROOT = Path(__file__).resolve().parents[1]
SETTLE = 0.1  # seconds between turns: threads of OpenBLAS and OpenMP spin for a while when done
FOOTPRINT = ("import", "size")


class Failure(Exception):
    """A contender gave a wrong result, or stopped."""


class Worker:
    """A contender's process; see worker.py."""

    def __init__(self, name: str, variables: dict[str, str]) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close())
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("worker.py"))],
            env={**os.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )

    def ask(self, command: dict[str, Any]) -> Any:
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            self.log.seek(0)
            lines = self.log.read().decode(errors="replace").strip().splitlines()
            raise Failure(lines[-1] if lines else "it stopped without a word")
        return json.loads(answer)

    def close(self) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.log.close()


@functools.cache
def expected_losses(workload: Workload, late_epsilon: bool) -> dict[str, float]:
    if workload.kind != "train":
        return {}
    weights, mean = reference(workload, CHECKED_STEPS, late_epsilon=late_epsilon)
    return {"mean": mean, "after": loss_of(workload, weights, CHECKED_STEPS)}


def measure(
    workload: Workload, names: list[str], repeat: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Return the seconds of every repetition of every contender's best variant, and failures."""
    workers: dict[tuple[str, str], Worker] = {}
    failures: dict[str, str] = {}
    try:
        for name in names:
            peer = peers.load(name)
            if workload.kind not in getattr(peer, "KINDS", (workload.kind,)):
                continue
            expected = expected_losses(workload, getattr(peer, "LATE_EPSILON", False))
            for variant, variables in peer.VARIANTS.items():
                worker = workers[name, variant] = Worker(name, variables)
                try:
                    worker.ask({"peer": name, "workload": workload.name, "expected": expected})
                except Failure as failure:
                    failures[name] = str(failure)
                    workers.pop((name, variant)).close()
        times: dict[tuple[str, str], list[float]] = {key: [] for key in workers}
        for _ in range(repeat):
            for key, worker in list(workers.items()):
                time.sleep(SETTLE)
                try:
                    times[key].append(worker.ask({}))
                except Failure as failure:
                    failures[key[0]] = str(failure)
                    workers.pop(key).close()
                    del times[key]
    finally:
        for worker in workers.values():
            worker.close()
    best: dict[str, list[float]] = {}
    for (name, _), seconds in times.items():
        if name not in best or statistics.median(seconds) < statistics.median(best[name]):
            best[name] = seconds
    return best, failures


# --- what is printed -------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Return three digits and a unit."""
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("µs", 1e-6)
    number = seconds / scale
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.3g} {unit}"


def size(count: float) -> str:
    return f"{count / 1e6:.3g} MB" if count < 1e9 else f"{count / 1e9:.3g} GB"


@dataclasses.dataclass
class Row:
    """A line of the table: one figure and one ratio for each contender."""

    title: str
    figures: dict[str, str]
    ratios: dict[str, float]
    spread: dict[str, str]
    numbers: dict[str, Any]  # for --json

    def show(self) -> None:
        print(f"\n{self.title}")
        for name, figure in self.figures.items():
            ratio = f"{self.ratios[name]:8.2f} x" if name in self.ratios else ""
            print(f"  {TITLES[name]:<34}{figure:>10}{ratio:>12}   {self.spread.get(name, '')}")
        sys.stdout.flush()


TITLES: dict[str, str] = {}


def row_of_times(title: str, times: dict[str, list[float]]) -> Row:
    ratios = {}
    if "fastnn" in times:
        for name, seconds in times.items():
            pairs = zip(seconds, times["fastnn"], strict=True)
            ratios[name] = statistics.median(peer / ours for peer, ours in pairs)
    return Row(
        title,
        {name: duration(statistics.median(seconds)) for name, seconds in times.items()},
        ratios,
        {name: f"{duration(min(s))} to {duration(max(s))}" for name, s in times.items()},
        {"seconds": times},
    )


def row_of_sizes(title: str, sizes: dict[str, float]) -> Row:
    ratios = {}
    if "fastnn" in sizes:
        ratios = {name: number / sizes["fastnn"] for name, number in sizes.items()}
    figures = {name: size(number) for name, number in sizes.items()}
    return Row(title, figures, ratios, {}, {"bytes": sizes})


def markdown(rows: list[Row], names: list[str]) -> str:
    """Return all rows as one table: figures, and in brackets how many times fastnn's."""
    lines = [
        "| | " + " | ".join(TITLES[name] for name in names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for row in rows:
        cells = [row.title]
        for name in names:
            ratio = row.ratios.get(name)
            bracket = f" ({ratio:.2f}×)" if ratio is not None and name != "fastnn" else ""
            cells.append(row.figures.get(name, "-") + bracket)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def conditions(versions: dict[str, str], repeat: int) -> str:
    data = "MNIST" if mnist_file() else "made-up images"
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"{processor()}, {peers.CPUS} CPUs, {platform.system()}, "
        f"Python {platform.python_version()}; {listed}; {data}; median of {repeat} repetitions"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    everything = [*BY_NAME, *FOOTPRINT]
    parser.add_argument("--workloads", nargs="+", choices=everything, default=everything)
    parser.add_argument("--peers", nargs="+", choices=list(peers.MODULES), default=peers.DEFAULT)
    parser.add_argument("--repeat", type=int, default=7, help="repetitions (default 7)")
    parser.add_argument("--quick", action="store_true", help="two repetitions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure there")
    parser.add_argument("--markdown", action="store_true", help="end with a Markdown table")
    options = parser.parse_args()
    if options.quick:
        options.repeat = 2
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def main() -> int:
    options = arguments()
    names, versions = [], {}
    for name in peers.MODULES:
        if name not in options.peers:
            continue
        peer = peers.load(name)
        TITLES[name] = peer.TITLE
        version = peers.version(peer)
        if version is None:
            print(f"not installed: {peer.TITLE} (needs {', '.join(peer.PACKAGES)})")
        else:
            names.append(name)
            versions[peer.PACKAGES[0]] = version
    print(conditions(versions, options.repeat))
    installed = importlib.util.find_spec("fastnn")
    if installed and installed.origin and ROOT not in Path(installed.origin).resolve().parents:
        print(f"note: this measures {installed.origin}, not {ROOT}: see pip install -e .")

    rows: list[Row] = []
    failed = False
    for workload in WORKLOADS:
        if workload.name not in options.workloads:
            continue
        times, failures = measure(workload, names, options.repeat)
        rows.append(row_of_times(workload.title, times))
        rows[-1].show()
        for name, reason in failures.items():
            failed = True
            print(f"  {TITLES[name]:<34} FAILED: {reason}")
    libraries = [n for n in footprint.LIBRARIES if n in names and footprint.installed(n)]
    if "import" in options.workloads and libraries:
        for title, ready in (("import", False), ("import what a first network needs", True)):
            times = footprint.import_times(libraries, options.repeat, ready=ready)
            rows.append(row_of_times(title, times))
            rows[-1].show()
    if "size" in options.workloads and libraries:
        sizes = footprint.sizes(libraries)
        rows.append(row_of_sizes("installed, with all it needs", sizes))
        rows[-1].show()

    if options.markdown:
        print("\n" + markdown(rows, names) + "\n\n" + conditions(versions, options.repeat) + ".")
    if options.json:
        report = {
            "conditions": conditions(versions, options.repeat),
            "rows": [{"title": row.title, "ratios": row.ratios, **row.numbers} for row in rows],
        }
        options.json.write_text(json.dumps(report, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
