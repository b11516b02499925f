"""The fast connection: MQTT 5 over TCP or TLS by the `mqtt5` codec, with large reads and no step that waits.

(MQTT 5: https://docs.oasis-open.org/mqtt/mqtt/v5.0/os/mqtt-v5.0-os.html)
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Sequence
from enum import IntEnum
from time import monotonic

import mqtt5

from gateway.journal.row import Entry
from gateway.link.connection import AT_ONCE, NOT_MQTT, REACHED, SILENT, Hello, Listener
from gateway.link.endpoint import Endpoint
from gateway.link.packets import ALIASES, Packets, read
from gateway.link.subscriptions import Subscription
from gateway.link.wire import MalformedError, pubacks

_READ_AT_ONCE = 256 * 1024
_CONNACK = 0x20
_CANNOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_REFUSALS_BEFORE_5 = (
    *("", "Unsupported protocol version", "Client identifier not valid", "Server unavailable"),
    *("Bad user name or password", "Not authorized"),
)
"""What a broker that does not speak MQTT 5 answers with, by its number (MQTT 3.1.1, 3.2.2.3)."""


class Mqtt5Connection:
    """A `gateway.link.connection.Connection`."""

    def __init__(self, endpoint: Endpoint, hello: Hello, listener: Listener) -> None:
        """Connect to nothing yet; raises AccessError where a password or certificate cannot be read."""
        self._endpoint, self._hello, self._listener = endpoint, hello, listener
        self._tls, self._password = endpoint.tls(), endpoint.password()
        self._sock: socket.socket | None = None
        self._out = bytearray()
        self._packets = Packets(hello.longest_packet)
        self._request = 0
        self._half_alive = endpoint.keepalive / 2
        self._heard_at = self._said_at = monotonic()
        self._asked_at = 0.0

    def connect(self) -> None:
        """Open the connection and say hello. Raises OSError."""
        to, hello = self._endpoint, self._hello
        sock = socket.create_connection((to.host, to.port), timeout=REACHED)
        try:
            # Acknowledgements are small: held back until the broker has acknowledged the last segment, each would cost 40 ms (RFC 896).
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock = self._tls.wrap_socket(sock, server_hostname=to.host) if self._tls else sock
        except BaseException:
            sock.close()
            raise
        self._sock.setblocking(False)
        self._heard_at = monotonic()
        topic, payload = hello.will
        packet = mqtt5.ConnectPacket(
            hello.client_id,
            username=to.access.username,
            password=None if self._password is None else self._password.encode(),
            will=mqtt5.Will(topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE, retain=True),
            keep_alive=to.keepalive,
            session_expiry_interval=hello.expiry,
            receive_max=hello.ahead,
            topic_alias_max=ALIASES,
            max_packet_size=hello.longest_packet,
        )
        self._send(packet.write())

    def socket(self) -> socket.socket | None:
        """Give what to wait on; None once the connection is over."""
        return self._sock

    def pending(self) -> bool:
        """Tell whether something can be read that `poll` does not see: read ahead, or decrypted."""
        return self._sock is not None and (self._packets.more or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0))

    def wants_write(self) -> bool:
        """Tell whether something waits to be written."""
        return bool(self._out)

    def pause(self) -> None:
        """Count the broker's silence as ours, for as long as nothing is read."""
        self._heard_at, self._asked_at = monotonic(), 0.0

    def close(self) -> None:
        """Leave without a good-bye, where there has been none."""
        sock, self._sock = self._sock, None
        if sock is not None:
            sock.close()

    # -- out

    def write(self) -> None:
        """Write as much of what waits as can be written now."""
        while self._out and self._sock is not None:
            try:
                written = self._sock.send(self._out)
            except _CANNOT_NOW:
                return
            except OSError:
                self._end("")
                return
            del self._out[:written]
            self._said_at = monotonic()

    def _send(self, packet: bytes) -> None:
        self._out += packet
        self.write()

    def _number(self) -> int:
        self._request = self._request % 65_535 + 1
        return self._request

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge QoS 1 messages, all in one write."""
        if self._sock is not None and (packets := pubacks(packet_ids)):
            self._send(packets)

    def subscribe(self, wanted: Sequence[Subscription]) -> int:
        """Subscribe; retained messages come only for what is new. Raises ValueError for what cannot be asked for."""
        only_new = mqtt5.RetainHandling.SEND_IF_SUBSCRIPTION_NOT_EXISTS
        filters = [
            mqtt5.TopicFilter(one.topic, max_qos=mqtt5.QoS(one.qos), retain_as_published=False, retain_handling=only_new) for one in wanted
        ]
        number = self._number()
        self._send(mqtt5.SubscribePacket(number, filters).write())
        return number

    def unsubscribe(self, topics: Sequence[str]) -> int:
        """Unsubscribe."""
        number = self._number()
        self._send(mqtt5.UnsubscribePacket(number, list(topics)).write())
        return number

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish."""
        number = self._number()
        packet = mqtt5.PublishPacket(topic, payload, qos=mqtt5.QoS(qos), retain=retain, packet_id=number if qos else None)
        self._send(packet.write())
        return number

    def disconnect(self) -> None:
        """Say good-bye: the broker keeps the will to itself."""
        self._send(mqtt5.DisconnectPacket().write())

    def turn(self) -> None:
        """Ask for a sign of life, or miss one, where it is time. Any bytes are one: on a slow line the answer stands behind all before it."""
        now = monotonic()
        if self._sock is None or not self._half_alive:
            return
        if self._heard_at > self._asked_at:
            self._asked_at = 0.0
        if self._asked_at:
            if now - self._asked_at >= self._half_alive:
                self._end(SILENT)
        elif now - min(self._heard_at, self._said_at) >= self._half_alive:
            self._asked_at = now
            self._send(mqtt5.PingReqPacket().write())

    # -- in

    def read(self) -> list[Entry]:
        """Take what can be taken now, and give the messages among it, at most AT_ONCE."""
        taken: list[Entry] = []
        if self._packets.more or self._receive():
            try:
                self._packets.take(taken, AT_ONCE, self._take_control)
            except MalformedError:
                self._end(NOT_MQTT)
        return taken

    def _receive(self) -> bool:
        """Read once; tell whether that may have made a packet whole."""
        assert self._sock is not None
        try:
            received = self._sock.recv(_READ_AT_ONCE)
        except _CANNOT_NOW:
            return False
        except OSError:
            received = b""
        if not received:
            self._end("")
            return False
        self._heard_at = monotonic()
        self._packets.feed(received)
        return self._packets.more

    def _take_control(self, raw: bytes) -> bool:
        """Take a packet that is no message; tell whether the connection goes on. Raises MalformedError."""
        if raw[0] == _CONNACK and len(raw) == 4 and 0 < raw[3] < len(_REFUSALS_BEFORE_5):
            self._listener.on_refused(_REFUSALS_BEFORE_5[raw[3]])
            return False
        match read(raw):
            case mqtt5.ConnAckPacket() as answer:
                self._take_answer(answer)
            case mqtt5.SubAckPacket(packet_id=request, reason_codes=codes) | mqtt5.UnsubAckPacket(packet_id=request, reason_codes=codes):
                self._listener.on_granted(request, [_reason(code) for code in codes])
            case mqtt5.PubAckPacket(packet_id=request, reason_code=code):
                self._listener.on_published(request, _reason(code))
            case mqtt5.DisconnectPacket(reason_code=code):
                self._end(_name(code), said=True)
            case mqtt5.PingRespPacket():
                pass
            case _:
                raise MalformedError
        return self._sock is not None

    def _take_answer(self, answer: mqtt5.ConnAckPacket) -> None:
        if reason := _reason(answer.reason_code):
            self._listener.on_refused(reason)
            return
        if answer.server_keep_alive:  # a server may ask for a shorter one (3.2.2.3.14)
            self._half_alive = min(self._half_alive, answer.server_keep_alive / 2)
        self._listener.on_let_in(session_present=answer.session_present, expiry=answer.session_expiry_interval)

    def _end(self, reason: str, *, said: bool = False) -> None:
        self.close()
        self._listener.on_ended(reason, said=said)


def _reason(code: IntEnum) -> str:
    """Name a reason code; "" for those that are no failure (2.4)."""
    return _name(code) if int(code) >= 0x80 else ""


def _name(code: IntEnum) -> str:
    """Name a reason code as the specification does."""
    name = code.name.replace("_", " ").capitalize()
    return _NAMES.get(name, name)


_NAMES = {
    "Client id not valid": "Client identifier not valid",
    "Receive max exceeded": "Receive Maximum exceeded",
    "Qos not supported": "QoS not supported",
}
"""Names that the codec shortens."""
