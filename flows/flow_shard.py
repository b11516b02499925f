"""One flow's groups in one shard: readings into windows, results into decisions, decisions into effects."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import Any

from devices.reading import Reading
from flows.commands import requests
from flows.episode import cut_short, episode_id, is_open
from flows.flow import Flow
from flows.group_state import GroupState
from flows.identity import effect_id, group_text
from flows.slice import Looked, Slice
from flows.triggers import Change
from flows.triggers.trigger import CLEARED_AT, EPISODE, SINCE, STREAK, seen
from flows.values import reading_values, window_outcome, window_values
from flows.windows import LATE, WINDOWED, Closed, Place
from gateway.store.effects import AlertChanged, Counted, Derived, Effect, Failed, Group, WindowClosed

DECIDED, BASE, BASE_CLOCK = range(3)
"""Places in the window state of a flow without windows: the newest event time that was decided, and the watermark with the journal's clock then."""

FAILED: Place = "failed"
"""What became of a reading on which the flow failed, or that a flow set aside did not take."""
MOST_FAILURES = 100
"""Failures in a row, with no success between, after which a flow is set aside in its shard."""
_SECOND = 1_000_000_000
_HOUR = 3600 * _SECOND


class FlowShard:
    """Move one flow's groups on. A pure function of its state and what it is given.

    A reading, or a group whose time has come, on which the flow fails (a bug) goes no further: nothing of it is given, the failure is, and the
    group's state begins anew, since half of a change is worse than none. All other groups go on as if nothing had happened. A flow that only
    fails is set aside: it takes no more readings; each start tries it with one.
    """

    def __init__(
        self,
        flow: Flow,
        groups: dict[str, GroupState],
        shared: dict[str, list[Any]],
        counts: dict[str, dict[str, int]],
        failures: int = 0,
    ) -> None:
        """`failures` is how many there were in a row."""
        self.failures = min(failures, MOST_FAILURES - 1)
        self._was_aside = failures >= MOST_FAILURES
        self.flow = flow
        self.groups = groups
        self.shared = shared
        self.counts = counts
        self._touched: dict[str, None] = {}
        self._due: list[tuple[int, str]] = []
        self._noted: dict[str, int] = {}
        self._counted: set[tuple[str, Place]] = {(device, place) for device in counts for place in counts[device]}
        trigger = flow.trigger
        self._silence = bool(trigger and trigger.silence)
        self._timed = bool(trigger and not flow.windows and trigger.waits)
        self._passes = self._silence or self._timed
        self._labelled = "labels" in flow.uses
        for key, state in groups.items():
            if flow.trigger and not state.trigger:  # the trigger came with a change of the flow
                state.trigger = flow.trigger.new()
            self._note_due(key, state)

    def take(self, group: Group, reading: Reading, row: Slice) -> list[Effect]:
        """Take a reading in, and give what follows."""
        if self.failures >= MOST_FAILURES:
            self.count(reading.device, FAILED)
            return []
        key = group_text(group)
        state = self.groups.get(key) or self._state(key, group)
        episode = state.trigger[:] if is_open(state) else None
        try:
            effects = self._take(key, state, reading, row)
        except Exception as error:  # noqa: BLE001  (one flow's bug must not stop the others)
            self.count(reading.device, FAILED)
            return self._fail(key, state, episode, error, row, device=reading.device)
        self.failures = 0
        return effects

    def _take(self, key: str, state: GroupState, reading: Reading, row: Slice) -> list[Effect]:
        """Close what the reading's time closes, then put it into its window, or decide at once where there are no windows.

        Reading by reading, so that nothing hangs on how many came in one row.
        """
        if self._labelled:
            state.labels = dict(reading.labels)
        effects = [*self._hear(state, reading, row)] if self._silence else []
        evidence = reading.received if row.live else min(reading.ts, reading.received)
        if row.since and reading.time_source.startswith("received"):  # it waited in the broker, and nothing says for how long
            evidence = min(evidence, row.since)
        windows = self.flow.windows
        take = self._take_windowed if windows else self._take_alone
        place = take(state, reading, evidence, row, effects)
        if self._passes or (windows and windows.pending(state.window)):
            self._touched[key] = None
        elif windows:
            self._note_due(key, state)
        self.count(reading.device, place)
        return effects

    def look(self, looked: Looked, reading: Reading) -> None:
        """Remember a value that the flow looks up: the newest by event time."""
        holder = self.shared if looked.group is None else self._state(group_text(looked.group), looked.group).looked
        for name in looked.names:
            if name not in holder or reading.ts >= holder[name][0]:
                holder[name] = [reading.ts, reading.value]

    def _state(self, key: str, group: Group) -> GroupState:
        state = self.groups.get(key)
        if state is None:
            flow = self.flow
            window = flow.windows.new() if flow.windows else [0, 0, 0]
            state = GroupState([list(g) for g in group], window, flow.trigger.new() if flow.trigger else [])
            self.groups[key] = state
        return state

    def _take_windowed(self, state: GroupState, reading: Reading, evidence: int, row: Slice, effects: list[Effect]) -> Place:
        windows = self.flow.windows
        assert windows is not None
        if windows.see(state.window, reading.ts, reading.received + row.ahead, row.clock):
            effects += self._close(state, row)
        place = windows.add(state.window, reading.metric, reading.value, ts=reading.ts, evidence=evidence)
        if windows.ready(state.window):
            effects += self._close(state, row)
        return place

    def _take_alone(self, state: GroupState, reading: Reading, evidence: int, row: Slice, effects: list[Effect]) -> Place:
        window, said = state.window, min(reading.ts, reading.received + row.ahead)
        passed = window[BASE] + row.clock - window[BASE_CLOCK]
        if row.live and window[BASE]:
            # What a device kept while it was away is as stale as it lags behind its group, though it has just been received.
            evidence -= max(0, passed - reading.ts)
        if said > passed:
            window[BASE], window[BASE_CLOCK] = said, row.clock
        if self._timed:
            effects += self._pass_time(state, row)
        if reading.ts < window[DECIDED]:
            return LATE
        window[DECIDED] = reading.ts
        effects += self._decide_reading(state, reading, evidence, row.at)
        return WINDOWED

    def count(self, device: str, place: Place) -> None:
        """Count what became of a reading."""
        counts = self.counts.setdefault(device, {})
        counts[place] = counts.get(place, 0) + 1
        self._counted.add((device, place))

    def finish_row(self, row: Slice) -> Iterable[Effect]:
        """Give corrections, and what time has closed, raised or cleared: first for the groups that the row spoke of, then by their keys."""
        return self._finish_row(row) if row.tick or self._touched else ()

    def _finish_row(self, row: Slice) -> Iterator[Effect]:
        ready = dict.fromkeys(sorted(self._ready(row.clock))) if row.tick else {}
        touched, self._touched = self._touched, {}
        for key in touched | ready:
            state = self.groups[key]
            episode = state.trigger[:] if is_open(state) else None
            try:
                effects = list(self._finish(key, state, row, due=key in ready))
            except Exception as error:  # noqa: BLE001  (as in `take`)
                effects = self._fail(key, state, episode, error, row)
            yield from effects

    def _finish(self, key: str, state: GroupState, row: Slice, *, due: bool) -> Iterator[Effect]:
        windows = self.flow.windows
        if windows and windows.pending(state.window):
            if due or row.clock >= state.correctable:
                state.correctable = row.clock + _SECOND
                yield from self._close(state, row)
        elif windows and due:
            yield from self._close(state, row)
        if self._silence or self._timed:
            yield from self._pass_time(state, row)
        self._note_due(key, state)

    def _fail(
        self, key: str, state: GroupState, episode: list[Any] | None, error: Exception, row: Slice, *, device: str = ""
    ) -> list[Effect]:
        """Let a group begin anew, say why, and clear the episode (a trigger's state) that was open before."""
        self._drop(key)
        self.failures += 1
        name, group = self.flow.name, state.key
        reason = f"{type(error).__name__}: {error}"[:400]
        effects: list[Effect] = [Failed(effect_id("f", name, group_text(group), row.at // _HOUR), name, group, device, reason, row.at)]
        if episode:
            state.trigger = episode
            effects += cut_short(name, state, row, what="the flow failed", flow=self.flow)
        return effects

    def forget(self, devices: frozenset[str]) -> None:
        """Forget groups of these devices, where nothing in them is open, and what was to be told of their counters."""
        names = [
            key
            for key, state in self.groups.items()
            if any(name == "device" and value in devices for name, value in state.group)
            and self._due_of(state) is None
            and not is_open(state)
        ]
        for key in names:
            self._drop(key)
        self._counted = {(device, place) for device, place in self._counted if device not in devices}

    def _drop(self, key: str) -> None:
        del self.groups[key]
        self._touched.pop(key, None)
        self._noted.pop(key, None)

    def _ready(self, clock: int) -> Iterator[str]:
        while self._due and self._due[0][0] <= clock:
            noted, key = heapq.heappop(self._due)
            if self._noted.get(key) != noted:
                continue  # an earlier note has taken its place
            del self._noted[key]
            due = self._due_of(self.groups[key])
            if due is not None and due <= clock:
                yield key
            else:  # the note was too early: looking would leave traces in the state that a resumed shard has not
                self._note_due(key, self.groups[key])

    def _note_due(self, key: str, state: GroupState) -> None:
        """See to it that the group is looked at when something may happen in it: never too late. Where it is too early, it is noted again then."""
        due = self._due_of(state)
        if due is not None and due < self._noted.get(key, due + 1):
            self._noted[key] = due
            heapq.heappush(self._due, (due, key))

    def _due_of(self, state: GroupState) -> int | None:
        """Tell at which time of the journal's clock something happens in a group if nothing more comes."""
        flow = self.flow
        due = flow.windows.due(state.window) if flow.windows else None
        if flow.windows and flow.windows.pending(state.window):
            due = state.correctable if due is None else min(due, state.correctable)
        if flow.trigger is None or not (self._silence or self._timed):
            return due
        if self._silence:
            waits = flow.trigger.silence_due(state.trigger)
        else:
            time = flow.trigger.due(state.trigger)
            waits = None if time is None else state.window[BASE_CLOCK] + max(0, time - state.window[BASE])
        return waits if due is None else due if waits is None else min(due, waits)

    @property
    def due(self) -> int | None:
        """Tell at which time of the journal's clock to look again; None where nothing waits for time to pass."""
        return self._due[0][0] if self._due else None

    def _close(self, state: GroupState, row: Slice) -> Iterator[Effect]:
        assert self.flow.windows is not None
        for closed in self.flow.windows.close(state.window, row.clock):
            yield from self._decide_window(state, closed, row.at)

    def _decide_window(self, state: GroupState, closed: Closed, at: int) -> Iterator[Effect]:
        flow, group = self.flow, state.key
        first = not closed.corrected and closed.revision == 1
        values = window_values(flow, state, self.shared, closed, first=first)
        outcome = window_outcome(flow, closed, values)
        name = effect_id("w", flow.name, group_text(group), closed.end, closed.revision)
        yield WindowClosed(name, flow.name, group, closed.start, closed.end, closed.revision, closed.readings, outcome, at)
        if not first:
            return
        yield from self._republish(state, values, closed.end - 1, at)
        if flow.trigger:
            grace = flow.windows.span + flow.windows.lateness if flow.windows else 0
            yield from self._evaluate(state, values, since=closed.start, time=closed.end, fresh_until=closed.evidence + grace, at=at)
        if "prev" in flow.uses:
            state.before = {"time": closed.end, "values": outcome}

    def _decide_reading(self, state: GroupState, reading: Reading, evidence: int, at: int) -> Iterator[Effect]:
        flow = self.flow
        values = reading_values(flow, state, self.shared, reading)
        yield from self._republish(state, values, reading.ts, at)
        if flow.trigger:
            yield from self._evaluate(state, values, since=reading.ts, time=reading.ts, fresh_until=evidence, at=at)
        if flow.remembers:
            kept = {name: values[name] for name in ("value", *flow.derived, *flow.detectors)}
            state.before = {"time": reading.ts, "values": kept}

    def _evaluate(self, state: GroupState, values: dict[str, Any], *, since: int, time: int, fresh_until: int, at: int) -> Iterator[Effect]:
        trigger = self.flow.trigger
        assert trigger is not None
        before = state.trigger[:]
        change = trigger.step(state.trigger, values, since=since, time=time)
        if self._silence or (self._timed and trigger.due(state.trigger) is not None):
            state.last = values
        if change:
            yield from self._changed(state, change, values, before, time=time, fresh_until=fresh_until, at=at)

    def _hear(self, state: GroupState, reading: Reading, row: Slice) -> Iterator[Effect]:
        trigger = self.flow.trigger
        assert trigger is not None
        yield from self._pass_time(state, row)
        before = state.trigger[:]
        change = trigger.hear(state.trigger, clock=row.clock, at=reading.received)
        if change:
            values = {**state.last, **dict(state.group)}
            yield from self._changed(state, change, values, before, time=reading.received, fresh_until=reading.received, at=row.at)

    def _pass_time(self, state: GroupState, row: Slice) -> Iterator[Effect]:
        """Raise or clear what has waited long enough, by the time that has passed."""
        trigger = self.flow.trigger
        assert trigger is not None
        before = state.trigger[:]
        if self._silence:
            change = trigger.fall_silent(state.trigger, row.clock)
        else:
            change = trigger.pass_to(state.trigger, state.window[BASE] + row.clock - state.window[BASE_CLOCK])
        if change:
            time = state.trigger[EPISODE] if change == "raised" else trigger.cleared_at(state.trigger)
            # In silence what was last said still stands: what follows from it is as fresh as the moment at which it is decided.
            fresh_until = row.at if row.live else time
            values = {**state.last, **dict(state.group)}
            yield from self._changed(state, change, values, before, time=time, fresh_until=fresh_until, at=row.at)

    def _changed(
        self, state: GroupState, change: Change, values: dict[str, Any], before: list[Any], *, time: int, fresh_until: int, at: int
    ) -> Iterator[Effect]:
        flow, trigger, now = self.flow, self.flow.trigger, state.trigger
        assert trigger is not None
        if change == "raised":
            state.severity = flow.severity
        alert = AlertChanged(
            id=effect_id("a", episode := episode_id(flow.name, state), change),
            episode=episode,
            flow=flow.name,
            group=state.key,
            state=change,
            severity=flow.severity,
            message=flow.alert.render(values),
            why={
                "rule": trigger.rule(change),
                "values": values,
                "since": now[SINCE],
                "raised": now[EPISODE],
                "held": before[STREAK] if change == "cleared" else now[STREAK],
                "last_clear": before[CLEARED_AT] or None,
                "before": seen(before),
                "after": seen(now),
            },
            time=time,
            at=at,
        )
        yield alert
        yield from requests(flow, alert, values, fresh_until)

    def _republish(self, state: GroupState, values: dict[str, Any], ts: int, at: int) -> Iterator[Derived]:
        flow, group = self.flow, state.key
        for number, one in enumerate(flow.republished):
            value, device = one.value.value(values), one.device.exact(values)
            if value is None or device is None:
                continue
            series = [str(values.get(name, "")) for name in ("device", "metric", "channel")] if flow.windows is None else []
            yield Derived(
                id=effect_id("d", flow.name, group_text(group), ts, number, *series),
                flow=flow.name,
                group=group,
                device=device,
                metric=one.metric,
                channel=str(values.get("channel", "")),
                value=value,
                unit=one.unit,
                labels={name: text for name, text in group if name not in {"device", "metric", "channel"}},
                ts=ts,
                at=at,
            )

    def counted(self, stage: str) -> Iterator[Counted]:
        """Give the counters that have moved since they were last given."""
        for device, place in sorted(self._counted):
            yield Counted(stage, self.flow.name, device, place, self.counts[device][place])
        self._counted.clear()
        if (aside := self.failures >= MOST_FAILURES) != self._was_aside:
            self._was_aside = aside
            yield Counted(stage, self.flow.name, "", "aside", int(aside))
