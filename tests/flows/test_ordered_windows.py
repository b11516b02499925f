"""Windows that take readings one after the other: of so many readings, or while a condition holds. See also `test_against_reference.py`."""

from flows.aggregates import AggregateCall, Columns
from flows.windows import LATE, WINDOWED, CountWindows, StateWindows

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
SUM = Columns({"sum": AggregateCall.parse("sum(t)"), "last": AggregateCall.parse("last(t)")})


def run(windows, rows):
    """Feed rows of (clock, [(ts, metric, value)]), in seconds, to one group; give what closed, where each reading went, and the group."""
    group, closed, places = windows.new(), [], []
    for clock, readings in rows:
        for at, metric, value in readings:
            ts = T0 + at * SECOND
            if windows.see(group, ts, ts, clock * SECOND):
                closed.extend(windows.close(group, clock * SECOND))
            places.append(windows.add(group, metric, value, ts=ts, evidence=ts))
            if windows.ready(group):
                closed.extend(windows.close(group, clock * SECOND))
        closed.extend(windows.close(group, clock * SECOND))
    return closed, places, group


def extents(closed):
    return [((one.start - T0) // SECOND, (one.end - T0) // SECOND, one.readings) for one in closed]


def numbers(*times):
    return [(at, "t", float(at)) for at in times]


def test_count_window_is_complete_with_its_last_reading():
    """Nothing is waited for: the window is ready as soon as the reading is in."""
    windows = CountWindows(SUM, length=2, slide=2)
    group = windows.new()
    windows.add(group, "t", 1.0, ts=T0, evidence=0)
    assert not windows.ready(group)
    windows.add(group, "t", 2.0, ts=T0 + 1, evidence=0)
    assert windows.ready(group)
    assert [one.values["sum"] for one in windows.close(group, 0)] == [3.0]
    assert not windows.ready(group)


def test_count_windows_slide_by_readings():
    """One window with every second reading, once there are enough for the first; a slide beyond the length leaves readings out."""
    closed, _, _ = run(CountWindows(SUM, length=4, slide=2), [(0, numbers(*range(1, 9)))])
    assert [one.values["sum"] for one in closed] == [10.0, 18.0, 26.0]
    closed, _, _ = run(CountWindows(SUM, length=1, slide=3), [(0, numbers(*range(1, 8)))])
    assert [one.values["sum"] for one in closed] == [1.0, 4.0, 7.0]


def test_count_windows_of_one_time_have_ends_of_their_own():
    """A window's name hangs on its end: where many readings are of one time, each end lies a nanosecond after the one before."""
    closed, _, _ = run(CountWindows(SUM, length=1, slide=1), [(0, numbers(5, 5, 5))])
    assert [one.end - closed[0].end for one in closed] == [0, 1, 2]
    assert {one.revision for one in closed} == {1}


def test_reading_older_than_one_that_was_counted_is_late():
    """Order cannot be mended: there are no corrections. Time that has passed makes nothing late without lateness."""
    closed, places, _ = run(CountWindows(SUM, length=2, slide=2), [(0, numbers(5, 4)), (100, []), (100, numbers(5))])
    assert places == [WINDOWED, LATE, WINDOWED]
    assert extents(closed) == [(5, 5, 2)]


def test_count_window_waits_for_lateness():
    """Readings are counted in order once the watermark has reached them, by readings or by time."""
    windows = CountWindows(SUM, length=2, slide=2, lateness=10 * SECOND)
    closed, places, group = run(windows, [(0, numbers(20)), (0, numbers(15)), (1, numbers(12))])
    assert closed == []
    assert windows.due(group) == 2 * SECOND
    assert list(windows.close(group, 2 * SECOND)) == []
    assert windows.due(group) == 5 * SECOND
    assert extents(windows.close(group, 5 * SECOND)) == [(12, 15, 2)]
    assert places == [WINDOWED] * 3


def heating(names):
    """Tell whether the newest mode is to heat; not to be told before any was heard, or while it is unknown."""
    return None if names.get("mode", "?") == "?" else names["mode"] == "heat"


def test_state_window_lasts_while_the_condition_holds():
    """The reading that opens it is in it, the one that closes it is not; its time is the end, to which values hold."""
    windows = StateWindows(Columns({"n": AggregateCall.parse("count(mode)"), "wh": AggregateCall.parse("integral(power)")}), heating)
    closed, _, _ = run(
        windows, [(0, [(0, "power", 3600.0), (10, "mode", "heat"), (20, "power", 7200.0), (30, "mode", "heat"), (50, "mode", "off")])]
    )
    assert extents(closed) == [(10, 50, 3)]
    assert closed[0].values == {"n": 2.0, "wh": 10.0 + 60.0}, "the power before is what it begins with"


def test_state_window_stays_as_it_is_where_the_condition_cannot_be_told():
    """What cannot be told neither opens nor closes a window; the reading is in the one that is open."""
    windows = StateWindows(SUM, heating)
    closed, _, _ = run(
        windows, [(0, [(0, "t", 1.0), (1, "mode", "heat"), (2, "mode", "?"), (3, "t", 2.0), (4, "mode", "off"), (5, "mode", "?")])]
    )
    assert extents(closed) == [(1, 4, 3)]


def test_state_window_tells_the_value_and_the_metric_of_the_reading():
    """The condition knows the reading itself beside the newest of each metric."""
    windows = StateWindows(SUM, lambda names: names["metric"] == "t" and names["value"] > 1)
    closed, _, _ = run(windows, [(0, [(0, "t", 2.0), (1, "t", 3.0), (2, "h", 9.0)])])
    assert extents(closed) == [(0, 2, 2)]


def test_state_window_that_stays_open_is_not_due():
    """Time alone closes no such window."""
    windows = StateWindows(SUM, heating)
    _, _, group = run(windows, [(0, [(0, "mode", "heat")])])
    assert windows.due(group) is None
    assert list(windows.close(group, 10**6 * SECOND)) == []


def test_windows_closed_by_a_reading_lag_behind_nothing():
    """Commands that follow from them grow stale from the reading itself."""
    assert CountWindows(SUM, length=2, slide=2).span == StateWindows(SUM, heating).span == 0
