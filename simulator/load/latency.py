"""How long acknowledgements took: a histogram of a few hundred buckets, whatever the number of messages."""

from __future__ import annotations

import math

_GROWTH = math.log(1.02)
"""Neighbouring buckets are 2 % apart, so that a quantile is at most 1 % off."""


class Latency:
    """Counts times by the bucket of their logarithm.

    >>> latency = Latency()
    >>> latency.add(2_000_000, 98)
    >>> latency.add(50_000_000, 2)
    >>> latency.quantile(0.5), latency.quantile(0.99), latency.longest
    (2.01, 49.79, 50.0)
    """

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._longest = 0

    def add(self, ns: int, count: int) -> None:
        """Count messages that took the same time, in ns."""
        bucket = round(math.log(max(ns, 1)) / _GROWTH)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self._count += count
        self._longest = max(self._longest, ns)

    @property
    def longest(self) -> float | None:
        """The longest time, in ms; None when nothing was counted."""
        return round(self._longest / 1e6, 2) if self._count else None

    def quantile(self, part: float) -> float | None:
        """Give the time that `part` of the messages did not exceed, in ms and never above the longest; None when nothing was counted."""
        left = part * self._count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return round(min(math.exp(bucket * _GROWTH), self._longest) / 1e6, 2)
        return None
