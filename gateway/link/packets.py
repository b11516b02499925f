"""Packets of MQTT 5 out of the bytes of a connection, with a short way for messages.

A PUBLISH without properties, which is most of them, is taken apart here: the codec takes as long for it, and stumbles over a topic that is not
UTF-8. All else is the codec's. (MQTT 5: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html)
"""

from __future__ import annotations

from collections.abc import Callable

import mqtt5

from gateway.journal.row import Entry
from gateway.link.wire import MalformedError, entry_of, variable_integer

ALIASES = 1000
"""Topics that the broker may give a number to (3.3.2.3.4)."""
_PUBLISH = 0x30


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
                if not (found := variable_integer(data, at + 1)):
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
        packet_id, properties = 0, after
        if head & 6:
            if head & 6 != 2 or after + 2 >= end:
                raise MalformedError
            packet_id, properties = data[after] << 8 | data[after + 1], after + 2
            if not packet_id:
                raise MalformedError
        if properties >= end:
            raise MalformedError
        if data[properties]:
            return self._message_with_properties(data[at:end])
        if after == begin:
            raise MalformedError
        return entry_of(data[begin:after], data[properties + 1 : end], packet_id, head)

    def _message_with_properties(self, packet: bytes) -> Entry:
        """Take a message of which the topic may be a number that stands for one."""
        whole = read(packet)
        assert isinstance(whole, mqtt5.PublishPacket)
        topic = whole.topic
        if whole.topic_alias is not None:
            if not 1 <= whole.topic_alias <= ALIASES:
                raise MalformedError
            if topic:
                self._aliases[whole.topic_alias] = topic
            elif (known := self._aliases.get(whole.topic_alias)) is not None:
                topic = known
        if not topic:
            raise MalformedError
        return entry_of(topic.encode(), whole.payload, whole.packet_id or 0, packet[0])


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
