"""Whether the flows keep up with what comes, and what to do while they do not."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

_LOOKS = 3
"""Looks that must agree: the flows write down where they are in steps."""
_EVERY = 1.0
"""Seconds between looks."""
_STALE = 5.0
"""Seconds after which what is known of the flows says nothing any more."""
_LEFT_FREE = 0.9
"""Part of what the flows can read that is shared out: with the rest they catch up."""
_TOPICS = 100_000
"""Topics that are told apart in one second; a further one is let through."""


class Overload:
    """Decides what may come in, from how far behind the flows are.

    The flows are overloaded when they read on, are further behind than `limits.lag`, and have not come closer for three seconds; this ends
    when they are closer than half of that, or do not read at all (flows that are down are waited for). Then messages of QoS 0 are shed, of
    each topic those beyond its fair share. Messages of QoS 1 are never shed: they wait in the journal, and where that is full, at the broker.
    """

    def __init__(self, lag: int) -> None:
        """Take `limits.lag` in ns. All other times are seconds of a steady clock."""
        self._lag = lag
        self.overloaded = False
        self._messages = 0
        self._looked = 0.0
        self._noted = 0.0
        self._still = 0
        self._recent: deque[int] = deque(maxlen=_LOOKS)
        self._rate = 0.0
        self._share: float | None = None
        self._second = 0.0
        self._came: dict[str, int] = {}

    def note(self, *, messages: int, behind: int, now: float) -> None:
        """Note that the flows have read so many messages, ever, the last of which came `behind` ns ago (0: they have read all there is)."""
        self._noted = now
        if now - self._looked < _EVERY:
            return
        moved, seconds = messages - self._messages, now - self._looked
        first, self._looked, self._messages = self._looked == 0.0, now, messages
        if not first:
            self._rate = moved / seconds if self._rate == 0.0 else (self._rate + moved / seconds) / 2
            self._still = 0 if moved else self._still + 1
            self._recent.append(behind)
        if self._still >= _LOOKS or behind <= self._lag // 2:
            self.overloaded = False
        elif self._falls_behind():
            self.overloaded = True
        if not self.overloaded:
            self._share = None
            self._came.clear()

    def _falls_behind(self) -> bool:
        """Compare the ends of the last looks: from one to the next, flows that read row by row seem now closer, now further."""
        recent = self._recent
        return self._still == 0 and len(recent) == _LOOKS and min(recent) > self._lag and recent[-1] >= recent[0]

    def allows(self, topic: str, *, qos: int, now: float) -> bool:
        """Count a message; tell whether it may come in. Only messages of QoS 0 may not, and only while the flows are overloaded."""
        if not self.overloaded:
            return True
        if now - self._noted > _STALE:
            self.overloaded = False
            return True
        if now - self._second >= _EVERY:
            self._share = fair_share(self._came.values(), self._rate * _LEFT_FREE) if self._came else None
            self._second, self._came = now, {}
        if topic not in self._came and len(self._came) >= _TOPICS:
            return True
        self._came[topic] = self._came.get(topic, 0) + 1
        return qos > 0 or self._share is None or self._came[topic] <= self._share


def fair_share(demands: Iterable[int], capacity: float) -> float:
    """Give the most that each may have so that all together fit: what some do not need is shared out among the others. At least 1.

    >>> fair_share([1, 1, 1, 1000], capacity=103)
    100.0
    >>> fair_share([100, 100], capacity=50)
    25.0
    """
    ordered = sorted(demands)
    left = capacity
    for place, demand in enumerate(ordered):
        share = left / (len(ordered) - place)
        if demand > share:
            return max(1.0, share)
        left -= demand
    return max(1.0, float(ordered[-1]) if ordered else capacity)
