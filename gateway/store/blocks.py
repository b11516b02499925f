"""The index of readings by series and time, made in bulk.

An ordinary index on (series, ts) touches a page per series in every commit: with 1,000 series it wrote 4,100 bytes per reading and halved
the speed. Instead, readings are sealed into blocks of at least 16,384: for each series of a block one span, the list of its ids. A block is
written once, side by side, so its cost does not grow with the number of series. What is not sealed yet is found by scanning it.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence

SMALLEST, LARGEST = 16_384, 131_072
Row = tuple[int, int, int]
"""(series, id, ts) of one reading."""


def size(series: int) -> int:
    """How many readings make a block: a few of each series, so that spans stay small beside the readings.

    >>> size(12), size(5_000), size(1_000_000)
    (16384, 80000, 131072)
    """
    return max(SMALLEST, min(16 * series, LARGEST))


def unsealed(connection: sqlite3.Connection, after: int) -> Iterator[Row]:
    """Give the readings with ids above `after`."""
    return connection.execute("SELECT series, id, ts FROM readings WHERE id > ? ORDER BY id", (after,))


def seal(connection: sqlite3.Connection, rows: Iterable[Row]) -> int:
    """Write a block over these readings, in the caller's transaction; gives the highest id in it, 0 when there are none."""
    ids: dict[int, array[int]] = {}
    times: dict[int, tuple[int, int]] = {}
    last = 0
    for series, reading, ts in rows:
        last = max(last, reading)
        if series in ids:
            ids[series].append(reading)
            low, high = times[series]
            if not low <= ts <= high:
                times[series] = (min(low, ts), max(high, ts))
        else:
            ids[series] = array("q", (reading,))
            times[series] = (ts, ts)
    if ids:
        span = (min(low for low, _ in times.values()), max(high for _, high in times.values()))
        block = connection.execute("INSERT INTO blocks(last, min_ts, max_ts) VALUES(?, ?, ?)", (last, *span)).lastrowid
        spans = [(block, series, *times[series], ids[series].tobytes()) for series in sorted(ids)]
        connection.executemany("INSERT INTO spans VALUES(?, ?, ?, ?, ?)", spans)
    return last


def find(connection: sqlite3.Connection, series: Sequence[int], since: int, until: int) -> Iterator[int]:
    """Give the ids of sealed readings of these series that may have a time in [since, until): those of every span that overlaps it."""
    query = (
        "SELECT s.ids FROM blocks b CROSS JOIN spans s ON s.block = b.id AND s.series = ?"
        " WHERE b.max_ts >= ? AND b.min_ts < ? AND s.max_ts >= ? AND s.min_ts < ?"
    )
    for one in series:
        for (ids,) in connection.execute(query, (one, since, until, since, until)):
            yield from array("q", ids)


def drop(connection: sqlite3.Connection, pruned_to: int) -> None:
    """Delete the blocks all of whose readings are gone."""
    gone = "SELECT id FROM blocks WHERE last <= ?"
    connection.execute(f"DELETE FROM spans WHERE block IN ({gone})", (pruned_to,))  # noqa: S608  # our own text
    connection.execute("DELETE FROM blocks WHERE last <= ?", (pruned_to,))
