"""The watermark of a group: up to when its readings are believed to be there.

It is the newest min(event time, receive time) of its readings, plus the journal's time since then, minus the allowed lateness; it never
moves back. Nothing here knows the time of day: an idle group's windows close by the journal's clock.
"""

from __future__ import annotations

from flows.windows.window import Group

BASE, BASE_CLOCK, CLOSED, NEXT = range(4)
"""Places in a group's state: the newest time seen, the journal's clock then, the watermark that has been acted on, and the watermark at
which there is something to do next (0: nothing waits)."""

UNSEEN: Group = [0, 0, 0, 0]
"""These places, of a group that has seen nothing."""


class Watermark:
    """Moves a group's watermark. Windows of every kind are one."""

    def __init__(self, lateness: int) -> None:
        self.lateness = lateness

    def see(self, group: Group, ts: int, received: int, clock: int) -> bool:
        """Let a reading's time move the watermark; tell whether there is something to do first.

        >>> watermark, group = Watermark(2), list(UNSEEN)
        >>> watermark.see(group, 10, 10, 0), group[CLOSED]
        (False, 8)
        >>> group[NEXT] = 12
        >>> watermark.see(group, 10, 10, 3), watermark.see(group, 10, 10, 4), watermark.due(group)
        (False, True, 4)
        """
        seen = min(ts, received)
        passed = group[BASE] + clock - group[BASE_CLOCK]
        if seen > passed:  # never moving back, however the time so far was reached
            group[BASE], group[BASE_CLOCK] = seen, clock
            passed = seen
        watermark = passed - self.lateness
        if watermark > group[CLOSED]:
            if 0 < group[NEXT] <= watermark:
                return True
            group[CLOSED] = watermark
        return False

    def reached(self, group: Group, clock: int) -> int:
        """Give the watermark."""
        return int(max(group[BASE] + clock - group[BASE_CLOCK] - self.lateness, group[CLOSED]))

    def due(self, group: Group) -> int | None:
        """Tell at which time of the journal's clock there is something to do if nothing more comes; None where nothing waits."""
        if not group[NEXT]:
            return None
        return int(group[BASE_CLOCK] + group[NEXT] + self.lateness - group[BASE])
