"""A damaged cursor begun anew: with what can still be read of it, or where its destination is given again no more than it must be."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from gateway.delivery.cursor import Cursor
from gateway.derived import CURSOR
from gateway.readable import Readable
from gateway.store.effects import Derived
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader
from gateway.store.schema import open_reader

TABLES = ("cursors", "dead_letters", "trouble")

_OVERWRITES = frozenset(("influxdb.db",))
"""Destinations that may be given everything again: a point that they have is written over."""
_DAY = 86_400_000_000_000
_LOOKED_AT = 10_000
_derived = msgspec.json.Decoder(Derived)


def salvage(damaged: Path, fresh: Path, store: Path) -> str:
    """Make a new cursor file; say where it begins.

    Never ahead of what was delivered, where that can be read. Else a destination that writes over what it has is given everything again,
    others what came within a day of the store's newest row, and the journal what derived readings the store does not show that it has had.
    """
    cursor = Cursor(fresh)
    try:
        if _read(damaged, fresh):
            return "how far it had come could still be read"
        if damaged.name in _OVERWRITES:
            return "everything that the store has is delivered again"
        with StoreReader(store) as reader:
            positions = _carried(store) if damaged.name == CURSOR else _a_day_ago(store)
            cursor.begin(reader, "effects", positions[0])
            if damaged.name != CURSOR:
                cursor.begin(reader, "readings", positions[1])
    except StoreError:
        return "it begins anew, with what the store has"
    finally:
        cursor.close()
    return (
        "it begins anew, behind what was surely carried" if damaged.name == CURSOR else "what came within the last day is delivered again"
    )


def _read(damaged: Path, fresh: Path) -> bool:
    """Copy what can be read; tell whether that says how far every stream had come."""
    connection = sqlite3.connect(fresh, isolation_level=None)
    try:
        with Readable(damaged) as remains:
            for table in ("dead_letters", "tag_values", "tag_stops"):
                remains.copy(table, connection)
            return remains.copy("cursors", connection, sound=lambda row: row["stream"] in {"effects", "readings"}) > 0
    finally:
        connection.close()


def _a_day_ago(store: Path) -> tuple[int, int]:
    """Give the places (effects, readings) behind which lies what came within a day of the newest row."""
    connection = open_reader(store)
    try:
        effects = "SELECT seq, at FROM effects WHERE seq {} ORDER BY seq {} LIMIT 1"
        readings = "SELECT id, at FROM batches WHERE id {} ORDER BY id {} LIMIT 1"
        newest = [connection.execute(query.format(">= ?", "DESC"), (0,)).fetchone() for query in (effects, readings)]
        since = max((row[1] for row in newest if row), default=0) - _DAY
        return (_place(connection, effects, newest[0], since), _place(connection, readings, newest[1], since))
    finally:
        connection.close()


def _place(connection: sqlite3.Connection, query: str, newest: tuple[int, int] | None, since: int) -> int:
    """Find the last row that came before a time, by halves: rows are in the order in which they came."""
    low, high = 0, newest[0] + 1 if newest else 0
    while high - low > 1:
        middle = (low + high) // 2
        row = connection.execute(query.format(">= ?", "ASC"), (middle,)).fetchone()
        low, high = (middle, high) if row and row[1] < since else (low, middle)
    return low


def _carried(store: Path) -> tuple[int, int]:
    """Give the newest derived reading whose series has shown one as new since: it and those before it have been carried."""
    connection = open_reader(store)
    try:
        query = "SELECT seq, body FROM effects WHERE kind = 'derived' ORDER BY seq DESC LIMIT ?"
        for seq, body in connection.execute(query, (_LOOKED_AT,)):
            one = _derived.decode(body)
            series = (one.device, one.metric, one.channel)
            shown = connection.execute("SELECT last_ts FROM series WHERE (device, metric, channel) = (?, ?, ?)", series).fetchone()
            if shown and shown[0] >= one.ts:
                return (seq, 0)
        return (0, 0)
    finally:
        connection.close()
