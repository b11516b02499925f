"""Rows as CloudEvents 1.0 in structured JSON (github.com/cloudevents/spec, v1.0.2). Nothing in them comes from a clock of ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from gateway.delivery.destination import Row
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, ReadingKept, WindowClosed
from gateway.store.outcomes import group_text

CONTENT_TYPE = "application/cloudevents+json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def event(row: Row, site: str) -> dict[str, Any]:
    """Give the row's event, ready for JSON; its `id` is the row's, so that who gets it twice can tell."""
    kind, subject, time, data = _parts(row)
    return {
        "specversion": "1.0",
        "id": str(row.id),
        "source": f"sluice/{quote(site, safe='')}",
        "type": f"sluice.{kind}.v1",
        "subject": subject,
        "time": rfc3339(time),
        "datacontenttype": "application/json",
        "data": data,
    }


def rfc3339(ns: int) -> str:
    """Give an epoch time in ns as RFC 3339 in UTC, to the nanosecond.

    >>> rfc3339(1_760_000_000_000_000_001)
    '2025-10-09T08:53:20.000000001Z'
    """
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{(_EPOCH + timedelta(seconds=seconds)):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def _parts(row: Row) -> tuple[str, str, int, dict[str, Any]]:
    """Give type, subject, time and data. Times in data are RFC 3339 too: epoch ns do not survive JavaScript's numbers."""
    match row:
        case ReadingKept():
            return "reading", row.reading.device, row.reading.ts, _reading(row)
        case WindowClosed():
            return "window", group_text(row.group), row.end, _window(row)
        case AlertChanged():
            return "alert", group_text(row.group), row.time, _alert(row)
        case CommandRequested():
            return "command", row.device, row.time, _request(row)
        case CommandFact():
            return "command", row.device, row.time, _fact(row)


def _reading(kept: ReadingKept) -> dict[str, Any]:
    reading = kept.reading
    return {
        "device": reading.device,
        "metric": reading.metric,
        "channel": reading.channel,
        "value": reading.value,
        "unit": reading.unit,
        "raw_value": reading.raw_value,
        "raw_unit": reading.raw_unit,
        "time_source": reading.time_source,
        "labels": dict(sorted(reading.labels.items())),
    }


def _window(window: WindowClosed) -> dict[str, Any]:
    return {
        "flow": window.flow,
        "group": dict(window.group),
        "start": rfc3339(window.start),
        "end": rfc3339(window.end),
        "revision": window.revision,
        "count": window.count,
        "values": window.values,
    }


def _alert(alert: AlertChanged) -> dict[str, Any]:
    return {
        "flow": alert.flow,
        "group": dict(alert.group),
        "episode": alert.episode,
        "state": alert.state,
        "severity": alert.severity,
        "message": alert.message,
        "why": alert.why,
    }


def _request(command: CommandRequested) -> dict[str, Any]:
    return {
        "command": command.id,
        "device": command.device,
        "flow": command.flow,
        "group": dict(command.group),
        "cause": command.cause,
        "state": "requested",
        "attempt": 0,
        "settings": command.settings,
        "detail": "",
    }


def _fact(fact: CommandFact) -> dict[str, Any]:
    return {
        "command": fact.command,
        "device": fact.device,
        "flow": fact.flow,
        "state": fact.state,
        "attempt": fact.attempt,
        "settings": fact.settings,
        "detail": fact.detail,
    }
