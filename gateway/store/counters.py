"""The ledger's counters on their way into the store: a thousand devices' are not written at once, so that nothing urgent waits behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice

from gateway.store.effects import Counted

_COUNT = "INSERT INTO counters VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
_AT_ONCE = 100
"""Devices, by stage and flow, whose counters are written with a transaction, or one of 32 that wait, where that is more."""

_Place = tuple[str, str, str]
"""Stage, scope (a flow) and device."""
_Counts = dict[_Place, dict[str, int]]


class Counters:
    """Counters wait here, and leave in the order in which they came, those of one place together.

    What is held against something else comes after it: so all that are under way leave before any that came later, newer values among them.
    Messages' totals never wait: the ledger balances after each transaction. What waits is lost with the process, and so must be written with
    `all_of_them` before anything is told to be settled.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._leaving: _Counts = {}
        self._following: _Counts = {}
        self._written: list[tuple[_Place, dict[str, int]]] = []

    def __bool__(self) -> bool:
        """Tell whether any wait."""
        return bool(self._leaving or self._following)

    def take(self, counted: Iterable[Counted]) -> None:
        """Take the counters of whole rows, in the caller's transaction."""
        at_once, following = [], self._following
        for one in counted:
            if one.stage == "total" or one.term == "open":
                at_once.append((one.stage, one.scope, one.device, one.term, one.value))
            else:
                place = one.stage, one.scope, one.device
                terms = following.get(place)
                if terms is None:
                    terms = following[place] = {}
                terms[one.term] = one.value
        if at_once:
            self._connection.executemany(_COUNT, at_once)

    def write(self, *, all_of_them: bool = False) -> None:
        """Write some of those that wait, in the caller's transaction."""
        if not self._leaving:
            self._leaving, self._following = self._following, {}
        self._write(len(self._leaving) if all_of_them else max(_AT_ONCE, len(self._leaving) // 32))
        if all_of_them and self._following:
            self.write(all_of_them=True)

    def _write(self, most: int) -> None:
        some = list(islice(self._leaving.items(), most))
        self._connection.executemany(_COUNT, [(*place, term, value) for place, terms in some for term, value in terms.items()])
        for place, _ in some:
            del self._leaving[place]
        self._written += some

    def committed(self) -> None:
        """Let go of what was written."""
        self._written = []

    def rolled_back(self) -> None:
        """Have what was written wait again, in front."""
        back: _Counts = {}
        for place, terms in (*self._written, *self._leaving.items()):
            back[place] = back.get(place, {}) | terms
        self._leaving, self._written = back, []
