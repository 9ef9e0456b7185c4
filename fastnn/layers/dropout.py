"""Dropout: random zeros in training, against overfitting."""

from __future__ import annotations

from typing import Any

from fastnn import random
from fastnn.layers.base import Layer
from fastnn.missing import refuse


class Dropout(Layer):
    """Set a random share of the inputs to zero in training and scale up the rest.

    Parameters
    ----------
    rate : float
        Share of zeros, 0 <= rate <= 1. The others are multiplied by ``1 / (1 - rate)``, so that
        sums keep their mean; outside training the layer does nothing.
    seed : int, optional
        Kept for the configuration: the zeros are a function of the model's seed, the training
        step and the layer's place, so `fastnn.set_random_seed` makes them repeatable.

    Raises
    ------
    ValueError
        If the rate is not between 0 and 1.

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
        refuse(f"Dropout '{self.name}'", {"noise_shape": noise_shape})
        self.rate = rate
        self.seed = seed
        self.seed_generator = random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate == 0:
            return inputs
        return random.dropout(inputs, self.rate, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
