"""The whole dataflow on one screen: journal, shards, store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from flows.normaliser import STORE
from flows.row_order import RowPart
from flows.shard import Shard
from flows.slice import Slice

# Names of the dataflow and its steps are part of the recovery data: never rename.
FLOW_ID = "sluice"


class ShardLogic(StatefulBatchLogic[Slice, RowPart, bytes]):
    """Drive a shard. Decisions fall slice by slice, never by how many come in one call; each slice gives one part of its row, were it empty."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    @classmethod
    def of(cls, shard: Callable[[bytes | None], Shard]) -> Callable[[bytes | None], ShardLogic]:
        """Let it drive what `shard` makes of a snapshot."""
        return lambda snapshot: cls(shard(snapshot))

    def on_batch(self, values: list[Slice]) -> tuple[list[RowPart], bool]:
        return [RowPart(row.offset, self._shard.step(row), row.shard) for row in values], False

    def on_eof(self) -> tuple[list[RowPart], bool]:
        return [], False

    def snapshot(self) -> bytes:
        return self._shard.snapshot()


def build(
    source: FixedPartitionedSource[Any, bytes],
    logic: Callable[[bytes | None], StatefulBatchLogic[Any, Any, bytes]],
    sink: FixedPartitionedSink[Any, Any],
) -> Dataflow:
    """Make the dataflow. `logic` makes what drives a shard from its snapshot, or from nothing (`ShardLogic.of`).

    With several workers all three are those of `flows.exchange`, and with several hosts those of `flows.cluster`.
    """
    flow = Dataflow(FLOW_ID)
    rows: KeyedStream[Any] = op.input("journal", flow, source)
    routed = op.branch("route", rows, lambda item: not item[0].startswith(STORE))
    effects = op.stateful_batch("shards", routed.trues, logic)
    op.output("store", op.merge("effects", routed.falses, effects), sink)
    return flow
