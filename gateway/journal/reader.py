"""The reading side of the journal: rows by offset, across segments, and what the journal holds as a whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import structlog

from gateway.journal.remains import Remains
from gateway.journal.row import Kind, Row
from gateway.journal.segment import Listing, Segment, first_offset, segments

log = structlog.get_logger()

_NEWEST = 2**63 - 1
_ROWS = 64
"""Rows read at a time on the way back."""


class JournalReader:
    """Read rows in order, from behind an offset on. Sees rows as soon as they are committed; never waits.

    What cannot be read is passed over: rows and files that are damaged, and rows that are no longer there. So the first row is the oldest
    there is, where an older one is asked for. In the newest segment that holds only where something can be read behind it.
    """

    def __init__(self, directory: Path, *, after: int = 0) -> None:
        self.directory = directory
        self.offset = after
        self._segment: Segment | Remains | None = None
        self._listing = Listing(directory)

    @property
    def between(self) -> bool:
        """Whether a segment has been read to its end, and the next was not looked at yet."""
        return self._segment is None

    def read(self, limit: int) -> list[Row]:
        """Read up to `limit` further rows; an empty list where there are none yet."""
        while self._segment or self._open():
            rows = self._rows(limit)
            # The writer may have gone on to another segment between two looks: only what is not there when the next one is, is not to come.
            if not rows and (following := self._following()) and not (rows := self._rows(limit)):
                self.close()
                self.offset = max(self.offset, first_offset(following) - 1)
                continue
            if not rows:
                return []
            self.offset = rows[-1].offset
            if rows[-1].kind == Kind.END:
                self.close()
                rows.pop()
            if rows:
                return rows
        return []

    def _rows(self, limit: int) -> list[Row]:
        if self._segment is None:
            return []
        try:
            return self._segment.after(self.offset, limit)
        except sqlite3.Error as error:
            return self._despite(error, limit)

    def _despite(self, error: sqlite3.Error, limit: int) -> list[Row]:
        """Read what can still be read of a segment that SQLite cannot read."""
        assert isinstance(self._segment, Segment)
        if self._following() is None:
            with suppress(sqlite3.Error):
                return self._segment.beyond(self.offset, limit)
            return []
        log.warning("a journal segment is damaged: reading what is left of it", file=self._segment.path.name, error=str(error))
        path = self._segment.path
        self.close()
        self._segment = Remains(path)
        return self._segment.after(self.offset, limit)

    def _open(self) -> bool:
        found = self._listing.segments()
        holding = [path for path in found if first_offset(path) <= self.offset + 1] or found[:1]
        if holding:
            self._segment = _opened(holding[-1], left=holding[-1] != found[-1])
        return self._segment is not None

    def _following(self) -> Path | None:
        assert self._segment is not None
        name = self._segment.path.name
        return next((path for path in self._listing.segments() if path.name > name), None)

    def close(self) -> None:
        if self._segment:
            self._segment.close()
            self._segment = None


def _opened(path: Path, *, left: bool) -> Segment | Remains | None:
    """Open a segment; where SQLite cannot, what remains of it, if its writer has left it for the next."""
    try:
        return Segment(path)
    except sqlite3.Error:
        return Remains(path) if left else None


def newest_row(directory: Path) -> Row | None:
    """Read the newest row of a journal that can be read; None where it has none."""
    return next(newest_first(directory, rows=1), None)


def newest_first(directory: Path, *, rows: int = _ROWS) -> Iterator[Row]:
    """Read the journal backwards, so many rows at a time; what cannot be read is passed over."""
    return _backwards(directory, _NEWEST, rows)


def total_at(directory: Path, offset: int) -> int:
    """Tell how many messages the journal had taken in, ever, up to and with `offset` (0 before the first).

    Where the journal no longer has that row, nor any before it, it is what the oldest row goes on from.
    """
    row = next(_backwards(directory, offset, 1), None)
    if row:
        return row.total
    oldest = _at_or_after(directory, offset) if offset else None
    return oldest.total - oldest.count if oldest else 0


def first_since(directory: Path, received: int) -> int | None:
    """Give the offset of the first row that came at `received` (epoch ns) or later; None where there is none, or what came then is dropped.

    The wall clock may have been set back in between: then it is one of the first such rows.
    """
    newest, oldest = newest_row(directory), _at_or_after(directory, 0)
    if newest is None or oldest is None or newest.received < received or (oldest.offset > 1 and oldest.received > received):
        return None
    low, high = oldest.offset, newest.offset
    while low < high:
        middle = (low + high) // 2
        row = _at_or_after(directory, middle) or newest
        low, high = (row.offset + 1, high) if row.received < received else (low, middle)
    return (_at_or_after(directory, low) or newest).offset


def row_at(directory: Path, offset: int) -> Row | None:
    """Read one row; None where it is not there, or cannot be read."""
    row = _at_or_after(directory, offset)
    return row if row and row.offset == offset else None


def _at_or_after(directory: Path, offset: int) -> Row | None:
    """Read the row at an offset, or the next there is."""
    with closing(JournalReader(directory, after=offset - 1)) as reader:
        return next(iter(reader.read(1)), None)


def _backwards(directory: Path, offset: int, rows: int) -> Iterator[Row]:
    """Read the rows up to and with an offset, newest first."""
    found = segments(directory)
    for path in reversed(found):
        if first_offset(path) <= offset:
            for block in _blocks(path, offset, rows, left=path != found[-1]):
                yield from block


def _blocks(path: Path, offset: int, rows: int, *, left: bool) -> Iterator[list[Row]]:
    """Read a segment backwards, a block of rows at a time."""
    segment = _opened(path, left=left)
    try:
        while segment:
            try:
                block = segment.before(offset, rows)
            except sqlite3.Error:
                segment.close()
                segment = Remains(path) if left else None
                continue
            if not block:
                return
            yield block
            offset = block[-1].offset - 1
    finally:
        if segment:
            segment.close()
