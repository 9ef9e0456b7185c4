"""Random numbers, with the names of ``keras.random``.

They are arrays, drawn when a function is called: for data, weights and experiments. In the `call`
of a layer `normal`, `uniform` and `dropout` draw others in each step. In a loss or a metric, which
is traced once, a call would give the same constants in every step.

Without a seed they come from `config.rng`, which `config.set_random_seed` makes repeatable. A whole
number as the seed gives the same numbers in every call; a `SeedGenerator` others in each, in an
order that repeats itself.

Examples
--------
>>> from fastnn import random
>>> random.uniform((2, 3)).shape
(2, 3)
>>> bool((random.normal((4,), seed=1) == random.normal((4,), seed=1)).all())
True
"""

from __future__ import annotations

import functools
import itertools
import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, ops
from fastnn.missing import explain_missing
from fastnn.ops.arrays import standardize_dtype
from fastnn.ops.operation import Op, as_ndarray, holds_tensor
from fastnn.ops.tensor import NotTraceable, Tensor, where
from fastnn.variable import is_tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "SeedGenerator", "beta", "binomial", "categorical", "dropout", "gamma", "normal", "randint",
    "shuffle", "truncated_normal", "uniform",
]  # fmt: skip


class SeedGenerator:
    """A seed for many draws: the same row of different numbers each time a program runs.

    Parameters
    ----------
    seed : int, optional
        From 0; without one it is drawn from `config.rng`.
    name : str, optional

    Examples
    --------
    >>> from fastnn import random
    >>> seed = random.SeedGenerator(3)
    >>> first, second = random.uniform((2,), seed=seed), random.uniform((2,), seed=seed)
    >>> bool((first == second).any())
    False
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        kwargs.pop("backend", None)
        if kwargs:
            raise TypeError(f"SeedGenerator: got an unexpected argument {next(iter(kwargs))!r}")
        self.name = name or config.unique_name("seed_generator")
        self._given = None if seed is None else _checked(seed)
        self._seed = self._given
        self.state = 0

    @property
    def seed(self) -> int:
        """The seed; without one given, drawn when it is first needed."""
        if self._seed is None:
            self._seed = config.next_seed()
        return self._seed

    def next(self, ordered: bool = True) -> np.ndarray:
        """Return the seed of the next draw: two whole numbers."""
        self.state += 1
        return np.array([self.seed, self.state - 1], np.uint64)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal generator."""
        return {"seed": self._given, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Make a generator from what `get_config` returned."""
        return cls(**config)


def _checked(seed: Any) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed: expected an integer from 0, got {seed!r}")
    return int(seed)


def _generator(seed: Any) -> np.random.Generator:
    if seed is None:
        return config.rng()
    if isinstance(seed, SeedGenerator):
        return np.random.default_rng(seed.next())
    return np.random.default_rng(_checked(seed))


def _of_arrays(function: Callable[..., Any]) -> Any:
    """Mark a function that draws for arrays: on tensors it raises NotTraceable."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if holds_tensor([*args, *kwargs.values()]):
            raise _not_drawn(function.__name__)
        return function(*args, **kwargs)

    return call


def _not_drawn(name: str) -> NotTraceable:
    if _streams.get() is None:
        return NotTraceable(
            f"{where()}random.{name} draws numbers for arrays: in losses and metrics, which are "
            "traced once, there are none; draw them in a layer, or before fit"
        )
    return NotTraceable(
        f"{where()}random.{name} draws numbers for arrays: in the call of a layer use "
        "random.normal(ops.shape(x)), random.uniform(ops.shape(x)) or random.dropout(x, rate)"
    )


# --- in the trace of a model -----------------------------------------------------------------

_streams: ContextVar[Iterator[int] | None] = ContextVar("streams", default=None)


@contextmanager
def streams() -> Iterator[None]:
    """Let layers draw random numbers within: each time they ask from another stream of words."""
    token = _streams.set(itertools.count())
    try:
        yield
    finally:
        _streams.reset(token)


def _stream() -> int:
    found = _streams.get()
    assert found is not None
    return next(found)


def _drawn(name: str, shape: Any) -> Tensor:
    """Return random numbers between 0 and 1 for each row of the batch."""
    if _streams.get() is None:
        raise _not_drawn(name)
    lengths = tuple(shape)
    first, rest = lengths[0], lengths[1:]
    if not isinstance(first, Tensor) or first.op.name != "rows" or holds_tensor(rest):
        raise NotTraceable(
            f"{where()}random numbers in a layer: their first length must be that of the batch, as "
            f"in random.{name}(ops.shape(x))"
        )
    sample = tuple(int(d) for d in rest)
    return Tensor(_RANDOM, (), {"stream": _stream()}, (None, *sample), 1, first.dtype)


def _no_numpy(*args: Any, **attrs: Any) -> Any:
    raise NotImplementedError("the engines draw")


_RANDOM = Op("random", _no_numpy, lambda: ((), 1), None)
"""Random numbers between 0 and 1; attrs: stream."""

_DROPOUT: Op = Op(
    "dropout",
    lambda x, **attrs: x,
    lambda x, **attrs: (x.shape, x.fold),
    lambda g, y, x, **attrs: (_DROPOUT(g, **attrs),),
)
"""Inverted dropout; attrs: rate, stream. The engines draw for it."""


def _lengths(shape: Any) -> tuple[int, ...]:
    return tuple(int(d) for d in shape) if isinstance(shape, (tuple, list)) else (int(shape),)


def _below(values: np.ndarray, high: Any) -> np.ndarray:
    """Return values less than `high`, which rounding may have reached."""
    high = np.asarray(high, values.dtype)
    return np.where(values >= high, np.nextafter(high, high.dtype.type(-np.inf)), values)


def uniform(
    shape: Any, minval: Any = 0.0, maxval: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return numbers evenly distributed from minval to below maxval; whole ones if dtype is.

    In a layer, with a shape such as ``ops.shape(x)``, other ones in each step of a training; see
    `normal`.
    """
    if holds_tensor((shape,)):
        return ops.add(minval, ops.multiply(ops.subtract(maxval, minval), _drawn("uniform", shape)))
    if holds_tensor((minval, maxval)):
        raise _not_drawn("uniform")
    name = standardize_dtype(dtype)
    low, high = as_ndarray(minval), as_ndarray(maxval)
    if "int" in name:
        return randint(shape, low, high, name, seed)
    values = _generator(seed).uniform(low, high, _lengths(shape)).astype(name)
    return _below(values, high)


def normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Return normally distributed numbers.

    In a layer, with a shape such as ``ops.shape(x)``, other ones in each step of a training: they
    are a function of the model's seed, the step, and the place in the model. Outside of trainings
    each row of the data has its own.

    Notes
    -----
    In a layer: Box and Muller, "A note on the generation of random normal deviates", 1958.
    """
    if holds_tensor((shape,)):
        radius = ops.sqrt(ops.multiply(-2.0, ops.log(_drawn("normal", shape))))
        values = ops.multiply(radius, ops.cos(ops.multiply(2 * math.pi, _drawn("normal", shape))))
        return ops.add(mean, ops.multiply(stddev, values))
    if holds_tensor((mean, stddev)):
        raise _not_drawn("normal")
    values = _generator(seed).standard_normal(_lengths(shape))
    return (as_ndarray(mean) + as_ndarray(stddev) * values).astype(standardize_dtype(dtype))


@_of_arrays
def truncated_normal(
    shape: Any, mean: Any = 0.0, stddev: Any = 1.0, dtype: Any = None, seed: Any = None
) -> np.ndarray:
    """Return normally distributed numbers, those beyond two standard deviations drawn again."""
    generator = _generator(seed)
    values = generator.standard_normal(_lengths(shape))
    while True:
        beyond = np.abs(values) > 2
        if not beyond.any():
            break
        values[beyond] = generator.standard_normal(int(beyond.sum()))
    return (as_ndarray(mean) + as_ndarray(stddev) * values).astype(standardize_dtype(dtype))


@_of_arrays
def randint(
    shape: Any, minval: Any, maxval: Any, dtype: Any = "int32", seed: Any = None
) -> np.ndarray:
    """Return whole numbers, all equally probable, from minval to below maxval."""
    low, high = as_ndarray(minval), as_ndarray(maxval)
    values = _generator(seed).integers(low, high, _lengths(shape))
    return np.asarray(values).astype(standardize_dtype(dtype))


@_of_arrays
def categorical(
    logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None
) -> np.ndarray:
    """Return so many classes for each row of logits, drawn with the probabilities of softmax."""
    logits = as_ndarray(logits)
    if logits.ndim != 2:
        raise ValueError(f"categorical: expected logits (batch, classes), got {logits.shape}")
    # the largest of logits with Gumbel's noise is of class k with the probability of softmax
    noise = _generator(seed).gumbel(size=(len(logits), int(num_samples), logits.shape[1]))
    return np.argmax(logits[:, None, :] + noise, axis=-1).astype(standardize_dtype(dtype))


@_of_arrays
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> np.ndarray:
    """Return numbers of the gamma distribution with scale 1."""
    values = _generator(seed).standard_gamma(as_ndarray(alpha), _lengths(shape))
    return np.asarray(values).astype(standardize_dtype(dtype))


@_of_arrays
def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> np.ndarray:
    """Return numbers of the beta distribution."""
    values = _generator(seed).beta(as_ndarray(alpha), as_ndarray(beta), _lengths(shape))
    return np.asarray(values).astype(standardize_dtype(dtype))


@_of_arrays
def binomial(
    shape: Any, counts: Any, probabilities: Any, dtype: Any = None, seed: Any = None
) -> np.ndarray:
    """Return how often each of so many trials succeeds, with the given probabilities."""
    counts = as_ndarray(counts).astype(np.int64)
    values = _generator(seed).binomial(counts, as_ndarray(probabilities), _lengths(shape))
    return np.asarray(values).astype(standardize_dtype(dtype))


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Return inputs of which a share `rate` is 0, and the others divided by 1 - rate.

    Parameters
    ----------
    noise_shape : tuple, optional
        What is drawn, and broadcast to the inputs; None in it is a length of theirs.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"dropout: expected a rate from 0 to 1, got {rate!r}")
    if isinstance(inputs, Tensor) or is_tracing():
        return _dropped(inputs, float(rate), noise_shape)
    x = as_ndarray(inputs)
    x = x if x.dtype.kind == "f" else x.astype(config.floatx())
    if rate == 0:
        return x.copy()
    shape = x.shape
    if noise_shape is not None:
        shape = tuple(n if d is None else int(d) for d, n in zip(noise_shape, shape, strict=True))
    kept = _generator(seed).random(shape) >= rate
    return np.where(kept, x / x.dtype.type(max(1 - rate, 1e-30)), x.dtype.type(0))


def _dropped(inputs: Any, rate: float, noise_shape: Any) -> Any:
    if _streams.get() is None:
        raise _not_drawn("dropout")
    if not isinstance(inputs, Tensor) or not inputs.batched or inputs.fold != 1:
        raise NotTraceable(
            f"{where()}random.dropout in a layer drops elements of tensors of the batch, (n, ...): "
            "of weights it drops none"
        )
    if rate == 0:
        return inputs
    if noise_shape is None:
        return _DROPOUT(inputs, rate=rate, stream=_stream())
    rows, *lengths = ops.shape(inputs)
    first, *rest = noise_shape
    if len(rest) != len(lengths) or not (first is None or isinstance(first, Tensor)):
        raise NotTraceable(
            f"{where()}random.dropout: in a layer noise_shape has {inputs.ndim} lengths, and "
            f"begins with None, for the batch; got {noise_shape}"
        )
    shape = [n if d is None else int(d) for d, n in zip(rest, lengths, strict=True)]
    kept = ops.greater_equal(_drawn("dropout", (rows, *shape)), rate)
    return ops.where(kept, ops.divide(inputs, max(1 - rate, 1e-30)), 0.0)


@_of_arrays
def shuffle(x: Any, axis: int = 0, seed: Any = None) -> np.ndarray:
    """Return x in another order along an axis: slices stay whole."""
    return _generator(seed).permutation(as_ndarray(x), axis=axis)


explain_missing(__name__)
