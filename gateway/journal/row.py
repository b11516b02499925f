"""One row of the journal: messages, facts, dead letters to read again, derived readings, what was shed, or a tick; when it came and on which connection."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import IntEnum, IntFlag

import msgspec

from gateway.store.effects import CommandFact, Derived


class Kind(IntEnum):
    """What a row holds."""

    TICK = 0
    MESSAGES = 1
    FACTS = 2
    END = 3
    """Nothing more in this segment: the next offset opens the next file."""
    REPLAYS = 4
    """Dead letters to be read again, as they came: what could not be used then may be usable now."""
    DERIVED = 5
    """Readings that flows derived from others."""
    SHED = 6
    """What was dropped by a declared policy: how many messages of which topic, and why."""


class Flag(IntFlag):
    """What is known of one message besides topic and payload."""

    RETAINED = 1
    DUP = 2
    REPEATED = 4
    """A redelivery of what the journal already holds; its payload is not kept again."""
    OVERSIZE = 8
    """Larger than `limits.payload`; only the head of its payload is kept."""


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One message as it came off the wire. `packet_id` is 0 for QoS 0."""

    topic: str
    payload: bytes
    packet_id: int = 0
    flags: int = 0


class Replay(msgspec.Struct, frozen=True, array_like=True):
    """A dead letter to be read again: its id, the message as it came off the wire, and when that was (epoch ns).

    `keys`, where there are any, are the only values of it that could not be used then.
    """

    letter: int
    entry: Entry
    received: int
    keys: tuple[str, ...] = ()


class Shed(msgspec.Struct, frozen=True, array_like=True):
    """So many messages of a topic that were dropped by a declared policy, which `reason` names."""

    topic: str
    count: int
    reason: str


class Row(msgspec.Struct, frozen=True):
    """A row as a reader sees it.

    `received` is wall-clock and `uptime` monotonic time, both ns. `session` counts the broker's sessions, `connection` our connections to it.
    `live` says that the broker's backlog was behind us when the row was written. `count` is the number of messages (or replays, or derived
    readings, or messages shed) in this row, and `total` that of all up to and with it, ever.
    """

    offset: int
    kind: int
    received: int
    uptime: int
    session: int
    connection: int
    live: bool
    count: int
    total: int
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of what the row holds, inflated."""
        return len(_inflated(self.body))

    def entries(self) -> list[Entry]:
        """Give the messages of a MESSAGES row."""
        return _unpack(self.body)

    def facts(self) -> list[CommandFact]:
        """Give the facts of a FACTS row."""
        return _FACTS.decode(self.body)

    def replays(self) -> list[Replay]:
        """Give the dead letters of a REPLAYS row."""
        return _REPLAYS.decode(_inflated(self.body))

    def derived(self) -> list[Derived]:
        """Give the readings of a DERIVED row."""
        return _DERIVED.decode(_inflated(self.body))

    def sheds(self) -> list[Shed]:
        """Give what a SHED row says was dropped."""
        return _SHEDS.decode(_inflated(self.body))


# Kept by column, since neighbouring messages share topics and shapes: zlib then finds more to say twice.
_Columns = tuple[list[str], list[int], list[bytes], list[int], bytes]
_COLUMNS = msgspec.msgpack.Decoder(_Columns)
_FACTS = msgspec.msgpack.Decoder(list[CommandFact])
_REPLAYS = msgspec.msgpack.Decoder(list[Replay])
_DERIVED = msgspec.msgpack.Decoder(list[Derived])
_SHEDS = msgspec.msgpack.Decoder(list[Shed])
_PLAIN, _DEFLATED = b"\x00", b"\x01"
_WORTH_DEFLATING = 512


def pack(entries: Sequence[Entry]) -> bytes:
    """Encode messages as a row's body: MessagePack by column, deflated where that is worth it (RFC 1950)."""
    places: dict[str, int] = {}
    columns: _Columns = (
        [],
        [places.setdefault(e.topic, len(places)) for e in entries],
        [e.payload for e in entries],
        [e.packet_id for e in entries],
        bytes(e.flags for e in entries),
    )
    columns[0].extend(places)
    return _deflated(msgspec.msgpack.encode(columns))


def _unpack(body: bytes) -> list[Entry]:
    topics, at, payloads, packet_ids, flags = _COLUMNS.decode(_inflated(body))
    return [Entry(topics[i], p, m, f) for i, p, m, f in zip(at, payloads, packet_ids, flags, strict=True)]


def _deflated(plain: bytes) -> bytes:
    return _PLAIN + plain if len(plain) < _WORTH_DEFLATING else _DEFLATED + zlib.compress(plain, 1)


def _inflated(body: bytes) -> bytes:
    return zlib.decompress(body[1:]) if body[:1] == _DEFLATED else body[1:]


def pack_facts(facts: Sequence[CommandFact]) -> bytes:
    """Encode facts of commands' lives as a row's body."""
    return msgspec.msgpack.encode(list(facts))


def pack_replays(replays: Sequence[Replay]) -> bytes:
    """Encode dead letters to be read again as a row's body."""
    return _deflated(msgspec.msgpack.encode(list(replays)))


def pack_derived(readings: Sequence[Derived]) -> bytes:
    """Encode readings that flows derived as a row's body."""
    return _deflated(msgspec.msgpack.encode(list(readings)))


def pack_sheds(sheds: Sequence[Shed]) -> bytes:
    """Encode what was dropped as a row's body."""
    return _deflated(msgspec.msgpack.encode(list(sheds)))
