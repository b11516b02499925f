"""A scenario: a fleet, the world that it measures, and what goes wrong; or a load."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ConfigDict, Field

from gateway.findings import Checked, Problem
from simulator.faults import AnyFault
from simulator.load import LoadSpec
from simulator.physics import AnyPhysics
from simulator.scenario.group import GroupSpec, Name
from simulator.scenario.parts import Parts


class Scenario(Checked):
    """A fleet and the world that it measures; or a load of messages that are ready beforehand."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["devices"]}, {"required": ["load"]}]})

    name: Name = Field(description="The scenario's name: the first level of plain topics.")
    about: str = Field(default="", description="A sentence for people.")
    seed: int = Field(default=1, description="The same seed gives the same messages.")
    physics: AnyPhysics | None = Field(default=None, description="The world that is measured, and that actuators change.")
    devices: list[GroupSpec] = Field(default_factory=list, description="The fleet: groups of devices that are alike.")
    faults: list[AnyFault] = Field(default_factory=list, description="What goes wrong, and when.")
    load: LoadSpec | None = Field(default=None, description="A load instead of a fleet: as many messages a second as it takes.")

    def rules(self) -> Iterator[Problem]:
        if self.load is not None:
            for key in {"devices", "faults", "physics"} & self.model_fields_set:
                yield Problem((key,), f"a load has no {key}: it is messages alone", key=True, show=False)
            return
        if not self.devices:
            yield Problem((), "a scenario needs devices, or load", show=False)
        yield from Parts(self.physics, list(enumerate(self.devices)), list(enumerate(self.faults))).problems()

    def members(self) -> list[tuple[GroupSpec, str]]:
        """Give every device: its group and its name, in order."""
        return [(group, name) for group in self.devices for name in group.names()]
