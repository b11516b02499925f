"""Gives up what the store holds, kind by kind and the oldest first, where there is no room for more."""

from __future__ import annotations

import sqlite3
from typing import Literal

from gateway.store import batches, blocks, totals
from gateway.store.positions import Positions
from gateway.store.prune import drop_readings, forget_ended
from gateway.store.totals import Totals

Kind = Literal["delivered readings", "readings", "dead letters", "windows", "alerts", "commands"]

ORDER: tuple[Kind, ...] = ("delivered readings", "readings", "dead letters", "windows", "alerts", "commands")
"""What goes first: each kind wholly before the next. Commands that have not ended are never given up, nor what still carries one on."""

_OPEN = "SELECT min(seq) FROM effects WHERE id IN (SELECT id FROM commands WHERE state IN ('requested', 'sent'))"
_EFFECTS: dict[Kind, str] = {
    "windows": "kind IN ('window', 'derived', 'failure')",
    "alerts": "kind = 'alert'",
    "commands": f"kind IN ('command', 'fact') AND seq < coalesce(({_OPEN}), 9223372036854775807)",  # our own text
}


def shed(connection: sqlite3.Connection, sums: Totals, kind: Kind, delivered: Positions, *, most: int) -> int:
    """Delete `most` rows of a kind, or all, in the caller's transaction; gives how many. They count as `shed <kind>`.

    Readings go by batches, which may be some more.

    Of outcomes and of `delivered readings`, only what was delivered goes.
    """
    if kind in _EFFECTS:
        gone = _shed_effects(connection, sums, _EFFECTS[kind], delivered.effects, most)
        if kind == "commands":
            forget_ended(connection, sums, before=1 << 62, most=gone)
    elif kind == "dead letters":
        gone = _shed_letters(connection, sums, most)
    else:
        gone = _shed_readings(connection, sums, delivered.readings if kind == "delivered readings" else (1 << 62), most)
    if gone:
        sums[f"{totals.SHED}{kind}"] += gone
    return gone


def _shed_readings(connection: sqlite3.Connection, sums: Totals, upto: int, most: int) -> int:
    rows = batches.oldest(connection, upto, most=most)
    if not rows:
        return 0
    count = drop_readings(connection, sums, rows[-1][0])
    blocks.drop(connection, sums[totals.PRUNED_TO])
    return count


def _shed_letters(connection: sqlite3.Connection, sums: Totals, most: int) -> int:
    rows = connection.execute("SELECT id FROM dead_letters ORDER BY id LIMIT ?", (most,)).fetchall()
    if rows:
        connection.execute("DELETE FROM dead_letters WHERE id <= ?", rows[-1])
        sums[totals.DEAD_LETTERS_TRIMMED_TO] = max(rows[-1][0], sums[totals.DEAD_LETTERS_TRIMMED_TO])
    return len(rows)


def _shed_effects(connection: sqlite3.Connection, sums: Totals, which: str, upto: int, most: int) -> int:
    query = f"DELETE FROM effects WHERE seq IN (SELECT seq FROM effects WHERE {which} AND seq <= ? ORDER BY seq LIMIT ?)"  # noqa: S608
    gone = connection.execute(query, (upto, most)).rowcount
    sums[totals.EFFECTS_PRUNED] += gone
    return gone
