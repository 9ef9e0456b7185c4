"""One contender in a process of its own: checked once, then timed whenever asked.

It waits on a pipe, so that between its turns it takes nothing from the others. Commands and
answers are lines of JSON on the standard streams: first what to make, then the arguments of each
turn, ``{}`` for the defaults; ``{"files_of": package}`` tells what has been imported.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import statistics
import sys
import time
from typing import Any

import numpy as np
import peers
from workloads import (
    BY_NAME,
    CHECKED_STEPS,
    LEAST_SECONDS,
    TOLERANCE,
    Workload,
    loss_of,
    predictions,
)


def close(what: str, got: float, expected: float) -> None:
    """Raise if a number is off by more than float32 rounding explains."""
    if not math.isclose(got, expected, rel_tol=TOLERANCE):
        raise ValueError(f"{what} is {got:.7g}, the float64 reference has {expected:.7g}")


def check_training(make: Any, workload: Workload, expected: dict[str, float]) -> None:
    """Train a few batches in order and compare the losses with the reference's.

    They are compared without dropout, which is random; with it they must be others.
    """
    data = workload.data(CHECKED_STEPS)
    contender = make(workload.checked, *data)
    close("the mean loss of the first steps", contender.epoch(shuffle=False), expected["mean"])
    after = loss_of(workload, contender.weights(), CHECKED_STEPS)
    close("the loss after the first steps", after, expected["after"])
    if workload.dropout:
        dropping = dataclasses.replace(workload.checked, dropout=workload.dropout)
        loss = make(dropping, *data).epoch(shuffle=False)
        if math.isclose(loss, expected["mean"], rel_tol=TOLERANCE):
            raise ValueError("it drops nothing")


class Turn:
    """A contender that has passed its check, warm and ready."""

    def __init__(self, name: str, workload: Workload, expected: dict[str, float]) -> None:
        make = peers.load(name).Contender
        self.workload = workload
        self.x, y = workload.data()
        if workload.kind == "train":
            check_training(make, workload, expected)
            self.contender = make(workload, self.x, y)
            self.first_loss = expected["mean"]
        else:
            self.contender = make(workload, self.x, y)
            got = self.contender.predict(self.x)
            np.testing.assert_allclose(got, predictions(workload, self.x), rtol=1e-3, atol=1e-6)
        self.run()

    def run(self, least: float = LEAST_SECONDS, undisturbed: bool = False) -> float:
        """Train or predict for some time and return the seconds of a step or a call.

        Parameters
        ----------
        least : float
            The least seconds to go on for; whole epochs are trained.
        undisturbed : bool
            Return the first quartile over the epochs or calls, which other processes disturb
            little, rather than the mean over epochs or the median over calls.

        Returns
        -------
        float
        """
        training = self.workload.kind == "train"
        times, total, loss = [], 0.0, 0.0
        while total < least:
            start = time.perf_counter()
            if training:
                loss = self.contender.epoch(shuffle=True)
            else:
                self.contender.predict(self.x)
            times.append(time.perf_counter() - start)
            total += times[-1]
        quartile = sorted(times)[len(times) // 4]
        if not training:
            return quartile if undisturbed else statistics.median(times)
        # The first steps have been checked; ten steps of a wide network may begin with a rise.
        if not loss < 2 * self.first_loss:
            raise ValueError(f"it diverges: the loss of an epoch is {loss}")
        return (quartile if undisturbed else total / len(times)) / self.workload.count


def files_of(package: str) -> list[str]:
    """Return the files of a package's modules that this process has imported."""
    return [
        module.__file__
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == package and getattr(module, "__file__", None)
    ]


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a framework prints must not come between the answers
    turn = None
    for line in sys.stdin:
        command = json.loads(line)
        answer: Any = "ready"
        if "files_of" in command:
            answer = files_of(command["files_of"])
        elif turn is None:
            turn = Turn(command["peer"], BY_NAME[command["workload"]], command["expected"])
        else:
            answer = turn.run(**command)
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
