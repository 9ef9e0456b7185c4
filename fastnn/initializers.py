"""Initializers: the first values of weights.

An initializer is called with a shape and a number type. With a seed, the same instance gives the
same numbers at every call; without one it draws from `config.rng`, which
`config.set_random_seed` makes repeatable.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, lookup
from fastnn.missing import explain_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Initializer:
    """Base of all initializers; one of your own needs ``__call__(self, shape, dtype=None)``."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        raise NotImplementedError(
            f"{type(self).__name__}: write __call__(self, shape, dtype=None), returning an array"
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal initializer."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make an initializer from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.zeros(shape, dtype or config.floatx())


class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.ones(shape, dtype or config.floatx())


class Constant(Initializer):
    """One value everywhere, or a whole array.

    Parameters
    ----------
    value : float or array_like
        An array must have a shape that broadcasts to the weight's.
    """

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        value = np.asarray(self.value, dtype or config.floatx())
        try:
            return np.broadcast_to(value, tuple(shape)).copy()
        except ValueError:
            raise ValueError(
                f"Constant: a value of shape {value.shape} does not fit a weight of shape "
                f"{tuple(shape)}"
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": np.asarray(self.value).tolist()}


class Identity(Initializer):
    """The identity matrix times `gain`; for weights of rank 2.

    Parameters
    ----------
    gain : float
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(f"Identity: a weight needs rank 2, got shape {tuple(shape)}")
        rows, columns = shape
        return (self.gain * np.eye(rows, columns)).astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class RandomInitializer(Initializer):
    """Base of the random ones.

    Parameters
    ----------
    seed : int, optional
        With a seed every call gives the same numbers; None draws new ones.
    """

    def __init__(self, seed: int | None = None) -> None:
        is_seed = seed is None or (isinstance(seed, (int, np.integer)) and seed >= 0)
        if not is_seed or isinstance(seed, bool):
            raise ValueError(
                f"{type(self).__name__}: seed must be None or an integer from 0, got {seed!r}"
            )
        self.seed = None if seed is None else int(seed)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        config = dict(config)
        if isinstance(config.get("seed"), dict):  # Keras's SeedGenerator
            config["seed"] = config["seed"].get("config", {}).get("seed")
        return cls(**config)

    def _generator(self) -> np.random.Generator:
        return config.rng() if self.seed is None else np.random.default_rng(self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class RandomNormal(RandomInitializer):
    """Normal distribution.

    Parameters
    ----------
    mean, stddev : float
    seed : int, optional
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        drawn = self._generator().standard_normal(tuple(shape))
        return (self.mean + self.stddev * drawn).astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, **super().get_config()}


class TruncatedNormal(RandomNormal):
    """Normal distribution without the values more than two `stddev` from the mean."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        drawn = _truncated(self._generator(), shape)
        return (self.mean + self.stddev * drawn).astype(dtype or config.floatx())


class RandomUniform(RandomInitializer):
    """Uniform distribution on [minval, maxval).

    Parameters
    ----------
    minval, maxval : float
    seed : int, optional
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        drawn = self._generator().random(tuple(shape))
        drawn = self.minval + (self.maxval - self.minval) * drawn
        return drawn.astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, **super().get_config()}


class VarianceScaling(RandomInitializer):
    """Random numbers of variance ``scale / n``, where n follows from the weight's shape.

    Parameters
    ----------
    scale : float
    mode : {"fan_in", "fan_out", "fan_avg"}
        n: how many inputs a unit has, how many units read an input, or their mean.
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
    seed : int, optional

    Raises
    ------
    ValueError
        For other values.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        super().__init__(seed)
        if not scale > 0:
            raise ValueError(f"{type(self).__name__}: scale must be positive, got {scale!r}")
        modes = ("fan_in", "fan_out", "fan_avg")
        if mode not in modes:
            raise ValueError(f"{type(self).__name__}: mode must be one of {modes}, got {mode!r}")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        distributions = ("truncated_normal", "untruncated_normal", "uniform")
        if distribution not in distributions:
            raise ValueError(
                f"{type(self).__name__}: distribution must be one of {distributions}, "
                f"got {distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        fan_in, fan_out = _fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        deviation = math.sqrt(self.scale / max(1.0, n))
        generator = self._generator()
        if self.distribution == "truncated_normal":
            # Cutting the tails off leaves this much of the standard deviation.
            drawn = _truncated(generator, shape) / 0.87962566103423978
        elif self.distribution == "untruncated_normal":
            drawn = generator.standard_normal(tuple(shape))
        else:
            drawn = (2 * generator.random(tuple(shape)) - 1) * math.sqrt(3)
        return (deviation * drawn).astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        own = {"scale": self.scale, "mode": self.mode, "distribution": self.distribution}
        return {**own, **super().get_config()}


class _Scaled(VarianceScaling):
    """The named members of the family: a seed is all that is left to choose."""

    _arguments: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._arguments, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform on ±sqrt(6 / (fan_in + fan_out)); the default of `Dense`.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010.
    """

    _arguments = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (fan_in + fan_out); source as `GlorotUniform`."""

    _arguments = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform on ±sqrt(6 / fan_in), for relu and its relatives.

    Source: He et al., "Delving deep into rectifiers", 2015.
    """

    _arguments = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / fan_in; source as `HeUniform`."""

    _arguments = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform on ±sqrt(3 / fan_in).

    Source: LeCun et al., "Efficient backprop", 1998.
    """

    _arguments = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / fan_in, for selu; source as `LecunUniform`."""

    _arguments = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """A random matrix with orthonormal rows or columns, times `gain`.

    Parameters
    ----------
    gain : float
    seed : int, optional

    Notes
    -----
    Weights of higher rank are seen as matrices: all axes but the last are one. Source: Saxe et
    al., "Exact solutions to the nonlinear dynamics of learning", 2013.
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: a weight needs rank 2 or more, got {tuple(shape)}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        drawn = self._generator().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(drawn)
        q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # without it the draw is not uniform
        if rows < columns:
            q = q.T
        return (self.gain * q).reshape(shape).astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, **super().get_config()}


def _truncated(generator: np.random.Generator, shape: Sequence[int]) -> np.ndarray:
    """Draw standard normal numbers between -2 and 2."""
    drawn = generator.standard_normal(tuple(shape))
    flat = drawn.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > 2)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(flat[outside]) > 2]
    return flat.reshape(tuple(shape))


def _fans(shape: Sequence[int]) -> tuple[float, float]:
    """Return (inputs of a unit, units of an input) of a weight, as Keras counts them."""
    if len(shape) == 0:
        return 1.0, 1.0
    if len(shape) == 1:
        return float(shape[0]), float(shape[0])
    field = math.prod(shape[:-2])  # of a convolution; 1 for a matrix
    return float(shape[-2] * field), float(shape[-1] * field)


# Keras's other names of the classes
zeros, ones, constant = Zeros, Ones, Constant
identity = IdentityInitializer = Identity
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling = VarianceScaling
glorot_uniform, glorot_normal = GlorotUniform, GlorotNormal
he_uniform, he_normal = HeUniform, HeNormal
lecun_uniform, lecun_normal = LecunUniform, LecunNormal
orthogonal = OrthogonalInitializer = Orthogonal

_CLASSES = (
    Zeros, Ones, Constant, Identity, RandomNormal, TruncatedNormal, RandomUniform,
    VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform,
    LecunNormal, Orthogonal,
)  # fmt: skip
_LOOKUP = lookup.Lookup(
    "initializer",
    {
        **{config.snake_case(cls.__name__): cls for cls in _CLASSES},
        **{cls.__name__: cls for cls in _CLASSES},
        "zero": Zeros,
        "one": Ones,
        "normal": RandomNormal,
        "uniform": RandomUniform,
        "eye": Identity,
        "identity_initializer": Identity,
        "orthogonal_initializer": Orthogonal,
    },
    base=Initializer,
)


def get(identifier: Any) -> Callable[..., np.ndarray]:
    """Return the initializer that `identifier` names.

    Parameters
    ----------
    identifier : str, Initializer, class, callable or dict
        ``"he_normal"`` or ``"HeNormal"``, an instance, any ``function(shape, dtype=None)``, or
        what `serialize` returned.

    Raises
    ------
    ValueError
        If there is no such initializer.

    Examples
    --------
    >>> from fastnn import initializers
    >>> initializers.get("he_normal")
    HeNormal(seed=None)
    """
    found = _LOOKUP.get(identifier)
    if callable(found):
        return found
    raise ValueError(
        f"initializer: expected a name, an instance or a function(shape, dtype), got {identifier!r}"
    )


def serialize(initializer: Any) -> Any:
    """Return an initializer as data: ``{"class_name": ..., "config": {...}}``."""
    if isinstance(initializer, Initializer):
        return lookup.serialize(initializer)
    return getattr(initializer, "__name__", type(initializer).__name__)


def deserialize(
    data: Any, custom_objects: dict[str, Any] | None = None
) -> Callable[..., np.ndarray]:
    """Return the initializer that `serialize` described; your own come from `custom_objects`."""
    return get(_LOOKUP.deserialize(data, custom_objects))


explain_missing(__name__)
