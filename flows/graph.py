"""The whole dataflow on one screen: journal, shards, store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import FixedPartitionedSink

from flows.normaliser import STORE, Item
from flows.row_order import RowPart
from flows.shard import Shard
from flows.slice import Slice

# Names of the dataflow and its steps are part of the recovery data: never rename.
FLOW_ID = "sluice"


class ShardLogic(StatefulBatchLogic[Slice, RowPart, bytes]):
    """Drive a shard. Decisions fall slice by slice, never by how many come in one call; each slice gives one part of its row, were it empty."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def on_batch(self, values: list[Slice]) -> tuple[list[RowPart], bool]:
        return [RowPart(row.offset, self._shard.step(row), row.shard) for row in values], False

    def on_eof(self) -> tuple[list[RowPart], bool]:
        return [], False

    def snapshot(self) -> bytes:
        return self._shard.snapshot()


def build(
    source: FixedPartitionedSource[Item, bytes], shard: Callable[[bytes | None], Shard], sink: FixedPartitionedSink[Any, Any]
) -> Dataflow:
    """Make the dataflow. `shard` makes a shard from its snapshot, or from nothing."""
    flow = Dataflow(FLOW_ID)
    rows = op.input("journal", flow, source)
    routed = op.branch("route", rows, lambda item: item[0] != STORE)
    slices: KeyedStream[Slice] = cast("KeyedStream[Slice]", routed.trues)
    effects = op.stateful_batch("shards", slices, lambda snapshot: ShardLogic(shard(snapshot)))
    op.output("store", op.merge("effects", cast("KeyedStream[RowPart]", routed.falses), effects), sink)
    return flow
