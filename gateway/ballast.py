"""A file that only takes up room: it is given up when the disk is full, so that there is enough left to make more."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from gateway.disk import free

NAME = "ballast"
_LARGEST = 8 * 2**20
_PIECE = 2**16


class Ballast:
    """The ballast of a data folder: a quarter of the reserve, 8 MB at most."""

    def __init__(self, data: Path, reserve: int) -> None:
        self._path = data / NAME
        self._size = min(reserve // 4, _LARGEST)
        self._reserve = reserve

    def take_in(self) -> None:
        """Write it, where it is not there and there is room for it besides the reserve."""
        with suppress(OSError):
            if self._size == 0 or (self._path.exists() and self._path.stat().st_size == self._size):
                return
            if free(self._path.parent) < self._reserve + self._size:
                return
            with self._path.open("wb") as file:
                for start in range(0, self._size, _PIECE):  # neither holes nor what a file system could compress
                    file.write(os.urandom(min(_PIECE, self._size - start)))

    def give_up(self) -> None:
        """Leave its room to what is needed more."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
