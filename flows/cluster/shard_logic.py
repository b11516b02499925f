"""A shard that is fed by several partitions of the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from bytewax.operators import StatefulBatchLogic

from flows.cluster.merge import Merge
from flows.exchange.parcel import Parcel, opened
from flows.exchange.parts import pack_part
from flows.exchange.slices import SlicePacker, SliceUnpacker
from flows.exchange.witness import Witness
from flows.row_order import RowPart
from flows.shard import Shard
from flows.slice import Slice

Sent = tuple[int, int, Parcel[Slice] | bytes | None]
"""Partition, time, and a slice of one of its rows, or None: by then it had come so far."""


class MergingLogic(StatefulBatchLogic[Sent, Parcel[RowPart], bytes]):
    """Drives a shard with the slices of all partitions, in the one order that they have (`Merge`).

    What comes of a slice goes to the store as it is: there is no row that it must be whole with.
    """

    def __init__(self, count: int, shard: Callable[[bytes | None], Shard], witness: Witness, snapshot: bytes | None = None) -> None:
        """Merge so many partitions; `shard` makes the shard from its snapshot."""
        state, held, inner = msgspec.msgpack.decode(snapshot) if snapshot else (None, (), None)
        self._shard = shard(inner)
        again = SliceUnpacker()
        self._merge = Merge(count, state, ((partition, time, again.unpack(packed)) for partition, time, packed in held))
        self._unpack = [SliceUnpacker().unpack for _ in range(count)]
        self._witness = witness

    @classmethod
    def of(
        cls, count: int, shard: Callable[[bytes | None], Shard], witness: Witness
    ) -> Callable[[bytes | None], StatefulBatchLogic[Any, Any, bytes]]:
        """Let it drive what `shard` makes of a snapshot."""

        def made(snapshot: bytes | None) -> MergingLogic:
            with witness:
                return cls(count, shard, witness, snapshot)

        return made

    def on_batch(self, values: list[Sent]) -> tuple[list[Parcel[RowPart]], bool]:
        with self._witness:
            for partition, time, one in values:
                self._merge.put(partition, time, None if one is None else opened(one, self._unpack[partition]))
            parts = [RowPart(row.offset, effects) for row in self._merge.ready() if (effects := self._shard.step(row))]
            return [Parcel(part, pack_part) for part in parts], False

    def on_eof(self) -> tuple[list[Parcel[RowPart]], bool]:
        return [], False

    def snapshot(self) -> bytes:
        with self._witness:
            pack = SlicePacker().pack
            held = [(partition, time, pack(row)) for partition, time, row in self._merge.held]
            return msgspec.msgpack.encode((self._merge.state, held, self._shard.snapshot()))
