"""Air: its state, how anything with one time constant follows, and how much water air can hold."""

from __future__ import annotations

import math

from pydantic import Field

from gateway.findings import Checked


class Air(Checked):
    """A state of air: °C and percent of relative humidity."""

    temperature: float = Field(gt=-60, lt=80, description="°C.")
    humidity: float = Field(ge=0, le=100, description="Percent of relative humidity.")

    @property
    def water(self) -> float:
        """The water in it, in g/m³."""
        return saturation(self.temperature) * self.humidity / 100


def relax(now: float, target: float, *, time: float, inertia: float) -> float:
    """Move from `now` towards `target` as anything with one time constant does; exact for any length of step.

    >>> round(relax(24.0, 37.0, time=22.0, inertia=22.0), 2)
    32.22
    """
    return target + (now - target) * math.exp(-time / inertia)


def saturation(temperature: float) -> float:
    """Give the water that air can hold, in g/m³ (Magnus formula over water, coefficients of Sonntag 1990).

    >>> round(saturation(20.0), 1)
    17.2
    """
    pressure = 611.2 * math.exp(17.62 * temperature / (243.12 + temperature))
    return pressure / (461.5 * (273.15 + temperature)) * 1000


def relative_humidity(temperature: float, water: float) -> float:
    """Give percent of relative humidity, of air with so many g/m³ of water; what it cannot hold has condensed."""
    return min(100.0, 100.0 * water / saturation(temperature))
