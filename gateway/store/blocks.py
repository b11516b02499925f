"""The index of batches by series and time, made in bulk.

An ordinary index on (series, ts) touches a page per series in every commit: with 1,000 series it wrote 4,100 bytes per reading and halved
the speed. Instead, batches are sealed into blocks of at least 16,384 readings: for each series of a block one span, the list of the batches
that hold it. A block is written once, side by side, so its cost does not grow with the number of series. What is not sealed yet is found by
scanning it.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence

from gateway.store import batches

SMALLEST, LARGEST = 16_384, 131_072
"""Readings in a block."""
Batch = tuple[int, int, bytes]
"""(id, last, body) of one batch."""


def size(series: int) -> int:
    """How many readings make a block: a few of each series, so that spans stay small beside the readings.

    >>> size(12), size(5_000), size(1_000_000)
    (16384, 80000, 131072)
    """
    return max(SMALLEST, min(16 * series, LARGEST))


def unsealed(connection: sqlite3.Connection, after: int, upto: int) -> Iterator[Batch]:
    """Give the batches with ids above `after` and below `upto`."""
    return connection.execute("SELECT id, last, body FROM batches WHERE id > ? AND id < ? ORDER BY id", (after, upto))


def ids(connection: sqlite3.Connection, block: int) -> list[int]:
    """Give the ids of the batches that a block covers, in order."""
    found: set[int] = set()
    for (span,) in connection.execute("SELECT batches FROM spans WHERE block = ?", (block,)):
        found.update(array("q", span))
    return sorted(found)


def of(connection: sqlite3.Connection, wanted: Iterable[int]) -> Iterator[Batch]:
    """Give the batches with these ids, in their order; one that is gone is left out."""
    for one in wanted:
        yield from connection.execute("SELECT id, last, body FROM batches WHERE id = ?", (one,))


class Block:
    """Batches that are to be sealed, in order of id."""

    def __init__(self) -> None:
        self.readings = 0
        self._spans: dict[int, array[int]] = {}
        self._times: list[int] = []
        self._last = 0

    def add(self, first: int, last: int, contents: batches.Contents) -> None:
        """Take a batch with these ids."""
        spans = self._spans
        for one in contents.series:
            span = spans.get(one)
            if span is None:
                span = spans[one] = array("q")
            span.append(first)
        self._last = last
        self._times += (contents.since, contents.until)
        self.readings += contents.readings

    def seal(self, connection: sqlite3.Connection) -> int:
        """Write them as a block, in the caller's transaction; gives the last id in it, 0 when there is none."""
        if self._spans:
            values = (self._last, min(self._times), max(self._times))
            block = connection.execute("INSERT INTO blocks(last, min_ts, max_ts) VALUES(?, ?, ?)", values).lastrowid
            spans = [(block, one, self._spans[one].tobytes()) for one in sorted(self._spans)]
            connection.executemany("INSERT INTO spans VALUES(?, ?, ?)", spans)
        return self._last


def seal(connection: sqlite3.Connection, sealed: Iterable[Batch]) -> int:
    """Write a block over these batches (in order of id), in the caller's transaction; gives the last id in it, 0 when there is none."""
    return gathered(sealed).seal(connection)


def gathered(sealed: Iterable[Batch]) -> Block:
    """Make a block of batches (in order of id) that is still to be written."""
    block = Block()
    for first, last, body in sealed:
        block.add(first, last, batches.contents(first, body))
    return block


def find(connection: sqlite3.Connection, series: Sequence[int], since: int, until: int) -> list[int]:
    """Give the ids of sealed batches that may have readings of these series with a time in [since, until), in order."""
    query = "SELECT s.batches FROM blocks b CROSS JOIN spans s ON s.block = b.id AND s.series = ? WHERE b.max_ts >= ? AND b.min_ts < ?"
    found: set[int] = set()
    for one in series:
        for (span,) in connection.execute(query, (one, since, until)):
            found.update(array("q", span))
    return sorted(found)


def drop(connection: sqlite3.Connection, pruned_to: int) -> None:
    """Delete the blocks all of whose readings are gone."""
    gone = "SELECT id FROM blocks WHERE last <= ?"
    connection.execute(f"DELETE FROM spans WHERE block IN ({gone})", (pruned_to,))  # noqa: S608  # our own text
    connection.execute("DELETE FROM blocks WHERE last <= ?", (pruned_to,))
