"""A cold room: heat comes in through walls and door, and a compressor takes it out again through an evaporator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from pydantic import Field

from gateway.findings import Checked, PositiveDuration, Problem
from simulator.nanoseconds import SECOND
from simulator.physics.air import Air, relative_humidity, relax, saturation
from simulator.physics.physics import STEP, STEP_SECONDS, Physics, kilowatt_hours
from simulator.physics.sun import waver


class DoorSpec(Checked):
    """Somebody who comes and goes: opens the door, and shuts it again."""

    every: PositiveDuration = Field(description="How often it is opened, the first time after so long.")
    open: PositiveDuration = Field(description="How long it then stays open, unless it is told to shut.")

    def rules(self) -> Iterator[Problem]:
        if self.open >= self.every:
            yield Problem(("open",), "open must be shorter than every")


class ColdRoomSpec(Checked):
    """A room for food at some 4 °C. Real time, but small and light, so that it warms within seconds instead of within the hour."""

    kind: Literal["cold_room"]
    start: Air = Field(default=Air(temperature=4.0, humidity=85.0), description="The air inside at first.")
    outside: Air = Field(default=Air(temperature=22.0, humidity=55.0), description="The air outside.")
    heat_capacity: float = Field(
        default=5.0, gt=0, description="What the air and the goods take up, in kJ/K; a thousand of it in a real room."
    )
    insulation: float = Field(default=40.0, ge=0, description="What comes in through the walls, in W for each K.")
    open_door: float = Field(default=60.0, ge=0, description="What the open door adds to that, in W for each K.")
    load: float = Field(default=120.0, ge=0, description="What people, lights and goods give off, in W.")
    unrest: float = Field(default=0.3, ge=0, le=1, description="How far that wavers, as a part of itself.")
    cooling: float = Field(
        default=2200.0, gt=0, description="What the compressor takes out of an evaporator at 0 °C, in W; less of a colder one."
    )
    coldest: float = Field(default=-25.0, gt=-80, lt=0, description="The evaporator's temperature at which it takes out no more, in °C.")
    evaporator_transfer: float = Field(default=250.0, gt=0, description="What goes from the room to its evaporator, in W for each K.")
    evaporator_capacity: float = Field(default=0.6, gt=0, description="What the evaporator takes up, in kJ/K.")
    breathing: PositiveDuration = Field(default=120 * SECOND, description="How long until 63 % of the air has been exchanged, door shut.")
    airing: PositiveDuration = Field(default=6 * SECOND, description="How long until 63 % of the air has been exchanged, door open.")
    drying: PositiveDuration = Field(
        default=10 * SECOND, description="How long until 63 % of the water that its cold evaporator can take from the air is on it."
    )
    door: DoorSpec | None = Field(default=None, description="When the door is opened. Absent: only when it is told to.")
    compressor_power: float = Field(default=900.0, ge=0, description="W.")
    base_power: float = Field(default=80.0, ge=0, description="W that are drawn whether or not the compressor runs: fans, lights.")

    def rules(self) -> Iterator[Problem]:
        # Steps of 100 ms follow what takes a second or longer, and swing up on what is faster.
        room = (self.insulation + self.open_door + self.evaporator_transfer) / 1000
        if self.heat_capacity < room:
            yield Problem(("heat_capacity",), f"heat_capacity must be at least {room:g}: the room would follow in less than 1 s")
        evaporator = (self.evaporator_transfer + self.cooling / -self.coldest) / 1000
        if self.evaporator_capacity < evaporator:
            yield Problem(
                ("evaporator_capacity",), f"evaporator_capacity must be at least {evaporator:g}: it would follow in less than 1 s"
            )


class _Room(msgspec.Struct):
    """°C, °C, g/m³, part of the load, kWh, and whether somebody has the door open."""

    temperature: float
    evaporator: float
    water: float
    unrest: float = 0.0
    energy: float = 0.0
    opened: bool = False


class ColdRoom(Physics):
    """The room while it runs, as two stores of heat, the room and its evaporator.

    Heat flows between them and from outside by Newton's law of cooling; the compressor takes the less out of the evaporator the colder that
    is, as the saturated gas that it sucks gets thinner. Water leaves the air where the evaporator is below its dew point.

    >>> room = ColdRoom(ColdRoomSpec(kind="cold_room"), seed=1)
    >>> room.advance(30 * SECOND)
    >>> round(room.quantities()["temperature"]), round(room.quantities()["humidity"])
    (8, 79)
    """

    kind = "cold_room"
    actuators = ("compressor", "door")
    measures = ("temperature", "humidity", "evaporator_temperature", "door", "cooling_power", "power", "energy")

    _now: _Room

    def __init__(self, spec: ColdRoomSpec, *, seed: int) -> None:
        super().__init__(spec, seed=seed)
        self._spec: ColdRoomSpec = spec
        self._now = _Room(temperature=spec.start.temperature, evaporator=spec.start.temperature, water=spec.start.water)

    def switch(self, actuator: str, on: bool) -> None:
        """Turn an actuator on or off; the door shuts whoever opened it."""
        super().switch(actuator, on)
        if actuator == "door" and not on:
            self._now.opened = False

    def is_on(self, actuator: str) -> bool:
        return super().is_on(actuator) or (actuator == "door" and self._now.opened)

    def quantities(self) -> dict[str, float]:
        """Say how things are: °C, %, °C, 1 for an open door, W of heat that the compressor takes out, W and kWh that are drawn."""
        now = self._now
        return {
            "temperature": now.temperature,
            "humidity": relative_humidity(now.temperature, now.water),
            "evaporator_temperature": now.evaporator,
            "door": float(self.is_on("door")),
            "cooling_power": self._cooling(),
            "power": self._power(),
            "energy": now.energy,
        }

    def _power(self) -> float:
        return self._spec.base_power + (self._spec.compressor_power if self.is_on("compressor") else 0.0)

    def _cooling(self) -> float:
        spec = self._spec
        if not self.is_on("compressor"):
            return 0.0
        return max(0.0, spec.cooling * (1.0 - self._now.evaporator / spec.coldest))

    def _step(self) -> None:
        now = self._now
        now.energy += kilowatt_hours(self._power())
        self._move_water()
        self._move_heat()
        now.unrest = waver(now.unrest, width=self._spec.unrest, dice=self._dice)
        self._move_door()

    def _move_heat(self) -> None:
        spec, now = self._spec, self._now
        passage = spec.insulation + (spec.open_door if self.is_on("door") else 0.0)
        comes_in = passage * (spec.outside.temperature - now.temperature) + spec.load * (1.0 + now.unrest)
        to_evaporator = spec.evaporator_transfer * (now.temperature - now.evaporator)
        cooling = self._cooling()
        now.temperature += (comes_in - to_evaporator) * STEP_SECONDS / 1000 / spec.heat_capacity
        now.evaporator += (to_evaporator - cooling) * STEP_SECONDS / 1000 / spec.evaporator_capacity

    def _move_water(self) -> None:
        spec, now = self._spec, self._now
        exchange = spec.airing if self.is_on("door") else spec.breathing
        water = relax(now.water, spec.outside.water, time=STEP_SECONDS, inertia=exchange / SECOND)
        dry = min(water, saturation(now.evaporator))
        water = relax(water, dry, time=STEP_SECONDS, inertia=spec.drying / SECOND)
        now.water = min(water, saturation(now.temperature))

    def _move_door(self) -> None:
        """Let somebody come or go as the step ends, once in each round."""
        door, now = self._spec.door, self._elapsed + STEP
        if door is None or now < door.every:
            return
        since = now % door.every
        if since < STEP:
            self._now.opened = True
        elif 0 <= since - door.open < STEP:
            self._now.opened = False
