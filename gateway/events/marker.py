"""The gateway's marker: sent to itself on connecting, it comes back through the broker behind everything that waited there."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.events.channel import Channel
from gateway.events.event import Event

CHANNEL = Channel(
    "marker", "sluice/{site}/marker/{client}", "The gateway's word to itself: what comes before it is backlog. Of no use to others."
)


class Marker(Struct, frozen=True, kw_only=True):
    """Which connection it was sent on."""

    connection: Annotated[int, Meta(ge=1, description="The journal's number of the connection")]


class MarkerEvent(Event, frozen=True, kw_only=True, tag="sluice.marker.v1"):
    """The gateway has connected and hears everything that is published from now on."""

    dataschema: Literal["urn:sluice:schema:marker:v1"] = "urn:sluice:schema:marker:v1"
    data: Marker


EXAMPLE = MarkerEvent(id="marker/17/1", source="sluice/greenhouse-1", data=Marker(connection=17))
