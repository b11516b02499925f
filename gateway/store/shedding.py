"""Keeps the store within its bounds: `history.max_size`, and the disk's free space above `disk.reserve`.

A store that is too large gives up what is next in `ORDER`, whether it was delivered or not. One that only stands on a disk that is full gives
up what every destination has: the rest is nowhere else, and the broker can keep what comes while nothing is acknowledged. A store that is
smaller than the reserve is not what fills the disk, and keeps all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic

import structlog

from gateway.ballast import Ballast
from gateway.disk import free, is_full
from gateway.store.positions import Positions, delivered
from gateway.store.shed import ORDER, Kind
from gateway.store.store import Store

log = structlog.get_logger()

_EVERY, _SOON = 5.0, 0.5
"""Seconds between looks, and between them while there is too little room."""
_AT_ONCE = (5_000, 500, 50)
"""Rows given up in one transaction, and fewer where there is no room even for that: it needs some itself."""
_QUIET = 3600.0
"""Seconds without a loss after which the next is said again."""
_PATIENCE = 0.5
"""Seconds that readings may wait behind one look."""


class Shedding:
    """Gives up what the store holds in the order of `ORDER` until there is room again, some at a time; what went is in the store's sums."""

    def __init__(self, data: Path, destinations: Collection[str], *, max_size: int | None, reserve: int) -> None:
        """`max_size` and `reserve` are in bytes."""
        self._data = data
        self._destinations = destinations
        self._max_size = max_size
        self._reserve = reserve
        self._ballast = Ballast(data, reserve)
        self._next = 0.0
        self._shed_at = -_QUIET

    def step(self, store: Store) -> None:
        """Look whether there is room, if it is time to; make some where there is not. Raises where even that finds none."""
        if monotonic() < self._next:
            return
        self._next = monotonic() + _EVERY
        if not self._is_short(store):
            self._ballast.take_in()
            return
        self._next = monotonic() + _SOON
        give_up = monotonic() + _PATIENCE
        store.give_back()
        while self._is_short(store) and monotonic() < give_up and self._shed(store):
            store.give_back()

    def relieve(self, store: Store) -> None:
        """Make room where a write has found none: with the ballast's, and what can be given up within that."""
        self._ballast.give_up()
        self._next = 0.0
        for make_room in (partial(self.step, store), store.give_back):
            try:
                make_room()
            except Exception as error:
                if not is_full(error):
                    raise

    def _shed(self, store: Store) -> bool:
        """Give up some rows; tell whether there were any. It is said once, until there was room for a while."""
        positions = delivered(self._data / "delivery", self._destinations)
        if too_large := self._is_too_large(store):
            positions = Positions(positions.readings, Positions.everything().effects)
        for kind in ORDER:
            if (too_large or kind != "readings") and _given_up(store, kind, positions):
                if monotonic() - self._shed_at > _QUIET:
                    log.warning(
                        "the store gives up its oldest rows: there is no room", first=kind, free=free(self._data), bytes=store.used()
                    )
                self._shed_at = monotonic()
                return True
        return False

    def _is_short(self, store: Store) -> bool:
        if self._is_too_large(store):
            return True
        with suppress(OSError):
            return free(self._data) < self._reserve and store.unused() < self._reserve < store.used()
        return False

    def _is_too_large(self, store: Store) -> bool:
        return self._max_size is not None and store.used() > self._max_size


def _given_up(store: Store, kind: Kind, positions: Positions) -> int:
    """Give up some rows of a kind, as many at once as the disk allows; gives how many."""
    for most in _AT_ONCE[:-1]:
        try:
            return store.shed(kind, positions, most=most)
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
    return store.shed(kind, positions, most=_AT_ONCE[-1])
