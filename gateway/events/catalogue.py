"""Every event that Sluice publishes. What is not listed here is not published."""

from __future__ import annotations

from typing import NamedTuple

from gateway.events import alert, command, marker, reading, status, window
from gateway.events.channel import Channel
from gateway.events.event import Event, type_of


class Kind(NamedTuple):
    """A kind of event: its model, the channels it is published on, an example. `receives`: the gateway itself takes it in again."""

    model: type[Event]
    channels: tuple[Channel, ...]
    example: Event
    receives: bool = False

    @property
    def type(self) -> str:
        """The CloudEvents `type`."""
        return type_of(self.model)

    @property
    def name(self) -> str:
        """The type's own word: `window` of `sluice.window.v1`."""
        return self.type.split(".")[1]


KINDS = (
    Kind(reading.ReadingEvent, (reading.CHANNEL, reading.SUBCHANNEL), reading.EXAMPLE),
    Kind(window.WindowEvent, (window.CHANNEL,), window.EXAMPLE),
    Kind(alert.AlertEvent, (alert.CHANNEL,), alert.EXAMPLE),
    Kind(command.CommandEvent, (command.CHANNEL,), command.EXAMPLE),
    Kind(status.StatusEvent, (status.CHANNEL,), status.EXAMPLE),
    Kind(marker.MarkerEvent, (marker.CHANNEL,), marker.EXAMPLE, receives=True),
)
MODELS: dict[str, type[Event]] = {kind.type: kind.model for kind in KINDS}
"""The model for each `type`."""
