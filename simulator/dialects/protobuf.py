"""Protocol Buffers' wire format, written and read by hand, as small devices do, so that it shares nothing with Sluice's decoder.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator


def varint(value: int) -> bytes:
    """Write a number, seven bits a byte, the lowest first.

    >>> varint(300).hex()
    'ac02'
    """
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    return bytes([*written, value])


def number_field(field: int, value: int) -> bytes:
    """Write a field that is a whole number, or a truth."""
    return varint(field << 3) + varint(value)


def double_field(field: int, value: float) -> bytes:
    """Write a field that is a double."""
    return varint(field << 3 | 1) + struct.pack("<d", value)


def bytes_field(field: int, value: bytes) -> bytes:
    """Write a field that is a text, bytes or a message."""
    return varint(field << 3 | 2) + varint(len(value)) + value


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read a message's fields. Raises ValueError where it is cut short."""
    at = 0
    while at < len(data):
        tag, at = _read(data, at)
        kind, held = tag & 7, b""
        if kind == 0:
            number, at = _read(data, at)
            yield tag >> 3, number
            continue
        size, at = (8 if kind == 1 else 4, at) if kind in (1, 5) else _read(data, at) if kind == 2 else (-1, at)
        held = data[at : at + size]
        if size < 0 or len(held) != size:
            raise ValueError("a field of this message is cut short")
        yield tag >> 3, held
        at += size


def _read(data: bytes, at: int) -> tuple[int, int]:
    """Read a number, and where the next thing begins."""
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        at, shift, more = at + 1, shift + 7, data[at] & 128
        if not more:
            return value, at
    raise ValueError("a number of this message is cut short")
