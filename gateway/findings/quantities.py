"""Durations and sizes as people write them, as whole nanoseconds and bytes."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9, "d": 86_400 * 10**9}
_BYTES = {"B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_QUANTITY = re.compile(r"\s*(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)\s*")


_LONGEST = 36_500 * _NS["d"]


def parse_duration(value: Any) -> int:
    """Give the nanoseconds of `10s`, `5m`, `2h`, `1d`, `250ms`, or of a number of seconds; ValueError for anything else.

    >>> parse_duration("5m"), parse_duration("250ms"), parse_duration(1.5)
    (300000000000, 250000000, 1500000000)
    """
    duration = _quantity(value, units=_NS, unit="s", rule="must be a duration such as 10s, 5m, 2h")
    if duration > _LONGEST:  # a time so long after now would be beyond what SQLite and MessagePack can hold
        raise ValueError("must be a duration of at most 100 years, 36500d")
    return duration


def parse_size(value: Any) -> int:
    """Give the bytes of `256KB`, `1GB`, or of a number of bytes; a KB is 1,024 bytes. ValueError for anything else.

    >>> parse_size("256KB")
    262144
    """
    return _quantity(value.upper() if isinstance(value, str) else value, units=_BYTES, unit="B", rule="must be a size such as 256KB or 1GB")


def duration_text(ns: int) -> str:
    """Write nanoseconds in the largest unit that gives a whole number, as a config file would have it.

    >>> duration_text(90 * 10**9), duration_text(120 * 10**9), duration_text(0)
    ('90s', '2m', '0s')
    """
    if ns == 0:
        return "0s"
    unit = next(unit for unit in reversed(_NS) if ns % _NS[unit] == 0)
    return f"{ns // _NS[unit]}{unit}"


def size_text(size: int) -> str:
    """Write bytes in the largest unit that gives a whole number, as a config file would have it.

    >>> size_text(262144), size_text(2**30), size_text(1000)
    ('256KB', '1GB', '1000B')
    """
    unit = next(unit for unit in reversed(_BYTES) if size % _BYTES[unit] == 0)
    return f"{size // _BYTES[unit]}{unit}"


def _quantity(value: Any, *, units: dict[str, int], unit: str, rule: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(rule)  # noqa: TRY004 - pydantic takes ValueError for a finding, TypeError for a fault
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        raise ValueError(rule)
    number, written = match.groups()
    scale = units.get(written or unit)
    if scale is None:
        raise ValueError(rule)
    return int(Decimal(number) * scale)


def _positive(ns: int) -> int:
    if ns <= 0:
        raise ValueError("must be longer than 0")
    return ns


VARIABLE_PATTERN = r"\$\{[A-Za-z_]"
"""In JSON Schemas, beside the pattern of a text: a `${NAME}` that the environment fills in."""

DURATION_SCHEMA: dict[str, Any] = {
    "title": "duration",
    "type": ["string", "number"],
    "pattern": rf"^\s*\d{{1,15}}(\.\d{{1,9}})?\s*({'|'.join(_NS)})?\s*$|{VARIABLE_PATTERN}",
    "minimum": 0,
    "examples": ["30s", "5m", "2h", "1d"],
}
SIZE_SCHEMA: dict[str, Any] = {
    "title": "size",
    "type": ["string", "number"],
    "pattern": rf"^\s*\d{{1,15}}(\.\d{{1,9}})?\s*([Bb]|[KkMmGgTt][Bb])?\s*$|{VARIABLE_PATTERN}",
    "minimum": 0,
    "examples": ["256KB", "1GB"],
}

Duration = Annotated[int, BeforeValidator(parse_duration), WithJsonSchema(DURATION_SCHEMA)]
"""Nanoseconds, from what `parse_duration` takes. A dumped model holds nanoseconds, so it is not to be validated again."""

PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(SIZE_SCHEMA)]
"""Bytes, from what `parse_size` takes."""
