"""The reading side of the journal: rows by offset, across segments, and what the journal holds as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.journal.row import Kind, Row
from gateway.journal.segment import Segment, first_offset, segments


class JournalReader:
    """Read rows in order, from behind an offset on. Sees rows as soon as they are committed; never waits."""

    def __init__(self, directory: Path, *, after: int = 0) -> None:
        self.directory = directory
        self.offset = after
        self._segment: Segment | None = None

    def read(self, limit: int) -> list[Row]:
        """Read up to `limit` further rows; an empty list where there are none yet.

        Raises:
            LookupError: the journal no longer holds the row behind the offset (its segment was dropped).

        """
        if self._segment is None and not self._open():
            return []
        assert self._segment is not None
        rows = self._segment.after(self.offset, limit)
        if not rows:
            return []
        self.offset = rows[-1].offset
        if rows[-1].kind == Kind.END:
            self.close()
            rows.pop()
            return rows or self.read(limit)
        return rows

    def _open(self) -> bool:
        found = segments(self.directory)
        holding = [p for p in found if first_offset(p) <= self.offset + 1]
        if not holding:
            if found:
                raise LookupError(
                    f"journal {self.directory.name}: row {self.offset + 1} was asked for, the oldest kept is {first_offset(found[0])}"
                )
            return False
        self._segment = Segment(holding[-1])
        return True

    def close(self) -> None:
        if self._segment:
            self._segment.close()
            self._segment = None


def newest_row(directory: Path) -> Row | None:
    """Read the newest row of a journal; None where it has none."""
    for path in reversed(segments(directory)):
        segment = Segment(path)
        try:
            row = segment.last()
        finally:
            segment.close()
        if row:
            return row
    return None


def newest_first(directory: Path) -> Iterator[Row]:
    """Read the journal backwards."""
    for path in reversed(segments(directory)):
        segment = Segment(path)
        try:
            for offset in segment.newest_first():
                yield segment.after(offset - 1, 1)[0]
        finally:
            segment.close()


def total_at(directory: Path, offset: int) -> int:
    """Tell how many messages the journal had taken in, ever, up to and with `offset` (0 before the first)."""
    for path in reversed(segments(directory)):
        if first_offset(path) <= offset:
            segment = Segment(path)
            try:
                found = segment.total_at(offset)
            finally:
                segment.close()
            if found is not None:
                return found
    return 0


def first_since(directory: Path, received: int) -> int | None:
    """Give the offset of the first row that came at `received` (epoch ns) or later; None where there is none, or what came then is dropped.

    The wall clock may have been set back in between: then it is one of the first such rows.
    """
    found = segments(directory)
    newest = newest_row(directory)
    if newest is None or newest.received < received:
        return None
    first = first_offset(found[0])
    if first > 1 and _received(found, first) > received:
        return None
    low, high = first, newest.offset
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _received(found, middle) < received else (low, middle)
    return low


def _received(found: list[Path], offset: int) -> int:
    """Give when the row at an offset came."""
    path = max(one for one in found if first_offset(one) <= offset)
    segment = Segment(path)
    try:
        return segment.after(offset - 1, 1)[0].received
    finally:
        segment.close()
