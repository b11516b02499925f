"""The sink of the dataflow: effects become rows of the store, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import structlog
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.pace import LINGER, Pace
from flows.row_order import RowOrder, RowPart
from flows.snapshot_room import SnapshotRoom
from gateway.disk import is_full
from gateway.journal.bell import Bell
from gateway.settings import Settings
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Derived, Effect, Progressed, WindowClosed
from gateway.store.retention import Retention
from gateway.store.shedding import Shedding
from gateway.store.store import Store

log = structlog.get_logger()

_MOST, _MOST_ROWS = 10_000, 128
"""Effects, and rows, that wait for more at most while the flows are behind: a transaction writes each series anew that it touches."""
_URGENT = frozenset((WindowClosed, AlertChanged, CommandRequested, CommandFact, Derived))


ROOM_EVERY = 0.5
"""Seconds between two attempts to write to a disk that is full."""


def open_store(data: Path, settings: Settings, beat: Callable[[], None]) -> Store:
    """Open the store of a data folder as the flows write it. Raises StoreError."""
    return Store(data / "store.db", raw=settings.history.raw, linger=LINGER, beat=beat)


@dataclass(frozen=True)
class Upkeep:
    """What keeps the store within its bounds while it is written.

    `wait` waits a moment and tells whether to go on trying: not when the process is told to stop.
    """

    retention: Retention
    shedding: Shedding
    room: SnapshotRoom
    wait: Callable[[], bool]

    @classmethod
    def of(cls, data: Path, settings: Settings, wait: Callable[[], bool]) -> Self:
        """Keep the store of a data folder as the settings say."""
        destinations = ["mqtt", *(["influxdb"] if settings.influxdb else [])]
        return cls(
            Retention(settings.history.keep, data / "delivery", destinations),
            Shedding(data, destinations, max_size=settings.history.max_size, reserve=settings.disk.reserve),
            SnapshotRoom(data / "recovery"),
            wait,
        )


class StorePartition(StatefulSinkPartition[RowPart, None]):
    """Write journal rows, whole and in order, then ring for those who deliver them, where there is more than readings.

    Rows that become whole together go into one transaction: the order of effects does not hang on how Bytewax batches, and the ledger balances
    after each transaction. While the flows are behind, rows of which nobody waits for anything go with those that follow.

    Delivery guarantee: exactly once in effect. Rows are written again after a crash, under the same ids, which the store ignores. Before
    each snapshot the store is made durable, so that no snapshot is ever ahead of it. A full disk stops the flows here, until there is room.
    """

    def __init__(self, open_store: Callable[[], Store], bell: Bell, upkeep: Upkeep, pace: Pace) -> None:
        """Open the store when it is first needed: by then the source has brought it to where it begins."""
        self._open_store = open_store
        self._bell = bell
        self._upkeep = upkeep
        self._pace = pace
        self._order = RowOrder()
        self._effects: list[Effect] = []
        self._rows = 0
        self._at = 0

    @cached_property
    def _store(self) -> Store:
        return self._open_store()

    def write_batch(self, values: list[RowPart]) -> None:
        """Write the rows that are whole now, at once or with those that follow."""
        for part in values:
            self._order.put(part)
        effects = self._order.whole()
        progressed = [effect for effect in effects if type(effect) is Progressed]
        self._effects += effects
        self._rows += len(progressed)
        if progressed:
            self._at = max(effect.at for effect in progressed)
            self._pace.take(progressed[-1].offset, progressed[-1].messages)
        # Only what someone waits for wakes the gateway: at a thousand readings a second the bell itself would be the load.
        urgent = any(type(effect) in _URGENT for effect in effects)
        if urgent or not self._pace.behind or len(self._effects) >= _MOST or self._rows >= _MOST_ROWS:
            self._write()
        if urgent:
            self._bell.ring()

    def _write(self) -> None:
        if self._effects or self._pace.owes:
            self._patiently(lambda: self._store.write(self._effects))
            self._pace.owes = self._store.owes
            self._effects, self._rows = [], 0
            self._patiently(lambda: self._upkeep.shedding.step(self._store))

    def snapshot(self) -> None:
        self._order.check_empty()  # a snapshot comes when all of its epoch has; what was held over it would be lost in a crash
        self._write()
        self._patiently(self._settle)
        self._patiently(self._upkeep.room.check)

    def _settle(self) -> None:
        self._upkeep.retention.step(self._store, self._at)
        self._store.sync()

    def _patiently(self, call: Callable[[], None]) -> None:
        """Call until it succeeds or the process is to stop; what fails for want of room changes nothing."""
        waited = False
        while True:
            try:
                call()
            except Exception as error:
                if not is_full(error) or not self._upkeep.wait():
                    raise
                if not waited:
                    log.warning("the flows wait: the disk takes nothing more", error=str(error))
                waited = True
                self._upkeep.shedding.relieve(self._store)
            else:
                break
        if waited:
            log.info("the flows go on: there is room again")

    def close(self) -> None:
        self._write()
        self._store.close()


class StoreSink(FixedPartitionedSink[RowPart, None]):
    """The store as a Bytewax sink. One partition, fixed for good: SQLite has one writer."""

    def __init__(self, open_store: Callable[[], Store], bell: Bell, upkeep: Upkeep, pace: Pace | None = None) -> None:
        self._open_store = open_store
        self._bell = bell
        self._upkeep = upkeep
        self._pace = pace or Pace()

    def list_parts(self) -> list[str]:
        return ["store"]

    def part_fn(self, item_key: str) -> int:  # noqa: ARG002  there is one partition
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> StorePartition:  # noqa: ARG002  Bytewax's signature
        return StorePartition(self._open_store, self._bell, self._upkeep, self._pace)
