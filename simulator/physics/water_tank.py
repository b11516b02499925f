"""A water tank: a pump fills it, consumers draw from it through a valve, and the line behind the valve may leak."""

from __future__ import annotations

import math
from typing import Literal

import msgspec
from pydantic import Field

from gateway.findings import Checked, Duration
from simulator.nanoseconds import HOUR
from simulator.physics.physics import STEP, Physics, kilowatt_hours
from simulator.physics.sun import waver

_DENSITY = 998.2
"""Of water at 20 °C, in kg/m³."""
_GRAVITY = 9.80665
"""Standard gravity, in m/s²."""
_STEP_HOURS = STEP / HOUR


class LeakSpec(Checked):
    """A hole in the line behind the valve: nothing leaks while the valve is shut."""

    at: Duration = Field(description="How long after the start it breaks.")
    rate: float = Field(gt=0, description="What it loses of a full tank, in m³/h; less of one that is less full.")


class WaterTankSpec(Checked):
    """A standing tank with a pump. Real time, but slim, so that it runs dry within a minute instead of within the day."""

    kind: Literal["water_tank"]
    area: float = Field(default=0.03, gt=0, description="Its cross-section, in m².")
    height: float = Field(default=2.0, gt=0, description="How high it can be filled before it runs over, in m.")
    start: float = Field(default=60.0, ge=0, le=100, description="How full it is at first, in percent.")
    demand: float = Field(default=2.4, ge=0, description="What consumers draw while the valve is open and there is water, in m³/h.")
    unrest: float = Field(default=0.25, ge=0, le=1, description="How far that wavers, as a part of itself.")
    supply: float = Field(default=6.0, ge=0, description="What the pump delivers, in m³/h.")
    leak: LeakSpec | None = Field(default=None, description="A leak behind the valve. Absent: there is none.")
    pump_power: float = Field(default=750.0, ge=0, description="W.")


class _Tank(msgspec.Struct):
    """m³ (in the tank, counted by the meters at pump and valve, run over), part of the demand, kWh."""

    volume: float
    came: float = 0.0
    went: float = 0.0
    overflow: float = 0.0
    unrest: float = 0.0
    energy: float = 0.0


class WaterTank(Physics):
    """The tank while it runs: what comes less what goes stays, and what does not fit runs over.

    The pressure at its bottom is that of the water above it (density times gravity times depth). A leak follows Torricelli's law: its rate goes with √h.

    >>> tank = WaterTank(WaterTankSpec(kind="water_tank"), seed=1)
    >>> tank.advance(200 * STEP)
    >>> round(tank.quantities()["level"])
    36
    """

    kind = "water_tank"
    actuators = ("pump", "valve")
    measures = (
        "level", "depth", "volume", "pressure", "flow_in", "flow_out", "demand", "water_leak", "volume_in", "volume_out", "overflow", "power",
        "energy",
    )  # fmt: skip
    on_at_rest = frozenset({"valve"})

    _now: _Tank

    def __init__(self, spec: WaterTankSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._spec: WaterTankSpec = spec
        self._full = spec.area * spec.height
        self._now = _Tank(volume=self._full * spec.start / 100)

    def quantities(self) -> dict[str, float]:
        """Say how things are: %, m, m³, hPa at the bottom, m³/h (in, out by the valve, of that to consumers), 1 where it leaks, m³ counted, W, kWh."""
        now, depth = self._now, self._now.volume / self._spec.area
        demand, leak = self._demand(), self._leak()
        return {
            "level": 100.0 * now.volume / self._full,
            "depth": depth,
            "volume": now.volume,
            "pressure": _DENSITY * _GRAVITY * depth / 100,
            "flow_in": self._supply(),
            "flow_out": demand + leak,
            "demand": demand,
            "water_leak": float(leak > 0),
            "volume_in": now.came,
            "volume_out": now.went,
            "overflow": now.overflow,
            "power": self._power(),
            "energy": now.energy,
        }

    def _power(self) -> float:
        return self._spec.pump_power if self.is_on("pump") else 0.0

    def _supply(self) -> float:
        return self._spec.supply if self.is_on("pump") else 0.0

    def _demand(self) -> float:
        if not self.is_on("valve"):
            return 0.0
        return min(self._spec.demand * (1.0 + self._now.unrest), self._now.volume / _STEP_HOURS)

    def _leak(self) -> float:
        leak = self._spec.leak
        if leak is None or self._elapsed < leak.at or not self.is_on("valve"):
            return 0.0
        return min(leak.rate * math.sqrt(self._now.volume / self._full), self._now.volume / _STEP_HOURS - self._demand())

    def _step(self) -> None:
        now = self._now
        came, went = self._supply() * _STEP_HOURS, (self._demand() + self._leak()) * _STEP_HOURS
        volume = max(0.0, now.volume - went) + came
        now.overflow += max(0.0, volume - self._full)
        now.volume = min(volume, self._full)
        now.came += came
        now.went += went
        now.energy += kilowatt_hours(self._power())
        now.unrest = waver(now.unrest, width=self._spec.unrest, dice=self._dice)
