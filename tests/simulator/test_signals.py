"""Signals: seeded, repeatable, bounded sums of parts, and what holds between those of one device."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.nanoseconds import DAY, HOUR, SECOND
from simulator.signals import (
    Counter,
    Daily,
    Dice,
    Duty,
    Follows,
    Signals,
    SignalSpec,
    Steps,
    Track,
    Walk,
    Weather,
    Weekly,
    problems_between,
)

FULL = SignalSpec(base=20, daily=Daily(amplitude=3), drift=0.5, walk=Walk(step=0.2, limit=1), noise=0.3)
EVERYTHING = {
    "temperature": FULL.model_copy(update={"weather": Weather(deviation=2, memory="1h"), "weekly": Weekly(sunday=0.2), "spread": 0.5}),
    "humidity": SignalSpec(base=90, follows=Follows(metric="temperature", times=-1.8, lag="10s"), low=0, high=100, noise=0.4),
    "pump": SignalSpec(duty=Duty(on="3s", off="5s", wander=0.5)),
    "power": SignalSpec(follows=Follows(metric="pump", times=370)),
    "energy": SignalSpec(counter=Counter(of="power", per_hour=0.001, rollover=100), decimals=3),
    "pulses": SignalSpec(counter=Counter(per_hour=7200, wander=0.9, rollover=10)),
    "way": SignalSpec(track=Track(points=[[47.0, 8.0, 400], [47.1, 8.2, 700]], speed=20, at_end="back", error=3, scattered=True)),
}

bounded = settings(max_examples=100, deadline=None, derandomize=True)


def _read(signals, seconds, quantities=None):
    return [signals.values(elapsed=int(n * SECOND), epoch=int(n * SECOND), quantities=quantities or {}) for n in seconds]


def _values(spec, seconds, *, seed=1, device="a"):
    return [values["x"] for values in _read(Signals({"x": spec}, seed=seed, device=device), seconds)]


def test_dice_reference():
    """The generator is SplitMix64: from state 0 it gives the published numbers."""
    dice = Dice(0)
    assert [int(dice.uniform() * 2**53) for _ in range(3)] == [0xE220A8397B1DCDAF >> 11, 0x6E789E6AA1B965F4 >> 11, 0x06C45D188009454F >> 11]


def test_dice_normal():
    """Rolls have the mean, the deviation and the tails of a normal number, within what 100,000 of them allow."""
    dice = Dice.of(1, "normal")
    rolls = [dice.normal() for _ in range(100_000)]
    mean = sum(rolls) / len(rolls)
    assert abs(mean) < 0.015
    assert abs(sum((roll - mean) ** 2 for roll in rolls) / len(rolls) - 1) < 0.02
    beyond = {bound: sum(abs(roll) > bound for roll in rolls) / len(rolls) for bound in (1, 2, 3)}
    assert beyond == pytest.approx({1: 0.3173, 2: 0.0455, 3: 0.0027}, rel=0.2)
    assert max(map(abs, rolls)) < 6


def test_signals_seeded():
    """The same seed and device give the same values; another seed or device gives others."""
    first = _read(Signals(EVERYTHING, seed=1, device="a"), range(50))
    assert _read(Signals(EVERYTHING, seed=1, device="a"), range(50)) == first
    for seed, device in ((2, "a"), (1, "b")):
        others = _read(Signals(EVERYTHING, seed=seed, device=device), range(50))
        assert all(others[n][metric] != first[n][metric] for n in (20, 40) for metric in ("temperature", "humidity", "latitude"))


def test_signals_metrics_apart():
    """What one metric does changes nothing of another: a metric taken out or read later in the list leaves the others as they were."""
    whole = _read(Signals(EVERYTHING, seed=1, device="a"), range(20))
    fewer = {metric: EVERYTHING[metric] for metric in ("humidity", "temperature")}
    assert _read(Signals(fewer, seed=1, device="a"), range(20)) == [
        {metric: values[metric] for metric in ("temperature", "humidity")} for values in whole
    ]


@bounded
@given(gaps=st.lists(st.floats(0, 1000), min_size=2, max_size=30), cut=st.integers(0, 29), seed=st.integers(0, 2**63))
def test_signals_resumed(gaps, cut, seed):
    """Signals that take up others' state, through JSON, go on exactly where those were."""
    times = [sum(gaps[:n]) for n in range(len(gaps))]
    expected = _read(Signals(EVERYTHING, seed=seed, device="a"), times)
    head, tail = Signals(EVERYTHING, seed=seed, device="a"), Signals(EVERYTHING, seed=seed, device="a")
    assert _read(head, times[:cut]) == expected[:cut]
    tail.restore(json.loads(json.dumps(head.state())))
    assert _read(tail, times[cut:]) == expected[cut:]


def test_signals_restored_without_a_part():
    """A state from before a metric or a part was added to the scenario is taken up as far as it goes."""
    before = Signals({"x": SignalSpec(walk=Walk(step=1, limit=50), decimals=6)}, seed=1, device="a")
    (*_, last) = _read(before, range(20))
    after = Signals({"x": SignalSpec(walk=Walk(step=1e-9, limit=50), weather=Weather(deviation=1e-9)), "y": FULL}, seed=1, device="a")
    after.restore(before.state())
    assert _read(after, [20])[0]["x"] == pytest.approx(last["x"], abs=0.01)


@bounded
@given(
    low=st.floats(-50, 50),
    span=st.floats(0, 50),
    noise=st.floats(0, 100),
    decimals=st.integers(0, 9),
    base=st.floats(-100, 100),
    seed=st.integers(0, 1000),
)
def test_signal_bounds_and_decimals(low, span, noise, decimals, base, seed):
    """Values stay within bounds, but for the rounding; without decimals they are integers, as devices say them."""
    spec = SignalSpec(base=base, noise=noise, low=low, high=low + span, decimals=decimals, drift=100, spread=5, walk=Walk(step=1, limit=9))
    for value in _values(spec, range(0, 7200, 600), seed=seed):
        assert low - 0.51 * 10**-decimals <= value <= low + span + 0.51 * 10**-decimals
        assert value == round(value, decimals)
        assert isinstance(value, int) == (decimals == 0)


def test_signal_measures():
    """A quantity of the physics is a part of the sum."""
    signals = Signals({"x": SignalSpec(measures="temperature", base=0.5)}, seed=1, device="a")
    assert _read(signals, [0], {"temperature": 20.0}) == [{"x": 20.5}]


def test_signal_drift():
    """Drift is per hour."""
    assert _values(SignalSpec(base=10, drift=-2), [3 * 3600]) == [4]


def test_signal_walk_limited():
    """A walk stays within its limit, and uses it."""
    walked = _values(SignalSpec(walk=Walk(step=1, limit=2)), range(500))
    assert (min(walked), max(walked)) == (-2, 2)


def test_signal_on_off():
    """Steps of true and false give booleans, and repeat."""
    assert _values(SignalSpec(steps=Steps(values=[True, True, False], every="2s")), range(8)) == [*[True] * 4, *[False] * 2, True, True]


def test_signal_numeric_steps():
    """Steps of numbers are a part of the sum."""
    assert _values(SignalSpec(base=1, steps=Steps(values=[0, 10], every="1s")), range(3)) == [1, 11, 1]


def test_signal_spread():
    """The devices of a group differ by constants of that deviation, each by one that stays."""
    spec = SignalSpec(base=20, spread=0.5, decimals=6)
    constants = [_values(spec, [0, 5000], device=f"t-{n:03}") for n in range(500)]
    assert all(first == last for first, last in constants)
    deviation = (sum((first - 20) ** 2 for first, _ in constants) / 500) ** 0.5
    assert deviation == pytest.approx(0.5, rel=0.15)


def test_signal_weekly():
    """A day's factor scales its rise over the lowest point, which stays, and between two days nothing jumps."""
    spec = SignalSpec(daily=Daily(amplitude=10, peak="14:00"), weekly=Weekly(saturday=0.3, sunday=0), decimals=6)
    signals = Signals({"x": spec}, seed=1, device="a")
    monday = 4 * DAY  # 1970-01-05

    def at(day, hour):
        return signals.values(elapsed=0, epoch=monday + day * DAY + int(hour * HOUR), quantities={})["x"]

    assert [at(day, 14) for day in range(8)] == pytest.approx([10, 10, 10, 10, 10, -4, -10, 10])
    assert [at(day, 2) for day in range(8)] == pytest.approx([-10] * 8)
    curve = [at(5, hour / 60) for hour in range(3 * 24 * 60)]
    assert max(abs(after - before) for before, after in pairwise(curve)) < 0.05


@bounded
@given(times=st.floats(-100, 100), base=st.floats(-100, 100), lag=st.none() | st.integers(1, 3600), seed=st.integers(0, 1000))
def test_follows_linear(times, base, lag, seed):
    """What follows is so many times the other, plus its own parts; with a lag, so many times what follows the other once."""
    specs = {
        "other": SignalSpec(base=5, walk=Walk(step=1, limit=20), noise=3, decimals=9),
        "plain": SignalSpec(base=5, walk=Walk(step=1, limit=20), decimals=9),
        "once": SignalSpec(follows=Follows(metric="plain", lag=lag), decimals=9),
        "x": SignalSpec(base=base, follows=Follows(metric="plain", times=times, lag=lag), decimals=9),
    }
    for values in _read(Signals(specs, seed=seed, device="a"), range(0, 600, 30)):
        assert values["x"] == pytest.approx(base + times * values["once"], abs=1e-6)
        if lag is None:
            assert values["once"] == values["plain"]


def test_follows_lagging():
    """After the lag, 63 % of a change has come about, however often it was read in between."""
    specs = {
        "other": SignalSpec(steps=Steps(values=[0, 100], every="60s")),
        "x": SignalSpec(follows=Follows(metric="other", lag="10s"), decimals=3),
    }
    for times in ([0, 59.999, 60, 69.999], [0, 59.999, *(60 + n / 2 for n in range(20)), 69.999]):
        assert _read(Signals(specs, seed=1, device="a"), times)[-1]["x"] == pytest.approx(63.2, abs=0.1)


def test_follows_without_noise():
    """A metric follows what there is, not the other sensor's noise."""
    specs = {"t": SignalSpec(base=20, noise=5), "x": SignalSpec(follows=Follows(metric="t", times=2))}
    assert {values["x"] for values in _read(Signals(specs, seed=1, device="a"), range(50))} == {40.0}


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        ({"base": 1, "steps": {"every": "1s", "values": [True]}}, "steps of true and false cannot be added to base"),
        ({"duty": {"on": "1s", "off": "1s"}, "noise": 1, "daily": {"amplitude": 1}}, "a duty cannot be added to daily, noise"),
        ({"counter": {"per_hour": 1}, "decimals": 1, "low": 0}, "a counter cannot be added to low"),
        ({"track": {"points": [[0, 0], [1, 1]], "speed": 1}, "decimals": 1}, "a track cannot be added to decimals"),
        ({"weekly": {"sunday": 0}}, "weekly needs daily"),
        ({"low": 5, "high": 4}, "high must not be below low, 5"),
        ({"counter": {"per_hour": 1, "start": 10, "rollover": 10}}, "start must be below the rollover, 10"),
        ({"daily": {"amplitude": 1, "peak": "3pm"}}, "must be a time of day like 14:30"),
        ({"track": {"points": [[91, 0], [0, 181]], "speed": 1}}, "latitude must be from -90 to 90; longitude must be from -180 to 180"),
        ({"track": {"points": [[1, 1], [2, 2, 3]], "speed": 1}}, "points must have an altitude all, or none"),
        ({"track": {"points": [[1, 1], [2, 2], [1, 1]], "speed": 1}}, "a loop returns to its first point by itself"),
        ({"track": {"points": [[1, 1], [1, 1]], "speed": 1, "at_end": "back"}}, "a point must be elsewhere than the one before it"),
        ({"track": {"points": [[0, 0], [0, 180]], "speed": 1}}, "a point must not be on the other side of the globe"),
    ],
)
def test_signal_rule(spec, fragment):
    """Each rule says what it wants."""
    with pytest.raises(ValueError) as error:
        SignalSpec.model_validate(spec)
    assert fragment in str(error.value)


@pytest.mark.parametrize(
    ("metrics", "at", "message"),
    [
        (
            {"a": {"follows": {"metric": "temprature"}}},
            ("a", "follows", "metric"),
            "the device has no such metric; did you mean 'temperature'?",
        ),
        ({"a": {"counter": {"of": "b", "per_hour": 1}}}, ("a", "counter", "of"), "the device has no such metric; known: a, temperature"),
        ({"a": {"follows": {"metric": "a"}}}, ("a", "follows", "metric"), "a metric must not follow itself: a → a"),
        (
            {"a": {"follows": {"metric": "b"}}, "b": {"counter": {"of": "a", "per_hour": 1}}},
            ("a", "follows", "metric"),
            "a metric must not follow itself: a → b → a",
        ),
        (
            {"speed": {"base": 1}, "gps": {"track": {"points": [[0, 0], [1, 1]], "speed": 1}}},
            ("gps",),
            "speed is given by speed already",
        ),
    ],
)
def test_problems_between(metrics, at, message):
    """Unknown leaders, circles and metrics that come twice are found at their place."""
    specs = {"temperature": SignalSpec(base=20), **{metric: SignalSpec.model_validate(spec) for metric, spec in metrics.items()}}
    (problem,) = problems_between(specs)
    assert (problem.at, problem.message) == (at, message)


def test_problems_between_none():
    """What follows a track's metric, a counter's or an on/off signal is sound, in any order."""
    specs = {"engine": SignalSpec(base=60, follows=Follows(metric="speed", times=2)), **EVERYTHING}
    assert list(problems_between(specs)) == []
    assert _read(Signals(specs, seed=1, device="a"), [1])[0]["engine"] == 100.0
