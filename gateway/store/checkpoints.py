"""Brings the store's write-ahead log into its file beside the writer, which would stand still for it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Self

from gateway.store.schema import PAGES

_EVERY = 0.1
"""Seconds between looks at how long the log is."""
_HEADER = Struct("=16xL76xL")
"""Of the WAL-index: how many frames the log has, and how many of them are in the file already (sqlite.org/walformat.html, 2.1 and 2.2)."""


class Checkpoints(threading.Thread):
    """Runs a passive checkpoint whenever the log has grown by `PAGES`. The writer's own, which come later, are for when this one cannot."""

    def __init__(self, path: Path) -> None:
        super().__init__(name="checkpoints", daemon=True)
        self._path = path
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Look, and bring in, until the end."""
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=0.0)) as connection:
            while not self._ended.wait(_EVERY):
                if self._waiting() >= PAGES:
                    with suppress(sqlite3.Error):  # a full or damaged disk is the writer's to tell
                        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _waiting(self) -> int:
        """Tell how many pages of the log are not in the file."""
        try:
            with Path(f"{self._path}-shm").open("rb") as index:
                frames, brought = _HEADER.unpack(index.read(_HEADER.size))
        except (OSError, ValueError):
            return 0
        return int(frames - brought)
