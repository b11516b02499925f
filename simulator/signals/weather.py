"""Slow, correlated drift, as weather has it: an Ornstein-Uhlenbeck process.

Source: D. T. Gillespie, "Exact numerical simulation of the Ornstein-Uhlenbeck process and its integral", Physical Review E 54 (1996).
Its update is exact for any length of step, so that how often anybody looks changes neither its deviation nor its memory.
"""

from __future__ import annotations

import math
from typing import Any

from pydantic import Field

from gateway.findings import Checked, PositiveDuration
from simulator.nanoseconds import HOUR
from simulator.signals.dice import Dice
from simulator.signals.part import Moment


class Weather(Checked):
    """A drift that comes and goes over hours, and returns to 0 in the end; the same however often it is read."""

    deviation: float = Field(gt=0, description="The standard deviation: two thirds of the time it is no further than this from 0.")
    memory: PositiveDuration = Field(default=6 * HOUR, description="How long until it remembers only 37 % of where it was.")


class Drifting:
    """Weather while it runs."""

    def __init__(self, spec: Weather, dice: Dice) -> None:
        self._spec = spec
        self._dice = dice
        self._now: float | None = None
        self._last = 0
        self._gap = -1
        self._keeps = self._adds = 0.0

    def at(self, moment: Moment) -> float:
        """Give how far from 0 it is; before the first reading it has been going on for ever."""
        if self._now is None:
            self._now = self._spec.deviation * self._dice.normal()
            self._last = moment.elapsed
        else:
            gap = max(0, moment.elapsed - self._last)
            self._last += gap
            self._measure(gap)
            self._now = self._keeps * self._now + self._adds * self._dice.normal()
        return self._now

    def state(self) -> dict[str, Any]:
        return {"now": self._now, "last": self._last}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._now, self._last = state["now"], state["last"]

    def _measure(self, gap: int) -> None:
        """Work out what a gap between readings (ns) keeps of the last one and adds at random: mostly it is the same gap again."""
        if gap != self._gap:
            self._gap = gap
            self._keeps = math.exp(-gap / self._spec.memory)
            self._adds = self._spec.deviation * math.sqrt(-math.expm1(-2 * gap / self._spec.memory))
