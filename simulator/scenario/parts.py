"""What must be right between the parts of a scenario: between devices, and between them, the physics and the faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.findings import Problem, hint
from simulator.faults import AnyFault, FaultSpec
from simulator.physics import PHYSICS, AnyPhysics
from simulator.scenario.aim import aimless
from simulator.scenario.group import GroupSpec

_PHYSICS: TypeAdapter[AnyPhysics] = TypeAdapter(AnyPhysics)
_FAULT: TypeAdapter[Any] = TypeAdapter(AnyFault)


@dataclass(frozen=True)
class Parts:
    """The parts of a scenario with their places in its lists. `dim` names the devices of which something is not known, since it is wrong."""

    physics: AnyPhysics | None
    groups: list[tuple[int, GroupSpec]]
    faults: list[tuple[int, FaultSpec]]
    dim: tuple[str, ...] = ()
    dim_physics: bool = False

    @classmethod
    def sound(cls, data: dict[str, Any]) -> Parts:
        """Take what can be taken of a document that has findings, without what they are about."""
        physics, groups, faults, dim = None, [], [], []
        try:
            physics = None if data.get("physics") is None else _PHYSICS.validate_python(data["physics"])
            dim_physics = False
        except ValidationError:
            dim_physics = True
        for index, item in enumerate(_items(data, "devices")):
            try:
                groups.append((index, GroupSpec.model_validate(item)))
            except ValidationError:
                name = item.get("name") if isinstance(item, dict) else None
                dim.append(name if isinstance(name, str) else "*")
        for index, item in enumerate(_items(data, "faults")):
            try:
                faults.append((index, _FAULT.validate_python(item)))
            except ValidationError:
                continue
        return cls(physics, groups, faults, tuple(dim), dim_physics)

    def problems(self) -> Iterator[Problem]:
        """Give what is wrong between them, placed below the scenario."""
        yield from self._twice()
        for index, group in [] if self.dim_physics else self.groups:
            for problem in self._unphysical(group):
                yield replace(problem, at=("devices", index, *problem.at))
        members = [(group, name) for _, group in self.groups for name in group.names()]
        for index, fault in self.faults:
            if not any(name == "*" or fault.hits(name) or fault.hits(f"{name}-1") for name in self.dim):
                for problem in aimless(fault, members):
                    yield replace(problem, at=("faults", index, *problem.at))

    def _twice(self) -> Iterator[Problem]:
        names: set[str] = set()
        actors: set[str] = set()
        for index, group in self.groups:
            own = group.names()
            if not names.isdisjoint(own):
                yield Problem(("devices", index, "name"), "name must be unlike every other device's")
            if group.acts in actors:
                yield Problem(("devices", index, "acts"), "acts must be unlike every other device's")
            names.update(own)
            actors |= {group.acts} if group.acts else set()

    def _unphysical(self, group: GroupSpec) -> Iterator[Problem]:
        """Find what a device wants of the physics and does not get."""
        model = PHYSICS[self.physics.kind] if self.physics else None
        measures, actuators = (model.measures, model.actuators) if model else ((), ())
        whose = "the physics has" if model else "without physics there is"
        if group.acts is not None and group.acts not in actuators:
            yield Problem(("acts",), f"{whose} no such actuator{hint(group.acts, actuators)}")
        for metric, signal in group.metrics.items():
            if signal.measures is not None and signal.measures not in measures:
                at = ("metrics", metric, "measures")
                yield Problem(at, f"{whose} no such quantity{hint(signal.measures, measures)}")


def _items(data: dict[str, Any], key: str) -> list[Any]:
    listed = data.get(key)
    return listed if isinstance(listed, list) else []
