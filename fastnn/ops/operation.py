"""Op: what is known of an operation, and how its function finds arrays from tensors.

An operation is a function on arrays with a decorator that states the rest: the shape of its result,
its derivative in ops, and what it becomes in C, a step of `csrc/ops.def` or other ops. On tensors
the function records itself; on anything else it is NumPy.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import config
from fastnn.ops.tensor import RECORDERS, NotTraceable, Shape, Tensor, holds_symbolic, where
from fastnn.variable import Variable, as_leaf, is_tracing, trace_dtype

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OPS: dict[str, Op] = {}
"""All operations by name."""


class Op:
    """One operation.

    Parameters
    ----------
    name : str
    numpy : callable
        On arrays, the attributes as keywords.
    shape : callable
        ``shape(*args, **attrs)`` gives the result's shape and fold, from tensors.
    gradient : callable or None
        ``gradient(g, y, *args, **attrs)`` gives one tensor (or None) for each argument: g times the
        derivative of y by it, in ops. None: the derivative is 0 everywhere.
    step : str, optional
        The step of a map that does it, element by element.
    lower : callable, optional
        ``lower(*args, **attrs)``: the same in other ops, for operations without a step.
    """

    def __init__(
        self,
        name: str,
        numpy: Callable[..., Any],
        shape: Callable[..., tuple[Shape, int]],
        gradient: Callable[..., Sequence[Tensor | None]] | None,
        *,
        step: str | None = None,
        lower: Callable[..., Tensor] | None = None,
    ) -> None:
        self.name = name
        self.numpy = numpy
        self.shape = shape
        self.gradient = gradient
        self.step = step
        self.lower = lower
        OPS[name] = self

    def __call__(self, *args: Any, **attrs: Any) -> Tensor:
        """Record the operation; what is no tensor becomes a constant."""
        dtype = dtype_among(args) or trace_dtype()
        tensors = tuple([a if isinstance(a, Tensor) else as_tensor(a, dtype) for a in args])
        shape, fold = self.shape(*tensors, **attrs)
        return Tensor(self, tensors, attrs, shape, fold, dtype)

    def __repr__(self) -> str:
        return f"<Op {self.name}>"


# --- leaves ----------------------------------------------------------------------------------


def _no_numpy(*args: Any, **attrs: Any) -> Any:
    raise NotImplementedError("leaves have their values from the engine")


INPUT = Op("input", _no_numpy, lambda: ((), 1), None)
"""A value from outside; attrs: source, a tuple that the program understands."""

CONSTANT = Op("constant", _no_numpy, lambda: ((), 1), None)
"""attrs: value, an array of float64."""

ROWS = Op("rows", _no_numpy, lambda: ((), 1), None)
"""The number of samples in the batch."""

VARIABLE = Op("variable", _no_numpy, lambda: ((), 1), None)
"""attrs: variable; its value when the step runs."""

PYTHON = Op("python", _no_numpy, lambda: ((), 1), None)
"""What only Python can compute, of inputs and weights; attrs: operation, inputs (their number)."""


LIKE = Op("like", _no_numpy, lambda: ((), 1), None)
"""Nothing but a shape with a batch axis, for what has its shape."""


def of_batch(lengths: Sequence[Any], dtype: str) -> Tensor:
    """Return a tensor that has a shape alone: the first length is that of the batch."""
    return Tensor(LIKE, (), {}, (None, *(int(d) for d in lengths[1:])), 1, dtype)


def constant(value: Any, dtype: str) -> Tensor:
    """Return a tensor of numbers that never change; arrays are copied."""
    array = np.array(value, dtype=np.float64)  # a copy
    return Tensor(CONSTANT, (), {"value": array}, array.shape, 1, dtype)


def rows(dtype: str) -> Tensor:
    """Return the number of samples in the batch as a tensor."""
    return Tensor(ROWS, dtype=dtype)


def variable_leaf(variable: Variable, dtype: str) -> Tensor:
    """Return the tensor that reads a variable whenever a step runs."""
    return Tensor(VARIABLE, (), {"variable": variable}, variable.shape, 1, dtype)


as_leaf.append(variable_leaf)


def as_tensor(value: Any, dtype: str) -> Tensor:
    """Return a tensor of `dtype` for a tensor, a number, an array, a list or a variable."""
    if isinstance(value, Tensor):
        return value
    if type(value) in (float, int, bool):
        return constant(value, dtype)
    if isinstance(value, Variable):
        return as_tensor(value.value, dtype) if is_tracing() else variable_leaf(value, dtype)
    if isinstance(value, (list, tuple)) and holds_tensor(value):
        from fastnn.ops.joining import stack

        return stack(value, axis=0)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        got = f"{type(value).__name__} {value!r:.60}"
        if value is None:
            got = (
                "None: if it is x.shape[0], the number of rows, write ops.shape(x)[0]; a mean "
                "needs no division"
            )
        raise NotTraceable(f"{where()}expected numbers beside a tensor, got {got}")
    return constant(array, dtype)


# --- from functions on arrays to ops ---------------------------------------------------------


def holds_tensor(value: Any) -> bool:
    """Whether a value is a tensor, or a list or tuple with one in it."""
    if isinstance(value, (list, tuple)):
        return any(holds_tensor(item) for item in value)
    return isinstance(value, Tensor) or (isinstance(value, Variable) and is_tracing())


def dtype_among(args: Any) -> str | None:
    """Return the type of the first tensor among arguments, those in lists included."""
    for arg in args:
        if isinstance(arg, Tensor):
            return arg.dtype
    found = (dtype_among(arg) for arg in args if isinstance(arg, (list, tuple)))
    return next((dtype for dtype in found if dtype is not None), None)


def as_array(value: Any) -> Any:
    """Return an array of what is none, as Keras makes tensors; Python's numbers stay as they are.

    In lists, Python's floats are of `config.floatx` and its whole numbers of int32.
    """
    if isinstance(value, Variable):
        return value.value
    if isinstance(value, np.ndarray) or type(value) in (float, int, bool):
        return value
    if isinstance(value, (list, tuple)):
        items = [as_array(item) if isinstance(item, Variable) else item for item in value]
        return of_floatx(np.asarray(items), *items)
    return np.asarray(value)


def as_ndarray(value: Any) -> Any:
    """Return an array, of Python's numbers too: `config.floatx`, int32 or bool.

    A variable that is read in a trace is a tensor, of which NumPy makes tensors.
    """
    array = as_array(value)
    return array if isinstance(array, (np.ndarray, Tensor)) else of_floatx(np.asarray(array))


_WIDE = frozenset(np.dtype(name) for name in ("float64", "float16", "int64", "uint64"))


def of_floatx(result: Any, *inputs: Any) -> Any:
    """Return a result of NumPy's in Keras's type.

    It is of float64 or int64 only where an input is; else of `config.floatx` or int32, of which
    NumPy makes wider types, and of truth values narrower ones.
    """
    dtype = getattr(result, "dtype", None)
    if dtype not in _WIDE or dtype in _types(inputs):
        return result
    if dtype.kind == "f":
        return result.astype(config.floatx())
    narrow = np.int32 if dtype.kind == "i" else np.uint32
    limits = np.iinfo(narrow)
    if result.size and not (limits.min <= result.min() and result.max() <= limits.max):
        return result
    return result.astype(narrow)


def _types(arrays: Any) -> list[Any]:
    return [a.dtype for a in arrays if hasattr(a, "dtype")]


def computed(function: Callable[..., Any], *arrays: Any) -> Any:
    """Return what a function makes of arrays, in Keras's type.

    Of truth values alone NumPy computes in int8 or float16, Keras as of int32.
    """
    result = function(*arrays)
    if getattr(result, "dtype", None) in (np.int8, np.float16):
        types = _types(arrays)
        if np.dtype(bool) in types and result.dtype not in types:
            result = function(*(np.asarray(a).astype(np.int32) for a in arrays))
    return of_floatx(result, *arrays)


def elementwise(
    gradient: Callable[..., Sequence[Any]] | None,
    *,
    name: str | None = None,
    step: str | None = None,
    lower: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Any]:
    """Make an op of a function of arrays that acts element by element and broadcasts.

    Parameters
    ----------
    gradient
        As `Op` has it; sums over what was broadcast are added by themselves.
    name
        Default: that of the function.
    step, lower
        Default: the step of the operation's name.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        own = name or function.__name__
        op = Op(
            own, function, broadcast, gradient, step=None if lower else step or own, lower=lower
        )

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if kwargs:  # by name: x, x1, x2
                names = function.__code__.co_varnames[: function.__code__.co_argcount]
                args = (*args, *(kwargs.pop(k) for k in names[len(args) :] if k in kwargs))
                if kwargs:
                    raise TypeError(
                        f"{own}() got an unexpected keyword argument {next(iter(kwargs))!r}"
                    )
            for arg in args:
                if isinstance(arg, Tensor):
                    return op(*args)
            if holds_tensor(args):
                return op(*args)
            return computed(function, *(as_array(arg) for arg in args))

        call.op = op  # type: ignore[attr-defined]
        return call

    return decorate


def recorded(
    shape: Callable[..., tuple[Shape, int]],
    gradient: Callable[..., Sequence[Any]] | None,
    *,
    lower: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], Op]:
    """Make an `Op` of a function on arrays that is not elementwise; it has no public name."""

    def decorate(function: Callable[..., Any]) -> Op:
        return Op(function.__name__.strip("_"), function, shape, gradient, lower=lower)

    return decorate


def arrays_only(function: Callable[..., Any]) -> Any:
    """Mark a function that works on arrays alone: on tensors it raises NotTraceable."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if holds_tensor(args) or holds_tensor(tuple(kwargs.values())):
            raise NotTraceable(
                f"{where()}ops.{function.__name__} works on arrays only: in losses, metrics and "
                "layers, which are traced, there is no derivative for it; do it to the data "
                "before fit, or in a callback"
            )
        return function(*args, **kwargs)

    return call


def public(name: str, function: Callable[..., Any]) -> Any:
    """Let a function record itself on tensors of a model, and take variables in a trace."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if holds_symbolic(args) or (kwargs and holds_symbolic(kwargs.values())):
            return RECORDERS[0](f"ops.{name}", args, kwargs)
        if is_tracing():
            args = tuple([_read(arg) for arg in args])
            kwargs = {name: _read(value) for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return call


def _read(value: Any) -> Any:
    if isinstance(value, Variable):
        return as_tensor(value, trace_dtype())
    if isinstance(value, (list, tuple)) and any(isinstance(item, Variable) for item in value):
        return [_read(item) for item in value]
    return value


# --- shapes ----------------------------------------------------------------------------------


def broadcast(*tensors: Tensor, **attrs: Any) -> tuple[Shape, int]:
    """Return the shape and the fold that tensors have together.

    Raises
    ------
    ValueError
        If they do not fit, or a batch axis would meet another axis.
    """
    shaped = [t for t in tensors if t.shape]  # numbers fit everything
    if not shaped:
        return (), 1
    first = shaped[0]
    for t in shaped:
        if t.shape != first.shape or t.fold != first.fold:
            break
    else:
        return first.shape, first.fold
    rank = max(len(t.shape) for t in tensors)
    fold = 1
    dims: list[int | None] = []
    for axis in range(rank):
        found: int | None = 1
        for t in tensors:
            place = axis - rank + len(t.shape)
            if place < 0 or t.shape[place] == 1:
                continue
            dim = t.shape[place]
            if found != 1 and dim != found:
                raise ValueError(_misfit(tensors))
            found = dim
        dims.append(found)
    batched = [t for t in tensors if t.batched]
    if None in dims[1:] or len({t.fold for t in batched}) > 1:
        raise ValueError(_misfit(tensors))
    if batched:
        fold = batched[0].fold
    return tuple(dims), fold


def _misfit(tensors: Sequence[Tensor]) -> str:
    def shown(t: Tensor) -> str:
        first = "n" if t.fold == 1 else f"{t.fold}n"
        words = [first if d is None else str(d) for d in t.shape]
        return "(" + ", ".join(words) + ("," if len(words) == 1 else "") + ")"

    shapes = " and ".join(shown(t) for t in tensors)
    ranks = {len(t.shape) for t in tensors if t.batched}
    advice = "bring them to one shape with np.reshape, or x[:, None]"
    if len(ranks) > 1:
        advice = (
            "a reduction without keepdims=True has lost an axis; keep it, or write x[:, None]: "
            "(n,) against (n, 1) would be (n, n)"
        )
    elif any(t.shape and not t.batched for t in tensors):
        advice = "n is the number of rows of the batch, which changes: no array can have it"
    return f"{where()}shapes {shapes} do not fit each other: {advice}"


def axes_of(axis: Any, x: Tensor) -> tuple[int, ...]:
    """Return the axes that a reduction names, from 0; None is all."""
    if axis is None:
        return tuple(range(x.ndim))
    found = []
    for one in axis if isinstance(axis, (tuple, list)) else (axis,):
        one = int(one)
        if not -x.ndim <= one < x.ndim:
            raise ValueError(f"{where()}axis {one} is out of range for shape {x.shape}")
        found.append(one % x.ndim)
    if len(set(found)) < len(found):
        raise ValueError(f"{where()}axis={axis} names an axis twice")
    return tuple(sorted(found))
