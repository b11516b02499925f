"""Where events are published: `sluice/<site>/…`, one level per part."""

from __future__ import annotations

import re
from urllib.parse import quote

from devices.topics import encode
from gateway.delivery.destination import Row
from gateway.store.effects import AlertChanged, CommandFact, CommandRequested, ReadingKept, WindowClosed
from gateway.store.outcomes import group_text

_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_REFUSED = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
"""What brokers refuse in a topic by closing the connection (MQTT 5, 1.5.4: control characters and non-characters)."""


def topic(row: Row, site: str) -> str:
    """Give the topic on which a row's event is published; distinct names give distinct topics."""
    match row:
        case ReadingKept():
            reading = row.reading
            levels = ["readings", reading.device, reading.metric, *([reading.channel] if reading.channel else [])]
        case WindowClosed():
            levels = ["windows", row.flow, group_text(row.group)]
        case AlertChanged():
            levels = ["alerts", row.flow, group_text(row.group)]
        case CommandRequested() | CommandFact():
            levels = ["commands", row.device]
    return "/".join(["sluice", level(site), *map(level, levels)])


def level(text: str) -> str:
    r"""Give any text as one level: what `devices.topics.encode` encodes, and what brokers refuse.

    >>> level("attic/left #2"), level("a\nb")
    ('attic%2Fleft %232', 'a%0Ab')
    """
    return _REFUSED.sub(lambda found: quote(found[0]), encode(text))
