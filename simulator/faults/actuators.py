"""Faults of what acts, or of a whole device: nack, late-answer, dead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from gateway.findings import PositiveDuration
from simulator.dialect import Outgoing, Value
from simulator.faults.fault import Fault, Host
from simulator.faults.spec import FaultSpec


class NackSpec(FaultSpec):
    """The actuator hears a command and refuses it: nothing changes, and it says so in its convention's way."""

    needs = "an actuator"

    kind: Literal["nack"]


class Nack(Fault[NackSpec]):
    def refuses(self) -> bool:
        self.touched += 1
        return True


class LateSpec(FaultSpec):
    """The actuator obeys, but so much later."""

    needs = "an actuator"

    kind: Literal["late-answer"]
    by: PositiveDuration = Field(description="How much later it acts and answers.")


class Late(Fault[LateSpec]):
    @property
    def delay(self) -> int:  # type: ignore[override]  # a property here, a constant elsewhere
        return self.spec.by


class DeadSpec(FaultSpec):
    """The device loses its connection and does nothing, as without power; at the end it starts again."""

    kind: Literal["dead"]


class Dead(Fault[DeadSpec]):
    @property
    def online(self) -> bool:
        return False

    def misses(self) -> bool:
        return True

    def swallows(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> bool:  # noqa: ARG002
        self.touched += 1
        return True

    def finish(self, host: Host) -> list[Outgoing]:
        return host.dialect.hello()
