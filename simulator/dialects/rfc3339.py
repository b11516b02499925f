"""Times as network servers write them: RFC 3339 in UTC, to the nanosecond."""

from __future__ import annotations

from datetime import UTC, datetime

from simulator.nanoseconds import SECOND


def written(at: int, *, zone: str = "Z") -> str:
    """Write an epoch time in ns.

    >>> written(1_750_000_000_000_000_005)
    '2025-06-15T15:06:40.000000005Z'
    """
    return f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%S}.{at % SECOND:09}{zone}"
