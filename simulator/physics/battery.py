"""A battery with solar panels, a load that can be shed, and a charger on the grid or a generator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec
from pydantic import Field

from gateway.findings import Checked, PositiveDuration, Problem
from simulator.nanoseconds import HOUR, SECOND
from simulator.physics.physics import STEP, Physics, kilowatt_hours
from simulator.physics.sun import daylight, waver

_STEP_HOURS = STEP / HOUR
_FULL_SUN = 1000.0
"""Irradiance under which panels have the power on their label, in W/m² (IEC 60904-3)."""


class BatterySpec(Checked):
    """An off-grid house. Real time, but a day of minutes and a small battery, so that it is empty within the first night."""

    kind: Literal["battery"]
    start: float = Field(default=45.0, ge=0, le=100, description="How full it is at first, in percent.")
    capacity: float = Field(default=1.6, gt=0, description="What it holds, in Ah; a house's holds a hundred times as much.")
    empty_voltage: float = Field(default=48.0, gt=0, description="Its voltage at rest when it is empty, in V.")
    full_voltage: float = Field(default=53.6, gt=0, description="Its voltage at rest when it is full, in V.")
    resistance: float = Field(default=0.03, gt=0, description="Its inner resistance, in Ω.")
    panels: float = Field(default=2400.0, ge=0, description="What the panels give at noon under a clear sky, in W.")
    clouds: float = Field(default=0.15, ge=0, le=1, description="How far the sun wavers, as a part of itself.")
    day: PositiveDuration = Field(default=240 * SECOND, description="How long a day of the model lasts, half of it without sun.")
    hour: float = Field(default=17.0, ge=0, lt=24, description="Which hour of its 24 it is at first.")
    base_power: float = Field(default=350.0, ge=0, description="What the house draws whatever is shed, in W.")
    load_power: float = Field(default=900.0, ge=0, description="What the load draws while it is connected, in W.")
    charger_power: float = Field(default=1200.0, ge=0, description="What the charger gives while it is on, in W.")

    def rules(self) -> Iterator[Problem]:
        if self.full_voltage < self.empty_voltage:
            yield Problem(("full_voltage",), "full_voltage must be no lower than empty_voltage")


class _Bank(msgspec.Struct):
    """Ah, part of the sun, kWh."""

    charge: float
    cloud: float = 0.0
    pv_energy: float = 0.0
    charger_energy: float = 0.0
    load_energy: float = 0.0


class _Flows(msgspec.Struct):
    """What flows now: A into the battery, and W of the panels, the charger, and all consumers."""

    current: float
    pv: float
    charger: float
    load: float


class Battery(Physics):
    """The battery while it runs: what panels and charger give less what is drawn goes into it, as long as it can take or give that.

    The battery is a source with a resistance (the Rint model: Johnson, "Battery performance models in ADVISOR", Journal of Power Sources 110,
    2002): E rises in a line with the charge, and a power P at its terminals makes the current I of P = (E + R·I)·I. When it is full the charger
    tapers off first, then the panels; when it is empty the house has what panels and charger give.

    >>> house = Battery(BatterySpec(kind="battery"), seed=1)
    >>> house.advance(60 * SECOND)
    >>> house.quantities()["battery"] < 25
    True
    """

    kind = "battery"
    actuators = ("load", "charger")
    measures = (
        "battery", "voltage", "current", "power", "irradiance", "pv_power", "load_power", "charger_power", "pv_energy", "load_energy",
        "charger_energy",
    )  # fmt: skip
    on_at_rest = frozenset({"load"})

    _now: _Bank

    def __init__(self, spec: BatterySpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._spec: BatterySpec = spec
        self._now = _Bank(charge=spec.capacity * spec.start / 100)

    def quantities(self) -> dict[str, float]:
        """Say how things are: % of charge, V, A and W into the battery, W/m², W of panels, consumers and charger, and their kWh."""
        now, flows = self._now, self._flows()
        voltage = self._rest_voltage() + self._spec.resistance * flows.current
        return {
            "battery": 100.0 * now.charge / self._spec.capacity,
            "voltage": voltage,
            "current": flows.current,
            "power": voltage * flows.current,
            "irradiance": _FULL_SUN * self._sun(),
            "pv_power": flows.pv,
            "load_power": flows.load,
            "charger_power": flows.charger,
            "pv_energy": now.pv_energy,
            "load_energy": now.load_energy,
            "charger_energy": now.charger_energy,
        }

    def _sun(self) -> float:
        return max(0.0, 1.0 - self._now.cloud) * daylight(self._elapsed, day=self._spec.day, hour=self._spec.hour)

    def _rest_voltage(self) -> float:
        spec = self._spec
        return spec.empty_voltage + (spec.full_voltage - spec.empty_voltage) * self._now.charge / spec.capacity

    def _flows(self) -> _Flows:
        spec, voltage = self._spec, self._rest_voltage()
        pv = spec.panels * self._sun()
        charger = spec.charger_power if self.is_on("charger") else 0.0
        load = spec.base_power + (spec.load_power if self.is_on("load") else 0.0)
        # No step ends below empty or above full, and no battery gives more than E²/4R.
        least = max(0.0 - self._now.charge / _STEP_HOURS, -voltage / (2 * spec.resistance))
        most = (spec.capacity - self._now.charge) / _STEP_HOURS
        wanted = pv + charger - load
        if wanted > (voltage + spec.resistance * most) * most:
            surplus = wanted - (voltage + spec.resistance * most) * most
            tapered = min(charger, surplus)
            return _Flows(current=most, pv=pv - (surplus - tapered), charger=charger - tapered, load=load)
        if wanted < (voltage + spec.resistance * least) * least:
            lacking = (voltage + spec.resistance * least) * least - wanted
            return _Flows(current=least, pv=pv, charger=charger, load=load - lacking)
        current = (math.sqrt(voltage**2 + 4 * spec.resistance * wanted) - voltage) / (2 * spec.resistance)
        return _Flows(current=current, pv=pv, charger=charger, load=load)

    def _step(self) -> None:
        spec, now, flows = self._spec, self._now, self._flows()
        now.charge = min(max(now.charge + flows.current * _STEP_HOURS, 0.0), spec.capacity)
        now.pv_energy += kilowatt_hours(flows.pv)
        now.charger_energy += kilowatt_hours(flows.charger)
        now.load_energy += kilowatt_hours(flows.load)
        now.cloud = waver(now.cloud, width=spec.clouds, dice=self._dice)
