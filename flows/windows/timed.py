"""Tumbling and sliding windows.

They are made of panes, the stretches between two boundaries of a grid: each reading is aggregated once, into the pane of its time, and every
window over a pane merges it, so the cost of a reading does not grow with length/slide. A tumbling window is one whose pane is the window.

A reading whose windows have all closed corrects them: they are given again as the next revision, for as long as `corrections` says; older ones
are late and enter no window. Aggregates that know of time look back beyond the window's start, so a correction may reach later windows too.
Panes that are kept for corrections alone are kept packed, which takes a third of the memory: most are never looked at again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from flows.aggregates import Columns, Point, Span
from flows.windows.blocks import Merging, forget, forget_before, merged
from flows.windows.grid import FixedGrid, Grid
from flows.windows.watermark import CLOSED, NEXT, UNSEEN, Watermark
from flows.windows.window import CORRECTED, FOLD_EVERY, LATE, WINDOWED, Closed, Group, Place

STARTS, PANES, REVISIONS, DIRTY, FOLDED, CARRIED, FORGOTTEN, BLOCKS = range(4, 12)
"""Places in a group's state: the panes' starts in order, panes by their start, packed where their windows have all closed, revisions by window end,
ends to give again (True, or the fields of `Closed`), the start of the newest pane that is folded for good, the newest points
of the panes that are forgotten, up to when nothing is corrected any more, and panes of a sliding window merged ahead (`flows.windows.blocks`)."""

READINGS, EVIDENCE, VALUES, BEFORE, GROWN = range(5)
"""Places in a pane: how many readings, the newest evidence, the accumulators, the newest points before the pane, readings since it was folded."""

Pane = list[Any]

_packed = msgspec.msgpack.Encoder().encode
_unpacked = msgspec.msgpack.Decoder().decode


class TimedWindows(Watermark):
    """Windows of so many panes of a grid; one begins with every pane. By a calendar, a window is one pane.

    >>> from flows.aggregates import AggregateCall
    >>> windows = TimedWindows(Columns({"warm": AggregateCall.parse("mean(t)")}), Grid.of(10, None), panes=2)
    >>> group = windows.new()
    >>> for ts, value in [(1_005, 20.0), (1_012, 22.0)]:
    ...     windows.see(group, ts, ts, 0), windows.add(group, "t", value, ts=ts, evidence=ts)
    (False, 'windowed')
    (True, 'windowed')
    >>> [(closed.start, closed.end, closed.values["warm"]) for closed in windows.close(group, 30)]
    [(990, 1010, 20.0), (1000, 1020, 21.0), (1010, 1030, 22.0)]
    """

    def __init__(self, columns: Columns, grid: Grid, *, panes: int = 1, lateness: int = 0, corrections: int = 0) -> None:
        super().__init__(lateness)
        if panes > 1 and not isinstance(grid, FixedGrid):
            raise ValueError(f"windows by a calendar are one pane each; got {panes} panes")
        self.columns = columns
        self._grid = grid
        self._corrections = corrections
        self._slide = grid.longest if isinstance(grid, FixedGrid) else 0
        self._length = panes * self._slide
        self._sliding = panes > 1
        self._nothing = columns.newest(columns.new())

    @property
    def span(self) -> int:
        """The length of a window, at most."""
        return self._length or self._grid.longest

    def new(self) -> Group:
        """Make the state of a group that has seen nothing."""
        return [*UNSEEN, [], {}, {}, {}, 0, list(self._nothing), 0, {}]

    def add(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> Place:
        """Put a reading into its pane; tell what became of it."""
        slide = self._slide
        start = ts - ts % slide if slide else self._grid.floor(ts)
        end = start + slide if slide else self._grid.next(start)
        closed, last = group[CLOSED], start + self._length if slide else end
        place = WINDOWED
        if last <= closed:
            if last <= self._horizon(group):
                return LATE
            place = CORRECTED
        if group[DIRTY] and end <= self._horizon(group):
            self._settle(group)
        pane = group[PANES].get(start)
        if type(pane) is not list:
            pane = self._pane(group, start) if pane else self._new_pane(group, start)
        pane[READINGS] += 1
        if evidence > pane[EVIDENCE]:  # noqa: PLR1730 - max() would be a call for every reading
            pane[EVIDENCE] = evidence
        if self.columns.timed:
            self._add_timed(group, start, metric, value, ts=ts)
        else:
            self.columns.add(pane[VALUES], metric, value, ts)
        if end <= closed:
            if group[BLOCKS]:
                forget(group[BLOCKS], start // slide)
            end = self._correct(group, end, last)
        if end and (end < group[NEXT] or not group[NEXT]):
            group[NEXT] = end
        return place

    def _new_pane(self, group: Group, start: int) -> Pane:
        starts = group[STARTS]
        place = bisect_left(starts, start)
        before: list[Point | None] = []
        if self.columns.timed:
            before = self._after(self._pane(group, starts[place - 1])) if place else list(group[CARRIED])
        starts.insert(place, start)
        pane = group[PANES][start] = [0, 0, self.columns.new(), before, 0]
        return pane

    @staticmethod
    def _pane(group: Group, start: int) -> Pane:
        """Give the pane at a start, unpacked."""
        kept: Pane | bytes = group[PANES][start]
        if isinstance(kept, list):
            return kept
        pane: Pane = _unpacked(kept)
        group[PANES][start] = pane
        return pane

    def _after(self, pane: Pane) -> list[Point | None]:
        """Give the newest points up to the end of a pane."""
        newest = self.columns.newest(pane[VALUES])
        return [mine or older for mine, older in zip(newest, pane[BEFORE], strict=True)]

    def _add_timed(self, group: Group, start: int, metric: str, value: Any, *, ts: int) -> None:
        pane, horizon = group[PANES][start], self._horizon(group)
        is_newest = start == group[STARTS][-1]
        known = [] if is_newest else self.columns.newest(pane[VALUES])
        self.columns.add(pane[VALUES], metric, value, ts, aware=ts >= horizon)
        if not is_newest:
            for slot, (old, new) in enumerate(zip(known, self.columns.newest(pane[VALUES]), strict=True)):
                if old != new:
                    self._carry(group, start, slot, new)
        pane[GROWN] += 1
        if pane[GROWN] >= FOLD_EVERY:
            pane[GROWN] = 0
            self.columns.fold(pane[VALUES], horizon)

    def _carry(self, group: Group, start: int, slot: int, point: Point | None) -> None:
        """Tell later panes, up to the next that has a point of its own, of a new point before them; their windows' results may change with it."""
        starts = group[STARTS]
        before = start
        for later in starts[bisect_right(starts, start) :]:
            pane = self._pane(group, later)
            pane[BEFORE][slot] = point
            self._correct_from(group, before, later)
            if self.columns.newest(pane[VALUES])[slot] is not None:
                return
            before = later

    def _correct_from(self, group: Group, before: int, start: int) -> None:
        """Mark the closed windows whose first pane is that at `start`, the pane before it being at `before`."""
        if not self._sliding:
            self._correct(group, end := self._grid.next(start), end)
            return
        first = max(before + self._slide + self._length, start + self._slide)
        self._correct(group, first, start + self._length)

    def _correct(self, group: Group, first: int, last: int) -> int:
        """Mark the closed windows with these ends to be given again; give the first end that is still to come, 0 for none."""
        closed, horizon, end = group[CLOSED], self._horizon(group), first
        while end <= last:
            if end > closed:
                return end
            if end > horizon:
                group[DIRTY][end] = True
            end += self._slide or 1  # by a calendar there is but the one
        return 0

    def _settle(self, group: Group) -> None:
        """Fix what is to be given of windows that can no longer be corrected, before their panes take readings for later windows."""
        dirty, horizon = group[DIRTY], self._horizon(group)
        for end in sorted(dirty):
            if end <= horizon and dirty[end] is True:
                dirty[end] = list(self._result(group, end, corrected=True))

    def _horizon(self, group: Group) -> int:
        """Give up to when nothing is corrected any more; it stays where it is when `corrections` grow under a state that is kept."""
        return int(max(group[CLOSED] - self._corrections, group[FORGOTTEN]))

    def ready(self, group: Group) -> bool:  # noqa: ARG002 - of the protocol
        """Time alone completes a window."""
        return False

    def pending(self, group: Group) -> bool:
        """Late readings have changed windows that were given."""
        return bool(group[DIRTY])

    def close(self, group: Group, clock: int) -> Iterator[Closed]:
        """Give the windows that late readings have corrected, then those that the watermark has reached, each in order of their ends."""
        dirty, group[DIRTY] = group[DIRTY], {}
        for end in sorted(dirty):
            yield self._result(group, end, corrected=True) if dirty[end] is True else Closed(*dirty[end])
        watermark = self.reached(group, clock)
        while 0 < group[NEXT] <= watermark:
            end = group[NEXT]
            yield self._result(group, end, corrected=False)
            group[NEXT] = self._following(group, end)
        group[CLOSED] = watermark
        if self._sliding and self.columns.timed:
            self._fold(group)
        self._forget(group)
        self._pack(group, dirty)

    def _start_of(self, end: int) -> int:
        return end - self._length if self._slide else self._grid.floor(end - 1)

    def _following(self, group: Group, end: int) -> int:
        """Find the next end with anything in its window; 0 where there is none."""
        starts = group[STARTS]
        place = bisect_right(starts, self._start_of(end))
        if place == len(starts):
            return 0
        return max(self._grid.next(starts[place]), self._grid.next(end) if self._sliding else 0)

    def _result(self, group: Group, end: int, *, corrected: bool) -> Closed:
        starts, start = group[STARTS], self._start_of(end)
        first = self._pane(group, starts[bisect_left(starts, start)])
        whole = self._merged(group, start, end) if self._sliding else first
        values = self.columns.results(whole[VALUES], Span(start, end), first[BEFORE])
        revision = group[REVISIONS].get(end, 0) + 1
        group[REVISIONS][end] = revision
        return Closed(start, end, revision, whole[READINGS], values, whole[EVIDENCE], corrected)

    def _merged(self, group: Group, start: int, end: int) -> Pane:
        """Merge the panes of a sliding window, which has at least one. Points that are kept one by one are not kept twice."""
        panes, slide, horizon = group[PANES], self._slide, self._horizon(group)
        keep = (lambda number: (number + 1) * slide <= horizon) if self.columns.timed else (lambda _: True)
        merging = Merging(lambda number: self._pane(group, number * slide) if number * slide in panes else None, self._join, keep)
        whole = merged(group[BLOCKS], start // slide, end // slide, merging)
        assert whole is not None
        return whole

    def _join(self, earlier: Pane, later: Pane) -> Pane:
        values = self.columns.new()
        self.columns.merge(values, earlier[VALUES])
        self.columns.merge(values, later[VALUES])
        return [earlier[READINGS] + later[READINGS], max(earlier[EVIDENCE], later[EVIDENCE]), values]

    def _fold(self, group: Group) -> None:
        """Fold panes that nothing can be put into any more while windows still want them."""
        starts, horizon = group[STARTS], self._horizon(group)
        for start in starts[bisect_right(starts, group[FOLDED]) : bisect_right(starts, horizon - self._slide)]:
            self.columns.fold(self._pane(group, start)[VALUES], horizon)
            group[FOLDED] = start

    def _forget(self, group: Group) -> None:
        """Drop what can no longer be corrected. Revisions are nearly in order of time; what is not is dropped once it comes to the front."""
        horizon = group[FORGOTTEN] = self._horizon(group)
        starts, panes, revisions = group[STARTS], group[PANES], group[REVISIONS]
        old = 0
        while old < len(starts) and (starts[old] + self._length if self._slide else self._grid.next(starts[old])) <= horizon:
            old += 1
        if old:
            if self.columns.timed:
                group[CARRIED] = self._after(self._pane(group, starts[old - 1]))
            for start in starts[:old]:
                del panes[start]
            del starts[:old]
            if group[BLOCKS]:
                forget_before(group[BLOCKS], starts[0] // self._slide if starts else 1 << 62)
        while revisions and (end := next(iter(revisions))) <= horizon:
            del revisions[end]

    def _pack(self, group: Group, corrected: Iterable[int]) -> None:
        """Pack the panes whose windows have all closed: the newest of them, up to one that is packed, and those of windows that were corrected."""
        starts, panes, closed = group[STARTS], group[PANES], group[CLOSED]
        at = self._first_open(starts, closed)
        for place in range(at - 1, -1, -1):
            if type(panes[starts[place]]) is bytes:
                break
            panes[starts[place]] = _packed(panes[starts[place]])
        for end in corrected:
            for start in starts[bisect_left(starts, self._start_of(end)) : min(at, bisect_left(starts, end))]:
                if type(panes[start]) is not bytes:
                    panes[start] = _packed(panes[start])

    def _first_open(self, starts: list[int], closed: int) -> int:
        """Find the place of the first pane with a window that is still open."""
        return bisect_right(starts, closed - self._length) if self._slide else bisect_left(starts, self._grid.floor(closed))
