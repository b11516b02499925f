"""A window as an event."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.events.channel import Channel
from gateway.events.event import Group, Named, Time, TimedEvent

CHANNEL = Channel("windows", "sluice/{site}/windows/{flow}/{group}", "A flow's windows of one group, in the order they closed.")


class Window(Struct, frozen=True, kw_only=True):
    """One window's aggregates. The event's `time` is the window's end."""

    flow: Named
    group: Group
    start: Time
    end: Time
    revision: Annotated[int, Meta(ge=1, description="1 when the window closes; 2, 3, … when late readings correct it")]
    count: Annotated[int, Meta(ge=0, description="The readings in it")]
    values: Annotated[
        dict[str, float | str | bool | None], Meta(description="By the names in the flow's `aggregate`; null where there was nothing")
    ]


class WindowEvent(TimedEvent, frozen=True, kw_only=True, tag="sluice.window.v1"):
    """A window closed, or was corrected."""

    dataschema: Literal["urn:sluice:schema:window:v1"] = "urn:sluice:schema:window:v1"
    data: Window


EXAMPLE = WindowEvent(
    id="w-6b1f0c2d9e3a4857",
    source="sluice/greenhouse-1",
    subject="t-north",
    time="2025-10-09T08:54:00.000000000Z",
    data=Window(
        flow="greenhouse-climate",
        group={"device": "t-north"},
        start="2025-10-09T08:53:00.000000000Z",
        end="2025-10-09T08:54:00.000000000Z",
        revision=1,
        count=12,
        values={"warm": 29.21, "hot": 30.32, "damp": None},
    ),
)
