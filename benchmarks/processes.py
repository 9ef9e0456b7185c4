"""Contenders in processes of their own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from workloads import CHECKED_STEPS, Workload, loss_of, reference


class Failure(Exception):
    """A contender gave a wrong result, or stopped."""


class Worker:
    """A contender's process; see worker.py."""

    def __init__(self, variables: dict[str, str]) -> None:
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
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.close()
            self.process.wait(timeout=10)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


@functools.cache
def expected_losses(workload: Workload, late_epsilon: bool) -> dict[str, float]:
    if workload.kind != "train":
        return {}
    weights, mean = reference(workload.checked, CHECKED_STEPS, late_epsilon=late_epsilon)
    return {"mean": mean, "after": loss_of(workload, weights, CHECKED_STEPS)}
