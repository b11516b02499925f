"""Durations in profiles, in seconds: devices know nothing of the rest of the config."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN = re.compile(r"\s*(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)\s*")


def seconds(value: Any) -> float:
    """Return the seconds of `10s`, `5m`, `2h`, `1d`, or of a number of seconds; ValueError for anything else, and for nothing at all.

    >>> seconds("5m"), seconds(90)
    (300.0, 90.0)
    """
    match = None if isinstance(value, bool) else _WRITTEN.fullmatch(str(value))
    if match is None or float(match[1]) == 0:
        raise ValueError("must be a duration such as 10s, 5m, 2h")
    return float(match[1]) * _SECONDS[match[2]]


Seconds = Annotated[
    float,
    BeforeValidator(seconds),
    WithJsonSchema(
        {
            "title": "duration",
            "type": ["string", "number"],
            "pattern": r"^\s*\d{1,9}(\.\d{1,3})?\s*[smhd]?\s*$|\$\{",
            "exclusiveMinimum": 0,
            "examples": ["10s", "5m", "2h"],
        }
    ),
]
