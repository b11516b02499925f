"""A flow ready to run: what one file in `config/flows/` says, compiled. It holds no state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from devices.reading import Reading, Value
from flows.cases import Case
from flows.detectors import Detector
from flows.expressions import Condition, Formula
from flows.flow_file import FlowSpec, Lookup
from flows.templates import Template
from flows.triggers import Trigger
from flows.windows import Windows


@dataclass(frozen=True)
class Command:
    """What is asked of a device when an episode opens (`set`) and when it ends (`on_clear`, empty for nothing). Durations are ns."""

    device: Template
    set: Mapping[str, Value | Template]
    on_clear: Mapping[str, Value | Template]
    within: int
    retries: int
    expires: int


class Republish(NamedTuple):
    """A value of each result that becomes a reading of its own."""

    metric: str
    value: Formula
    device: Template
    unit: str | None


@dataclass(frozen=True)
class Flow:
    """One flow. `windows` is None for a flow without windows, which decides at every reading; `trigger` is None for one that only computes.

    `shape` is what shapes its state, part by part, and `fingerprint` its hash: two flows with the same one can read each other's state.
    `uses` names what its expressions look at beyond the result itself: labels, prev, or metrics by their name.
    """

    name: str
    file: str
    about: str
    metrics: frozenset[str]
    where: Condition | None
    group: tuple[str, ...]
    lookups: Mapping[str, Lookup]
    windows: Windows | None
    derived: Mapping[str, Formula]
    detectors: Mapping[str, Detector]
    trigger: Trigger | None
    severity: str
    alert: Template
    commands: tuple[Command, ...]
    republished: tuple[Republish, ...]
    uses: frozenset[str]
    shape: Mapping[str, Any]
    fingerprint: str
    spec: FlowSpec

    @property
    def cases(self) -> tuple[Case, ...]:
        """The tests that its file carries."""
        return self.spec.tests

    @cached_property
    def remembers(self) -> bool:
        """Whether it compares with the result before."""
        return bool(self.uses & {"prev", "elapsed"})

    @cached_property
    def computes(self) -> bool:
        """Whether it adds names to a result: values looked up, derived, scored, or labels."""
        return bool(self.lookups or self.derived or self.detectors or "labels" in self.uses)

    def selects(self, reading: Reading) -> bool:
        """Tell whether the flow wants a reading, from what never changes within a series."""
        if reading.metric not in self.metrics:
            return False
        return self.where is None or self.where.holds(series_values(reading)) is True

    def looked_up(self, reading: Reading) -> tuple[str, ...]:
        """Give the names under which the flow looks a reading's series up."""
        return tuple(
            name
            for name, lookup in self.lookups.items()
            if (lookup.metric, lookup.channel) == (reading.metric, reading.channel) and lookup.device in {None, reading.device}
        )


def series_values(reading: Reading) -> dict[str, Any]:
    """Give the names that `where` knows. A unit that is not known is the empty text."""
    return {
        "device": reading.device,
        "metric": reading.metric,
        "channel": reading.channel,
        "unit": reading.unit or "",
        "labels": dict(reading.labels),
    }
