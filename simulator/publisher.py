"""A fast publisher: many messages in flight on one connection."""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from types import TracebackType
from typing import Any, Self

import structlog
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from simulator.broker import Broker

log = structlog.get_logger()

_POLL_EVERY = 32
"""Messages between two looks at the socket: often enough that PUBACKs never pile up, seldom enough to cost little."""
_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0


class PublishError(ConnectionError):
    """The broker cannot be reached at the start, or refuses us; the text says which."""


class Publisher:
    """Publishes in order, with at most `in_flight` messages not yet acknowledged.

    Guarantee: at least once at QoS 1. What was in flight when a connection breaks is sent again (DUP) on the next one, which is tried for
    as long as it takes; `drain` returns when every PUBACK is there. At QoS 0 a message counts as done once it is on its way.
    All in the caller's thread: twice as fast as paho's own, which wakes itself for every message.
    """

    def __init__(self, broker: Broker, *, in_flight: int = 1000) -> None:
        self.sent = 0
        self.acknowledged = 0
        self._broker = broker
        self._in_flight = in_flight
        self._unacknowledged: set[int] = set()
        self._refused: ReasonCode | None = None
        self._client = self._make()

    def __enter__(self) -> Self:
        """Connect; PublishError when the broker is not there or refuses."""
        try:
            self._client.connect(self._broker.host, self._broker.port, keepalive=30)
        except OSError as error:
            raise PublishError(f"broker {self._broker}: cannot connect; got {error}") from error
        if not self._welcomed():
            raise PublishError(f"broker {self._broker}: does not take us; got {self._refused or 'a closed connection'}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._client.disconnect()

    def publish(self, topic: str, payload: bytes, *, qos: int = 1) -> None:
        """Send a message; waits while too many are in flight."""
        while self.waiting >= self._in_flight or (qos == 0 and self._client.want_write()):
            self._turn(1.0)
        self.sent += 1
        info = self._client.publish(topic, payload, qos)
        if qos:
            self._unacknowledged.add(info.mid)
        elif info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.acknowledged += 1
        if self.sent % _POLL_EVERY == 0:
            self._turn(0.0)

    @property
    def waiting(self) -> int:
        """Say how many messages lack their PUBACK."""
        return len(self._unacknowledged)

    def wait(self, seconds: float) -> None:
        """Look after the connection meanwhile."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._turn(min(left, 1.0))

    def drain(self) -> None:
        """Wait until every PUBACK is there, and nothing is left to write."""
        while self.waiting or self._client.want_write():
            self._turn(1.0)

    def _make(self) -> Client:
        broker = self._broker
        name = f"simulator-{secrets.token_hex(4)}"
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, transport=broker.transport)
        client.username_pw_set(broker.username, broker.password)
        if broker.transport == "websockets":
            client.ws_set_options(path=broker.path)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.max_inflight_messages_set(self._in_flight)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_socket_open = send_at_once
        return client

    def _turn(self, seconds: float) -> None:
        """Read, write and keep alive once; reconnect when the connection is gone."""
        if self._client.loop(seconds) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._reconnect()

    def _reconnect(self) -> None:
        log.warning("broker away, trying again until it is back", broker=str(self._broker), in_flight=self.waiting)
        delay = _FIRST_DELAY
        while True:
            time.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY)
            with contextlib.suppress(OSError):
                self._client.reconnect()
                if self._welcomed():
                    return

    def _welcomed(self) -> bool:
        """Wait for the broker's answer to our CONNECT."""
        until = time.monotonic() + _LONGEST_DELAY
        while not self._client.is_connected():
            if self._client.loop(0.1) != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > until:
                return False
        return True

    def _on_connect(self, _client: Client, _data: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: object) -> None:
        self._refused = reason if reason.is_failure else None

    def _on_publish(self, _client: Client, _data: Any, mid: int, _reason: ReasonCode, _properties: object) -> None:
        if mid in self._unacknowledged:  # else a message of QoS 0
            self._unacknowledged.remove(mid)
            self.acknowledged += 1


def send_at_once(_client: Client, _data: Any, opened: object) -> None:
    """Let small packets go out without waiting for others to fill a segment; for paho's `on_socket_open`."""
    if isinstance(opened, socket.socket):  # over websockets it is a wrapper
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
