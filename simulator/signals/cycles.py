"""Curves that come again: every day, and not on all days alike."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.findings import Checked
from simulator.nanoseconds import DAY, HOUR, SECOND
from simulator.signals.part import Moment

_THURSDAY = 3
"""1970-01-01, counted from Monday."""


def _clock(written: str) -> str:
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]", written) is None:
        raise ValueError("must be a time of day like 14:30")
    return written


class Daily(Checked):
    """A curve that repeats every day (UTC): highest at `peak`, lowest twelve hours later."""

    amplitude: float = Field(description="How far it goes up and down.")
    peak: Annotated[str, AfterValidator(_clock)] = Field(default="14:00", description="The time of day (UTC) when it is highest.")

    def since_peak(self, epoch: int) -> int:
        """Give the ns from the peak of 1970-01-01 to a moment."""
        hours, minutes = self.peak.split(":")
        return epoch - int(hours) * HOUR - int(minutes) * 60 * SECOND


class Weekly(Checked):
    """How high the daily curve rises on each day, as a factor: 0.2 on a Sunday leaves a fifth of a full day's rise. The lowest points stay."""

    monday: float = Field(default=1.0, ge=0, description="The factor of Mondays.")
    tuesday: float = Field(default=1.0, ge=0, description="The factor of Tuesdays.")
    wednesday: float = Field(default=1.0, ge=0, description="The factor of Wednesdays.")
    thursday: float = Field(default=1.0, ge=0, description="The factor of Thursdays.")
    friday: float = Field(default=1.0, ge=0, description="The factor of Fridays.")
    saturday: float = Field(default=1.0, ge=0, description="The factor of Saturdays.")
    sunday: float = Field(default=1.0, ge=0, description="The factor of Sundays.")

    def factors(self) -> tuple[float, ...]:
        """Give the seven of them, Monday first."""
        return self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday


class Cycle:
    """A daily curve, higher on some days of the week than on others.

    A day's factor holds from one lowest point to the next, since there the curve is the same whatever the factor: so it never jumps.

    >>> office = Cycle(Daily(amplitude=4, peak="12:00"), Weekly(thursday=0.5))
    >>> [office.at(Moment(elapsed=0, epoch=hour * HOUR, quantities={}, levels={})) for hour in (0, 12, 24, 36)]
    [-4.0, 0.0, -4.0, 4.0]
    """

    def __init__(self, daily: Daily, weekly: Weekly | None) -> None:
        self._amplitude = daily.amplitude
        self._first_peak = -daily.since_peak(0)
        self._factors = None if weekly is None else weekly.factors()

    def at(self, moment: Moment) -> float:
        since = moment.epoch - self._first_peak
        wave = math.cos(2 * math.pi * (since % DAY) / DAY)
        if self._factors is None:
            return self._amplitude * wave
        weekday = (_THURSDAY + (since + DAY // 2) // DAY) % 7
        return self._amplitude * (self._factors[weekday] * (1 + wave) - 1)
