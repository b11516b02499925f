"""The newest readings, of which the table of series does not know yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from gateway.store import batches, totals
from gateway.store.values import Stored

_NEWER = "(?4 > last_ts OR (?4 = last_ts AND (last_retained OR ?5 > state_id)))"
SETTLE = f"""UPDATE series SET last_seen = max(coalesce(last_seen, ?1), ?1), count = count + ?2, kept = kept + ?2, last_id = max(last_id, ?3),
  heard_id = max(heard_id, ?3), last_value = iif({_NEWER}, ?6, last_value), last_unit = iif({_NEWER}, ?7, last_unit),
  last_ts = iif({_NEWER}, ?4, last_ts), last_retained = iif({_NEWER}, 0, last_retained), state_id = iif({_NEWER}, ?5, state_id)
  WHERE id = ?8"""  # noqa: S608  # our own text


class Settled(NamedTuple):
    """What new readings of a series come to, as `SETTLE` takes it.

    `seen` is the newest receive time, `last` the highest id; then comes the one with the newest event time, of several the last.
    """

    seen: int
    readings: int
    last: int
    ts: int
    id: int
    value: Stored
    unit: str | None
    series: int


class Tail:
    """What is to be settled, by series; from one state of the store.

    No series has a reading among them that was taken in order and left out of the table: an id above its `last_id` says what is new.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.settled: dict[int, Settled] = {}
        self._connection = connection
        self._known: dict[int, tuple[int, str | None]] = {}
        for first, body in batches.bodies_after(connection, mark(connection)):
            self._look_up(set(body.series) - self._known.keys())
            for run, numbers, series, values, units in batches.runs(first, body):
                self._take(run.ts, run.ts + run.delay, zip(numbers, series, values, units, strict=True))

    def _look_up(self, wanted: set[int]) -> None:
        if wanted:
            query = f"SELECT id, last_id, unit FROM series WHERE id IN ({', '.join(map(str, wanted))})"  # noqa: S608  numbers of ours
            self._known.update(dict.fromkeys(wanted, (batches.GREATEST_ID, None)))
            self._known.update((one, (last, unit)) for one, last, unit in self._connection.execute(query))

    def _take(self, ts: int, received: int, said: Iterable[tuple[int, int, Any, str | None]]) -> None:
        """Take what one message said: id, series, value and odd unit of each reading."""
        for number, series, value, odd in said:
            last, unit = self._known[series]
            old = self.settled.get(series)
            if number <= last:
                continue
            if odd is not None:
                unit = odd or None
            if old is None:
                self.settled[series] = Settled(received, 1, number, ts, number, batches.stored(value), unit, series)
            elif ts >= old.ts:
                seen = max(old.seen, received)
                self.settled[series] = Settled(seen, old.readings + 1, number, ts, number, batches.stored(value), unit, series)
            else:
                self.settled[series] = old._replace(seen=max(old.seen, received), readings=old.readings + 1, last=number)


class Newest:
    """The newest live reading of each series in the order of the journal, as far as the table of series does not have it: (id, value) by series."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._found: dict[int, tuple[int, Stored]] = {}
        self._upto = 0

    def get(self, series: int) -> tuple[int, Stored] | None:
        """Give it for a series, from the caller's state of the store; None where there is none that is known to be the newest."""
        newest = batches.newest(self._connection)
        if newest < self._upto:  # readings are made again
            self._found, self._upto = {}, 0
        start = max(self._upto, mark(self._connection))
        if start < newest:
            for row in batches.after(self._connection, start):
                self._found[row[1]] = row[0], row[3]
        self._upto = newest
        return self._found.get(series)


def mark(connection: sqlite3.Connection) -> int:
    """Give the id up to which all readings are settled."""
    row = connection.execute("SELECT value FROM totals WHERE term = ?", (totals.SETTLED_TO,)).fetchone()
    return int(row[0]) if row else batches.newest(connection)
