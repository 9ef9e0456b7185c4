"""Arrays in files, with paths and attributes as HDF5 has them; ``fastnn.saving`` shows it.

Data flow: named arrays and attributes (groups.py) -> a checked archive (npz.py) in a file that
appears whole or not at all (atomic.py).
"""

from fastnn.store.groups import Dataset, Group, Store, write_store
from fastnn.store.npz import FileFormatError

__all__ = ["Dataset", "FileFormatError", "Group", "Store", "write_store"]
