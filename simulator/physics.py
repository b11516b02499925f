"""Physics that answer commands: what the devices of a scenario measure, and what its actuators change."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from gateway.findings import Checked, PositiveDuration
from simulator.nanoseconds import HOUR, SECOND
from simulator.signals import Dice

_STEP = SECOND // 10
_FULL_SUN = 60_000.0
"""Illuminance under glass at noon, in lux."""


class Air(Checked):
    """A state of air: °C and percent of relative humidity."""

    temperature: float = Field(gt=-60, lt=80, description="°C.")
    humidity: float = Field(ge=0, le=100, description="Percent of relative humidity.")


class GreenhouseSpec(Checked):
    """A glass house in the sun with one fan. Real time, but small and light, so that it warms within seconds instead of within the hour."""

    kind: Literal["greenhouse"]
    start: Air = Field(default=Air(temperature=24.0, humidity=62.0), description="The air inside at first.")
    outside: Air = Field(default=Air(temperature=15.0, humidity=65.0), description="The air outside.")
    sun: float = Field(default=22.0, ge=0, description="How many K above the outside the sun would heat it with the fan off.")
    clouds: float = Field(default=0.03, ge=0, le=1, description="How far the sun wavers, as a part of itself.")
    transpiration: float = Field(
        default=13.7, ge=0, description="How many g/m³ of water the plants would add to the outside air with the fan off."
    )
    inertia: PositiveDuration = Field(default=22 * SECOND, description="How long until 63 % of a change has come about, fan off.")
    ventilation: float = Field(default=1.8, ge=0, description="How many times the losses of the closed house the fan adds to them.")
    fan_power: float = Field(default=370.0, ge=0, description="W.")
    base_power: float = Field(default=120.0, ge=0, description="W that are drawn whether or not the fan runs.")


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


class Greenhouse:
    """The house while it runs: the sun heats, the walls lose, the fan ventilates, and the humidity follows.

    Time passes in steps of 100 ms, so that what happens does not depend on how often anybody looks.

    >>> house = Greenhouse(GreenhouseSpec(kind="greenhouse"), seed=1)
    >>> house.advance(12 * SECOND)
    >>> house.quantities()["temperature"] > 28
    True
    """

    actuators = ("fan",)
    measures = ("temperature", "humidity", "illuminance", "power", "energy", "fan_power")
    """What `quantities` gives."""

    def __init__(self, spec: GreenhouseSpec, *, seed: int) -> None:
        self._spec = spec
        self._dice = Dice.of(seed, "physics")
        self._steps = 0
        self._temperature = spec.start.temperature
        self._water = saturation(spec.start.temperature) * spec.start.humidity / 100
        self._cloud = 0.0
        self._fan = False
        self._energy = 0.0

    def advance(self, elapsed: int) -> None:
        """Let time pass until `elapsed` ns after the scenario's start."""
        while (self._steps + 1) * _STEP <= elapsed:
            self._step()
            self._steps += 1

    def switch(self, actuator: str, on: bool) -> None:
        """Turn an actuator on or off; ValueError when there is no such actuator here."""
        if actuator not in self.actuators:
            raise ValueError(f"greenhouse: no actuator {actuator!r}; got one of {', '.join(self.actuators)} to choose from")
        self._fan = on

    def is_on(self, actuator: str) -> bool:
        return actuator == "fan" and self._fan

    def quantities(self) -> dict[str, float]:
        """Say how things are: °C, %, lx, W (the whole house), kWh (the whole house), W (the fan alone)."""
        fan_power = self._spec.fan_power if self._fan else 0.0
        return {
            "temperature": self._temperature,
            "humidity": min(100.0, 100.0 * self._water / saturation(self._temperature)),
            "illuminance": _FULL_SUN * self._sun(),
            "power": self._spec.base_power + fan_power,
            "energy": self._energy,
            "fan_power": fan_power,
        }

    def state(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "temperature": self._temperature,
            "water": self._water,
            "cloud": self._cloud,
            "fan": self._fan,
            "energy": self._energy,
            "dice": self._dice.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state()`."""
        self._steps = int(state["steps"])
        self._temperature = float(state["temperature"])
        self._water = float(state["water"])
        self._cloud = float(state["cloud"])
        self._fan = bool(state["fan"])
        self._energy = float(state["energy"])
        self._dice.state = int(state["dice"])

    def _sun(self) -> float:
        return max(0.0, 1.0 - self._cloud)

    def _step(self) -> None:
        spec = self._spec
        # A cloud comes and goes within some ten seconds: a walk that is drawn back to a clear sky.
        self._cloud = min(max(0.99 * self._cloud + 0.14 * spec.clouds * self._dice.normal(), -spec.clouds), spec.clouds)
        losses = 1.0 + (spec.ventilation if self._fan else 0.0)
        time, inertia = _STEP / SECOND, spec.inertia / SECOND / losses
        self._temperature = relax(self._temperature, spec.outside.temperature + spec.sun * self._sun() / losses, time=time, inertia=inertia)
        outside = saturation(spec.outside.temperature) * spec.outside.humidity / 100
        self._water = relax(self._water, outside + spec.transpiration / losses, time=time, inertia=inertia)
        self._energy += self.quantities()["power"] / 1000 * _STEP / HOUR
