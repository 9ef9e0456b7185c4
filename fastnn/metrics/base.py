"""Metric: what all metrics share, and the base class of your own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.losses.base import aligned, fitted, returned, row_values, spread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike

    from fastnn.variable import Variable


class Metric:
    """Base of all metrics; subclass it to write your own.

    A subclass defines `update_state` and `result`, and `reset_state` unless all that it remembers
    is in variables of `add_variable`; the engines call `update_state` with every batch. y of shape
    (n,) comes as (n, 1) if that is the shape of the predictions.

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

    kind = "python"
    """A name in operations.ROW_VALUES, which both engines know, or "python"."""

    direction: str | None = None
    """Whether good is large ("max") or small ("min"); None if unknown."""

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name = name or config.snake_case(type(self).__name__)
        self.attrs: dict[str, float] = {}  # what the engines' kernel of this kind needs
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
        from fastnn.variable import Variable

        variable = Variable(
            shape,
            name=name or f"variable_{len(self.variables)}",
            initializer=initializers.get("zeros" if initializer is None else initializer),
            dtype=dtype or "float64",
            trainable=False,
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
        """Make a variable: `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def reset_state(self) -> None:
        """Forget all batches: set all variables of `add_variable` to zero."""
        if not self.variables:
            raise NotImplementedError(
                f"{type(self).__name__}: write reset_state(self), or keep in variables of "
                "add_variable what update_state changes"
            )
        for variable in self.variables:
            variable.assign(np.zeros(variable.shape))

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch."""
        raise NotImplementedError(
            f"{type(self).__name__}: write update_state(self, y_true, y_pred, sample_weight=None)"
        )

    def result(self) -> Any:
        """Return the metric of all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__}: write result(self)")

    def finish(self, total: float, count: float) -> float:
        """Return the metric from the sums of weighted values and of weights; 0 without weights."""
        return total / count if count else 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> float:
        """Take in a batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return float(returned(f"Metric '{self.name}'", self.result()))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal metric."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make a metric from `get_config`'s result."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class Averaging(Metric):
    """A metric that needs only the sum of weighted values and the sum of weights."""

    def reset_state(self) -> None:
        self.total = 0.0
        self.count = 0.0

    def _add(self, values: np.ndarray, sample_weight: ArrayLike | None) -> None:
        if sample_weight is None:
            self.total += float(np.sum(values, dtype=np.float64))
            self.count += values.size
        else:
            weights = spread(sample_weight, values)
            self.total += float(np.sum(values * weights, dtype=np.float64))
            self.count += float(np.sum(weights, dtype=np.float64))

    def result(self) -> float:
        return self.finish(self.total, self.count)


class Mean(Averaging):
    """The (weighted) mean of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self._add(np.asarray(values, dtype=np.float64), sample_weight)


class Sum(Mean):
    """The (weighted) sum of the values given to ``update_state(values, sample_weight=None)``."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def finish(self, total: float, count: float) -> float:
        return total


class RowMetric(Averaging):
    """The mean over all rows of one of operations.ROW_VALUES."""

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        self._add(values_of(self.kind, self.attrs, y_true, y_pred), sample_weight)


class FunctionMetric(Averaging):
    """The mean of a Python function ``f(y_true, y_pred)`` that gives one value per row."""

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function = function

    def update_state(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        y_pred = np.asarray(y_pred)
        y_true = aligned(np.asarray(y_true), y_pred)
        values = np.asarray(returned(f"Metric '{self.name}'", self.function(y_true, y_pred)))
        if values.ndim == 0:  # one value for the batch: every sample's
            values = np.full(len(y_pred), values)
        if values.shape[:1] != y_pred.shape[:1] or (values.size and y_pred.size % values.size):
            raise ValueError(
                f"Metric '{self.name}' must give one value per row, an array of shape "
                f"{y_pred.shape[:-1]}, got {values.shape} for y_true of shape {y_true.shape} and "
                f"y_pred of shape {y_pred.shape}"
            )
        self._add(values, sample_weight)


def values_of(
    kind: str, attrs: dict[str, float], y_true: ArrayLike, y_pred: ArrayLike
) -> np.ndarray:
    """Return one value of `kind`, a name in operations.ROW_VALUES, for each row."""
    return row_values(kind, attrs, *fitted(kind, y_true, y_pred))
