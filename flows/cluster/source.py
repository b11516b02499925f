"""The source of a dataflow that several hosts run."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any

import msgspec
from bytewax.inputs import FixedPartitionedSource

from flows.cluster.peers import Peers
from flows.exchange.parcel import Parcel
from flows.exchange.parts import pack_part
from flows.exchange.source import SendingPartition
from flows.exchange.witness import Witness
from flows.journal_source import JournalPartition, JournalSource
from flows.normaliser import shard_key
from flows.row_order import RowPart
from flows.slice import Slice
from gateway.store.effects import SHARDS, Counted, DeviceLearned, Effect

FIRST = 0
"""The member whose store takes what the shards decide: windows, alerts and commands are in one place, and are delivered from there."""
_MARK_EVERY = 0.02
"""Seconds between two marks to the shards that had nothing of a row."""

Sent = tuple[str, Any]


def store_key(member: int) -> str:
    """Give what goes to the store of a member."""
    return f"store-{member:02d}"


class MemberPartition(SendingPartition):
    """Deals out what is made of this host's partition of the journal.

    Readings, dead letters and counters go to the store of this host; what it selects, to the shards, wherever they are, with the time by which
    `Merge` orders it; and to the store of the first what that needs of all: how devices are commanded, and how many readings were passed on.
    Delivery guarantee: that of the partition behind it.
    """

    def __init__(self, behind: JournalPartition, member: int, witness: Witness) -> None:
        super().__init__(behind, witness)
        self._journal = behind
        self._member = member
        self._time = 0
        self._marked, self._marked_at = 0, 0.0

    def next_batch(self) -> list[Sent]:
        with self._witness:
            sent: list[Sent] = []
            for key, one in self._journal.next_batch():
                if isinstance(one, Slice):
                    # What a stop gives has the time of the stop, and rows that are still to be read are older.
                    self._time = max(self._time, min(one.at, self._journal.reached))
                    sent.append((key, (self._member, self._time, self._parcel(one))))
                else:
                    sent += self._dealt(one)
            return [*sent, *self._marks()]

    def _dealt(self, part: RowPart) -> Iterator[Sent]:
        """Deal out what goes to stores: here no row waits for the shards."""
        if self._member == FIRST:
            yield store_key(FIRST), self._parcel(RowPart(part.offset, part.effects))
            return
        own, first = list[Effect](), list[Effect]()
        for one in part.effects:
            if type(one) is Counted and one.stage == "select":
                first.append(msgspec.structs.replace(one, stage=f"select-{self._member}"))
                continue
            own.append(one)
            if type(one) is DeviceLearned:
                first.append(one)
        yield store_key(self._member), self._parcel(RowPart(part.offset, own))
        if first:
            yield store_key(FIRST), Parcel(RowPart(part.offset, first), pack_part)

    def _marks(self) -> Iterator[Sent]:
        reached = self._journal.reached
        if reached > self._marked and monotonic() - self._marked_at >= _MARK_EVERY:
            self._marked, self._marked_at, self._time = reached, monotonic(), max(self._time, reached)
            for number in range(SHARDS):
                yield shard_key(number), (self._member, reached, None)


class MemberSource(FixedPartitionedSource[Sent, bytes]):
    """The partition of this host."""

    def __init__(self, behind: JournalSource, member: int, peers: Peers, witness: Witness) -> None:
        self._behind = behind
        self._member = member
        self._peers = peers
        self._witness = witness

    def list_parts(self) -> list[str]:
        return [f"member-{self._member:02d}"]

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> MemberPartition:
        with self._witness:
            partition = self._behind.build_part(step_id, for_part, resume_state)
            self._peers.reached = lambda: partition.reached
            return MemberPartition(partition, self._member, self._witness)
