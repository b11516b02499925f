"""Keeps messages that could not be used: the newest ones, to look at and to be read again; all are counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from devices.topics import matches
from gateway.store import totals
from gateway.store.effects import DeadLettered, LetterState, LetterTried
from gateway.store.totals import Totals
from gateway.store.views import Letter

MOST = 10_000
MOST_BYTES = 64 * 1024 * 1024
SLACK = 500
"""Rows above `MOST` before the oldest are deleted, so that a flood does not delete row by row."""

_INSERT = "INSERT OR IGNORE INTO dead_letters(id, topic, payload, reason, device, received, flags, keys) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
# A place at or below the last one is told again after a crash: it was noted before.
_NOTE = """UPDATE dead_letters SET state = :state, attempts = attempts + 1, tried = :place, tried_at = :at,
  reason = iif(:state = 'dead', :detail, reason), device = iif(:state = 'dead', :device, device),
  outcome = iif(:state = 'dead', '', :detail) WHERE id = :id AND tried < :place"""
_COLUMNS = ", ".join(Letter.__struct_fields__)


class DeadLetters:
    """The writer's dead letters, bounded by number and by bytes of payload. A letter written again counts once."""

    def __init__(self, connection: sqlite3.Connection, sums: Totals) -> None:
        self._connection = connection
        self._totals = sums
        self._rows = self._bytes = 0
        self.forget()

    def write(self, letters: Sequence[DeadLettered | LetterTried]) -> None:
        """Write letters, and what became of those read again, in the caller's transaction."""
        self._write([one for one in letters if isinstance(one, DeadLettered)])
        # A letter that is gone by now is nobody's concern.
        self._connection.executemany(_NOTE, [msgspec.structs.asdict(one) for one in letters if isinstance(one, LetterTried)])

    def _write(self, letters: Sequence[DeadLettered]) -> None:
        """Write letters. Those at or below what was trimmed were counted before."""
        trimmed_to = self._totals[totals.DEAD_LETTERS_TRIMMED_TO]
        rows = [_row(one) for one in letters if one.id > trimmed_to]
        inserted = self._connection.executemany(_INSERT, rows).rowcount
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


def find(
    connection: sqlite3.Connection, *, newest: int, state: LetterState | None, device: str | None, topic: str | None, reason: str | None
) -> list[Letter]:
    """Give the newest letters, the newest first; None asks for any. `topic` is a filter."""
    wanted = {"state": state, "device": device, "topic": topic, "reason": reason, "newest": newest}
    connection.create_function("topic_matches", 2, matches, deterministic=True)
    query = f"""SELECT {_COLUMNS} FROM dead_letters WHERE state = coalesce(:state, state) AND device = coalesce(:device, device)
      AND (:topic IS NULL OR topic_matches(:topic, topic))
      AND instr(lower(reason), lower(coalesce(:reason, ''))) ORDER BY id DESC LIMIT :newest"""  # noqa: S608  # our own column names
    return [_letter(row) for row in connection.execute(query, wanted)]


def get(connection: sqlite3.Connection, letter: int) -> Letter | None:
    """Give one letter."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM dead_letters WHERE id = ?", (letter,)).fetchone()  # noqa: S608  # our own column names
    return _letter(row) if row else None


def _row(one: DeadLettered) -> tuple[Any, ...]:
    keys = msgspec.json.encode(one.keys).decode()
    return (one.id, one.topic, one.payload, one.reason, one.device, one.received, one.flags, keys)


def _letter(row: tuple[Any, ...]) -> Letter:
    named = dict(zip(Letter.__struct_fields__, row, strict=True))
    return Letter(**named | {"keys": msgspec.json.decode(named["keys"], type=tuple[str, ...])})
