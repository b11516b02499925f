"""Every kind of windows and every aggregate against a slow reference, whatever came late, twice or not at all, and through a crash."""

import json
from collections import defaultdict
from copy import deepcopy
from datetime import timedelta
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from devices.reading import Reading
from flows.aggregates import AGGREGATES, AggregateCall, Columns
from flows.shard import Shard
from flows.slice import Slice
from flows.spec import read_flow
from flows.windows import CORRECTED, LATE, WINDOWED, CountWindows, Grid, SessionWindows, StateWindows, TimedWindows
from gateway.store.effects import Counted, WindowClosed

_SPEC = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
reference = module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

SECOND = 1_000_000_000
UNIT = SECOND // 4
T0 = 1_700_000_000 * SECOND
END = 10**9 * SECOND

METRICS = {"time_in_state": ("mode",), "duty_cycle": ("mode",), "correlation": ("t", "h")}
ASKED = {name: (name, METRICS.get(name, ("t",)), ()) for name in AGGREGATES if name[:1] != "p" or name in {"p01", "p50", "p90", "p99"}}
ASKED |= {
    "time_in_state": ("time_in_state", ("mode",), ("on",)),
    "time_off": ("time_in_state", ("mode",), ("off",)),
    "duty_cycle": ("duty_cycle", ("t",), ()),
    "ewma": ("ewma", ("t",), (5 * SECOND,)),
    "correlated": ("correlation", ("t", "h"), (SECOND,)),
    "modes": ("mode", ("mode",), ()),
    "humid": ("integral", ("h",), ()),
    "last_mode": ("last", ("mode",), ()),
}
COLUMNS = Columns({name: AggregateCall(*call) for name, call in ASKED.items()})

numbers = st.integers(-20, 40).map(lambda n: n / 2)
said = st.tuples(
    st.sampled_from(["a", "a", "a", "b"]),
    st.one_of(
        st.tuples(st.just("t"), st.one_of(numbers, numbers, numbers, st.sampled_from([True, False, "error", float("nan")]))),
        st.tuples(st.just("h"), numbers),
        st.tuples(st.just("mode"), st.sampled_from(["on", "on", "off", "?", 1.0])),
    ),
    st.one_of(st.integers(-8, 0), st.integers(-60, 8)),
    st.booleans(),
)
rows = st.lists(
    st.tuples(st.one_of(st.integers(0, 4), st.sampled_from([0, 30, 90])), st.one_of(st.just([]), st.lists(said, max_size=6))), max_size=40
)
waits = st.sampled_from([0, 0, 3, 11])
memories = st.sampled_from([0, 7, 20, 40, 400])
cuts = st.integers(0, 40)


def journal(rows, start=T0, unit=UNIT):
    """Make rows of (clock, [(group, metric, value, ts, received)]) of steps and offsets in units; a reading may come twice. The last row is silence."""
    made, at = [], 0
    for step, readings in rows:
        at += step
        now = start + at * unit
        row = [(group, *what, now + off * unit, now) for group, what, off, again in readings for _ in range(1 + again)]
        made.append((at * unit, row))
    return [*made, (END, [])]


def play(windows, rows, cut):
    """Move groups on as a shard does, with a crash before row `cut`; give what closed last of each end, by group, and how many were late."""
    groups, closed, places = {}, {}, []

    def give(name, clock):
        for one in windows.close(groups[name], clock):
            known = closed.setdefault(name, {})
            assert one.revision == (known[one.end].revision if one.end in known else 0) + 1
            assert one.readings or one.corrected
            known[one.end] = one

    for number, (clock, readings) in enumerate(rows):
        if number == cut:
            groups = msgspec.msgpack.decode(msgspec.msgpack.encode(groups))
        touched = {}
        for name, metric, value, ts, received in readings:
            group = groups.setdefault(name, windows.new())
            if windows.see(group, ts, received, clock):
                give(name, clock)
            places.append(windows.add(group, metric, value, ts=ts, evidence=received))
            if windows.ready(group):
                give(name, clock)
            touched[name] = None
        for name, group in groups.items():
            if name in touched or (windows.due(group) or END + 1) <= clock:
                give(name, clock)
            else:
                assert not list(windows.close(deepcopy(group), clock)), "it was due earlier than it said"
    assert set(places) <= {WINDOWED, CORRECTED, LATE}
    return {name: {end: one for end, one in known.items() if one.readings} for name, known in closed.items()}, places.count(LATE)


def check(got, late, expected):
    """Compare what closed last with the windows and the number of late readings that a reference gives by group."""
    assert late == sum(n for _, n in expected.values())
    assert {name for name, known in got.items() if known} == {name for name, (found, _) in expected.items() if found}
    for name, (found, _) in expected.items():
        known = got.get(name, {})
        assert sorted(known) == [window.end for window in found]
        for window in found:
            one = known[window.end]
            assert (one.start, one.readings) == (window.start, window.readings)
            same_values(one.values, window.values, ASKED)


def same_values(got, expected, asked):
    """Compare aggregates: percentiles within their 2 %, floats but for rounding, all else as it is."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if value is None or AGGREGATES[asked[name][0]].gives_values:
            assert got[name] == value, name
        else:
            rough = 0.0201 if name == "median" or name[1:].isdigit() else 1e-9
            assert got[name] == pytest.approx(float(value), rel=rough, abs=1e-9), name


def fixed_bounds(slide, panes):
    """Tell which windows of so many panes, counted from 1970, are over a time."""

    def bounds_of(ts):
        first = (ts // slide + 1) * slide
        return [(end - panes * slide, end) for end in range(first, first + panes * slide, slide)]

    return bounds_of


def fixed(rows, slide, panes, lateness, corrections):
    """Give tumbling (one pane) or sliding windows, and what they come to."""
    windows = TimedWindows(COLUMNS, Grid.of(slide, None), panes=panes, lateness=lateness, corrections=corrections)
    groups = reference.by_group(rows, lateness)
    return windows, {name: reference.timed(group, corrections, fixed_bounds(slide, panes), ASKED) for name, group in groups.items()}


def sessions(rows, gap, lateness, corrections):
    """Give session windows, and what they come to."""
    windows = SessionWindows(COLUMNS, gap=gap, lateness=lateness, corrections=corrections)
    groups = reference.by_group(rows, lateness)
    return windows, {name: reference.sessions(group, corrections, gap, ASKED) for name, group in groups.items()}


def counts(rows, length, slide, lateness):
    """Give count windows, and what they come to."""
    windows = CountWindows(COLUMNS, length=length, slide=slide, lateness=lateness)
    groups = reference.by_group(rows, lateness)
    return windows, {name: reference.counts(group, lateness, length, slide, ASKED) for name, group in groups.items()}


def warm(names):
    """Tell whether `t` is above 5 while the mode is not off; not to be told from a text, or where `t` has not been heard of."""
    if names.get("mode") == "off":
        return False
    return None if isinstance(names.get("t", ""), str) else names["t"] > 5


def states(rows, holds, lateness):
    """Give state windows, and what they come to."""
    windows = StateWindows(COLUMNS, holds, lateness=lateness)
    groups = reference.by_group(rows, lateness)
    return windows, {name: reference.states(group, lateness, holds, ASKED) for name, group in groups.items()}


def play_and_check(rows, cut, windows, expected):
    """Compare what windows give for the rows with what they come to."""
    check(*play(windows, rows, cut), expected)


@settings(deadline=None)
@given(rows=rows, shape=st.sampled_from([(10, 1), (4, 5), (12, 2), (40, 1)]), lateness=waits, corrections=memories, cut=cuts)
def test_tumbling_and_sliding_windows_are_the_references(rows, shape, lateness, corrections, cut):
    """Fixed windows end as sorting and computing has them: counted from 1970, of so many panes."""
    rows, (slide, panes) = journal(rows), shape
    play_and_check(rows, cut, *fixed(rows, slide * UNIT, panes, lateness * UNIT, corrections * UNIT))


@settings(deadline=None)
@given(rows=rows, gap=st.sampled_from([1, 3, 10]), lateness=waits, corrections=memories, cut=cuts)
def test_session_windows_are_the_references(rows, gap, lateness, corrections, cut):
    """Sessions end as sorting has them, whatever late readings extended, moved or merged on the way."""
    rows = journal(rows)
    play_and_check(rows, cut, *sessions(rows, gap * UNIT, lateness * UNIT, corrections * UNIT))


@settings(deadline=None)
@given(rows=rows, shape=st.sampled_from([(1, 1), (3, 3), (6, 4), (5, 1), (2, 5)]), lateness=waits, cut=cuts)
def test_count_windows_are_the_references(rows, shape, lateness, cut):
    """Windows of so many readings are cut out of the readings in order."""
    rows = journal(rows)
    play_and_check(rows, cut, *counts(rows, *shape, lateness * UNIT))


@settings(deadline=None)
@given(rows=rows, lateness=waits, cut=cuts)
def test_state_windows_are_the_references(rows, lateness, cut):
    """Windows that are open while a condition holds begin and end with the readings that change it."""
    rows = journal(rows)
    play_and_check(rows, cut, *states(rows, warm, lateness * UNIT))


def long_rows(seed):
    """Make a row every quarter of a second, of readings that come up to a minute late, with a silence, for a quarter of an hour."""
    chance = Random(seed)
    made = []
    for number in range(3600):
        readings = []
        if not 2000 < number < 2100:
            metric = chance.choice(["t", "h", "mode"])
            value = chance.choice(["on", "off", "?"]) if metric == "mode" else chance.randint(-20, 40) / 2
            readings = [("a", (metric, value), -chance.choice([0, 0, 0, 1, 8, 240]), chance.random() < 0.05)]
        made.append((1, readings))
    return journal(made)


LONG = {
    "tumbling": lambda rows: fixed(rows, 900 * UNIT, 1, 2 * UNIT, 80 * UNIT),
    "sliding": lambda rows: fixed(rows, 400 * UNIT, 3, 2 * UNIT, 80 * UNIT),
    "session": lambda rows: sessions(rows, 30 * UNIT, 2 * UNIT, 80 * UNIT),
    "count": lambda rows: counts(rows, 900, 300, 10 * UNIT),
    "state": lambda rows: states(rows, lambda names: names.get("t", 0) > -10, 10 * UNIT),
    "state that is long in coming": lambda rows: states(rows, lambda names: names.get("t", 0) > 19.5, 10 * UNIT),
}


@pytest.mark.parametrize("kind", LONG)
def test_long_windows_are_the_references(kind):
    """Windows of many hundred readings let go of their order on the way, and no result shows it; nor a crash in between."""
    rows = long_rows(seed=7)
    play_and_check(rows, 1700, *LONG[kind](rows))


BERLIN_SPRING, BERLIN_AUTUMN = ("Europe/Berlin", "2026-03-28T12:00"), ("Europe/Berlin", "2026-10-24T12:00")
HAVANA_SPRING, HAVANA_AUTUMN = ("America/Havana", "2026-03-07T18:00"), ("America/Havana", "2026-10-31T18:00")
LORD_HOWE = ("Australia/Lord_Howe", "2026-04-04T06:00")
TEN_MINUTES = 600 * SECOND
TWO_DAYS = [(0, [("a", ("t", 1.0), off, False) for off in range(300)])]


@cache
def edges_of(zone, every, start):
    """Walk along the wall clock, around where the readings are."""
    return reference.boundaries(ZoneInfo(zone), every, start - timedelta(days=12), 24 * 60)


@settings(deadline=None)
@example(rows=TWO_DAYS, length="day", place=BERLIN_SPRING, lateness=0, corrections=400, cut=0)
@example(rows=TWO_DAYS, length="day", place=BERLIN_AUTUMN, lateness=0, corrections=400, cut=0)
@example(rows=TWO_DAYS, length=1, place=BERLIN_AUTUMN, lateness=0, corrections=400, cut=0)
@given(
    rows=rows,
    length=st.sampled_from(["day", "week", 48, 1, 4]),
    place=st.sampled_from([BERLIN_SPRING, BERLIN_AUTUMN, HAVANA_SPRING, HAVANA_AUTUMN, LORD_HOWE]),
    lateness=waits,
    corrections=memories,
    cut=cuts,
)
def test_calendar_windows_are_the_references(rows, length, place, lateness, corrections, cut):
    """Days, weeks and parts of a day follow the wall clock, over the days on which it is put forward or back."""
    zone, start = place[0], reference.instant(place[1])
    edges = edges_of(zone, length if isinstance(length, str) else timedelta(hours=length), start)
    rows, lateness, corrections = (
        journal(rows, int(start.timestamp()) * SECOND, TEN_MINUTES),
        lateness * TEN_MINUTES,
        corrections * TEN_MINUTES,
    )

    def bounds_of(ts):
        return [(begin, end) for begin, end in pairwise(edges) if begin <= ts < end]

    grid = Grid.of(length if isinstance(length, str) else length * 3600 * SECOND, zone)
    windows = TimedWindows(COLUMNS, grid, lateness=lateness, corrections=corrections)
    groups = reference.by_group(rows, lateness)
    play_and_check(rows, cut, windows, {name: reference.timed(group, corrections, bounds_of, ASKED) for name, group in groups.items()})


CALLS = {"n": "count(temperature)", "warm": "mean(temperature)", "area": "integral(temperature)", "final": "last(temperature)"}
SIMPLE = {name: (text.partition("(")[0], ("temperature",), ()) for name, text in CALLS.items()}
WINDOWS = {
    "tumbling": "{kind: tumbling, length: 3s, lateness: 1s, corrections: 10s}",
    "sliding": "{kind: sliding, length: 6s, slide: 2s, corrections: 10s}",
    "session": "{kind: session, gap: 2s, lateness: 1s, corrections: 10s}",
    "count": "{kind: count, length: 4, slide: 2, lateness: 1s}",
    "state": "{kind: state, while: temperature > 5.0, lateness: 1s}",
}


@cache
def shard_flows():
    """Read a flow of each kind of windows."""
    with TemporaryDirectory() as folder:
        flows = []
        for kind, window in WINDOWS.items():
            path = Path(folder, f"{kind}.yaml")
            path.write_text(
                f"name: {kind}-windows\nselect: {{metrics: [temperature]}}\ngroup: [device]\nwindow: {window}\naggregate: {json.dumps(CALLS)}\n"
            )
            flow, findings = read_flow(path, root=Path(folder))
            assert not findings, findings
            flows.append(flow)
        return flows


def shard_expected(rows):
    """Give what the flows' windows come to, by flow and group."""
    sooner, later = reference.by_group(rows, 0), reference.by_group(rows, SECOND)
    for name, group in later.items():
        yield "tumbling", name, *reference.timed(group, 10 * SECOND, fixed_bounds(3 * SECOND, 1), SIMPLE)
        yield "sliding", name, *reference.timed(sooner[name], 10 * SECOND, fixed_bounds(2 * SECOND, 3), SIMPLE)
        yield "session", name, *reference.sessions(group, 10 * SECOND, 2 * SECOND, SIMPLE)
        yield "count", name, *reference.counts(group, SECOND, 4, 2, SIMPLE)
        yield "state", name, *reference.states(group, SECOND, lambda names: names["temperature"] > 5, SIMPLE)


said_warm = st.tuples(st.sampled_from("ab"), st.tuples(st.just("temperature"), numbers), st.integers(-60, 4), st.booleans())


@settings(deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from([0, 1, 2, 4, 30]), st.lists(said_warm, max_size=5)), max_size=40), cut=cuts)
def test_windows_of_a_shard_are_the_references(rows, cut):
    """A shard that crashes, and goes on from its snapshot, gives the windows that sorting and computing has; and counts what was late."""
    rows, shard = journal(rows), Shard(shard_flows())
    closed, late = defaultdict(dict), {}
    for number, (clock, readings) in enumerate(rows):
        if number == cut:
            shard = Shard(shard_flows(), shard.snapshot())
        items = [(flow.name, (("device", group),), _reading(group, *what)) for group, *what in readings for flow in shard_flows()]
        for effect in shard.step(Slice(0, T0 + clock, clock, live=True, tick=True, flush=True, items=items)):
            if isinstance(effect, WindowClosed):
                closed[effect.flow.removesuffix("-windows"), effect.group[0][1]][effect.end] = effect
            elif isinstance(effect, Counted) and effect.term == LATE:
                late[effect.scope.removesuffix("-windows"), effect.device] = effect.value
    for flow, group, windows, lates in shard_expected(rows):
        known = {end: one for end, one in closed[flow, group].items() if one.count}
        assert sorted(known) == [window.end for window in windows]
        assert late.get((flow, group), 0) == lates
        for window in windows:
            one = known[window.end]
            assert (one.start, one.count) == (window.start, window.readings)
            same_values(one.values, window.values, SIMPLE)


def _reading(device, metric, value, ts, received):
    return Reading(
        device=device,
        metric=metric,
        key=metric,
        value=value,
        raw_value=value,
        ts=ts,
        received=received,
        time_source="device",
        convention="test",
    )


def test_reference_asks_flows_for_nothing():
    """The reference is worth something only as long as it shares nothing with what it is compared with."""
    assert not [name for name in vars(reference) if "flows" in getattr(getattr(reference, name), "__module__", "")]
    assert "import flows" not in Path(reference.__file__).read_text()
    assert "from flows" not in Path(reference.__file__).read_text()
