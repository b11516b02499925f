"""The rows of the store as events. Nothing in them comes from a clock of ours."""

from __future__ import annotations

import msgspec

from devices.vocabulary import CODES
from gateway.delivery.destination import Row
from gateway.events.alert import Alert, AlertEvent, Why
from gateway.events.command import Command, CommandEvent
from gateway.events.event import Event, TimedEvent, rfc3339, source
from gateway.events.reading import Reading, ReadingEvent
from gateway.events.window import Window, WindowEvent
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, ReadingKept, WindowClosed
from gateway.store.outcomes import group_text


def event(row: Row, site: str) -> TimedEvent:
    """Give the row's event; its `id` is the row's, so that who gets it twice can tell."""
    where = source(site)
    match row:
        case ReadingKept():
            return _reading(row, where)
        case WindowClosed():
            return _window(row, where)
        case AlertChanged():
            return _alert(row, where)
        case CommandRequested():
            return _request(row, where)
        case CommandFact():
            return _fact(row, where)


def body(what: Event) -> bytes:
    """Give an event as the bytes that are published."""
    return msgspec.json.encode(what)


def _reading(kept: ReadingKept, where: str) -> ReadingEvent:
    reading = kept.reading
    data = Reading(
        device=reading.device,
        metric=reading.metric,
        channel=reading.channel,
        value=reading.value,
        unit=reading.unit,
        unit_code=CODES.get(reading.unit or ""),
        raw_value=reading.raw_value,
        raw_unit=reading.raw_unit,
        time_source=reading.time_source,
        labels=dict(sorted(reading.labels.items())),
        sequence=reading.sequence,
    )
    return ReadingEvent(id=str(kept.id), source=where, subject=reading.device, time=rfc3339(reading.ts), data=data)


def _window(window: WindowClosed, where: str) -> WindowEvent:
    end = rfc3339(window.end)
    data = Window(
        flow=window.flow,
        group=dict(window.group),
        start=rfc3339(window.start),
        end=end,
        revision=window.revision,
        count=window.count,
        values=window.values,
    )
    return WindowEvent(id=window.id, source=where, subject=group_text(window.group), time=end, data=data)


def _alert(alert: AlertChanged, where: str) -> AlertEvent:
    why = alert.why
    data = Alert(
        flow=alert.flow,
        group=dict(alert.group),
        episode=alert.episode,
        state=alert.state,
        severity=alert.severity,
        message=alert.message,
        why=Why(
            rule=why["rule"],
            values=why["values"],
            since=rfc3339(why["since"]),
            raised=rfc3339(why["raised"]),
            held=why["held"],
            last_clear=None if why["last_clear"] is None else rfc3339(why["last_clear"]),
        ),
    )
    return AlertEvent(id=alert.id, source=where, subject=group_text(alert.group), time=rfc3339(alert.time), data=data)


def _request(command: CommandRequested, where: str) -> CommandEvent:
    data = Command(
        command=command.id,
        device=command.device,
        flow=command.flow,
        group=dict(command.group),
        cause=command.cause,
        state="requested",
        attempt=0,
        settings=command.settings,
        detail="",
    )
    return CommandEvent(id=command.id, source=where, subject=command.device, time=rfc3339(command.time), data=data)


def _fact(fact: CommandFact, where: str) -> CommandEvent:
    data = Command(
        command=fact.command,
        device=fact.device,
        flow=fact.flow,
        state=fact.state,
        attempt=fact.attempt,
        settings=fact.settings,
        detail=fact.detail,
    )
    return CommandEvent(id=fact.id, source=where, subject=fact.device, time=rfc3339(fact.time), data=data)
