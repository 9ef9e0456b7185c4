"""Fashion-MNIST: 70,000 pictures of clothes of 28 x 28 pixels."""

from __future__ import annotations

import numpy as np

from fastnn.datasets import _cache

CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
"""What the labels 0 to 9 mean."""

SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    ),
    "train-labels-idx1-ubyte.gz": (
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
    ),
}


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return ``(x_train, y_train), (x_test, y_test)``, shaped and typed as MNIST's.

    ``fashion_mnist.CLASSES`` names the ten classes.

    Raises
    ------
    OSError
        If a file is neither on this machine nor can be downloaded.
    ValueError
        If a file holds something else.

    Notes
    -----
    The four files (31 MB) are looked for as MNIST's, in a folder ``fashion-mnist`` below. From
    H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747; copyright Zalando SE, MIT licence.
    """
    arrays = [
        _cache.load(f"fashion-mnist/{name}", _read_images if "images" in name else _read_labels,
                    checksum=checksum)
        for name, checksum in SHA256.items()
    ]  # fmt: skip
    return (arrays[0], arrays[1]), (arrays[2], arrays[3])


def _read_images(path: str) -> np.ndarray:
    return read_idx(path, (_samples(path), 28, 28))


def _read_labels(path: str) -> np.ndarray:
    labels = read_idx(path, (_samples(path),))
    if labels.max() > 9:
        raise ValueError("it holds labels above 9")
    return labels


def _samples(path: str) -> int:
    return 60000 if "train-" in path else 10000


def read_idx(path: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return the bytes of a gzipped file in the IDX format, which must have the given shape.

    IDX: two zero bytes, 8 for unsigned bytes, the number of axes, each length as four bytes,
    most significant first, and the values.
    """
    import gzip
    import zlib

    header = b"".join(n.to_bytes(4, "big") for n in (0x800 + len(shape), *shape))
    size = len(header) + int(np.prod(shape))
    try:
        with gzip.open(path) as file:
            content = file.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it is damaged ({error})") from error
    if len(content) != size or not content.startswith(header):
        raise ValueError(f"it does not hold unsigned bytes of shape {shape}")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()
