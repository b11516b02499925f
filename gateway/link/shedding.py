"""What is dropped by a declared policy: counted here until the journal has the counts."""

from __future__ import annotations

from gateway.journal.journal import Journal
from gateway.journal.row import Shed

_TOPICS = 1_000
"""Topics that are told apart in one row of the journal; what the others shed stands together under an empty topic."""


class Shedding:
    """Counts what is shed, by topic and reason. Nothing in here is lost when the journal is full; what a crash takes is at most a second's."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[tuple[str, str], int] = {}
        self.total = 0
        """Messages shed since the start."""

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def shed(self, topic: str, reason: str) -> None:
        """Count one message."""
        key = (topic, reason)
        if key not in self._waiting and len(self._waiting) >= _TOPICS:
            key = ("", reason)
        self._waiting[key] = self._waiting.get(key, 0) + 1
        self.total += 1

    def journal(self) -> None:
        """Put the counts into the journal; raises JournalFullError, and then keeps them."""
        if self._waiting:
            self._journal.append_shed([Shed(topic, count, reason) for (topic, reason), count in self._waiting.items()])
            self._waiting.clear()
