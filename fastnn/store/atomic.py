"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file beside `path` that takes its place when the block ends without an error.

    The data are on the disk (fsync) before the new file is renamed, so that a crash or a full
    disk leaves what was there before. Whatever ends the block early, the partial file is removed.
    A symbolic link is followed: its target is replaced, not the link.

    Raises
    ------
    FileNotFoundError
        If the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.
    OSError
        If it is a device or a pipe, or the disk is full.
    TypeError
        If `path` is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"Cannot write to {path!r}: expected the name of a file, a str or a pathlib.Path, got "
            f"{type(path).__name__}"
        )
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"Cannot write '{os.fspath(path)}': there is no folder '{folder}'; create it first"
        )
    if os.path.isdir(target):
        raise IsADirectoryError(
            f"Cannot write '{os.fspath(path)}': it is a folder; give the name of a file"
        )
    if os.path.exists(target) and not os.path.isfile(target):
        raise OSError(
            f"Cannot write '{os.fspath(path)}': it is a device or a pipe, and a new file would "
            "take its place; give the name of a file"
        )
    partial = os.path.join(folder, f".fastnn-{os.getpid()}-{os.urandom(6).hex()}.part")
    # os.open rather than tempfile, whose files are private: the umask decides here.
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(partial, flags, 0o666)
    except OSError as error:  # names the partial file
        raise type(error)(error.errno, f"Cannot write: {error.strerror}", target) from None
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    except BaseException:
        os.unlink(partial)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make the new name itself durable, where the system lets a folder be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
