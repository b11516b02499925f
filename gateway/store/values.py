"""How a reading's value lies in SQLite: by storage class, so that int, float, bool and text come back as they went in.

Integers within 64 bits, floats and text are themselves. A BLOB holds what SQLite has no class for, as ASCII that `CAST(x AS REAL)`
understands: `0` and `1` for booleans, more digits for integers beyond 64 bits, and `nan` (SQLite would make it NULL).
"""

from __future__ import annotations

from typing import get_args

from devices.reading import TimeSource, Value

Stored = float | int | str | bytes

NUMBER = "CASE WHEN typeof({0}) = 'text' OR {0} = x'6e616e' THEN NULL ELSE CAST({0} AS REAL) END"
"""SQL for a stored value as a number, NULL where it is none: `NUMBER.format("value")`."""

LEAST, GREATEST = -(1 << 63), (1 << 63) - 1
"""The integers that SQLite has."""

_NAN = b"nan"

_SOURCES: dict[TimeSource, int] = {
    "device": 0,
    "received": 1,
    "learned-offset": 2,
    "profile-offset": 3,
    "received-no-zone": 4,
    "received-insane": 5,
}
SOURCES: dict[str, int | str] = {word: _SOURCES.get(word, word) for word in get_args(TimeSource)}
"""Each time source as it is stored: a number that never changes, or the word itself where it has no number yet."""

_WORDS: dict[int | str, TimeSource] = {number: word for word, number in _SOURCES.items()}


def pack(value: Value) -> Stored:
    """Give the value as SQLite shall store it.

    >>> pack(21.5), pack(7), pack(True), pack("on"), pack(2**64 - 1)
    (21.5, 7, b'1', 'on', b'18446744073709551615')
    """
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, int):
        return value if LEAST <= value <= GREATEST else b"%d" % value
    if isinstance(value, float) and value != value:  # noqa: PLR0124  # NaN is what differs from itself
        return _NAN
    return value


def unpack(stored: Stored) -> Value:
    """Give the value back.

    >>> unpack(b"1"), unpack(b"18446744073709551615"), unpack("1")
    (True, 18446744073709551615, '1')
    """
    if not isinstance(stored, bytes):
        return stored
    if len(stored) == 1:
        return stored == b"1"
    return float(stored) if stored == _NAN else int(stored)


def source(stored: int | str) -> TimeSource:
    """Give the time source's word for what is stored."""
    return _WORDS.get(stored, stored)  # type: ignore[arg-type]
