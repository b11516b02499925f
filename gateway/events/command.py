"""A command's life as events: requested, sent, and one of the ends."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.events.channel import Channel
from gateway.events.event import Group, Named, TimedEvent
from gateway.store.effects import CommandState

CHANNEL = Channel(
    "commands",
    "sluice/{site}/commands/{device}",
    "The life of each command to a device. What the device itself is sent goes to its own topics.",
)


class Command(Struct, frozen=True, kw_only=True):
    """One step in a command's life."""

    command: Annotated[str, Meta(min_length=1, description="The command's id: the same in every event of its life")]
    device: Named
    flow: Annotated[str, Meta(description="The flow that asked; empty where a person did")]
    group: Group | UnsetType = UNSET
    cause: Annotated[str, Meta(description="The id of the alert that asked; with `group`, only in a flow's request")] | UnsetType = UNSET
    state: CommandState
    attempt: Annotated[int, Meta(ge=0, description="0 until it is first sent")]
    settings: Annotated[dict[str, Any], Meta(description="What the device is to be set to")]
    detail: Annotated[str, Meta(description="Why, where there is more to say than the state does")]


class CommandEvent(TimedEvent, frozen=True, kw_only=True, tag="sluice.command.v1"):
    """A command came to a new state."""

    dataschema: Literal["urn:sluice:schema:command:v1"] = "urn:sluice:schema:command:v1"
    data: Command


EXAMPLE = CommandEvent(
    id="c-5a7e19c3d84f4b02/confirmed/1",
    source="sluice/greenhouse-1",
    subject="fan-1",
    time="2025-10-09T08:54:00.040000000Z",
    data=Command(
        command="c-5a7e19c3d84f4b02",
        device="fan-1",
        flow="greenhouse-climate",
        state="confirmed",
        attempt=1,
        settings={"state": "ON"},
        detail="",
    ),
)
