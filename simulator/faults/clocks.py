"""Faults of a device's clock: clock-skew, clock-jump, epoch-reset. They show in conventions whose reports say when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from gateway.findings import PositiveDuration, Problem
from simulator.dialect import Outgoing
from simulator.faults.fault import Fault, Host
from simulator.faults.spec import FaultSpec


class OffSpec(FaultSpec):
    """A clock that is wrong by so much, in one of two directions."""

    needs = "a time"

    ahead: PositiveDuration | None = Field(default=None, description="How far it is ahead.")
    behind: PositiveDuration | None = Field(default=None, description="How far it is behind.")

    @property
    def by(self) -> int:
        """ns, below zero for behind."""
        return self.ahead or -(self.behind or 0)

    def rules(self) -> Iterator[Problem]:
        yield from super().rules()
        if (self.ahead is None) == (self.behind is None):
            yield Problem((), f"a {self.kind} is either ahead or behind by a duration", key=True, show=False)


class SkewSpec(OffSpec):
    """The clock runs too fast or too slowly: at the end it is wrong by so much, and then set right."""

    kind: Literal["clock-skew"]


class Skew(Fault[SkewSpec]):
    def stamped(self, epoch: int, *, elapsed: int) -> int:
        return epoch + self.spec.by * (elapsed - self.start) // (self.end - self.start)


class JumpSpec(OffSpec):
    """The clock jumps by so much, and back at the end."""

    kind: Literal["clock-jump"]


class Jump(Fault[JumpSpec]):
    def stamped(self, epoch: int, *, elapsed: int) -> int:  # noqa: ARG002
        return epoch + self.spec.by


class EpochResetSpec(FaultSpec):
    """The device reboots, and until it is told the time its clock counts from the beginning of 1970."""

    needs = "a time"

    kind: Literal["epoch-reset"]


class EpochReset(Fault[EpochResetSpec]):
    def begin(self, host: Host, *, epoch: int) -> list[Outgoing]:  # noqa: ARG002
        return host.dialect.hello()

    def stamped(self, epoch: int, *, elapsed: int) -> int:  # noqa: ARG002
        return elapsed - self.start
