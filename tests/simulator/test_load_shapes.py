"""Shapes of a load: how many messages are due by when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.load import LoadSpec
from simulator.load.shapes import when
from simulator.nanoseconds import HOUR, SECOND

DURATIONS = st.integers(1, 3600).map(lambda seconds: f"{seconds}s")
RATES = st.floats(0.01, 1e6)
SHAPES = st.one_of(
    st.builds(lambda rate: LoadSpec(rate=rate), RATES),
    st.builds(lambda rate, begin, over: LoadSpec(rate=rate, shape={"kind": "ramp", "begin": begin, "over": over}), RATES, RATES, DURATIONS),
    st.builds(
        lambda rate, size, every: LoadSpec(rate=rate, shape={"kind": "burst", "size": size, "every": every}),
        RATES,
        st.integers(1, 10**6),
        DURATIONS,
    ),
    st.builds(
        lambda devices, every, part: LoadSpec(devices=devices, shape={"kind": "midnight", "every": every, "over": every * part // 10}),
        st.integers(1, 10**6),
        st.integers(1, 3600),
        st.integers(0, 10),
    ),
)
TIMES = st.integers(0, 3 * HOUR)


@given(SHAPES, TIMES, TIMES)
def test_shape_never_falls(spec, one, other):
    """What is due stays due; at the very beginning nothing is."""
    due = spec.due()
    assert due(0) == 0
    assert due(min(one, other)) <= due(max(one, other))


@given(SHAPES, st.integers(0, 10**6))
def test_shape_when_is_the_inverse(spec, number):
    """A message is not due before its time, and is right after it; a search that starts there finds it again."""
    due = spec.due()
    at = when(due, number)
    assert due(at) <= number < due(at + 1)
    assert when(due, number, after=at) == at


@given(SHAPES, TIMES)
def test_shape_mean_rate(spec, t):
    """Over whole periods a shape gives what its figures say, up to the message that begins."""
    due, shape, seconds = spec.due(), spec.shape, t / SECOND
    match shape.kind:
        case "constant":
            expected = spec.rate * seconds
        case "ramp":
            sloping = min(seconds, shape.over / SECOND)
            at_end = shape.begin + (spec.rate - shape.begin) * sloping * SECOND / shape.over
            expected = (shape.begin + at_end) / 2 * sloping + spec.rate * (seconds - sloping)
        case "burst":
            expected = spec.rate * seconds + shape.size * (max(t - 1, 0) // shape.every)
        case "midnight":
            rounds = t // shape.every
            assert due(rounds * shape.every) == rounds * spec.devices
            ended = min(shape.over + 1, shape.every)  # where a round takes all its time, the next one begins with its end
            assert due(rounds * shape.every + ended) == (rounds + 1) * spec.devices
            return
    assert due(t) == pytest.approx(expected, rel=1e-4, abs=1.01)


def test_shape_exact_totals():
    """A rate times a time is that many messages, without an off-by-one of rounding."""
    assert LoadSpec(rate=4000).due()(SECOND // 2) == 2000
    assert LoadSpec(rate=0.1).due()(60 * SECOND) == 6
    assert LoadSpec(rate=100, shape={"kind": "ramp", "over": "10s"}).due()(20 * SECOND) == 1500
    assert LoadSpec(rate=10, shape={"kind": "burst", "size": 500, "every": "10s"}).due()(30 * SECOND) == 300 + 2 * 500
    assert LoadSpec(devices=7, shape={"kind": "midnight"}).due()(49 * HOUR) == 3 * 7


def test_spec_no_rate_has_no_times():
    """As fast as the broker takes them, nothing is due at any time."""
    assert LoadSpec().due() is None


@pytest.mark.parametrize(
    ("keys", "fragment"),
    [
        ({"devices": 2, "connections": 3}, "connections must not be more than the devices, 2"),
        ({"rate": 5, "shape": {"kind": "midnight"}}, "rate is not for midnight"),
        ({"shape": {"kind": "midnight", "every": "10s", "over": "11s"}}, "over must not be longer than every"),
        ({"shape": {"kind": "ramp", "over": "10s"}}, "a ramp needs the rate that it climbs to"),
        ({"shape": {"kind": "burst", "size": 9, "every": "10s"}}, "a burst needs the rate that its bursts come on top of"),
        ({"root": "a/+"}, "without + and #"),
        ({"root": "a//b"}, "without + and #"),
        ({"qos": 2}, "0 or 1"),
    ],
)
def test_spec_mistakes(keys, fragment):
    """What cannot be is said, with the rule."""
    with pytest.raises(ValidationError, match=fragment.replace("+", r"\+")):
        LoadSpec(**keys)
