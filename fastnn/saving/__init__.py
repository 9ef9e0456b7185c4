"""Models and weights in files: an ``.npz`` store with paths and attributes, as HDF5 has them.

Data flow: a model's configuration and arrays (model.py) -> named arrays and attributes (store.py)
-> a checked archive (npz.py) in a file that appears whole or not at all (atomic.py).
"""

from fastnn.saving.model import load_model, load_weights, save_model, save_weights
from fastnn.saving.npz import FileFormatError
from fastnn.saving.store import Dataset, Group, Store, write_store

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
