"""Tracks: where a thing on a route is, how fast, and which way it goes."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simulator.nanoseconds import SECOND
from simulator.signals import Signals, SignalSpec, Track

RADIUS = 6_371_008.8
places = st.tuples(st.floats(-85, 85), st.floats(-180, 180)).map(lambda place: [round(part, 4) for part in place])

bounded = settings(max_examples=100, deadline=None, derandomize=True)


def _signals(*, device="a", **track):
    return Signals({"way": SignalSpec(track=Track(**track))}, seed=1, device=device)


def _at(signals, seconds):
    return signals.values(elapsed=int(seconds * SECOND), epoch=0, quantities={})


def _apart(one, other):
    """Metres between two places, by the haversine formula."""
    (a, b), (c, d) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * RADIUS * math.asin(min(1.0, math.sqrt(half)))


def _bearing(one, other):
    """Degrees clockwise from north, at the first place, towards the other."""
    (a, b), (c, d) = (tuple(map(math.radians, place)) for place in (one, other))
    east = math.sin(d - b) * math.cos(c)
    north = math.cos(a) * math.sin(c) - math.sin(a) * math.cos(c) * math.cos(d - b)
    return math.degrees(math.atan2(east, north)) % 360


def _place(values):
    return values["latitude"], values["longitude"]


@bounded
@given(first=places, last=places, part=st.floats(0, 0.99), speed=st.floats(0.5, 300))
def test_track_at_its_speed(first, last, part, speed):
    """On the way between two points it is as far from the first as its speed says, moves on by its speed, and heads for the last."""
    length = _apart(first, last)
    assume(1000 < length < 19_000_000)
    travel = _signals(points=[first, last], speed=speed, at_end="stop")
    seconds = part * length / speed
    step = min(100, length / speed - seconds)
    before, after = _at(travel, seconds), _at(travel, seconds + step)
    assert _apart(first, _place(before)) == pytest.approx(part * length, abs=0.3 + 1e-6 * length)
    assert _apart(_place(before), _place(after)) == pytest.approx(step * speed, abs=0.4)
    assert before["speed"] == speed
    if (1 - part) * length > 1000:
        assert abs((before["heading"] - _bearing(_place(before), last) + 180) % 360 - 180) < 0.1


@bounded
@given(points=st.lists(places, min_size=3, max_size=6, unique_by=tuple), start=st.floats(0, 1e6), at_end=st.sampled_from(["loop", "back"]))
def test_track_never_jumps(points, start, at_end):
    """At corners, ends and the date line it moves no faster than its speed."""
    assume(all(1 < _apart(one, other) < 19_900_000 for one, other in pairwise([*points, points[0]])))
    travel = _signals(points=points, speed=2000, at_end=at_end)
    track = [_place(_at(travel, start + 500 * n)) for n in range(60)]
    assert all(_apart(one, other) <= 1_000_000.4 for one, other in pairwise(track))


def test_track_loop():
    """A loop goes from the last point to the first, and round again; altitudes go along."""
    side = math.radians(1) * RADIUS  # along the equator and its meridians a degree is always as long
    travel = _signals(points=[[0, 0, 100], [0, 1, 300]], speed=side / 100)
    assert [_place(_at(travel, second)) for second in (0, 50, 100, 150, 200, 250)] == [(0, 0), (0, 0.5), (0, 1), (0, 0.5), (0, 0), (0, 0.5)]
    assert [_at(travel, second)["altitude"] for second in (0, 50, 150)] == [100, 200, 200]
    assert [_at(travel, second)["heading"] for second in (50, 150)] == [90, 270]


def test_track_back():
    """Back and forth it turns round at the ends."""
    side = math.radians(1) * RADIUS
    travel = _signals(points=[[0, 0], [1, 0], [3, 0]], speed=side / 100, at_end="back")
    assert [round(_at(travel, second)["latitude"], 3) for second in (50, 250, 350, 550, 650)] == [0.5, 2.5, 2.5, 0.5, 0.5]
    assert [_at(travel, second)["heading"] for second in (50, 350, 650)] == [0, 180, 0]


def test_track_stop():
    """A track that stops stays at its last point, at speed 0."""
    travel = _signals(points=[[50, 8], [50.01, 8]], speed=10, at_end="stop")
    arrived = _at(travel, 1000)
    assert (*_place(arrived), arrived["speed"]) == (50.01, 8, 0)


def test_track_over_the_date_line():
    """The shortest way from 179° east to 179° west is two degrees."""
    travel = _signals(points=[[0, 179], [0, -179]], speed=math.radians(1) * RADIUS / 100, at_end="back")
    assert [abs(_at(travel, second)["longitude"]) for second in (50, 100, 150)] == pytest.approx([179.5, 180, 179.5])


def test_track_over_the_pole():
    """A way over the pole arrives on the other side of it."""
    travel = _signals(points=[[89, 0], [89, 180]], speed=math.radians(1) * RADIUS / 100, at_end="back")
    assert _place(_at(travel, 150)) == pytest.approx((89.5, 180))


def test_track_error():
    """A position's error has its deviation in metres to the north and to the east, near the pole too."""
    travel = _signals(points=[[80, 20], [80, 20.0001]], speed=0.000001, error=5)
    found = [_place(_at(travel, second)) for second in range(2000)]
    north = [(latitude - 80) * math.radians(1) * RADIUS for latitude, _ in found]
    east = [(longitude - 20) * math.radians(1) * RADIUS * math.cos(math.radians(80)) for _, longitude in found]
    for errors in (north, east):
        assert math.sqrt(sum(error * error for error in errors) / 2000) == pytest.approx(5, rel=0.1)


def test_track_scattered():
    """Scattered devices begin at places of their own, on the route."""
    begins = {_at(_signals(device=f"t-{n}", points=[[0, 0], [0, 1]], speed=1, scattered=True), 0)["longitude"] for n in range(50)}
    assert len(begins) == 50
    assert all(0 <= longitude <= 1 for longitude in begins)
