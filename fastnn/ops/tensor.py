"""Tensor: a value that is not known yet, a step of a trace.

Functions of `fastnn.ops` record themselves on tensors; so do NumPy's functions, operators and
methods, through its two protocols. What only numbers can do raises `NotTraceable`, which says what
to write instead.
"""

from __future__ import annotations

import itertools
import math
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastnn.ops.operation import Op

Shape = tuple["int | None", ...]

_serials = itertools.count()


class NotTraceable(TypeError):
    """Something was asked of a tensor that only numbers can answer."""


class Tensor:
    """A value of a trace: an operation, what it is applied to, and a shape.

    Attributes
    ----------
    op : Op
    args : tuple of Tensor
    attrs : dict
        The operation's constants: axes, shapes ...
    shape : tuple
        The batch axis, if there is one, is the first, and None.
    fold : int
        The batch axis counts so many rows for each sample: a flattened batch has more than one.
    dtype : numpy.dtype
    serial : int
        Grows with every tensor: sorting by it is a topological order.
    line : tuple or None
        File, line and function of the user's that made it.
    layer : str
        The layer whose call made it, or "".
    """

    __slots__ = ("args", "attrs", "dtype", "fold", "layer", "line", "op", "serial", "shape")

    def __init__(
        self,
        op: Op,
        args: tuple[Tensor, ...] = (),
        attrs: dict[str, Any] | None = None,
        shape: Shape = (),
        fold: int = 1,
        dtype: Any = "float32",
    ) -> None:
        self.op = op
        self.args = args
        self.attrs = attrs or {}
        self.shape = shape
        self.fold = fold
        self.dtype = np.dtype(dtype)  # which equals its name, as Keras has it
        self.serial = next(_serials)
        self.line = _users_line()
        self.layer = _layer.get()

    @property
    def batched(self) -> bool:
        """Whether the first axis is the batch."""
        return bool(self.shape) and self.shape[0] is None

    @property
    def sample(self) -> tuple[int, ...]:
        """The shape of one sample, or of all if there is no batch axis."""
        if not self.batched:
            return self.shape  # type: ignore[return-value]
        inner: tuple[int, ...] = self.shape[1:]  # type: ignore[assignment]
        return inner if self.fold == 1 else (self.fold, *inner)

    @property
    def elements(self) -> int:
        """How many elements one sample has, or all if there is no batch axis."""
        return math.prod(self.sample)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> Any:
        """The number of elements, a tensor if there is a batch axis."""
        from fastnn.ops.shapes import size

        return size(self)

    @property
    def T(self) -> Any:
        from fastnn.ops.shapes import transpose

        return transpose(self)

    def __repr__(self) -> str:
        return f"<Tensor {self.op.name} shape={self.shape}, dtype={self.dtype}>"

    # --- NumPy's protocols ---------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return PROTOCOLS["ufunc"](ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return PROTOCOLS["function"](function, args, kwargs)

    # --- what numbers can do and tensors cannot -------------------------------------------

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse(
            "become an array (for np.array, np.vectorize, an index, or a function that knows "
            "nothing of tensors, of SciPy, TensorFlow or PyTorch, say)",
            "use functions of fastnn.ops or np: np.stack([x, y], axis=-1) for np.array([x, y]), "
            "ops.take(w, labels) for w[labels], ops.one_hot(labels, n) for np.eye(n)[labels]",
        )

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> NoReturn:
        name = getattr(function, "__name__", "a function of torch")
        raise NotTraceable(
            f"{where()}torch.{name} knows nothing of tensors of fastnn: use fastnn.ops.{name} or "
            f"np.{name}"
        )

    def __tf_tensor__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse(
            "become a tensor of TensorFlow", "use the function of the same name in fastnn.ops or np"
        )

    def __bool__(self) -> NoReturn:
        self._refuse(
            "decide an `if`, `not`, `and`, `or`, max(x, 0) or min(x, 0)",
            "write np.where(condition, a, b), np.logical_not(a), np.logical_and(a, b), "
            "np.logical_or(a, b), np.maximum(x, 0) or np.minimum(x, 0)",
        )

    def __float__(self) -> NoReturn:
        self._refuse(
            "become a Python number",
            "compute with the tensor itself, and with np.sqrt, np.exp ... in place of math's",
        )

    def __format__(self, spec: str) -> str:
        if spec:
            self._refuse("be written as a number", "print it without a format, or after fit")
        return repr(self)

    def __int__(self) -> NoReturn:
        self._refuse("become a Python number", "compute with the tensor itself")

    def __index__(self) -> NoReturn:
        self._refuse(
            "be an index",
            "use ops.take(w, labels), np.take_along_axis, or np.where with a comparison",
        )

    def __len__(self) -> NoReturn:
        self._refuse("say its length", "use ops.shape(x)[0], the number of rows as a tensor")

    def __iter__(self) -> Any:
        if self.batched or not self.shape:
            self._refuse(
                "be gone through row by row, as `for`, sum(x) and list(x) do",
                "use np.sum(x, axis=...), or x[:, 0] for a column",
            )
        return (self[k] for k in range(self.sample[0]))  # type: ignore[index]

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        self._refuse("be changed in place", "write x = np.where(condition, value, x)")

    def numpy(self) -> NoReturn:
        """Raise NotTraceable: there are no numbers yet."""
        self._refuse("give its numbers", "compute with the tensor itself")

    def item(self) -> NoReturn:
        """Raise NotTraceable: there are no numbers yet."""
        self._refuse("give its number", "compute with the tensor itself")

    def tolist(self) -> NoReturn:
        """Raise NotTraceable: there are no numbers yet."""
        self._refuse("give its numbers", "compute with the tensor itself")

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise NotTraceable(
            f"{where()}a tensor of shape {self.shape} has no numbers yet and cannot {what}: "
            f"{instead}"
        )

    def __getattr__(self, name: str) -> Any:  # called only where the usual way has failed
        if name.startswith("__"):
            raise AttributeError(name)
        known = METHODS.get(name)
        if known is not None:
            return lambda *args, **kwargs: known(self, *args, **kwargs)
        raise AttributeError(
            f"{where()}a tensor has no attribute '{name}': use a function of fastnn.ops or np",
            name=name,
        )

    __hash__ = object.__hash__


METHODS: dict[str, Callable[..., Any]] = {}
"""The methods of tensors, by name; the files of ops fill it."""

RECORDERS: list[Callable[..., Any]] = []
"""What takes the name and the arguments of a function that is called on tensors of a model."""


def holds_symbolic(values: Any) -> bool:
    """Whether a tensor of a model is among arguments, in lists and tuples too."""
    for value in values:
        if isinstance(value, (list, tuple)):
            if holds_symbolic(value):
                return True
        elif getattr(type(value), "is_symbolic", False):
            return True
    return False


PROTOCOLS: dict[str, Callable[..., Any]] = {}
"""What NumPy's protocols call, "ufunc" and "function"; `fastnn.ops.numpy_names` fills it."""


def set_operator(name: str, function: Callable[..., Any]) -> None:
    """Give all tensors an operator such as ``__add__``."""
    setattr(Tensor, name, function)


# --- the user's line -------------------------------------------------------------------------

_INSIDE = (
    __file__.rsplit("ops", 1)[0],
    np.__path__[0].rsplit("numpy", 1)[0],
    "<__array_function__",
)
_quiet = ContextVar("quiet", default=False)
_layer = ContextVar("layer", default="")


@contextmanager
def within(layer: str) -> Iterator[None]:
    """Note of the tensors made within that this layer makes them."""
    token = _layer.set(layer)
    try:
        yield
    finally:
        _layer.reset(token)


@contextmanager
def without_lines() -> Iterator[None]:
    """Do not look for the user's line: the passes make tensors of their own."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)


def _users_line() -> tuple[str, int, str] | None:
    """Return file, line and function of the nearest caller that is not installed code."""
    if _quiet.get():
        return None
    frame: Any = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_INSIDE):
            return file, frame.f_lineno, frame.f_code.co_name
        frame = frame.f_back
    return None


def where() -> str:
    """Return ``"my_loss, line 12: "`` of the user's code that is running, or ``""``."""
    return describe(_users_line())


def describe(line: tuple[str, int, str] | None) -> str:
    if line is None:
        return ""
    file, number, function = line
    import linecache

    text = linecache.getline(file, number).strip()
    shown = f" ({text[:80]})" if text else ""
    return f"{function}, line {number}{shown}: "
