"""A damaged store begun anew with what can still be read of it."""

from __future__ import annotations

import sqlite3
from functools import partial
from itertools import islice
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

from gateway.readable import Readable
from gateway.store import blocks, totals
from gateway.store.outcomes import KINDS
from gateway.store.schema import open_writer

TABLES = ("series", "readings", "blocks", "spans", "effects", "commands", "dead_letters", "devices", "counters", "progress", "totals")

_EFFECTS = {kind: msgspec.json.Decoder(type_) for kind, type_ in KINDS.items()}
_WORDS = msgspec.json.Decoder(dict[str, str])
_JSON: tuple[tuple[str, str, msgspec.json.Decoder[Any], str], ...] = (
    ("series", "labels", _WORDS, "{}"),
    ("devices", "labels", _WORDS, "{}"),
    ("commands", "settings", msgspec.json.Decoder(dict[str, Any]), "{}"),
    ("dead_letters", "keys", msgspec.json.Decoder(tuple[str, ...]), "[]"),
)
"""Where else there is JSON, of which kind, and what stands for one that is lost."""
_SUMS = {
    totals.KEPT: f"SELECT coalesce((SELECT value FROM totals WHERE term = '{totals.PRUNED}'), 0) + (SELECT count(*) FROM readings)",  # noqa: S608
    totals.EFFECTS: f"SELECT coalesce((SELECT value FROM totals WHERE term = '{totals.EFFECTS_PRUNED}'), 0) + (SELECT count(*) FROM effects)",  # noqa: S608
    totals.TAKEN: "SELECT coalesce(sum(before + count), 0) FROM series",
}
"""What must agree with the rows that are there, whatever was read of the sums."""

_LOST = """UPDATE series SET (before, count, kept) = (SELECT max(0, before + count - kept + count(*)), 0, count(*) FROM readings r
  WHERE r.series = series.id) WHERE NOT EXISTS (SELECT 1 FROM totals WHERE term = ?)"""
"""Takes what was lost from what was taken, so that it counts once when it is made again; where rows were pruned nobody knows what was lost."""


def salvage(damaged: Path, fresh: Path, *, seq: int) -> str:
    """Make a new store with every row that can be read of the damaged one; say what that was. The numbers of effects go on behind `seq`.

    What no row names any more is left out: readings of a series that is lost, effects that cannot be decoded. The index is made anew.
    """
    connection = open_writer(fresh)
    try:
        connection.execute("BEGIN IMMEDIATE")
        with Readable(damaged) as remains:
            for table in ("series", "devices", "totals", "progress", "commands", "dead_letters"):
                remains.copy(table, connection)
            readings = remains.copy("readings", connection)
            effects = remains.copy("effects", connection, sound=lambda row: _is(_EFFECTS.get(row["kind"]), row["body"]))
        for table, column, decoder, default in _JSON:
            connection.create_function("sound", 1, partial(_is, decoder))
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE NOT sound({column})", (default,))  # noqa: S608  # our own names
        readings -= connection.execute("DELETE FROM readings WHERE series NOT IN (SELECT id FROM series)").rowcount
        _agree(connection, seq)
        _seal(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return f"{readings:,} readings and {effects:,} windows, alerts and commands of it could be read and are kept"


def undecodable(connection: sqlite3.Connection) -> int:
    """Give how many rows hold what cannot be decoded."""
    count = sum(not _is(_EFFECTS.get(kind), body) for kind, body in connection.execute("SELECT kind, body FROM effects"))
    for table, column, decoder, _ in _JSON:
        count += sum(not _is(decoder, text) for (text,) in connection.execute(f"SELECT {column} FROM {table}"))  # noqa: S608  # our own names
    return count


def _is(decoder: msgspec.json.Decoder[Any] | None, text: object) -> bool:
    """Tell whether a text is the JSON that it should be."""
    try:
        return decoder is not None and decoder.decode(str(text)) is not None
    except ValueError:  # msgspec's errors are
        return False


def _agree(connection: sqlite3.Connection, seq: int) -> None:
    """Bring the sums in line with the rows, and let numbers go on where they were."""
    (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM effects").fetchone()
    connection.execute(_LOST, (totals.PRUNED,))
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'effects'")
    connection.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('effects', ?)", (max(newest, seq),))
    for term, query in _SUMS.items():
        (value,) = connection.execute(query).fetchone()
        connection.execute("INSERT OR REPLACE INTO totals VALUES(?, ?)", (term, value))
    connection.execute("INSERT OR IGNORE INTO totals SELECT kind || ' ' || state, count(*) FROM effects GROUP BY kind, state")
    connection.execute("DELETE FROM totals WHERE term = ?", (totals.SEALED,))
    (reading,) = connection.execute("SELECT coalesce(max(id), 0) FROM readings").fetchone()
    if reading:
        # Without it the flows would not know that rows are made again.
        connection.execute("INSERT OR IGNORE INTO progress VALUES(1, ?, 0, ?)", (reading >> 20, time_ns()))


def _seal(connection: sqlite3.Connection) -> None:
    """Make the index of what came across, a block at a time."""
    rows = blocks.unsealed(connection, 0, 1 << 62)
    last = 0
    while batch := list(islice(rows, blocks.LARGEST)):
        last = blocks.seal(connection, batch)
    connection.execute("INSERT OR REPLACE INTO totals VALUES(?, ?)", (totals.SEALED, last))
