"""Random expressions of fastnn.ops, each made by a seed alone.

An expression is a list of steps on a growing list of values; the same steps work on arrays and on
tensors. What is chosen keeps away from what no engine could be held to: numbers stay near 1, no
denominator is small, rounding and comparing meet no number that stands at a limit, and extremes
are taken of numbers that differ.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np

from fastnn import ops
from fastnn.ops.operation import broadcast, holds_tensor
from fastnn.ops.tensor import Tensor
from fastnn.variable import Variable

SAMPLES = ((6,), (1,), (2, 3))
"""The operands: (n, 6), (n, 1) and (n, 2, 3)."""

ODD = (((1,), (1,), (1, 1)), ((1, 1, 1), (2, 1, 3), (3, 1)), ((17,), (16,), (1, 17)))
"""Others: of axes of length 1, of four axes, longer than a vector."""

MOST = 150  # elements of a sample

SMOOTH = {
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "softplus": ops.softplus,
    "sin": ops.sin,
    "cos": ops.cos,
    "erf": ops.erf,
    "square": ops.square,
    "negative": ops.negative,
    "silu": ops.silu,
    "gelu": ops.gelu,
    "exp(tanh)": lambda a: ops.exp(ops.tanh(a)),
    "expm1(tanh)": lambda a: ops.expm1(ops.tanh(a)),
    "sqrt(0.5 + square)": lambda a: ops.sqrt(0.5 + ops.square(a)),
    "log(1.5 + square)": lambda a: ops.log(1.5 + ops.square(a)),
    "log1p(square)": lambda a: ops.log1p(ops.square(a)),
    "rsqrt(1 + square)": lambda a: ops.rsqrt(1.0 + ops.square(a)),
    "reciprocal(1.5 + square)": lambda a: ops.reciprocal(1.5 + ops.square(a)),
    "log(sigmoid)": lambda a: ops.log(ops.sigmoid(a)),
    "1 / (1 + exp(-))": lambda a: 1 / (1 + ops.exp(-a)),
    "exp / (exp + 1)": lambda a: ops.exp(a) / (ops.exp(a) + 1.0),
    "log(1 + exp)": lambda a: ops.log(1.0 + ops.exp(a)),
    "log1p(exp)": lambda a: ops.log1p(ops.exp(a)),
    "power 3": lambda a: (0.5 * a) ** 3,
    "times 1": lambda a: 1.0 * a + 0.0,
    "- -": lambda a: -(0.5 - -a),
}
KINKED = {
    "abs": lambda a: ops.absolute(a + 0.0371),
    "relu": lambda a: ops.relu(a + 0.0531),
    "leaky": lambda a: ops.leaky_relu(a - 0.0173),
    "clip": lambda a: ops.clip(a, -0.7123, 0.9321),
    "elu": lambda a: ops.elu(a + 0.0213),
}
FLAT = {
    "sign": lambda a: ops.sign(a + 0.0917),
    "floor": lambda a: ops.floor(1.7 * a + 0.1231),
    "ceil": lambda a: ops.ceil(1.7 * a + 0.1231),
    "round": lambda a: ops.round(1.3 * a + 0.2117),
    "trunc": lambda a: ops.trunc(1.7 * a + 0.1231),
    "greater": lambda a: ops.cast(ops.greater(a, 0.2171), "float64"),
    "less_equal": lambda a: ops.cast(ops.less_equal(a, 0.1171), "float64"),
    "not": lambda a: ops.cast(ops.logical_not(ops.less(a, 0.3171)), "float64"),
    "both": lambda a: ops.cast(
        ops.logical_and(ops.greater(a, -0.5171), ops.isfinite(a)), "float64"
    ),
    "stop_gradient": ops.stop_gradient,
    "zeros_like": ops.zeros_like,
}
BINARY = {
    "add": ops.add,
    "subtract": ops.subtract,
    "multiply": ops.multiply,
    "divide": lambda a, b: ops.divide(a, 1.5 + ops.square(b)),
    "power": lambda a, b: ops.power(ops.softplus(a) + 0.5, ops.tanh(b)),
    "logaddexp": ops.logaddexp,
    "arithmetic": lambda a, b: (a - 0.5 * b) * (b + 0.3),
}


@dataclass
class Step:
    """One step: what it is called, what it does to which values."""

    text: str
    function: object
    args: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.text} of {', '.join(f'v{k}' for k in self.args)}"


@dataclass
class Expression:
    """Steps on the operands, and which of the values are the results."""

    seed: int
    samples: tuple[tuple[int, ...], ...] = SAMPLES
    steps: list[Step] = field(default_factory=list)
    results: list[int] = field(default_factory=list)
    constants: list[object] = field(default_factory=list)

    def __call__(self, *operands):
        values = [*operands, *self.constants]
        for step in self.steps:
            values.append(step.function(*(values[k] for k in step.args)))
        return [values[k] for k in self.results]

    def __str__(self) -> str:
        first = len(self.samples)
        lines = [f"seed {self.seed}", *(f"v{k} is (n, {s})" for k, s in enumerate(self.samples))]
        lines += [f"v{k + first} is {c!r:.60}" for k, c in enumerate(self.constants)]
        first += len(self.constants)
        lines += [f"v{k + first} = {step}" for k, step in enumerate(self.steps)]
        return "\n".join([*lines, f"results: {self.results}"])


class Maker:
    """Makes one expression."""

    def __init__(self, seed: int, leaf, length: int, dtype: str, samples) -> None:
        self.rng = np.random.default_rng(seed)
        self.made = Expression(seed, samples)
        self.tensors = [leaf(sample) for sample in samples]
        self.arrays = operands(5, seed, samples=samples)
        self.distinct = [True] * len(samples)  # of whose elements no two are equal
        for shape in (samples[0], (), (2, 1), (1, samples[2][-1])):
            self.constant(self.rng.uniform(-1, 1, shape))
        for name, shape in (("u", ()), ("v", samples[0]), ("w", samples[2])):
            variable = Variable(shape=shape, name=name, dtype=dtype, trainable=False)
            variable.assign(self.rng.uniform(-1, 1, shape))
            self.constant(variable)
        while len(self.made.steps) < length:
            kind = self.rng.choice(KINDS, p=CHANCES)
            getattr(self, kind)()
        count = len(self.tensors)
        last = [count - 1, *self.rng.choice(range(count - length, count), 2)]
        picked = dict.fromkeys(int(k) for k in last[: self.rng.integers(1, 4)])
        self.made.results = list(picked)

    def constant(self, value) -> None:
        self.made.constants.append(value)
        array = value.numpy() if isinstance(value, Variable) else value
        self.tensors.append(ops.operation.as_tensor(value, self.tensors[0].dtype))
        self.arrays.append(array)
        self.distinct.append(False)

    def add(self, text, function, *args, distinct=False) -> None:
        """Take a step, and what brings its numbers near to 1."""
        tensor = function(*(self.tensors[k] for k in args))
        if not isinstance(tensor, Tensor) or tensor.elements > MOST or tensor.ndim > 4:
            return
        with np.errstate(all="ignore"):
            array = np.asarray(function(*(self.arrays[k] for k in args)))
        assert np.isfinite(array).all(), (text, self.made)
        if np.abs(array).max() > 4:
            inner, scale = function, float(3 / np.abs(array).max())
            function = lambda *xs: ops.multiply(scale, inner(*xs))  # noqa: E731
            text = f"{scale:.3g} {text}"
            tensor = function(*(self.tensors[k] for k in args))
            array = scale * array
        self.made.steps.append(Step(text, function, args))
        self.tensors.append(tensor)
        self.arrays.append(array)
        self.distinct.append(distinct)

    def one(self, wanted=lambda t: True) -> int | None:
        """Choose a value, the later ones more often."""
        found = [k for k, t in enumerate(self.tensors) if wanted(t)]
        if not found:
            return None
        chances = np.arange(1, len(found) + 1.0)
        return int(self.rng.choice(found, p=chances / chances.sum()))

    def pick(self, table):
        name = str(self.rng.choice(list(table)))
        return name, table[name]

    def pair(self, distinct=False) -> tuple[int, int] | None:
        """Choose two values that fit each other."""
        for _ in range(20):
            a, b = self.one(), self.one()
            try:
                broadcast(self.tensors[a], self.tensors[b])
            except ValueError:
                continue
            both = self.distinct[a] and self.distinct[b] and a != b
            if both or not distinct:
                return a, b
        return None

    # --- kinds of steps ------------------------------------------------------------------

    def smooth(self) -> None:
        name, function = self.pick(SMOOTH)
        a = self.one()
        same = name in ("tanh", "sigmoid", "softplus", "erf", "negative")
        self.add(name, function, a, distinct=self.distinct[a] and same)

    def kinked(self) -> None:
        self.add(*self.pick(KINKED), self.one())

    def flat(self) -> None:
        self.add(*self.pick(FLAT), self.one())

    def binary(self) -> None:
        pair = self.pair()
        if pair:
            name, function = self.pick(BINARY)
            shapes = [self.tensors[k].shape for k in pair]
            full = broadcast(*(self.tensors[k] for k in pair))[0]
            distinct = pair[0] != pair[1] and name in ("add", "arithmetic") and any(
                self.distinct[k] and s == full for k, s in zip(pair, shapes, strict=True)
            )  # fmt: skip
            self.add(name, function, *pair, distinct=distinct)

    def extreme(self) -> None:
        pair = self.pair(distinct=True)
        if pair:
            name, function = self.pick({"maximum": ops.maximum, "minimum": ops.minimum})
            self.add(name, function, *pair)

    def choose(self) -> None:
        pair = self.pair()
        if pair:
            c = self.one()
            try:
                broadcast(*(self.tensors[k] for k in (*pair, c)))
            except ValueError:
                return
            self.add("where", lambda c, a, b: ops.where(ops.greater(c, 0.2171), a, b), c, *pair)

    def reduction(self) -> None:
        a = self.one(lambda t: t.ndim > 0)
        x = self.tensors[a]
        axes = tuple(k for k in range(x.ndim) if self.rng.random() < 0.5)
        axes = axes or (int(self.rng.integers(x.ndim)),)
        keepdims = bool(self.rng.random() < 0.5)
        table = {
            "sum": ops.sum,
            "mean": ops.mean,
            "var": ops.var,
            "logsumexp": ops.logsumexp,
            "log(sum(exp))": lambda a, axis, keepdims: ops.log(ops.sum(ops.exp(a), axis, keepdims)),
            "distance": lambda a, axis, keepdims: (
                (a - ops.mean(a, axis, keepdims=True))
                / ops.sqrt(1.0 + ops.sum(ops.square(a), axis, keepdims=True))
            ),
            "exp / sum(exp)": lambda a, axis, keepdims: (
                ops.exp(a) / ops.sum(ops.exp(a), axis, keepdims=True)
            ),
            "norm": lambda a, axis, keepdims: ops.sqrt(
                0.3 + ops.sum(ops.square(a), axis, keepdims)
            ),
        }
        if self.distinct[a]:
            table |= {"max": ops.max, "min": ops.min}
        small = 0.01 if x.batched and 0 in axes else 0.1
        table["prod"] = lambda a, axis, keepdims: ops.prod(
            1.0 + small * ops.tanh(a), axis, keepdims
        )
        name, function = self.pick(table)
        self.add(
            f"{name} over {axes}{' keeping them' * keepdims}",
            lambda a: function(a, axes, keepdims=keepdims),
            a,
            distinct=self.distinct[a],
        )

    def argument(self) -> None:
        a = self.one(lambda t: t.ndim > t.batched)
        if self.distinct[a]:
            x = self.tensors[a]
            axis = int(self.rng.integers(x.batched, x.ndim))
            self.add(f"argmax {axis}", lambda a: 0.5 * ops.argmax(a, axis), a)

    def reshape(self) -> None:
        a = self.one(lambda t: t.ndim > 0)
        x = self.tensors[a]
        inner = x.elements
        factors = [d for d in range(1, inner + 1) if inner % d == 0]
        first = int(self.rng.choice(factors))
        rest = [d for d in factors if inner // first % d == 0]
        second = int(self.rng.choice(rest))
        shape = [(-1, first), (-1, first, second), (-1,), (-1, inner)][self.rng.integers(4)]
        self.add(f"reshape {shape}", lambda a: ops.reshape(a, shape), a, distinct=self.distinct[a])

    def axes(self) -> None:
        a = self.one(lambda t: t.ndim > t.batched)
        x = self.tensors[a]
        first = int(x.batched)
        kind = self.rng.integers(4)
        if kind == 0:
            axis = int(self.rng.integers(first, x.ndim + 1))
            text, function = f"expand_dims {axis}", lambda a: ops.expand_dims(a, axis)
        elif kind == 1 and 1 in x.shape[first:]:
            axis = x.shape.index(1, first)
            text, function = f"squeeze {axis}", lambda a: ops.squeeze(a, axis)
        else:
            order = [*range(first), *(int(k) for k in self.rng.permutation(range(first, x.ndim)))]
            text, function = f"transpose {order}", lambda a: ops.transpose(a, order)
        self.add(text, function, a, distinct=self.distinct[a])

    def cut(self) -> None:
        a = self.one(lambda t: t.ndim > t.batched)
        x = self.tensors[a]
        axis = int(self.rng.integers(x.batched, x.ndim))
        length = x.shape[axis]
        start, stop = sorted(self.rng.integers(0, length + 1, 2))
        step = int(self.rng.choice([1, 1, 2, -1, -2]))
        part = slice(int(start), int(stop), step)
        if step < 0:
            part = slice(int(stop), None if start == 0 else int(start), step)
        if len(range(*part.indices(length))) == 0:
            part = int(self.rng.integers(length))
        key = (slice(None),) * axis + (part,)
        self.add(f"[{key}]", lambda a: ops.get_item(a, key), a, distinct=self.distinct[a])

    def join(self) -> None:
        a = self.one(lambda t: t.ndim > t.batched)
        x = self.tensors[a]
        axis = int(self.rng.integers(x.batched, x.ndim))

        def fits(t):
            return (
                t.ndim == x.ndim and t.batched <= x.batched and (t.fold == x.fold or not t.batched)
                and all(k == axis or d == e or (k == 0 and d == 1 and e is None)
                        for k, (d, e) in enumerate(zip(t.shape, x.shape, strict=True)))
            )  # fmt: skip

        others = [self.one(fits) for _ in range(self.rng.integers(1, 3))]
        self.add(f"concatenate {axis}", lambda *xs: _join(xs, axis), a, *others)

    def move(self) -> None:
        a = self.one(lambda t: t.ndim > t.batched)
        x = self.tensors[a]
        axis = int(self.rng.integers(x.batched, x.ndim))
        length = x.shape[axis]
        widths = [(0, 0)] * x.ndim
        widths[axis] = (1, 2)
        indices = [int(k) for k in self.rng.integers(0, length, 3)]
        once = [1] * x.ndim
        once[axis] = 2
        name, function = self.pick({
            "flip": lambda a: ops.flip(a, axis),
            "roll": lambda a: ops.roll(a, 1, axis),
            "repeat": lambda a: ops.repeat(a, 2, axis),
            "tile": lambda a: ops.tile(a, once),
            "pad": lambda a: ops.pad(a, widths, constant_values=0.25),
            f"take {indices} of": lambda a: ops.take(a, indices, axis),
            "stack": lambda a: ops.stack([a, 0.5 * a], axis),
            "softmax": lambda a: ops.softmax(a, axis),
            "log_softmax": lambda a: ops.log_softmax(a, axis),
        })  # fmt: skip
        if name == "stack" and axis == 0 and x.batched:
            return
        self.add(f"{name} {axis}", function, a)

    def product(self) -> None:
        a = self.one(lambda t: t.ndim >= 2 and (t.batched or t.ndim == 2))
        x = self.tensors[a]
        if x.ndim >= 3 and self.rng.random() < 0.6:
            rest = list(range(x.ndim - 2))
            self.add("x @ x.T", lambda a: 0.3 * ops.matmul(
                a, ops.transpose(a, (*rest, a.ndim - 1, a.ndim - 2))), a)  # fmt: skip
            return
        matrix = self.rng.uniform(-1, 1, (x.shape[-1], 2))
        self.add("@ matrix", lambda a: ops.matmul(a, matrix), a)


def _join(xs, axis):
    if not holds_tensor(xs):
        xs = [np.asarray(x) for x in xs]
        rows = max(len(x) for x in xs)
        xs = [np.broadcast_to(x, (rows, *x.shape[1:])) if axis else x for x in xs]
    return ops.concatenate(list(xs), axis)


KINDS, CHANCES = zip(
    ("smooth", 5), ("kinked", 1), ("flat", 1), ("binary", 5), ("extreme", 1), ("choose", 1),
    ("reduction", 4), ("argument", 0.3), ("reshape", 1.5), ("axes", 1.5), ("cut", 1), ("join", 1),
    ("move", 2), ("product", 0.7), strict=True,
)  # fmt: skip
CHANCES = [c / math.fsum(CHANCES) for c in CHANCES]


def operands(n: int, seed: int = 0, dtype: str = "float64", samples=SAMPLES) -> list[np.ndarray]:
    """Return n rows of every operand."""
    rng = np.random.default_rng(seed + 10_000)
    return [rng.uniform(-1.5, 1.5, (n, *sample)).astype(dtype) for sample in samples]


def expression(seed: int, dtype: str = "float64", samples=SAMPLES) -> Expression:
    """Return the expression of a seed; its variables are of the given type."""
    from fastnn.ops.operation import INPUT

    counter = itertools.count()

    def leaf(sample):
        source = {"source": ("tensor", next(counter))}
        return Tensor(INPUT, (), source, (None, *sample), 1, "float64")

    return Maker(seed, leaf, 4 + seed % 14, dtype, samples).made


def function_of(seed: int, by_row: bool):
    """Return a random function of targets and predictions of any shape: a loss, or a metric."""
    made = expression(seed)
    from_targets = np.random.default_rng(seed).random(len(SAMPLES)) < 0.2

    def function(y_true, y_pred):
        operands = []
        for sample, target in zip(SAMPLES, from_targets, strict=True):
            y = y_true if target else y_pred
            flat = ops.reshape(y, (-1, math.prod(y.shape[1:])))
            count = math.prod(sample)
            flat = ops.concatenate([flat] * -(-count // flat.shape[1]), axis=1)[:, :count]
            spread = flat * (1.0 + 0.1 * np.arange(count)) if count > 1 else flat
            operands.append(ops.tanh(ops.reshape(spread, (-1, *sample))))
        inner = tuple(range(1, y_pred.ndim))
        error = ops.square(y_true - y_pred)
        total = 0.1 * (ops.mean(error, axis=inner) if by_row else ops.mean(error))
        for y in made(*operands):
            if by_row and isinstance(y, Tensor) and y.batched and y.fold == 1:
                total = total + ops.mean(y, axis=tuple(range(1, y.ndim)))
            else:
                total = total + ops.mean(y)
        return total

    function.__name__ = f"random_{seed}"
    return function
