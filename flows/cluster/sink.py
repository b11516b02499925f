"""The sink of a dataflow that several hosts run."""

from __future__ import annotations

from flows.cluster.source import FIRST, store_key
from flows.exchange.sink import OpeningSink
from flows.exchange.witness import Witness
from flows.store_sink import StoreSink


class MemberSink(OpeningSink):
    """The store of this host; those of the others are on theirs. What shards give goes to the first one's."""

    def __init__(self, behind: StoreSink, member: int, witness: Witness) -> None:
        super().__init__(behind, witness)
        self._member = member

    def list_parts(self) -> list[str]:
        return [store_key(self._member)]

    def part_fn(self, item_key: str) -> int:
        to, _, number = item_key.rpartition("-")
        return int(number) if to == "store" else FIRST
