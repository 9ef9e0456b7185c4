"""Layer: what all layers share, and the base class of your own."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.graph import Node, SymbolicTensor
from fastnn.layers.arguments import (
    old_input_shape,
    plain_arguments,
    unknown_argument,
    unwritten_argument,
)
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.weights import LayerWeights
from fastnn.missing import refuse
from fastnn.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Callable

Shape = tuple[int | None, ...]


class Layer(LayerWeights):
    """Base of all layers: a name, weights, and what it computes.

    A layer of your own defines ``call`` and ``backward`` on NumPy arrays, and ``build`` if it has
    weights:

    >>> import numpy as np
    >>> from fastnn.layers import Layer
    >>> class Square(Layer):
    ...     def call(self, inputs, training=False):
    ...         return inputs**2
    ...     def backward(self, inputs, output, doutput):
    ...         return 2 * inputs * doutput
    >>> Square()(np.array([[1.0, 3.0]])).tolist()
    [[1.0, 9.0]]

    With trainable weights, ``backward`` returns ``(dinputs, dweights)``: a list of one gradient
    for each of ``trainable_weights``, in their order. Arguments of ``__init__`` that are numbers,
    strings or lists of these are saved by themselves; for others write ``get_config``.

    Parameters
    ----------
    trainable : bool
        Whether training changes the weights.
    dtype : {"float32", "float64"}, optional
        Default `config.floatx`.
    name : str, optional
        Default the class's name in snake case, numbered.
    input_shape, input_dim, batch_input_shape : optional
        Older spellings of an `Input` in front of the first layer of a Sequential.

    Raises
    ------
    ValueError
        For an argument that the layer does not know.
    """

    input_spec: InputSpec | None = None
    _build: Callable[[Any], None]
    _arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        if cls.get_config is Layer.get_config and cls.__init__ is not Layer.__init__:
            layer._arguments = plain_arguments(layer, args, kwargs)
        return layer

    def __init__(
        self,
        *,
        trainable: bool = True,
        dtype: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._weights = []
        self._sublayers = []
        self._calls: list[weakref.ref[Node]] = []
        self.built = False
        self._trainable = bool(trainable)
        self.dtype = config.floatx() if dtype is None else config.float_type(dtype)
        self.batch_input_shape = old_input_shape(kwargs)
        later = {"activity_regularizer": kwargs.pop("activity_regularizer", None)}
        refuse(type(self).__name__, later)
        if kwargs:
            raise ValueError(unknown_argument(type(self), kwargs))
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(
                f"{type(self).__name__}: name must be a non-empty string without '/', got {name!r}"
            )
        self.name = name or config.unique_name(config.snake_case(type(self).__name__))

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _marks_built(cls.__dict__["build"])  # type: ignore[method-assign]

    if not TYPE_CHECKING:  # type checkers would take every name for an attribute

        def __getattr__(self, name: str) -> Any:  # called only where the usual way has failed
            if "_weights" not in vars(self) and not name.startswith("__"):
                raise AttributeError(
                    f"'{type(self).__name__}' object has no attribute '{name}': begin its __init__ "
                    "with super().__init__()"
                )
            makes = type(self).build is not Layer.build and not hasattr(type(self), name)
            if name in ("kernel", "bias", "alpha") and makes and not self.built:
                raise AttributeError(
                    f"{type(self).__name__} '{self.name}' has no {name} yet: its weights are made "
                    "when it is first called, or by build(input_shape)"
                )
            return object.__getattribute__(self, name)  # fails again, with its own message

    def __setattr__(self, name: str, value: Any) -> None:
        old = vars(self).get(name)
        replaced = isinstance(old, Variable) and not isinstance(value, (Variable, type(None)))
        if replaced and any(old is weight for weight, _ in self._weights):
            raise TypeError(
                f"{type(self).__name__} '{self.name}': {name} is a weight, and nothing else can "
                f"take its place: use layer.{name}.assign(value)"
            )
        super().__setattr__(name, value)

    # --- what a layer defines ------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (a list of shapes for several inputs)."""
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the output, with the batch axis, for inputs of `input_shape`.

        A layer of your own that does not define it is tried on zeros.
        """
        if not self.is_python:
            return input_shape
        several = isinstance(input_shape, list)
        shapes = input_shape if several else [input_shape]
        zeros = [np.zeros((1, *shape[1:]), self.dtype) for shape in shapes]
        with np.errstate(all="ignore"):
            output = np.asarray(self.call(zeros if several else zeros[0]))
        if output.ndim == 0 or output.shape[0] != 1:
            raise ValueError(
                f"{type(self).__name__} '{self.name}': call() must keep the batch axis; for a "
                f"batch of 1 it returned shape {output.shape}"
            )
        return (shapes[0][0], *output.shape[1:])

    def emit(self, builder: Any, inputs: list[Any]) -> Any:
        """Lower the layer into operations of a program; see `program.Builder`.

        Parameters
        ----------
        builder : Builder
        inputs : list of Tensor

        Returns
        -------
        Tensor or list of Tensor
        """
        from fastnn.layers.python import lower

        return lower(self, builder, inputs)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute the output from arrays; only layers of your own define it."""
        raise NotImplementedError(
            f"{type(self).__name__} '{self.name}': write call(self, inputs, training=False), "
            "returning an array"
        )

    def backward(self, inputs: Any, output: Any, doutput: Any) -> Any:
        """Return the gradient of the loss for `inputs`, given `doutput`, that for the output."""
        raise NotImplementedError

    @property
    def is_python(self) -> bool:
        """Whether the layer computes by a `call` of its own."""
        return type(self).call is not Layer.call

    # --- calling -------------------------------------------------------------------------

    def __call__(self, inputs: Any, *, training: bool | None = None) -> Any:
        """Apply the layer: to symbolic tensors (extends the graph) or to arrays (computes).

        Parameters
        ----------
        inputs : SymbolicTensor, array_like, or a list of them
        training : bool, optional
            For arrays: whether layers like Dropout behave as in training.

        Returns
        -------
        SymbolicTensor or numpy.ndarray
        """
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        symbolic = [isinstance(tensor, SymbolicTensor) for tensor in tensors]
        if all(symbolic) and tensors:
            return self._record(inputs)
        if any(symbolic):
            raise TypeError(
                f"{type(self).__name__} '{self.name}' got arrays and symbolic tensors together: "
                "pass either kind"
            )
        from fastnn.layers.eager import run

        return run(self, inputs, training=bool(training))

    def _record(self, inputs: Any) -> SymbolicTensor:
        """Make the node of a call on symbolic tensors."""
        tensors, shape = self.prepare(inputs)
        output = SymbolicTensor(
            self.compute_output_shape(shape), dtype=self.dtype, name=f"{self.name}_output"
        )
        self.remember(Node(self, tensors, [output]))
        return output

    def prepare(self, inputs: Any) -> tuple[list[Any], Any]:
        """Check and build for these inputs (anything with a shape); return them and their shape."""
        tensors = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        shapes = [tuple(tensor.shape) for tensor in tensors]
        shape = shapes if len(shapes) > 1 else shapes[0]
        self.check_inputs(shape)
        if not self.built:
            self.build(shape)
        return tensors, shape

    def check_inputs(self, input_shape: Any) -> None:
        """Raise a ValueError if the layer cannot take inputs of this shape."""
        if not isinstance(input_shape, list):
            if self.input_spec is not None:
                self.input_spec.check(self, input_shape)
        elif not self.is_python:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' takes one input, got {len(input_shape)}: "
                "join them first, e.g. with Concatenate()"
            )

    def remember(self, node: Node) -> None:
        """Note a call, weakly: a layer does not keep graphs alive."""
        if len(self._calls) & (len(self._calls) - 1) == 0:  # now and then, drop the dead
            self._calls = [call for call in self._calls if call() is not None]
        self._calls.append(weakref.ref(node))

    @property
    def output(self) -> Any:
        """The tensor that the layer's first call made, for models that look inside others."""
        tensors = self._first_call().outputs
        return tensors[0] if len(tensors) == 1 else tensors

    @property
    def input(self) -> Any:
        """The tensor that the layer was first called on."""
        tensors = self._first_call().inputs
        return tensors[0] if len(tensors) == 1 else tensors

    def _first_call(self) -> Node:
        for call in self._calls:
            node = call()
            if node is not None:
                return node
        raise AttributeError(
            f"{type(self).__name__} '{self.name}' has not been called on a symbolic tensor, so it "
            "has no input and output yet: call it on Input(shape=...), or build its model"
        )

    # --- configuration -------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make an equal layer, as JSON-ready data.

        Raises
        ------
        NotImplementedError
            If `__init__` needs an argument that is not plain data; write ``get_config`` then.
        """
        config = {"name": self.name, "trainable": self._trainable, "dtype": self.dtype}
        if self.batch_input_shape is not None:
            config["batch_input_shape"] = list(self.batch_input_shape)
        if type(self).get_config is Layer.get_config:
            config |= {k: v for k, v in vars(self).get("_arguments", {}).items() if k not in config}
            if name := unwritten_argument(self, config):
                raise NotImplementedError(
                    f"{type(self).__name__} '{self.name}': cannot write down the argument "
                    f"'{name}' of __init__: define get_config(self), returning "
                    f"{{**super().get_config(), '{name}': ...}}"
                )
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Make a layer from what `get_config` returned."""
        return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": []}  # weak references cannot be copied

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _marks_built(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a `build` so that it runs once, marks the layer, and leaves nothing after an error."""

    @functools.wraps(build)
    def once(self: Layer, input_shape: Any = None) -> None:
        before = list(self._weights)
        try:
            build(self, input_shape)
        except BaseException:
            self._weights = before
            self.built = False
            raise
        self.built = True

    return once
