"""Session windows: readings that follow each other in less than a gap of time belong together.

A session lasts from its first reading to its last plus the gap; a reading at that very time begins another. The sessions are those that sorting all
readings would give, in whatever order they came, but for those that are late: a reading is, where no session that it could belong to can be
corrected any more.

What comes late may extend, move or merge sessions that were given. One that is no longer there, or ends at another time, is taken back: given
again at its old end as a window of no readings. A session for which a reading came after its end is a correction ever after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

from flows.aggregates import Columns, Span
from flows.windows.watermark import CLOSED, NEXT, UNSEEN, Watermark
from flows.windows.window import CORRECTED, FOLD_EVERY, LATE, WINDOWED, Closed, Group, Place

SESSIONS, DIRTY, RETRACTED, FORGOTTEN = range(4, 8)
"""Places in a group's state: sessions in order; an end at or before that of the first session which has closed and is to be given again (0: none is);
what is to be taken back, as [start, end, revisions, evidence]; up to when nothing is corrected any more."""

FIRST, LAST, READINGS, EVIDENCE, VALUES, CAME_LATE, CHANGED, GIVEN_START, GIVEN_END, REVISION, GROWN = range(11)
"""Places in a session: times of the first and last reading, how many, the newest evidence, the accumulators, whether it is a correction, whether it
is to be given, how it was given last (end 0: not yet) and under which revision, readings since it was folded."""

Session = list[Any]


class SessionWindows(Watermark):
    """Sessions that end when nothing came for `gap`.

    >>> from flows.aggregates import AggregateCall
    >>> windows = SessionWindows(Columns({"n": AggregateCall.parse("count(t)")}), gap=10)
    >>> group = windows.new()
    >>> for ts in (1_000, 1_009, 1_018, 1_028):
    ...     windows.see(group, ts, ts, 0), windows.add(group, "t", 20.0, ts=ts, evidence=ts)
    (False, 'windowed')
    (False, 'windowed')
    (False, 'windowed')
    (True, 'windowed')
    >>> [(closed.start, closed.end, closed.values["n"]) for closed in windows.close(group, 10)]
    [(1000, 1028, 3.0), (1028, 1038, 1.0)]
    """

    def __init__(self, columns: Columns, *, gap: int, lateness: int = 0, corrections: int = 0) -> None:
        super().__init__(lateness)
        self.columns = columns
        self._gap = gap
        self._corrections = corrections

    @property
    def span(self) -> int:
        """A session ends so long after its last reading."""
        return self._gap

    def new(self) -> Group:
        """Make the state of a group that has seen nothing."""
        return [*UNSEEN, [], 0, [], 0]

    def add(self, group: Group, metric: str, value: Any, *, ts: int, evidence: int) -> Place:
        """Put a reading into the session of its time; tell what became of it."""
        closed, horizon = group[CLOSED], self._horizon(group)
        if ts + self._gap <= horizon:
            return LATE
        given = len(group[RETRACTED])
        session, moved = self._session_at(group, ts)
        session[READINGS] += 1
        session[EVIDENCE] = max(session[EVIDENCE], evidence)
        session[CHANGED] = True
        self.columns.add(session[VALUES], metric, value, ts, aware=ts >= horizon)
        if self.columns.timed:
            self._fold(session, horizon)
        end = session[LAST] + self._gap
        self._retract(group, session, end)
        if end > closed:
            if moved or not 0 < group[NEXT] <= end:
                group[NEXT] = end
        elif not 0 < group[DIRTY] <= end:
            group[DIRTY] = end
        if end <= closed or len(group[RETRACTED]) > given:
            session[CAME_LATE] = True
            return CORRECTED
        return WINDOWED

    def _session_at(self, group: Group, ts: int) -> tuple[Session, bool]:
        """Find the session of a time, made for it, extended to it or merged by it; tell whether it took the next window's end along with it."""
        sessions, gap = group[SESSIONS], self._gap
        at = len(sessions) if not sessions or ts >= sessions[-1][FIRST] else bisect_right(sessions, ts, key=lambda s: s[FIRST])
        before = sessions[at - 1] if at and ts < sessions[at - 1][LAST] + gap else None
        after = sessions[at] if at < len(sessions) and sessions[at][FIRST] < ts + gap else None
        if before is None and after is None:
            session = [ts, ts, 0, 0, self.columns.new(), False, True, 0, 0, 0, 0]
            sessions.insert(at, session)
            return session, False
        if before is None:
            assert after is not None
            after[FIRST] = min(ts, after[FIRST])
            return after, False
        moved = group[NEXT] == before[LAST] + gap
        before[LAST] = max(ts, before[LAST])
        if after is not None:
            self._retract(group, before, after[LAST] + gap)
            self._merge(before, after)
            del sessions[at]
        return before, moved

    def _merge(self, session: Session, later: Session) -> None:
        self.columns.merge(session[VALUES], later[VALUES])
        session[LAST] = later[LAST]
        session[READINGS] += later[READINGS]
        session[EVIDENCE] = max(session[EVIDENCE], later[EVIDENCE])
        session[CAME_LATE] = session[CAME_LATE] or later[CAME_LATE]
        session[GROWN] += later[GROWN]
        session[GIVEN_START:GROWN] = later[GIVEN_START:GROWN]

    def _retract(self, group: Group, session: Session, end: int) -> None:
        """Note that a session ends elsewhere now, if it was given."""
        if session[GIVEN_END] in {0, end}:
            return
        group[RETRACTED].append([session[GIVEN_START], session[GIVEN_END], session[REVISION], session[EVIDENCE]])
        session[GIVEN_START : REVISION + 1] = 0, 0, 0

    def _fold(self, session: Session, horizon: int) -> None:
        session[GROWN] += 1
        if session[GROWN] >= FOLD_EVERY:
            session[GROWN] = 0
            self.columns.fold(session[VALUES], horizon)

    def _horizon(self, group: Group) -> int:
        """Give up to when nothing is corrected any more; it stays where it is when `corrections` grow under a state that is kept."""
        return int(max(group[CLOSED] - self._corrections, group[FORGOTTEN]))

    def ready(self, group: Group) -> bool:  # noqa: ARG002 - of the protocol
        """Time alone completes a session."""
        return False

    def pending(self, group: Group) -> bool:
        """Late readings have changed sessions that were given, or made some."""
        return bool(group[DIRTY] or group[RETRACTED])

    def close(self, group: Group, clock: int) -> Iterator[Closed]:
        """Take back what is no longer so; give the sessions that have changed and those that the watermark has reached, in order of their ends."""
        retracted, group[RETRACTED] = sorted(group[RETRACTED], key=lambda one: one[1]), []
        for start, end, revisions, evidence in retracted:
            yield Closed(start, end, revisions + 1, 0, dict.fromkeys(self.columns.names), evidence, corrected=True)
        watermark = self.reached(group, clock)
        if 0 < (first := group[DIRTY] or group[NEXT]) <= watermark:
            sessions = group[SESSIONS]
            at = bisect_left(sessions, first, key=lambda s: s[LAST] + self._gap)
            while at < len(sessions) and sessions[at][LAST] + self._gap <= watermark:
                if sessions[at][CHANGED]:
                    yield self._give(sessions[at])
                at += 1
            group[NEXT] = sessions[at][LAST] + self._gap if at < len(sessions) else 0
            group[DIRTY] = 0
        group[CLOSED] = watermark
        self._forget(group)

    def _give(self, session: Session) -> Closed:
        start, last = session[FIRST], session[LAST]
        session[CHANGED] = False
        session[GIVEN_START], session[GIVEN_END] = start, last + self._gap
        session[REVISION] += 1
        values = self.columns.results(session[VALUES], Span(start, last))
        return Closed(start, last + self._gap, session[REVISION], session[READINGS], values, session[EVIDENCE], session[CAME_LATE])

    def _forget(self, group: Group) -> None:
        """Drop the sessions that no reading can belong to any more, but for late ones."""
        sessions, horizon = group[SESSIONS], self._horizon(group)
        group[FORGOTTEN] = horizon
        old = 0
        while old < len(sessions) and sessions[old][LAST] + self._gap <= horizon - self._gap:
            old += 1
        del sessions[:old]
