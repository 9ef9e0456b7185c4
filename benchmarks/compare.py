"""Times fastnn and whatever of its peers is installed, side by side, and prints the ratios.

    python benchmarks/compare.py                      everything that is installed
    python benchmarks/compare.py --quick              a look: two repetitions
    python benchmarks/compare.py --workloads b32-adam --peers fastnn jax
    python benchmarks/compare.py --markdown           ends with the table of the README
    python benchmarks/compare.py --chart ratios.svg   also draws the ratios
    python benchmarks/compare.py --baseline DIR       this checkout against another one, no peers

Every contender has the same network, first weights and data, and its first steps are checked
against a float64 reference before it is timed. Then the contenders take turns, repetition by
repetition, each in a process of its own that sleeps between its turns. A ratio is the median over
the repetitions of (the peer's time / fastnn's time in the same repetition).
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import platform
import statistics
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import baseline
import footprint
import peers
from printing import duration, processor, size
from processes import Failure, Worker, expected_losses
from workloads import BY_NAME, WORKLOADS, Workload, mnist_file

ROOT = Path(__file__).resolve().parents[1]
SETTLE = 0.1  # seconds between turns: threads of OpenBLAS and OpenMP spin for a while when done
FOOTPRINT = ("import", "size")
WITH_PEERS = ("peers", "repeat", "quick", "markdown", "chart", "former")
WITH_BASELINE = ("pairs", "threads", "turn")


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
                worker = workers[name, variant] = Worker(variables)
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
    checkouts = parser.add_argument_group("another checkout (see README.md)")
    checkouts.add_argument(
        "--baseline", type=Path, metavar="DIR", help="compare with that checkout, built in place"
    )
    checkouts.add_argument(
        "--pairs", type=int, default=baseline.PAIRS, metavar="N",
        help=f"pairs of turns (default {baseline.PAIRS}; more where it is noisy)",
    )  # fmt: skip
    checkouts.add_argument(
        "--threads", type=int, default=peers.CPUS, metavar="N",
        help=f"largest team of both (default {peers.CPUS}; 1 is the steadiest)",
    )  # fmt: skip
    checkouts.add_argument(
        "--turn", type=float, default=baseline.TURN, metavar="SECONDS",
        help=f"least length of a turn (default {baseline.TURN})",
    )  # fmt: skip
    options = parser.parse_args()
    others = WITH_PEERS if options.baseline else WITH_BASELINE
    for name in others:
        if getattr(options, name) != parser.get_default(name):
            given = "--" + ("from" if name == "former" else name)
            parser.error(f"{given} is {'not ' if options.baseline else ''}for --baseline")
    if min(options.pairs, options.threads) < 1:
        parser.error("--pairs and --threads must be at least 1")
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
    if options.baseline:
        report, status = baseline.run(
            options.baseline.resolve(), options.workloads,
            pairs=options.pairs, threads=options.threads, turn=options.turn,
        )  # fmt: skip
        if options.json:
            options.json.write_text(json.dumps(report, indent=1))
        return status
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
