"""Brings a store of version 3, which had a row for each reading, up to version 4."""

from __future__ import annotations

import sqlite3

from gateway.store import batches, blocks, totals


def to_batches(connection: sqlite3.Connection, tables: str) -> None:
    """Put the readings into batches, and make their index anew, in the caller's transaction; `tables` are the statements that make the new ones."""
    for statement in ("DROP TABLE blocks", "DROP TABLE spans", *filter(str.strip, tables.split(";"))):
        connection.execute(statement)
    rows = connection.execute(f"SELECT {batches.COLUMNS} FROM readings ORDER BY id")  # noqa: S608  # our own column names
    batches.from_rows(connection, rows)
    connection.execute("DROP TABLE readings")
    seal(connection)


def seal(connection: sqlite3.Connection) -> None:
    """Make the index of all readings, in the caller's transaction."""
    last, block = 0, blocks.Block()
    for first, end, body in connection.execute("SELECT id, last, body FROM batches ORDER BY id"):
        block.add(first, end, batches.contents(first, body))
        if block.readings >= blocks.LARGEST:
            last, block = block.seal(connection), blocks.Block()
    last = block.seal(connection) or last
    connection.execute("INSERT OR REPLACE INTO totals VALUES(?, ?)", (totals.SEALED, last))
