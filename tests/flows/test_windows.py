"""Windows against a plain loop over everything that was said, in whatever order it came."""

from collections import defaultdict
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.windows import CORRECTED, LATE, WINDOWED, WindowPlan

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
AGGREGATES = {"n": ("count", "t"), "warm": ("mean", "t"), "hot": ("max", "t"), "spread": ("stddev", "t"), "final": ("last", "t")}


def run(plan, rows):
    """Feed rows of (clock, [(ts, value)]) to one group; give what closed, and where each reading went."""
    group, closed, places = plan.new(), [], []
    for clock, readings in rows:
        for ts, value in readings:
            if plan.see(group, ts, ts, clock):
                closed.extend(plan.close(group, clock))
            places.append(plan.add(group, "t", value, ts=ts, evidence=ts))
        closed.extend(plan.close(group, clock))
    return closed, places, group


def plain_windows(readings, length, slide):
    """Put each reading into every window over it, the slow way."""
    windows = defaultdict(list)
    for ts, value in readings:
        end = (ts // slide + 1) * slide
        while end - length <= ts:
            windows[end].append(value)
            end += slide
    return windows


readings = st.lists(
    st.tuples(st.integers(0, 600), st.integers(-50, 50)).map(lambda r: (T0 + r[0] * SECOND // 4, float(r[1]))), min_size=1, max_size=80
)


@given(readings, st.sampled_from([(10, 10), (60, 10), (30, 15)]), st.integers(1, 7))
def test_windows_in_any_order_end_as_a_plain_loop_has_them(said, shape, batch):
    """The newest revision of every window is what a loop over all readings gives, however they were ordered and batched."""
    length, slide = (s * SECOND for s in shape)
    plan = WindowPlan.of(AGGREGATES, length=length, slide=slide, corrections=3600 * SECOND)
    rows = [(0, said[i : i + batch]) for i in range(0, len(said), batch)] + [(10_000 * SECOND, [])]
    closed, places, _ = run(plan, rows)
    newest = {c.end: c for c in closed}
    expected = plain_windows(said, length, slide)
    assert newest.keys() == expected.keys()
    for end, values in expected.items():
        assert newest[end].values["n"] == newest[end].readings == len(values)
        assert newest[end].values["warm"] == pytest.approx(fmean(values))
        assert newest[end].values["hot"] == max(values)
    assert LATE not in places


@given(readings, st.sampled_from([10, 15, 40]), st.integers(1, 7))
def test_windows_with_a_short_memory_account_for_every_reading(said, corrections, batch):
    """However few windows are kept for correction, each reading is in the newest revision of its windows, or was said to be late."""
    plan = WindowPlan.of({"n": ("count", "t")}, length=10 * SECOND, corrections=corrections * SECOND)
    rows = [(0, said[i : i + batch]) for i in range(0, len(said), batch)] + [(10_000 * SECOND, [])]
    closed, places, _ = run(plan, rows)
    newest = {c.end: c.readings for c in closed}
    assert sum(newest.values()) == len(said) - places.count(LATE)


@given(readings)
def test_windows_close_in_order_and_once(said):
    """Without corrections each window is given once, ends only grow, and what comes too late is said to be late."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND)
    closed, places, _ = run(plan, [(0, [r]) for r in said] + [(10_000 * SECOND, [])])
    ends = [c.end for c in closed]
    assert ends == sorted(set(ends))
    assert sum(c.readings for c in closed) == places.count(WINDOWED)
    assert places.count(WINDOWED) + places.count(LATE) == len(said)


def test_window_of_an_idle_group_closes_by_the_journals_time():
    """A window closes when its length and the lateness have passed by ticks, though no reading comes."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND, lateness=2 * SECOND)
    closed, _, group = run(plan, [(5 * SECOND, [(T0 + SECOND, 20.0)]), (15 * SECOND, [])])
    assert closed == []
    assert plan.due(group) == 16 * SECOND
    assert [c.end for c in plan.close(group, 16 * SECOND)] == [T0 + 10 * SECOND]


def test_window_waits_for_lateness():
    """A reading within the lateness enters its window as if it had come in time."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND, lateness=5 * SECOND)
    closed, places, _ = run(
        plan, [(0, [(T0 + 1 * SECOND, 1.0)]), (0, [(T0 + 14 * SECOND, 9.0)]), (0, [(T0 + 9 * SECOND, 3.0)]), (0, [(T0 + 15 * SECOND, 9.0)])]
    )
    assert places == [WINDOWED] * 4
    assert [(c.readings, c.values["warm"], c.revision) for c in closed] == [(2, 2.0, 1)]


def test_correction_gives_the_next_revision_onto_the_same_window():
    """What a device flushes later corrects closed windows: revision 2, the same ends, marked as a correction."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND, corrections=60 * SECOND)
    closed, places, _ = run(plan, [(0, [(T0 + 1 * SECOND, 1.0)]), (0, [(T0 + 12 * SECOND, 9.0)]), (0, [(T0 + 3 * SECOND, 3.0)])])
    assert places == [WINDOWED, WINDOWED, CORRECTED]
    assert [(c.end - T0, c.revision, c.values["warm"], c.corrected) for c in closed] == [
        (10 * SECOND, 1, 1.0, False),
        (10 * SECOND, 2, 2.0, True),
    ]


def test_correction_beyond_the_horizon_is_late():
    """Beyond `corrections` a reading is counted late, and changes nothing."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND, corrections=20 * SECOND)
    closed, places, group = run(plan, [(0, [(T0, 1.0)]), (0, [(T0 + 100 * SECOND, 9.0)]), (0, [(T0, 3.0)])])
    assert places[-1] == LATE
    assert len(closed) == 1
    assert len(group[4]) == 1, "what cannot be corrected any more is not kept"


def test_watermark_never_moves_back():
    """Readings with older stamps than the time that has passed do not open closed windows again."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND)
    closed, places, _ = run(plan, [(0, [(T0, 1.0)]), (11 * SECOND, []), (11 * SECOND, [(T0 + 5 * SECOND, 2.0)]), (12 * SECOND, [])])
    assert [c.end - T0 for c in closed] == [10 * SECOND]
    assert places == [WINDOWED, LATE]


def test_evidence_is_the_newest_of_the_window():
    """A window knows the newest time at which a reading in it was true, for commands to grow stale from."""
    plan = WindowPlan.of(AGGREGATES, length=10 * SECOND)
    group = plan.new()
    for evidence in (5, 9, 7):
        plan.see(group, T0, T0 + 99, 0)
        plan.add(group, "t", 1.0, ts=T0, evidence=evidence)
    assert next(plan.close(group, 20 * SECOND)).evidence == 9


def test_text_is_counted_and_not_summed():
    """Text has a count, a first and a last; what needs numbers leaves it out."""
    plan = WindowPlan.of({"n": ("count", "t"), "sum": ("sum", "t"), "final": ("last", "t")}, length=10 * SECOND)
    closed, _, _ = run(plan, [(0, [(T0, "on"), (T0 + 1, 2.0), (T0 + 2, "off")]), (99 * SECOND, [])])
    assert closed[0].values == {"n": 3.0, "sum": 2.0, "final": "off"}
