"""Physics that answer commands, by kind: what the devices of a scenario measure, and what its actuators change."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.physics.air import Air, relax, saturation
from simulator.physics.battery import Battery, BatterySpec
from simulator.physics.cold_room import ColdRoom, ColdRoomSpec
from simulator.physics.greenhouse import Greenhouse, GreenhouseSpec
from simulator.physics.physics import Physics
from simulator.physics.water_tank import WaterTank, WaterTankSpec

PHYSICS: dict[str, type[Physics]] = {model.kind: model for model in (Greenhouse, ColdRoom, WaterTank, Battery)}
"""By the name that `kind:` gives."""

AnyPhysics = Annotated[GreenhouseSpec | ColdRoomSpec | WaterTankSpec | BatterySpec, Field(discriminator="kind")]
"""What a scenario says of its physics."""


def made(spec: AnyPhysics, *, seed: int) -> Physics:
    """Set up the model that a spec is of."""
    return PHYSICS[spec.kind](spec, seed=seed)


__all__ = [
    "PHYSICS",
    "Air",
    "AnyPhysics",
    "Battery",
    "BatterySpec",
    "ColdRoom",
    "ColdRoomSpec",
    "Greenhouse",
    "GreenhouseSpec",
    "Physics",
    "WaterTank",
    "WaterTankSpec",
    "made",
    "relax",
    "saturation",
]
