"""A stretch of a journal, between two times, for whoever reads it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.journal.reader import JournalReader, first_since, newest_row
from gateway.journal.row import Row
from gateway.journal.segment import first_offset, segments

_ROWS = 64


class Stretch:
    """The rows of one partition that were received in [since, until), up to the newest there is when it is opened; None is no bound.

    Times are epoch ns. While it is read, `done` is the part of it that has been.
    """

    def __init__(self, partition: Path, *, since: int | None = None, until: int | None = None) -> None:
        self.done = 0.0
        self._partition, self._since, self._until = partition, since, until

    def __iter__(self) -> Iterator[Row]:
        newest = newest_row(self._partition)
        if newest is None:
            return
        oldest = first_offset(segments(self._partition)[0])
        begin, last = (self._since and first_since(self._partition, self._since)) or oldest, newest.offset
        since, until = self._since or 0, self._until or newest.received + 1
        reader = JournalReader(self._partition, after=begin - 1)
        try:
            while rows := reader.read(_ROWS):
                for row in rows:
                    if row.offset > last or row.received >= until:
                        return
                    if row.received >= since:
                        self.done = (row.offset - begin + 1) / (last - begin + 1)
                        yield row
        finally:
            reader.close()


def partition_at(path: Path) -> Path:
    """Find a journal's partition in a data folder, a journal's folder, or the partition's own. FileNotFoundError where there is none."""
    for folder in (path, path / "0", path / "journal" / "0"):
        if segments(folder):
            return folder
    raise FileNotFoundError(f"{path}: must be a data folder, or the folder of a journal; got none that holds one")
