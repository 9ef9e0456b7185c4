"""Lambda: a function as a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastnn.layers.base import Layer
from fastnn.missing import refuse

if TYPE_CHECKING:
    from collections.abc import Callable


class Lambda(Layer):
    """Apply a function of tensors, in `fastnn.ops` or NumPy.

    Parameters
    ----------
    function : callable
        ``function(inputs, **arguments)`` gives the output.
    output_shape : optional
        As in Keras; the shape is found by a trace.
    arguments : dict, optional
        Further arguments of the function.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.layers import Lambda
    >>> Lambda(lambda x: x**2)(np.array([[3.0]])).tolist()
    [[9.0]]

    Notes
    -----
    Files are data and never code: a function is saved by its name, and found again in
    ``custom_objects={"name": function}``.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse(f"Lambda '{self.name}'", {"mask": mask})
        if not callable(function):
            raise ValueError(
                f"Lambda '{self.name}': expected a function, got {function!r}: pass your own as "
                f"custom_objects={{{function!r}: ...}} when you load it"
            )
        self.function = function
        self.arguments = dict(arguments or {})

    def call(self, inputs: Any) -> Any:
        return self.function(inputs, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "function": name_of(self.function),
            "arguments": self.arguments,
        }


def name_of(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
