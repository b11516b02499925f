"""Rows that destinations refused, read from their cursor files by any process beside the gateway."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import NamedTuple

from gateway.delivery.cursor import DeadRow
from gateway.store.errors import StoreError

_NEWEST = "SELECT stream, position, id, reason, body FROM dead_letters ORDER BY n DESC LIMIT ?"
_ONE = "SELECT stream, position, id, reason, body FROM dead_letters WHERE id = ?"


class RefusedRow(NamedTuple):
    """A row, and the destination that refused it."""

    destination: str
    row: DeadRow

    @property
    def name(self) -> str:
        """What a person calls it by: `influxdb/<the row's id>`."""
        return f"{self.destination}/{self.row.id}"


def refused_rows(folder: Path, *, newest: int) -> list[RefusedRow]:
    """Give the newest rows that each destination with a cursor in the folder refused, the newest first. Raises StoreError."""
    return [one for path in sorted(folder.glob("*.db")) for one in _read(path, _NEWEST, newest)]


def refused_row(folder: Path, name: str) -> RefusedRow | None:
    """Give one of them by its name. Raises StoreError."""
    destination, _, row = name.partition("/")
    found = [one for path in folder.glob("*.db") if path.stem == destination for one in _read(path, _ONE, row)]
    return found[0] if found else None


def _read(cursor: Path, query: str, value: int | str) -> list[RefusedRow]:
    try:
        connection = sqlite3.connect(f"{cursor.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
        try:
            return [RefusedRow(cursor.stem, DeadRow(*row)) for row in connection.execute(query, (value,))]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"cursor {cursor}: cannot be read: {error}") from error
