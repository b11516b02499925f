"""Reads events that a Sluice published, of this version or an older one."""

from __future__ import annotations

import msgspec

from gateway.events.catalogue import MODELS
from gateway.events.event import Event
from gateway.events.upcast import Raw, upcast

_QUOTED = 80
"""Characters of what cannot be read that are said."""


class EventError(ValueError):
    """What was read is no event of ours; the text says why."""


def read(payload: bytes) -> Event:
    """Read an event in structured JSON; an older form is brought up to date, and what this version does not know is passed over.

    Raises:
        EventError: it is no event, of a type that this version does not know, or without what its type must have.

    """
    try:
        event = upcast(msgspec.json.decode(payload, type=Raw))
    except msgspec.DecodeError as error:
        raise EventError(f"an event must be a JSON object: {error}; got {payload[:_QUOTED]!r}") from None
    model = MODELS.get(kind := str(event.get("type")))
    if model is None:
        raise EventError(f"type must be one of {', '.join(MODELS)}; got {kind[:_QUOTED]!r}")
    try:
        return msgspec.convert(event, model)
    except msgspec.ValidationError as error:
        raise EventError(f"{kind}: {error}") from None
