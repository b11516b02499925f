"""Faults on the way: duplicates, reordering, offline-then-flush, message-storm, retained-ghost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from gateway.findings import PositiveDuration
from simulator.dialect import Outgoing, Value
from simulator.faults.fault import Fault, Host
from simulator.faults.spec import FaultSpec
from simulator.nanoseconds import DAY, SECOND


class DuplicatesSpec(FaultSpec):
    """Every message comes more than once."""

    kind: Literal["duplicates"]
    times: int = Field(default=2, ge=2, le=1000, description="How often each message comes.")


class Duplicates(Fault[DuplicatesSpec]):
    def said(self, messages: list[Outgoing]) -> list[Outgoing]:
        self.touched += bool(messages)
        return [message for message in messages for _ in range(self.spec.times)]


class ReorderingSpec(FaultSpec):
    """Reports overtake each other: so many are held back, and then come in another order."""

    kind: Literal["reordering"]
    depth: int = Field(default=3, ge=2, le=1000, description="How many reports are mixed with each other.")


class Reordering(Fault[ReorderingSpec]):
    def __init__(self, spec: ReorderingSpec, **about: Any) -> None:
        super().__init__(spec, **about)
        self._held: list[list[Outgoing]] = []

    def said(self, messages: list[Outgoing]) -> list[Outgoing]:
        self.touched += bool(messages)
        self._held.append(messages)
        return self._mixed() if len(self._held) >= self.spec.depth else []

    def finish(self, host: Host) -> list[Outgoing]:  # noqa: ARG002
        return self._mixed()

    def _mixed(self) -> list[Outgoing]:
        """Let them go, backwards from a place that the dice choose: with two or more, never in their own order."""
        held, self._held = self._held, []
        cut = int(self._dice.uniform() * (len(held) - 1)) if len(held) > 1 else 0
        return [message for report in [*reversed(held[cut:]), *held[:cut]] for message in report]


class OfflineSpec(FaultSpec):
    """The connection is lost; the device keeps its reports, and says them all once it is back, each at its own time where it has one."""

    kind: Literal["offline-then-flush"]


class Offline(Fault[OfflineSpec]):
    def __init__(self, spec: OfflineSpec, **about: Any) -> None:
        super().__init__(spec, **about)
        self._kept: list[tuple[dict[str, Value], bool | None, int]] = []

    @property
    def online(self) -> bool:
        return False

    def misses(self) -> bool:
        return True

    def swallows(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> bool:
        self.touched += 1
        self._kept.append((dict(values), on, at))
        return True

    def finish(self, host: Host) -> list[Outgoing]:
        kept = [message for values, on, at in self._kept for message in host.dialect.report(values, on=on, at=at)]
        return [*host.dialect.hello(), *kept]


class StormSpec(FaultSpec):
    """The device reports far more often than it should."""

    kind: Literal["message-storm"]
    per_second: float = Field(gt=0, le=100_000, description="How many reports a second it adds.")


class Storm(Fault[StormSpec]):
    @property
    def interval(self) -> int:  # type: ignore[override]  # a property here, a constant elsewhere
        return max(1, round(SECOND / self.spec.per_second))

    def said(self, messages: list[Outgoing]) -> list[Outgoing]:
        self.touched += bool(messages)
        return messages


class GhostSpec(FaultSpec):
    """A retained message of a device that is long gone: whoever subscribes meanwhile gets it. At the end it is removed from the broker.

    The ghost is called like the device it is modelled on, with `-ghost` behind.
    """

    kind: Literal["retained-ghost"]
    age: PositiveDuration = Field(default=30 * DAY, description="How old its values are.")


class Ghost(Fault[GhostSpec]):
    def __init__(self, spec: GhostSpec, **about: Any) -> None:
        super().__init__(spec, **about)
        self._said: list[Outgoing] = []

    def begin(self, host: Host, *, epoch: int) -> list[Outgoing]:
        dialect = host.like(f"{host.name}-ghost")
        self.device = dialect.called
        said = dialect.report(host.last, on=None, at=epoch - self.spec.age)
        self._said = [replace(message, retain=True) for message in said]
        self.touched = len(self._said)
        return self._said

    def finish(self, host: Host) -> list[Outgoing]:  # noqa: ARG002
        return [replace(message, payload=b"") for message in self._said]
