"""Times fastnn and whatever of its peers is installed, side by side, and prints the ratios.

    python benchmarks/compare.py                      everything that is installed
    python benchmarks/compare.py --quick              a look: two repetitions
    python benchmarks/compare.py --workloads b32-adam --peers fastnn jax
    python benchmarks/compare.py --markdown           ends with the table of the README
    python benchmarks/compare.py --chart ratios.svg   also draws the ratios

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
import textwrap
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
    weights, mean = reference(workload.checked, CHECKED_STEPS, late_epsilon=late_epsilon)
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


# Fill and hatch of each peer's bars: told apart in grey, and the same in every chart.
STYLES = dict(
    zip(
        [name for name in peers.MODULES if name != "fastnn"],
        [("0.15", ""), ("0.45", ""), ("0.45", "////"), ("0.7", ""), ("0.7", "...."), ("0.95", ""),
         ("0.95", "xxxx")],
        strict=True,
    )
)  # fmt: skip


def chart(report: dict[str, Any], file: Path) -> None:
    """Draw the ratios of a report (see --json): a group of bars per row, a bar per peer."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullLocator

    rows = [row for row in report["rows"] if len(row["ratios"]) > 1]
    if not rows:
        raise SystemExit("--chart: there is no ratio of a peer to fastnn")
    count = sum(len(row["ratios"]) for row in rows)  # of fastnn there is no bar, but a gap
    figure = Figure(figsize=(9, 1.8 + 0.16 * count), layout="constrained")
    axes = figure.add_subplot()
    middles, place, shown = [], 0.0, set()
    for row in rows:
        ratios = {name: row["ratios"][name] for name in STYLES if name in row["ratios"]}
        middles.append(place + (len(ratios) - 1) / 2)
        for name, ratio in ratios.items():
            grey, hatch = STYLES[name]
            axes.barh(
                place, ratio - 1, left=1, height=0.9, color=grey, hatch=hatch, edgecolor="black",
                linewidth=0.5, label=None if name in shown else peers.load(name).TITLE,
            )  # fmt: skip
            axes.annotate(
                f"{ratio:.3g}", (max(ratio, 1), place), (3, 0), textcoords="offset points",
                va="center", fontsize="x-small",
            )  # fmt: skip
            shown.add(name)
            place += 1
        place += 1
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.08, y=0.01)
    axes.axvline(1, color="black")
    axes.invert_yaxis()
    axes.set_yticks(middles, [row["title"] for row in rows])
    axes.set_xlabel("times what fastnn takes (logarithmic); fastnn is the line at 1")
    figure.suptitle(textwrap.fill(report["conditions"], 130), fontsize="small")
    figure.legend(loc="outside lower center", ncols=3)
    figure.savefig(file, dpi=150)


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
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the ratios (.png or .svg)")
    parser.add_argument(
        "--from", type=Path, metavar="FILE", dest="former", help="measure nothing: draw this --json"
    )
    options = parser.parse_args()
    if options.former and not options.chart:
        parser.error("--from needs --chart")
    if options.former and not options.former.is_file():
        parser.error(f"--from: there is no file {options.former}")
    if options.chart and options.chart.suffix not in (".png", ".svg"):
        parser.error(f"--chart: the file must end in .png or .svg, got {options.chart}")
    if options.chart and not importlib.util.find_spec("matplotlib"):
        parser.error("--chart: matplotlib is missing (pip install matplotlib)")
    if options.quick:
        options.repeat = 2
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def main() -> int:
    options = arguments()
    if options.former:
        chart(json.loads(options.former.read_text()), options.chart)
        return 0
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
        reasons = {name: peers.left_out(name, workload) for name in names}
        able = [name for name in names if not reasons[name]]
        times, failures = measure(workload, able, options.repeat)
        rows.append(row_of_times(workload.title, times))
        rows[-1].show()
        for name in names:
            if reasons[name]:
                print(f"  {TITLES[name]:<34} left out: {reasons[name]}")
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
    report = {
        "conditions": conditions(versions, options.repeat),
        "rows": [{"title": row.title, "ratios": row.ratios, **row.numbers} for row in rows],
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))
    if options.chart:
        chart(report, options.chart)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
