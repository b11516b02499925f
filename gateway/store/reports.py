"""Reports on their way into the store: their readings at once, what they mean for the state of their series a little later."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from devices.convention import remember
from devices.form import Heading, Report
from gateway.store.batches import BatchWriter, Exceptions
from gateway.store.effects import ReportKept
from gateway.store.series import CACHED, Series, SeriesBook
from gateway.store.tail import SETTLE, Settled
from gateway.store.values import pack

_ROUND = 5.0
"""Seconds between the beginnings of two rounds."""
_PORTION, _TRANSACTIONS = 32, 64
"""Forms that are settled with a transaction at least, and in how many all are."""
_MOST_SWITCHES = 8
"""Times that a device may go from reports to single readings and back, each of which has its series read anew; then it stays with readings."""


class _Follower:
    """A form's series by number, and what its reports since the last settling come to: how many, the newest of all, and that by event time."""

    __slots__ = ("count", "exceptions", "last", "newest", "newest_id", "seen", "series")

    def __init__(self, series: tuple[Series, ...], form: Heading) -> None:
        self.series = [one.id for one in series]
        own = [one.unit for one in series]
        columns = form.columns
        units = {place: column.unit or "" for place, column in enumerate(columns) if column.unit != own[place]}
        raw_units = {place: column.raw_unit or "" for place, column in enumerate(columns) if column.raw_unit != column.unit}
        self.exceptions = Exceptions(units, raw_units)
        self.count = self.last = self.newest_id = self.seen = 0
        self.newest: Report | None = None


class Reports:
    """The newest of each series is in the table of series once it is settled; until then it is in the readings behind the mark that is kept.

    A device's series are either here or in the book of series, never in both. All are settled in rounds, some with each transaction, in the
    order of the table: so neighbours share a page, and a page is written once a round.
    """

    def __init__(self, connection: sqlite3.Connection, book: SeriesBook) -> None:
        self._connection = connection
        self._book = book
        self._followers: dict[Heading, _Follower] = {}
        self._forms: dict[str, list[Heading]] = {}
        self._waiting: dict[_Follower, None] = {}
        self._switches: dict[str, int] = {}
        self._round: list[_Follower] = []
        self._portion = _PORTION
        self._began, self._began_at = -_ROUND, 0
        self.settled_to = 0
        """The id up to which all readings are settled."""

    def __contains__(self, device: str) -> bool:
        return device in self._forms

    def take(self, kept: ReportKept, batch: BatchWriter) -> bool:
        """Take a report whose readings are all new; False where they are to be taken one by one."""
        report = kept.report
        follower = self._followers.get(report.form) or self._follow(report)
        if follower is None:
            return False
        batch.add_report(kept.id, report, follower.series, follower.exceptions)
        if not follower.count:
            follower.newest = None
            self._waiting[follower] = None
        follower.count += 1
        follower.last = kept.id
        follower.seen = max(follower.seen, report.received)
        if follower.newest is None or report.ts >= follower.newest.ts:
            follower.newest, follower.newest_id = report, kept.id
        return True

    def _follow(self, report: Report) -> _Follower | None:
        form = report.form
        if self._switches.get(form.device, 0) > _MOST_SWITCHES:
            return None
        if len(self._followers) >= CACHED:
            self._settle(self._waiting)
            self.forget()
        series = tuple(self._book.give_away(reading) for reading in report.readings())
        follower = self._followers[form] = _Follower(series, form)
        self._forms.setdefault(form.device, []).append(form)
        return follower

    def leave(self, device: str) -> None:
        """Settle a device's series, and let go of them: single readings come."""
        forms = self._forms.pop(device)
        self._settle([follower for form in forms if (follower := self._followers.pop(form)).count])
        remember(self._switches, device, self._switches.get(device, 0) + 1, most=CACHED)

    def settle(self, newest: int) -> None:
        """Settle all, `newest` being the highest id there is."""
        self._settle(self._waiting)
        self._round, self.settled_to = [], newest

    def go_on(self, newest: int, now: float) -> None:
        """Settle some, and begin a round when it is time to; `now` is in seconds."""
        if not self._waiting:
            self.settle(newest)
        elif self._round:
            some = self._round[-self._portion :]
            del self._round[-self._portion :]
            self._settle(one for one in some if one.count)
            if not self._round:
                self.settled_to = self._began_at
        elif now - self._began >= _ROUND:
            self._began, self._began_at = now, newest
            self._round = sorted(self._waiting, key=lambda one: one.series[0], reverse=True)
            self._portion = max(_PORTION, len(self._round) // _TRANSACTIONS)

    def _settle(self, followers: Iterable[_Follower]) -> None:
        followers = list(followers)
        self._connection.executemany(SETTLE, (settled for one in followers for settled in _settled(one)))
        for follower in followers:
            follower.count = 0
            self._waiting.pop(follower, None)

    def forget(self) -> None:
        """Let go of everything in memory."""
        self._followers, self._forms, self._waiting, self._round = {}, {}, {}, []


def _settled(follower: _Follower) -> Iterator[Settled]:
    report = follower.newest
    assert report is not None
    for place, (series, value, column) in enumerate(zip(follower.series, report.values, report.form.columns, strict=True)):
        yield Settled(
            follower.seen, follower.count, follower.last + place, report.ts, follower.newest_id + place, pack(value), column.unit, series
        )
