"""An alert as an event: one when it is raised, one when it is cleared."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.events.channel import Channel
from gateway.events.event import Group, Named, Time, TimedEvent

CHANNEL = Channel("alerts", "sluice/{site}/alerts/{flow}/{group}", "A flow's alerts of one group: each is raised, and then cleared.")


class Why(Struct, frozen=True, kw_only=True):
    """What decided."""

    rule: Annotated[str, Meta(description="The condition that held, in CEL")]
    values: Annotated[dict[str, Any], Meta(description="What the condition saw")]
    since: Annotated[Time, Meta(description="Where the readings begin for which the condition has held")]
    raised: Annotated[Time, Meta(description="When the episode was raised")]
    held: Annotated[int, Meta(ge=0, description="How many evaluations in a row the condition has held")]
    last_clear: Annotated[Time | None, Meta(description="When the episode before this one cleared; null where there was none")]


class Alert(Struct, frozen=True, kw_only=True):
    """One end of an episode."""

    flow: Named
    group: Group
    episode: Annotated[str, Meta(description="The same in the event that raises and in the one that clears")]
    state: Literal["raised", "cleared"]
    severity: Annotated[str, Meta(description="The flow's own word")]
    message: str
    why: Why


class AlertEvent(TimedEvent, frozen=True, kw_only=True, tag="sluice.alert.v1"):
    """An alert was raised or cleared."""

    dataschema: Literal["urn:sluice:schema:alert:v1"] = "urn:sluice:schema:alert:v1"
    data: Alert


EXAMPLE = AlertEvent(
    id="a-93c5d07be1f24a68",
    source="sluice/greenhouse-1",
    subject="t-north",
    time="2025-10-09T08:54:00.000000000Z",
    data=Alert(
        flow="greenhouse-climate",
        group={"device": "t-north"},
        episode="e-0d4e8f1a2b3c5d6e",
        state="raised",
        severity="warning",
        message="greenhouse at 30.8 °C",
        why=Why(
            rule="warm > 28.0",
            values={"warm": 30.85, "hot": 31.63},
            since="2025-10-09T08:52:00.000000000Z",
            raised="2025-10-09T08:54:00.000000000Z",
            held=2,
            last_clear=None,
        ),
    ),
)
