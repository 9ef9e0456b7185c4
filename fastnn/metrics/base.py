"""Metric: what all metrics share, and the base class of your own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config, ops
from fastnn.graph import differs, note_change
from fastnn.losses.base import aligned, name_of, returned, spread
from fastnn.ops.operation import holds_tensor
from fastnn.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Metric:
    """Base of all metrics; subclass it to write your own.

    A subclass defines `update_state` and `result`, and `reset_state` unless all that it remembers
    is in variables of `add_variable`. An `update_state` that adds to such variables what functions
    of `fastnn.ops` or NumPy make of a batch is traced once and compiled; any other is called with
    every batch. y of shape (n,) comes as (n, 1) if that is the shape of the predictions.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case.
    dtype : optional
        Accepted for Keras's sake; sums are float64.

    Examples
    --------
    >>> import numpy as np
    >>> class LargestError(Metric):
    ...     direction = "min"
    ...     def reset_state(self):
    ...         self.largest = 0.0
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest = max(self.largest, float(np.max(np.abs(y_pred - y_true))))
    ...     def result(self):
    ...         return self.largest
    >>> LargestError()(np.zeros(3), np.array([1.0, -4.0, 2.0]))
    4.0
    """

    direction: str | None = None
    """Whether good is large ("max") or small ("min"); None if unknown."""

    _is_traced = False  # a program may hold what `update_state` has recorded

    def __setattr__(self, name: str, value: Any) -> None:
        known = vars(self).get(name)
        if isinstance(known, Variable) and value is not known:
            raise TypeError(
                f"Metric '{self.name}': self.{name} is a variable, whose value changes by "
                f"self.{name}.assign(new_value), or assign_add"
            )
        if self._is_traced and not name.startswith("_") and differs(self, name, value):
            note_change()  # programs are made anew
        object.__setattr__(self, name, value)

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or config.snake_case(type(self).__name__)
        self.dtype = config.floatx() if dtype is None else config.float_type(dtype)
        self.variables: list[Variable] = []
        # Not of what a subclass makes after super().__init__(): variables, attributes.
        with suppress(AttributeError, NotImplementedError):
            self.reset_state()

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable of the metric's state, after ``super().__init__()``.

        Parameters
        ----------
        shape : tuple of int
            Default: a number.
        initializer : str, Initializer or callable
        dtype : str, optional
            Default float64.
        aggregation : optional
            Accepted for Keras's sake.
        name : str, optional

        Returns
        -------
        Variable

        Examples
        --------
        >>> class Batches(Metric):
        ...     def __init__(self, name="batches", **kwargs):
        ...         super().__init__(name=name, **kwargs)
        ...         self.count = self.add_variable(name="count")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.count.assign_add(1)
        ...     def result(self):
        ...         return self.count
        >>> metric = Batches()
        >>> metric([0], [1]), metric([0], [1])
        (1.0, 2.0)
        >>> metric.reset_state()
        >>> metric([0], [1])
        1.0
        """
        from fastnn import initializers

        variable = Variable(
            initializers.get("zeros" if initializer is None else initializer),
            shape,
            dtype or "float64",
            trainable=False,
            name=name or f"variable_{len(self.variables)}",
        )
        self.variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Make a variable: `add_variable`; old Keras had the name first."""
        if isinstance(shape, str):
            shape, name = (), shape
        return self.add_variable(shape, initializer, dtype, name=name)

    def reset_state(self) -> None:
        """Forget all batches: variables of `add_variable` become zero, metrics within are reset."""
        inner = [value for value in vars(self).values() if isinstance(value, Metric)]
        for metric in inner:
            metric.reset_state()
        if not self.variables and not inner:
            raise NotImplementedError(
                f"{type(self).__name__}: write reset_state(self), or keep in variables of "
                "add_variable what update_state changes"
            )
        for variable in self.variables:
            variable.value.fill(0)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch."""
        raise NotImplementedError(
            f"{type(self).__name__}: write update_state(self, y_true, y_pred, sample_weight=None)"
        )

    def result(self) -> Any:
        """Return the metric of all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__}: write result(self)")

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """Take in a batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.number()

    def number(self) -> float:
        """Return the result as one number; raise TypeError if it is none."""
        value = returned(f"Metric '{self.name}': result()", self.result())
        try:
            return float(value)
        except (TypeError, ValueError):
            raise TypeError(
                f"Metric '{self.name}': result() must give one number, got {type(value).__name__} "
                f"of shape {np.shape(value)}: a metric of its own for each number"
            ) from None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make a metric from `get_config`'s result."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Mean(Metric):
    """The (weighted) mean of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        if holds_tensor((values, sample_weight)):
            values, weights = _tensors(values, sample_weight)
        else:
            values = np.asarray(values)
            if values.dtype.kind != "f":
                values = values.astype(config.floatx())
            weights = None if sample_weight is None else _weights(sample_weight, values)
        if weights is None:
            self.total.assign_add(_sum(values))
            self.count.assign_add(ops.size(values))
        else:
            self.total.assign_add(_sum(_weighted(values, weights)))
            self.count.assign_add(_sum(weights))

    def result(self) -> float:
        """Return the mean; 0 where there is nothing."""
        total, count = self.total.value.item(), self.count.value.item()
        return total / count if count else 0.0


def _weighted(values: Any, weights: Any) -> Any:
    """Return values times their weights; 0 for a weight of 0, whatever the value is."""
    return ops.multiply(ops.where(ops.equal(weights, 0), 0, values), weights)


def _sum(values: Any) -> Any:
    """Return the sum of tensors, or in float64 that of arrays."""
    return ops.sum(values) if holds_tensor(values) else np.sum(values, dtype=np.float64)


def _tensors(values: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Return values and weights of one shape; axes that the weights lack are averaged over."""
    values = ops.convert_to_tensor(values)
    if sample_weight is None:
        return values, None
    weights = ops.convert_to_tensor(sample_weight)
    if ops.ndim(weights) == ops.ndim(values) + 1 and weights.shape[-1] == 1:
        weights = ops.squeeze(weights, -1)
    rank = ops.ndim(weights)
    if ops.ndim(values) > rank:
        values = ops.mean(values, axis=tuple(range(rank, ops.ndim(values))))
    return values, ops.add(weights, ops.zeros_like(values))


def _weights(sample_weight: Any, values: np.ndarray) -> np.ndarray:
    if not values.ndim:
        return np.asarray(sample_weight, values.dtype)
    return spread(sample_weight, values)


class Sum(Metric):
    """The (weighted) sum of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        if holds_tensor((values, sample_weight)):
            values, weights = _tensors(values, sample_weight)
        else:
            values = np.asarray(values)
            weights = None if sample_weight is None else _weights(sample_weight, values)
        self.total.assign_add(_sum(values if weights is None else _weighted(values, weights)))

    def result(self) -> float:
        """Return the sum."""
        return float(self.total)


class MeanMetricWrapper(Mean):
    """The mean of a function ``f(y_true, y_pred, **kwargs)``.

    One value for each row is weighted row by row; one value for a batch counts once for each batch,
    the short last one too.

    Parameters
    ----------
    fn : callable
    name : str, optional
        Default the function's name.
    dtype : optional
        Accepted for Keras's sake.
    **kwargs
        Passed on to the function.
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name or name_of(fn), dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        if not holds_tensor((y_true, y_pred)):
            y_pred = np.asarray(y_pred)
            y_true = aligned(np.asarray(y_true), y_pred)
        values = returned(f"Metric '{self.name}'", self._fn(y_true, y_pred, **self._fn_kwargs))
        self._check(values, y_true, y_pred)
        super().update_state(values, sample_weight)

    def _check(self, values: Any, y_true: Any, y_pred: Any) -> None:
        """Raise ValueError for values that are neither of rows nor one for the batch."""
        shape = tuple(getattr(values, "shape", ()))
        if shape and shape[:1] != tuple(y_pred.shape[:1]):
            raise ValueError(
                f"Metric '{self.name}' must give one value per row, an array of shape "
                f"{tuple(y_pred.shape[:-1])}, or one for the batch, got {shape} for y_true of "
                f"shape {tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}"
            )
        rows = shape[0] if len(shape) > 1 else None
        if rows is not None and rows > 1 and shape[1] == rows != (*y_pred.shape, 0)[1]:
            raise ValueError(
                f"Metric '{self.name}' gives {shape}, a number for each row with each row: one of "
                "(n,) and (n, 1) was broadcast; keep axes with keepdims=True, or write x[:, None]"
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


class FunctionMetric(MeanMetricWrapper):
    """A function of one's own as a metric, for ``compile(metrics=[function])``."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fn": self._fn}


class RowMetric(MeanMetricWrapper):
    """A built-in metric: the mean of a function of this package; made by `registry.metric`."""

    function: Any

    @property
    def _kind(self) -> str:
        if type(self).update_state is not MeanMetricWrapper.update_state:
            return ""
        logits = "_logits" if self._fn_kwargs.get("from_logits") else ""
        return type(self).function.__name__ + logits
