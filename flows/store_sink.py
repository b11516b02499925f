"""The sink of the dataflow: effects become rows of the store, once."""

from __future__ import annotations

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.row_order import RowOrder, RowPart
from gateway.journal.bell import Bell
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, Derived, Progressed, WindowClosed
from gateway.store.retention import Retention
from gateway.store.store import Store

_URGENT = frozenset((WindowClosed, AlertChanged, CommandRequested, CommandFact, Derived))


class StorePartition(StatefulSinkPartition[RowPart, None]):
    """Write journal rows, whole and in order, then ring for those who deliver them, where there is more than readings.

    Rows that become whole together go into one transaction: the order of effects does not hang on how Bytewax batches, and the ledger balances
    after each transaction.

    Delivery guarantee: exactly once in effect. Rows are written again after a crash, under the same ids, which the store ignores. Before
    each snapshot the store is made durable, so that no snapshot is ever ahead of it.
    """

    def __init__(self, store: Store, bell: Bell, retention: Retention) -> None:
        self._store = store
        self._bell = bell
        self._retention = retention
        self._order = RowOrder()
        self._at = 0

    def write_batch(self, values: list[RowPart]) -> None:
        """Write the rows that are whole now."""
        for part in values:
            self._order.put(part)
        effects = list(self._order.whole())
        if not effects:
            return
        self._store.write(effects)
        self._at = max((effect.at for effect in effects if type(effect) is Progressed), default=self._at)
        # Only what someone waits for wakes the gateway: at a thousand readings a second the bell itself would be the load.
        if any(type(effect) in _URGENT for effect in effects):
            self._bell.ring()

    def snapshot(self) -> None:
        self._order.check_empty()  # a snapshot comes when all of its epoch has; what was held over it would be lost in a crash
        self._retention.step(self._store, self._at)
        self._store.sync()

    def close(self) -> None:
        self._store.close()


class StoreSink(FixedPartitionedSink[RowPart, None]):
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
