"""Aggregates against the standard library and numpy's definitions, and the contract that every one of them keeps."""

import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.aggregates import ACCUMULATORS, AGGREGATES, RELATIVE_ERROR, aggregate

numbers = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=200)
ORACLES = {
    "count": len,
    "sum": sum,
    "mean": statistics.fmean,
    "min": min,
    "max": max,
    "first": lambda v: v[0],
    "last": lambda v: v[-1],
    "stddev": lambda v: statistics.stdev(v) if len(v) > 1 else None,
}


def state_of(name, values, start=0):
    accumulator = ACCUMULATORS[AGGREGATES[name].accumulator]
    state = accumulator.new()
    for ts, value in enumerate(values, start):
        accumulator.add(state, value, ts)
    return state


@pytest.mark.parametrize("name", ORACLES)
@given(values=numbers)
def test_aggregate_agrees_with_its_oracle(name, values):
    """Each simple aggregate is what the standard library says."""
    expected = ORACLES[name](values)
    assert aggregate(name, values) == (expected if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-5))


@pytest.mark.parametrize(("name", "q"), [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)])
@given(values=numbers)
def test_percentile_is_within_its_error(name, q, values):
    """A percentile is within 2 % of the value at its rank."""
    exact = sorted(values)[int(q * (len(values) - 1))]
    assert aggregate(name, values) == pytest.approx(exact, rel=RELATIVE_ERROR + 1e-9)


@pytest.mark.parametrize("name", AGGREGATES)
@given(values=numbers, cut=st.integers(0, 200))
def test_aggregate_of_merged_parts_is_that_of_the_whole(name, values, cut):
    """Panes can be merged: two halves give what the whole gives."""
    cut = min(cut, len(values))
    left, right = state_of(name, values[:cut]), state_of(name, values[cut:], cut)
    ACCUMULATORS[AGGREGATES[name].accumulator].merge(left, right)
    whole = aggregate(name, values)
    merged = AGGREGATES[name].result(left)
    assert merged == (whole if whole is None else pytest.approx(whole, rel=1e-9, abs=1e-5))


@pytest.mark.parametrize("name", AGGREGATES)
def test_aggregate_keeps_the_contract(name):
    """Empty gives none (a count: 0), state survives MessagePack, reading it does not change it, and there is a word about it."""
    assert AGGREGATES[name].result(state_of(name, [])) in (None, 0.0)
    state = state_of(name, [3.0, -1.0, 0.0, 2.5])
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    assert again == state
    assert AGGREGATES[name].result(state) == AGGREGATES[name].result(state) == AGGREGATES[name].result(again)
    assert AGGREGATES[name].about


@pytest.mark.parametrize("name", ["p50", "p95", "p99"])
@given(values=numbers)
def test_percentile_does_not_hang_on_the_order(name, values):
    """The sketch is the same whatever the order, so that a replay gives the same bytes."""
    assert aggregate(name, values) == aggregate(name, sorted(values))
