"""fastnn's NumPy engine: the readable twin, timed for curiosity."""

from __future__ import annotations

from peers import fastnn_c

TITLE = "fastnn, NumPy engine"
PACKAGES = ("fastnn",)
VARIANTS: dict[str, dict[str, str]] = {"": {}}


class Contender(fastnn_c.Contender):
    engine = "numpy"
