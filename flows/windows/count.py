"""Count windows: of so many readings each, one beginning with every so many."""

from __future__ import annotations

from math import gcd
from typing import Any

from flows.aggregates import Columns, Span
from flows.windows.order import OrderedWindows, ordered
from flows.windows.window import FOLD_EVERY, Group

PANES, TO_COME = 8, 9
"""Places in a group's state: the panes of the next windows, the last of them being filled; how many panes are to be filled until the next window."""

READINGS, FIRST, LAST, EVIDENCE, VALUES = range(5)
"""Places in a pane: how many readings, times of the first and the last, the newest evidence, the accumulators."""


class CountWindows(OrderedWindows):
    """Windows of `length` readings, one every `slide`, made of panes of so many readings as divide both. They start and end with a reading's time.

    >>> from flows.aggregates import AggregateCall
    >>> windows = CountWindows(Columns({"sum": AggregateCall.parse("sum(t)")}), length=3, slide=2)
    >>> group = windows.new()
    >>> for ts in range(1_000, 1_006):
    ...     if windows.add(group, "t", ts - 1_000, ts=ts, evidence=ts) and windows.ready(group):
    ...         print([(closed.start, closed.end, closed.values["sum"]) for closed in windows.close(group, 0)])
    [(1000, 1002, 3.0)]
    [(1002, 1004, 9.0)]
    """

    def __init__(self, columns: Columns, *, length: int, slide: int, lateness: int = 0) -> None:
        super().__init__(columns, lateness=lateness)
        self._length = length
        self._pane = gcd(length, slide)
        self._panes = length // self._pane
        self._every = slide // self._pane

    def new(self) -> Group:
        """Make the state of a group that has seen nothing."""
        return [*ordered(), [], self._panes]

    def take(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> None:
        """Count the next reading."""
        panes = group[PANES]
        if not panes or panes[-1][READINGS] == self._pane:
            panes.append([0, ts, ts, 0, self.columns.new()])
            del panes[: -self._panes]
        pane = panes[-1]
        pane[READINGS] += 1
        pane[LAST] = ts
        pane[EVIDENCE] = max(pane[EVIDENCE], evidence)
        self.columns.add(pane[VALUES], metric, value, ts)
        full = pane[READINGS] == self._pane
        if full or pane[READINGS] % FOLD_EVERY == 0:
            self.columns.fold(pane[VALUES], ts)
        if full:
            group[TO_COME] -= 1
            if not group[TO_COME]:
                group[TO_COME] = self._every
                self._complete_window(group)

    def _complete_window(self, group: Group) -> None:
        panes = group[PANES]
        merged = self.columns.new()
        for pane in panes:
            self.columns.merge(merged, pane[VALUES])
        start, end = panes[0][FIRST], panes[-1][LAST]
        values = self.columns.results(merged, Span(start, end))
        evidence = max(pane[EVIDENCE] for pane in panes)
        self.complete(group, start=start, end=end, readings=self._length, values=values, evidence=evidence)
