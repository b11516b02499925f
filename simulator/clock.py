"""What time it is in a simulated world: as fast as it should pass, and never ahead of the wall clock."""

from __future__ import annotations

from simulator.nanoseconds import DAY, SECOND

_BACKLOG = DAY


class Clock:
    """Turns the real time since the start (ns) into the world's, and says what the devices' clocks show at the start.

    At a speed above 1 the devices' clocks begin in the past, so that they show now when the run ends, or, for a run without an end, when a
    whole day has been caught up with; from there on the world keeps pace with the wall. A stamp ahead of now would be taken for a bad clock.

    >>> fast = Clock(now=1000 * SECOND, speed=10.0, seconds=60.0)
    >>> fast.start // SECOND, fast.passed(6 * SECOND) // SECOND
    (460, 60)
    """

    def __init__(self, *, now: int, speed: float = 1.0, seconds: float | None = None, start: int | None = None) -> None:
        """`start` is what the devices' clocks show at the start, in epoch ns; without it, it follows from the speed. ValueError in the future."""
        if start is not None and start > now:
            raise ValueError("the start must not be ahead of now")
        behind = 0 if speed <= 1 else _BACKLOG if seconds is None else round(seconds * SECOND * (speed - 1))
        self.start = now - behind if start is None else start
        self.follows = speed == 1 and start is None
        """Whether the devices follow the wall clock when it is set."""
        self._behind = now - self.start
        self._speed = speed

    @property
    def fast(self) -> bool:
        """Whether time passes faster than outside."""
        return self._speed > 1

    def passed(self, real: int) -> int:
        """Give how much time has passed in the world when `real` ns have passed outside."""
        return real + self._behind if self._live(real) else round(real * self._speed)

    def until(self, elapsed: int, *, real: int) -> float:
        """Give the real seconds from `real` until so much has passed in the world, or somewhat less."""
        return (elapsed - self.passed(real)) / SECOND / (1.0 if self._live(real) else self._speed)

    def _live(self, real: int) -> bool:
        """Tell whether the world has caught up with the wall."""
        return self._speed > 1 and real * self._speed >= real + self._behind
