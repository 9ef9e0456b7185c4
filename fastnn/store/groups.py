"""The store: named arrays in groups that carry attributes, in one ``.npz`` file.

It is what HDF5 is used for in Keras, with nothing but numpy. A file holds

- one member ``<path>.npy`` for each array, stored uncompressed, so that
  ``np.load(file)["layers/dense_1/kernel"]`` works without fastnn;
- one member ``manifest.json``: format and version, the attributes of every group, and dtype,
  shape and SHA-256 of every array.

Nothing else is allowed in it. Reading runs no code, imports nothing, and allocates no more than
the file justifies.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.store.atomic import atomic_write
from fastnn.store.npz import DTYPES, Archive, is_safe_path

if TYPE_CHECKING:
    from types import TracebackType

FORMAT = "fastnn store"
VERSION = 1
MANIFEST = "manifest.json"
MAX_MANIFEST = 64 << 20  # bytes


def write_store(
    path: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    attributes: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Write a store, atomically.

    Parameters
    ----------
    path : path
        Used as it is: no suffix is added.
    arrays : dict
        ``{"layers/dense_1/kernel": array}``; numbers and booleans only.
    attributes : dict, optional
        ``{"layers/dense_1": {"class_name": "Dense"}}``, with ``""`` for the root. Values are
        whatever JSON can say, NaN and infinities excluded. A group needs no attributes: the
        parents of an array exist anyway.

    Raises
    ------
    ValueError
        For a name or a value that cannot be stored. Nothing has been written then.

    Examples
    --------
    >>> write_store("a.npz", {"group/x": np.arange(3.0)}, {"group": {"unit": "m"}})
    >>> with Store("a.npz") as store:
    ...     print(store["group/x"][...], store["group"].attrs["unit"])
    [0. 1. 2.] m
    """
    import hashlib
    import zipfile

    groups: dict[str, dict[str, Any]] = {"": {}}
    datasets: dict[str, dict[str, Any]] = {}
    contents: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        _add_groups(name, groups, whole=False)
        content = np.asarray(array, order="C")
        content = content.astype(content.dtype.newbyteorder("<"), copy=False)
        if content.dtype.str not in DTYPES:
            raise ValueError(f"Array '{name}' of type {content.dtype} cannot be stored")
        contents[name] = content
        datasets[name] = {
            "dtype": content.dtype.str,
            "shape": list(content.shape),
            "sha256": hashlib.sha256(content.data if content.size else b"").hexdigest(),
        }
    for name, values in (attributes or {}).items():
        if name:
            _add_groups(name, groups, whole=True)
        groups[name] = _as_json(values, name or "attribute")
    clash = groups.keys() & datasets.keys()
    if clash:
        raise ValueError(f"'{min(clash)}' cannot be both an array and a group")
    manifest = json.dumps(
        {"format": FORMAT, "version": VERSION, "groups": groups, "datasets": datasets},
        allow_nan=False, indent=1,
    ).encode()  # fmt: skip
    if len(manifest) > MAX_MANIFEST:
        raise ValueError(f"The attributes take {len(manifest)} bytes, more than {MAX_MANIFEST}")

    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        # ZipInfo's fixed default date: equal models make equal files.
        archive.writestr(zipfile.ZipInfo(MANIFEST), manifest)
        for name, content in contents.items():
            large = content.nbytes >= 1 << 31
            with archive.open(zipfile.ZipInfo(name + ".npy"), "w", force_zip64=large) as stream:
                np.lib.format.write_array(stream, content, version=(1, 0), allow_pickle=False)


def _as_json(value: Any, where: str) -> Any:
    """Return `value` in JSON's types; a ValueError says `where` something else stands."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _as_json(item, f"{where}/{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item, f"{where}/{number}") for number, item in enumerate(value)]
    if isinstance(value, float) and not np.isfinite(value):
        raise ValueError(f"Cannot store {where} = {value}: JSON has finite numbers only")
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise ValueError(
        f"Cannot store {where} = {value!r}: attributes are numbers, strings, None, and lists and "
        "dicts of them"
    )


def _add_groups(name: str, groups: dict[str, dict[str, Any]], *, whole: bool) -> None:
    """Add the groups above `name` and, if it is one itself (`whole`), that one."""
    if not is_safe_path(name):
        raise ValueError(
            f"{name!r} cannot be a name in a store: it needs parts between single slashes, none "
            "of them '.' or '..', without colons, backslashes and control characters"
        )
    parts = name.split("/")
    for end in range(1, len(parts) + whole):
        groups.setdefault("/".join(parts[:end]), {})


class Dataset:
    """An array in a store, read when asked for: ``dataset[...]`` or ``np.asarray(dataset)``."""

    def __init__(self, store: Store, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        self._store = store
        self.name = name
        self.dtype = np.dtype(dtype)
        self.shape = shape

    def __getitem__(self, key: Any) -> Any:
        return self._store.read(self.name)[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self._store.read(self.name)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<Dataset '{self.name}' shape={self.shape} dtype={self.dtype}>"


class Group(Mapping[str, "Group | Dataset"]):
    """A level of a store: its attributes, and the groups and datasets in it.

    ``group["a/b"]`` goes down several levels at once.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes, as JSON values."""
        return self._store.attributes[self.name]

    def __getitem__(self, key: str) -> Group | Dataset:
        name = f"{self.name}/{key.strip('/')}".strip("/")
        if name in self._store.datasets:
            entry = self._store.datasets[name]
            return Dataset(self._store, name, entry["dtype"], tuple(entry["shape"]))
        if name in self._store.attributes:
            return Group(self._store, name)
        raise KeyError(f"'{name}' is neither an array nor a group; here are {sorted(self)}")

    def __iter__(self) -> Iterator[str]:
        start = f"{self.name}/" if self.name else ""
        for name in (*self._store.attributes, *self._store.datasets):
            if name and name.startswith(start) and "/" not in name[len(start) :]:
                yield name[len(start) :]

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<Group '/{self.name}' ({len(self)} members)>"


class Store(Group):
    """A store opened for reading: its root group, and a context manager.

    Raises
    ------
    FileFormatError
        If the file is damaged, cut short, of a newer version, or no store at all; an array that
        does not agree with its checksum raises when it is read.

    Examples
    --------
    >>> model.save("model.npz")
    >>> with Store("model.npz") as store:
    ...     kernel = store["layers/dense/kernel"][...]
    ...     print(kernel.shape, list(store["layers"]))
    (784, 300) ['dense', 'dense_1']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(self, "")
        self._archive = Archive(path)
        try:
            self.attributes, self.datasets = self._read_manifest()
        except BaseException:
            self._archive.close()
            raise

    def _read_manifest(self) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        archive = self._archive
        if MANIFEST not in archive.members:
            raise archive.error(
                "is a model that Keras itself saved; fastnn reads only files saved by fastnn"
                if "config.json" in archive.members
                else "is no file saved by fastnn: it has no manifest"
            )
        text = archive.read_bytes(MANIFEST, MAX_MANIFEST)
        try:
            manifest = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise archive.error(f"has a damaged manifest ({error})") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise archive.error("is no file saved by fastnn: its manifest names another format")
        if manifest.get("version") != VERSION:
            raise archive.error(
                f"has version {manifest.get('version')!r} of the format, this fastnn reads "
                f"version {VERSION}: install a newer fastnn"
            )
        if set(manifest) != {"format", "version", "groups", "datasets"}:
            raise archive.error("has a manifest of the wrong form")
        groups, datasets = manifest["groups"], manifest["datasets"]
        if not (
            _is_table(groups)
            and _is_table(datasets)
            and all(_is_dataset(entry) for entry in datasets.values())
        ):
            raise archive.error("has a manifest of the wrong form")
        expected = {MANIFEST, *(name + ".npy" for name in datasets)}
        if expected != set(archive.members):
            raise archive.error(
                "does not hold what its manifest lists: "
                f"{', '.join(sorted(expected.symmetric_difference(archive.members))[:5])}"
            )
        for name in (*groups, *datasets):
            if name and (name.rpartition("/")[0] not in groups or not is_safe_path(name)):
                raise archive.error(f"has a manifest of the wrong form: {name!r} has no group")
        if "" not in groups or groups.keys() & datasets.keys():
            raise archive.error("has a manifest of the wrong form: its groups do not agree")
        return groups, datasets

    def read(self, name: str) -> np.ndarray:
        """Return the array called `name`, after checking it against the manifest."""
        import hashlib

        entry = self.datasets[name]
        array = self._archive.read_array(name, shape=tuple(entry["shape"]), dtype=entry["dtype"])
        found = hashlib.sha256(array.data if array.size else b"").hexdigest()
        if found != entry["sha256"]:
            raise self._archive.error(f"is damaged: '{name}' does not agree with its checksum")
        return array

    def error(self, what: str) -> ValueError:
        """Return a FileFormatError that says what is wrong with this file."""
        return self._archive.error(what)

    def close(self) -> None:
        self._archive.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands there twice")
    return table


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, dict) for entry in value.values())


def _is_dataset(entry: dict[str, Any]) -> bool:
    shape = entry.get("shape")
    return (
        set(entry) == {"dtype", "shape", "sha256"}
        and isinstance(entry["dtype"], str)
        and entry["dtype"] in DTYPES
        and isinstance(entry["sha256"], str)
        and isinstance(shape, list)
        and all(type(n) is int and n >= 0 for n in shape)
    )
