"""The database of mosquitto, as far as it tells whether mosquitto will start on it: it refuses to on a damaged one."""

from __future__ import annotations

import struct
from pathlib import Path

_MAGIC = b"\x00\xb5\x00mosquitto db"
_HEADER = len(_MAGIC) + 8
_VERSIONS = {5: struct.Struct(">HI"), 6: struct.Struct(">II")}
"""How a piece of the file begins, by the file's version: its kind and its length."""
_KINDS = range(1, 9)


def flaw(path: Path) -> str:
    """Say what is wrong with the file, as far as its structure tells; "" where nothing is, or where it is of a version not known here."""
    try:
        held = path.read_bytes()
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    if not held.startswith(_MAGIC) or len(held) < _HEADER:
        return "it is not a database of mosquitto"
    piece = _VERSIONS.get(int.from_bytes(held[len(_MAGIC) + 4 : _HEADER]))
    place = _HEADER
    while piece is not None and place < len(held):
        if place + piece.size > len(held):
            return "it is cut off"
        kind, length = piece.unpack_from(held, place)
        if kind not in _KINDS:
            return f"it is damaged: a piece of kind {kind} at byte {place:,}"
        place += piece.size + length
        if place > len(held):
            return "it is cut off"
    return ""
