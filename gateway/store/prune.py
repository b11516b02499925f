"""Deletes what is older than the history is kept, in the order in which it came, and never what a destination still wants."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import accumulate, takewhile

from devices.timestamps import RELEASED
from gateway.store import batches, totals
from gateway.store.outcomes import ENDS
from gateway.store.positions import Positions
from gateway.store.totals import Totals


def prune(connection: sqlite3.Connection, sums: Totals, before: int, delivered: Positions, *, most: int) -> int:
    """Delete `most` rows, in the caller's transaction, or all that are old; gives how many. Readings go by batches, which may be some more.

    Age is by when a row came (`received`, `at`), not by event time: what a device sends late is kept as long as the rest, and rows leave in
    the order of their ids, so that one mark tells a replay of a deleted row from a new one.
    """
    gone = _prune_readings(connection, sums, before, delivered.readings, most)
    gone += _prune_effects(connection, sums, before, delivered.effects, max(0, most - gone))
    return gone + forget_ended(connection, sums, before=before, most=max(0, most - gone))


def _prune_readings(connection: sqlite3.Connection, sums: Totals, before: int, delivered: int, most: int) -> int:
    rows = batches.oldest(connection, delivered, most=most)
    newest = connection.execute("SELECT at FROM batches ORDER BY id DESC LIMIT 1").fetchone()
    old = _old([(last, at) for last, _, at in rows], before, newest[0]) if newest else []
    return drop_readings(connection, sums, old[-1]) if old else 0


def drop_readings(connection: sqlite3.Connection, sums: Totals, upto: int) -> int:
    """Delete the batches up to the id `upto`, the last of one; give how many readings they held."""
    count = batches.delete(connection, 0, upto + 1)
    sums[totals.PRUNED] += count
    sums[totals.PRUNED_TO] = max(upto, sums[totals.PRUNED_TO])
    return count


def _prune_effects(connection: sqlite3.Connection, sums: Totals, before: int, delivered: int, most: int) -> int:
    rows = connection.execute("SELECT seq, at FROM effects WHERE seq <= ? ORDER BY seq LIMIT ?", (delivered, most)).fetchall()
    newest = connection.execute("SELECT at FROM effects ORDER BY seq DESC LIMIT 1").fetchone()
    old = _old(rows, before, newest[0]) if newest else []
    if old:
        connection.execute("DELETE FROM effects WHERE seq <= ?", (old[-1],))
        sums[totals.EFFECTS_PRUNED] += len(old)
    return len(old)


def _old(rows: Sequence[tuple[int, int]], before: int, newest: int) -> list[int]:
    """Give the first rows (number, when it came) that are all older than `before`, by their order rather than by a clock that may jump.

    A row is at least as young as those ahead of it. One that came before the clock was set (it starts in 1970), or claims to have come after
    the `newest` of all, is taken for as old as the next: neither makes a row old, or lets it stay for ever. While that one itself came before
    the clock was set, nobody knows how old it is, and it stays.
    """
    came: list[int] = []
    following = newest if newest >= RELEASED else before
    for _, time in reversed(rows):
        following = time if RELEASED <= time <= newest else following
        came.append(following)
    ages = accumulate(reversed(came), max)
    return [number for (number, _), age in takewhile(lambda pair: pair[1] < before, zip(rows, ages, strict=True))]


def forget_ended(connection: sqlite3.Connection, sums: Totals, *, before: int, most: int) -> int:
    """Delete commands that ended before a time, in the caller's transaction; their sums stay."""
    ended = ", ".join(f"'{end}'" for end in ENDS)
    query = f"SELECT id, state, sent FROM commands WHERE changed < ? AND state IN ({ended}) ORDER BY id LIMIT ?"  # noqa: S608  # our own words
    rows = connection.execute(query, (before, most)).fetchall()
    for command, state, sent in rows:
        connection.execute("DELETE FROM commands WHERE id = ?", (command,))
        sums[f"commands {state}"] += 1
        sums["commands sent"] += sent
    return len(rows)
