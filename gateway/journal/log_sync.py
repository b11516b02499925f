"""The bound of `durability: batched`: what was journalled is on the disk within a second."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()

_WAIT = 0.5
"""Seconds between a row and when it is made durable: half of what is promised is left for the disk."""


class LogSync(threading.Thread):
    """Calls `sync` half a second after the first row that it has not been called for since; nobody waits for it.

    Where the disk cannot, that is said in the log, once, and tried again as long as it takes.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        super().__init__(name="journal-sync", daemon=True)
        self._sync = sync
        self._due = threading.Event()
        self._ended = threading.Event()
        self._said = False

    def note(self) -> None:
        """Say that a row was written."""
        self._due.set()

    def run(self) -> None:
        """Sync until `stop`."""
        while True:
            self._due.wait()
            self._ended.wait(_WAIT)
            if self._ended.is_set():
                return
            self._due.clear()
            self._try()

    def _try(self) -> None:
        try:
            self._sync()
        except OSError as error:
            self._due.set()
            if not self._said:
                log.warning("the disk does not take the journal's rows", error=str(error))
            self._said = True
        else:
            self._said = False

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._due.set()
        self.join()
