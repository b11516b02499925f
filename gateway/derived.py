"""Carries readings that flows derived from the store into the journal, so that flows chain."""

from __future__ import annotations

from gateway.delivery.cursor import Cursor
from gateway.journal.journal import Journal
from gateway.store.effects import Derived
from gateway.store.reader import StoreReader

CURSOR = "derived.db"
"""Its file in the data folder."""

_LOOKED_AT = 1000


class Carrier:
    """From the store's outcomes into rows of the journal, in order.

    Guarantee: at least once. The cursor moves when the journal has the row; what a crash makes come again has the same series, time and
    value, by which the flows know it.
    """

    def __init__(self, reader: StoreReader, cursor: Cursor, journal: Journal) -> None:
        self._reader = reader
        self._cursor = cursor
        self._journal = journal
        cursor.align(reader, ("effects",), backfill=True)
        self._position = cursor.position("effects")
        self._looked_at = 0

    def step(self) -> bool:
        """Carry what is there, at most a row's worth; tell whether there may be more."""
        found = self._reader.effects_after(self._position, _LOOKED_AT)
        readings = [one for _, one in found if isinstance(one, Derived)]
        if readings:
            self._journal.append_derived(readings)
        if found:
            self._position = found[-1][0]
            self._looked_at += len(found)
        # Looking at an outcome again costs nothing that a disk would feel; a cursor that moves with every window would.
        if readings or self._looked_at >= _LOOKED_AT:
            taken, mark = len(readings), found[-1][1].id
            skipped = self._looked_at - taken
            self._cursor.advance("effects", self._position, mark=mark, stable=self._reader.synced(), taken=taken, skipped=skipped)
            self._looked_at = 0
        return len(found) == _LOOKED_AT
