"""The series that readings belong to: what is known of each, held in memory for the writer and saved with the readings' own transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from devices.reading import Reading
from gateway.store import totals
from gateway.store.totals import Totals
from gateway.store.values import Stored, pack

LONG_AGO = -(1 << 63)
CACHED = 100_000
"""Series held in memory at most; beyond that all are let go and come back when next seen."""

_COLUMNS = (
    "id, key, unit, convention, first_seen, last_seen, last_value, last_unit, last_ts, last_retained, state_id, last_id, heard_id,"
    " live_ts, mark, count, kept, labels"
)
_SAVE = """UPDATE series SET last_seen = ?, last_value = ?, last_unit = ?, last_ts = ?, last_retained = ?, state_id = ?, last_id = ?,
  heard_id = ?, live_ts = ?, mark = ?, count = ?, kept = ? WHERE id = ?"""


class Series(msgspec.Struct):
    """One row of `series`, in the order of `_COLUMNS`; schema.py says what they mean."""

    id: int
    key: str
    unit: str | None
    convention: str
    first_seen: int
    last_seen: int | None
    last_value: Stored | None
    last_unit: str | None
    last_ts: int
    last_retained: int
    state_id: int
    last_id: int
    heard_id: int
    live_ts: int
    mark: Stored | None
    count: int
    kept: int
    labels: Mapping[str, str]

    def show(self, reading: Reading, reading_id: int, value: Stored) -> bool:
        """Make the reading the last known state if it is newer: by event time, a live one before a retained one, then by id.

        Tells whether it was. The order is total, so that replaying any stretch in any order of crashes ends in the same state.
        """
        retained = 1 if reading.retained else 0
        if (reading.ts, -retained, reading_id) <= (self.last_ts, -self.last_retained, self.state_id):
            return False
        self.last_value, self.last_unit, self.last_ts = value, reading.unit, reading.ts
        self.last_retained, self.state_id = retained, reading_id
        return True

    def changes(self, ts: int, value: Stored) -> bool:
        """Tell whether `history.raw: changes` keeps a live value, and remember it.

        What comes out of order is always kept, and so is what follows it: what was left out before may not hold any more.
        """
        if ts < self.live_ts:
            self.mark = None
            return True
        self.live_ts = ts
        if self.mark is not None and type(self.mark) is type(value) and self.mark == value:
            return False
        self.mark = value
        return True


class SeriesBook:
    """All series by (device, metric, channel). Holds at most `CACHED`; nothing in it is newer than the open transaction."""

    def __init__(self, connection: sqlite3.Connection, sums: Totals, *, marks: bool) -> None:
        """Without `marks` (history.raw is not `changes`) what was marked is forgotten: it would be stale when they are wanted again."""
        self._connection = connection
        self._totals = sums
        self.held: dict[tuple[str, str, str], Series] = {}
        self.dirty: dict[int, Series] = {}
        if not marks:
            connection.execute("UPDATE series SET mark = NULL WHERE mark IS NOT NULL")

    def open(self, reading: Reading) -> Series:
        """Give the reading's series, from the table or new; it is in `held` from then on."""
        identity = (reading.device, reading.metric, reading.channel)
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM series WHERE device = ? AND metric = ? AND channel = ?",  # noqa: S608  # our own column names
            identity,
        ).fetchone()
        if row is None:
            row = self._connection.execute(
                "INSERT INTO series(device, metric, channel, key, unit, convention, first_seen, last_ts, last_retained, state_id, last_id,"
                " heard_id, live_ts, count, kept) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 1, -1, -1, -1, ?, 0, 0) RETURNING " + _COLUMNS,
                (*identity, reading.key, reading.unit, reading.convention, reading.received, LONG_AGO, LONG_AGO),
            ).fetchone()
        fields = [*row]
        fields[-1] = msgspec.json.decode(row[-1], type=dict[str, str])
        series = self.held[identity] = Series(*fields)
        return series

    def give_away(self, reading: Reading) -> Series:
        """Give the reading's series, as the table has it from now on; it is held no longer."""
        identity = (reading.device, reading.metric, reading.channel)
        series = self.held.pop(identity, None) or self.open(reading)
        self.held.pop(identity, None)
        if self.dirty.pop(series.id, None):
            self._connection.execute(_SAVE, _row(series))
        if reading.labels != series.labels:
            self.label(series, reading)
        if (series.key, series.convention) != (reading.key, reading.convention):
            self._name(series, reading)
        return series

    def label(self, series: Series, reading: Reading) -> None:
        """Keep the reading's labels as its series'."""
        self._totals[totals.LABELS] += 1
        series.labels = reading.labels
        text = msgspec.json.encode(reading.labels, order="sorted").decode()
        self._connection.execute("UPDATE series SET labels = ? WHERE id = ?", (text, series.id))

    def show(self, series: Series, reading: Reading, reading_id: int, value: Stored) -> None:
        """Make the reading its series' last known state if it is newer."""
        if series.show(reading, reading_id, value) and (series.key, series.convention) != (reading.key, reading.convention):
            self._name(series, reading)

    def _name(self, series: Series, reading: Reading) -> None:
        series.key, series.convention = reading.key, reading.convention
        self._connection.execute("UPDATE series SET key = ?, convention = ? WHERE id = ?", (series.key, series.convention, series.id))

    def retain(self, reading: Reading, reading_id: int) -> None:
        """Take a retained reading: it may set the last known state, and is no reading of the history."""
        series = self.held.get((reading.device, reading.metric, reading.channel)) or self.open(reading)
        self.show(series, reading, reading_id, pack(reading.value))
        self.dirty[series.id] = series

    def save(self) -> None:
        """Write what changed, in the caller's transaction."""
        if self.dirty:
            self._connection.executemany(_SAVE, [_row(series) for series in self.dirty.values()])
            self.dirty = {}
        if len(self.held) > CACHED:
            self.held.clear()

    def forget(self) -> None:
        """Let go of everything in memory: after a transaction was rolled back."""
        self.held.clear()
        self.dirty = {}


def _row(series: Series) -> tuple[Stored | None, ...]:
    return (
        series.last_seen,
        series.last_value,
        series.last_unit,
        series.last_ts,
        series.last_retained,
        series.state_id,
        series.last_id,
        series.heard_id,
        series.live_ts,
        series.mark,
        series.count,
        series.kept,
        series.id,
    )
