"""Files of datasets: found on this machine, or downloaded once and checked."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeVar

from fastnn.store.atomic import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

# Where Keras's own loaders get the files from; the checksums that they publish are pinned in the
# modules of the datasets.
ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
TIMEOUT = 30  # seconds without a byte
_CHUNK = 1 << 18  # bytes


class DatasetUnavailableError(OSError):
    """A dataset is neither on this machine nor could it be downloaded."""


def load(name: str, read: Callable[[str], T], *, checksum: str, path: str | None = None) -> T:
    """Return ``read(file)`` of the dataset file `name`, downloading it if it is nowhere here.

    Parameters
    ----------
    name : str
        Of the file at its origin, ``"mnist.npz"``; with a folder, where the local file lies in
        one.
    read : callable
        Turns the path of the file into its content and raises ValueError if that is not the
        dataset: a file found here is judged by its content.
    checksum : str
        SHA-256 (64 hexadecimal digits) or, where no other is published, MD5 (32) of a download.
    path : str, optional
        As in Keras: another name below the datasets folder, or an absolute path.

    Raises
    ------
    DatasetUnavailableError
        If there is no file and no way to download it.
    ValueError
        If the file, or the download, is not the dataset.
    """
    places = _places(path or name)
    found = next((place for place in places if os.path.isfile(place)), None)
    if found is None:
        found = places[0]
        _download(ORIGIN + os.path.basename(name), found, checksum)
    try:
        return read(found)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"The file '{found}' is not the dataset {name}: {error}. Remove it, and it will be "
            "downloaded anew"
        ) from error


def _places(path: str) -> list[str]:
    """Return where the file may lie, the place for a download first."""
    homes = [
        os.environ.get("FASTNN_HOME"),
        os.path.join("~", ".fastnn"),
        os.environ.get("KERAS_HOME"),
        os.path.join("~", ".keras"),
    ]
    return [os.path.join(os.path.expanduser(home), "datasets", path) for home in homes if home]


def _download(url: str, target: str, checksum: str) -> None:
    import hashlib
    import http.client
    import urllib.error
    import urllib.request

    digest = hashlib.sha256() if len(checksum) == 64 else hashlib.md5(usedforsecurity=False)
    advice = (
        f"Get {url} on a machine with a network and put it at '{target}' "
        f"({digest.name.upper()} {checksum})"
    )
    print(f"Downloading {url}", file=sys.stderr)
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with (
            atomic_write(target) as file,
            urllib.request.urlopen(url, timeout=TIMEOUT) as response,
        ):
            size = 0
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                size += file.write(chunk)
            promised = int(response.headers.get("Content-Length") or size)
            if size != promised:
                raise ConnectionError(f"the connection ended after {size} of {promised} bytes")
            if digest.hexdigest() != checksum:
                raise ValueError(
                    f"The download of {url} has the checksum {digest.hexdigest()} instead of "
                    f"{checksum} and was thrown away: something on the way replaced it. {advice}"
                )
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise DatasetUnavailableError(
            f"The dataset {os.path.basename(target)} is not on this machine and could not be "
            f"downloaded: {error}. {advice}"
        ) from error
