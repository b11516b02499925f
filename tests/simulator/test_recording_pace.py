"""When a row's turn is, and by how much times may be shifted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.nanoseconds import HOUR, SECOND
from simulator.recordings.pace import Length, Pace
from simulator.recordings.row import Row
from simulator.recordings.speed import parse_speed


def _due(*rows):
    pace = Pace()
    return [pace.due(Row(at * SECOND, device, (), None if came is None else came * SECOND)) // SECOND for at, device, came in rows]


def test_pace_clock_steps_back():
    """Where the only clock steps back an hour, time goes on at its pace from where it is."""
    assert _due((7200, "a", None), (7500, "a", None), (3900, "a", None), (4200, "a", None)) == [0, 300, 300, 600]


def test_pace_devices_interleaved():
    """A device a little behind another holds nothing up, and is no clock that steps back."""
    assert _due((10, "a", None), (9, "b", None), (12, "a", None), (11, "b", None), (14, "a", None)) == [0, 0, 2, 2, 4]


def test_pace_messages_as_they_came():
    """Messages with old values, that came after a device's outage, are due when they came."""
    assert _due((100, "a", 100), (30, "b", 105), (40, "b", 106), (110, "a", 110)) == [0, 5, 6, 10]


@given(
    rows=st.lists(st.tuples(st.integers(0, 10 * HOUR), st.sampled_from("ab")), min_size=1, max_size=30),
    speed=st.none() | st.sampled_from([0.5, 1.0, 3.0, 60.0]),
)
def test_shift_never_ahead(rows, speed):
    """No row's time lies ahead of the moment at which it is said, and one more ns would put one there."""
    recording = [Row(at, device, ()) for at, device in rows]
    length, pace, start = Length.of(recording, speed), Pace(), 1_750_000_000 * SECOND
    ahead = [
        row.at + start + length.lead - (start + (0 if speed is None else int(due / speed)))
        for row, due in ((row, pace.due(row)) for row in recording)
    ]
    assert length.rows == len(rows)
    assert max(ahead) == 0


@pytest.mark.parametrize("speed", [1.0, 60.0, None])
def test_shift_last_is_now(speed):
    """At real speed and faster the last row is now when it is said."""
    recording = [Row(at * SECOND, "a", ()) for at in (0, 100, 400)]
    last = 0 if speed is None else int(400 * SECOND / speed)
    assert Length.of(recording, speed).lead + recording[-1].at == last


@pytest.mark.parametrize("written", ["0", "-1", "inf", "nan", "fast"])
def test_speed_unfit(written):
    """A speed is a number greater than 0."""
    with pytest.raises(ValueError, match=f"speed: must be a number greater than 0, or max; got {written}"):
        parse_speed(written)
