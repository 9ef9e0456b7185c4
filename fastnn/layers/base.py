"""Layer: what all layers share, and the base class of your own."""

from __future__ import annotations

import functools
import inspect
import weakref
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.graph import Node, SymbolicTensor, differs, note_change
from fastnn.layers.arguments import (
    old_input_shape,
    plain_arguments,
    unknown_argument,
    unwritten_argument,
)
from fastnn.layers.input_spec import InputSpec
from fastnn.layers.nested import Call, Place, fill, flatten, mapped
from fastnn.layers.python import LayerOperation, python, takes_training
from fastnn.layers.weights import LayerWeights
from fastnn.missing import refuse
from fastnn.ops.operation import INPUT
from fastnn.ops.tensor import NotTraceable, Tensor
from fastnn.random import streams
from fastnn.variable import Variable, is_tracing, tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BASIC = frozenset({"name", "trainable", "dtype", "batch_input_shape"})
"""Arguments that all layers take."""

Shape = tuple[int | None, ...]

_GROWING = frozenset({"_weights", "_sublayers", "_holders", "_losses", "_calls"})
"""Attributes of a layer that change in place."""

_penalties: ContextVar[list[Any] | None] = ContextVar("penalties", default=None)
"""What layers add to the loss of the model that is being traced."""


@contextmanager
def penalties() -> Iterator[list[Any]]:
    """Collect what layers add to the loss within."""
    found: list[Any] = []
    token = _penalties.set(found)
    try:
        yield found
    finally:
        _penalties.reset(token)


_training = ContextVar("training", default=False)
"""Whether the layer that is being called runs in a training: its inner layers do, too."""


class Layer(LayerWeights):
    """Base of all layers: a name, weights, and what it computes.

    A layer of your own defines ``call``, in `fastnn.ops` or NumPy, and ``build`` if it has weights:

    >>> import numpy as np
    >>> from fastnn import ops
    >>> from fastnn.layers import Layer
    >>> class Linear(Layer):
    ...     def build(self, input_shape):
    ...         self.w = self.add_weight((input_shape[-1], 1), initializer="ones")
    ...     def call(self, inputs):
    ...         return ops.matmul(inputs, self.w)
    >>> Linear()(np.array([[1.0, 3.0]])).tolist()
    [[4.0]]

    ``call`` is traced once for a model, differentiated and compiled. What cannot be traced is
    called in Python; to train through it, define ``backward(inputs, output, doutput)``, which
    returns the gradient of the loss for the inputs, or ``(dinputs, dweights)`` with a list of one
    gradient for each of ``trainable_weights``. Arguments of ``__init__`` that are numbers, strings
    or lists of these are saved by themselves; for others write ``get_config``.

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

    _private = frozenset({
        "_losses", "_weights", "_sublayers", "_holders", "_calls", "_arguments", "built",
        "input_spec", "_gradient_checked",
    })  # fmt: skip
    gradient_is_exact = True
    """Whether `backward`, if there is one, is the derivative of `call`, which is checked."""
    _gradient_checked = False
    _notes_changes = True
    without_batch = ""  # advice if the output has no batch axis
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
        held = {name: value for name, value in vars(self).items() if _may_hold(value)}
        self._weights = []
        self._sublayers = []
        self._holders = {name: v for name, v in held.items() if name not in self._private}
        self._losses: list[Any] = []
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
        if name is not None:
            config.reserve_name(name)  # what is named by itself later gets another one
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
        holders = vars(self).get("_holders")
        if holders is not None and not name.startswith("__") and name not in self._private:
            if _may_hold(value) and value is not self:
                holders[name] = value
            else:
                holders.pop(name, None)
            if isinstance(value, Variable):
                self._adopt(value)
            if self._notes_changes and vars(self).get("built") and differs(self, name, value):
                note_change()  # what the layer computes may depend on it
        super().__setattr__(name, value)

    # --- what a layer defines ------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape (a list of shapes for several inputs)."""
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the output, with the batch axis, for inputs of `input_shape`.

        By default it is that of a trace of `call`, or what `call` makes of zeros.
        """
        several = isinstance(input_shape, list)
        return self._output_shape(input_shape if several else [input_shape])

    def _output_shape(self, shapes: Sequence[Any], call: Call | None = None) -> Any:
        untraceable = None
        if not self.has_backward:
            try:
                return self._traced_shape(shapes, call)
            except NotTraceable as error:
                untraceable = error
        return self._computed_shape(shapes, call, untraceable)

    def _computed_shape(
        self, shapes: Sequence[Any], call: Call | None = None, untraceable: Exception | None = None
    ) -> tuple[int | None, ...]:
        """Return the shape of what `call` makes of zeros."""
        zeros = [np.zeros((1, *shape[1:]), self.dtype) for shape in shapes]
        before = [(v, v.numpy()) for v in self.weights if not v.trainable]
        try:
            with np.errstate(all="ignore"):
                output = self.compute(zeros, training=False, call=call)
            if untraceable is not None and isinstance(output, (list, tuple, dict)):
                raise untraceable  # Python computes one output
            output = np.asarray(output)
        except Exception:
            if untraceable is not None:
                raise untraceable from None  # which says what to write instead
            raise
        finally:
            for variable, value in before:  # it was only asked for its shape
                variable.assign(value)
        if output.ndim == 0 or output.shape[0] != 1:
            raise ValueError(
                f"{type(self).__name__} '{self.name}': call() must keep the batch axis; for a "
                f"batch of 1 it returned shape {output.shape}"
            )
        return (shapes[0][0], *output.shape[1:])

    def _traced_shape(self, shapes: Sequence[Any], call: Call | None = None) -> Any:
        leaves = [Tensor(INPUT, (), {}, (None, *shape[1:]), 1, self.dtype) for shape in shapes]
        with tracing(self.dtype), streams(), penalties():
            output = self.compute(leaves, training=False, call=call)
        if isinstance(output, dict):
            return {key: self._checked_shape(one) for key, one in output.items()}
        if isinstance(output, (list, tuple)):
            return [self._checked_shape(one) for one in output]
        return self._checked_shape(output)

    def _checked_shape(self, output: Any) -> tuple[int | None, ...]:
        if isinstance(output, Tensor) and output.batched and output.fold == 1:
            return output.shape
        got = f"shape {output.shape if isinstance(output, Tensor) else np.shape(output)}"
        if output is None:
            got = "nothing: has it a return?"
        raise ValueError(
            f"{type(self).__name__} '{self.name}': call() must keep the batch axis; it returned "
            f"{got}{self.without_batch}"
        )

    def call(self, inputs: Any) -> Any:
        """Compute the output from arrays, or from the tensors of a trace."""
        raise NotImplementedError(
            f"{type(self).__name__} '{self.name}': write call(self, inputs), returning the output"
        )

    def backward(self, inputs: Any, output: Any, doutput: Any) -> Any:
        """Return the gradient of the loss for `inputs`, given `doutput`, that for the output.

        Only for a `call` that cannot be traced. When it is first trained, it is compared with
        differences of `call`, unless ``gradient_is_exact`` is False.
        """
        raise NotImplementedError(
            f"{type(self).__name__} '{self.name}' is differentiated by its trace and has no "
            "backward of its own"
        )

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Return which parts of the output count: None, all of them.

        Masks do not pass from layer to layer yet; one that is returned here is an error. By name
        they are inputs like others: ``layer(x, mask=ops.not_equal(words, 0))``.
        """
        return None

    def add_loss(self, loss: Any) -> None:
        """Add to the loss of the model, in `call`: a number for the batch, or several to be summed.

        Parameters
        ----------
        loss : scalar or array of numbers
            Computed from the inputs, the outputs or weights: ``0.01 * ops.sum(ops.square(y))``.

        Examples
        --------
        >>> from fastnn import ops
        >>> from fastnn.layers import Layer
        >>> class Small(Layer):
        ...     def call(self, inputs):
        ...         self.add_loss(0.5 * ops.sum(ops.square(inputs)))
        ...         return inputs
        >>> layer = Small()
        >>> layer([[1.0, 2.0]]).tolist(), [float(value) for value in layer.losses]
        ([[1.0, 2.0]], [2.5])
        """
        traced = _penalties.get()
        if traced is not None:
            traced.append(loss)
        else:
            self._losses.append(loss)

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` was given when the layer, or one within, was last called on arrays."""
        return self._losses + [one for layer in self.direct_layers() for one in layer.losses]

    @property
    def has_backward(self) -> bool:
        """Whether the layer states its own gradient, and is called in Python."""
        return type(self).backward is not Layer.backward

    def compute(self, inputs: Sequence[Any], *, training: bool, call: Call | None = None) -> Any:
        """Call `call` on arrays or on tensors of a trace.

        `call` says where they stand; without it they are one input or a list.
        """
        if call is None:
            return self._invoke((list(inputs) if len(inputs) > 1 else inputs[0],), {}, training)
        args, kwargs = call.fill(inputs)
        return self._invoke(args, kwargs, training if call.training is None else call.training)

    def _invoke(self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool) -> Any:
        call: Any = self.call
        token = _training.set(training)
        self._losses = []
        try:
            if takes_training(type(self)) and "training" not in kwargs:
                return call(*args, training=training, **kwargs)
            return call(*args, **kwargs)
        except TypeError as error:
            if is_tracing() and "NoneType" in str(error) and not isinstance(error, NotTraceable):
                raise TypeError(
                    f"{type(self).__name__} '{self.name}': {error}: in call(), x.shape[0], the "
                    "number of rows, is None; ops.shape(x)[0] is a tensor. Random numbers of the "
                    "batch are random.normal(ops.shape(x)) of fastnn"
                ) from error
            raise
        finally:
            _training.reset(token)

    # --- calling -------------------------------------------------------------------------

    def __call__(
        self, inputs: Any = None, *args: Any, training: bool | None = None, **kwargs: Any
    ) -> Any:
        """Apply the layer: to symbolic tensors (extends the graph) or to arrays (computes).

        Parameters
        ----------
        inputs : SymbolicTensor, array_like, or a list or dict of them
        *args, **kwargs
            Further arguments of `call`, tensors too.
        training : bool, optional
            Whether layers like Dropout behave as in training. Default: for arrays no, in a model
            as the model runs.

        Returns
        -------
        SymbolicTensor or numpy.ndarray, or a list or dict of them if `call` returns one
        """
        if not self.built:
            with self._kept_on_errors():
                return self._apply(inputs, args, kwargs, training)
        return self._apply(inputs, args, kwargs, training)

    def _apply(
        self, inputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None
    ) -> Any:
        if type(self).compute_mask is not Layer.compute_mask:
            refuse(type(self).__name__, {"mask of compute_mask": self.compute_mask(inputs, None)})
        if args or kwargs or isinstance(inputs, dict) or hasattr(inputs, "_fields"):
            return self._call_nested(() if inputs is None else (inputs, *args), kwargs, training)
        tensors = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        symbolic = [isinstance(tensor, SymbolicTensor) for tensor in tensors]
        if all(symbolic) and tensors:
            tensors, shape = self.prepare(inputs)
            call = None
            if training is not None:
                places = [Place(k) for k in range(len(tensors))]
                call = Call((places if len(places) > 1 else places[0],), {}, bool(training))
            return self._record(tensors, self.compute_output_shape(shape), call)
        if any(symbolic):
            raise TypeError(
                f"{type(self).__name__} '{self.name}' got arrays and symbolic tensors together: "
                "pass either kind"
            )
        training = _training.get() if training is None else bool(training)
        if any(isinstance(tensor, Tensor) for tensor in tensors):
            _, shape = self.prepare(inputs)
            if self.has_backward:
                return self._recorded(tensors, shape)
            return self.compute(tensors, training=training)
        from fastnn.layers.eager import run

        return run(self, inputs, training=training)

    @contextmanager
    def _kept_on_errors(self) -> Iterator[None]:
        """Let no layer stay built for inputs that it, or one around it, then could not take."""
        before = [
            (layer, {k: v.copy() if k in _GROWING else v for k, v in vars(layer).items()})
            for layer in (self, *self.inner_layers)
            if not layer.built
        ]
        try:
            yield
        except Exception:
            for layer, state in before:
                vars(layer).clear()
                vars(layer).update(state)
            raise

    def _call_nested(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], training: bool | None
    ) -> Any:
        """Apply the layer to tensors wherever they stand in its arguments."""
        leaves: list[Any] = []
        args_, kwargs_ = flatten((args, kwargs), _is_symbolic, leaves)
        if leaves:
            self._build_for(args)
            call = Call(args_, kwargs_, training)
            return self._record(leaves, self._output_shape([x.shape for x in leaves], call), call)
        from fastnn.layers.eager import run_nested

        now = _training.get() if training is None else bool(training)
        flatten((args, kwargs), lambda x: isinstance(x, Tensor), leaves)
        if leaves:
            self._build_for(args)
            if self.has_backward:
                args, kwargs = flatten((args, kwargs), lambda x: isinstance(x, Tensor), [])
                call = Call(args, kwargs, training)
                return self._recorded(leaves, [x.shape for x in leaves], call)
            return self._invoke(args, kwargs, now)
        return run_nested(self, args, kwargs, training=now)

    def _recorded(self, tensors: Sequence[Any], shape: Any, call: Call | None = None) -> Tensor:
        """Record a layer that states its own gradient, called in the `call` of another."""
        shapes = shape if isinstance(shape, list) else [shape]
        operation = LayerOperation(self, len(tensors) > 1, None, call)
        outside = Context()  # where nothing is traced
        made = outside.run(self._computed_shape, shapes, call)
        return python(operation, tensors, operation.weights, made)

    def _build_for(self, args: tuple[Any, ...]) -> None:
        """Build for the shapes of the arguments that hold tensors, as many as `build` takes."""
        if self.built:
            return
        shapes = [mapped(lambda x: tuple(x.shape), arg, _has_shape) for arg in args]
        count = len(inspect.signature(type(self).build).parameters) - 1
        self.build(*shapes[: max(1, count)])

    def _record(self, tensors: Sequence[Any], made: Any, call: Call | None) -> Any:
        """Make the node of a call on symbolic tensors whose outputs have the shapes `made`."""
        shapes: list[Any] = []
        places = flatten(made, _is_shape, shapes)
        outputs = [
            SymbolicTensor(one, dtype=self.dtype, name=f"{self.name}_output") for one in shapes
        ]
        self.remember(Node(self, tensors, outputs, call=call))
        if self._holders:
            self.name_weights(self.name)
        return fill(places, outputs)

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
        elif type(self).call.__module__.startswith("fastnn."):
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
        parameters = inspect.signature(cls.__init__).parameters.values()
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return cls(**config)
        taken = {p.name for p in parameters}  # an __init__ that leaves out what all layers take
        layer = cls(**{k: v for k, v in config.items() if k in taken or k not in BASIC})
        if "name" in config and "name" not in taken:
            layer.name = config["name"]
        if "trainable" in config and "trainable" not in taken:
            layer.trainable = config["trainable"]
        return layer

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_calls": []}  # weak references cannot be copied

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def _may_hold(value: Any) -> bool:
    return isinstance(value, (LayerWeights, list, tuple, dict))


def _is_symbolic(value: Any) -> bool:
    return isinstance(value, SymbolicTensor)


def _has_shape(value: Any) -> bool:
    return isinstance(value, (SymbolicTensor, Tensor, np.ndarray))


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(n is None or isinstance(n, int) for n in value)


def _marks_built(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a `build` so that it runs once, marks the layer, and leaves nothing after an error."""

    @functools.wraps(build)
    def once(self: Layer, input_shape: Any = None, *more: Any) -> None:
        before = list(self._weights)
        try:
            build(self, input_shape, *more)
        except BaseException:
            self._weights = before
            self.built = False
            raise
        self.built = True

    return once
