"""Parts whose point is how they go on: weather, duty, counters."""

import math
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.nanoseconds import SECOND
from simulator.signals import Counter, Duty, Signals, SignalSpec, Weather

bounded = settings(max_examples=100, deadline=None, derandomize=True)
few = settings(max_examples=20, deadline=None, derandomize=True)


def _values(spec, seconds, *, seed=1):
    signals = Signals({"x": spec}, seed=seed, device="a")
    return [signals.values(elapsed=int(n * SECOND), epoch=0, quantities={})["x"] for n in seconds]


@few
@given(deviation=st.floats(0.1, 10), memory=st.integers(60, 100_000), gaps=st.lists(st.floats(0.1, 2), min_size=1, max_size=6))
def test_weather_variance(deviation, memory, gaps):
    """Whatever the gaps between readings, it keeps its deviation, and of an earlier value what its memory says."""
    spec = SignalSpec(weather=Weather(deviation=deviation, memory=f"{memory}s"), decimals=9)
    times = [memory * sum(gaps[:n]) for n in range(len(gaps) + 1)]
    many = [_values(spec, times, seed=seed) for seed in range(1000)]
    variances = [sum(values[n] ** 2 for values in many) / 1000 / deviation**2 for n in range(len(times))]
    assert all(abs(variance - 1) < 0.25 for variance in variances), variances
    correlation = sum(values[0] * values[-1] for values in many) / 1000 / deviation**2
    assert abs(correlation - math.exp(-sum(gaps))) < 0.2


def test_weather_slow():
    """From one second to the next it moves little: sqrt(2 × gap / memory) of its deviation."""
    values = _values(SignalSpec(weather=Weather(deviation=2, memory="6h"), decimals=6), range(3600))
    moves = [after - before for before, after in pairwise(values)]
    assert abs(math.sqrt(sum(move * move for move in moves) / len(moves)) / (2 * math.sqrt(2 / 21_600)) - 1) < 0.1


def test_weather_time_back():
    """A time before the last one counts as the same time: the value stays."""
    values = _values(SignalSpec(weather=Weather(deviation=2), decimals=6), [100, 50, 100])
    assert values == [values[0]] * 3


@bounded
@given(on=st.integers(1, 60), off=st.integers(1, 60), wander=st.floats(0, 0.5), seed=st.integers(0, 1000))
def test_duty_proportions(on, off, wander, seed):
    """It is on for its part of the time, and no stretch is longer or shorter than it may stray."""
    spec = SignalSpec(duty=Duty(on=f"{on}s", off=f"{off}s", wander=wander))
    values = _values(spec, (n / 2 for n in range(100 * (on + off))), seed=seed)
    assert abs(sum(values) / len(values) - on / (on + off)) < 0.06
    stretches = _stretches(values)[1:-1]
    for value, count in stretches:
        mean = on if value else off
        assert mean * (1 - wander) - 0.5 <= count / 2 <= mean * (1 + wander) + 0.5


def test_duty_begins_anywhere():
    """The devices of a group do not switch together: at first so many are on as the cycle has of it."""
    first = [_values(SignalSpec(duty=Duty(on="1s", off="3s")), [0], seed=seed)[0] for seed in range(400)]
    assert 70 <= sum(first) <= 130


@bounded
@given(
    per_hour=st.floats(0.1, 1e5),
    wander=st.floats(0, 1),
    rollover=st.integers(1000, 65536),
    start=st.floats(0, 0.999),
    decimals=st.integers(0, 3),
    gaps=st.lists(st.integers(0, 10), min_size=2, max_size=50),
)
def test_counter_monotonic(per_hour, wander, rollover, start, decimals, gaps):
    """Between two readings it rises by no more than its speed allows, modulo the rollover, which it never reaches."""
    spec = SignalSpec(counter=Counter(per_hour=per_hour, wander=wander, rollover=rollover, start=start * rollover), decimals=decimals)
    values = _values(spec, [sum(gaps[:n]) for n in range(len(gaps))])
    unit = 10**-decimals
    for before, after, gap in zip(values, values[1:], gaps, strict=False):
        assert 0 <= after < rollover
        assert isinstance(after, int) == (decimals == 0)
        rise = round(after - before, 6) % rollover
        assert 0 <= rise <= per_hour * (1 + wander) * gap / 3600 + 1.001 * unit


def test_counter_rollover():
    """From its start it counts by the hour, and over its edge to 0."""
    spec = SignalSpec(counter=Counter(per_hour=120, start=65_530, rollover=65_536))
    assert _values(spec, range(0, 241, 60)) == [65_530, 65_532, 65_534, 0, 2]


def test_counter_read_often():
    """How often it is read does not change what it counts."""
    spec = SignalSpec(counter=Counter(per_hour=3600, start=5))
    assert _values(spec, (n / 10 for n in range(36_001)))[-1] == _values(spec, [3600])[0] == 3605


def test_counter_adds_up():
    """With `of` it is the other metric over time: 2 kW for half of an hour are a kilowatt-hour."""
    specs = {"power": SignalSpec(base=2000), "energy": SignalSpec(counter=Counter(of="power", per_hour=0.001), decimals=3)}
    signals = Signals(specs, seed=1, device="a")
    assert [signals.values(elapsed=n * SECOND, epoch=0, quantities={})["energy"] for n in (0, 900, 1800)] == [0.0, 0.5, 1.0]


def _stretches(values):
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return found
