"""State windows: from the reading that makes a condition true to the one that makes it false."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flows.aggregates import Columns, Span
from flows.windows.order import OrderedWindows, ordered
from flows.windows.window import FOLD_EVERY, Group

NEWEST, OPEN, START, READINGS, EVIDENCE, VALUES, BEFORE, GROWN = range(8, 16)
"""Places in a group's state: the newest value of each metric; whether a window is open, its start, how many readings are in it, the newest evidence;
the accumulators, of the open window, or else of what came since the last one; the newest points before these; readings since those were folded."""

While = Callable[[Mapping[str, Any]], bool | None]
"""Decides from `value`, `metric` and the metrics' names; None where it cannot be told."""


class StateWindows(OrderedWindows):
    """Windows that are open while a condition holds. The reading that opens one is in it, the one that closes it is not; its time is the end.

    Where the condition cannot be told, what was open stays open. Aggregates that know of time look back to what held when it opened.

    >>> from flows.aggregates import AggregateCall
    >>> columns = Columns({"on": AggregateCall.parse("time_in_state(pump, 'on')")})
    >>> windows = StateWindows(columns, lambda names: names.get("pump") == "on")
    >>> group = windows.new()
    >>> for ts, value in [(10, "off"), (20, "on"), (50, "off")]:
    ...     windows.add(group, "pump", value, ts=ts * 1_000_000_000, evidence=0)
    'windowed'
    'windowed'
    'windowed'
    >>> [(closed.readings, closed.values["on"]) for closed in windows.close(group, 0)]
    [(1, 30.0)]
    """

    def __init__(self, columns: Columns, while_: While, *, lateness: int = 0) -> None:
        super().__init__(columns, lateness=lateness)
        self._while = while_

    def new(self) -> Group:
        """Make the state of a group that has seen nothing."""
        values = self.columns.new()
        return [*ordered(), {}, False, 0, 0, 0, values, self.columns.newest(values), 0]

    def take(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> None:
        """Open a window, add to it, or close it."""
        group[NEWEST][metric] = value
        holds = self._while({**group[NEWEST], "value": value, "metric": metric})
        if group[OPEN] and holds is False:
            self._shut(group, ts)
        elif holds and not group[OPEN]:
            self._let_go(group)
            group[OPEN : EVIDENCE + 1] = True, ts, 0, 0
        if group[OPEN]:
            group[READINGS] += 1
            group[EVIDENCE] = max(group[EVIDENCE], evidence)
        elif not self.columns.timed:
            return
        self.columns.add(group[VALUES], metric, value, ts)
        group[GROWN] += 1
        if group[GROWN] >= FOLD_EVERY:
            if group[OPEN]:
                self.columns.fold(group[VALUES], ts)
                group[GROWN] = 0
            else:
                self._let_go(group)

    def _shut(self, group: Group, end: int) -> None:
        start, readings, evidence = group[START : EVIDENCE + 1]
        values = self.columns.results(group[VALUES], Span(start, end), group[BEFORE])
        self.complete(group, start=start, end=end, readings=readings, values=values, evidence=evidence)
        self._let_go(group)
        group[OPEN] = False

    def _let_go(self, group: Group) -> None:
        """Begin with empty accumulators, keeping the newest points of these."""
        newest = self.columns.newest(group[VALUES])
        kept = [mine or older for mine, older in zip(newest, group[BEFORE], strict=True)]
        group[VALUES : GROWN + 1] = [self.columns.new(), kept, 0]
