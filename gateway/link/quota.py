"""How many messages a second one topic may bring (`limits.rate`)."""

from __future__ import annotations

from collections import OrderedDict

_BURST = 10.0
"""Seconds' worth of messages that may come at once."""
_TOPICS = 100_000
"""Topics that are remembered; the one that has been silent for longest is forgotten first, and may then bring a burst again."""


class Quota:
    """A token bucket for each topic: full, it holds ten seconds' worth of messages, and it fills at `rate` a second.

    >>> quota = Quota(rate=1)
    >>> sum(quota.allows("loud", now=0.0) for _ in range(50))
    10
    >>> quota.allows("quiet", now=0.0), quota.allows("loud", now=0.5), quota.allows("loud", now=2.0)
    (True, False, True)
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, topic: str, *, now: float) -> bool:
        """Take a token for one more message; tell whether there was one. `now` in seconds of any steady clock."""
        full = self._rate * _BURST
        tokens, since = self._buckets.pop(topic, (full, now))
        tokens = min(full, tokens + (now - since) * self._rate)
        allowed = tokens >= 1.0
        self._buckets[topic] = (tokens - allowed, now)
        if len(self._buckets) > _TOPICS:
            self._buckets.popitem(last=False)
        return allowed
