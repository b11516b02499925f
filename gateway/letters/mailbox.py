"""The mailbox: dead letters that a person wants read again, until the journal has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from pathlib import Path

import msgspec

from gateway.damage import DamageError
from gateway.journal.journal import Journal
from gateway.journal.row import Replay
from gateway.readable import Readable

_SCHEMA = """
CREATE TABLE IF NOT EXISTS wanted (letter INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""
MAILBOX = "replays.db"
"""Its file in the data folder."""

TABLES = ("wanted",)

MOST = 256
MOST_BYTES = 1024 * 1024
"""A journal row's share of letters, and of their bytes (but one letter at least): they go between live messages, and hold none up."""

_body = msgspec.msgpack.Decoder(Replay)


class Mailbox:
    """Shared by the gateway and by `sluice dead-letters replay`.

    Guarantee: what was put in stays (fsync) until it is taken out, after the journal has it. A crash between the two gives it to the journal
    again, which the flows recognise. A letter put in twice is in it once.
    """

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def put(self, letters: Iterable[Replay]) -> None:
        """Ask for letters to be read again: all of them or, when it raises, none."""
        rows = [(one.letter, msgspec.msgpack.encode(one)) for one in letters]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?, ?)", rows)

    def next(self) -> list[Replay]:
        """Give what fits in one row of the journal, in the order in which the letters died."""
        letters: list[Replay] = []
        size = 0
        for (body,) in self._db.execute("SELECT body FROM wanted ORDER BY letter LIMIT ?", (MOST,)):
            size += len(body)
            if letters and size > MOST_BYTES:
                break
            try:
                letters.append(_body.decode(body))
            except msgspec.DecodeError as error:
                raise DamageError(MAILBOX, f"a letter cannot be decoded: {error}") from error
        return letters

    def take_out(self, letters: Collection[Replay]) -> None:
        """Forget letters that the journal has."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("DELETE FROM wanted WHERE letter = ?", [(one.letter,) for one in letters])

    def close(self) -> None:
        self._db.close()


def salvage(damaged: Path, fresh: Path) -> str:
    """Make a new mailbox of the letters that can be read of a damaged one; say how many."""
    Mailbox(fresh).close()
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        with Readable(damaged) as remains:
            found = remains.copy("wanted", connection, sound=lambda row: _decodes(row["body"]))
    finally:
        connection.close()
    return f"{found} letters to be read again could be read of it; the others are dead letters still, and may be asked for again"


def undecodable(connection: sqlite3.Connection) -> int:
    """Give how many letters cannot be decoded."""
    return sum(not _decodes(body) for (body,) in connection.execute("SELECT body FROM wanted"))


def _decodes(body: bytes) -> bool:
    try:
        _body.decode(body)
    except (ValueError, TypeError):
        return False
    return True


def carry(mailbox: Mailbox, journal: Journal) -> bool:
    """Journal a row of letters, and take them out once it is durable; tell whether there were any."""
    letters = mailbox.next()
    if letters:
        journal.append_replays(letters)
        mailbox.take_out(letters)
    return bool(letters)
