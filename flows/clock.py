"""The journal's clock: how much time has passed, by the journal alone."""

from __future__ import annotations

from gateway.journal.row import Row


class JournalClock:
    """Nanoseconds of live time, added up from row to row.

    Time passes between two rows only where both are live and of one connection: a hole in the journal (our own outage), a lost broker, and
    the backlog behind it advance nothing. Built on the rows' monotonic times, so that a step of the system's clock advances nothing either.
    `live_until` is when the newest live row came (epoch ns): what is in a backlog may be from then on.

    >>> from gateway.journal.row import Row
    >>> at = lambda s, connection, live: Row(0, 0, 0, s * 10**9, 1, connection, live, 0, 0, b"")
    >>> clock = JournalClock()
    >>> [clock.advance(at(*row)) // 10**9 for row in [(5, 1, False), (6, 1, True), (8, 1, True), (99, 2, False), (100, 2, True), (101, 2, True)]]
    [0, 0, 2, 2, 2, 3]
    """

    def __init__(self, state: list[int] | None = None) -> None:
        self.now, self._uptime, self._connection, self._live, self.live_until = [*(state or [0, 0, 0, 0]), 0][:5]

    def advance(self, row: Row) -> int:
        """Take the next row's time; give the clock."""
        if row.live and self._live and row.connection == self._connection:
            self.now += max(0, row.uptime - self._uptime)
        self._uptime, self._connection, self._live = row.uptime, row.connection, int(row.live)
        if row.live:
            self.live_until = row.received
        return self.now

    def snapshot(self) -> list[int]:
        return [self.now, self._uptime, self._connection, self._live, self.live_until]
