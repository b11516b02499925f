"""Where the event of a row is published."""

from __future__ import annotations

from gateway.delivery.destination import Row
from gateway.events import alert, command, reading, window
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, ReadingKept, WindowClosed
from gateway.store.outcomes import group_text


def topic(row: Row, site: str) -> str:
    """Give the topic on which a row's event is published; distinct names give distinct topics."""
    match row:
        case ReadingKept():
            said = row.reading
            if said.channel:
                return reading.SUBCHANNEL.topic(site=site, device=said.device, metric=said.metric, channel=said.channel)
            return reading.CHANNEL.topic(site=site, device=said.device, metric=said.metric)
        case WindowClosed():
            return window.CHANNEL.topic(site=site, flow=row.flow, group=group_text(row.group))
        case AlertChanged():
            return alert.CHANNEL.topic(site=site, flow=row.flow, group=group_text(row.group))
        case CommandRequested() | CommandFact():
            return command.CHANNEL.topic(site=site, device=row.device)
