"""The sink of the dataflow: effects become rows of the store, once."""

from __future__ import annotations

from itertools import chain

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from gateway.journal.bell import Bell
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Effect, Progressed, WindowClosed
from gateway.store.retention import Retention
from gateway.store.store import Store

Effects = list[Effect]
_URGENT = frozenset((WindowClosed, AlertChanged, CommandRequested, CommandFact))


class StorePartition(StatefulSinkPartition[Effects, None]):
    """Write a batch of effects in one transaction, then ring for those who deliver them, where there is more than readings.

    Delivery guarantee: exactly once in effect. Rows are written again after a crash, under the same ids, which the store ignores. Before
    each snapshot the store is made durable, so that no snapshot is ever ahead of it.
    """

    def __init__(self, store: Store, bell: Bell, retention: Retention) -> None:
        self._store = store
        self._bell = bell
        self._retention = retention
        self._at = 0

    def write_batch(self, values: list[Effects]) -> None:
        """Write what came together, in order."""
        effects = list(chain.from_iterable(values))
        self._store.write(effects)
        self._at = max((effect.at for effect in effects if type(effect) is Progressed), default=self._at)
        # Only what someone waits for wakes the gateway: at a thousand readings a second the bell itself would be the load.
        if any(type(effect) in _URGENT for effect in effects):
            self._bell.ring()

    def snapshot(self) -> None:
        self._retention.step(self._store, self._at)
        self._store.sync()

    def close(self) -> None:
        self._store.close()


class StoreSink(FixedPartitionedSink[Effects, None]):
    """The store as a Bytewax sink. One partition, fixed for good: SQLite has one writer."""

    def __init__(self, store: Store, bell: Bell, retention: Retention) -> None:
        self._store = store
        self._bell = bell
        self._retention = retention

    def list_parts(self) -> list[str]:
        return ["store"]

    def part_fn(self, item_key: str) -> int:  # noqa: ARG002  there is one partition
        return 0

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> StorePartition:  # noqa: ARG002  Bytewax's signature
        return StorePartition(self._store, self._bell, self._retention)
