"""Tumbling and sliding windows: when they close, what corrects them, and what they look back at. See also `test_against_reference.py`."""

import pytest

from flows.aggregates import AggregateCall, Columns
from flows.windows import BASE, CORRECTED, LATE, WINDOWED, Grid, TimedWindows

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND


def columns(**calls):
    return Columns({name: AggregateCall.parse(text) for name, text in calls.items()})


WARM = columns(n="count(t)", warm="mean(t)")
ENERGY = columns(energy="integral(t)")


def tumbling(columns, length=10, **durations):
    return TimedWindows(columns, Grid.of(length * SECOND, None), **{name: value * SECOND for name, value in durations.items()})


def run(windows, rows):
    """Feed rows of (clock, [(ts, value)]), in seconds, to one group; give what closed, where each reading went, and the group."""
    group, closed, places = windows.new(), [], []
    for clock, readings in rows:
        for at, value in readings:
            ts = T0 + at * SECOND
            if windows.see(group, ts, ts, clock * SECOND):
                closed.extend(windows.close(group, clock * SECOND))
            places.append(windows.add(group, "t", value, ts=ts, evidence=ts))
        closed.extend(windows.close(group, clock * SECOND))
    return closed, places, group


def test_window_of_an_idle_group_closes_by_the_journals_time():
    """A window closes when its length and the lateness have passed by ticks, though no reading comes."""
    windows = tumbling(WARM, lateness=2)
    closed, _, group = run(windows, [(5, [(1, 20.0)]), (15, [])])
    assert closed == []
    assert windows.due(group) == 16 * SECOND
    assert [one.end for one in windows.close(group, 16 * SECOND)] == [T0 + 10 * SECOND]
    assert windows.due(group) is None


def test_window_waits_for_lateness():
    """A reading within the lateness enters its window as if it had come in time."""
    closed, places, _ = run(tumbling(WARM, lateness=5), [(0, [(1, 1.0)]), (0, [(14, 9.0)]), (0, [(9, 3.0)]), (0, [(15, 9.0)])])
    assert places == [WINDOWED] * 4
    assert [(one.readings, one.values["warm"], one.revision) for one in closed] == [(2, 2.0, 1)]


def test_correction_gives_the_next_revision_of_the_same_window():
    """What a device flushes later corrects closed windows: revision 2, the same ends, marked as a correction."""
    closed, places, _ = run(tumbling(WARM, corrections=60), [(0, [(1, 1.0)]), (0, [(12, 9.0)]), (0, [(3, 3.0), (4, 5.0)])])
    assert places == [WINDOWED, WINDOWED, CORRECTED, CORRECTED]
    assert [(one.end - T0, one.revision, one.values["warm"], one.corrected) for one in closed] == [
        (10 * SECOND, 1, 1.0, False),
        (10 * SECOND, 2, 3.0, True),
    ]


def test_correction_beyond_the_horizon_is_late():
    """Beyond `corrections` a reading is late and changes nothing; what it could have corrected is not kept."""
    windows = tumbling(WARM, corrections=20)
    closed, places, group = run(windows, [(0, [(0, 1.0)]), (0, [(100, 9.0)]), (0, [(0, 3.0)])])
    assert places[-1] == LATE
    assert len(closed) == 1
    small = run(windows, [(0, [(0, 1.0)])])[2]
    assert len(str(group)) < len(str(small)) + 50


def test_window_given_again_holds_only_what_came_while_it_could_be_corrected():
    """A row that reaches over more than `corrections` puts nothing into a window that it has left behind, though the pane takes it."""
    windows = TimedWindows(columns(n="count(t)"), Grid.of(10 * SECOND, None), panes=3, corrections=5 * SECOND)
    closed, places, _ = run(windows, [(0, [(1, 1.0), (12, 1.0)]), (0, [(2, 1.0), (16, 1.0), (3, 1.0)]), (100, [])])
    assert places == [WINDOWED] * 5
    assert [((one.end - T0) // SECOND, one.values["n"]) for one in closed] == [(10, 1), (10, 2), (20, 5), (30, 5), (40, 2)]


def test_watermark_never_moves_back():
    """Readings with older stamps than the time that has passed do not open closed windows again."""
    closed, places, _ = run(tumbling(WARM), [(0, [(1, 1.0)]), (11, []), (11, [(5, 2.0)]), (12, [])])
    assert [one.end - T0 for one in closed] == [10 * SECOND]
    assert places == [WINDOWED, LATE]


def test_watermark_does_not_run_ahead_with_a_devices_clock():
    """A reading from the future moves the watermark to when it was received, no further."""
    windows = tumbling(WARM)
    group = windows.new()
    assert not windows.see(group, T0 + 300 * SECOND, T0, 0)
    assert group[BASE] == T0


def test_evidence_is_the_newest_of_the_window():
    """A window knows the newest time at which a reading in it was true, for commands to grow stale from."""
    windows = tumbling(WARM)
    group = windows.new()
    for evidence in (5, 9, 7):
        windows.see(group, T0, T0 + 99, 0)
        windows.add(group, "t", 1.0, ts=T0, evidence=evidence)
    assert next(windows.close(group, 20 * SECOND)).evidence == 9


def test_text_is_counted_and_not_summed():
    """Text has a count, a first and a last; what needs numbers leaves it out."""
    windows = tumbling(columns(n="count(t)", sum="sum(t)", final="last(t)"))
    closed, _, _ = run(windows, [(0, [(0, "on"), (1, 2.0), (2, "off")]), (99, [])])
    assert closed[0].values == {"n": 3.0, "sum": 2.0, "final": "off"}


def test_window_begins_with_what_held_before_it():
    """A value holds on into the next window with a reading, however long ago it was said, and though its own window is forgotten."""
    closed, _, _ = run(tumbling(ENERGY), [(0, [(0, 3600.0)]), (0, [(105, 0.0)]), (200, [])])
    assert [one.values["energy"] for one in closed] == pytest.approx([10.0, 5.0])


def test_correction_reaches_the_later_window_that_looked_back():
    """A late last value of one window is what the next one with a reading begins with: both are given again, no other."""
    rows = [(0, [(0, 3600.0)]), (0, [(25, 0.0)]), (0, [(35, 0.0)]), (0, [(45, 0.0)]), (0, [(9, 7200.0)])]
    closed, _, _ = run(tumbling(ENERGY, corrections=60), rows)
    corrected = {(one.end - T0) // SECOND: one.values["energy"] for one in closed if one.corrected}
    assert corrected == pytest.approx({10: 9.0 + 2.0, 30: 2.0 * 5})


def test_reading_older_than_the_corrections_is_counted_and_holds_nothing():
    """In a window much longer than `corrections`, what is older than those enters it, but not what knows of time."""
    windows = tumbling(columns(n="count(t)", energy="integral(t)"), length=1000, corrections=10)
    closed, places, _ = run(windows, [(0, [(0, 3600.0)]), (0, [(500, 0.0)]), (0, [(100, 7200.0)]), (2000, [])])
    assert places == [WINDOWED] * 3
    assert closed[0].values == pytest.approx({"n": 3.0, "energy": 500.0})


def test_corrections_that_grow_bring_nothing_back():
    """A state that is kept when a flow's `corrections` grow does not know the windows before: what comes for them is late, as it would have been."""
    closed, _, group = run(tumbling(WARM, corrections=20), [(0, [(0, 1.0)]), (0, [(100, 9.0)])])
    longer = tumbling(WARM, corrections=1000)
    longer.see(group, T0, T0, 0)
    assert longer.add(group, "t", 3.0, ts=T0, evidence=T0) == LATE
    assert longer.add(group, "t", 3.0, ts=T0 + 85 * SECOND, evidence=T0) == CORRECTED
    assert len(closed) == 1


def test_calendar_windows_do_not_slide():
    """Panes of unequal length make no sliding window."""
    with pytest.raises(ValueError, match="one pane each"):
        TimedWindows(WARM, Grid.of("day", "Europe/Berlin"), panes=2)


def test_cost_of_a_reading_in_order_does_not_hang_on_the_panes_of_a_window():
    """A sliding window of a thousand panes keeps no more of a reading than a tumbling one."""
    sizes = []
    for panes in (1, 1000):
        windows = TimedWindows(WARM, Grid.of(10 * SECOND, None), panes=panes)
        group = run(windows, [(0, [(1, 1.0), (2, 1.0)])])[2]
        sizes.append(len(str(group)))
    assert sizes[0] == sizes[1]
