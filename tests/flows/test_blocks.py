"""Panes merged ahead: a sliding window of many panes is what its readings are, whatever is remembered, and closes with few merges."""

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from flows.aggregates import AggregateCall, Columns, Span
from flows.windows import Grid, TimedWindows
from flows.windows.blocks import Merging, forget, merged, parts

CALLS = {
    name: AggregateCall.parse(text)
    for name, text in {
        "n": "count(t)", "mean": "mean(t)", "sd": "stddev(t)", "low": "min(t)", "first": "first(t)", "last": "last(t)", "mid": "median(t)",
        "often": "mode(t)", "kinds": "distinct(t)", "slope": "slope(t)", "ewma": "ewma(t, 20s)", "held": "time_weighted_mean(t)",
        "grown": "increase(t)", "together": "correlation(t, u)",
    }.items()
}  # fmt: skip
S = 1_000_000_000
PANES, SLIDE = 37, 10 * S


def test_parts_cover_a_range_once():
    """Every range is split into blocks that follow each other without a gap, at most two of a level."""
    for first in range(70):
        for last in range(first, 140):
            found = list(parts(first, last))
            covered = [pane for level, number in found for pane in range(number << level, (number + 1) << level)]
            assert covered == list(range(first, last))
            levels = [level for level, _ in found]
            assert all(levels.count(level) <= 2 for level in levels)


@given(values=st.lists(st.integers(0, 9), min_size=1, max_size=100), changes=st.lists(st.integers(0, 99), max_size=10))
def test_merged_ranges_follow_changes(values, changes):
    """A range is the sum of its panes, also after panes have changed, as long as their blocks are forgotten."""
    panes, blocks = {at: [value] for at, value in enumerate(values) if value}, {}
    merging = Merging(panes.get, lambda a, b: [a[0] + b[0]], lambda _: True)
    for change in [0, *changes]:
        panes[change % len(values)] = [change + 1]
        forget(blocks, change % len(values))
        for first in range(0, len(values), 7):
            expected = sum(panes.get(at, [0])[0] for at in range(first, len(values)))
            assert (merged(blocks, first, len(values), merging) or [0])[0] == expected


def test_a_window_of_many_panes_closes_with_few_merges():
    """Going on by one pane, a window of 1,024 panes takes a few merges and not a thousand."""
    merges = []
    merging = Merging(lambda at: [at], lambda a, b: merges.append(1) or [a[0] + b[0]], lambda _: True)
    blocks = {}
    for end in range(1_024, 1_024 + 512):
        assert merged(blocks, end - 1_024, end, merging) == [sum(range(end - 1_024, end))]
    assert len(merges) < 512 * 24 + 2_048


said = st.lists(st.tuples(st.integers(0, 9), st.integers(-200, 0), st.integers(0, 4), st.sampled_from("tu")), min_size=20, max_size=150)


@settings(
    phases=[Phase.reuse, Phase.generate], deadline=None, max_examples=25
)  # shrinking what is so large takes longer than looking at it
@given(said=said, cut=st.integers(0, 150))
def test_sliding_window_of_many_panes_is_what_its_readings_are(said, cut):
    """All aggregates of 37 panes, with late readings and a restart, are those of one pane that holds the same readings in order."""
    windows = TimedWindows(Columns(CALLS), Grid.of(SLIDE, None), panes=PANES, corrections=10_000 * S)
    group, clock, kept, final = windows.new(), 100_000 * S, [], {}
    for step, (passed, off, value, metric) in enumerate(said):
        clock += passed * S
        ts = clock + off * S
        if windows.see(group, ts, clock, clock):
            final |= {closed.end: closed for closed in windows.close(group, clock)}
        windows.add(group, metric, float(value), ts=ts, evidence=ts)
        kept.append((ts, step, metric, float(value)))
        final |= {closed.end: closed for closed in windows.close(group, clock)}
        if step == cut:
            group = msgspec.msgpack.decode(msgspec.msgpack.encode(group), strict=False)
    final |= {closed.end: closed for closed in windows.close(group, clock + 1_000 * S)}
    columns = Columns(CALLS)
    for end, closed in final.items():
        pane, start = columns.new(), end - PANES * SLIDE
        before = [None] * len(columns.newest(pane))
        for ts, _, metric, value in sorted(kept):
            if start <= ts < end:
                columns.add(pane, metric, value, ts)
        earlier = columns.new()
        for ts, _, metric, value in sorted(kept):
            if ts < start:
                columns.add(earlier, metric, value, ts)
        before = columns.newest(earlier)
        expected = columns.results(pane, Span(start, end), before)
        for name, value in expected.items():
            got = closed.values[name]
            assert got == value or (None not in {got, value} and abs(got - value) <= 1e-9 * max(1.0, abs(value))), (name, got, value)
        assert closed.readings == sum(start <= ts < end for ts, *_ in kept)
