"""What both connections know of MQTT's bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

from gateway.journal.row import Entry, Flag

PUBACK = 0x40
_RETAIN, _DUP = 0x01, 0x08
_RETAINED_FLAG, _DUP_FLAG = int(Flag.RETAINED), int(Flag.DUP)


class MalformedError(ValueError):
    """What has come is no MQTT."""


def entry_of(topic: bytes, payload: bytes, packet_id: int, header: int) -> Entry:
    """Make the entry of a PUBLISH, whose fixed header begins with the byte `header` (MQTT 5, 3.3.1). A topic that is not UTF-8 is named so."""
    try:
        name = topic.decode()
    except UnicodeDecodeError:
        name = "(topic is not UTF-8)"
    return Entry(name, payload, packet_id, (_RETAINED_FLAG if header & _RETAIN else 0) | (_DUP_FLAG if header & _DUP else 0))


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Acknowledge messages (MQTT 5, 3.4, without a reason code: success)."""
    return b"".join(struct.pack("!BBH", PUBACK, 2, packet_id) for packet_id in packet_ids)


def variable_integer(data: Sequence[int], at: int) -> tuple[int, int] | None:
    """Read a variable byte integer (MQTT 5, 1.5.5): its value and what comes after; None where it is not whole. Raises MalformedError."""
    value = 0
    for place in range(4):
        if at + place >= len(data):
            return None
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise MalformedError
