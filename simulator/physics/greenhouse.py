"""A greenhouse: the sun heats, the walls lose, the fan and the vent ventilate, the heater and the lamp stand in for the sun."""

from __future__ import annotations

from typing import Literal

import msgspec
from pydantic import Field

from gateway.findings import Checked, PositiveDuration
from simulator.nanoseconds import SECOND
from simulator.physics.air import Air, relative_humidity, relax
from simulator.physics.physics import STEP_SECONDS, Physics, kilowatt_hours
from simulator.physics.sun import daylight, waver

_FULL_SUN = 60_000.0
"""Illuminance under glass at noon, in lux."""


class GreenhouseSpec(Checked):
    """A glass house in the sun. Real time, but small and light, so that it warms within seconds instead of within the hour."""

    kind: Literal["greenhouse"]
    start: Air = Field(default=Air(temperature=24.0, humidity=62.0), description="The air inside at first.")
    outside: Air = Field(default=Air(temperature=15.0, humidity=65.0), description="The air outside.")
    sun: float = Field(default=22.0, ge=0, description="How many K above the outside the sun would heat it at noon with everything off.")
    clouds: float = Field(default=0.03, ge=0, le=1, description="How far the sun wavers, as a part of itself.")
    day: PositiveDuration | None = Field(
        default=None, description="How long a day of the model lasts, half of it without sun. Absent: it is always noon."
    )
    hour: float = Field(default=12.0, ge=0, lt=24, description="With a day: which hour of its 24 it is at first.")
    transpiration: float = Field(
        default=13.7, ge=0, description="How many g/m³ of water the plants would add to the outside air at noon with everything off."
    )
    inertia: PositiveDuration = Field(
        default=22 * SECOND, description="How long until 63 % of a change has come about, with fan and vent off."
    )
    ventilation: float = Field(default=1.8, ge=0, description="How many times the losses of the closed house the fan adds to them.")
    vent: float = Field(default=0.9, ge=0, description="How many times the losses of the closed house the open vent adds to them.")
    heating: float = Field(default=16.0, ge=0, description="How many K above the outside the heater would heat the closed house.")
    lamp_heating: float = Field(default=4.0, ge=0, description="How many K above the outside the lamp would heat the closed house.")
    lamp_light: float = Field(default=18_000.0, ge=0, description="What the lamp adds to the illuminance, in lx.")
    fan_power: float = Field(default=370.0, ge=0, description="W.")
    heater_power: float = Field(default=2000.0, ge=0, description="W.")
    lamp_power: float = Field(default=600.0, ge=0, description="W.")
    base_power: float = Field(default=120.0, ge=0, description="W that are drawn whatever runs.")


class _House(msgspec.Struct):
    """°C, g/m³, part of the sun, kWh."""

    temperature: float
    water: float
    cloud: float = 0.0
    energy: float = 0.0


class Greenhouse(Physics):
    """The house while it runs, as one store of heat and one of water: C·dT/dt = gains - losses·(T - outside), and so the water.

    >>> house = Greenhouse(GreenhouseSpec(kind="greenhouse"), seed=1)
    >>> house.advance(12 * SECOND)
    >>> house.quantities()["temperature"] > 28
    True
    """

    kind = "greenhouse"
    actuators = ("fan", "heater", "vent", "lamp")
    measures = ("temperature", "humidity", "illuminance", "power", "energy", "fan_power", "heater_power", "lamp_power")

    _now: _House

    def __init__(self, spec: GreenhouseSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._spec: GreenhouseSpec = spec
        self._now = _House(temperature=spec.start.temperature, water=spec.start.water)

    def quantities(self) -> dict[str, float]:
        """Say how things are: °C, %, lx, W and kWh of the whole house, and W of the fan, the heater and the lamp alone."""
        now = self._now
        return {
            "temperature": now.temperature,
            "humidity": relative_humidity(now.temperature, now.water),
            "illuminance": _FULL_SUN * self._sun() + self._if_on("lamp", self._spec.lamp_light),
            "power": self._power(),
            "energy": now.energy,
            "fan_power": self._if_on("fan", self._spec.fan_power),
            "heater_power": self._if_on("heater", self._spec.heater_power),
            "lamp_power": self._if_on("lamp", self._spec.lamp_power),
        }

    def _if_on(self, actuator: str, amount: float) -> float:
        return amount if self.is_on(actuator) else 0.0

    def _power(self) -> float:
        spec = self._spec
        drawn = self._if_on("fan", spec.fan_power) + self._if_on("heater", spec.heater_power) + self._if_on("lamp", spec.lamp_power)
        return spec.base_power + drawn

    def _daylight(self) -> float:
        return daylight(self._elapsed, day=self._spec.day, hour=self._spec.hour)

    def _sun(self) -> float:
        return max(0.0, 1.0 - self._now.cloud) * self._daylight()

    def _step(self) -> None:
        spec, now = self._spec, self._now
        now.cloud = waver(now.cloud, width=spec.clouds, dice=self._dice)
        losses = 1.0 + self._if_on("fan", spec.ventilation) + self._if_on("vent", spec.vent)
        gains = spec.sun * self._sun() + self._if_on("heater", spec.heating) + self._if_on("lamp", spec.lamp_heating)
        inertia = spec.inertia / SECOND / losses
        now.temperature = relax(now.temperature, spec.outside.temperature + gains / losses, time=STEP_SECONDS, inertia=inertia)
        water = spec.outside.water + spec.transpiration * self._daylight() / losses
        now.water = relax(now.water, water, time=STEP_SECONDS, inertia=inertia)
        now.energy += kilowatt_hours(self._power())
