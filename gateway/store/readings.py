"""Writes readings: in batches, with the series they belong to, and the blocks that find them again by series."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from time import monotonic
from typing import Literal

from gateway.store import batches, blocks, totals
from gateway.store.batches import BatchWriter
from gateway.store.effects import ReadingKept, ReportKept
from gateway.store.reports import Reports
from gateway.store.rewind import Redo
from gateway.store.series import SeriesBook
from gateway.store.tail import SETTLE, Settled, Tail
from gateway.store.totals import Totals
from gateway.store.values import Stored, pack

Raw = Literal["all", "changes", "none"]
"""Which readings are kept (`history.raw`): every one, those whose value differs from the one before, or none."""


class Readings:
    """The writer's readings. Exactly once: a reading written again (same id) changes nothing and is counted once.

    Readings of one series come in the journal's order, so an id at or below the series' `last_id` is a replay.
    """

    def __init__(self, connection: sqlite3.Connection, sums: Totals, raw: Raw, *, patient: bool) -> None:
        """`patient`: the state of series may come into its table a little later than their readings, where readers find it until then (`Tail`)."""
        self._connection = connection
        self._totals = sums
        self._raw = raw
        self._patient = patient
        self.redo = Redo(connection, sums)
        self._book = SeriesBook(connection, sums, marks=raw == "changes")
        self._reports = Reports(connection, self._book)
        self._batch = BatchWriter(connection, self._note)
        self._unsealed = blocks.Block()
        self._newest = self._latest = 0
        """The highest ids that are in the file, and that were taken."""
        self._behind: list[Settled] = []
        """What the table of series does not have yet of readings that are in the file."""
        self._mixed = False
        """Whether batches of another time may lie between those that are to be sealed."""
        self._begin()

    def _begin(self) -> None:
        """Take up where the file stands."""
        self._behind = [*Tail(self._connection).settled.values()]
        self._newest = self._latest = max(batches.newest(self._connection), self._totals[totals.PRUNED_TO])
        self._reports.settled_to = self._latest
        self._unsealed = self._gathered()

    def _gathered(self) -> blocks.Block:
        self._mixed = self.redo.under_way
        return blocks.gathered(blocks.unsealed(self._connection, self._totals[totals.SEALED], self.redo.upto))

    def _note(self, first: int, last: int, contents: batches.Contents) -> None:
        self._mixed = self._mixed or self.redo.under_way
        self._unsealed.add(first, last, contents)

    def write(self, taken: Sequence[ReadingKept | ReportKept]) -> None:
        """Write readings, in the caller's transaction. Raises StoreError where two different readings have one id."""
        self._catch_up()
        count = 0
        for kept in taken:
            if isinstance(kept, ReadingKept):
                self._take(kept)
            elif self._raw == "all" and kept.id > self._newest and self._reports.take(kept, self._batch):
                count += len(kept.report.values)
                self._latest = kept.id + len(kept.report.values) - 1
            else:
                for one in kept.readings():
                    self._take(one)
        written = self._batch.write()
        self._totals[totals.TAKEN] += count
        self._totals[totals.KEPT] += written

    def _catch_up(self) -> None:
        """Bring the table of series up to the readings that were found, before anything is read of it."""
        if self._behind:
            self._connection.executemany(SETTLE, self._behind)
            self._behind = []

    def _take(self, kept: ReadingKept) -> None:
        """Take one reading."""
        reading, reading_id = kept.reading, kept.id
        if reading.device in self._reports:
            self._reports.leave(reading.device)
        if reading.retained:
            self._book.retain(reading, reading_id)
            return
        series = self._book.held.get((reading.device, reading.metric, reading.channel)) or self._book.open(reading)
        if reading.labels is not series.labels and reading.labels != series.labels:
            self._book.label(series, reading)
        if reading_id <= series.last_id:
            return
        packed: Stored = pack(reading.value)
        series.last_id = reading_id
        self._latest = max(self._latest, reading_id)
        if not kept.belated:
            series.heard_id = reading_id
        series.count += 1
        self._totals[totals.TAKEN] += 1
        if series.last_seen is None or reading.received > series.last_seen:
            series.last_seen = reading.received
        self._book.show(series, reading, reading_id, packed)
        self._book.dirty[series.id] = series
        wanted = self._raw == "all" or (self._raw == "changes" and series.changes(reading.ts, packed))
        if wanted and reading_id > (self._totals[totals.PRUNED_TO] or -1):
            series.kept += 1
            self._batch.add(reading_id, series.id, series.unit, reading)

    def save(self) -> None:
        """Write what is held in memory, in the caller's transaction; seal a block when there is enough for one."""
        self._catch_up()
        if self._patient:
            self._reports.go_on(self._latest, monotonic())
        else:
            self.settle()
        self._book.save()
        self._totals[totals.SETTLED_TO] = self._reports.settled_to
        if self._unsealed.readings >= blocks.SMALLEST:
            (series,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM series").fetchone()
            if self._unsealed.readings >= blocks.size(series):
                block = self._gathered() if self._mixed else self._unsealed
                self._totals[totals.SEALED] = max(block.seal(self._connection), self._totals[totals.SEALED])
                self._unsealed = blocks.Block()

    def settle(self) -> None:
        """Write the state of all series, in the caller's transaction."""
        self._reports.settle(self._latest)

    def forget(self) -> None:
        """Let go of everything in memory, and take up where the file stands: after a transaction was rolled back, or has moved what is written."""
        self._batch.forget()
        self._reports.forget()
        self._book.forget()
        self._begin()
