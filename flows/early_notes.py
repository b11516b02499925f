"""At which places of the journal urgent rows were taken early: whoever reads there again takes them at the same places."""

from __future__ import annotations

import os
from pathlib import Path
from struct import Struct

from gateway.disk import replace

_FILE = "early"
_PAIR = Struct("<2q")
_LONGEST = 2**20
"""Bytes of notes from which on those that no state needs any more are dropped."""


class EarlyNotes:
    """Pairs of offsets, the row that was the last in order and the urgent one that went after it, in a small file that outlives the process.

    So what was decided of a journal is decided again after a kill, though urgent rows have overtaken others. A note is made before its row is
    taken. The notes are not synced: they are for a process that dies and not for a power cut, which takes what was stored since with it.
    """

    def __init__(self, directory: Path, after: int, *, forget: bool = False) -> None:
        """Take up the notes for whoever begins behind the row `after`; `forget` drops them: rows are to be read in order."""
        self._path = directory / _FILE
        self._file: int | None = None
        known = self._read()
        self._end = len(known) * _PAIR.size  # a note that was cut short is written over
        self._pairs = [] if forget else [pair for pair in known if pair[0] >= after]
        self.places = {place for place, _ in self._pairs}
        """Rows behind which urgent rows were taken."""
        self.last = max(self.places, default=0)
        self._writable = True
        if known != self._pairs:
            self._keep(self._pairs)

    def _read(self) -> list[tuple[int, int]]:
        try:
            content = self._path.read_bytes()
        except OSError:
            return []
        return [(place, offset) for place, offset in _PAIR.iter_unpack(content[: len(content) // _PAIR.size * _PAIR.size])]

    def behind(self, place: int) -> list[int]:
        """Give the urgent rows that were taken behind a row, in their order."""
        return [offset for at, offset in self._pairs if at == place] if place in self.places else []

    def note(self, place: int, offset: int) -> bool:
        """Note that an urgent row is taken behind a row; False where that cannot be noted, so that it must not be."""
        if not self._writable:
            return False
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            noted = os.pwrite(self._file, _PAIR.pack(place, offset), self._end) == _PAIR.size
        except OSError:
            return False
        self._end += noted * _PAIR.size
        return noted

    def durable(self, offset: int) -> None:
        """Drop the notes that no state needs any more, once they are many: the state of this row is durable."""
        if self._end > _LONGEST:
            self._keep([pair for pair in self._read() if pair[0] >= offset])

    def _keep(self, pairs: list[tuple[int, int]]) -> None:
        """Drop all other notes; where the disk does not let it, no further note is made: it could stand behind one that is to be gone."""
        self.close()
        try:
            replace(self._path, b"".join(_PAIR.pack(*pair) for pair in pairs))
            self._end = len(pairs) * _PAIR.size
        except OSError:
            self._writable = False

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
