"""The sink of a dataflow with several workers."""

from __future__ import annotations

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from flows.exchange.parcel import Parcel, opened
from flows.exchange.parts import PartUnpacker
from flows.exchange.witness import Witness
from flows.row_order import RowPart

Sent = Parcel[RowPart] | bytes


class OpeningPartition(StatefulSinkPartition[Sent, None]):
    """Opens what comes, and hands it on. Delivery guarantee: that of the partition behind it."""

    def __init__(self, behind: StatefulSinkPartition[RowPart, None], witness: Witness) -> None:
        self._behind = behind
        self._witness = witness
        self._unpack = PartUnpacker().unpack

    def write_batch(self, values: list[Sent]) -> None:
        with self._witness:
            self._behind.write_batch([opened(one, self._unpack) for one in values])

    def snapshot(self) -> None:
        with self._witness:
            self._behind.snapshot()

    def close(self) -> None:
        if self._witness.error is None:  # else it fails again, on which Bytewax aborts the process before anyone can say why
            with self._witness:
                self._behind.close()


class OpeningSink(FixedPartitionedSink[Sent, None]):
    """The same partitions, with what comes to them opened."""

    def __init__(self, behind: FixedPartitionedSink[RowPart, None], witness: Witness) -> None:
        self._behind = behind
        self._witness = witness

    def list_parts(self) -> list[str]:
        return self._behind.list_parts()

    def part_fn(self, item_key: str) -> int:
        return self._behind.part_fn(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> OpeningPartition:
        with self._witness:
            return OpeningPartition(self._behind.build_part(step_id, for_part, resume_state), self._witness)
