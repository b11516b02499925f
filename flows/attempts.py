"""How often the flows process died, and of what: so that a message that kills it is found, and left out, without a person."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from struct import Struct, error

import structlog

from flows.attention import CloseAttention
from flows.poison import WHOLE, Poison
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader

log = structlog.get_logger()

FILE = "flows.attempts"
CLOSE_AFTER = 2
"""Deaths at one place of the journal after which the rows there are read one by one."""
BLAMED_AFTER = 2
"""Deaths at one message, or at one row and none of its messages, while rows are read one by one, after which it is poison."""
_NEAR = 64
"""Rows by which two deaths at one place may differ: so many are under way between the source and the store at most."""
_LAYOUT = Struct("<9q")


class Attempts:
    """What is under way, in a small file that outlives the process, and what follows from it at the next start.

    A process that dies leaves behind which rows were under way. After `CLOSE_AFTER` deaths around the same rows these are read one at a
    time, each when the one before is in the store, with a note of the message under way. What dies there `BLAMED_AFTER` times in a row is
    added to the poison, and the flows go on without it. A stop or a switch is no death. The notes are not synced: they are for a process that
    dies and not for a power cut.
    """

    def __init__(self, data: Path | None, poison: Poison) -> None:
        """Without a data folder nothing is noted, and nothing follows."""
        self._file: int | None = None
        self._store = data / "store.db" if data else None
        self._reader: StoreReader | None = None
        self._poison = poison
        self._deaths = self._first = self._last = 0
        self._blamed, self._blames = (0, WHOLE), 0
        self._under_way = (0, 0, WHOLE)
        self._alone = 0
        self.close_attention = CloseAttention(lambda offset, place: self._note(offset, offset, place))
        if data:
            with suppress(OSError):  # without room for the notes the flows run as well
                self._file = os.open(data / FILE, os.O_RDWR | os.O_CREAT, 0o644)
                self._load()

    def begin(self, offset: int) -> None:
        """Begin behind a row of the journal: draw the conclusions from how the last process ended."""
        row, last, place = self._under_way
        if self._last <= offset:
            self._deaths = 0
        if row:
            close = self._deaths >= CLOSE_AFTER
            if self._deaths and row - _NEAR <= self._last and last + _NEAR >= self._first:
                self._deaths += 1
                self._first, self._last = min(self._first, row), max(self._last, last)
            else:
                self._deaths, self._first, self._last = 1, row, last
            self._blame((row, place), close=close)
        self._under_way = (0, 0, WHOLE)
        self._save()
        if self._deaths >= CLOSE_AFTER:
            log.warning("the flows process dies again and again; rows are read one by one", rows=f"{self._first} to {self._last}")

    def _blame(self, where: tuple[int, int], *, close: bool) -> None:
        if not close:
            self._blamed, self._blames = (0, WHOLE), 0
            return
        self._blames = self._blames + 1 if where == self._blamed else 1
        self._blamed = where
        if self._blames >= BLAMED_AFTER:
            offset, place = where
            if place == WHOLE and any(WHOLE in self._poison.of(near) for near in range(offset - _NEAR, offset + 1)):
                return  # without the messages it is the same: it is not of them
            self._poison.add(offset, place, f"it ended the flows process {self._deaths} times in a row")
            log.error("a message ends the flows process and is set aside", row=offset, message=None if place == WHOLE else place)
            self._blames = 0

    def most(self, offset: int, rows: int) -> int:
        """Tell how many of the next `rows` rows behind `offset` may be read at once."""
        return 1 if self._deaths >= CLOSE_AFTER and self._first - _NEAR <= offset + 1 <= self._last else rows

    @property
    def dies_again(self) -> bool:
        """Before `begin`: whether the process has died twice since it was last stopped, or has come further."""
        return self._deaths > 0 and self._under_way[0] > 0

    @property
    def suspicious(self) -> bool:
        """Whether rows are suspected of deaths, so that all are read in their order only."""
        return self._deaths >= CLOSE_AFTER

    def died_behind(self, offset: int) -> bool:
        """Tell whether the process died in rows of which one at least lies behind this one."""
        return self._deaths > 0 and offset < self._last

    def take(self, first: int, last: int, *, alone: bool) -> None:
        """Note that these rows are under way."""
        self._alone = last if alone else 0
        self._note(first, last, WHOLE)

    def rest(self) -> None:
        """Note that nothing is under way."""
        self._note(0, 0, WHOLE)

    def done(self) -> bool:
        """Tell whether a row that was read alone is in the store."""
        return not self._alone or self.written() == self._alone

    def end(self) -> None:
        """Note a stop, or a switch to another config: whatever happened before is over."""
        self._deaths = self._first = self._last = self._blames = self._alone = 0
        self._under_way = (0, 0, WHOLE)
        self._save()

    def written(self) -> int:
        """Tell up to which row of the journal there is something in the store; 0 where that cannot be told."""
        try:
            if self._reader is None and self._store:
                self._reader = StoreReader(self._store)
            progress = self._reader.progress() if self._reader else None
        except StoreError:
            return 0
        return progress.offset if progress else 0

    def _note(self, first: int, last: int, place: int) -> None:
        if self._under_way != (first, last, place):
            self._under_way = (first, last, place)
            self._save()

    def _save(self) -> None:
        if self._file is None:
            return
        packed = _LAYOUT.pack(*self._under_way, self._deaths, self._first, self._last, *self._blamed, self._blames)
        with suppress(OSError):
            os.pwrite(self._file, packed, 0)

    def _load(self) -> None:
        assert self._file is not None
        with suppress(error):  # empty, or of another make
            first, last, place, self._deaths, self._first, self._last, row, at, self._blames = _LAYOUT.unpack(os.pread(self._file, 1024, 0))
            self._under_way, self._blamed = (first, last, place), (row, at)
