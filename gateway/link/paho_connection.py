"""The connection by paho's client: MQTT 3.1.1, and over websockets, with short ways for what goes over it by the thousand a second."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.journal.row import Entry
from gateway.link.connection import AT_ONCE, NOT_MQTT, SILENT, Hello, Listener
from gateway.link.endpoint import Endpoint
from gateway.link.subscriptions import Subscription
from gateway.link.wire import PUBACK, MalformedError, entry_of, pubacks, variable_integer

_READ_AT_ONCE = 65_536
_OURS = frozenset({NOT_MQTT, SILENT})
"""Reasons for which paho ends a connection, and that say something."""


class PahoConnection:
    """A `gateway.link.connection.Connection`, in MQTT 5 or 3.1.1."""

    def __init__(self, endpoint: Endpoint, hello: Hello, listener: Listener, *, mqtt5: bool) -> None:
        """Connect to nothing yet; raises AccessError where a password or certificate cannot be read."""
        self._endpoint, self._hello, self._listener, self._mqtt5 = endpoint, hello, listener, mqtt5
        self._client = client = _Client(endpoint, hello, mqtt5=mqtt5)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = client.on_unsubscribe = self._on_answer
        client.on_publish = self._on_publish
        self._over = False

    def connect(self) -> None:
        """Open the connection and say hello. Raises OSError."""
        to, hello = self._endpoint, self._hello
        topic, payload = hello.will
        self._client.will_set(topic, payload, qos=1, retain=True)
        if not self._mqtt5:
            self._client.connect(to.host, to.port, keepalive=to.keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = hello.expiry
        properties.ReceiveMaximum = hello.ahead
        properties.MaximumPacketSize = hello.longest_packet
        self._client.connect(to.host, to.port, keepalive=to.keepalive, clean_start=False, properties=properties)

    def socket(self) -> Any:
        """Give what to wait on; None once the connection is over."""
        return None if self._over else self._client.socket()

    def pending(self) -> bool:
        """Tell whether something can be read that `poll` does not see: read ahead, or decrypted."""
        return self._client.pending()

    def wants_write(self) -> bool:
        """Tell whether something waits to be written."""
        return self._client.want_write()

    def read(self) -> list[Entry]:
        """Take what can be taken now, and give the messages among it, at most AT_ONCE."""
        client, taken = self._client, self._client.taken
        for _ in range(AT_ONCE):
            sock = client.socket()
            client.loop_read()
            if client.socket() is not sock or sock is None or not client.pending():
                break
        client.taken = []
        return taken

    def write(self) -> None:
        """Write as much of what waits as can be written now."""
        self._client.loop_write()

    def turn(self) -> None:
        """Ask for a sign of life, or miss one, where it is time."""
        self._over = self._over or self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS

    def pause(self) -> None:
        """Count the broker's silence as ours, for as long as nothing is read."""
        self._client.pause()

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge QoS 1 messages, all in one write."""
        self._client.acknowledge(packet_ids)

    def subscribe(self, wanted: Sequence[Subscription]) -> int:
        """Subscribe; in MQTT 5 retained messages come only for what is new. Raises ValueError for what cannot be asked for."""
        if self._mqtt5:
            only_new = SubscribeOptions.RETAIN_SEND_IF_NEW_SUB
            asked = self._client.subscribe([(one.topic, SubscribeOptions(one.qos, retainHandling=only_new)) for one in wanted])
        else:
            asked = self._client.subscribe([(one.topic, one.qos) for one in wanted])
        return _number(asked)

    def unsubscribe(self, topics: Sequence[str]) -> int:
        """Unsubscribe."""
        return _number(self._client.unsubscribe(list(topics)))

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish."""
        return self._client.publish(topic, payload, qos=qos, retain=retain).mid

    def disconnect(self) -> None:
        """Say good-bye: the broker keeps the will to itself."""
        self._client.disconnect()

    def close(self) -> None:
        """Leave without a good-bye, where there has been none."""
        self._client.close()

    # -- what paho calls, on the same thread

    def _on_connect(self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None) -> None:
        if reason.is_failure:
            self._listener.on_refused(reason.getName())
            client.disconnect()
        else:
            expiry = getattr(properties, "SessionExpiryInterval", None)
            self._listener.on_let_in(session_present=flags.session_present, expiry=expiry)

    def _on_answer(self, _client: Client, _data: object, mid: int, reasons: Sequence[ReasonCode], _properties: Properties | None) -> None:
        self._listener.on_granted(mid, [_name(reason) for reason in reasons])

    def _on_publish(self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties | None) -> None:
        self._listener.on_published(mid, _name(reason))

    def _on_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        name, said = reason.getName(), flags.is_disconnect_packet_from_server
        self._listener.on_ended(name if said or name in _OURS else "", said=said)


class _Client(Client):
    """Paho's client, which lays each message into `taken`.

    Before MQTT 5 a broker cannot be told how long a packet may be: of one that is longer, only so much is kept as would have been allowed.
    """

    def __init__(self, endpoint: Endpoint, hello: Hello, *, mqtt5: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=hello.client_id,
            clean_session=None if mqtt5 else False,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt5 else MQTTProtocolVersion.MQTTv311,
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
        self.taken: list[Entry] = []
        self._longest = hello.longest_packet
        self._read = memoryview(b"")

    def pending(self) -> bool:
        decrypted = getattr(self.socket(), "pending", None)
        return bool(self._read) or (decrypted is not None and decrypted() > 0)

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        if self.socket() is not None and (packets := pubacks(packet_ids)):
            self._packet_queue(PUBACK, packets, 0, 1)

    def pause(self) -> None:
        self._ping_t = 0.0
        self._last_bytes_received = monotonic()

    def close(self) -> None:
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
        del self._in_packet["packet"][self._longest :]
        if not self._read:
            self._read = memoryview(super()._sock_recv(_READ_AT_ONCE))
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
        self.taken.append(entry_of(bytes(packet[2:topic_end]), bytes(packet[at:]), packet_id, header))
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _number(asked: tuple[MQTTErrorCode, int | None]) -> int:
    code, mid = asked
    if mid is None:
        raise ValueError(f"broker.subscribe cannot be asked for: {code.name}")
    return mid


def _name(reason: ReasonCode) -> str:
    return reason.getName() if reason.is_failure else ""


def _after_properties(packet: memoryview, at: int) -> int:
    """Give where the payload begins; beyond the packet's end where the length before it is malformed (MQTT 5, 1.5.5)."""
    try:
        found = variable_integer(packet, at)
    except MalformedError:
        found = None
    return len(packet) + 1 if found is None else sum(found)


def _send_at_once(_client: Client, _data: object, opened: Any) -> None:
    """Acknowledgements are small: held back until the broker has acknowledged the last segment, each would cost 40 ms (RFC 896)."""
    plain = getattr(opened, "_socket", opened)  # inside a WebSocket
    if plain.family in {socket.AF_INET, socket.AF_INET6}:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
