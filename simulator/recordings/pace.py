"""The pace of a recording: when each row's turn is, and by how much all times can be shifted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from simulator.recordings.row import Row

_GATEWAY = ""
"""The clock of messages that say when they came: no device has this name."""


class Pace:
    """Says when rows are due, in ns since the first of them.

    Each device has a clock of its own; where a clock steps back in the recording, time goes on from where it is. A row that is merely behind
    another device's is due at once. Messages are due as they came, by the one clock of whoever took them in.

    >>> pace = Pace()
    >>> [pace.due(Row(at, device, ())) for at, device in ((100, "a"), (105, "b"), (103, "a"), (50, "a"), (70, "a"))]
    [0, 5, 5, 5, 25]
    """

    def __init__(self) -> None:
        self._now: int | None = None
        self._first = 0
        self._clocks: dict[str, tuple[int, int]] = {}

    def due(self, row: Row) -> int:
        """Take the next row."""
        clock, shown = (row.device, row.at) if row.came is None else (_GATEWAY, row.came)
        if self._now is None:
            self._first = self._now = shown
        before, ahead = self._clocks.get(clock, (shown, 0))
        if shown < before:
            ahead = self._now - shown
        self._clocks[clock] = (shown, ahead)
        self._now = max(self._now, shown + ahead)
        return self._now - self._first


class Length(NamedTuple):
    """What a recording comes to. `lead` is what to add to the moment of its beginning to have the greatest shift, in ns."""

    rows: int
    lead: int

    @classmethod
    def of(cls, rows: Iterable[Row], speed: float | None) -> Length:
        """Read a recording once, to be replayed so many times faster than it was recorded (None: all at once).

        The greatest shift is one that puts no row's time ahead of its turn. At real speed and faster that makes the last row now when its turn
        comes, unless a clock stepped back.

        >>> Length.of([Row(at, "a", ()) for at in (100, 200, 400)], speed=2), Length.of([Row(100, "a", ()), Row(400, "a", ())], speed=None)
        (Length(rows=3, lead=-250), Length(rows=2, lead=-400))
        """
        pace, count, lead = Pace(), 0, 0
        for row in rows:
            due = pace.due(row)
            room = (0 if speed is None else int(due / speed)) - row.at
            lead = room if not count else min(lead, room)
            count += 1
        return cls(count, lead)
