"""Calls with more than one input or a list: tensors by keyword, in dicts, lists and tuples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Place:
    """Stands in a structure for tensor number `index`."""

    def __init__(self, index: int) -> None:
        self.index = index


class Call:
    """The arguments of a call, with places for its tensors.

    training
        What the caller said; None: nothing.
    """

    def __init__(self, args: Any, kwargs: dict[str, Any], training: bool | None) -> None:
        self.args = args
        self.kwargs = kwargs
        self.training = training

    def fill(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return fill(self.args, tensors), fill(self.kwargs, tensors)


def flatten(value: Any, is_leaf: Callable[[Any], bool], leaves: list[Any]) -> Any:
    """Return a structure with a `Place` for each leaf, and add the leaves to a list."""
    if is_leaf(value):
        leaves.append(value)
        return Place(len(leaves) - 1)
    if isinstance(value, dict):
        return {key: flatten(item, is_leaf, leaves) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return _like(value, [flatten(item, is_leaf, leaves) for item in value])
    return value


def fill(value: Any, leaves: Sequence[Any]) -> Any:
    """Return a structure with leaves in their places."""
    if isinstance(value, Place):
        return leaves[value.index]
    if isinstance(value, dict):
        return {key: fill(item, leaves) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return _like(value, [fill(item, leaves) for item in value])
    return value


def _like(value: Any, items: list[Any]) -> Any:
    """Return a list or tuple of the same type as `value`."""
    return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)


def mapped(function: Callable[[Any], Any], value: Any, is_leaf: Callable[[Any], bool]) -> Any:
    """Return a structure with a function's value for each leaf."""
    leaves: list[Any] = []
    structure = flatten(value, is_leaf, leaves)
    return fill(structure, [function(leaf) for leaf in leaves])


def state_training(nodes: Sequence[Any], training: bool) -> None:
    """Let calls whose caller said nothing of training run as in one, or not."""
    for node in nodes:
        state_training(node.inner, training)
        if node.call is None:
            places = [Place(k) for k in range(len(node.inputs))]
            node.call = Call((places if len(places) > 1 else places[0],), {}, training)
        elif node.call.training is None:
            node.call = Call(node.call.args, node.call.kwargs, training)


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)
