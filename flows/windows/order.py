"""Readings in order of their event time, for windows that hang on which comes after which.

A reading waits until the watermark has reached it; one that is older than the newest let through is late. Those of one time keep the order in
which they came. Without lateness nothing waits: what is not older than the newest counts at once.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort_right
from collections.abc import Iterator
from typing import Any

from flows.aggregates import Columns
from flows.windows.watermark import CLOSED, NEXT, UNSEEN, Watermark
from flows.windows.window import LATE, WINDOWED, Closed, Group, Place

WAITING, RELEASED, DONE, ENDED = range(4, 8)
"""Places in a group's state: readings that wait, as [event time, metric, value, evidence], in order; the newest event time let through; windows to
give at once, as the fields of `Closed`; the end of the newest window."""


def ordered() -> Group:
    """Make these places, of a group that has seen nothing."""
    return [*UNSEEN, [], 0, [], 0]


class OrderedWindows(Watermark):
    """Windows that take readings one after the other. A subclass says what becomes of one in `take`, which may put windows into `DONE`."""

    def __init__(self, columns: Columns, *, lateness: int = 0) -> None:
        super().__init__(lateness)
        self.columns = columns

    @property
    def span(self) -> int:
        """A window closes with a reading."""
        return 0

    @abstractmethod
    def take(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> None:
        """Take the next reading."""

    def add(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> Place:
        """Let a reading through, or let it wait; tell what becomes of it."""
        if ts < group[RELEASED]:
            return LATE
        if (self.lateness or group[WAITING]) and ts > group[CLOSED]:
            insort_right(group[WAITING], [ts, metric, value, evidence], key=lambda waiting: waiting[0])
            group[NEXT] = group[WAITING][0][0]
        else:
            group[RELEASED] = ts
            self.take(group, metric, value, ts=ts, evidence=evidence)
        return WINDOWED

    def ready(self, group: Group) -> bool:
        """Tell whether windows are complete."""
        return bool(group[DONE])

    def pending(self, group: Group) -> bool:  # noqa: ARG002 - of the protocol
        """Nothing is corrected."""
        return False

    def close(self, group: Group, clock: int) -> Iterator[Closed]:
        """Give the windows that are complete, and those that readings complete which the watermark has reached."""
        yield from self._given(group)
        watermark, waiting = self.reached(group, clock), group[WAITING]
        released = 0
        while released < len(waiting) and waiting[released][0] <= watermark:
            ts, metric, value, evidence = waiting[released]
            group[RELEASED] = ts
            self.take(group, metric, value, ts=ts, evidence=evidence)
            released += 1
        del waiting[:released]
        group[NEXT] = waiting[0][0] if waiting else 0
        group[CLOSED] = watermark
        yield from self._given(group)

    def _given(self, group: Group) -> Iterator[Closed]:
        done, group[DONE] = group[DONE], []
        for fields in done:
            yield Closed(*fields)

    def complete(self, group: Group, *, start: int, end: int, readings: int, values: dict[str, Any], evidence: int) -> None:
        """Note a window to be given. No two have one end, even where readings are of one time."""
        group[ENDED] = end = max(end, group[ENDED] + 1)
        group[DONE].append([start, end, 1, readings, values, evidence, False])
