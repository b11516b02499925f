"""Packets of MQTT 5 out of the bytes of a connection, with a short way for messages.

A PUBLISH without properties, which is most of them, is taken apart here: the codec takes as long for it, and stumbles over a topic that is not
UTF-8. All else is the codec's. (MQTT 5: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html)
"""

from __future__ import annotations

from collections.abc import Callable

import mqtt5

from gateway.journal.row import Entry, Flag

ALIASES = 1000
"""Topics that the broker may give a number to (3.3.2.3.4)."""
_PUBLISH = 0x30
_RETAIN, _DUP = 0x01, 0x08
_RETAINED_FLAG, _DUP_FLAG = int(Flag.RETAINED), int(Flag.DUP)


class MalformedError(ValueError):
    """What has come is no MQTT 5."""


class Packets:
    """Takes bytes as they come, and gives whole packets. `more` tells whether there may be one left.

    Bounded: a packet longer than `longest` bytes is malformed, and is not waited for.
    """

    def __init__(self, longest: int) -> None:
        self.more = False
        self._longest = longest
        self._data, self._at = b"", 0
        self._parts: list[bytes] = []
        self._missing = 0
        self._aliases: dict[int, str] = {}

    def feed(self, read: bytes) -> None:
        """Take further bytes, when all whole packets before have been given."""
        self._parts.append(read)
        self._missing -= len(read)
        if self._missing <= 0:
            self._data, self._at, self._parts, self.more = b"".join(self._parts), 0, [], True

    def take(self, taken: list[Entry], most: int, control: Callable[[bytes], bool]) -> None:
        """Lay messages into `taken`, up to so many, and hand all other packets to `control`, in order, until it says no. Raises MalformedError."""
        data, at, have = self._data, self._at, len(self._data)
        while len(taken) < most:
            if have - at < 2:
                return self._keep(at, 2)
            length, body = data[at + 1], at + 2
            if length > 127:
                if not (found := _length(data, at + 1)):
                    return self._keep(at, have - at + 1)
                length, body = found
            end = body + length
            if end > have:
                if end - at > self._longest:
                    raise MalformedError
                return self._keep(at, end - at)
            if data[at] & 0xF0 == _PUBLISH:
                taken.append(self._message(data, at, body, end))
            elif not control(data[at:end]):
                break
            at = end
        self._at = at
        return None

    def _keep(self, at: int, whole: int) -> None:
        """Keep the beginning of a packet that is whole with so many bytes."""
        rest = self._data[at:]
        self._parts, self._missing = [rest] if rest else [], whole - len(rest)
        self._data, self._at, self.more = b"", 0, False

    def _message(self, data: bytes, at: int, body: int, end: int) -> Entry:
        head = data[at]
        begin = body + 2
        after = begin + (data[body] << 8 | data[begin - 1]) if begin < end else end
        packet_id = 0
        if head & 6:
            if head & 6 != 2 or after + 2 >= end:
                raise MalformedError
            packet_id = data[after] << 8 | data[after + 1]
            if not packet_id:
                raise MalformedError
            properties = after + 2
        else:
            properties = after
        if properties >= end:
            raise MalformedError
        try:
            topic = data[begin:after].decode()
        except UnicodeDecodeError:
            topic = "(topic is not UTF-8)"
        flags = (_RETAINED_FLAG if head & _RETAIN else 0) | (_DUP_FLAG if head & _DUP else 0)
        if data[properties]:
            return self._message_with_properties(data[at:end], topic, packet_id, flags)
        if after == begin:
            raise MalformedError
        return Entry(topic, data[properties + 1 : end], packet_id, flags)

    def _message_with_properties(self, packet: bytes, topic: str, packet_id: int, flags: int) -> Entry:
        """Take a message of which the topic may be a number that stands for one."""
        whole = read(packet)
        assert isinstance(whole, mqtt5.PublishPacket)
        if whole.topic_alias is not None:
            if not 1 <= whole.topic_alias <= ALIASES:
                raise MalformedError
            if topic:
                self._aliases[whole.topic_alias] = topic
            elif (known := self._aliases.get(whole.topic_alias)) is not None:
                topic = known
        if not topic:
            raise MalformedError
        return Entry(topic, whole.payload, packet_id, flags)


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Read a variable byte integer (1.5.5): its value and what comes after; None where it is not whole. Raises MalformedError."""
    value = 0
    for place in range(4):
        if at + place >= len(data):
            return None
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise MalformedError


def read(raw: bytes) -> mqtt5.Packet:
    """Have the codec read a packet that is whole. Raises MalformedError."""
    try:
        packet, _ = mqtt5.read(memoryview(raw))
    except (ValueError, IndexError) as error:
        raise MalformedError from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust, at a text that is not UTF-8; nothing can be imported to name it
            raise
        raise MalformedError from error
    return packet
