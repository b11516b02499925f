"""Faults of what is measured: spike, drift, stuck-at, noise-burst, unit-flip, dropout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from simulator.dialect import Value
from simulator.faults.fault import Fault, ValueFault
from simulator.faults.spec import ValueFaultSpec
from simulator.nanoseconds import SECOND


class SpikeSpec(ValueFaultSpec):
    """The value is off by so much, and back as suddenly."""

    kind: Literal["spike"]
    size: float = Field(description="By how much, in the metric's unit; below zero for a dip.")


class Spike(ValueFault[SpikeSpec]):
    def changed(self, metric: str, value: float, *, elapsed: int) -> float:  # noqa: ARG002
        return value + self.spec.size


class DriftSpec(ValueFaultSpec):
    """The value moves away steadily; at the end it is right again, as after a calibration."""

    kind: Literal["drift"]
    per_minute: float = Field(description="By how much in a minute, in the metric's unit; below zero for downwards.")


class Drift(ValueFault[DriftSpec]):
    def changed(self, metric: str, value: float, *, elapsed: int) -> float:  # noqa: ARG002
        return value + self.spec.per_minute * (elapsed - self.start) / (60 * SECOND)


class StuckSpec(ValueFaultSpec):
    """The value stays what it was, or what `value` says (a sensor that is torn off often says 85.0, -127 or 0)."""

    kind: Literal["stuck-at"]
    value: float | None = Field(default=None, description="Where it is stuck; without it, at the first value of the fault.")


class Stuck(ValueFault[StuckSpec]):
    def __init__(self, spec: StuckSpec, **about: Any) -> None:
        super().__init__(spec, **about)
        self._held: dict[str, float] = {}

    def changed(self, metric: str, value: float, *, elapsed: int) -> float:  # noqa: ARG002
        return self._held.setdefault(metric, value if self.spec.value is None else self.spec.value)

    def holds(self, values: Mapping[str, Value]) -> set[str]:
        return set(self._held) & values.keys()


class NoiseSpec(ValueFaultSpec):
    """The value jumps about, as with a loose contact."""

    kind: Literal["noise-burst"]
    deviation: float = Field(gt=0, description="The standard deviation of what is added, in the metric's unit.")


class Noise(ValueFault[NoiseSpec]):
    def changed(self, metric: str, value: float, *, elapsed: int) -> float:  # noqa: ARG002
        return value + self.spec.deviation * self._dice.normal()


class UnitFlipSpec(ValueFaultSpec):
    """The value is said in another unit, and nothing says so: °F for °C unless told otherwise."""

    kind: Literal["unit-flip"]
    scale: float = Field(default=1.8, description="What it is multiplied by.")
    offset: float = Field(default=32.0, description="What is then added.")


class UnitFlip(ValueFault[UnitFlipSpec]):
    def changed(self, metric: str, value: float, *, elapsed: int) -> float:  # noqa: ARG002
        return value * self.spec.scale + self.spec.offset


class DropoutSpec(ValueFaultSpec):
    """The metric is missing; without `metric` the device says nothing at all, and holds its connection."""

    needs = ""

    kind: Literal["dropout"]
    metric: str | None = Field(default=None, min_length=1, description="Which metric is missing; without it, all.")


class Dropout(Fault[DropoutSpec]):
    def measured(self, values: dict[str, Value], *, elapsed: int) -> dict[str, Value]:  # noqa: ARG002
        missing = self.spec.metric
        if missing not in values:
            return values
        return {metric: value for metric, value in values.items() if metric != missing}

    def swallows(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> bool:  # noqa: ARG002
        if self.spec.metric is not None:
            return False
        self.touched += 1
        return True
