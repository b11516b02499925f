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
from flows.shard import Shard, Slice
from gateway.store.effects import Effect

# Names of the dataflow and its steps are part of the recovery data: never rename.
FLOW_ID = "sluice"


class ShardLogic(StatefulBatchLogic[Slice, list[Effect], bytes]):
    """Drive a shard. Decisions fall slice by slice, never by how many come in one call."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    def on_batch(self, values: list[Slice]) -> tuple[list[list[Effect]], bool]:
        return [effects for row in values if (effects := self._shard.step(row))], False

    def on_eof(self) -> tuple[list[list[Effect]], bool]:
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
    op.output("store", op.merge("effects", cast("KeyedStream[list[Effect]]", routed.falses), effects), sink)
    return flow
