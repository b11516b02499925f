"""The session at the broker: what is asked for, by the newest MQTT that the broker speaks, and what it grants."""

from __future__ import annotations

from typing import Any

from paho.mqtt.enums import MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.link.intake import BATCH

_V5, _V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


class Session:
    """Begins with MQTT 5. A broker that does not speak it is spoken to in 3.1.1 for as long as the process lives."""

    def __init__(self, *, expiry: int, longest_packet: int, mqtt5: bool) -> None:
        """Ask that the session outlives its connection for `expiry` ns, and that no packet is longer than so many bytes.

        Without `mqtt5` the broker is known not to speak it, and 3.1.1 is tried first.
        """
        self._expiry = expiry // 1_000_000_000
        self._longest_packet = longest_packet
        self.protocol = _V5 if mqtt5 else _V311
        self._answered = False
        self.document: dict[str, Any] = {}
        """What is known of the session now; empty before the first connection."""

    def properties(self) -> Properties | None:
        """Give what goes into the CONNECT; None before MQTT 5."""
        if self.protocol != _V5:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = self._expiry
        properties.ReceiveMaximum = BATCH
        properties.MaximumPacketSize = self._longest_packet
        return properties

    def answered(self, *, present: bool, properties: Properties | None) -> None:
        """Note what the broker grants."""
        self._answered = True
        self.document = {"protocol": "5" if self.protocol == _V5 else "3.1.1", "present": present}
        if self.protocol == _V5:
            expiry = getattr(properties, "SessionExpiryInterval", self._expiry)
            self.document |= {"receive_maximum": BATCH, "maximum_packet": self._longest_packet, "expiry": expiry}

    def try_other(self, *, refused: bool) -> bool:
        """Take the other protocol after a connection that came to nothing; tell whether that is worth trying at once.

        A broker that was heard in a protocol speaks that, unless it `refused` it in so many words.
        """
        if self._answered and not refused:
            return False
        self._answered = False
        self.protocol = _V311 if self.protocol == _V5 else _V5
        return self.protocol == _V311
