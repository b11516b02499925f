"""The link: every message from the broker goes into the journal, and only then is it acknowledged."""

from __future__ import annotations

import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any

import msgspec
import structlog
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.events.channel import level
from gateway.events.event import source
from gateway.events.marker import CHANNEL as MARKER
from gateway.events.marker import Marker, MarkerEvent
from gateway.events.status import CHANNEL as STATUS
from gateway.events.status import Status, StatusEvent
from gateway.journal.journal import Journal
from gateway.journal.redelivery import Redelivery
from gateway.journal.row import Entry, Flag
from gateway.link.backoff import Backoff
from gateway.link.endpoint import Endpoint

log = structlog.get_logger()

BATCH = 1024
"""Messages in a journal row at most (DESIGN D1)."""
_ACCESS = frozenset(("Not authorized", "Bad user name or password"))
_OVERSIZE_KEPT = 1024
"""Bytes kept of a payload that is larger than `limits.payload`."""


@dataclass(frozen=True)
class Subscription:
    """A topic filter with its maximum QoS (0 or 1: a QoS 2 message would live in memory only, between PUBREC and the journal)."""

    topic: str
    qos: int = 1


class Link(threading.Thread):
    """One MQTT connection for taking in, on a thread of its own.

    Delivery guarantee: a QoS 1 message is acknowledged after the journal row that holds it is durable, and only on the connection on which
    it came; what was not acknowledged comes again after a reconnect, and `Redelivery` tells which of that is held already. What Sluice
    published under `sluice/<site>/` is acknowledged and not taken in.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        *,
        site: str,
        client_id: str,
        subscriptions: Sequence[Subscription],
        state_file: Path,
        linger: int = 0,
        payload_limit: int = 256 * 1024,
        on_state: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__(name="link", daemon=True)
        self._endpoint = endpoint
        self._journal = journal
        self._own = f"sluice/{level(site)}/"
        self._source = source(site)
        self._status_topic = STATUS.topic(site=site)
        self._marker_topic = MARKER.topic(site=site, client=client_id)
        self._subscriptions = [*subscriptions, Subscription(self._marker_topic)]
        self._state_file = state_file
        self._linger = linger / 1e9
        self._payload_limit = payload_limit
        self._on_state = on_state
        self._redelivery = Redelivery.from_journal(journal.directory, journal.session)
        self._batch: list[Entry] = []
        self._to_ack: list[int] = []
        self._connection = 0
        self._wanted = threading.Event()
        self._wanted.set()
        self._wake_read, self._wake_write = os.pipe()
        self.tick_every = 1_000_000_000
        self._client = self._new_client(client_id)

    def _new_client(self, client_id: str) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport=self._endpoint.transport,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if self._endpoint.transport == "websockets":
            client.ws_set_options(path=self._endpoint.path)
        if self._endpoint.tls:
            client.tls_set_context(self._endpoint.tls)
        if self._endpoint.username:
            client.username_pw_set(self._endpoint.username, self._endpoint.password)
        client.on_socket_open = _send_at_once
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _status(self, *, running: bool) -> bytes:
        """Give the word on a connection, or the last will on the one to come."""
        connection = self._connection or self._journal.connection + 1
        what = f"status/{connection}/{'up' if running else 'down'}"
        return msgspec.json.encode(StatusEvent(id=what, source=self._source, data=Status(running=running)))

    def _marker(self) -> bytes:
        connection = self._connection
        return msgspec.json.encode(MarkerEvent(id=f"marker/{connection}", source=self._source, data=Marker(connection=connection)))

    # -- the thread

    def run(self) -> None:
        """Connect, take in until the connection ends, and try again, for ever."""
        backoff = Backoff()
        while self._wanted.is_set():
            if self._connect():
                self._pump()
                if self._connection:
                    backoff.reset()
                    self._on_state("disconnected")
            self._journal.live = False
            self._sleep(backoff.delay())

    def stop(self) -> None:
        """End the thread: everything taken in is journalled, the will is replaced by a word of our own, the session stays with the broker."""
        self._wanted.clear()
        os.write(self._wake_write, b"!")
        self.join()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _connect(self) -> bool:
        self._connection = 0
        self._batch.clear()
        self._to_ack.clear()
        self._client.will_set(self._status_topic, self._status(running=False), qos=1, retain=True)
        try:
            code = self._client.connect(self._endpoint.host, self._endpoint.port, keepalive=self._endpoint.keepalive)
        except (OSError, ValueError) as error:
            self._on_state(f"cannot reach {self._endpoint}: {error}")
            return False
        return code == MQTTErrorCode.MQTT_ERR_SUCCESS

    def _sleep(self, seconds: float) -> None:
        """Wait before the next try; time goes on in the journal meanwhile, though it counts for nothing there (it is not live)."""
        until = monotonic() + seconds
        while self._wanted.is_set() and (left := until - monotonic()) > 0:
            select.select([self._wake_read], [], [], min(left, self._until_tick()))
            self._tick_if_due()

    def _pump(self) -> None:
        while self._wanted.is_set():
            sock: Any = self._client.socket()
            if sock is None:
                return
            writing = [sock] if self._client.want_write() else []
            pending = _decrypted(sock)
            readable, writable, _ = select.select([sock, self._wake_read], writing, [], 0 if pending else min(self._until_tick(), 1.0))
            if writable:
                self._client.loop_write()
            if sock in readable or pending:
                self._take_in()
            if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return
            self._tick_if_due()
        self._say_goodbye()

    def _take_in(self) -> None:
        """Read until the socket is drained (and `linger` has passed) or the batch is full, then commit and acknowledge."""
        give_up = monotonic() + self._linger if self._linger else 0.0
        while len(self._batch) < BATCH and (sock := self._client.socket()) is not None:
            self._client.loop_read()
            wait = max(0.0, give_up - monotonic()) if give_up and self._batch else 0.0
            if self._client.socket() is not sock or not (_decrypted(sock) or select.select([sock], [], [], wait)[0]):
                break
        self._commit()

    def _commit(self) -> None:
        if self._batch:
            self._journal.append_messages(self._batch)
            self._batch.clear()
        acks, self._to_ack = self._to_ack, []
        if self._client.socket() is not None:  # a PUBACK belongs to the connection on which its message came
            for packet_id in acks:
                self._client.ack(packet_id, 1)

    def _until_tick(self) -> float:
        return max(0.0, (self._journal.appended_at + self.tick_every - monotonic_ns()) / 1e9)

    def _tick_if_due(self) -> None:
        if self._until_tick() == 0.0:
            self._journal.append_tick()

    def _say_goodbye(self) -> None:
        self._commit()
        if self._client.socket() is not None:
            self._client.publish(self._status_topic, self._status(running=False), qos=0, retain=True)
            while self._client.want_write() and self._client.loop_write() == MQTTErrorCode.MQTT_ERR_SUCCESS:
                pass
            self._client.disconnect()

    # -- what paho calls, on the same thread

    def _on_connect(self, client: Client, _data: object, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None) -> None:
        if reason.is_failure:
            why = " (see broker.username and broker.password_file)" if reason.getName() in _ACCESS else ""
            self._on_state(f"{self._endpoint} refuses the connection: {reason}{why}")
            client.disconnect()
            return
        fresh = not flags.session_present
        self._connection = self._journal.connected(session_present=not fresh)
        if fresh:
            self._redelivery = Redelivery()
        wanted = msgspec.json.encode([(s.topic, s.qos) for s in self._subscriptions])
        # Subscribing again would make the broker send every retained message again (MQTT 3.1.1, 3.8.4).
        if fresh or not self._state_file.exists() or self._state_file.read_bytes() != wanted:
            client.subscribe([(s.topic, s.qos) for s in self._subscriptions])
            self._state_file.write_bytes(wanted)
        else:
            self._send_marker()
        client.publish(self._status_topic, self._status(running=True), qos=1, retain=True)
        self._on_state("connected")

    def _on_subscribe(self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None) -> None:
        for subscription, reason in zip(self._subscriptions, reasons, strict=False):
            if reason.is_failure:
                self._on_state(f"{self._endpoint} refuses the subscription to {subscription.topic}")
        self._send_marker()

    def _send_marker(self) -> None:
        self._client.publish(self._marker_topic, self._marker(), qos=1)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.qos:
            self._to_ack.append(message.mid)
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(topic is not UTF-8)"
        if topic.startswith(self._own):
            if topic == self._marker_topic and message.payload == self._marker():
                self._commit()  # what came before the marker is backlog, what comes after is live
                self._journal.live = True
            return
        self._batch.append(self._entry(topic, message))

    def _entry(self, topic: str, message: MQTTMessage) -> Entry:
        payload = bytes(message.payload)
        packet_id = message.mid if message.qos else 0
        flags = (Flag.RETAINED if message.retain else 0) | (Flag.DUP if message.dup else 0)
        if message.dup and packet_id and self._redelivery.is_repeat(packet_id, topic, payload):
            return Entry(topic, b"", packet_id, flags | Flag.REPEATED)
        self._redelivery.remember(packet_id, topic, payload)
        if len(payload) > self._payload_limit:
            return Entry(topic, payload[:_OVERSIZE_KEPT], packet_id, flags | Flag.OVERSIZE)
        return Entry(topic, payload, packet_id, flags)


def _decrypted(sock: Any) -> bool:
    """Tell whether bytes wait inside TLS, where `select` does not see them."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0


def _send_at_once(_client: Client, _data: object, opened: Any) -> None:
    """Acknowledgements are small: held back until the broker has acknowledged the last segment, each would cost 40 ms (RFC 896)."""
    if opened.family in {socket.AF_INET, socket.AF_INET6}:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
