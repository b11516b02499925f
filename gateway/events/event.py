"""What all events share: the attributes of CloudEvents 1.0 (github.com/cloudevents/spec, v1.0.2, in structured JSON)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

CONTENT_TYPE = "application/cloudevents+json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Time = Annotated[str, Meta(description="RFC 3339 in UTC, to the nanosecond", extra_json_schema={"format": "date-time"})]
"""Epoch nanoseconds would not survive JavaScript's numbers."""
Group = Annotated[
    dict[str, str], Meta(description="The group's key: a value for each name in the flow's `group`; empty for everything together")
]
Named = Annotated[str, Meta(min_length=1)]


class Event(Struct, frozen=True, kw_only=True, tag_field="type"):
    """An event without its data. A subclass adds `dataschema` and `data`; its tag is the CloudEvents `type`, with the version at its end."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Meta(min_length=1, description="The effect's id: the same event has the same id however often it comes")]
    source: Annotated[str, Meta(description="`sluice/<site>`", extra_json_schema={"format": "uri-reference"})]
    datacontenttype: Literal["application/json"] = "application/json"

    @property
    def type(self) -> str:
        """The CloudEvents `type`."""
        return type_of(self.__class__)


class TimedEvent(Event, frozen=True, kw_only=True):
    """An event of something that happened at a time of the devices' or the journal's. No clock is read to make one."""

    subject: Annotated[str, Meta(description="The device, or the group's values joined with `,`")]
    time: Time


def type_of(model: type[Event]) -> str:
    """Give a model's CloudEvents `type`."""
    return str(model.__struct_config__.tag)


def attributes(event: Event) -> dict[str, str]:
    """Give everything but the data: what MQTT 5 carries as user properties too."""
    fields: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__ if name != "data"}
    return {"type": event.type, **fields}


def source(site: str) -> str:
    """Give the `source` of a site's events: a URI reference.

    >>> source("attic 1")
    'sluice/attic%201'
    """
    return f"sluice/{quote(site, safe='')}"


def rfc3339(ns: int) -> str:
    """Give an epoch time in ns as RFC 3339 in UTC, to the nanosecond.

    >>> rfc3339(1_760_000_000_000_000_001)
    '2025-10-09T08:53:20.000000001Z'
    """
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{(_EPOCH + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
