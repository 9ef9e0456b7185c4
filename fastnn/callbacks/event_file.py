"""Event files: what TensorBoard draws its curves from.

A file is a sequence of records: the length of the data (8 bytes, little-endian), its checksum, the
data, their checksum. The data are protocol buffer messages of type Event (tensorflow/core/util/
event.proto): 1 wall_time (double), 2 step (varint), 3 file_version (string), 5 summary; a summary
has values (1) with a tag (1) and a simple_value (2, float). The checksum is CRC-32C (RFC 3720),
rotated and offset so that a checksum within data is no checksum.
"""

from __future__ import annotations

import functools
import os
import struct
import time
from typing import Any


class EventFile:
    """Appends numbers to a new event file in a directory, which is made if need be."""

    _count = 0

    def __init__(self, directory: str) -> None:
        import socket

        os.makedirs(directory, exist_ok=True)
        EventFile._count += 1
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}."
            f"{EventFile._count}.v2"
        )
        self.path = os.path.join(directory, name)
        self._file = open(self.path, "xb")  # noqa: SIM115  (closed by close)
        self._write(_field(3, b"brain.Event:2"))
        self.flush()

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Append one point of the curve `tag`."""
        number = _varint(2 << 3 | 5) + struct.pack("<f", float(value))
        summary = _field(1, _field(1, tag.encode()) + number)
        self._write(_varint(2 << 3) + _varint(step) + _field(5, summary))

    def _write(self, message: bytes) -> None:
        data = _varint(1 << 3 | 1) + struct.pack("<d", time.time()) + message
        length = struct.pack("<Q", len(data))
        for part in (length, data):
            self._file.write(part + struct.pack("<I", masked_crc(part)))

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _varint(number: int) -> bytes:
    """Encode seven bits a byte, the lowest first; all bytes but the last have the high bit."""
    parts = []
    while number > 127:
        parts.append(number & 127 | 128)
        number >>= 7
    return bytes([*parts, number])


def _field(number: int, data: bytes) -> bytes:
    """Encode a field of bytes: a string, or a message within a message."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


@functools.lru_cache(maxsize=1)
def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # Castagnoli's polynomial, mirrored
        table.append(byte)
    return table


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of data; that of b"123456789" is 0xE3069283."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def masked_crc(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
