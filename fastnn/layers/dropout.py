"""Dropout: random zeros in training, against overfitting."""

from __future__ import annotations

from typing import Any

from fastnn import random
from fastnn.layers.base import Layer


class Dropout(Layer):
    """Set a random share of the inputs to zero in training and scale up the rest.

    Parameters
    ----------
    rate : float
        Share of zeros, 0 <= rate <= 1. The others are multiplied by ``1 / (1 - rate)``, so that
        sums keep their mean; outside training the layer does nothing.
    noise_shape : tuple, optional
        What is dropped together: (None, 1, 8) drops whole features of inputs (n, steps, 8). The
        first length is None, for the batch; None elsewhere is a length of the inputs.
    seed : int, optional
        Kept for the configuration: the zeros are a function of the model's seed, the training
        step and the layer's place, so `fastnn.set_random_seed` makes them repeatable.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 1, or the noise shape is none.

    Notes
    -----
    Each element draws 16 random bits, so the share of zeros is `rate` rounded down to a multiple
    of 1/65536: sums keep their mean to 3 parts in 100,000 for rates up to 0.5, to 2 in 1,000 for
    0.99.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", 2014.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        is_number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
        if not is_number or not 0 <= rate <= 1:
            raise ValueError(f"Dropout '{self.name}': rate must be from 0 to 1, got {rate!r}")
        if noise_shape is not None:
            lengths = noise_shape if isinstance(noise_shape, (list, tuple)) else (0,)
            if not lengths or lengths[0] is not None or not all(map(_is_length, lengths)):
                raise ValueError(
                    f"Dropout '{self.name}': noise_shape must be (None, ...), None or a positive "
                    f"length for each axis behind that of the batch, got {noise_shape!r}"
                )
            noise_shape = tuple(lengths)
        self.noise_shape = noise_shape
        self.rate = rate
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, self.noise_shape, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": shape,
            "seed": self.seed,
        }


def _is_length(length: Any) -> bool:
    return length is None or (type(length) is int and length > 0)
