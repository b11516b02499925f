"""Packed objects: CBOR (RFC 8949) and MessagePack (https://msgpack.org) on any topic, read as the same object in JSON would be.

Which of the two it is shows in the bytes, and in which of them make sense to the end (`devices.binary`). The rules of plain JSON hold for
device, keys and time. Commands are one object on `<the device's topic>/set`, in the encoding in which the device speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast, get_args

import msgspec

from devices import binary
from devices.binary import Encoding
from devices.convention import Place, Said, remember
from devices.conventions.plain_json import PlainJson
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Ignored, Message, Value

MOST_DEVICES: Final = 100_000


class Packed(PlainJson):
    """Objects and arrays of objects in CBOR or MessagePack."""

    name = "packed"
    bodies = frozenset({bytes})
    title = "CBOR and MessagePack"
    about = "An object of named values in CBOR or MessagePack: as plain JSON, in fewer bytes"
    topics = "any that no dialect owns: `home/kitchen` ← CBOR or MessagePack; commands on `<the device's topic>/set`, in the same encoding"
    setup = "Publish to the broker, on a topic whose last level names the device."

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._last: tuple[bytes, tuple[Encoding, dict[str, Any] | list[Any]] | None] = (b"", None)

    def takes(self, body: Body) -> bool:
        return isinstance(body, bytes) and self._unpacked(body) is not None

    def _unpacked(self, payload: bytes) -> tuple[Encoding, dict[str, Any] | list[Any]] | None:
        """Return what the bytes hold; those asked about last are not read twice."""
        if self._last[0] is not payload:
            self._last = (payload, binary.unpack(payload) if payload else None)
        return self._last[1]

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        unpacked = self._unpacked(body) if isinstance(body, bytes) else None
        assert unpacked is not None
        encoding, content = unpacked
        said = super().decode(message, place, content)
        if isinstance(said, list) and self.learned.get(said[0].device) != encoding:
            remember(self.learned, said[0].device, encoding, most=MOST_DEVICES)
            self.readdress(said[0].device)
        return said

    def base_of(self, device: str, base: str) -> str:
        """Return the device's topic behind its encoding: `cbor:home/attic`."""
        return f"{self.learned.get(device, 'cbor')}:{base}"

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one object for all settings, in the encoding that `base` names; without one, in CBOR."""
        encoding, _, topic = base.partition(":")
        if encoding not in get_args(Encoding):
            encoding, topic = "cbor", base
        (command,) = super().encode(topic, device, settings)
        body = msgspec.json.decode(command.payload)
        return [Encoded(command.topic, binary.pack(cast("Encoding", encoding), body), command.expects)]
