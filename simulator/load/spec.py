"""What a load is: how many devices, how fast, in which shape, over how many connections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.findings import Checked, Problem
from simulator.load.shapes import Constant, Due, Midnight, Ramp, Shape

METRICS = ("temperature", "humidity", "pressure", "illuminance", "power", "voltage", "current", "energy", "co2", "battery")
"""What a device of a load measures; a load with n metrics has the first n of them."""


def _root(written: str) -> str:
    if re.fullmatch(r"[^/+#$\x00][^/+#\x00]*(/[^/+#\x00]+)*", written) is None or len(written.encode()) > 1000:
        raise ValueError("must be one or more levels of a topic, such as load or site/load, without + and #")
    return written


class LoadSpec(Checked):
    """A load of plain JSON: `{"ts", "seq", "temperature"}` on `<root>/<name>-<number>`."""

    devices: int = Field(default=1000, ge=1, le=1_000_000, description="How many devices report, in turn.")
    rate: float | None = Field(
        default=None,
        ge=0.001,
        le=100_000_000,
        description="Messages a second, all devices together; absent: as fast as the broker takes them.",
    )
    shape: Shape = Field(default=Constant(kind="constant"), description="How the messages lie in time.")
    qos: Literal[0, 1] = Field(default=1, description="The quality of service: 1 is acknowledged by the broker, 0 is not.")
    connections: int = Field(default=1, ge=1, le=1000, description="How many connections the devices share.")
    in_flight: int = Field(
        default=1000, ge=1, le=32_767, description="QoS 1: how many messages a connection leaves unacknowledged at most."
    )
    metrics: int = Field(default=1, ge=1, le=len(METRICS), description="How many values a message has, beside its time and number.")
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = Field(
        default="d", description="What devices are called, before their number."
    )
    root: Annotated[str, AfterValidator(_root)] = Field(default="load", description="The first levels of the topics.")

    def rules(self) -> Iterator[Problem]:
        if self.connections > self.devices:
            yield Problem(("connections",), f"connections must not be more than the devices, {self.devices}")
        if isinstance(self.shape, Midnight):
            if self.rate is not None:
                yield Problem(
                    ("rate",), "rate is not for midnight, whose rounds are as large as the devices are many", key=True, show=False
                )
            if self.shape.over > self.shape.every:
                yield Problem(("shape", "over"), "over must not be longer than every")
        elif self.rate is None and not isinstance(self.shape, Constant):
            towards = "that it climbs to" if isinstance(self.shape, Ramp) else "that its bursts come on top of"
            yield Problem(("rate",), f"a {self.shape.kind} needs the rate {towards}", show=False)

    def due(self) -> Due | None:
        """Give how many messages are due by when; None where there is no such thing, as fast as the broker takes them."""
        if self.rate is None and not isinstance(self.shape, Midnight):
            return None
        return self.shape.due(rate=self.rate or 0.0, devices=self.devices)
