"""Embedding: a learned row of numbers for each whole number."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn import initializers, ops
from fastnn.layers.base import Layer
from fastnn.missing import refuse


class Embedding(Layer):
    """Turn whole numbers, such as those of words, into rows of a table that is learned.

    Parameters
    ----------
    input_dim : int
        Number of rows: the largest whole number of the data, and one.
    output_dim : int
        Length of a row.
    embeddings_initializer : str, Initializer or callable
        First values of the table, of shape (input_dim, output_dim).
    input_length
        Older Keras's; the shape is that of the input.

    Raises
    ------
    ValueError
        If a size is not a positive integer.
    IndexError
        In training and predicting, if the data holds another number than 0 .. input_dim - 1.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.layers import Embedding
    >>> Embedding(1000, 16)(np.array([[4, 20, 0]])).shape
    (1, 3, 16)

    Notes
    -----
    The whole table is updated in every step, as in Keras: with momentum or Adam rows that a batch
    does not name move on.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("input_length", None)
        later = {name: kwargs.pop(name, None) for name in ("weights", "lora_rank", "lora_alpha")}
        super().__init__(**kwargs)
        who = f"Embedding '{self.name}'"
        for name, value in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
                raise ValueError(f"{who}: {name} must be a positive integer, got {value!r}")
        refuse(who, {
            "embeddings_regularizer": embeddings_regularizer,
            "embeddings_constraint": embeddings_constraint, "mask_zero": mask_zero or None, **later,
        })  # fmt: skip
        self.input_dim, self.output_dim = int(input_dim), int(output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)

    def build(self, input_shape: Any = None) -> None:
        """Make the table."""
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim), self.embeddings_initializer, name="embeddings"
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self.output_dim)

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, ops.Tensor):
            indices = np.asarray(inputs)
            whole = indices == np.floor(indices)
            if not ((indices >= 0) & (indices < self.input_dim) & whole).all():
                raise IndexError(
                    f"Embedding '{self.name}': expected whole numbers from 0 to "
                    f"{self.input_dim - 1}, got {indices.min():g} to {indices.max():g}: give it "
                    "more rows (input_dim), or number what the data names from 0"
                )
        return ops.take(self.embeddings, inputs, axis=0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
        }
