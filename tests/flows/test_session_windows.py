"""Sessions: when they end, and how they are taken back when what comes late moves or merges them. See also `test_against_reference.py`."""

from flows.aggregates import AggregateCall, Columns
from flows.windows import CORRECTED, LATE, WINDOWED, SessionWindows

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
COUNT = Columns({"n": AggregateCall.parse("count(t)")})


def run(windows, rows):
    """Feed rows of (clock, [ts]), in seconds, to one group; give what closed row by row, in seconds, where each reading went, and the group."""
    group, given, places = windows.new(), [], []
    for clock, times in rows:
        closed = []
        for at in times:
            ts = T0 + at * SECOND
            if windows.see(group, ts, ts, clock * SECOND):
                closed.extend(windows.close(group, clock * SECOND))
            places.append(windows.add(group, "t", 1.0, ts=ts, evidence=ts))
        closed.extend(windows.close(group, clock * SECOND))
        given.append([((c.start - T0) // SECOND, (c.end - T0) // SECOND, c.revision, c.readings, c.corrected) for c in closed])
    return given, places, group


def sessions(corrections=100, lateness=0):
    return SessionWindows(COUNT, gap=10 * SECOND, lateness=lateness * SECOND, corrections=corrections * SECOND)


def test_session_goes_on_until_nothing_came_for_the_gap():
    """Each reading puts off the end; one at the very end begins the next session."""
    given, _, _ = run(sessions(), [(0, [0, 9, 18]), (0, [28])])
    assert given == [[], [(0, 28, 1, 3, False)]]


def test_session_that_goes_on_is_due_later():
    """What is due is the end that the last reading has left it with."""
    windows = sessions()
    group = run(windows, [(0, [0]), (9, [9])])[2]
    assert windows.due(group) == 19 * SECOND
    assert [one.end - T0 for one in windows.close(group, 19 * SECOND)] == [19 * SECOND]
    assert windows.due(group) is None


def test_session_moved_by_a_late_reading_is_taken_back_at_its_old_end():
    """The old end is given again without readings, the new one for the first time: both are corrections."""
    given, places, _ = run(sessions(), [(0, [0]), (0, [50]), (0, [5])])
    assert given == [[], [(0, 10, 1, 1, False)], [(0, 10, 2, 0, True), (0, 15, 1, 2, True)]]
    assert places == [WINDOWED, WINDOWED, CORRECTED]


def test_retraction_has_no_values():
    """A window of no readings says nothing, not even how many."""
    windows = sessions()
    group = run(windows, [(0, [0]), (0, [50])])[2]
    windows.add(group, "t", 1.0, ts=T0 + 5 * SECOND, evidence=0)
    assert [one.values for one in windows.close(group, 0)] == [{"n": None}, {"n": 2.0}]


def test_session_that_begins_earlier_than_was_known_keeps_its_end():
    """A late reading before the first one is the next revision of the same end."""
    given, _, _ = run(sessions(), [(0, [20]), (0, [60]), (0, [15])])
    assert given[2] == [(15, 30, 2, 2, True)]


def test_sessions_merge_over_a_late_reading():
    """The earlier of two is taken back, the later one given again from the earlier start."""
    given, _, _ = run(sessions(), [(0, [0]), (0, [12]), (0, [60]), (0, [6])])
    assert given[1:] == [[(0, 10, 1, 1, False)], [(12, 22, 1, 1, False)], [(0, 10, 2, 0, True), (0, 22, 2, 3, True)]]


def test_session_opened_again_is_a_correction_when_it_ends():
    """One that was given, and goes on after all, has had its say: its new end comes in time, but as a correction."""
    given, places, _ = run(sessions(), [(0, [0]), (11, []), (11, [9, 18]), (40, [])])
    assert given == [[], [(0, 10, 1, 1, False)], [(0, 10, 2, 0, True)], [(0, 28, 1, 3, True)]]
    assert places == [WINDOWED, CORRECTED, WINDOWED]


def test_session_that_was_never_in_time_is_a_correction():
    """What a device flushes after its outage makes sessions of their own, which trigger nothing."""
    given, _, _ = run(sessions(), [(0, [100]), (0, [50, 55])])
    assert given[1] == [(50, 65, 1, 2, True)]


def test_reading_that_no_session_waits_for_is_late():
    """Late is what could only belong to sessions beyond the corrections."""
    given, places, _ = run(sessions(corrections=20), [(0, [100]), (0, [71, 70])])
    assert places == [WINDOWED, CORRECTED, LATE]
    assert given[1] == [(71, 81, 1, 1, True)]


def test_sessions_are_forgotten_once_nothing_can_belong_to_them():
    """State holds the sessions that can still be corrected, and no more."""
    windows = sessions(corrections=20)
    many = run(windows, [(0, list(range(0, 2000, 20)))])[2]
    few = run(windows, [(0, [0, 20, 40])])[2]
    assert len(str(many)) < len(str(few)) + 50


def test_span_is_the_gap():
    """A session closes so long after its last reading."""
    assert sessions().span == 10 * SECOND
