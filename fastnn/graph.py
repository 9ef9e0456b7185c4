"""The graph of a model: symbolic tensors, and the nodes that make them.

Calling a layer on symbolic tensors records a `Node`. Nodes know their layer; layers do not know
their nodes, so a layer called twice simply stands in two nodes. Serial numbers grow with every
call, hence sorting by them is a topological order.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from fastnn.layers.base import Layer

_serials = itertools.count()
_changes = 0


def changes() -> int:
    """Return how often a layer that may be in a graph has been changed: programs are made anew."""
    return _changes


def note_change() -> None:
    """Say that a layer computes something else from now on."""
    global _changes
    _changes += 1


def differs(owner: Any, name: str, value: Any) -> bool:
    """Whether an attribute is to become another value, as far as that is sure."""
    known = vars(owner).get(name, owner)
    plain = isinstance(value, (bool, int, float, str)) and type(value) is type(known)
    return known is not value and not (plain and known == value)


OPERATORS: dict[str, Any] = {}
"""What ``a + b``, ``activations.relu(a)`` ... do with tensors; the layers register themselves."""

SIGNS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "floordiv": "floor_divide", "mod": "mod", "matmul": "matmul", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal", "neg": "negative",
    "ne": "not_equal", "and": "logical_and", "or": "logical_or", "invert": "logical_not",
    "abs": "absolute", "getitem": "get_item",
}  # fmt: skip
"""The function of ops for each of Python's operators."""


class SymbolicTensor:
    """A value of the graph that has a shape but no numbers yet.

    Parameters
    ----------
    shape : tuple
        With the batch axis first, usually None: ``(None, 784)``.
    dtype : str
    name : str
    node : Node
        Who makes it; set by `Node`.
    index : int
        Its place among the outputs of that node.
    """

    def __init__(self, shape: Sequence[int | None], *, dtype: str, name: str) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.name = name
        self.node: Node = None  # type: ignore[assignment]
        self.index = 0

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def T(self) -> Any:
        return OPERATORS["function"]("ops.transpose", (self,), {})

    def __pos__(self) -> SymbolicTensor:
        return self

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """The shape of one sample: without the batch axis."""
        return self.shape[1:]  # type: ignore[return-value]

    def activate(self, function: Any, options: dict[str, Any]) -> SymbolicTensor:
        """Return the tensor that an activation function makes of this one."""
        return OPERATORS["activate"](self, function, options)

    is_symbolic = True

    def _no_numbers(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            f"Tensor '{self.name}' of shape {self.shape} has no numbers yet, it describes a "
            "model: use layers, functions of fastnn.ops and NumPy, and operators on it, not `if`, "
            "loops or float()"
        )

    __array__ = __bool__ = __float__ = __int__ = __len__ = __iter__ = _no_numbers

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if method != "__call__":
            self._no_numbers()
        return OPERATORS["function"](f"np.{name}", inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if function.__module__ != "numpy":
            name = f"{function.__module__.removeprefix('numpy.')}.{name}"
        return OPERATORS["function"](f"np.{name}", args, kwargs)

    if not TYPE_CHECKING:  # type checkers would take every name for an attribute

        def __getattr__(self, name: str) -> Any:  # called only where the usual way has failed
            if name.startswith("_") or f"tensor.{name}" not in OPERATORS["names"]:
                raise AttributeError(f"a tensor of a model has no attribute '{name}'", name=name)
            return lambda *args, **kwargs: OPERATORS["function"](
                f"tensor.{name}", (self, *args), kwargs
            )

    def __repr__(self) -> str:
        return f"<SymbolicTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


def _operator(function: str, *, reflected: bool = False) -> Callable[..., Any]:
    def operator(self: SymbolicTensor, *others: Any) -> Any:
        given = (*others, self) if reflected else (self, *others)
        return OPERATORS["function"](f"ops.{function}", given, {})

    return operator


for _sign, _function in SIGNS.items():
    setattr(SymbolicTensor, f"__{_sign}__", _operator(_function))
    if _sign in ("add", "sub", "mul", "truediv", "pow", "floordiv", "mod", "matmul", "and", "or"):
        setattr(SymbolicTensor, f"__r{_sign}__", _operator(_function, reflected=True))


class Node:
    """One call of a layer.

    Parameters
    ----------
    layer : Layer
    inputs, outputs : list of SymbolicTensor
    call
        Where the inputs stand among the arguments; None: they are one input or a list.
    inner : list of Node
        For the call of a model: its nodes, replayed on `inputs`. The program sees only them; the
        outer node is what ``model.layers`` and the summary show.
    """

    def __init__(
        self,
        layer: Layer,
        inputs: Iterable[SymbolicTensor],
        outputs: Iterable[SymbolicTensor],
        *,
        inner: Sequence[Node] = (),
        call: Any = None,
    ) -> None:
        self.layer = layer
        self.call = call
        self.inputs = list(inputs)
        self.outputs = list(outputs)
        self.inner = list(inner)
        self.serial = next(_serials)
        for index, tensor in enumerate(self.outputs):
            tensor.node = self
            tensor.index = index

    def __repr__(self) -> str:
        return f"<Node {self.serial}: {self.layer.name}>"


def outer_nodes(
    outputs: Iterable[SymbolicTensor], until: Iterable[SymbolicTensor] = ()
) -> list[Node]:
    """Return the nodes that `outputs` depend on, by serial; a called model is one node.

    The walk does not go behind the tensors in `until`.
    """
    stop = {id(tensor) for tensor in until}
    found: dict[int, Node] = {}
    pending = [tensor for tensor in outputs if id(tensor) not in stop]
    while pending:
        node = pending.pop().node
        if node.serial not in found:
            found[node.serial] = node
            pending.extend(tensor for tensor in node.inputs if id(tensor) not in stop)
    return [found[serial] for serial in sorted(found)]


def ancestors(
    outputs: Iterable[SymbolicTensor], until: Iterable[SymbolicTensor] = ()
) -> list[Node]:
    """Return the nodes that `outputs` depend on, by serial; models are dissolved into theirs."""

    def dissolve(nodes: Iterable[Node]) -> Iterable[Node]:
        for node in nodes:
            if node.inner:
                yield from dissolve(node.inner)
            else:
                yield node

    outputs = list(outputs)
    nodes = list(dissolve(outer_nodes(outputs, until)))
    # A model with several outputs may have branches that nobody asked for.
    wanted = {id(tensor) for tensor in outputs}
    kept = []
    for node in sorted(nodes, key=lambda node: node.serial, reverse=True):
        if any(id(tensor) in wanted for tensor in node.outputs):
            wanted.update(id(tensor) for tensor in node.inputs)
            kept.append(node)
    return kept[::-1]


def by_depth(inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> list[Layer]:
    """Return the layers of a model in Keras's order: farthest from the outputs first.

    A layer's depth is its longest way to an output; layers of equal depth stand in the order in
    which a walk from the outputs towards the inputs meets them.
    """
    met: dict[int, Layer] = {}
    finished: list[Node] = []  # producers before consumers
    seen: set[int] = set()
    path: list[tuple[Node, Iterator[SymbolicTensor]]] = []

    def enter(node: Node) -> None:
        if node.serial not in seen:
            seen.add(node.serial)
            met.setdefault(id(node.layer), node.layer)
            path.append((node, iter(node.inputs)))

    for output in outputs:
        enter(output.node)
        while path:
            node, rest = path[-1]
            tensor = next(rest, None)
            if tensor is None:
                finished.append(node)
                path.pop()
            else:
                enter(tensor.node)

    depth: dict[int, int] = {}  # of a layer
    node_depth: dict[int, int] = {}
    for node in reversed(finished):
        mine = max(node_depth.get(node.serial, 0), depth.get(id(node.layer), 0))
        depth[id(node.layer)] = mine
        for tensor in node.inputs:
            serial = tensor.node.serial
            node_depth[serial] = max(node_depth.get(serial, 0), mine + 1)
    unused = [tensor.node.layer for tensor in inputs if tensor.node.serial not in seen]
    layers = unused + list(met.values())
    return sorted(layers, key=lambda layer: -depth.get(id(layer), 0))  # a stable sort


def replay(nodes: Iterable[Node], values: dict[int, SymbolicTensor]) -> list[Node]:
    """Record the same calls again on other tensors.

    Parameters
    ----------
    nodes : iterable of Node
        In topological order, without input layers.
    values : dict
        From ``id(tensor)`` to the tensor that takes its place; the outputs are added to it.

    Returns
    -------
    list of Node
    """
    made = []
    for node in nodes:
        inputs = [values[id(tensor)] for tensor in node.inputs]
        outputs = [
            SymbolicTensor(tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in node.outputs
        ]
        if node.inner:
            within = {id(old): new for old, new in zip(node.inputs, inputs, strict=True)}
            inner = replay(node.inner, within)
            outputs = [within[id(tensor)] for tensor in node.outputs]
        else:
            inner = []
        made.append(Node(node.layer, inputs, outputs, inner=inner, call=node.call))
        values.update((id(old), new) for old, new in zip(node.outputs, outputs, strict=True))
    return made
