"""Sums that outlive pruning, and marks of how far something has come: `totals(term, value)`."""

from __future__ import annotations

import sqlite3

TAKEN = "readings taken"
KEPT = "readings kept"
PRUNED = "readings pruned"
PRUNED_TO = "readings pruned to"
"""The highest id that was pruned: a reading at or below it that comes again is a replay."""

SEALED = "readings sealed"
"""The highest id that the blocks cover."""

SETTLED_TO = "readings settled to"
"""The id up to which the table of series knows of all readings."""

SHED = "shed "
"""Begins the terms of what was given up for want of room, by kind."""

EFFECTS = "effects"
EFFECTS_PRUNED = "effects pruned"
EFFECTS_SYNCED = "effects synced"
"""The highest `seq` that a power cut cannot take back."""

DEAD_LETTERS = "dead letters"
DEAD_LETTERS_TRIMMED_TO = "dead letters trimmed to"
REDO_TO, REDONE = "redo up to", "redone up to"
"""The journal's rows that are made again since the ledger began anew, and how far that has come."""

FORGOTTEN_TO = "readings forgotten to"
"""The highest id that was looked at for readings that the journal no longer has."""

LABELS = "labels changed"
"""Goes up when a series' labels change: readers that hold labels look at it."""


class Totals:
    """The totals in memory; what changed goes to the table with `save`, in the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[str, int] = {}
        self._changed: set[str] = set()
        self.reload()

    def __getitem__(self, term: str) -> int:
        return self._values.get(term, 0)

    def __setitem__(self, term: str, value: int) -> None:
        if self._values.get(term) != value:  # a mark at 0 says something else than none
            self._values[term] = value
            self._changed.add(term)

    def save(self) -> None:
        if self._changed:
            rows = [(term, self._values[term]) for term in sorted(self._changed)]
            self._connection.executemany("INSERT INTO totals VALUES(?, ?) ON CONFLICT(term) DO UPDATE SET value = excluded.value", rows)
            self._changed.clear()

    def reload(self) -> None:
        """Take what the table says: after opening, and after a transaction was rolled back."""
        self._values = dict(self._connection.execute("SELECT term, value FROM totals"))
        self._changed.clear()
