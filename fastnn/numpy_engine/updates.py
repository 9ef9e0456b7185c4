"""Optimizer rules: one step of a parameter w with gradient g, in place.

`UPDATES[rule](w, g, slots, c)`: slots in the order of operations.RULE_SLOTS, c the step's
coefficients (c[0] decay, c[1] step size, then the rule's own; see csrc/ops.def).
The decoupled decay w -= c[0] w comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


def sgd(w, g, slots, c):
    w -= c[1] * g


def momentum(w, g, slots, c):
    (m,) = slots
    m[...] = c[2] * m - c[1] * g
    w += m


def nesterov(w, g, slots, c):
    (m,) = slots
    m[...] = c[2] * m - c[1] * g
    w += c[2] * m - c[1] * g


def rmsprop(w, g, slots, c):
    (v,) = slots
    v += (g * g - v) * (1 - c[2])
    w -= c[1] * g / np.sqrt(v + c[3])


def rmsprop_momentum(w, g, slots, c):
    v, m = slots
    v += (g * g - v) * (1 - c[2])
    m[...] = c[4] * m + c[1] * g / np.sqrt(v + c[3])
    w -= m


def rmsprop_centered(w, g, slots, c):
    v, a = slots
    v += (g * g - v) * (1 - c[2])
    a += (g - a) * (1 - c[2])
    w -= c[1] * g / np.sqrt(v - a * a + c[3])


def rmsprop_centered_momentum(w, g, slots, c):
    v, m, a = slots
    v += (g * g - v) * (1 - c[2])
    a += (g - a) * (1 - c[2])
    m[...] = c[4] * m + c[1] * g / np.sqrt(v - a * a + c[3])
    w -= m


def adam(w, g, slots, c):
    m, v = slots
    m += (g - m) * (1 - c[2])
    v += (g * g - v) * (1 - c[3])
    w -= c[1] * m / (np.sqrt(v) + c[4])


def amsgrad(w, g, slots, c):
    m, v, h = slots
    m += (g - m) * (1 - c[2])
    v += (g * g - v) * (1 - c[3])
    np.maximum(h, v, out=h)
    w -= c[1] * m / (np.sqrt(h) + c[4])


UPDATES: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        sgd, momentum, nesterov, rmsprop, rmsprop_momentum, rmsprop_centered,
        rmsprop_centered_momentum, adam, amsgrad,
    )
}  # fmt: skip


def update(
    rule: str, w: np.ndarray, g: np.ndarray, slots: Sequence[np.ndarray], c: Iterable[float]
) -> None:
    """Take one step of `rule`: decay first, then the rule."""
    c = [float(x) for x in c]  # Python floats leave the arrays' dtype alone
    if c[0]:
        w -= c[0] * w
    UPDATES[rule](w, g, slots, c)
