"""When a fault comes over which devices: what every kind of fault in a scenario file has in common."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from gateway.findings import DURATION_SCHEMA, Checked, PositiveDuration, Problem, duration_text, parse_duration

Moment = int | Literal["random"]
Needs = Literal["", "a number", "a time", "an actuator", "a document"]


def _moment(written: Any) -> Moment:
    if written == "random":
        return "random"
    try:
        return parse_duration(written)
    except ValueError as error:
        raise ValueError(f"{error}, or random") from None


_MOMENT_SCHEMA: dict[str, Any] = {"anyOf": [DURATION_SCHEMA, {"const": "random"}], "examples": ["30s", "random"]}


class FaultSpec(Checked):
    """One kind of fault: over which devices it comes, when, for how long, and how often. Times count from the scenario's start."""

    needs: ClassVar[Needs] = ""
    """What a device must have for such a fault to show."""

    kind: str
    devices: str = Field(default="*", min_length=1, description="Which devices: a name of this scenario, or a pattern with * and ?.")
    at: Annotated[Moment, BeforeValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)] = Field(
        description="How long after the scenario's start it begins; `random`: at any moment of each `every`, for each device another."
    )
    for_: PositiveDuration = Field(alias="for", description="How long it lasts.")
    every: PositiveDuration | None = Field(default=None, description="How long until it comes again; without it, it comes once.")
    chance: float = Field(default=1.0, ge=0.001, le=1, description="How likely it comes each time, for each device alone.")

    def rules(self) -> Iterator[Problem]:
        if self.at == "random" and self.every is None:
            yield Problem((), "a fault at random needs every: how often it comes", key=True, show=False)
        elif self.every is not None and self.every < self.for_:
            yield Problem(("every",), f"every must not be shorter than for, {duration_text(self.for_)}")

    def hits(self, device: str) -> bool:
        """Tell whether it comes over a device of this name."""
        return fnmatchcase(device, self.devices)


class ValueFaultSpec(FaultSpec):
    """A fault of what is measured: of one metric, or of all that are numbers."""

    needs: ClassVar[Needs] = "a number"

    metric: str | None = Field(default=None, min_length=1, description="Which metric; without it, all that are numbers.")
