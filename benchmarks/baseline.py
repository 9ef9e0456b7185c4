"""This checkout against another one, built in place: is it slower?

Each row is a workload, or an import. First comes the A/A run: the baseline against itself, in two
processes. Where its interval is wide, more pairs are taken, and if it stays wide, the row does not
count. Then this checkout is compared with the baseline over as many pairs. A row that seems slower
is compared again. Turns go A B B A A B B A, so that a drift of the machine cancels, and every
`PAIRS_OF_A_PROCESS` pairs both processes are new: where the system happens to put a process in
memory can make it some percent faster, for as long as it lives.
"""

from __future__ import annotations

import functools
import math
import os
import platform
import statistics
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import footprint
import peers
from printing import duration, processor, size
from processes import Failure, Worker, expected_losses
from workloads import WORKLOADS, Workload, mnist_file

THIS = Path(__file__).resolve().parents[1]
PAIRS = 40  # fewer are for a look
GROWTH = 8  # times as many pairs are the most
PAIRS_OF_A_PROCESS = 20
TURN = 0.1  # seconds
RUNS = 2  # that must agree that a row is slower
SLOWER_ROW = 1.03
SLOWER_MEAN = 1.01
SLOWER_IMPORT = 1.05
LARGER = 1.5
CONFIDENCE = 0.95

Pair = tuple[float, float]  # seconds of the baseline and of its opponent
Measure = Callable[[bool, int], list[Pair]]


# --- statistics ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A median ratio and its confidence interval."""

    median: float
    low: float
    high: float


def rank(count: int) -> int:
    """Return how many of the sorted values lie outside the median's interval, on either side.

    Parameters
    ----------
    count : int
        The number of values.

    Returns
    -------
    int
        The largest k such that the k + 1 smallest of `count` independent values are all below
        their distribution's median with a probability of (1 - `CONFIDENCE`) / 2 at most, whatever
        the distribution; 0 for fewer than six values, whose range covers the median less often.
    """
    # P(at most k of the values are below the median) is a binomial sum.
    most, total = (1 - CONFIDENCE) / 2 * 2**count, 0
    for k in range(count // 2 + 1):
        total += math.comb(count, k)
        if total > most:
            return max(k - 1, 0)
    return 0


def estimate(pairs: Sequence[Pair]) -> Estimate:
    """Return the median of second / first, and its interval from order statistics."""
    ratios = sorted(second / first for first, second in pairs)
    outside = rank(len(ratios))
    return Estimate(statistics.median(ratios), ratios[outside], ratios[-1 - outside])


def tolerance(limit: float) -> float:
    """Return how far an A/A interval may reach from 1: half of what is to be found."""
    return (limit - 1) / 2


def steady(same: Estimate, limit: float) -> bool:
    """Tell whether an A/A interval is narrow enough, and around 1."""
    return 1 - tolerance(limit) <= same.low and same.high <= 1 + tolerance(limit)


@dataclass
class Comparison:
    """All pairs of a row, and what follows from them.

    Attributes
    ----------
    limit : float
        The ratio above which the row is slower.
    same : list of Pair
        The A/A run.
    runs : list of list of Pair
        The baseline's and this checkout's seconds; empty if the row does not count.
    """

    limit: float
    same: list[Pair]
    runs: list[list[Pair]] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return steady(estimate(self.same), self.limit)

    @property
    def ratio(self) -> Estimate:
        """This checkout / baseline, over the pairs of all runs."""
        return estimate([pair for run in self.runs for pair in run])

    @property
    def slower(self) -> bool:
        return len(self.runs) == RUNS and all(estimate(run).low > self.limit for run in self.runs)


def compare(measure: Measure, pairs: int, limit: float) -> Comparison:
    """Measure a row as often as it takes.

    Parameters
    ----------
    measure : callable
        ``measure(against_itself, n)`` returns n pairs: of the baseline and itself, or of the
        baseline and this checkout.
    pairs : int
        How many to begin with; they are doubled up to `GROWTH` times as many until the A/A run is
        steady.
    limit : float
        The ratio above which the row is slower.

    Returns
    -------
    Comparison
        It has a second run only if the first was slower.
    """
    row = Comparison(limit, measure(True, pairs))
    while not row.counts and len(row.same) < GROWTH * pairs:
        row.same += measure(True, len(row.same))
    while row.counts and len(row.runs) < RUNS:
        row.runs.append(measure(False, len(row.same)))
        if estimate(row.runs[-1]).low <= limit:
            break
    return row


def geometric_mean(rows: Iterable[Comparison]) -> float | None:
    """Return the geometric mean of the counted rows' median ratios, or None if none counts."""
    medians = [row.ratio.median for row in rows if row.counts]
    return statistics.geometric_mean(medians) if medians else None


def findings(
    workloads: dict[str, Comparison],
    imports: dict[str, Comparison],
    sizes: Pair | None,
) -> list[str]:
    """Return what is worse than in the baseline, in words; nothing if all is well."""
    found = [f"slower: {title}" for title, row in (workloads | imports).items() if row.slower]
    mean = geometric_mean(workloads.values())
    if mean is not None and mean > SLOWER_MEAN:
        found.append(f"slower: the geometric mean, {mean:.3f}, is above {SLOWER_MEAN}")
    if sizes is not None and sizes[1] > LARGER * sizes[0]:
        found.append(f"larger: the package, more than {LARGER} times")
    return found


# --- turns -----------------------------------------------------------------------------------


def order(pairs: int) -> list[tuple[int, int]]:
    """Return who comes first and who second in every pair: A B, B A, A B, ..."""
    return [(0, 1) if pair % 2 == 0 else (1, 0) for pair in range(pairs)]


def take_turns(contenders: Sequence[Callable[[], float]], pairs: int) -> list[Pair]:
    """Let two contenders time themselves in turn; return their seconds."""
    taken = []
    for turns in order(pairs):
        seconds = [0.0, 0.0]
        for contender in turns:
            seconds[contender] = contenders[contender]()
        taken.append((seconds[0], seconds[1]))
    return taken


@dataclass(frozen=True)
class Checkout:
    """A directory with fastnn built in place, and the largest team its processes may use."""

    directory: Path
    threads: int

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which its package is the one that is imported."""
        path = [str(self.directory), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {"PYTHONPATH": os.pathsep.join(path), "FASTNN_NUM_THREADS": str(self.threads)}

    def require(self, files: list[str]) -> None:
        """Raise unless all modules come from this checkout."""
        package = (self.directory / "fastnn").resolve()
        strangers = [file for file in files if package not in Path(file).resolve().parents]
        if strangers or not files:
            raise Failure(f"imported {(strangers or ['nothing'])[0]}, not {package}")

    def check(self) -> None:
        """Raise unless fastnn is built there, and imported from there."""
        code = "import fastnn._core; print(fastnn._core.__file__)"
        try:
            self.require([footprint.run_elsewhere(code, self.variables)])
            return
        except subprocess.CalledProcessError as error:
            reason = error.stderr.strip().splitlines()[-1]
        except Failure as failure:
            reason = str(failure)
        raise Failure(f"is fastnn built in {self.directory}? ({reason}): setup.py build_ext -i")

    def start(self, workload: Workload) -> Worker:
        """Return a process that has computed the workload with this checkout."""
        worker = Worker(self.variables)
        try:
            expected = expected_losses(workload, False)
            worker.ask({"peer": "fastnn", "workload": workload.name, "expected": expected})
            self.require(worker.ask({"files_of": "fastnn"}))
        except Failure:
            worker.close()
            raise
        return worker

    def import_seconds(self, statement: str) -> float:
        return footprint.import_seconds(statement, self.variables)

    def package_bytes(self) -> int:
        """Return the bytes of the package's Python files and of its extension."""
        suffix = sysconfig.get_config_var("EXT_SUFFIX")  # not those of other Pythons
        files = (self.directory / "fastnn").rglob("*")
        return sum(file.stat().st_size for file in files if file.name.endswith((".py", suffix)))


def measure_workload(
    workload: Workload, turn: float, contenders: Sequence[Checkout], pairs: int
) -> list[Pair]:
    taken: list[Pair] = []
    while len(taken) < pairs:
        workers: list[Worker] = []
        try:
            for checkout in contenders:
                workers.append(checkout.start(workload))
            command = {"least": turn, "undisturbed": True}
            asks = [functools.partial(worker.ask, command) for worker in workers]
            taken += take_turns(asks, min(PAIRS_OF_A_PROCESS, pairs - len(taken)))
        finally:
            for worker in workers:
                worker.close()
    return taken


def measure_import(statement: str, contenders: Sequence[Checkout], pairs: int) -> list[Pair]:
    imports = [functools.partial(checkout.import_seconds, statement) for checkout in contenders]
    for first in imports:  # it may write byte code
        first()
    return take_turns(imports, pairs)


# --- the whole -------------------------------------------------------------------------------


def show(title: str, row: Comparison) -> None:
    """Print a row."""

    def line(name: str, pairs: int, ratio: Estimate) -> str:
        interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
        return f"  {name:<8}{pairs:>5} pairs{ratio.median:>8.3f}   {interval}"

    print(f"\n{title}\n{line('A/A', len(row.same), estimate(row.same))}")
    for run in row.runs:
        old, new = (duration(statistics.median(seconds)) for seconds in zip(*run, strict=True))
        print(f"{line('ratio', len(run), estimate(run))}   {old} before, {new} now")
    if not row.counts:
        print(f"  too noisy here: the A/A interval is not within ±{tolerance(row.limit):.1%}")
    if row.slower:
        print("  slower")
    sys.stdout.flush()


def report_of(title: str, row: Comparison) -> dict[str, Any]:
    """Return a row for --json."""
    report: dict[str, Any] = {"title": title, "limit": row.limit}
    report |= {"counts": row.counts, "slower": row.slower}
    if row.runs:
        report["ratio"] = vars(row.ratio)
    return report | {"same": row.same, "runs": row.runs}


def run(
    directory: Path, chosen: Sequence[str], *, pairs: int, threads: int, turn: float
) -> tuple[dict[str, Any], int]:
    """Compare this checkout with another one and print the result.

    Parameters
    ----------
    directory : Path
        The baseline.
    chosen : sequence of str
        Names of workloads, "import" and "size".
    pairs : int
        How many pairs of turns to begin with.
    threads : int
        The largest team of both.
    turn : float
        The least seconds of a turn.

    Returns
    -------
    report : dict
        For --json: every pair of seconds, the baseline's first.
    status : int
        0; 1 if this checkout is slower or larger, or something failed; 2 if no row counts.
    """
    before, now = Checkout(directory, threads), Checkout(THIS, threads)
    for checkout in (before, now):
        try:
            checkout.check()
        except Failure as failure:
            raise SystemExit(f"--baseline: {failure}") from None
    conditions = (
        f"{processor()}, {peers.CPUS} CPUs, {platform.system()}, Python "
        f"{platform.python_version()}; threads: {threads}; "
        f"{'MNIST' if mnist_file() else 'made-up images'}; turns of {turn:g} s"
    )
    print(f"{now.directory} against {before.directory}\n{conditions}")

    failures: dict[str, str] = {}

    def compared(
        title: str, measure: Callable[[Sequence[Checkout], int], list[Pair]], limit: float
    ) -> dict[str, Comparison]:
        try:
            row = compare(
                lambda itself, n: measure((before, before if itself else now), n), pairs, limit
            )
        except Failure as failure:
            failures[title] = str(failure)
            print(f"\n{title}\n  FAILED: {failure}", flush=True)
            return {}
        show(title, row)
        return {title: row}

    workloads: dict[str, Comparison] = {}
    imports: dict[str, Comparison] = {}
    sizes = None
    for workload in WORKLOADS:
        if workload.name in chosen:
            measure = functools.partial(measure_workload, workload, turn)
            workloads |= compared(workload.title, measure, SLOWER_ROW)
    if "import" in chosen:
        _, _, light, ready = footprint.LIBRARIES["fastnn"]
        for statement in (light, ready):
            measure = functools.partial(measure_import, statement)
            imports |= compared(statement, measure, SLOWER_IMPORT)
    if "size" in chosen:
        sizes = (float(before.package_bytes()), float(now.package_bytes()))
        print(f"\npackage\n  {size(sizes[0])} before, {size(sizes[1])} now")

    found = findings(workloads, imports, sizes)
    rows = workloads | imports
    mean = geometric_mean(workloads.values())
    print()
    if mean is not None:
        counted = sum(row.counts for row in workloads.values())
        print(f"geometric mean of {counted} of {len(workloads)} workloads: {mean:.3f}")
    undecided = bool(rows) and not any(row.counts for row in rows.values())
    if pairs < PAIRS:
        print(f"fewer than {PAIRS} pairs: a look, no verdict")
    print("\n".join(found) or ("undecided: no row counts" if undecided else "not slower"))
    report = {
        "conditions": conditions,
        "rows": [report_of(title, row) for title, row in rows.items()],
        "bytes": sizes,
        "geometric mean": mean,
        "findings": found,
        "failures": failures,
    }
    return report, 1 if found or failures else 2 if undecided else 0
