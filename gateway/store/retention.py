"""How long the store keeps what it has."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from time import monotonic

from gateway.store.positions import delivered
from gateway.store.store import Store

_EVERY = 3600.0
_AT_ONCE = 20_000


class Retention:
    """Delete what is older than `history.keep` (ns) and has gone wherever it has to go, some at a time, once an hour."""

    def __init__(self, keep: int, folder: Path, destinations: Collection[str]) -> None:
        self._keep = keep
        self._folder = folder
        self._destinations = destinations
        self._next = 0.0

    def step(self, store: Store, now: int) -> None:
        """Delete some, if it is time; `now` is the journal's newest receive time, epoch ns."""
        if monotonic() < self._next:
            return
        gone = store.prune(now - self._keep, delivered(self._folder, self._destinations), most=_AT_ONCE)
        self._next = monotonic() + (_EVERY if gone < _AT_ONCE else 0.0)
