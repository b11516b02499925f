"""The simulated clock: as fast as asked for, and never ahead of the wall."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.clock import Clock
from simulator.nanoseconds import DAY, SECOND

NOW = 1_750_000_000 * SECOND


@settings(max_examples=200, deadline=None)
@given(
    speed=st.floats(0.01, 10_000),
    seconds=st.none() | st.floats(0.1, 100_000),
    real=st.lists(st.integers(0, 200_000 * SECOND), min_size=2, max_size=10),
)
def test_clock_never_ahead_of_the_wall(speed, seconds, real):
    """Whatever the speed: time never goes back, and the devices' clocks never show what the wall does not show yet (to the µs)."""
    clock = Clock(now=NOW, speed=speed, seconds=seconds)
    passed = [clock.passed(one) for one in sorted(real)]
    assert passed == sorted(passed)
    for one, elapsed in zip(sorted(real), passed, strict=True):
        if seconds is None or one <= seconds * SECOND:
            assert clock.start + elapsed <= NOW + one + 1000


def test_clock_ends_at_now():
    """A run of a minute at ten times the speed shows ten minutes, the last of them now."""
    clock = Clock(now=NOW, speed=10.0, seconds=60.0)
    assert clock.start == NOW - 540 * SECOND
    assert clock.start + clock.passed(60 * SECOND) == NOW + 60 * SECOND


def test_clock_catches_up_with_now():
    """A run without an end begins a day ago, and once it has caught up it keeps pace with the wall."""
    clock = Clock(now=NOW, speed=25.0)
    assert clock.start == NOW - DAY
    assert clock.start + clock.passed(3600 * SECOND) == NOW + 3600 * SECOND
    assert clock.start + clock.passed(5000 * SECOND) == NOW + 5000 * SECOND
    assert clock.until(clock.passed(5000 * SECOND), real=4990 * SECOND) == pytest.approx(10.0)


def test_clock_start_ahead_refused():
    """A start that is yet to come is refused."""
    with pytest.raises(ValueError, match="must not be ahead of now"):
        Clock(now=NOW, start=NOW + 1)
