"""A shard that need not be where the source is, or the sink."""

from __future__ import annotations

from collections.abc import Callable

from bytewax.operators import StatefulBatchLogic

from flows.exchange.parcel import Parcel, opened
from flows.exchange.parts import pack_part
from flows.exchange.slices import SliceUnpacker
from flows.exchange.witness import Witness
from flows.graph import ShardLogic
from flows.row_order import RowPart
from flows.shard import Shard
from flows.slice import Slice


class OpeningLogic(StatefulBatchLogic[Parcel[Slice] | bytes, Parcel[RowPart], bytes]):
    """Opens what comes, drives a shard with it, and makes parcels of what that gives."""

    def __init__(self, behind: ShardLogic, witness: Witness) -> None:
        self._behind = behind
        self._witness = witness
        self._unpack = SliceUnpacker().unpack

    @classmethod
    def of(cls, shard: Callable[[bytes | None], Shard], witness: Witness) -> Callable[[bytes | None], OpeningLogic]:
        """Let it drive what `shard` makes of a snapshot."""

        def made(snapshot: bytes | None) -> OpeningLogic:
            with witness:
                return cls(ShardLogic(shard(snapshot)), witness)

        return made

    def on_batch(self, values: list[Parcel[Slice] | bytes]) -> tuple[list[Parcel[RowPart]], bool]:
        with self._witness:
            parts, over = self._behind.on_batch([opened(one, self._unpack) for one in values])
            return [Parcel(part, pack_part) for part in parts], over

    def on_eof(self) -> tuple[list[Parcel[RowPart]], bool]:
        return [], False

    def snapshot(self) -> bytes:
        with self._witness:
            return self._behind.snapshot()
