"""Objects in binary: CBOR (RFC 8949) and MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md) as JSON's plain values.

What JSON has no word for is left out as if it were null: bytes, undefined, NaN and the infinities, extension types, and what a tag means
that is not listed here. Number keys become text. Tags are never turned into objects, so none can be made to cost more than its bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

import cbor2
import msgspec

from devices.payloads import DEEPEST

Encoding = Literal["cbor", "msgpack"]

Read = Callable[[bytes], Any]

_SAME: Final = frozenset({0, 1, 21, 22, 23, 32, 33, 34, 55799})
"""CBOR tags that leave their value as it is: times as text or epoch, hints for JSON, texts of a kind, and the one that says "this is CBOR"."""
_BUILT_IN: Final = (0, 1, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 52, 54, 100, 256, 258, 260, 261, 1004, 43000, 55799)
"""CBOR tags that the reader would make objects of."""
_MOST_PLACES: Final = 32
"""A decimal fraction with a greater exponent is no measurement."""


def unpack(payload: bytes) -> tuple[Encoding, dict[str, Any] | list[Any]] | None:
    r"""Return the encoding and content of bytes that are one object, or one array of objects, to the last byte; None for any others.

    Some bytes can be either; the encoding that gives keys of text is the one that was meant, else CBOR.

    >>> unpack(b"\xa1\x61t\xf9\x4d\x60"), unpack(b"\x81\xa1t\x15"), unpack(b"\x83\x01\x02\x03")
    (('cbor', {'t': 21.5}), ('msgpack', {'t': 21}), None)
    """
    found: list[tuple[bool, Encoding, Any]] = []
    for encoding, read in _READERS.items():
        try:
            body = read(payload)
        except (cbor2.CBORError, ValueError, RecursionError, OverflowError):
            continue
        first = body[0] if isinstance(body, list) and body else body
        if isinstance(first, Mapping) and first:
            found.append((all(isinstance(key, str) and key.isprintable() for key in first), encoding, body))
    if not found:
        return None
    _, encoding, body = found[0] if len(found) == 1 or found[0][0] >= found[1][0] else found[1]
    return encoding, _plain(body, 1)


def pack(encoding: Encoding, body: dict[str, Any]) -> bytes:
    """Return an object in an encoding, its keys in order.

    >>> pack("cbor", {"on": True}).hex(), pack("msgpack", {"on": True}).hex()
    ('a1626f6ef5', '81a26f6ec3')
    """
    return cbor2.dumps(body) if encoding == "cbor" else msgspec.msgpack.encode(body)


def _plain(value: Any, depth: int) -> Any:
    """Return a value as JSON would have it."""
    if depth > DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items() if key.__class__ in (str, int)}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (str, int)) else None


def _untagged(tag: int) -> Callable[[Any, bool], Any]:
    def read(value: Any, _immutable: bool) -> Any:
        if tag in (2, 3):
            return _big(value, negative=tag == 3)
        if tag == 4:
            return _decimal(value)
        return value if tag in _SAME else None

    return read


def _big(value: Any, *, negative: bool) -> int | None:
    """Return an integer of more than 64 bits, where no reading could hold it, as nothing."""
    if not isinstance(value, bytes) or len(value) > 8:
        return None
    number = int.from_bytes(value)
    return -1 - number if negative else number


def _decimal(value: Any) -> float | None:
    """Return the decimal fraction [exponent, digits], as it would be written in JSON."""
    if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(part.__class__ is int for part in value):
        return None
    exponent, digits = value
    return float(f"{digits}e{exponent}") if abs(exponent) <= _MOST_PLACES and abs(digits) < 2**64 else None


_TAGS: Final = {tag: _untagged(tag) for tag in _BUILT_IN}


class _Stream:
    """Bytes as the reader wants them: it takes no more than it needs, so what is left shows."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int) -> bytes:
        at = self._at
        self._at += size
        return self._payload[at : self._at]

    @property
    def is_at_end(self) -> bool:
        return self._at == len(self._payload)


def _cbor(payload: bytes) -> Any:
    if not 0x80 <= payload[0] < 0xE0:  # neither an array, a map, nor a tag
        return None
    stream = _Stream(payload)
    body = cbor2.CBORDecoder(cast("Any", stream), semantic_decoders=_TAGS, tag_hook=_unknown, max_depth=DEEPEST).decode()
    return body if stream.is_at_end else None


def _unknown(tag: cbor2.CBORTag, _immutable: bool) -> Any:
    return tag.value if tag.tag in _SAME else None


def _msgpack(payload: bytes) -> Any:
    return _unpacker.decode(payload) if 0x80 <= payload[0] < 0xA0 or 0xDC <= payload[0] < 0xE0 else None


_unpacker = msgspec.msgpack.Decoder(ext_hook=lambda _code, _data: None)
_READERS: Final[Mapping[Encoding, Read]] = {"cbor": _cbor, "msgpack": _msgpack}
