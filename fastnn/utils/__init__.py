"""Helpers for preparing data, with Keras's names."""

from fastnn.callbacks.progress import Progbar
from fastnn.config import clear_session, set_random_seed
from fastnn.missing import explain_missing
from fastnn.utils.arrays import normalize, pad_sequences, split_dataset, to_categorical

__all__ = [
    "Progbar",
    "clear_session",
    "normalize",
    "pad_sequences",
    "set_random_seed",
    "split_dataset",
    "to_categorical",
]

explain_missing(__name__)
