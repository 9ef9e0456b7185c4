"""Parameters: named arrays that layers own, engines compute with and optimizers update."""

from __future__ import annotations

import math
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fastnn import config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ALIGNMENT = 64  # bytes: a cache line, and one vector of the C kernels
PAGE = 4096  # rows that lie this far apart share a cache set


def aligned_zeros(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return a zeroed C-ordered array whose first element lies on a cache line."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def row_stride(columns: int, dtype: Any) -> int:
    """Return the distance of two rows, in elements: whole cache lines, never whole pages.

    Rows of one element follow each other: a matrix of one column is a vector.

    Rows a multiple of a page apart compete for the same few cache sets; one line of padding
    spreads them (measured: a factor of four on matrices 2048 wide).
    """
    if columns == 1:
        return 1
    itemsize = np.dtype(dtype).itemsize
    size = -(-columns * itemsize // ALIGNMENT) * ALIGNMENT
    if size % PAGE == 0 and size:
        size += ALIGNMENT
    return size // itemsize


_initialized = ContextVar("initialized", default=True)


@contextmanager
def uninitialized() -> Iterator[None]:
    """Leave the variables made within at zero: their values are about to be loaded.

    Zeros that nobody wrote take no memory, so that a file which claims a huge model is found out
    before it does harm.
    """
    token = _initialized.set(False)
    try:
        yield
    finally:
        _initialized.reset(token)


_trace: ContextVar[dict[Variable, Any] | None] = ContextVar("trace", default=None)
_trace_dtype = ContextVar("trace_dtype", default="float32")

as_leaf: list[Callable[[Variable, str], Any]] = []
"""What makes a tensor of a variable that is read in a trace; `fastnn.ops` gives it."""


@contextmanager
def tracing(dtype: str) -> Iterator[dict[Variable, Any]]:
    """Let variables be read as tensors within; yields what is assigned to them, by variable.

    A later read sees what was assigned; the variables themselves do not change.
    """
    assigned: dict[Variable, Any] = {}
    tokens = _trace.set(assigned), _trace_dtype.set(dtype)
    try:
        yield assigned
    finally:
        _trace.reset(tokens[0])
        _trace_dtype.reset(tokens[1])


def is_tracing() -> bool:
    return _trace.get() is not None


def trace_dtype() -> str:
    return _trace_dtype.get()


def _of_value(name: str) -> Callable[..., Any]:
    """Return the operator of this name for variables: that of the value."""

    def operator(self: Variable, *others: Any) -> Any:
        if _trace.get() is None and not any(isinstance(x, Variable) for x in others):
            return getattr(self._value, name)(*others)
        others = tuple(x.value if isinstance(x, Variable) else x for x in others)
        return getattr(self.value, name)(*others)

    return operator


class Variable:
    """A parameter of a layer: one that is set as an attribute is a weight of it.

    ``value`` is what everybody reads and writes: an array of the variable's shape. It is a view
    into ``buffer``, which is aligned and whose rows are padded with zeros for the kernels: a
    variable of rank 2 has one buffer row per row, every other rank is flattened into one row.

    Arithmetic, comparing by order and indexing give NumPy arrays of their own; two variables are
    equal if they are the same one.

    Parameters
    ----------
    initializer : array_like or callable, optional
        The value, or what is called as ``initializer(shape, dtype=dtype)``; by default zeros.
    shape : tuple of int
        Of a variable with a callable initializer; else that of the value.
    dtype : str, optional
        Default `config.floatx`.
    trainable : bool
    name : str, optional
        ``"kernel"``, ``"bias"`` ...; default ``"variable"``, numbered.
    autocast, aggregation
        Without effect: there is one type, and one process.
    path : str
        Unique within a model: ``"dense_1/kernel"``.
    flat : bool
        Lay a variable of rank 2 out as one row, for elementwise use.
    regularizer, constraint : optional
        Applied by the training program.

    Raises
    ------
    ValueError
        Without a shape, if the initializer has none either, or for another one than the value's.

    Examples
    --------
    >>> from fastnn import Variable, initializers
    >>> Variable([1.0, 2.0], trainable=False).numpy().tolist()
    [1.0, 2.0]
    >>> Variable(initializers.Ones(), shape=(2,), dtype="float64").numpy().tolist()
    [1.0, 1.0]
    """

    def __init__(
        self,
        initializer: Any = None,
        shape: Sequence[int] | int | None = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str = "none",
        name: str | None = None,
        *,
        path: str | None = None,
        flat: bool = False,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        self.is_named = bool(name)  # else a layer that takes it gives it a name of its own
        self.name = name or config.unique_name("variable")
        self.path = path or self.name
        self.dtype = np.dtype(dtype or config.floatx()).name
        given = None if initializer is None or callable(initializer) else self._array(initializer)
        if shape is None:
            if given is None:
                raise ValueError(
                    f"Variable '{self.path}': give the value, or a shape: Variable([0.0, 0.0]) or "
                    "Variable(initializers.Zeros(), shape=(2,))"
                )
            shape = given.shape
        self.shape = (shape,) if isinstance(shape, int) else tuple(int(n) for n in shape)
        if any(n < 0 for n in self.shape):
            raise ValueError(
                f"Variable '{self.path}': shape must be lengths from 0, got {self.shape}"
            )
        if given is not None and given.shape != self.shape:
            raise ValueError(
                f"Variable '{self.path}': the value has shape {given.shape}, the variable "
                f"{self.shape}: leave one of them out"
            )
        self.trainable = bool(trainable)
        self.regularizer = regularizer
        self.constraint = constraint
        if len(self.shape) == 2 and not flat:
            rows, columns = self.shape
        else:
            rows, columns = 1, math.prod(self.shape)
        self.rows, self.columns = rows, columns
        self.buffer = aligned_zeros((rows, row_stride(columns, self.dtype)), self.dtype)
        self._value = self.view(self.buffer)
        if given is not None:
            self._value[...] = given
        elif callable(initializer) and _initialized.get():
            self._value[...] = initializer(self.shape, dtype=self.dtype)

    def _array(self, value: Any) -> np.ndarray:
        if isinstance(value, str):
            raise ValueError(
                f"Variable '{self.path}': initializer is a value or a function, got {value!r}: "
                f"pass initializers.get({value!r})"
            )
        return np.asarray(getattr(value, "value", value), self.dtype)

    def view(self, buffer: np.ndarray) -> np.ndarray:
        """Return `buffer`, laid out like this variable's own, in the variable's shape."""
        matrix = buffer[:, : self.columns]
        return matrix if matrix.shape == self.shape else matrix.reshape(self.shape)

    def like(self) -> np.ndarray:
        """Return a zeroed buffer laid out like this variable's: a gradient, an optimizer slot."""
        return aligned_zeros(self.buffer.shape, self.dtype)

    @property
    def value(self) -> np.ndarray:
        """The array itself, not a copy; in a trace, the tensor that stands for it."""
        assigned = _trace.get()
        if assigned is not None:
            known = assigned.get(self)
            return as_leaf[0](self, _trace_dtype.get()) if known is None else known
        return self._value

    @value.setter
    def value(self, value: Any) -> None:  # the engines would not see another array
        raise AttributeError(f"Variable '{self.path}': use variable.assign(value) to set its value")

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def numpy(self) -> np.ndarray:
        """Return a copy of the value; in a trace there is none, and the tensor says so."""
        return self.value.copy() if _trace.get() is None else self.value.numpy()  # type: ignore[attr-defined]

    def assign(self, value: Any) -> None:
        """Set the value; raises ValueError if the shape differs."""
        assigned = _trace.get()
        if assigned is not None:
            if isinstance(value, Variable):
                value = value.value
            shape = tuple(getattr(value, "shape", ()))
            if shape and shape != self.shape:
                raise ValueError(
                    f"Variable '{self.path}' has shape {self.shape}, got a value of shape {shape}: "
                    "reduce it first"
                )
            assigned[self] = value
            return
        value = np.asarray(value, dtype=self.dtype)
        if value.shape != self.shape:
            raise ValueError(
                f"Variable '{self.path}' has shape {self.shape}, got a value of shape "
                f"{value.shape}: pass an array of exactly that shape"
            )
        self._value[...] = value

    def assign_add(self, value: Any) -> None:
        """Add to the value; raises ValueError if the sum has another shape."""
        self.assign(self.value + _plain(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value; raises ValueError if the difference has another shape."""
        self.assign(self.value - _plain(value))

    __add__, __radd__ = _of_value("__add__"), _of_value("__radd__")
    __sub__, __rsub__ = _of_value("__sub__"), _of_value("__rsub__")
    __mul__, __rmul__ = _of_value("__mul__"), _of_value("__rmul__")
    __truediv__, __rtruediv__ = _of_value("__truediv__"), _of_value("__rtruediv__")
    __pow__, __rpow__ = _of_value("__pow__"), _of_value("__rpow__")
    __matmul__, __rmatmul__ = _of_value("__matmul__"), _of_value("__rmatmul__")
    __lt__, __le__ = _of_value("__lt__"), _of_value("__le__")
    __gt__, __ge__ = _of_value("__gt__"), _of_value("__ge__")
    __neg__, __len__ = _of_value("__neg__"), _of_value("__len__")
    __float__ = _of_value("__float__")

    def __getitem__(self, index: Any) -> Any:
        return self.value[index].copy()

    def _in_place(self, other: Any) -> NoReturn:  # or layer.kernel would become an array
        raise TypeError(
            f"Variable '{self.path}' does not change in place: use variable.assign(new_value)"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = __imatmul__ = _in_place

    if not TYPE_CHECKING:  # type checkers would take every name for an attribute

        def __getattr__(self, name: str) -> Any:  # called only where the usual way has failed
            hint = f": use variable.numpy().{name}" if hasattr(np.ndarray, name) else ""
            raise AttributeError(f"'Variable' object has no attribute '{name}'{hint}", name=name)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        del state["_value"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Keep, in a copy, the buffer aligned and the value a view of it."""
        self.__dict__.update(state)
        self.buffer = self.like()
        self.buffer[...] = state["buffer"]
        self._value = self.view(self.buffer)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype, copy=True)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """Let NumPy compute with the value: in a trace with the tensor that stands for it."""
        return getattr(ufunc, method)(*map(_value_of, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*map(_value_of, args), **{k: _value_of(v) for k, v in kwargs.items()})

    def __repr__(self) -> str:
        return f"<Variable {self.path} shape={self.shape} dtype={self.dtype}>"


def _value_of(item: Any) -> Any:
    """Return the value of a variable, and of those in a list or tuple; all else as it is."""
    if isinstance(item, (list, tuple)):
        return type(item)(map(_value_of, item))
    return item.value if isinstance(item, Variable) else item


def _plain(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.value
    return value if _trace.get() is not None else np.asarray(value)
