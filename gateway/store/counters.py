"""The ledger's counters on their way into the store: a thousand devices' are not written at once, so that nothing urgent waits behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice

from gateway.store.effects import Counted

_COUNT = "INSERT INTO counters VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_AT_ONCE = 250
"""Counters that are written with a transaction, or one of 32 that wait, where that is more."""

_Name = tuple[str, str, str, str]


class Counters:
    """Counters wait here, each with its newest value, and leave in the order in which they came: one that is held against another comes after it.

    Messages' totals never wait: the ledger balances after each transaction. What waits is lost with the process, and so must be written with
    `all_of_them` before anything is told to be settled.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._waiting: dict[_Name, int] = {}
        self._written: list[tuple[_Name, int]] = []

    def __bool__(self) -> bool:
        """Tell whether any wait."""
        return bool(self._waiting)

    def take(self, counted: Iterable[Counted]) -> None:
        """Take counters, in the caller's transaction."""
        at_once = []
        for one in counted:
            if one.stage == "total" or one.term == "open":
                at_once.append((one.stage, one.scope, one.device, one.term, one.value))
            else:
                self._waiting[one.stage, one.scope, one.device, one.term] = one.value
        if at_once:
            self._connection.executemany(_COUNT, at_once)

    def write(self, *, all_of_them: bool = False) -> None:
        """Write some of those that wait, in the caller's transaction."""
        most = len(self._waiting) if all_of_them else max(_AT_ONCE, len(self._waiting) // 32)
        some = list(islice(self._waiting.items(), most))
        self._connection.executemany(_COUNT, [(*name, value) for name, value in some])
        self._written += some

    def committed(self) -> None:
        """Let go of what was written."""
        for name, value in self._written:
            if self._waiting.get(name) == value:
                del self._waiting[name]
        self._written = []

    def rolled_back(self) -> None:
        """Have what was written still wait."""
        self._written = []
