"""Times as home-made devices write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

Timestamps = Literal["iso", "ms", "none"]
"""How a device says when: ISO 8601 in UTC, epoch milliseconds, or not at all."""


def iso(at: int) -> str:
    """Write epoch ns in ISO 8601 (RFC 3339), in UTC, to the millisecond.

    >>> iso(1_750_000_000_250_000_000)
    '2025-06-15T15:06:40.250Z'
    """
    ms = at // 1_000_000
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def timestamp(at: int, kind: Timestamps) -> dict[str, str | int]:
    """Say when, to the millisecond; `at` is epoch ns.

    >>> timestamp(1_750_000_000_250_000_000, "iso")
    {'timestamp': '2025-06-15T15:06:40.250Z'}
    """
    if kind == "none":
        return {}
    return {"timestamp": at // 1_000_000 if kind == "ms" else iso(at)}
