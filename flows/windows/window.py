"""A window that has closed, and what every kind of windows can do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from flows.aggregates import Columns, Result

WINDOWED, CORRECTED, LATE = "windowed", "corrected", "late"
Place = str
"""What became of a reading: it enters a window that is still to come, corrects one that was given, or came too late for any."""

Group = list[Any]
"""All that windows remember of one group, in plain builtins. Its first places are those of `flows.windows.watermark`."""

FOLD_EVERY = 256
"""Readings that are kept for their order are folded whenever a pane has grown by so many: often enough for memory, seldom enough for time."""


class Closed(NamedTuple):
    """A window's result, from `start` up to `end` (ns). The revisions of one end count from 1; one of no readings takes the last one back.

    `evidence` is the newest time at which a reading in it can be said to have been true (see `Windows.add`). `corrected`: it is given after
    its time, for what came late.
    """

    start: int
    end: int
    revision: int
    readings: int
    values: dict[str, Result]
    evidence: int
    corrected: bool


class Windows(Protocol):
    """The windows of a flow. They hold no state: that is the group's, which goes into snapshots. All times are ns.

    Groups are moved on by readings, in this order: `see`, `close` if that says so, `add`, `close` if the group is `ready`; and `close` at the
    end of a journal row that has left corrections `pending`, once a second at most, and of the first that comes when the group is `due`.
    """

    columns: Columns
    lateness: int

    @property
    def span(self) -> int:
        """The longest that a window closes behind its readings, without the lateness."""

    def new(self) -> Group:
        """Make the state of a group that has seen nothing."""

    def see(self, group: Group, ts: int, received: int, clock: int) -> bool:
        """Let a reading's time move the watermark, before it is added; tell whether `close` has something to give first."""

    def add(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> Place:
        """Put a reading into its windows; tell what became of it.

        `evidence` is the receive time of a live reading, and the event time of one out of a backlog: what is decided from it grows stale
        from then.
        """

    def ready(self, group: Group) -> bool:
        """Tell whether the reading that was added last has completed windows, which are to be given at once."""

    def pending(self, group: Group) -> bool:
        """Tell whether late readings have left corrections to be given."""

    def due(self, group: Group) -> int | None:
        """Tell at which time of the journal's clock there is something to close if nothing more comes; None where nothing waits."""

    def close(self, group: Group, clock: int) -> Iterator[Closed]:
        """Give the windows that late readings have corrected, then those that the watermark has reached, each in order of their ends."""
