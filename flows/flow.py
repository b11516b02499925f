"""A flow ready to run: what one file in `config/flows/` says, compiled. It holds no state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from devices.reading import Reading, Value
from flows.cases import Case
from flows.expressions import AggregateCall, Condition
from flows.templates import Template
from flows.triggers import Change, Trigger
from flows.windows import WindowPlan


@dataclass(frozen=True)
class Command:
    """What is asked of a device when an episode opens (`set`) and when it ends (`on_clear`, empty for nothing). Durations are ns."""

    device: Template
    set: Mapping[str, Value]
    on_clear: Mapping[str, Value]
    within: int
    retries: int
    expires: int


@dataclass(frozen=True)
class Flow:
    """One flow. `plan` is None for a flow without windows, which decides at every reading; `trigger` is None for one that only aggregates.

    Two flows with the same `fingerprint` can read each other's state: it covers select, group, window, aggregate and trigger.
    """

    name: str
    file: str
    about: str
    metrics: frozenset[str]
    where: Condition | None
    group: tuple[str, ...]
    plan: WindowPlan | None
    aggregates: Mapping[str, AggregateCall]
    trigger: Trigger | None
    severity: str
    alert: Template
    commands: tuple[Command, ...]
    fingerprint: str
    cases: tuple[Case, ...] = field(default=(), repr=False)

    def selects(self, reading: Reading) -> bool:
        """Tell whether the flow wants a reading, from what never changes within a series."""
        if reading.metric not in self.metrics:
            return False
        return self.where is None or self.where.holds(series_values(reading)) is True

    def message(self, change: Change, values: Mapping[str, Any]) -> str:  # noqa: ARG002 - raised and cleared read the same: the alert says which
        """Say what an alert says, with the values at that moment."""
        return self.alert.render(values)


def series_values(reading: Reading) -> dict[str, Any]:
    """Give the names that `where` knows. A unit that is not known is the empty text."""
    return {
        "device": reading.device,
        "metric": reading.metric,
        "channel": reading.channel,
        "unit": reading.unit or "",
        "labels": dict(reading.labels),
    }
