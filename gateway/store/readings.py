"""Writes readings: rows by id, the series they belong to, and the blocks that find them again by time."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal

from devices.reading import Reading
from gateway.store import blocks, totals
from gateway.store.effects import ReadingKept
from gateway.store.rewind import Redo
from gateway.store.schema import StoreError
from gateway.store.series import Series, SeriesBook
from gateway.store.totals import Totals
from gateway.store.values import SOURCES, Stored, pack

Raw = Literal["all", "changes", "none"]
"""Which readings get a row (`history.raw`): every one, those whose value differs from the one before, or none."""

Row = tuple[int, int, int, Stored, str | None, Stored | None, str | None, int, int | str, int | None]

_INSERT = "INSERT OR IGNORE INTO readings VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Readings:
    """The writer's readings. Exactly once: a reading written again (same id) changes nothing and is counted once.

    Readings of one series come in the journal's order, so an id at or below the series' `last_id` is a replay. Where every reading has a
    row (`all`) that is checked against the row, so that even one out of order is kept.
    """

    def __init__(self, connection: sqlite3.Connection, sums: Totals, raw: Raw) -> None:
        self._connection = connection
        self._totals = sums
        self._raw = raw
        self.redo = Redo(connection, sums)
        self._book = SeriesBook(connection, marks=raw == "changes")
        self._unsealed = self._count_unsealed()

    def write(self, taken: Sequence[ReadingKept]) -> None:
        """Write readings, in the caller's transaction. Raises StoreError where two different readings have one id."""
        rows: list[Row] = []
        held, dirty, every = self._book.held, self._book.dirty, self._raw == "all"
        fresh, pruned_to = 0, self._totals[totals.PRUNED_TO] or -1
        for kept in taken:
            reading, reading_id = kept.reading, kept.id
            if reading.retained:
                self._book.retain(reading, reading_id)
                continue
            series = held.get((reading.device, reading.metric, reading.channel)) or self._book.open(reading)
            if reading.labels is not series.labels and reading.labels != series.labels:
                self._book.label(series, reading)
                self._totals[totals.LABELS] += 1
            value = reading.value
            packed: Stored = pack(value) if type(value) is not float or value != value else value  # noqa: PLR0124  # NaN
            if reading_id <= series.last_id:
                self._insert(rows)  # it may be among them
                rows = []
                self._again(series, reading, reading_id, packed)
                continue
            series.last_id = reading_id
            if not kept.belated:
                series.heard_id = reading_id
            series.count += 1
            fresh += 1
            received = reading.received
            if series.last_seen is None or received > series.last_seen:
                series.last_seen = received
            if reading.ts > series.last_ts and series.key == reading.key and series.convention == reading.convention:
                series.last_value, series.last_ts, series.state_id = packed, reading.ts, reading_id
                series.last_unit, series.last_retained = reading.unit, 0
            else:
                self._book.show(series, reading, reading_id, packed)
            dirty[series.id] = series
            if (every or (self._raw == "changes" and series.changes(reading.ts, packed))) and reading_id > pruned_to:
                series.kept += 1
                rows.append(_row(series, reading, reading_id, packed))
        self._totals[totals.TAKEN] += fresh
        self._insert(rows)

    def save(self) -> None:
        """Write what is held in memory, in the caller's transaction; seal a block when there is enough for one."""
        self._book.save()
        if self._unsealed >= blocks.SMALLEST:
            (series,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()
            if self._unsealed >= blocks.size(series):
                self._seal()

    def _seal(self) -> None:
        sealed = self._totals[totals.SEALED]
        last = blocks.seal(self._connection, blocks.unsealed(self._connection, sealed, self.redo.upto))
        self._totals[totals.SEALED] = max(sealed, last)
        self._unsealed = 0

    def forget(self) -> None:
        """Let go of everything in memory: after a transaction was rolled back."""
        self._book.forget()
        self._unsealed = self._count_unsealed()

    def _insert(self, rows: list[Row]) -> None:
        if not rows:
            return
        inserted = self._connection.executemany(_INSERT, rows).rowcount
        if inserted != len(rows):
            raise StoreError(f"store: each reading must have an id of its own; got {len(rows) - inserted} used before, near {rows[0][0]}")
        self._totals[totals.KEPT] += inserted
        self._unsealed += inserted

    def _again(self, series: Series, reading: Reading, reading_id: int, packed: Stored) -> None:
        """Take a reading that is not above its series' last: a replay, or (where every reading has a row to tell) one out of order."""
        if self._raw != "all" or reading_id <= self._totals[totals.PRUNED_TO]:
            return
        if self._connection.execute(_INSERT, _row(series, reading, reading_id, packed)).rowcount == 0:
            return
        series.count += 1
        series.kept += 1
        self._book.show(series, reading, reading_id, packed)
        self._book.dirty[series.id] = series
        self._totals[totals.TAKEN] += 1
        self._totals[totals.KEPT] += 1
        if reading_id > self._totals[totals.SEALED]:
            self._unsealed += 1
        else:
            blocks.seal(self._connection, [(series.id, reading_id, reading.ts)])

    def _count_unsealed(self) -> int:
        (count,) = self._connection.execute("SELECT count(*) FROM readings WHERE id > ?", (self._totals[totals.SEALED],)).fetchone()
        return int(count)


def _row(series: Series, reading: Reading, reading_id: int, packed: Stored) -> Row:
    raw, value = reading.raw_value, reading.value
    unit, raw_unit = reading.unit, reading.raw_unit
    return (
        reading_id,
        series.id,
        reading.ts,
        packed,
        None if unit == series.unit else unit or "",
        None if raw is value or (type(raw) is type(value) and raw == value) else pack(raw),
        None if raw_unit == unit else raw_unit or "",
        reading.received - reading.ts,
        SOURCES.get(reading.time_source, reading.time_source),
        reading.sequence,
    )
