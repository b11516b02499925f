"""The sun of a model's day, and what wavers like clouds before it."""

from __future__ import annotations

import math

from simulator.signals import Dice


def daylight(elapsed: int, *, day: int | None, hour: float) -> float:
    """Say how much of its noon light the sun gives after `elapsed` ns, from 1 down to 0 at night; without a day it is always noon.

    `day` is how long a day lasts in ns, and `hour` the time of it at first, of 24. At an equinox the sine of the sun's elevation goes with
    the cosine of its hour angle (Duffie, Beckman, "Solar Engineering of Thermal Processes", eq. 1.6.5 with a declination of 0).

    >>> [round(daylight(quarter, day=4, hour=12.0), 3) for quarter in range(4)]
    [1.0, 0.0, 0.0, 0.0]
    >>> round(daylight(0, day=4, hour=8.0), 3)
    0.5
    """
    if day is None:
        return 1.0
    return max(0.0, math.cos(2 * math.pi * (elapsed % day / day + (hour - 12.0) / 24.0)))


def waver(now: float, *, width: float, dice: Dice) -> float:
    """Let 100 ms pass for what comes and goes within some ten seconds: a walk that is drawn back to 0, and never further off than `width`."""
    return min(max(0.99 * now + 0.14 * width * dice.normal(), -width), width)
