"""A scenario: a fleet, the world that it measures, and what goes wrong; or a load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pydantic import ConfigDict, Field

from gateway.findings import Checked, Problem, hint
from simulator.faults import AnyFault
from simulator.load import LoadSpec
from simulator.physics import PHYSICS, AnyPhysics
from simulator.scenario.aim import aimless
from simulator.scenario.group import GroupSpec, Name


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
        yield from self._twice()
        for index, group in enumerate(self.devices):
            yield from self._physical(index, group)
        members = self.members()
        for index, fault in enumerate(self.faults):
            for problem in aimless(fault, members):
                yield replace(problem, at=("faults", index, *problem.at))

    def members(self) -> list[tuple[GroupSpec, str]]:
        """Give every device: its group and its name, in order."""
        return [(group, name) for group in self.devices for name in group.names()]

    def _twice(self) -> Iterator[Problem]:
        names: set[str] = set()
        actors: set[str] = set()
        for index, group in enumerate(self.devices):
            own = group.names()
            if not names.isdisjoint(own):
                yield Problem(("devices", index, "name"), "name must be unlike every other device's")
            if group.acts in actors:
                yield Problem(("devices", index, "acts"), "acts must be unlike every other device's")
            names.update(own)
            actors |= {group.acts} if group.acts else set()

    def _physical(self, index: int, group: GroupSpec) -> Iterator[Problem]:
        """Find what a device wants of the physics and does not get."""
        model = PHYSICS[self.physics.kind] if self.physics else None
        measures, actuators = (model.measures, model.actuators) if model else ((), ())
        whose = "the physics has" if model else "without physics there is"
        if group.acts is not None and group.acts not in actuators:
            yield Problem(("devices", index, "acts"), f"{whose} no such actuator{hint(group.acts, actuators)}")
        for metric, signal in group.metrics.items():
            if signal.measures is not None and signal.measures not in measures:
                at = ("devices", index, "metrics", metric, "measures")
                yield Problem(at, f"{whose} no such quantity{hint(signal.measures, measures)}")
