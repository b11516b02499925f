"""Deletes what is older than the history is kept, in the order in which it came, and never what a destination still wants."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from gateway.store import totals
from gateway.store.outcomes import ENDS
from gateway.store.positions import Positions
from gateway.store.totals import Totals


def prune(connection: sqlite3.Connection, sums: Totals, before: int, delivered: Positions, *, most: int) -> int:
    """Delete at most `most` rows, in the caller's transaction; gives how many.

    Age is by when a row came (`received`, `at`), not by event time: what a device sends late is kept as long as the rest, and rows leave in
    the order of their ids, so that one mark tells a replay of a deleted row from a new one.
    """
    gone = _prune_readings(connection, sums, before, delivered.readings, most)
    gone += _prune_effects(connection, sums, before, delivered.effects, most - gone)
    return gone + _prune_commands(connection, sums, before, most - gone)


def _prune_readings(connection: sqlite3.Connection, sums: Totals, before: int, delivered: int, most: int) -> int:
    last, gone = _old(
        connection.execute("SELECT id, ts + delay FROM readings WHERE id <= ? ORDER BY id LIMIT ?", (delivered, most)), before
    )
    if gone:
        connection.execute("DELETE FROM readings WHERE id <= ?", (last,))
        sums[totals.PRUNED] += gone
        sums[totals.PRUNED_TO] = max(last, sums[totals.PRUNED_TO])
    return gone


def _prune_effects(connection: sqlite3.Connection, sums: Totals, before: int, delivered: int, most: int) -> int:
    last, gone = _old(connection.execute("SELECT seq, at FROM effects WHERE seq <= ? ORDER BY seq LIMIT ?", (delivered, most)), before)
    if gone:
        connection.execute("DELETE FROM effects WHERE seq <= ?", (last,))
        sums[totals.EFFECTS_PRUNED] += gone
    return gone


def _old(rows: Iterable[tuple[int, int]], before: int) -> tuple[int, int]:
    """Give the last row older than `before` and how many rows that makes: rows ahead of it came earlier, whatever their clock said."""
    last, gone = 0, 0
    for number, (row, came) in enumerate(rows, start=1):
        if came < before:
            last, gone = row, number
    return last, gone


def _prune_commands(connection: sqlite3.Connection, sums: Totals, before: int, most: int) -> int:
    """Delete commands that have ended; their sums stay."""
    ended = ", ".join(f"'{end}'" for end in ENDS)
    query = f"SELECT id, state, sent FROM commands WHERE changed < ? AND state IN ({ended}) ORDER BY id LIMIT ?"  # noqa: S608  # our own words
    rows = connection.execute(query, (before, most)).fetchall()
    for command, state, sent in rows:
        connection.execute("DELETE FROM commands WHERE id = ?", (command,))
        sums[f"commands {state}"] += 1
        sums["commands sent"] += sent
    return len(rows)
