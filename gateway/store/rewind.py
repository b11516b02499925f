"""The ledger begun anew: flows that have lost their state read the journal from its oldest row, and what they make again takes the old rows' place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from gateway.store import batches, blocks, totals
from gateway.store.totals import Totals

END = (1 << 63) - 1


class Redo:
    """The rows of the journal whose readings are made again: those of the time before lie in the store until their row comes.

    Readings keep their ids if they are made again as they were; where the flows know less than they did, a row may give others.
    So a row's readings are deleted as a whole, in the transaction that writes them again; what the journal no longer has stays.
    """

    def __init__(self, connection: sqlite3.Connection, sums: Totals) -> None:
        self._connection = connection
        self._totals = sums

    @property
    def under_way(self) -> bool:
        return self._totals[totals.REDONE] < self._totals[totals.REDO_TO]

    @property
    def upto(self) -> int:
        """The first id that is of the time before; beyond all where none is."""
        return first_id(self._totals[totals.REDONE] + 1) if self.under_way else END

    def make_room(self, rows: Iterable[int]) -> None:
        """Delete what is of the time before in these rows of the journal (their offsets)."""
        done, last = self._totals[totals.REDONE], self._totals[totals.REDO_TO]
        for row in sorted(rows):
            if done < row <= last:
                self._totals[totals.KEPT] -= batches.delete(self._connection, first_id(row), first_id(row + 1))
            self._totals[totals.REDONE] = max(self._totals[totals.REDONE], min(row, last))


def rewind(connection: sqlite3.Connection, sums: Totals, first: int, messages: int, at: int) -> None:
    """Let the ledger begin at the journal's row `first`, ahead of which `messages` were received; in the caller's transaction.

    Readings taken before are counted apart (`before`) from those that will be taken; what is kept of them stays to be looked at. Where
    `history.raw` keeps only some readings, those that will be made again are not known by number, and are taken for the same share.
    Windows, alerts, commands and dead letters stay: their ids are those of their causes, so that none is written twice.
    """
    position = _position(connection)
    current = sums[totals.REDONE] if sums[totals.REDONE] < sums[totals.REDO_TO] else position
    again = batches.count_by_series(batches.between(connection, first_id(first), first_id(current + 1)))
    rows = connection.execute("SELECT id, before, count, kept, last_id FROM series").fetchall()
    connection.executemany(
        "UPDATE series SET before = ?, count = 0, kept = ?, last_id = min(last_id, ?), live_ts = ?, mark = NULL WHERE id = ?",
        [
            (
                before + count - _taken(again.get(series, 0), before + count, kept, count if last >= first_id(first) else 0),
                max(0, kept - again.get(series, 0)),
                first_id(first) - 1,
                -(1 << 63),
                series,
            )
            for series, before, count, kept, last in rows
        ],
    )
    _unseal(connection, sums, first_id(first))
    connection.execute("DELETE FROM counters")
    connection.execute("INSERT INTO counters VALUES('total', '', '', 'set_aside', ?)", (messages,))
    connection.execute("INSERT OR REPLACE INTO progress VALUES(1, ?, ?, ?)", (first - 1, messages, at))
    (taken,) = connection.execute("SELECT coalesce(sum(before), 0) FROM series").fetchone()
    sums[totals.TAKEN] = taken
    sums[totals.REDO_TO] = max(position, sums[totals.REDO_TO])
    sums[totals.REDONE] = min(first - 1, sums[totals.REDO_TO])


def forget(connection: sqlite3.Connection, sums: Totals, rows: Iterable[tuple[int, int]]) -> None:
    """Count the readings of rows that the journal no longer has (from, to) as taken before the ledger began: the flows will not count them again."""
    done = sums[totals.FORGOTTEN_TO]
    for start, end in rows:
        between = (max(first_id(start), done + 1), first_id(end + 1))
        counted = batches.count_by_series(batches.between(connection, *between))
        connection.executemany("UPDATE series SET before = before + ?2, count = count - ?2 WHERE id = ?1", counted.items())
        sums[totals.FORGOTTEN_TO] = max(sums[totals.FORGOTTEN_TO], first_id(end + 1) - 1)


def holes(offsets: Iterable[int], after: int, upto: int) -> Iterator[tuple[int, int]]:
    """Give the stretches that are missing of the numbers behind `after`, up to `upto`.

    >>> list(holes([3, 4, 7], 2, 9))
    [(5, 6), (8, 9)]
    """
    for offset in offsets:
        if offset > after + 1:
            yield (after + 1, min(offset - 1, upto))
        after = offset
    if after < upto:
        yield (after + 1, upto)


def first_id(row: int) -> int:
    """Give the lowest id of a reading in a row of the journal."""
    return row << batches.PLACES


def _taken(again: int, total: int, kept: int, otherwise: int) -> int:
    """Give how many readings of a series will be taken again, of which `again` have a row."""
    return min(total, round(again * total / kept)) if kept else otherwise


def _position(connection: sqlite3.Connection) -> int:
    """Give the last row of the journal from which there is anything."""
    (progress,) = connection.execute("SELECT coalesce(max(position), 0) FROM progress").fetchone()
    return max(int(progress), batches.newest(connection) >> batches.PLACES)


def _unseal(connection: sqlite3.Connection, sums: Totals, first: int) -> None:
    """Take ids from `first` on out of the index: what is under them may become another reading."""
    for (block,) in connection.execute("SELECT id FROM blocks WHERE last >= ?", (first,)).fetchall():
        kept = [one for one in blocks.ids(connection, block) if one < first]
        connection.execute("DELETE FROM spans WHERE block = ?", (block,))
        connection.execute("DELETE FROM blocks WHERE id = ?", (block,))
        blocks.seal(connection, blocks.of(connection, kept))
    sums[totals.SEALED] = min(sums[totals.SEALED], first - 1)
