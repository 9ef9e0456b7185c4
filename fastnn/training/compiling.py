"""What `compile` was given, spread over the outputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn import losses, metrics, optimizers

if TYPE_CHECKING:
    from collections.abc import Sequence

BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")
"""Names whose meaning depends on the shapes of y and of the prediction."""


class Compiled:
    """The arguments of one `compile`, checked as far as the model is known."""

    def __init__(
        self,
        *,
        optimizer: Any,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        weighted_metrics: Any,
        engine: str,
        output_names: Sequence[str] | None,
    ) -> None:
        self.optimizer = _get_optimizer(optimizer)
        self.loss = loss
        self.loss_weights = loss_weights
        self.metrics = metrics
        self.weighted_metrics = weighted_metrics
        self.engine = engine
        _check_names(loss, _get_loss)
        _check_names(metrics, _get_metric)
        _check_names(weighted_metrics, _get_metric)
        if output_names is not None:
            self.per_output(output_names)

    def per_output(
        self, names: Sequence[str]
    ) -> tuple[list[Any], list[list[Any]], list[list[Any]], list[float]]:
        """Return losses, metrics, weighted metrics and loss weights, an entry for each output.

        Raises
        ------
        ValueError
            If the numbers of entries or the names do not match the outputs.
        """
        names = list(names)
        return (
            _spread(self.loss, names, "loss"),
            _spread_metrics(self.metrics, names, "metrics"),
            _spread_metrics(self.weighted_metrics, names, "weighted_metrics"),
            [1.0 if w is None else float(w) for w in self._loss_weights(names)],
        )

    def _loss_weights(self, names: list[str]) -> list[Any]:
        weights = self.loss_weights
        if isinstance(weights, (int, float)) and len(names) > 1:
            raise ValueError(
                f"compile: loss_weights expects a list or a dict for the outputs {names}, got "
                f"{weights!r}"
            )
        spread = _spread(weights, names, "loss_weights")
        for weight in spread:
            if weight is not None and not _is_number(weight):
                hint = ": for metrics write metrics=[...]" if isinstance(weight, str) else ""
                raise ValueError(f"compile: loss_weights expects numbers, got {weight!r}{hint}")
        return spread

    def terms(
        self,
        names: Sequence[str],
        targets: Sequence[tuple[int, ...] | None],
        predictions: Sequence[tuple[int, ...]],
    ) -> dict[str, Any]:
        """Return the losses, metrics and weights as `program.build` takes them.

        Parameters
        ----------
        names : list of str
            Of the outputs.
        targets, predictions : list of tuple
            The shapes of one sample of y (None: not given) and of each output.
        """
        loss, plain, weighted, loss_weights = self.per_output(names)
        shapes = [p if t is None else t for t, p in zip(targets, predictions, strict=True)]

        def resolve(groups: list[list[Any]]) -> list[list[Any]]:
            return [
                [metrics.resolve(metric, t, p) for metric in group if metric is not None]
                for group, t, p in zip(groups, shapes, predictions, strict=True)
            ]

        return {
            "losses": [
                losses.resolve(one, t, p)
                for one, t, p in zip(loss, shapes, predictions, strict=True)
            ],
            "metrics": resolve(plain),
            "weighted_metrics": resolve(weighted),
            "loss_weights": loss_weights,
        }


def _is_number(value: Any) -> bool:
    import numbers

    return isinstance(value, numbers.Real)


def _get_optimizer(identifier: Any) -> Any:
    try:
        return optimizers.get(identifier)
    except ValueError as error:
        try:
            losses.get(identifier)
        except (ValueError, TypeError):
            raise error from None
        raise ValueError(
            f"{error}; {identifier!r} is a loss: compile(optimizer=..., loss={identifier!r})"
        ) from None


def _get_loss(identifier: Any) -> None:
    losses.get(identifier)


def _get_metric(identifier: Any) -> None:
    metrics.get(identifier)


def _check_names(value: Any, get: Any) -> None:
    """Look up every name in nested lists and dicts, so that a typing error shows at once."""
    if isinstance(value, dict) and "class_name" not in value:
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _check_names(item, get)
    elif value is not None and not (isinstance(value, str) and value.lower() in BY_SHAPE):
        get(value)


def _check_keys(value: dict[str, Any], names: list[str], what: str) -> None:
    unknown = [key for key in value if key not in names]
    if unknown:
        raise ValueError(
            f"compile: {what} names {', '.join(map(repr, unknown))}, but the model's outputs are "
            f"{names}: use these names as keys"
        )


def _spread(value: Any, names: list[str], what: str) -> list[Any]:
    """Return one entry for each output; a single entry serves all of them."""
    if isinstance(value, dict) and "class_name" not in value:
        _check_keys(value, names, what)
        return [value.get(name) for name in names]
    if isinstance(value, (list, tuple)):
        if len(value) != len(names):
            raise ValueError(
                f"compile: {what} has {len(value)} entries, the model has {len(names)} outputs "
                f"{names}: give one for each"
            )
        return list(value)
    return [value] * len(names)


def _spread_metrics(value: Any, names: list[str], what: str) -> list[list[Any]]:
    """Return a list of metrics for each output."""

    def as_list(item: Any) -> list[Any]:
        if item is None:
            return []
        return list(item) if isinstance(item, (list, tuple)) else [item]

    if isinstance(value, dict) and "class_name" not in value:
        _check_keys(value, names, what)
        return [as_list(value.get(name)) for name in names]
    if not isinstance(value, (list, tuple)):
        value = as_list(value)
    if not value:
        return [[] for _ in names]
    if len(names) == 1:
        nested = len(value) == 1 and isinstance(value[0], (list, tuple))
        return [list(value[0]) if nested else list(value)]
    if len(value) != len(names):
        raise ValueError(
            f"compile: {what} has {len(value)} entries, the model has {len(names)} outputs "
            f"{names}: give one entry (a metric or a list of metrics) for each, or a dict by name"
        )
    return [as_list(item) for item in value]
