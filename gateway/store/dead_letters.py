"""Keeps messages that could not be used: the newest ones, to look at and to play again; all are counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from gateway.store import totals
from gateway.store.effects import DeadLettered
from gateway.store.totals import Totals

MOST = 10_000
MOST_BYTES = 64 * 1024 * 1024
SLACK = 500
"""Rows above `MOST` before the oldest are deleted, so that a flood does not delete row by row."""


class DeadLetters:
    """The writer's dead letters, bounded by number and by bytes of payload. A letter written again counts once."""

    def __init__(self, connection: sqlite3.Connection, sums: Totals) -> None:
        self._connection = connection
        self._totals = sums
        self._rows = self._bytes = 0
        self.forget()

    def write(self, letters: Sequence[DeadLettered]) -> None:
        """Write letters, in the caller's transaction. Those at or below what was trimmed are replays, counted before."""
        trimmed_to = self._totals[totals.DEAD_LETTERS_TRIMMED_TO]
        rows = [(one.id, one.topic, one.payload, one.reason, one.device, one.received) for one in letters if one.id > trimmed_to]
        inserted = self._connection.executemany("INSERT OR IGNORE INTO dead_letters VALUES(?, ?, ?, ?, ?, ?)", rows).rowcount
        if inserted > 0:
            self._totals[totals.DEAD_LETTERS] += inserted
            self._rows += inserted
            self._bytes += sum(len(row[2]) for row in rows)
            if self._rows > MOST + SLACK or self._bytes > MOST_BYTES:
                self._trim()

    def forget(self) -> None:
        """Count what the table holds: after opening, and after a transaction was rolled back."""
        query = "SELECT count(*), coalesce(sum(length(payload)), 0) FROM dead_letters"
        self._rows, self._bytes = self._connection.execute(query).fetchone()

    def _trim(self) -> None:
        self.forget()
        rows, size = self._rows, self._bytes
        last = None
        for letter, length in self._connection.execute("SELECT id, length(payload) FROM dead_letters ORDER BY id"):
            if rows <= MOST and size <= MOST_BYTES // 2:
                break
            last, rows, size = letter, rows - 1, size - length
        if last is not None:
            self._connection.execute("DELETE FROM dead_letters WHERE id <= ?", (last,))
            self._totals[totals.DEAD_LETTERS_TRIMMED_TO] = last
            self._rows, self._bytes = rows, size
