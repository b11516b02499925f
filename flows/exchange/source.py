"""The source of a dataflow with several workers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from flows.exchange.parcel import Parcel
from flows.exchange.parts import PartPacker
from flows.exchange.slices import SlicePacker
from flows.exchange.witness import Witness
from flows.normaliser import Item
from flows.slice import Slice
from gateway.store.effects import SHARDS

Sent = tuple[str, Parcel[Any]]


class SendingPartition(StatefulSourcePartition[Sent, bytes]):
    """Makes parcels of what another gives. Delivery guarantee: that of the partition behind it."""

    def __init__(self, behind: StatefulSourcePartition[Item, bytes], witness: Witness) -> None:
        self._behind = behind
        self._witness = witness
        self._parts = PartPacker()
        self._slices = [SlicePacker() for _ in range(SHARDS)]

    def next_batch(self) -> list[Sent]:
        with self._witness:
            return [(key, self._parcel(one)) for key, one in self._behind.next_batch()]

    def _parcel(self, one: Any) -> Parcel[Any]:
        return Parcel(one, self._slices[one.shard].pack if isinstance(one, Slice) else self._parts.pack)

    def next_awake(self) -> datetime | None:
        return self._behind.next_awake()

    def snapshot(self) -> bytes:
        with self._witness:
            return self._behind.snapshot()

    def close(self) -> None:
        self._behind.close()


class SendingSource(FixedPartitionedSource[Sent, bytes]):
    """The same partitions, with what they give made into parcels."""

    def __init__(self, behind: FixedPartitionedSource[Item, bytes], witness: Witness) -> None:
        self._behind = behind
        self._witness = witness

    def list_parts(self) -> list[str]:
        return self._behind.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> SendingPartition:
        with self._witness:
            return SendingPartition(self._behind.build_part(step_id, for_part, resume_state), self._witness)
