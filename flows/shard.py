"""A shard: the state of some of the groups of every flow, moved on by slices of journal rows."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from devices.reading import Reading
from flows.commands import requests
from flows.flow import Flow
from flows.identity import effect_id, group_text
from flows.triggers import CLEARED_AT, EPISODE, NUMBER, SINCE, STREAK
from flows.windows import LATE, WINDOWED, Closed, Place
from gateway.store.effects import AlertChanged, Counted, Effect, Group, WindowClosed


class Slice(NamedTuple):
    """What one journal row means for one shard: readings by flow and group, or nothing but time (`tick`).

    `at` is the row's receive time and `clock` the journal's clock, both ns. `live` is false for a broker's backlog. `flush` asks for the
    counters only. `late` is flow and device of readings that are only to be counted.
    """

    shard: int
    at: int
    clock: int
    live: bool
    tick: bool
    flush: bool = False
    items: Sequence[tuple[str, Group, Reading]] = ()
    late: Sequence[tuple[str, str]] = ()


class GroupState(msgspec.Struct, array_like=True):
    """All that is kept of one group of one flow, in plain builtins."""

    group: list[list[str]]
    window: list[Any]
    trigger: list[Any]


class FlowShard:
    """One flow's groups in one shard."""

    def __init__(self, flow: Flow, groups: dict[str, GroupState], counts: dict[str, dict[str, int]]) -> None:
        self.flow = flow
        self.groups = groups
        self.counts = counts
        self._touched: dict[str, None] = {}
        self._due: list[tuple[int, str]] = []
        self._noted: dict[str, int] = {}
        self._counted: set[tuple[str, str]] = set()
        if flow.plan:
            for key, state in groups.items():
                self._note_due(key, state)

    def take(self, group: Group, reading: Reading, row: Slice) -> Iterator[Effect]:
        """Take a reading in: close what its time closes, then put it into its window, or decide at once where there are no windows.

        Reading by reading, so that nothing hangs on how many came in one row.
        """
        key = group_text(group)
        state = self.groups.get(key)
        if state is None:
            flow = self.flow
            state = GroupState([list(g) for g in group], flow.plan.new() if flow.plan else [0], flow.trigger.new() if flow.trigger else [])
            self.groups[key] = state
        evidence = reading.received if row.live else min(reading.ts, reading.received)
        plan = self.flow.plan
        if plan:
            if plan.see(state.window, reading.ts, reading.received, row.clock):
                for closed in plan.close(state.window, row.clock):
                    yield from self._decide_window(state, closed, row.at)
            place = plan.add(state.window, reading.metric, reading.value, ts=reading.ts, evidence=evidence)
            self._touched[key] = None
        elif reading.ts < state.window[0]:
            place = LATE
        else:
            state.window[0], place = reading.ts, WINDOWED
            yield from self._decide_reading(state, reading, evidence, row.at)
        self.count(reading.device, place)

    def count(self, device: str, place: Place) -> None:
        """Count what became of a reading."""
        counts = self.counts.setdefault(device, {})
        counts[place] = counts.get(place, 0) + 1
        self._counted.add((device, place))

    def finish_row(self, row: Slice) -> Iterator[Effect]:
        """Give corrections, and close what time has closed."""
        plan = self.flow.plan
        if plan is None:
            return
        if row.tick:
            while self._due and self._due[0][0] <= row.clock:
                noted, key = heapq.heappop(self._due)
                if self._noted.get(key) != noted:
                    continue  # an earlier note has taken its place
                del self._noted[key]
                due = plan.due(self.groups[key].window)
                if due is not None and due <= row.clock:
                    self._touched[key] = None
                else:  # the note was too early: looking would leave traces in the state that a resumed shard has not
                    self._note_due(key, self.groups[key])
        touched, self._touched = self._touched, {}
        for key in touched:
            state = self.groups[key]
            for closed in plan.close(state.window, row.clock):
                yield from self._decide_window(state, closed, row.at)
            self._note_due(key, state)

    def _note_due(self, key: str, state: GroupState) -> None:
        """See to it that the group is looked at when its next window may close: never too late. Where it is too early, it is noted again then."""
        due = self.flow.plan.due(state.window) if self.flow.plan else None
        if due is not None and due < self._noted.get(key, due + 1):
            self._noted[key] = due
            heapq.heappush(self._due, (due, key))

    @property
    def due(self) -> int | None:
        """Tell at which time of the journal's clock to look again; None where no window waits for time to pass."""
        return self._due[0][0] if self._due else None

    def _decide_window(self, state: GroupState, closed: Closed, at: int) -> Iterator[Effect]:
        flow, group = self.flow, _group(state)
        name = effect_id("w", flow.name, group_text(group), closed.end, closed.revision)
        yield WindowClosed(name, flow.name, group, closed.start, closed.end, closed.revision, closed.readings, closed.values, at)
        if flow.trigger and not closed.corrected and closed.revision == 1:
            values = {**dict(group), **closed.values}
            grace = flow.plan.length + flow.plan.lateness if flow.plan else 0
            yield from self._trigger(state, values, since=closed.start, time=closed.end, fresh_until=closed.evidence + grace, at=at)

    def _decide_reading(self, state: GroupState, reading: Reading, evidence: int, at: int) -> Iterator[Effect]:
        if not self.flow.trigger:
            return
        values = {
            **dict(_group(state)),
            "value": reading.value,
            "metric": reading.metric,
            "unit": reading.unit or "",
            "device": reading.device,
            "channel": reading.channel,
            "labels": dict(reading.labels),
        }
        yield from self._trigger(state, values, since=reading.ts, time=reading.ts, fresh_until=evidence, at=at)

    def _trigger(self, state: GroupState, values: dict[str, Any], *, since: int, time: int, fresh_until: int, at: int) -> Iterator[Effect]:
        flow, trigger = self.flow, self.flow.trigger
        assert trigger is not None
        last_clear = state.trigger[CLEARED_AT]
        change = trigger.step(state.trigger, values, since=since, time=time)
        if change is None:
            return
        group = _group(state)
        # Numbered too: readings of one event time can raise, clear and raise again.
        episode = effect_id("e", flow.name, group_text(group), state.trigger[EPISODE], state.trigger[NUMBER])
        alert = AlertChanged(
            id=effect_id("a", episode, change),
            episode=episode,
            flow=flow.name,
            group=group,
            state=change,
            severity=flow.severity,
            message=flow.message(change, values),
            why={
                "rule": trigger.when.source if change == "raised" or trigger.clear is None else trigger.clear.source,
                "values": values,
                "since": state.trigger[SINCE],
                "raised": state.trigger[EPISODE],
                "held": state.trigger[STREAK],
                "last_clear": last_clear or None,
            },
            time=time,
            at=at,
        )
        yield alert
        yield from requests(flow, alert, values, fresh_until)

    def counted(self, stage: str) -> Iterator[Counted]:
        """Give the counters that have moved since they were last given."""
        for device, place in sorted(self._counted):
            yield Counted(stage, self.flow.name, device, place, self.counts[device][place])
        self._counted.clear()


def _group(state: GroupState) -> Group:
    return tuple((name, value) for name, value in state.group)


class Shard:
    """All flows' groups that hash to one shard. A pure function of its snapshot and the slices it is given: no clock, no randomness, no I/O."""

    def __init__(self, flows: Sequence[Flow], snapshot: bytes | None = None) -> None:
        kept = _decode(snapshot) if snapshot else {}
        self._flows: dict[str, FlowShard] = {}
        self._was_open: bool | None = None
        for flow in flows:
            groups, counts = kept.get(f"{flow.name}/{flow.fingerprint}", ({}, {}))
            if not counts:  # counters outlive a change of the flow, its state does not
                counts = next((c for name, (_, c) in kept.items() if name.rpartition("/")[0] == flow.name), {})
            self._flows[flow.name] = FlowShard(flow, groups, counts)

    def step(self, row: Slice) -> list[Effect]:
        """Move on by one slice; give what follows from it, in order."""
        effects: list[Effect] = []
        touched: dict[str, FlowShard] = {}
        for name, group, reading in row.items:
            flow = touched[name] = self._flows[name]
            effects.extend(flow.take(group, reading, row))
        for name, device in row.late:
            self._flows[name].count(device, LATE)
        for flow in self._flows.values() if row.tick else touched.values():
            effects.extend(flow.finish_row(row))
        if row.tick or row.flush:
            effects.extend(self._open(row.shard))
            for flow in self._flows.values():
                effects.extend(flow.counted(f"shard-{row.shard}"))
        return effects

    def due(self) -> int | None:
        """Tell at which time of the journal's clock a tick is worth giving; None where no window waits for time to pass."""
        return min((due for flow in self._flows.values() if (due := flow.due) is not None), default=None)

    def _open(self, number: int) -> Iterator[Counted]:
        """Say whether anything waits for time to pass, where that has changed: the gateway then ticks every second."""
        now_open = self.due() is not None
        if now_open != self._was_open:
            self._was_open = now_open
            yield Counted(f"shard-{number}", "", "", "open", int(now_open))

    def snapshot(self) -> bytes:
        """Give the state as compressed MessagePack of plain builtins, with a version."""
        state = {f"{name}/{f.flow.fingerprint}": (f.groups, f.counts) for name, f in self._flows.items()}
        return zlib.compress(msgspec.msgpack.encode((_VERSION, state)), 1)


_VERSION = 1
_STATE = msgspec.msgpack.Decoder(tuple[int, dict[str, tuple[dict[str, GroupState], dict[str, dict[str, int]]]]])


def _decode(snapshot: bytes) -> dict[str, tuple[dict[str, GroupState], dict[str, dict[str, int]]]]:
    version, state = _STATE.decode(zlib.decompress(snapshot))
    if version != _VERSION:
        raise ValueError(f"flows' state has version {version}; this Sluice reads version {_VERSION}")
    return state
