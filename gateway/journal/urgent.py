"""Which rows of the journal are urgent: what may be read before the rows that wait in front of it."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import pairwise, takewhile
from pathlib import Path
from struct import Struct

from gateway.disk import replace
from gateway.journal.retention import read_durable

LONGEST_ROW = 64
"""Messages in a row, and in a batch of the flows, at most where something may be urgent: it waits for the one under way."""
_FILE = "urgent"
_OFFSET = Struct("<q")
_LONGEST = 2**20
"""Bytes of notes from which on those that the flows have read are dropped."""


class UrgentNotes:
    """Notes the offsets of urgent rows in order, for a reader in another process.

    No note is left out before a later one: what the disk does not take is kept, and written first. A crash may cost notes; then a new
    connection follows in the journal, across which no row goes before another. So nothing here is synced, and nothing raises.
    """

    def __init__(self, directory: Path, newest: int) -> None:
        """Go on with the notes that are there, up to the journal's newest row: what stands behind it was lost in a power cut."""
        self._directory = directory
        self._path = directory / _FILE
        self._newest = newest
        self._file: int | None = None
        self._length, self._longest = 0, _LONGEST
        self._unwritten = bytearray()
        if self._path.exists():
            with suppress(OSError):
                self._begin()

    def note(self, offset: int) -> None:
        """Note a row that was just written."""
        self._unwritten += _OFFSET.pack(offset)
        with suppress(OSError):
            if self._file is None or self._length >= self._longest:
                self._begin()
            self._newest = offset
            self._write()

    def _begin(self) -> None:
        """Begin a file with those notes that the flows may still need; a reader sees that the one it has open is gone."""
        durable = read_durable(self._directory)
        kept = b"".join(_OFFSET.pack(one) for one in _read(self._path) if durable < one <= self._newest)
        replace(self._path, kept)
        self.close()
        self._file, self._length = os.open(self._path, os.O_RDWR), len(kept)
        self._longest = max(_LONGEST, 2 * self._length)

    def _write(self) -> None:
        while self._unwritten and self._file is not None:
            written = os.pwrite(self._file, self._unwritten, self._length)
            self._length += written
            del self._unwritten[:written]

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read(path: Path) -> list[int]:
    """Give the notes up to where a power cut may have left a hole."""
    try:
        notes = path.read_bytes()
    except FileNotFoundError:
        return []
    found = [0, *(offset for (offset,) in _OFFSET.iter_unpack(notes[: len(notes) // _OFFSET.size * _OFFSET.size]))]
    return [offset for before, offset in takewhile(lambda two: two[0] < two[1], pairwise(found))]


def forget(directory: Path) -> None:
    """Drop the notes: nothing is urgent any more."""
    with suppress(OSError):
        (directory / _FILE).unlink(missing_ok=True)


class UrgentReader:
    """Reads the notes in order, each until it is done with: no urgent row overtakes another."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._file: int | None = None
        self._at = self._last = 0

    def expected(self) -> bool:
        """Tell whether urgent rows come in this journal."""
        return os.path.exists(self._path)  # noqa: PTH110  asked for each row, and five times as fast

    def first(self, *, after: int) -> int | None:
        """Give the first offset behind `after` that has been noted and is not done; None where there is none."""
        with suppress(OSError):
            if self._file is not None and os.fstat(self._file).st_nlink == 0:  # the writer has begun anew
                self.close()
            if self._file is None:
                self._file, self._at, self._last = os.open(self._path, os.O_RDONLY), 0, 0
            while len(note := os.pread(self._file, _OFFSET.size, self._at)) == _OFFSET.size:
                offset: int = _OFFSET.unpack(note)[0]
                if offset <= self._last:
                    break  # a hole, that only a writer can close
                if offset > after:
                    return offset
                self.done(offset)
        return None

    def done(self, offset: int) -> None:
        """Go on behind the note that was given last."""
        self._at, self._last = self._at + _OFFSET.size, offset

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
