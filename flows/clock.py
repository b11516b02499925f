"""The journal's clock: how much time has passed, by the journal alone."""

from __future__ import annotations

from devices.timestamps import RELEASED, SECOND
from gateway.journal.row import Row

_DAY = 86_400 * SECOND
_UNSET_UNTIL = RELEASED + 12 * 366 * _DAY
"""What a device may show at most while the gateway's own clock is not set: some years from now, whenever that is."""


class JournalClock:
    """Nanoseconds of live time, added up from row to row.

    Time passes between two rows only where both are live and of one connection: a hole in the journal (our own outage), a lost broker, and
    the backlog behind it advance nothing. Built on the rows' monotonic times, so that a step of the system's clock advances nothing either.
    `live_until` is when the newest live row came (epoch ns): what is in a backlog may be from then on.

    `ahead` is by how many ns the true time may be ahead of the row's: where the system's clock was set back since the machine started, within
    the last day, either of the two times may be the right one; and while it is not set at all, nobody knows.

    >>> from gateway.journal.row import Row
    >>> at = lambda s, connection, live: Row(0, 0, 0, s * 10**9, 1, connection, live, 0, 0, b"")
    >>> clock = JournalClock()
    >>> [clock.advance(at(*row)) // 10**9 for row in [(5, 1, False), (6, 1, True), (8, 1, True), (99, 2, False), (100, 2, True), (101, 2, True)]]
    [0, 0, 2, 2, 2, 3]
    >>> set_back = lambda received, s: Row(0, 0, received * 10**9, s * 10**9, 1, 1, True, 0, 0, b"")
    >>> for row in [(1_764_547_200, 50), (1_764_543_602, 52)]:
    ...     _ = clock.advance(set_back(*row))
    >>> clock.ahead // 10**9
    3600
    """

    def __init__(self, state: list[int] | None = None) -> None:
        kept: list[int] = [*(state or ()), *[0] * 7][:7]
        self.now, self._uptime, self._connection, self._live, self.live_until, self._began, self._stepped = kept
        self.ahead = 0

    def advance(self, row: Row) -> int:
        """Take the next row's time; give the clock."""
        if row.live and self._live and row.connection == self._connection:
            self.now += max(0, row.uptime - self._uptime)
        self._set(row)
        self._uptime, self._connection, self._live = row.uptime, row.connection, int(row.live)
        if row.live:
            self.live_until = row.received
        return self.now

    def leads_to(self, row: Row) -> bool:
        """Tell whether a later row lies in the same live stretch, as far as it can tell: no outage, lost broker or backlog is between."""
        return row.live and bool(self._live) and row.connection == self._connection and row.uptime >= self._uptime

    def _set(self, row: Row) -> None:
        """Hold the system's clock against the monotonic one: `_began` is when that stood at 0, by the latest that the former ever showed."""
        began = row.received - row.uptime
        if row.uptime < self._uptime or began >= self._began or row.uptime - self._stepped > _DAY:
            self._began, self._stepped = began, row.uptime
        self.ahead = _UNSET_UNTIL - row.received if row.received < RELEASED else self._began - began

    def snapshot(self) -> list[int]:
        return [self.now, self._uptime, self._connection, self._live, self.live_until, self._began, self._stepped]
