"""Aggregates against plain computations over the whole list, and the contract that every one of them keeps."""

import math
import statistics
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from flows.aggregates import AGGREGATES, AggregateCall, Columns, Span, aggregate
from flows.aggregates.sketch import RELATIVE_ERROR

SECOND = 10**9
START = 1_770_000_000 * SECOND
SPAN = Span(START - 60 * SECOND, START + 4_000 * SECOND)
EVERY = 60 * SECOND
TAU = 300 * SECOND

CALLS = {
    name: AggregateCall.parse(f"{name}(x)")
    for name in AGGREGATES
    if name not in {"time_in_state", "ewma", "correlation"} and name[1:] != "50"
} | {
    "in_a": AggregateCall.parse('time_in_state(x, "a")'),
    "in_true": AggregateCall.parse("time_in_state(x, true)"),
    "ewma": AggregateCall.parse("ewma(x, 5m)"),
    "correlation": AggregateCall.parse("correlation(x, y)"),
    "in_stretches": AggregateCall.parse("correlation(x, y, 1m)"),
}
EXACT = {
    "count",
    "min",
    "max",
    "range",
    "first",
    "last",
    "delta",
    "rate",
    "increase",
    "median",
    "mode",
    "distinct",
    "time_weighted_mean",
} | {
    *("integral", "duty_cycle", "in_a", "in_true"),
    *(name for name in CALLS if name[1:].isdigit()),
}
"""What is the same to the last bit, however the readings came; the others sum up floats as they come."""

numbers = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=200)
values = st.one_of(
    st.integers(-4_000, 4_000).map(lambda n: n / 4),
    st.integers(-5, 5),
    st.booleans(),
    st.sampled_from(["a", "b", "1", "true", ""]),
    st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0, None, 2**64 - 1]),
)


@st.composite
def readings(draw, max_size=40):
    """Readings of two metrics, in any order; no two of one metric and one time."""
    series = st.tuples(st.sampled_from(["x", "y"]), st.integers(0, 3_600), values)
    drawn = draw(st.lists(series, max_size=max_size, unique_by=lambda one: one[:2]))
    return [(metric, value, START + second * SECOND) for metric, second, value in drawn]


def pane_of(columns, stream):
    pane = columns.new()
    for metric, value, ts in stream:
        columns.add(pane, metric, value, ts)
    return pane


def results_of(stream, before=()):
    columns = Columns(CALLS)
    return columns.results(pane_of(columns, stream), SPAN, before)


def stored(pane):
    """A pane as a snapshot gives it back."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(pane))


def same(got, expected, *, exact=EXACT):
    """Compare results: to the last bit where order and grouping must not show, else as near as sums of floats are."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if name in exact or value is None or isinstance(value, str):
            assert (name, type(got[name]), got[name]) == (name, type(value), value)
        else:
            assert got[name] is not None, name
            assert got[name] == pytest.approx(value, rel=1e-6, abs=1e-6 * (1 + abs(value))), name


def finite(stream, metric="x"):
    """The numbers of a metric in order of time: [(ts, number)]."""
    usable = [(ts, v) for m, v, ts in stream if m == metric and not isinstance(v, str) and v is not None and math.isfinite(v)]
    return sorted((ts, int(v) if isinstance(v, bool) else v) for ts, v in usable)


def anything(stream, metric="x"):
    """The values of a metric in order of time, texts too: [(ts, value)]."""
    usable = [(ts, v) for m, v, ts in stream if m == metric and v is not None and (isinstance(v, str) or math.isfinite(v))]
    return sorted(usable, key=lambda point: point[0])


def held(points, end):
    """How long each value held: [(value, ns)]."""
    return [(v, following - ts) for (ts, v), (following, _) in pairwise([*points, (end, None)])]


def kind_of(value):
    return isinstance(value, str), isinstance(value, bool), value


def plain_mode(points):
    counts = Counter(kind_of(v) for _, v in points)
    if not counts:
        return None
    most = max(counts.values())
    best = min((k for k, n in counts.items() if n == most), key=lambda k: (k[0] or k[1], k[1], k[2]))[2]
    return best if isinstance(best, str | bool) else float(best)


def plain_slope(points):
    if len({ts for ts, _ in points}) < 2:
        return None
    times, numbers = [Fraction(ts, SECOND) for ts, _ in points], [Fraction(v) for _, v in points]
    mean, level = sum(times) / len(times), sum(numbers) / len(numbers)
    top = sum((t - mean) * (v - level) for t, v in zip(times, numbers, strict=True))
    return float(top / sum((t - mean) ** 2 for t in times))


def plain_correlation(stream, every):
    columns = []
    for metric in "xy":
        stretches = {}
        for ts, v in finite(stream, metric):
            stretches.setdefault(ts // every, []).append(Fraction(v))
        columns.append({at: sum(group) / len(group) for at, group in stretches.items()})
    both = sorted(columns[0].keys() & columns[1].keys())
    if len({columns[0][at] for at in both}) < 2 or len({columns[1][at] for at in both}) < 2:
        return None
    return statistics.correlation([float(columns[0][at]) for at in both], [float(columns[1][at]) for at in both])


def plain(stream):
    """Compute every aggregate from the sorted list."""
    points, texts, end = finite(stream), anything(stream), SPAN.end
    numbers = [v for _, v in points]
    covered = end - points[0][0] if points else 0
    area = sum(Fraction(v) * ns for v, ns in held(points, end))
    steps = list(pairwise(numbers))
    weights = [math.exp((ts - points[-1][0]) / TAU) for ts, _ in points]
    seconds = {state: sum(ns for v, ns in held(texts, end) if v == state) / SECOND if texts else None for state in ("a", True)}
    known = {
        "count": float(len(texts)),
        "sum": float(sum(map(Fraction, numbers))) if numbers else None,
        "mean": statistics.fmean(numbers) if numbers else None,
        "min": float(min(numbers)) if numbers else None,
        "max": float(max(numbers)) if numbers else None,
        "range": float(max(numbers) - min(numbers)) if numbers else None,
        "first": texts[0][1] if texts else None,
        "last": texts[-1][1] if texts else None,
        "delta": float(numbers[-1] - numbers[0]) if numbers else None,
        "rate": float((numbers[-1] - numbers[0]) / ((points[-1][0] - points[0][0]) / SECOND)) if steps else None,
        "variance": float(statistics.variance(map(Fraction, numbers))) if steps else None,
        "stddev": math.sqrt(statistics.variance(map(Fraction, numbers))) if steps else None,
        "slope": plain_slope(points),
        "mode": plain_mode(texts),
        "time_weighted_mean": float(area / covered) if covered else None,
        "integral": float(area / (3_600 * SECOND)) if points else None,
        "duty_cycle": sum(ns for v, ns in held(points, end) if v) / covered if covered else None,
        "increase": float(sum(Fraction(b - a if b >= a else b) for a, b in steps)) if points else None,
        "in_a": seconds["a"],
        "in_true": seconds[True],
        "ewma": sum(w * v for w, v in zip(weights, numbers, strict=True)) / sum(weights) if points else None,
        "correlation": plain_correlation(stream, 1),
        "in_stretches": plain_correlation(stream, EVERY),
    }
    return {name: known[name] for name in CALLS if name in known}


@given(stream=readings())
@example(stream=[("x", True, START), ("x", 1.0, START + SECOND), ("x", "1", START + 2 * SECOND)])
@example(stream=[("x", 5.0, START), ("x", 3.0, START + 2 * SECOND), ("x", 9.0, START + SECOND), ("y", 1, START), ("y", 4, START + SECOND)])
def test_aggregate_agrees_with_the_plain_computation(stream):
    """Every aggregate is what sorting the readings and computing by the book gives; texts and numbers that are not finite change no number."""
    assume(abs(sum(v for _, v in finite(stream))) < 2**63)  # beside the largest counter, a float has no digits left for the others
    got = results_of(stream)
    expected = plain(stream)
    same({name: got[name] for name in expected}, expected, exact={"count", "min", "max", "first", "last", "mode", "in_a", "in_true"})


@given(stream=readings())
def test_percentile_is_within_its_error(stream):
    """A percentile is within 2 % of the value at its rank, and the median is p50."""
    ranked = sorted(v for _, v in finite(stream))
    got = results_of(stream)
    for percent in (1, 25, 75, 99):
        exact = ranked[int(percent / 100 * (len(ranked) - 1))] if ranked else None
        assert got[f"p{percent:02}"] == (exact if exact is None else pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9))
    assert got["median"] == aggregate("p50", [v for _, v in finite(stream)])


@given(stream=readings())
def test_distinct_counts_few_almost_exactly(stream):
    """A handful of values is counted right but for two that meet in one register; 1, 1.0 and true are numbers or truth as they say."""
    kinds = {(isinstance(v, str), isinstance(v, bool), v) for _, v in anything(stream)}
    assert abs(results_of(stream)["distinct"] - len(kinds)) <= 1


@pytest.mark.parametrize("n", [100, 3_000, 10_000, 30_000, 200_000])
def test_distinct_counts_many_within_its_error(n):
    """Nowhere, not where registers begin to fill up either, is the estimate off by more than four standard errors."""
    columns = Columns({"n": AggregateCall.parse("distinct(x)")})
    pane = columns.new()
    for number in range(n):
        columns.add(pane, "x", number, number)
    assert columns.results(pane, Span(0, n))["n"] == pytest.approx(n, rel=0.065)
    assert len(pane[0][0]) <= 4_096


@given(stream=readings(), cuts=st.lists(st.integers(0, 3_600), max_size=4))
def test_aggregate_of_merged_panes_is_that_of_the_whole(stream, cuts):
    """However time is cut into panes, merging them gives what the whole gives, and leaves the later pane as it was."""
    columns = Columns(CALLS)
    bounds = [SPAN.start, *sorted(START + cut * SECOND for cut in cuts), SPAN.end]
    merged = columns.new()
    for start, end in pairwise(bounds):
        pane = pane_of(columns, [one for one in stream if start <= one[2] < end])
        before = stored(pane)
        columns.merge(merged, pane)
        assert pane == before
    same(columns.results(merged, SPAN), results_of(stream))


@given(stream=readings(), seed=st.randoms(use_true_random=False))
def test_aggregate_does_not_hang_on_the_order(stream, seed):
    """Any order of arrival gives the same: to the last bit, but for the rounding of sums of floats."""
    shuffled = seed.sample(stream, len(stream))
    same(results_of(shuffled), results_of(stream))


@given(stream=readings(), cut=st.integers(0, 40))
def test_state_survives_a_snapshot_at_any_point(stream, cut):
    """State is builtins: stored and read back after any reading, it goes on to the same results, to the last bit."""
    columns = Columns(CALLS)
    pane = stored(pane_of(columns, stream[:cut]))
    for metric, value, ts in stream[cut:]:
        columns.add(pane, metric, value, ts)
    same(columns.results(stored(pane), SPAN), results_of(stream), exact=set(CALLS))


@given(stream=readings(), horizons=st.lists(st.integers(0, 3_600), max_size=4), cut=st.integers(0, 3_600), late=readings(max_size=5))
def test_fold_never_shows_in_a_result(stream, horizons, cut, late):
    """Folding panes as the horizon moves on, then merging them, gives to the last bit what readings kept one by one give.

    Readings older than the horizon are left out of what keeps order, be it folded or not, and count in all else.
    """
    columns = Columns(CALLS)
    folded, kept = [columns.new(), columns.new()], [columns.new(), columns.new()]
    stream = sorted(stream, key=lambda one: one[2])
    for horizon in sorted(START + second * SECOND for second in horizons):
        now, stream = [one for one in stream if one[2] < horizon], [one for one in stream if one[2] >= horizon]
        for panes in (folded, kept):
            for metric, value, ts in now:
                columns.add(panes[ts >= START + cut * SECOND], metric, value, ts)
            for metric, value, ts in late:
                columns.add(panes[ts >= START + cut * SECOND], metric, value, ts, aware=ts >= horizon)
        for pane in folded:
            columns.fold(pane, horizon)
            assert stored(pane) == pane
        late = []
    for panes in (folded, kept):
        for metric, value, ts in stream:
            columns.add(panes[ts >= START + cut * SECOND], metric, value, ts)
    assert [columns.newest(pane) for pane in folded] == [columns.newest(pane) for pane in kept]
    for panes in (folded, kept):
        columns.merge(panes[0], panes[1])
    same(columns.results(folded[0], SPAN), columns.results(kept[0], SPAN), exact=set(CALLS))


def test_fold_leaves_two_points_of_any_number():
    """Memory stays O(1) once readings are folded: the first of them, and the last, which holds on."""
    columns = Columns({"wh": AggregateCall.parse("integral(x)"), "on": AggregateCall.parse('time_in_state(x, "a")')})
    pane = pane_of(columns, [("x", second * 0.1, second * SECOND) for second in range(10_000)])
    columns.fold(pane, 10_000 * SECOND)
    assert len(msgspec.msgpack.encode(pane)) < 120


@given(stream=readings(), cut=st.integers(0, 3_600))
def test_window_looks_back_at_the_value_that_holds(stream, cut):
    """Two windows beside each other, the second looking back, cover what one window over both covers."""
    columns = Columns({name: CALLS[name] for name in ("integral", "increase", "in_a", "in_true")})
    middle = START + cut * SECOND
    early, late = (pane_of(columns, [one for one in stream if (one[2] >= middle) is side]) for side in (False, True))
    first = columns.results(early, Span(SPAN.start, middle))
    second = columns.results(late, Span(middle, SPAN.end), columns.newest(early))
    whole = columns.results(pane_of(columns, stream), SPAN)
    for name, value in whole.items():
        parts = [part for part in (first[name], second[name]) if part is not None]
        assert (sum(parts) if parts else None) == (value if value is None else pytest.approx(value))


def test_window_without_readings_is_what_holds_in_it():
    """Where nothing comes, the value before holds throughout."""
    calls = ["time_weighted_mean(x)", "integral(x)", "duty_cycle(x)", "increase(x)", "time_in_state(x, 5)", "time_in_state(x, 'a')"]
    columns = Columns({text: AggregateCall.parse(text) for text in calls})
    held_before = [[0, 5.0], [0, 5.0]]
    assert list(columns.results(columns.new(), Span(10 * SECOND, 20 * SECOND), held_before).values()) == pytest.approx(
        [5.0, 5 / 360, 1.0, 0.0, 10.0, 0.0]
    )


def test_span_of_no_time_has_no_mean_over_time():
    """One reading that holds for no time: no mean and no share, no area, no rise, no time in any state."""
    calls = ["time_weighted_mean(x)", "duty_cycle(x)", "integral(x)", "increase(x)", "time_in_state(x, 5)"]
    columns = Columns({text: AggregateCall.parse(text) for text in calls})
    pane = pane_of(columns, [("x", 5.0, SECOND)])
    assert list(columns.results(pane, Span(SECOND, SECOND)).values()) == [None, None, 0.0, 0.0, 0.0]


def test_readings_of_one_time_count_in_the_order_they_came():
    """Of two values of the same time the later one is the last, and the one that holds."""
    columns = Columns({text: AggregateCall.parse(text) for text in ("first(x)", "last(x)", "time_weighted_mean(x)", "increase(x)")})
    pane = pane_of(columns, [("x", 7.0, 5), ("x", 1.0, 0), ("x", 3.0, 0)])
    assert list(columns.results(pane, Span(0, 10)).values()) == [1.0, 7.0, 5.0, 6.0]


def test_aggregates_share_what_they_can():
    """One accumulator serves all readings of it; another metric or another parameter has its own."""
    calls = ["sum(x)", "mean(x)", "integral(x)", "increase(x)", "time_in_state(x, 'a')", "time_in_state(x, 'b')", "p95(x)", "median(x)"]
    assert len(Columns({text: AggregateCall.parse(text) for text in calls}).new()) == 4
    calls = ["ewma(x, 10s)", "ewma(x, 20s)", "mean(x)", "mean(y)"]
    columns = Columns({text: AggregateCall.parse(text) for text in calls})
    assert len(columns.new()) == 4
    assert columns.names == tuple(calls)
    assert not columns.timed


@pytest.mark.parametrize("name", CALLS)
def test_aggregate_keeps_the_contract(name):
    """Nothing seen gives none (a count: 0), reading does not change the state, and there is a word about it and how it is called."""
    columns = Columns({name: CALLS[name]})
    assert columns.results(columns.new(), SPAN)[name] == (0.0 if name in {"count", "distinct"} else None)
    pane = pane_of(columns, [("x", 3.0, START), ("x", "a", START + SECOND), ("y", 1.0, START), ("other", 9.0, START)])
    before = stored(pane)
    assert columns.results(pane, SPAN) == columns.results(pane, SPAN)
    assert pane == before
    wanted = AGGREGATES[CALLS[name].function]
    assert wanted.about
    assert all(AggregateCall.parse(usage).function == CALLS[name].function for usage in wanted.usage.split(" or "))


@pytest.mark.parametrize("extreme", [[1e308, 1e308, -1e308], [-1.7e308, 1.7e308], [1.7976931348623157e308] * 3, [5e-324, -5e-324]])
def test_result_beyond_a_float_is_none(extreme):
    """The largest and smallest floats make no aggregate fail, and no result that is not finite."""
    stream = [(metric, v, START + place * SECOND) for place, v in enumerate(extreme) for metric in "xy"]
    columns = Columns(CALLS)
    pane = pane_of(columns, stream)
    columns.fold(pane, START + 2 * SECOND)
    for result in columns.results(stored(pane), SPAN).values():
        assert result is None or isinstance(result, str | bool) or math.isfinite(result)


@pytest.mark.parametrize("name", ["sum", "mean", "min", "max", "range", "delta", "variance", "stddev", "time_weighted_mean", "integral"])
@given(values=numbers)
def test_aggregate_of_any_floats_agrees_with_its_definition(name, values):
    """Wide and odd floats, one second apart, give what exact fractions give."""
    exact = [Fraction(v) for v in values]
    variance = statistics.variance(exact) if len(exact) > 1 else None
    expected = {
        "sum": sum(exact),
        "mean": sum(exact) / len(exact),
        "min": min(exact),
        "max": max(exact),
        "range": max(exact) - min(exact),
        "delta": exact[-1] - exact[0],
        "variance": variance,
        "stddev": None if variance is None else math.sqrt(variance),
        "time_weighted_mean": sum(exact) / len(exact),
        "integral": sum(exact) / 3600,
    }[name]
    assert aggregate(name, values) == (None if expected is None else pytest.approx(float(expected), rel=1e-9, abs=1e-5))


@given(values=numbers)
def test_correlation_of_a_metric_with_its_own_multiple_is_one(values):
    """What moves together is correlated, whatever its scale; a metric that does not change is with nothing."""
    result = aggregate("correlation(x, y)", [(v, 3.0 * v) for v in values])
    assert result is None or result == pytest.approx(1.0)
    assert aggregate("correlation(x, y)", [(v, 0.1) for v in values]) is None
