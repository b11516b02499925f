"""One fault of one device while it lasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from simulator.dialect import Dialect, Outgoing, Value
from simulator.faults.spec import FaultSpec, ValueFaultSpec
from simulator.signals import Dice

S = TypeVar("S", bound=FaultSpec)
V = TypeVar("V", bound=ValueFaultSpec)


class Host(Protocol):
    """The device that has the fault."""

    name: str
    dialect: Dialect
    last: Mapping[str, Value]
    """What it measured last."""

    def like(self, name: str) -> Dialect:
        """Give a dialect as it speaks, for a device of another name."""


class Fault(Generic[S]):
    """Stands between what a device means to do and what comes of it. Each kind changes one of the steps; times are elapsed ns.

    `device` is what Sluice calls it. `touched` counts the reports, messages or commands that are not what they would have been.
    """

    interval: int | None = None
    """Reports come this often (ns) beside the usual ones."""
    delay: int = 0
    """ns by which an actuator acts later."""

    def __init__(self, spec: S, *, device: str, metric: str | None, start: int, end: int, dice: Dice) -> None:
        self.spec = spec
        self.device = device
        self.metric = metric
        self.start = start
        self.end = end
        self.continued = False
        """Whether it was under way already when the world was taken up again: another label tells of its first part."""
        self.touched = 0
        self.topics: set[str] = set()
        """Where payloads were damaged: what cannot be decoded does not say whose it is."""
        self._dice = dice

    def begin(self, host: Host, *, epoch: int) -> list[Outgoing]:  # noqa: ARG002
        """Give what is said because it begins."""
        return []

    def measured(self, values: dict[str, Value], *, elapsed: int) -> dict[str, Value]:  # noqa: ARG002
        """Change what the device measures."""
        return values

    def stamped(self, epoch: int, *, elapsed: int) -> int:  # noqa: ARG002
        """Change what the device's clock shows."""
        return epoch

    def swallows(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> bool:  # noqa: ARG002
        """Tell whether a report is not said now; it may be kept for later."""
        return False

    def holds(self, values: Mapping[str, Value]) -> set[str]:  # noqa: ARG002
        """Name the metrics that have its value, whatever was measured."""
        return set()

    def spoilt(self, messages: list[Outgoing]) -> list[Outgoing]:
        """Damage a report's messages."""
        return messages

    def said(self, messages: list[Outgoing]) -> list[Outgoing]:
        """Change how a report's messages travel."""
        return messages

    @property
    def online(self) -> bool:
        """Whether the device holds its connection."""
        return True

    def misses(self) -> bool:
        """Tell whether a command is not heard."""
        return False

    def refuses(self) -> bool:
        """Tell whether a command is refused."""
        return False

    def finish(self, host: Host) -> list[Outgoing]:  # noqa: ARG002
        """Give what is said because it ends."""
        return []


class ValueFault(Fault[V]):
    """Changes the numbers that a device measures."""

    def measured(self, values: dict[str, Value], *, elapsed: int) -> dict[str, Value]:
        changed: dict[str, Value] = {}
        for metric, value in values.items():
            if self.metric in (None, metric) and not isinstance(value, bool | str):
                other = self.changed(metric, value, elapsed=elapsed)
                changed[metric] = round(other) if isinstance(value, int) else float(other)
        return values | changed

    def changed(self, metric: str, value: float, *, elapsed: int) -> float:
        """Give what is measured instead."""
        raise NotImplementedError
