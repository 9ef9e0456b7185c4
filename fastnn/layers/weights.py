"""The weights of a layer: made, frozen, counted, read and set."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn import initializers
from fastnn.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastnn.layers.base import Layer


class LayerWeights:
    """The weights of a `Layer`, which says what it computes with them."""

    name: str
    dtype: str
    built: bool
    _trainable: bool
    _weights: list[tuple[Variable, bool]]  # with: made as trainable
    _sublayers: list[Layer]
    _holders: dict[str, Any]  # attributes that are layers, or lists or dicts that may hold some

    def add_weight(
        self,
        shape: Sequence[int] | int | None = None,
        initializer: Any = "glorot_uniform",
        dtype: str | None = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
        *,
        flat: bool = False,
    ) -> Variable:
        """Make a weight, to be called in `build`.

        Parameters
        ----------
        shape : tuple of int
        initializer : str, Initializer or callable
        dtype : str, optional
            Default the layer's.
        trainable : bool
        regularizer, constraint : callable, optional
        name : str, optional
            ``"kernel"`` ...; default ``"variable"``, numbered.
        flat : bool
            See `Variable`.

        Returns
        -------
        Variable

        Examples
        --------
        >>> from fastnn.layers import Layer
        >>> layer = Layer()
        >>> layer.add_weight((2, 3), initializer="ones", name="kernel").value.sum().item()
        6.0
        """
        names = {variable.name for variable, _ in self._weights}
        if name is None:
            count = len(names)
            name = f"variable_{count}" if count else "variable"
        if name in names:
            raise ValueError(f"Layer '{self.name}' already has a weight named {name!r}")
        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if any(n is None for n in shape):
            raise ValueError(
                f"{type(self).__name__} '{self.name}': weight {name!r} needs a known shape, "
                f"got {shape}"
            )
        try:
            variable = Variable(
                self._checked(name, initializers.get(initializer)),
                shape,
                dtype or self.dtype,
                trainable and self._trainable,
                name=name,
                path=f"{self.name}/{name}",
                flat=flat,
                regularizer=regularizer,
                constraint=constraint,
            )
        except MemoryError as error:
            raise MemoryError(
                f"{type(self).__name__} '{self.name}': no memory for weight {name!r} of shape "
                f"{shape}: {error}; make the layer, or its input, smaller"
            ) from None
        self._weights.append((variable, bool(trainable)))
        return variable

    def _adopt(self, variable: Variable) -> None:
        """Make a variable that no layer has yet a weight of this one."""
        if "/" in variable.path:
            return
        names = {known.name for known, _ in self._weights}
        stem = variable.name if variable.is_named else "variable"
        free = (f"{stem}_{k}" if k else stem for k in itertools.count())
        variable.name = next(name for name in free if name not in names)
        variable.path = f"{self.name}/{variable.name}"
        self._weights.append((variable, variable.trainable))
        variable.trainable = variable.trainable and self._trainable

    def _checked(self, name: str, initializer: Any) -> Any:
        """Return the initializer with an error that teaches if what it draws does not fit."""

        def draw(shape: tuple[int, ...], dtype: str) -> np.ndarray:
            try:
                drawn = np.asarray(initializer(shape, dtype=dtype))
            except TypeError as error:
                raise TypeError(
                    f"{type(self).__name__} '{self.name}': cannot initialize {name!r}: {error}; "
                    "an initializer is called as initializer(shape, dtype=...)"
                ) from error
            if drawn.shape != shape:
                raise ValueError(
                    f"{type(self).__name__} '{self.name}': the initializer of {name!r} must "
                    f"return an array of shape {shape}, got {drawn.shape}"
                )
            return drawn

        return draw

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights. Set it before `compile`."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for variable, made_trainable in self._weights:
            variable.trainable = made_trainable and self._trainable
        for layer in self.direct_layers():
            layer.trainable = value

    @property
    def weights(self) -> list[Variable]:
        """All weights: those made to be trained, then the others, then those of inner layers."""
        mine = [v for v, trained in self._weights if trained]
        mine += [v for v, trained in self._weights if not trained]
        found = {id(v): v for v in mine}
        for layer in self.direct_layers():
            found.update((id(v), v) for v in layer.weights)
        return list(found.values())

    def named_layers(self, *, by_place: bool = False) -> list[tuple[str, Layer]]:
        """Return the layers within: those of a model, and those in attributes by their places.

        `by_place`: those of a model, too; a model within a layer is made anew, with other names.
        """
        found = [
            (f"layer_{k}" if by_place else layer.name, layer)
            for k, layer in enumerate(self._sublayers)
        ]
        pending = [(name, value) for name, value in self._holders.items()][::-1]
        while pending:
            name, item = pending.pop()
            if isinstance(item, LayerWeights):
                if not any(item is layer for _, layer in found):
                    found.append((name, item))  # type: ignore[arg-type]
            elif isinstance(item, (list, tuple)):
                pending += [(f"{name}_{k}", one) for k, one in enumerate(item)][::-1]
            elif isinstance(item, dict):
                pending += [(f"{name}_{key}", one) for key, one in item.items()][::-1]
        return found

    def direct_layers(self) -> list[Layer]:
        """Return the layers within, not those within them."""
        return [layer for _, layer in self.named_layers()] if self._holders else self._sublayers

    def name_weights(self, path: str) -> None:
        """Let the weights of layers in attributes be named after their places, below a path."""
        for name, layer in self.named_layers(by_place=True):
            for variable, _ in layer._weights:
                variable.path = f"{path}/{name}/{variable.name}"
            layer.name_weights(f"{path}/{name}")

    @property
    def inner_layers(self) -> list[Layer]:
        """The layers within, and those within them."""
        found: list[Layer] = []
        for layer in self.direct_layers():
            found += [layer, *layer.inner_layers]
        return found

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        if not self._holders and not self._sublayers:
            return [v for v, _ in self._weights if v.trainable]
        if not self._sublayers and not self._trainable:
            return []  # whatever the layers in its attributes say
        found = {id(v): v for v, _ in self._weights if v.trainable}
        for layer in self.direct_layers():
            found.update((id(v), v) for v in layer.trainable_weights)
        return list(found.values())

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    def get_weights(self) -> list[np.ndarray]:
        """Return copies of the weights, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set all weights, in the order of `weights`.

        Raises
        ------
        TypeError
            If it is no list.
        ValueError
            If the number of arrays or a shape does not fit; then nothing is changed.
        """
        variables = self.weights
        who = f"{type(self).__name__} '{self.name}'"
        if not hasattr(weights, "__len__"):
            raise TypeError(
                f"{who}: set_weights takes a list of arrays, as get_weights() returns it, got "
                f"{type(weights).__name__}"
            )
        if len(weights) != len(variables):
            state = "" if variables or self.built else ": it is not built yet, call build() first"
            raise ValueError(
                f"{who} has {len(variables)} weights, got {len(weights)} arrays{state}"
            )
        arrays = [np.asarray(value) for value in weights]
        for variable, array in zip(variables, arrays, strict=True):
            if array.shape != variable.shape:
                raise ValueError(
                    f"{who}: weight '{variable.path}' has shape {variable.shape}, got an array "
                    f"of shape {array.shape}"
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """Return how many numbers the weights hold.

        Raises
        ------
        ValueError
            If the layer is not built, so that nobody knows.
        """
        if not self.built:
            raise ValueError(
                f"{type(self).__name__} '{self.name}' is not built yet, so its weights are not "
                "known: call it on a tensor, or build(input_shape)"
            )
        return sum(variable.size for variable in self.weights)
