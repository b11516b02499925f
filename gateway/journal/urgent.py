"""Which rows of the journal are urgent: what may be read before the rows that wait in front of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from struct import Struct

_FILE = "urgent"
_OFFSET = Struct("<q")
_LONGEST = 2**20
"""Bytes of notes after which the file begins anew."""


class UrgentNotes:
    """Notes the offsets of urgent rows, for a reader in another process.

    A note is a hint: one that is lost (a full disk, a crash, a file that began anew) costs its row the place at the front, also before later
    urgent rows; every row is read in order too. So nothing here is synced, and nothing raises.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._file: int | None = None
        self._length = 0

    def note(self, offset: int) -> None:
        """Note a row that is in the journal."""
        with suppress(OSError):
            if self._file is None or self._length >= _LONGEST:
                self._begin()
            if self._file is not None:
                self._length += os.pwrite(self._file, _OFFSET.pack(offset), self._length)

    def _begin(self) -> None:
        self.close()
        fresh = self._path.with_suffix(".new")
        self._file, self._length = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644), 0
        fresh.rename(self._path)  # under the old name still is what a reader has open

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def forget(directory: Path) -> None:
    """Drop the notes: nothing is urgent any more."""
    with suppress(OSError):
        (directory / _FILE).unlink(missing_ok=True)


class UrgentReader:
    """Reads the notes in order, each until it is done with: no urgent row overtakes another."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._file: int | None = None
        self._at = 0

    def expected(self) -> bool:
        """Tell whether urgent rows come in this journal."""
        return self._path.exists()

    def first(self, *, after: int) -> int | None:
        """Give the first offset behind `after` that has been noted and is not done; None where there is none."""
        with suppress(OSError):
            if self._file is not None and os.fstat(self._file).st_nlink == 0:  # the writer has begun anew
                self.close()
            if self._file is None:
                self._file, self._at = os.open(self._path, os.O_RDONLY), 0
            while len(note := os.pread(self._file, _OFFSET.size, self._at)) == _OFFSET.size:
                offset: int = _OFFSET.unpack(note)[0]
                if offset > after:
                    return offset
                self.done()
        return None

    def done(self) -> None:
        """Go on behind the note that was given last."""
        self._at += _OFFSET.size

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
