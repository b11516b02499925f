"""Tumbling and sliding windows by event time, with watermark, lateness and corrections.

A sliding window is made of panes: each reading is aggregated once, into the pane of its time, and every window over a pane merges it, so
the cost of a reading does not grow with length/slide. A tumbling window is one whose pane is the window.

The watermark of a group is the newest min(event time, receive time) of its readings, plus the journal's time since then, minus the allowed
lateness; it never moves back. A window closes when the watermark reaches its end. A reading whose windows have all closed corrects them:
they are given again as revision 2, 3, ... for as long as `corrections` says; older ones are late and enter no window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any, NamedTuple

from flows.aggregates import ACCUMULATORS, AGGREGATES, Result, State, usable

BASE, BASE_CLOCK, CLOSED, NEXT, PANES, REVISIONS, DIRTY = range(7)
"""Places in a group's state: newest time seen, the journal's clock then, the watermark that has been acted on, the earliest end that is
still to come (0: none), panes by their start, revisions by window end, ends to correct at the end of this row."""

WINDOWED, CORRECTED, LATE = "windowed", "corrected", "late"
Place = str


class Column(NamedTuple):
    """One aggregate of a flow: its name there, the function, and which of the plan's accumulators it reads."""

    name: str
    function: str
    slot: int


class Closed(NamedTuple):
    """A window's result. `evidence` is the newest time at which a reading in it can be said to have been true (see `WindowPlan.add`)."""

    start: int
    end: int
    revision: int
    readings: int
    values: dict[str, Result]
    evidence: int
    corrected: bool


@dataclass(frozen=True)
class WindowPlan:
    """What a flow's windows are: times in ns, and which accumulators each metric feeds. Holds no state: that is a plain list per group."""

    length: int
    slide: int
    lateness: int
    corrections: int
    columns: tuple[Column, ...]
    accumulators: tuple[str, ...]
    slots: dict[str, tuple[int, ...]]

    @classmethod
    def of(
        cls, aggregates: dict[str, tuple[str, str]], *, length: int, slide: int = 0, lateness: int = 0, corrections: int = 0
    ) -> WindowPlan:
        """Plan windows for aggregates given as {name: (function, metric)}; aggregates that can share an accumulator do."""
        kinds: list[tuple[str, str]] = []
        columns = []
        for name, (function, metric) in aggregates.items():
            wanted = (metric, AGGREGATES[function].accumulator)
            if wanted not in kinds:
                kinds.append(wanted)
            columns.append(Column(name, function, kinds.index(wanted)))
        slots: dict[str, tuple[int, ...]] = {}
        for slot, (metric, _) in enumerate(kinds):
            slots[metric] = (*slots.get(metric, ()), slot)
        return cls(length, slide or length, lateness, corrections, tuple(columns), tuple(kind for _, kind in kinds), slots)

    @property
    def pane(self) -> int:
        """The length of a pane."""
        return gcd(self.length, self.slide)

    def new(self) -> list[Any]:
        """Make the state of a group that has seen nothing."""
        return [0, 0, 0, 0, {}, {}, []]

    def see(self, group: list[Any], ts: int, received: int, clock: int) -> bool:
        """Let a reading's time move the watermark, before it is added; tell whether windows may have to be closed first."""
        seen = min(ts, received)
        if seen > group[BASE] + clock - group[BASE_CLOCK]:  # never moving back, however the time so far was reached
            group[BASE], group[BASE_CLOCK] = seen, clock
        return bool(self._reached(group, clock) > group[CLOSED])

    def _reached(self, group: list[Any], clock: int) -> int:
        """Give the newest end that the watermark has reached, whether there is a window or not."""
        watermark = group[BASE] + clock - group[BASE_CLOCK] - self.lateness
        return int(watermark - watermark % self.slide)

    def add(self, group: list[Any], metric: str, value: Any, *, ts: int, evidence: int) -> Place:
        """Put a reading into its pane; tell where it went.

        `evidence` is the receive time of a live reading, and the event time of one out of a backlog: what is decided from it grows stale from then.
        """
        start = ts - ts % self.pane
        closed = group[CLOSED]
        place = WINDOWED
        last_end = (start + self.length) // self.slide * self.slide
        if last_end <= closed:
            if last_end <= closed - self.corrections:
                return LATE
            place = CORRECTED
        pane = group[PANES].get(start)
        if pane is None:
            pane = group[PANES][start] = [0, 0, *(ACCUMULATORS[kind].new() for kind in self.accumulators)]
        pane[0] += 1
        pane[1] = max(pane[1], evidence)
        for slot in self.slots.get(metric, ()):
            accumulator = ACCUMULATORS[self.accumulators[slot]]
            if usable(value, accumulator):
                accumulator.add(pane[2 + slot], value, ts)
        self._note_ends(group, start, closed)
        return place

    def _note_ends(self, group: list[Any], pane_start: int, closed: int) -> None:
        for end in self._ends(pane_start):
            if end <= closed:
                if end > closed - self.corrections and end not in group[DIRTY]:
                    group[DIRTY].append(end)
            else:
                if not group[NEXT] or end < group[NEXT]:
                    group[NEXT] = end
                return

    def _ends(self, pane_start: int) -> range:
        """Give the ends of the windows over a pane, earliest first; ends are multiples of the slide since 1970."""
        first = -(-(pane_start + self.pane) // self.slide) * self.slide
        return range(first, pane_start + self.length + 1, self.slide)

    def due(self, group: list[Any]) -> int | None:
        """Tell at which time of the journal's clock the next window closes if nothing more comes; None where none is open."""
        if not group[NEXT]:
            return None
        return int(group[BASE_CLOCK] + group[NEXT] + self.lateness - group[BASE])

    def close(self, group: list[Any], clock: int) -> Iterator[Closed]:
        """Give the windows that late readings have corrected, then those that the watermark has reached, each in order of their ends.

        Called when the watermark moves on, and at the end of each journal row.
        """
        dirty, group[DIRTY] = sorted(group[DIRTY]), []
        for end in dirty:
            yield self._result(group, end, corrected=True)
        reached = self._reached(group, clock)
        while group[NEXT] and group[NEXT] <= reached:
            end = group[NEXT]
            group[CLOSED] = end
            yield self._result(group, end, corrected=False)
            group[NEXT] = self._following(group, end)
        group[CLOSED] = max(group[CLOSED], reached)
        self._forget(group)

    def _following(self, group: list[Any], end: int) -> int:
        """Find the next end with anything in its window; 0 where there is none."""
        newest = [start for start in group[PANES] if start + self.length > end]
        if not newest:
            return 0
        return min(next(e for e in self._ends(start) if e > end) for start in newest)

    def _result(self, group: list[Any], end: int, *, corrected: bool) -> Closed:
        panes = [group[PANES][start] for start in range(end - self.length, end, self.pane) if start in group[PANES]]
        merged = panes[0][2:] if len(panes) == 1 else self._merged(panes)
        revision = group[REVISIONS].get(end, 0) + 1
        group[REVISIONS][end] = revision
        values = {c.name: AGGREGATES[c.function].result(merged[c.slot]) for c in self.columns}
        return Closed(end - self.length, end, revision, sum(p[0] for p in panes), values, max(p[1] for p in panes), corrected)

    def _merged(self, panes: list[State]) -> list[State]:
        merged = [ACCUMULATORS[kind].new() for kind in self.accumulators]
        for pane in panes:
            for slot, kind in enumerate(self.accumulators):
                ACCUMULATORS[kind].merge(merged[slot], pane[2 + slot])
        return merged

    def _forget(self, group: list[Any]) -> None:
        """Drop what can no longer be corrected. Both dicts are nearly in order of time; what is not is dropped once it comes to the front."""
        horizon = group[CLOSED] - self.corrections
        panes, revisions = group[PANES], group[REVISIONS]
        while panes and (start := next(iter(panes))) + self.length <= horizon:
            del panes[start]
        while revisions and (end := next(iter(revisions))) <= horizon:
            del revisions[end]
