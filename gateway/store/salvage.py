"""A damaged store begun anew with what can still be read of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

from gateway.readable import Readable
from gateway.store import batches, totals
from gateway.store.outcomes import KINDS
from gateway.store.schema import ONE_BY_ONE, VERSION, open_writer
from gateway.store.tail import SETTLE, Tail
from gateway.store.upgrade import seal

_TABLES = ("series", "blocks", "spans", "effects", "commands", "dead_letters", "devices", "counters", "progress", "totals")

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
    totals.KEPT: f"SELECT coalesce((SELECT value FROM totals WHERE term = '{totals.PRUNED}'), 0) + (SELECT coalesce(sum(count), 0) FROM batches)",  # noqa: S608
    totals.EFFECTS: f"SELECT coalesce((SELECT value FROM totals WHERE term = '{totals.EFFECTS_PRUNED}'), 0) + (SELECT count(*) FROM effects)",  # noqa: S608
    totals.TAKEN: "SELECT coalesce(sum(before + count), 0) FROM series",
}
"""What must agree with the rows that are there, whatever was read of the sums."""

_LOST = """UPDATE series SET before = max(0, before + count - kept + ?2), count = 0, kept = ?2
  WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM totals WHERE term = ?3)"""
"""Takes what was lost from what was taken, so that it counts once when it is made again; where rows were pruned nobody knows what was lost."""


def tables(path: Path) -> tuple[str, ...]:
    """Give the tables that a store must have: until it is opened for writing, one of an older version has those of then."""
    version = VERSION
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return (*_TABLES, "readings" if 0 < version < ONE_BY_ONE else "batches")


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
            remains.copy("batches", connection, sound=lambda row: batches.is_sound(row["id"], row["body"]))
            if "sequence" in remains.columns("readings"):  # a store of version 3
                batches.from_rows(connection, remains.rows("readings", batches.COLUMNS.split(", ")))
            effects = remains.copy("effects", connection, sound=lambda row: _is(_EFFECTS.get(row["kind"]), row["body"]))
        for table, column, decoder, default in _JSON:
            connection.create_function("sound", 1, partial(_is, decoder))
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE NOT sound({column})", (default,))  # noqa: S608  # our own names
        _catch_up(connection)
        readings = _drop_nameless(connection)
        _agree(connection, seq)
        seal(connection)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return f"{readings:,} readings and {effects:,} windows, alerts and commands of it could be read and are kept"


def undecodable(connection: sqlite3.Connection) -> int:
    """Give how many rows hold what cannot be decoded."""
    count = sum(not _is(_EFFECTS.get(kind), body) for kind, body in connection.execute("SELECT kind, body FROM effects"))
    if connection.execute("PRAGMA user_version").fetchone()[0] >= ONE_BY_ONE:
        count += sum(not batches.is_sound(first, body) for first, body in connection.execute("SELECT id, body FROM batches"))
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
    there = batches.count_by_series(batches.after(connection, -1))
    every = [(one, there.get(one, 0), totals.PRUNED) for (one,) in connection.execute("SELECT id FROM series")]
    connection.executemany(_LOST, every)
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'effects'")
    connection.execute("INSERT INTO sqlite_sequence(name, seq) VALUES('effects', ?)", (max(newest, seq),))
    for term, query in _SUMS.items():
        (value,) = connection.execute(query).fetchone()
        connection.execute("INSERT OR REPLACE INTO totals VALUES(?, ?)", (term, value))
    connection.execute("INSERT OR IGNORE INTO totals SELECT kind || ' ' || state, count(*) FROM effects GROUP BY kind, state")
    connection.execute("DELETE FROM totals WHERE term = ?", (totals.SEALED,))
    reading = batches.newest(connection)
    if reading:
        # Without it the flows would not know that rows are made again.
        connection.execute("INSERT OR IGNORE INTO progress VALUES(1, ?, 0, ?)", (reading >> 20, time_ns()))


def _catch_up(connection: sqlite3.Connection) -> None:
    """Settle what came last, and mark it so."""
    connection.executemany(SETTLE, Tail(connection).settled.values())
    connection.execute("DELETE FROM totals WHERE term = ?", (totals.SETTLED_TO,))


def _drop_nameless(connection: sqlite3.Connection) -> int:
    """Leave out the readings of series that are lost; give how many others there are."""
    known = {one for (one,) in connection.execute("SELECT id FROM series")}
    bodies = ((first, batches.decoded(first, blob)) for first, blob in connection.execute("SELECT id, body FROM batches").fetchall())
    for first, body in bodies:
        if not known.issuperset(body.series):
            connection.execute("DELETE FROM batches WHERE id = ?", (first,))
            batches.from_rows(connection, (row for row in batches.rows(first, body) if row[1] in known))
    (count,) = connection.execute("SELECT coalesce(sum(count), 0) FROM batches").fetchone()
    return int(count)
