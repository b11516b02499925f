"""A client that says single messages and hears what others say: for what no load of the simulator would send."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from paho.mqtt.client import Client, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.bench.waiting import until


class Heard(NamedTuple):
    """A message, and when it came (monotonic seconds)."""

    topic: str
    payload: bytes
    at: float
    retained: bool = False


Answer = Callable[[Heard], tuple[str, bytes]]
"""Gives the topic and the payload of what is said at once about what was heard."""


class Voice:
    """One connection, in a thread of paho's. A message counts as sent when the broker has acknowledged it."""

    def __init__(
        self, port: int, name: str = "", *, hears: Sequence[str] = (), session: bool = False, answer: Answer | None = None
    ) -> None:
        """With `session`, take over the session of that name, and acknowledge nothing that comes out of it. `answer` says what follows a message."""
        self.heard: list[Heard] = []
        self._hears = hears
        self._answer = answer
        self._listening = threading.Event()
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=name,
            protocol=MQTTProtocolVersion.MQTTv311,
            clean_session=not session,
            manual_ack=session,
        )
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._hear
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._listening.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait()
        if hears:
            until(self._listening.is_set, "the client listens")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def wait(self) -> None:
        """Wait until it is connected."""
        until(self._client.is_connected, "the client is connected")

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False) -> MQTTMessageInfo:
        """Publish; the broker has it when `wait` returns."""
        return self._client.publish(topic, payload, qos=qos, retain=retain)

    def say_all(self, messages: Sequence[tuple[str, bytes | str]], *, qos: int = 1, retain: bool = False) -> None:
        """Publish all of them, and wait until the broker has them."""
        for info in [self.say(topic, payload, qos=qos, retain=retain) for topic, payload in messages]:
            info.wait_for_publish(60)

    def _subscribe(self, client: Client, *_: Any) -> None:
        if self._hears:
            client.subscribe([(topic, 1) for topic in self._hears])

    def _hear(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        heard = Heard(message.topic, bytes(message.payload), monotonic(), bool(message.retain))
        self.heard.append(heard)
        if self._answer:
            self.say(*self._answer(heard))
