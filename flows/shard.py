"""A shard: the state of some of the groups of every flow, moved on by slices of journal rows."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from flows.episode import cut_short, is_open
from flows.flow import Flow
from flows.flow_shard import FlowShard
from flows.group_state import GroupState
from flows.newer_state import NewerStateError
from flows.slice import Looked, Slice
from flows.windows import LATE
from gateway.store.effects import Counted, Effect

__all__ = ["Shard", "Slice"]

Groups = dict[str, GroupState]
Counts = dict[str, dict[str, int]]


class State(msgspec.Struct, array_like=True):
    """What a shard keeps: groups and shared lookups by `flow/fingerprint`, and counters by flow, which outlive the flow and its changes.

    `failures` is by flow how often in a row it failed, where it did.
    """

    groups: dict[str, Groups]
    shared: dict[str, dict[str, list[Any]]]
    counts: dict[str, Counts]
    failures: dict[str, int] = {}


class Shard:
    """All flows' groups that hash to one shard. A pure function of its snapshot and the slices it is given: no clock, no randomness, no I/O."""

    def __init__(self, flows: Sequence[Flow], snapshot: bytes | None = None) -> None:
        kept = _decode(snapshot) if snapshot else State({}, {}, {})
        self._counts = kept.counts
        self._flows: dict[str, FlowShard] = {}
        self._was_open: bool | None = None
        for flow in flows:
            name = f"{flow.name}/{flow.fingerprint}"
            counts = self._counts.setdefault(flow.name, {})
            groups, shared, failures = kept.groups.pop(name, {}), kept.shared.get(name, {}), kept.failures.get(flow.name, 0)
            self._flows[flow.name] = FlowShard(flow, groups, shared, counts, failures)
        self._gone = {name: counts for name, counts in self._counts.items() if name not in self._flows}
        self._orphans = [
            (name.rpartition("/")[0], group) for name, groups in kept.groups.items() for group in groups.values() if is_open(group)
        ]

    def step(self, row: Slice) -> list[Effect]:
        """Move on by one slice; give what follows from it, in order."""
        effects: list[Effect] = list(self._end_orphans(row)) if self._orphans else []
        if row.gone:
            effects.extend(self._forget(row))
        touched: dict[str, FlowShard] = {}
        for name, group, reading in row.items:
            flow = self._flows[name]
            if isinstance(group, Looked):
                flow.look(group, reading)
            else:
                touched[name] = flow
                effects.extend(flow.take(group, reading, row))
        for name, device in row.late:
            self._flows[name].count(device, LATE)
        for flow in self._flows.values() if row.tick else touched.values():
            effects.extend(flow.finish_row(row))
        if row.tick or row.flush:
            effects.extend(self._open(row.shard))
        if row.flush:
            effects.extend(self._counted_before(row.shard))
            for flow in self._flows.values():
                effects.extend(flow.counted(f"shard-{row.shard}"))
        return effects

    def due(self) -> int | None:
        """Tell at which time of the journal's clock a tick is worth giving; None where nothing waits for time to pass."""
        return min((due for flow in self._flows.values() if (due := flow.due) is not None), default=None)

    def _open(self, number: int) -> Iterator[Counted]:
        """Say whether anything waits for time to pass, where that has changed: the gateway then ticks every second."""
        now_open = self.due() is not None
        if now_open != self._was_open:
            self._was_open = now_open
            yield Counted(f"shard-{number}", "", "", "open", int(now_open))

    def _counted_before(self, number: int) -> Iterator[Counted]:
        """Give, once, what flows that are gone had counted: the store may have what they counted after the snapshot."""
        for name, counts in self._gone.items():
            for device, terms in counts.items():
                for term, value in terms.items():
                    yield Counted(f"shard-{number}", name, device, term, value)
        self._gone = {}

    def _forget(self, row: Slice) -> Iterator[Counted]:
        """Forget devices; their counters go to "", also those of flows that are gone, so that the sums stay."""
        for flow in self._flows.values():
            flow.forget(frozenset(row.gone))
        stage = f"shard-{row.shard}"
        for name, counts in self._counts.items():
            for device in row.gone:
                for place, count in counts.pop(device, {}).items():
                    rest = counts.setdefault("", {})
                    rest[place] = rest.get(place, 0) + count
                    yield Counted(stage, name, device, place, 0)
                    yield Counted(stage, name, "", place, rest[place])

    def _end_orphans(self, row: Slice) -> Iterator[Effect]:
        """Clear the episodes of flows that are gone, or changed so that they start afresh; the latter also undo what the episode commanded."""
        orphans, self._orphans = self._orphans, []
        for name, state in orphans:
            shard = self._flows.get(name)
            what = "the flow was changed" if shard else "the flow was removed"
            yield from cut_short(name, state, row, what=what, flow=shard.flow if shard else None)

    def snapshot(self) -> bytes:
        """Give the state as compressed MessagePack of plain builtins, with a version."""
        flows = {f"{name}/{f.flow.fingerprint}": f for name, f in self._flows.items()}
        groups, shared = {name: f.groups for name, f in flows.items()}, {name: f.shared for name, f in flows.items()}
        failures = {name: flow.failures for name, flow in self._flows.items() if flow.failures}
        return zlib.compress(msgspec.msgpack.encode((_VERSION, State(groups, shared, self._counts, failures))), 1)


_VERSION = 2
_VERSIONED, _STATE = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw]), msgspec.msgpack.Decoder(State)


def _decode(snapshot: bytes) -> State:
    version, state = _VERSIONED.decode(zlib.decompress(snapshot))
    if version > _VERSION:
        raise NewerStateError(f"flows' state has version {version}; this Sluice reads version {_VERSION} and older")
    if version == 1:
        return State({}, {}, _counts_of_version_1(msgspec.msgpack.decode(state)))
    return _STATE.decode(state)


def _counts_of_version_1(state: Mapping[str, Any]) -> dict[str, Counts]:
    """Take the counters: what shapes a flow's state was another then, so that all flows start afresh."""
    return {name.rpartition("/")[0]: counts for name, (_, counts) in state.items()}
