"""How far destinations have come: what pruning must leave alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple, Self

from gateway.store.errors import StoreError


class Positions(NamedTuple):
    """The last row taken of each stream: readings by their id, effects by their seq."""

    readings: int
    effects: int

    @classmethod
    def everything(cls) -> Self:
        """Give the positions of a destination that wants nothing more."""
        return cls((1 << 63) - 1, (1 << 63) - 1)


def delivered(folder: Path, names: Collection[str]) -> Positions:
    """Give how far the slowest of these destinations is, from their cursor files `<folder>/<name>.db`.

    A destination that has no file yet has taken nothing; a stream that it does not take holds nothing back. Raises StoreError.
    """
    slowest = Positions.everything()
    for name in names:
        positions = _read(folder / f"{name}.db")
        slowest = Positions(min(slowest.readings, positions.readings), min(slowest.effects, positions.effects))
    return slowest


def _read(path: Path) -> Positions:
    if not path.exists():
        return Positions(0, 0)
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)
        try:
            found = dict(connection.execute("SELECT stream, position FROM cursors"))
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise StoreError(f"cursor {path}: cannot be read: {error}") from error
    everything = Positions.everything()
    return Positions(found.get("readings", everything.readings), found.get("effects", everything.effects))
