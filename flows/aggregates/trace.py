"""The course of a metric over time: each value holds until the next one comes (a left Riemann sum).

What lies between two readings is known once nothing can come between them any more. Until then readings are kept one by one, in order of
their time; then they are folded into sums. Sums of floats are kept as exact expansions, so that what has been folded never shows in a result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from math import fsum, inf, isfinite, nan
from typing import Any, ClassVar

from flows.aggregates.accumulator import State
from flows.aggregates.span import Point, Span

TIMES, VALUES, FIRST, SUMS = range(4)
"""Places in the state: times and values that are kept, the first reading of those folded (None: none are; the last of them is kept first),
the sums of what is folded."""

HOUR = 3.6e12


class Trace(ABC):
    """An accumulator that keeps order. A subclass says what is summed up between two readings."""

    text: ClassVar[bool] = False

    @abstractmethod
    def sums(self) -> State:
        """Make the sums of nothing."""

    @abstractmethod
    def step(self, sums: State, point: Any, following: Any, *, ns: int) -> None:
        """Add what a value brings that holds for so long, before the following value (None: before the end)."""

    @abstractmethod
    def join(self, sums: State, other: State) -> None:
        """Add the other sums, and pack what has grown."""

    def new(self) -> State:
        return [[], [], None, self.sums()]

    def add(self, s: State, value: Any, ts: int) -> None:
        """Put a reading into its place; one from before what is folded is left out."""
        times, values = s[TIMES], s[VALUES]
        if not times or ts >= times[-1]:
            times.append(ts)
            values.append(value)
        elif s[FIRST] is None or ts >= times[0]:
            place = bisect_right(times, ts)
            times.insert(place, ts)
            values.insert(place, value)

    def merge(self, s: State, other: State) -> None:
        """Add the readings of another state, which are later; where some of those are folded, so are all before them."""
        if other[FIRST] is None:
            s[TIMES] += other[TIMES]
            s[VALUES] += other[VALUES]
            return
        if s[TIMES]:
            self.fold(s, inf)
            s[FIRST] = s[FIRST] or [s[TIMES][0], s[VALUES][0]]
            ts, value = other[FIRST]
            self.step(s[SUMS], s[VALUES][0], value, ns=ts - s[TIMES][0])
        else:
            s[FIRST] = list(other[FIRST])
        self.join(s[SUMS], other[SUMS])
        s[TIMES], s[VALUES] = list(other[TIMES]), list(other[VALUES])

    def newest(self, s: State) -> Point | None:
        """Give the newest reading."""
        return [s[TIMES][-1], s[VALUES][-1]] if s[TIMES] else None

    def fold(self, s: State, horizon: float) -> None:
        """Put the readings before a time into the sums, but for the last of them, which holds beyond it."""
        times, values = s[TIMES], s[VALUES]
        last = bisect_left(times, horizon) - 1
        if last < 1:
            return
        s[FIRST] = s[FIRST] or [times[0], values[0]]
        sums = self.sums()
        self._walk(sums, times[: last + 1], values[: last + 1])
        self.join(s[SUMS], sums)
        del times[:last], values[:last]

    def complete(self, s: State, span: Span, before: Point | None) -> State:
        """Give [time covered (ns), sums] of a span; empty where nothing is known of it. `before` holds from its start to the first reading."""
        times, values = s[TIMES], s[VALUES]
        sums = self.sums()
        if not times:
            if before is None:
                return []
            self.step(sums, before[1], None, ns=span.end - span.start)
            return [span.end - span.start, sums]
        first, value = s[FIRST] or (times[0], values[0])
        if before is not None:
            self.step(sums, before[1], value, ns=first - span.start)
            first = span.start
        self._walk(sums, times, values)
        self.step(sums, values[-1], None, ns=span.end - times[-1])
        self.join(sums, s[SUMS])
        return [span.end - first, sums]

    def _walk(self, sums: State, times: Sequence[int], values: Sequence[Any]) -> None:
        for place, ts in enumerate(times[1:]):
            self.step(sums, values[place], values[place + 1], ns=ts - times[place])


class NumberTrace(Trace):
    """Sums [ns in which the value is not zero, area in value hours, rises].

    >>> trace = NumberTrace()
    >>> state = trace.new()
    >>> for hour, watts in [(0, 10.0), (2, 0.0), (1, 30.0)]: trace.add(state, watts, hour * 3_600 * 10**9)
    >>> trace.fold(state, 3 * 3_600 * 10**9)
    >>> state
    [[7200000000000], [0.0], [0, 10.0], [7200000000000, [40.0], [20.0]]]
    """

    def sums(self) -> State:
        return [0, [], []]

    def step(self, sums: State, point: Any, following: Any, *, ns: int) -> None:
        if point:
            sums[0] += ns
        sums[1].append(point * (ns / HOUR))
        if following is not None:
            sums[2].append(following if following < point else following - point)

    def join(self, sums: State, other: State) -> None:
        sums[0] += other[0]
        sums[1] = _expansion(sums[1] + other[1])
        sums[2] = _expansion(sums[2] + other[2])


class StateTrace(Trace):
    """Sums the ns in each of the values asked for, text or not; `true` is asked for by 1 too.

    >>> trace = StateTrace("on", "off")
    >>> state = trace.new()
    >>> for ts, value in [(0, "off"), (10, "on"), (15, "error")]: trace.add(state, value, ts)
    >>> trace.complete(state, Span(0, 100), before=None)
    [100, [5, 10]]
    """

    text = True

    def __init__(self, *asked: float | str) -> None:
        self._asked = asked

    def sums(self) -> State:
        return [0] * len(self._asked)

    def step(self, sums: State, point: Any, following: Any, *, ns: int) -> None:  # noqa: ARG002 - what follows does not matter to it
        if point in self._asked:
            sums[self._asked.index(point)] += ns

    def join(self, sums: State, other: State) -> None:
        for place, ns in enumerate(other):
            sums[place] += ns


def _expansion(terms: list[float]) -> list[float]:
    """Give few floats whose exact sum is that of the terms: the rounded sum, then what rounding left, until nothing is left."""
    parts: list[float] = []
    while part := _sum([*terms, *(-part for part in parts)]):
        if not isfinite(part):
            return [part]
        parts.append(part)
    return parts


def _sum(terms: list[float]) -> float:
    """Sum up exactly, then round; NaN, which no window gives, where that is beyond a float."""
    try:
        return fsum(terms)
    except (OverflowError, ValueError):
        return nan
