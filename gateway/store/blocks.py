"""The index of readings by series and time, made in bulk.

An ordinary index on (series, ts) touches a page per series in every commit: with 1,000 series it wrote 4,100 bytes per reading and halved
the speed. Instead, readings are sealed into blocks of at least 16,384: for each series of a block one span, the list of its ids. A block is
written once, side by side, so its cost does not grow with the number of series. What is not sealed yet is found by scanning it.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence

import msgspec

SMALLEST, LARGEST = 16_384, 131_072
Row = tuple[int, int, int]
"""(series, id, ts) of one reading."""


class _Span(msgspec.Struct):
    series: int
    min_ts: int
    max_ts: int
    ids: array[int]


def size(series: int) -> int:
    """How many readings make a block: a few of each series, so that spans stay small beside the readings.

    >>> size(12), size(5_000), size(1_000_000)
    (16384, 80000, 131072)
    """
    return max(SMALLEST, min(16 * series, LARGEST))


def unsealed(connection: sqlite3.Connection, after: int, upto: int) -> Iterator[Row]:
    """Give the readings with ids above `after` and below `upto`."""
    return connection.execute("SELECT series, id, ts FROM readings WHERE id > ? AND id < ? ORDER BY id", (after, upto))


def rows(connection: sqlite3.Connection, wanted: Iterable[int]) -> Iterator[Row]:
    """Give the readings with these ids, in their order; one that is gone is left out."""
    for one in wanted:
        yield from connection.execute("SELECT series, id, ts FROM readings WHERE id = ?", (one,))


def ids(connection: sqlite3.Connection, block: int) -> Iterator[int]:
    """Give the ids that a block covers."""
    for (span,) in connection.execute("SELECT ids FROM spans WHERE block = ?", (block,)):
        yield from array("q", span)


def seal(connection: sqlite3.Connection, rows: Iterable[Row]) -> int:
    """Write a block over these readings (in order of id), in the caller's transaction; gives the last id in it, 0 when there is none."""
    spans: dict[int, _Span] = {}
    last = 0
    for series, reading, ts in rows:
        last = reading
        span = spans.get(series)
        if span is None:
            span = spans[series] = _Span(series, ts, ts, array("q"))
        elif ts > span.max_ts:
            span.max_ts = ts
        elif ts < span.min_ts:
            span.min_ts = ts
        span.ids.append(reading)
    if spans:
        whole = (last, min(span.min_ts for span in spans.values()), max(span.max_ts for span in spans.values()))
        block = connection.execute("INSERT INTO blocks(last, min_ts, max_ts) VALUES(?, ?, ?)", whole).lastrowid
        ordered = sorted(spans.values(), key=lambda span: span.series)
        connection.executemany(
            "INSERT INTO spans VALUES(?, ?, ?, ?, ?)", [(block, one.series, one.min_ts, one.max_ts, one.ids.tobytes()) for one in ordered]
        )
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
