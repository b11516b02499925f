"""Times as home-made devices write them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

Timestamps = Literal["iso", "ms", "none"]
"""How a device says when: ISO 8601 in UTC, epoch milliseconds, or not at all."""


def timestamp(at: int, kind: Timestamps) -> dict[str, str | int]:
    """Say when, to the millisecond; `at` is epoch ns.

    >>> timestamp(1_750_000_000_250_000_000, "iso")
    {'timestamp': '2025-06-15T15:06:40.250Z'}
    """
    if kind == "none":
        return {}
    ms = at // 1_000_000
    if kind == "ms":
        return {"timestamp": ms}
    return {"timestamp": f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"}
