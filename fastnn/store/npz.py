"""Reading the arrays of an ``.npz`` file that may have been damaged or made to do harm.

``numpy.load`` believes what a file says about itself. Here an array is allocated only after its
header has been found to agree with the number of bytes the file holds for it, and nothing but
plain numbers is read: no objects, no pickles, no structured types.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

DTYPES = frozenset({
    "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f2", "<f4", "<f8",
})  # fmt: skip
"""Little-endian numbers: what a file may hold."""

MAX_HEADER = 4096  # bytes; numpy writes 118 for an array of two axes
MAX_AXES = 32

# The one way in which every numpy writes the header of a plain array (an L after a number
# comes from Python 2).
_HEADER = re.compile(
    r"\{'descr': '([^']{1,8})', 'fortran_order': (False|True), "
    r"'shape': \(((?:\d{1,19}L?, ?)*(?:\d{1,19}L?)?)\),? ?\}\s*"
)
_ENCRYPTED = 0x1


class FileFormatError(ValueError):
    """A file is not what its reader expects: damaged, cut short, or of another kind."""


class Archive:
    """An open ``.npz`` file; a context manager.

    Parameters
    ----------
    path : path
    compressed : bool
        Whether compressed members are allowed. Their size says little about the memory they
        take, so a reader that allows them has to state the shapes it expects.

    Raises
    ------
    FileFormatError
        If the file is no ZIP archive, or has members that are encrypted, listed twice, named
        like paths outside the archive, or that overlap.
    """

    def __init__(self, path: str | os.PathLike[str], *, compressed: bool = False) -> None:
        self.path = os.fspath(path)
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 (closed by close())
        except FileNotFoundError as error:
            what = f"there is no such file (the working folder is {os.getcwd()!r})"
            raise FileNotFoundError(error.errno, what, self.path) from None
        try:
            self._zip = self._open()
            self._members = self._check_members(compressed)
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> zipfile.ZipFile:
        start = self._file.read(8)
        if start == b"\x89HDF\r\n\x1a\n":
            raise self.error(
                "is an HDF5 file, which fastnn does not read; fastnn's own files are .npz "
                "archives whatever their suffix"
            )
        self._file.seek(0)
        try:
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
            raise self.error(f"is cut short or is not an .npz archive ({error})") from error

    def _check_members(self, compressed: bool) -> dict[str, zipfile.ZipInfo]:
        allowed = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if compressed else (0,)
        members: dict[str, zipfile.ZipInfo] = {}
        total = 0
        for info in self._zip.infolist():
            name = info.orig_filename
            if name in members:
                raise self.error(f"has two members named {name!r}")
            if not is_safe_path(name):
                raise self.error(f"has a member with the unsafe name {name!r}")
            if info.flag_bits & _ENCRYPTED:
                raise self.error(f"has an encrypted member, {name!r}")
            if info.compress_type not in allowed:
                raise self.error(f"has a member compressed in a way not allowed here, {name!r}")
            if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
                raise self.error(f"gives two sizes for its member {name!r}")
            total += info.compress_size
            members[name] = info
        size = os.fstat(self._file.fileno()).st_size
        if total > size:
            raise self.error(f"claims {total} bytes of members but has only {size}")
        return members

    def error(self, what: str) -> FileFormatError:
        """Return the exception that says what is wrong with this file."""
        return FileFormatError(f"'{self.path}' {what}")

    @property
    def members(self) -> list[str]:
        """The names of all members, arrays with their suffix ``.npy``."""
        return list(self._members)

    def read_bytes(self, member: str, limit: int) -> bytes:
        """Return the content of a member of at most `limit` bytes."""
        if self._members[member].file_size > limit:
            raise self.error(f"has a member {member!r} of more than {limit} bytes")
        return self._read(member)

    def read_array(
        self, name: str, *, shape: tuple[int, ...] | None = None, dtype: str | None = None
    ) -> np.ndarray:
        """Return the array called `name` (without suffix), checked against shape and dtype.

        `dtype` is a string like ``"<f4"``; the array is newly allocated and writable.
        """
        member = name + ".npy"
        if member not in self._members:
            raise self.error(f"lacks the array '{name}'")
        found_dtype, fortran, found_shape, start = self._header(member)
        for what, found, expected in (
            ("shape", found_shape, shape), ("dtype", found_dtype, dtype),
        ):  # fmt: skip
            if expected is not None and found != expected:
                raise self.error(f"should hold '{name}' with {what} {expected}, has {found}")
        values = np.frombuffer(self._read(member), found_dtype, offset=start)
        return values.reshape(found_shape, order="F" if fortran else "C").copy()

    def _header(self, member: str) -> tuple[str, bool, tuple[int, ...], int]:
        """Return dtype, Fortran order, shape and the offset of the data of an array."""
        info = self._members[member]
        try:
            with self._zip.open(info) as stream:
                start = stream.read(10 + MAX_HEADER)
        except _READ_ERRORS as error:
            raise self.error(f"is damaged in '{member}' ({error})") from error
        length = int.from_bytes(start[8:10], "little")
        if start[:8] != b"\x93NUMPY\x01\x00" or length > MAX_HEADER:
            raise self.error(f"has a member '{member}' that is no plain array")
        match = _HEADER.fullmatch(start[10 : 10 + length].decode("latin-1"))
        if match is None:
            raise self.error(f"has a member '{member}' whose header is no plain array's")
        dtype, fortran, axes = match.groups()
        if dtype not in DTYPES:
            raise self.error(
                f"has a member '{member}' of type '{dtype}': only little-endian numbers are data"
            )
        shape = tuple(int(n.rstrip("L")) for n in axes.replace(" ", "").split(",") if n)
        itemsize = np.dtype(dtype).itemsize
        if len(shape) > MAX_AXES or math.prod(max(n, 1) for n in shape) * itemsize > 2**62:
            raise self.error(f"has a member '{member}' of impossible shape {shape}")
        if 10 + length + math.prod(shape) * itemsize != info.file_size:
            raise self.error(
                f"has a member '{member}' whose shape {shape} does not fit its "
                f"{info.file_size} bytes"
            )
        return dtype, fortran == "True", shape, 10 + length

    def _read(self, member: str) -> bytes:
        info = self._members[member]
        try:
            with self._zip.open(info) as stream:
                content = stream.read(info.file_size + 1)  # past the end: checks the CRC
        except _READ_ERRORS as error:
            raise self.error(f"is damaged in '{member}' ({error})") from error
        if len(content) != info.file_size:
            raise self.error(f"is cut short in '{member}'")
        return content

    def close(self) -> None:
        self._zip.close()
        self._file.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


# What zipfile raises on damaged members; NotImplementedError for versions it does not know.
_READ_ERRORS = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, OverflowError, RuntimeError,
    NotImplementedError,
)  # fmt: skip


def is_safe_path(path: str) -> bool:
    """Whether `path` is relative, in parts that no system takes for anything but names."""
    return (
        0 < len(path) <= 1024
        and not any(ord(c) < 32 or c in "\\:" or 0xD800 <= ord(c) < 0xE000 for c in path)
        and all(part.strip(". ") != "" for part in path.split("/"))
    )


def read_npz(
    path: str | os.PathLike[str], expected: Mapping[str, tuple[tuple[int, ...], str]]
) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file that must have the expected shapes and dtypes.

    `expected` maps names to ``(shape, dtype)``; other members are left alone.
    """
    with Archive(path, compressed=True) as archive:
        return {
            name: archive.read_array(name, shape=shape, dtype=dtype)
            for name, (shape, dtype) in expected.items()
        }
