"""The link's connection: paho's client, with short ways for what goes over it by the thousand a second."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from gateway.link.endpoint import Endpoint

_READ_AT_ONCE = 65_536
_PUBACK = 0x40
_RETAIN, _DUP = 0x01, 0x08

Take = Callable[[bytes, bytes, int, bool, bool], None]
"""Takes a message: topic, payload, packet id (0 for QoS 0), whether it is retained, whether it may be a redelivery."""


class Connection(Client):
    """One connection, driven from one thread by `loop_read`, `loop_write` and `loop_misc`, which hands each message to `take`.

    Guarantee: acknowledges nothing by itself. It counts as dead when nothing has come for the keep-alive, though a sign of life was asked for
    in the middle of it; as long as anything comes, it is alive.
    """

    def __init__(self, endpoint: Endpoint, client_id: str, protocol: MQTTProtocolVersion, take: Take) -> None:
        """Connect to nothing yet; raises AccessError where a password or certificate cannot be read."""
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if protocol == MQTTProtocolVersion.MQTTv5 else False,
            protocol=protocol,
            transport=endpoint.transport,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if endpoint.transport == "websockets":
            self.ws_set_options(path=endpoint.path)
        if tls := endpoint.tls():
            self.tls_set_context(tls)
        if endpoint.access.username:
            self.username_pw_set(endpoint.access.username, endpoint.password())
        self.on_socket_open = _send_at_once
        self._take = take
        self._read = memoryview(b"")

    def pending(self) -> bool:
        """Tell whether something can be read that `poll` does not see: read ahead, or decrypted."""
        decrypted = getattr(self.socket(), "pending", None)
        return bool(self._read) or (decrypted is not None and decrypted() > 0)

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge QoS 1 messages, all in one write."""
        packets = b"".join(struct.pack("!BBH", _PUBACK, 2, packet_id) for packet_id in packet_ids)
        if packets and self.socket() is not None:
            self._packet_queue(_PUBACK, packets, 0, 1)

    def pause(self) -> None:
        """Count the broker's silence as ours, for as long as nothing is read."""
        self._ping_t = 0.0
        self._last_bytes_received = monotonic()

    def close(self) -> None:
        """Leave without a good-bye, where there has been none."""
        self._sock_close()

    # -- paho's own steps

    def loop_misc(self) -> MQTTErrorCode:
        """Ask for a sign of life where it is due. Any bytes are one: on a slow line the answer stands behind all that comes before it."""
        if self._last_bytes_received > self._ping_t:
            self._ping_t = 0.0
        return super().loop_misc()

    def _send_connect(self, keepalive: int) -> MQTTErrorCode:
        sent = super()._send_connect(keepalive)
        self._keepalive = max(1, keepalive // 2)
        return sent

    def _handle_connack(self) -> MQTTErrorCode:
        asked = self._keepalive
        handled = super()._handle_connack()
        self._keepalive = min(asked, self._keepalive) or asked  # a server may ask for a shorter one (MQTT 5, 3.2.2.3.14)
        return handled

    def _sock_recv(self, bufsize: int) -> bytes:
        """Read ahead: paho asks for the head of each packet byte by byte."""
        if not self._read:
            self._read = memoryview(super()._sock_recv(max(bufsize, _READ_AT_ONCE)))
        found, self._read = self._read[:bufsize], self._read[bufsize:]
        return bytes(found)

    def _handle_publish(self) -> MQTTErrorCode:
        """Take a PUBLISH without its properties, which paho would decode one by one (MQTT 5, 3.3; MQTT 3.1.1, 3.3)."""
        header, packet = self._in_packet["command"], memoryview(self._in_packet["packet"])
        qos = header >> 1 & 3
        topic_end = 2 + int.from_bytes(packet[:2])
        at = topic_end + 2 if qos else topic_end
        packet_id = int.from_bytes(packet[topic_end:at])
        if self._protocol == MQTTProtocolVersion.MQTTv5:
            at = _after_properties(packet, at)
        if topic_end == 2 or at > len(packet) or qos > 1 or (qos and not packet_id):
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        with self._in_callback_mutex:  # what is sent meanwhile waits: a lost connection must not be cleared away under this packet
            self._take(bytes(packet[2:topic_end]), bytes(packet[at:]), packet_id, bool(header & _RETAIN), bool(header & _DUP))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _after_properties(packet: memoryview, at: int) -> int:
    """Give where the payload begins; beyond the packet's end where the length before it is malformed (MQTT 5, 1.5.5)."""
    length = 0
    for place, byte in enumerate(packet[at : at + 4]):
        length |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return at + place + 1 + length
    return len(packet) + 1


def _send_at_once(_client: Client, _data: object, opened: Any) -> None:
    """Acknowledgements are small: held back until the broker has acknowledged the last segment, each would cost 40 ms (RFC 896)."""
    plain = getattr(opened, "_socket", opened)  # inside a WebSocket
    if plain.family in {socket.AF_INET, socket.AF_INET6}:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
