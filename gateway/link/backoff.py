"""How long to wait before trying again."""

from __future__ import annotations

import random
from time import monotonic

_SETTLED = 2.0
"""Seconds that a connection must last to count as a success: one that is cut at once, again and again, is none."""


class Backoff:
    """Delays that double from `first` to `longest` seconds, each shortened at random by up to a half, so that clients do not come back in step."""

    def __init__(self, first: float = 0.25, longest: float = 30.0) -> None:
        self._first = first
        self._longest = longest
        self._next = first
        self._connected: float | None = None

    def reset(self) -> None:
        """Begin again after a success."""
        self._next = self._first

    def connected(self) -> None:
        """Note that there is a connection: if it lasts, the next delay begins again."""
        self._connected = monotonic()

    def delay(self) -> float:
        """Give the next delay, in seconds."""
        if self._connected is not None and monotonic() - self._connected > _SETTLED:
            self.reset()
        self._connected = None
        delay = self._next * random.uniform(0.5, 1.0)  # noqa: S311  jitter is no secret
        self._next = min(self._next * 2, self._longest)
        return delay
