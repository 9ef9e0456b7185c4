"""Models, weights and arrays in files: everything public about files under one name."""

from fastnn.missing import explain_missing
from fastnn.models.files import load_model, load_weights, save_model, save_weights
from fastnn.store import Dataset, FileFormatError, Group, Store, write_store

__all__ = [
    "Dataset",
    "FileFormatError",
    "Group",
    "Store",
    "load_model",
    "load_weights",
    "save_model",
    "save_weights",
    "write_store",
]

explain_missing(__name__)
