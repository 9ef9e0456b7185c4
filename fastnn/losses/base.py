"""Loss: what all losses share, and the base class of your own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, ops
from fastnn.graph import differs, note_change
from fastnn.ops.operation import holds_tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


class Loss:
    """Base of all losses; subclass it to write your own.

    A subclass gives `call` (one value per row), in functions of `fastnn.ops` or NumPy. It is called
    once, with tensors in the place of arrays: what it records is differentiated and compiled.
    Where that cannot be, a method ``gradient(y_true, y_pred)`` states the derivative of each row's
    value by that row of `y_pred`, in its shape; it is used in the place of the derived one, and
    checked by differences when it is first trained, unless ``gradient_is_exact = False`` says that
    it is meant to be another.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case.
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none"}
        How the values of a batch become one number: the sum of weight x value, divided by the
        number of values (the first two), not divided, or divided by the sum of weights; "none"
        leaves the values as they are (not for training).
    dtype : optional
        Accepted for Keras's sake; the model's number type is used.

    Examples
    --------
    >>> import numpy as np
    >>> class Quartic(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return np.mean((y_pred - y_true) ** 4, axis=-1)
    >>> Quartic()([[0.0]], [[2.0]])
    16.0
    """

    gradient_is_exact = True
    """Whether a stated `gradient` is the derivative of `call`, which `fit` then checks; False: one
    of your own making."""

    _gradient_checked = False
    _is_traced = False  # a program may hold what `call` has recorded

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        reduction = "none" if reduction is None else reduction
        if reduction not in REDUCTIONS:
            raise ValueError(
                f"{type(self).__name__}: expected reduction to be one of {list(REDUCTIONS)}, got "
                f"{reduction!r}"
            )
        self.name = name or config.snake_case(type(self).__name__)
        self.reduction = reduction
        self.dtype = config.floatx() if dtype is None else config.float_type(dtype)

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_traced and not name.startswith("_") and differs(self, name, value):
            note_change()  # programs are made anew
        object.__setattr__(self, name, value)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one value per row of `y_pred` (its last axis is reduced).

        y of shape (n,) comes as (n, 1) if that is the shape of the predictions.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has no call(y_true, y_pred): return one value per row"
        )

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        """Return the derivative of each row's value by that row of `y_pred`, in its shape.

        Only for losses that cannot be traced, or are to learn from another slope than their own.
        """
        raise NotImplementedError(f"{type(self).__name__} states no gradient: it is derived")

    @property
    def reduces_itself(self) -> bool:
        """Whether a subclass has overridden what makes one number of the rows' values."""
        return type(self).__call__ is not Loss.__call__

    @property
    def states_gradient(self) -> bool:
        """Whether the loss has a `gradient` of its own."""
        return getattr(self.gradient, "__func__", None) is not Loss.gradient

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Any:
        """Return the loss of a batch.

        Parameters
        ----------
        y_true, y_pred : array_like
            Of equal shapes; for sparse labels y_true lacks the last axis. The last axis of
            length 1 may be missing in one of them.
        sample_weight : array_like, optional
            One weight per sample or per value.

        Returns
        -------
        float, or ndarray for ``reduction="none"``
        """
        if holds_tensor((y_true, y_pred, sample_weight)):
            return self._reduced(y_true, y_pred, sample_weight)
        t, p = fitted(kind_of(self), y_true, y_pred)
        values = np.asarray(self.call(t, p))
        weights = np.ones_like(values)
        if sample_weight is not None:
            weights = spread(sample_weight, values)
        if self.reduction == "none":
            return values * weights
        total = np.sum(values * weights, dtype=np.float64)
        if self.reduction == "sum":
            return float(total)
        if self.reduction == "mean_with_sample_weight":
            weight = np.sum(weights, dtype=np.float64)
            return float(total / weight) if weight else 0.0
        return float(total / max(values.size, 1))

    def _reduced(self, y_true: Any, y_pred: Any, sample_weight: Any) -> Any:
        """The same for tensors, where a loss is a part of another."""
        values = self.call(y_true, y_pred)
        weights = None
        if sample_weight is not None:
            weights = ops.convert_to_tensor(sample_weight)
            while ops.ndim(weights) < ops.ndim(values):
                weights = ops.expand_dims(weights, -1)
            values = ops.multiply(values, weights)
        if self.reduction == "none":
            return values
        if self.reduction == "sum":
            return ops.sum(values)
        if self.reduction == "mean_with_sample_weight" and weights is not None:
            return ops.divide_no_nan(ops.sum(values), ops.sum(weights))
        return ops.mean(values)

    def rows(
        self, y_true: np.ndarray, y_pred: np.ndarray, *, gradients: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the values of a batch as a vector, and the gradient in y_pred's shape or None.

        For the engines, which call it for losses that are not traced. A loss that gives one value
        for the whole batch is taken as the mean over its samples.
        """
        n = len(y_pred)
        values = np.asarray(
            returned(f"Loss '{self.name}': call(y_true, y_pred)", self.call(y_true, y_pred)),
            dtype=y_pred.dtype,
        )
        slopes = None
        if gradients:
            who = f"Loss '{self.name}': gradient(y_true, y_pred)"
            slopes = np.asarray(returned(who, self.gradient(y_true, y_pred)))
        if slopes is not None and slopes.shape != y_pred.shape:
            raise ValueError(
                f"Loss '{self.name}': gradient(y_true, y_pred) must have y_pred's shape "
                f"{y_pred.shape}, got {slopes.shape}"
            )
        if values.ndim == 0:
            return np.full(n, values), None if slopes is None else slopes * n
        if values.shape[0] != n or y_pred.size % values.size:
            raise ValueError(
                f"Loss '{self.name}': call(y_true, y_pred) must give one value per row, an array "
                f"of shape {y_pred.shape[:-1]}, got {values.shape}"
            )
        return values.reshape(-1), slopes

    def check_gradient(self, y_true: np.ndarray, y_pred: np.ndarray) -> None:
        """Compare a stated `gradient` with differences of `call`, once.

        Parameters
        ----------
        y_true, y_pred : ndarray of float64
            A few rows of targets and predictions.

        Raises
        ------
        ValueError
            If it is another derivative along every direction that is tried.
        """
        if self._gradient_checked or not self.states_gradient or not self.gradient_is_exact:
            return
        n = len(y_pred)
        with np.errstate(all="ignore"):  # a step may leave the domain of a logarithm
            slopes = np.asarray(self.gradient(y_true, y_pred), np.float64)
            if slopes.shape != y_pred.shape:
                return  # which the engine says better
            rng = np.random.default_rng(0)
            found = [
                self._rise(y_true, y_pred, slopes, along)
                for along in (slopes, rng.standard_normal(y_pred.shape), np.ones(y_pred.shape))
            ]
        found = [pair for pair in found if np.isfinite(pair).all() and max(map(abs, pair)) > 1e-8]
        if not found:
            return

        def differ(factor: float) -> bool:
            return all(
                abs(factor * rise - stated) > 0.02 * (abs(factor * rise) + abs(stated))
                for rise, stated in found
            )

        if differ(1.0):
            rise, stated = found[0]
            if np.ndim(self.call(y_true, y_pred)) == 0 and n > 1 and not differ(n):
                raise ValueError(
                    f"Loss '{self.name}': call(y_true, y_pred) gives one number for the batch, and "
                    f"gradient is {n} times its derivative, as if each of the {n} rows had a value "
                    "of its own: return one value per row, as np.mean(..., axis=-1) does, or "
                    "divide the gradient by len(y_pred)"
                )
            raise ValueError(
                f"Loss '{self.name}': gradient(y_true, y_pred) is not the derivative of "
                f"call(y_true, y_pred): along itself it says {stated:.6g}, differences say "
                f"{rise:.6g}. Leave it out if call is written in fastnn.ops or NumPy, which is "
                "differentiated; or set gradient_is_exact = False if another slope is meant"
            )
        self._gradient_checked = True

    def _rise(
        self, t: np.ndarray, p: np.ndarray, slopes: np.ndarray, along: np.ndarray
    ) -> tuple[float, float]:
        """Return what differences and what the gradient say of a step along a direction."""
        size = float(np.abs(along).max(initial=0.0))
        if not 0 < size < math.inf:
            return 0.0, 0.0
        along, h = along / size, 1e-5
        ahead, behind = (
            float(np.sum(self.call(t, p + sign * h * along), dtype=np.float64)) for sign in (1, -1)
        )
        return (ahead - behind) / (2 * h), float((slopes * along).sum())

    @property
    def engine_reduction(self) -> str:
        """The reduction in the engines' terms; raises ValueError for "none"."""
        if self.reduction == "none":
            raise ValueError(
                f"Loss '{self.name}' has reduction='none', training needs one number: use "
                "reduction='sum_over_batch_size'"
            )
        return "sum_over_batch_size" if self.reduction == "mean" else self.reduction

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal loss."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Make a loss from `get_config`'s result."""
        return cls(**config)


class FunctionLoss(Loss):
    """A function ``f(y_true, y_pred)`` as a loss; ``f.gradient`` may state its derivative."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(name or name_of(function))
        self.function = function
        self.gradient_is_exact = getattr(function, "gradient_is_exact", True)

    def call(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return self.function(y_true, y_pred)

    def gradient(self, y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
        return self.function.gradient(y_true, y_pred)  # type: ignore[attr-defined]

    @property
    def states_gradient(self) -> bool:
        return getattr(self.function, "gradient", None) is not None


class RowLoss(Loss):
    """A built-in loss: a function of this package that gives one value for each row.

    Classes are made of such functions by `registry.loss`.
    """

    function: Any  # (y_true, y_pred, **options)
    options: dict[str, Any]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return type(self).function(y_true, y_pred, **self.options)

    @property
    def _kind(self) -> str:
        if type(self).call is not RowLoss.call:
            return ""
        logits = "_logits" if self.options.get("from_logits") else ""
        return type(self).function.__name__ + logits

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


def kind_of(term: Any) -> str:
    """Return the name of the built-in function that a loss or metric is, "" of one of one's own.

    With ``_logits`` behind it where predictions are logits. Only advice and checks go by it, never
    what is computed.
    """
    return getattr(term, "_kind", "")


# --- what a function of the user's returns ---------------------------------------------------


def name_of(function: Any) -> str:
    """Return what a function is called in logs."""
    name = getattr(function, "__name__", type(function).__name__)
    return "lambda" if name == "<lambda>" else name


def returned(who: str, value: Any) -> Any:
    """Return what a function has returned; raise TypeError if that is no number or array."""
    if value is None:
        raise TypeError(f"{who} returned None: end it with return and its result")
    if callable(value) and not hasattr(value, "shape"):
        raise TypeError(
            f"{who} returned a function: if it makes losses or metrics, call it in compile"
        )
    if isinstance(value, (dict, list, tuple)):
        raise TypeError(f"{who} returned a {type(value).__name__}: return one value, as their sum")
    return value


# --- shapes, for losses and metrics ----------------------------------------------------------


def fitted(kind: str, y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float arrays whose shapes fit each other; raise ValueError if they do not.

    An axis of length 1 at the end may be missing or too much, nothing else; what is written in
    Python may want other shapes for purposes of its own.
    """
    p = np.asarray(y_pred)
    if p.dtype not in (np.float32, np.float64):
        p = p.astype(config.floatx())
    t = np.asarray(y_true)
    if not kind:
        return aligned(t, p).astype(p.dtype), p
    sparse = kind.startswith("sparse_")
    expected = p.shape[:-1] if sparse else p.shape
    if t.shape not in (expected, (*expected, 1)) and (*t.shape, 1) != expected:
        raise ValueError(
            f"{kind}: predictions have shape {p.shape}, so y_true must have shape {expected}, got "
            f"{t.shape}"
        )
    t = t.reshape(expected)
    classes = p.shape[-1] if p.ndim else 1
    if sparse and t.size and not (t.min() >= 0 and t.max() < classes):
        raise ValueError(
            f"{kind}: labels must be from 0 to {classes - 1}, the predictions have {classes} "
            f"classes; got labels from {t.min()} to {t.max()}"
        )
    return t.astype(p.dtype), p


def aligned(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Return t in p's shape if they differ only by a last axis of 1, else as it is.

    (n,) and (n, 1) would broadcast to (n, n), whose mean looks like a loss and is none.
    """
    return t.reshape(p.shape) if (*t.shape, 1) == p.shape or t.shape == (*p.shape, 1) else t


def spread(sample_weight: ArrayLike, values: np.ndarray) -> np.ndarray:
    """Return one weight for each value, of weights per sample or per value."""
    w = np.asarray(sample_weight, dtype=values.dtype)
    if w.ndim == values.ndim + 1 and w.shape[-1] == 1:
        w = w[..., 0]
    if w.shape != values.shape[: w.ndim]:
        raise ValueError(
            f"sample_weight: expected shape {values.shape[:1]} or {values.shape}, got {w.shape}"
        )
    return np.broadcast_to(w.reshape(w.shape + (1,) * (values.ndim - w.ndim)), values.shape)
