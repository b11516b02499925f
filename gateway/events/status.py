"""The gateway's status as an event: retained, and the last will where the gateway goes without a word."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.events.channel import Channel
from gateway.events.event import Event

CHANNEL = Channel("status", "sluice/{site}/status", "Whether the gateway is connected: the broker keeps the last word.", retained=True)


def status_topic(site: str, member: int = 0) -> str:
    """Give where a site's gateway tells it; the hosts of a cluster behind the first do so a level below."""
    return f"{CHANNEL.topic(site=site)}/{member}" if member else CHANNEL.topic(site=site)


class Status(Struct, frozen=True, kw_only=True):
    """How the gateway stands."""

    running: Annotated[bool, Meta(description="Whether the gateway is connected and takes in")]


class StatusEvent(Event, frozen=True, kw_only=True, tag="sluice.status.v1"):
    """The gateway connected, or is gone. There is no `time`: a last will is written before what it tells of."""

    dataschema: Literal["urn:sluice:schema:status:v1"] = "urn:sluice:schema:status:v1"
    data: Status


EXAMPLE = StatusEvent(id="status/17/up", source="sluice/greenhouse-1", data=Status(running=True))
