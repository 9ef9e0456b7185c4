"""Operation: a function of `fastnn.ops` or NumPy in a functional model.

``x[:, :2] * 3 + np.exp(y)`` on a model's tensors records a node for each function. Nodes are saved
as data: the name of a function in the table here, and its arguments.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config as settings
from fastnn import lookup, ops
from fastnn.graph import OPERATORS, SymbolicTensor
from fastnn.layers.base import Layer
from fastnn.ops import numpy_names
from fastnn.ops.tensor import METHODS, RECORDERS

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_FUNCTIONS = frozenset({"OPS", "NotTraceable", "Op", "Tensor", "set_operator"})

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{f"ops.{name}": getattr(ops, name) for name in ops.__all__ if name not in NOT_FUNCTIONS},
    **{f"np.{name}": numpy_names.function_of(name) for name in numpy_names.names()},
    **{f"tensor.{name}": method for name, method in METHODS.items()},
}
"""What a node may do, by name; nothing else can be loaded."""

LOOKS: dict[str, Callable[..., Any]] = {
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "convert_to_tensor": lambda x, *_, **__: x,
}
"""What only looks at a tensor, and makes no node."""

_LOOKUP = lookup.Lookup("operation", FUNCTIONS)


class Operation(Layer):
    """One call of a function on tensors of a model.

    Parameters
    ----------
    function : str
        A name of `FUNCTIONS`.
    args, kwargs
        Its arguments as data, see `encode`; ``{"tensor": k}`` is input number k.
    """

    def __init__(self, function: str, args: Any = (), kwargs: Any = None, **options: Any) -> None:
        _LOOKUP.find(function)
        if "name" not in options:
            own = settings.snake_case(function.rpartition(".")[2])
            options["name"] = settings.unique_name(own)
        super().__init__(**options)
        self.function = function
        self.args, self.kwargs = list(args), dict(kwargs or {})
        self.built = True

    without_batch = (
        ": between the layers of a model all tensors have the batch as their first axis; put what "
        "has none into a layer of your own, or a Lambda"
    )

    @property
    def shown(self) -> str:
        """What a summary calls it: "GetItem" of ops.get_item."""
        words = self.function.rpartition(".")[2].split("_")
        return "".join(word[:1].upper() + word[1:] for word in words)

    def check_inputs(self, input_shape: Any) -> None:
        """Any number of inputs will do."""

    def call(self, inputs: Any) -> Any:
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        args = [decode(item, tensors) for item in self.args]
        return FUNCTIONS[self.function](
            *args, **{k: decode(v, tensors) for k, v in self.kwargs.items()}
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "function": self.function,
            "args": self.args,
            "kwargs": self.kwargs,
        }


def record(function: str, args: Any, kwargs: dict[str, Any]) -> Any:
    """Add the node of a call on symbolic tensors; return its output, or the list of them."""
    known = LOOKS.get(function.rpartition(".")[2])
    if known is not None:
        return known(*args, **kwargs)
    tensors: list[SymbolicTensor] = []
    arguments = [encode(item, tensors) for item in args]
    named = {key: encode(value, tensors) for key, value in kwargs.items()}
    return Operation(function, arguments, named)(tensors if len(tensors) > 1 else tensors[0])


def encode(value: Any, tensors: list[SymbolicTensor]) -> Any:
    """Return an argument as data; symbolic tensors are numbered and added to `tensors`."""
    if isinstance(value, SymbolicTensor):
        if not any(value is tensor for tensor in tensors):
            tensors.append(value)
        return {"tensor": next(k for k, tensor in enumerate(tensors) if tensor is value)}
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is float and not math.isfinite(value):
        return {"number": repr(value)}  # which JSON has not
    if value is None or type(value) in (bool, int, float, str):
        return value
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, slice):
        return {"slice": [encode(v, tensors) for v in (value.start, value.stop, value.step)]}
    if isinstance(value, list):
        return [encode(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(item, tensors) for item in value]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        numbers = [encode(number, []) for number in value.ravel()]
        return {"array": numbers, "dtype": value.dtype.name, "shape": list(value.shape)}
    if isinstance(value, (type, np.dtype)):
        return np.dtype(value).name
    raise TypeError(
        f"a function of a model's tensors takes tensors, numbers and arrays, got "
        f"{type(value).__name__}: in a layer of your own, `call` may use anything"
    )


def decode(value: Any, tensors: Any) -> Any:
    """Return what `encode` made data of, with `tensors` in their places."""
    if isinstance(value, list):
        return [decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        return tensors[value["tensor"]]
    if "number" in value:
        return float(value["number"])
    if "ellipsis" in value:
        return Ellipsis
    if "slice" in value:
        return slice(*(decode(item, tensors) for item in value["slice"]))
    if "tuple" in value:
        return tuple(decode(item, tensors) for item in value["tuple"])
    numbers = [decode(number, tensors) for number in value["array"]]
    return np.array(numbers, np.dtype(value["dtype"])).reshape(value["shape"])


OPERATORS["function"] = record
OPERATORS["names"] = FUNCTIONS
RECORDERS.append(record)
