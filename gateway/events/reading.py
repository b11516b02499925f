"""A reading as an event: published where `publish.readings` asks for it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from devices.reading import Value
from gateway.events.channel import Channel
from gateway.events.event import Named, TimedEvent

CHANNEL = Channel(
    "readings", "sluice/{site}/readings/{device}/{metric}", "Readings of a metric, one event each, where `publish.readings` is on."
)
SUBCHANNEL = Channel(
    "readings-of-channel", "sluice/{site}/readings/{device}/{metric}/{channel}", "Readings of a metric that a device has more than once."
)


class Reading(Struct, frozen=True, kw_only=True):
    """One value of one metric of one device at the event's `time`."""

    device: Named
    metric: Named
    channel: Annotated[str, Meta(description="Empty where the device has the metric once")]
    value: Value
    unit: Annotated[str | None, Meta(description="The vocabulary's unit; null where it is unknown")]
    unit_code: Annotated[str | None, Meta(description="The same in UCUM, else SenML; null where it is none of the vocabulary's")]
    raw_value: Annotated[Value, Meta(description="As the device said it")]
    raw_unit: Annotated[str | None, Meta(description="As the device said it")]
    time_source: Annotated[
        str, Meta(description="Why the reading has its time: `device`, `received` and the like; there may be further words")
    ]
    labels: dict[str, str]
    sequence: Annotated[int | None, Meta(description="The dialect's own number of the message; null where it has none")] = None


class ReadingEvent(TimedEvent, frozen=True, kw_only=True, tag="sluice.reading.v1"):
    """A reading was taken in."""

    dataschema: Literal["urn:sluice:schema:reading:v1"] = "urn:sluice:schema:reading:v1"
    data: Reading


EXAMPLE = ReadingEvent(
    id="4398046511104",
    source="sluice/greenhouse-1",
    subject="t-north",
    time="2025-10-09T08:53:20.250000000Z",
    data=Reading(
        device="t-north",
        metric="temperature",
        channel="",
        value=20.5,
        unit="°C",
        unit_code="Cel",
        raw_value=68.9,
        raw_unit="°F",
        time_source="device",
        labels={"room": "north"},
    ),
)
