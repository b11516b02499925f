"""Shapes of a load: how many messages are due by when. Pure functions of time, exact, in whole ns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from gateway.findings import Checked, Duration, PositiveDuration
from simulator.nanoseconds import DAY, SECOND

Due = Callable[[int], int]
"""Gives how many messages are due before a time, in ns since the load began; it never falls."""

_PARTS = 1_000_000
"""Rates are taken to a millionth of a message a second, so that all sums are whole numbers."""


class Constant(Checked):
    """The same rate all the time."""

    kind: Literal["constant"] = Field(description="The same rate all the time.")

    def due(self, *, rate: float, devices: int) -> Due:  # noqa: ARG002  the other shapes need both
        return lambda t: _up(_parts(rate) * t, _PARTS * SECOND)


class Ramp(Checked):
    """A rate that climbs, or falls, in a straight line to `rate`, and stays there."""

    kind: Literal["ramp"] = Field(description="A rate that climbs, or falls, in a straight line to `rate`, and stays there.")
    begin: float = Field(default=0.0, ge=0, description="Messages a second at the beginning.")
    over: PositiveDuration = Field(description="How long it takes to come to `rate`.")

    def due(self, *, rate: float, devices: int) -> Due:  # noqa: ARG002
        begin, end, over = _parts(self.begin), _parts(rate), self.over
        whole = 2 * over * _PARTS * SECOND

        def due(t: int) -> int:
            sloping = min(t, over)
            return _up(2 * over * begin * sloping + (end - begin) * sloping * sloping + 2 * over * end * (t - sloping), whole)

        return due


class Burst(Checked):
    """A steady rate, and every so often many messages at once on top of it."""

    kind: Literal["burst"] = Field(description="A steady rate, and every so often many messages at once on top of it.")
    size: int = Field(ge=1, description="How many messages a burst has.")
    every: PositiveDuration = Field(description="How long from one burst to the next; the first comes after one such time.")

    def due(self, *, rate: float, devices: int) -> Due:  # noqa: ARG002
        return lambda t: _up(_parts(rate) * t, _PARTS * SECOND) + self.size * (max(t - 1, 0) // self.every)


class Midnight(Checked):
    """Every device once and all together, as meters do at midnight, and then silence until the next round."""

    kind: Literal["midnight"] = Field(description="All devices once, together, every period, as meters do at midnight. It has no `rate`.")
    every: PositiveDuration = Field(default=DAY, description="How long from one round to the next; the first begins at once.")
    over: Duration = Field(default=0, description="Over how long the reports of a round are spread; 0s: all at once.")

    def due(self, *, rate: float, devices: int) -> Due:  # noqa: ARG002
        def due(t: int) -> int:
            rounds, into = divmod(t, self.every)
            return rounds * devices + (min(devices, _up(devices * into, self.over)) if self.over else devices * (into > 0))

        return due


Shape = Annotated[Constant | Ramp | Burst | Midnight, Field(discriminator="kind")]


def when(due: Due, number: int, *, after: int = 0) -> int:
    """Give when message `number`, the first being 0, falls due: the last ns before which it is not. The search starts at `after`, in ns.

    >>> when(Constant(kind="constant").due(rate=1000.0, devices=1), 5)
    5000000
    """
    low, step = after, 1 << 20
    while due(low + step) <= number:
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if due(middle) <= number else (low, middle)
    return low


def _parts(rate: float) -> int:
    return round(rate * _PARTS)


def _up(number: int, by: int) -> int:
    """Divide and round up: a message is due from the moment on in which its part begins."""
    return -(-number // by)
