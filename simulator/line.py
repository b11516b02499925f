"""One MQTT connection of the fleet: what a device, or a bridge with its devices, holds to the broker."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aiomqtt
import structlog

from simulator.broker import Broker
from simulator.device import Device
from simulator.dialect import Outgoing

log = structlog.get_logger()

# A lost connection is told once, by us, and not by every layer below.
_QUIET = logging.getLogger("simulator.mqtt")
_QUIET.setLevel(logging.CRITICAL)

_FIRST_DELAY, _LONGEST_DELAY = 0.2, 5.0
_WAITING = 1000
_CANCEL_AGAIN = 0.05


@dataclass
class Counts:
    """What happened on all lines: messages the broker acknowledged, messages never or perhaps not sent, commands heard, commands obeyed."""

    published: int = 0
    dropped: int = 0
    commands: int = 0
    answers: int = 0


class _CutError(Exception):
    """The connection was given up on purpose, by a fault."""


class Outage:
    """Tells once that the broker is away, and once that it is back, however many lines notice."""

    def __init__(self, broker: Broker) -> None:
        self._broker = str(broker)
        self._away: set[str] = set()

    def lost(self, line: str, error: Exception) -> None:
        if not self._away:
            log.warning("broker away, trying again until it is back", broker=self._broker, error=str(error))
        self._away.add(line)

    def back(self, line: str) -> None:
        if line in self._away:
            self._away.remove(line)
            if not self._away:
                log.info("broker back", broker=self._broker)


class Line:
    """Holds one connection for as long as the fleet runs: reconnects for ever, with delays from 0.2 s doubling to 5 s.

    Guarantee: QoS 1, at most once over a break. What falls due while the broker is away is dropped and counted, as a device without a
    buffer does; of the message in flight when a connection breaks nobody knows whether it arrived, and it is counted as dropped.
    """

    def __init__(
        self,
        name: str,
        devices: list[Device],
        *,
        broker: Broker,
        hear: Callable[[Device, str, bytes], list[Outgoing]],
        counts: Counts,
        outage: Outage,
    ) -> None:
        self.name = name
        self._devices = devices
        self._listeners = {topic: device for device in devices for topic in device.listens()}
        self._broker = broker
        self._hear = hear
        self._counts = counts
        self._outage = outage
        self._waiting: asyncio.Queue[Outgoing] = asyncio.Queue(_WAITING)
        self.open = False
        self._returning = False
        self._offline = asyncio.Event()
        self._online = asyncio.Event()
        self._online.set()
        self.greeted = asyncio.Event()
        """Set once it was connected for the first time, and its devices have said that they are there."""

    def say(self, message: Outgoing) -> None:
        """Hand over a message to publish, in order; dropped when nobody is there to take it."""
        if not (self.open or self._returning) or self._waiting.full():
            self._counts.dropped += 1
        else:
            self._waiting.put_nowait(message)

    def look(self) -> None:
        """Lose the connection when all its devices are offline, and make a new one when one is back."""
        if not any(device.online for device in self._devices):
            self._online.clear()
            self._offline.set()
        elif self._offline.is_set():
            self._offline.clear()
            self._returning = True
            self._online.set()

    async def emptied(self) -> None:
        """Return once everything handed over is published."""
        await self._waiting.join()

    async def hold(self, stop: asyncio.Event, *, greet: Callable[[Device], list[Outgoing]]) -> None:
        """Stay connected until `stop`; `greet` gives what a device says of itself as soon as it is connected."""
        delay = _FIRST_DELAY
        while not stop.is_set():
            try:
                async with self._client() as client:
                    delay = _FIRST_DELAY
                    await self._talk(client, stop, greet=greet)
            except _CutError:
                self.open = False
                await _either(stop, self._online)
            except aiomqtt.MqttError as error:
                self._lost(error)
                await _within(stop, delay)
                delay = min(delay * 2, _LONGEST_DELAY)
            finally:
                self.open = False

    def _client(self) -> aiomqtt.Client:
        broker, will = self._broker, self._devices[0].dialect.will()
        return aiomqtt.Client(
            broker.host,
            broker.port,
            identifier=f"simulator-{self.name}-{secrets.token_hex(4)}",
            username=broker.username,
            password=broker.password,
            transport=broker.transport,
            websocket_path=broker.path if broker.transport == "websockets" else None,
            tls_context=broker.tls,
            will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retain) if will else None,
            keepalive=30,
            # Else a state report waits 40 ms behind the PUBACK of its command (Nagle and delayed acknowledgement).
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            logger=_QUIET,
        )

    async def _talk(self, client: aiomqtt.Client, stop: asyncio.Event, *, greet: Callable[[Device], list[Outgoing]]) -> None:
        self._outage.back(self.name)
        if self._listeners:
            await client.subscribe([(topic, 1) for topic in self._listeners])
        back, self.open, self._returning = self._returning, True, False
        if not back:  # a device that was away by a fault says itself that it is back
            await self._publish(client, [message for device in self._devices for message in greet(device)])
        self.greeted.set()
        jobs = {asyncio.create_task(job) for job in (self._send(client), self._listen(client), self._cut(client), stop.wait())}
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(jobs)
        for job in sorted(done, key=lambda job: not isinstance(job.exception(), _CutError)):
            job.result()
        self.open = False
        await self._publish(client, self._last_words())

    def _last_words(self) -> list[Outgoing]:
        return [message for device in self._devices for message in device.dialect.goodbye()] + self._devices[0].dialect.parting()

    async def _publish(self, client: aiomqtt.Client, messages: Iterable[Outgoing]) -> None:
        for message in dict.fromkeys(messages):  # what a bridge says for all its devices is said once
            try:
                await client.publish(message.topic, message.payload, message.qos, message.retain)
            except BaseException:
                self._counts.dropped += 1
                raise
            self._counts.published += 1

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            message = await self._waiting.get()
            try:
                await self._publish(client, [message])
            finally:
                self._waiting.task_done()

    async def _cut(self, client: aiomqtt.Client) -> None:
        """Lose the connection without a word once the devices are offline, so that the broker says their last will."""
        await self._offline.wait()
        await self.emptied()
        opened = client._client.socket()  # noqa: SLF001  aiomqtt knows only how to leave in peace
        if isinstance(opened, socket.socket):
            opened.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(aiomqtt.MqttError):
                await client._disconnected  # noqa: SLF001
        raise _CutError

    async def _listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic, payload = message.topic.value, message.payload if isinstance(message.payload, bytes) else b""
            device = self._listeners.get(topic)
            if device is None:
                continue
            answers = self._hear(device, topic, payload)
            self._counts.commands += 1
            for answer in answers:
                self.say(answer)

    def _lost(self, error: aiomqtt.MqttError) -> None:
        self._returning = False
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self._waiting.task_done()
            self._counts.dropped += 1
        self._outage.lost(self.name, error)


async def _within(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)


async def _either(*events: asyncio.Event) -> None:
    jobs = {asyncio.create_task(event.wait()) for event in events}
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(jobs)


async def end(jobs: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they are done: in Python 3.11 `asyncio.wait_for`, which the client uses, can swallow a cancellation."""
    running = set(jobs)
    while running:
        for job in running:
            job.cancel()
        _, running = await asyncio.wait(running, timeout=_CANCEL_AGAIN)
