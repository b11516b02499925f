"""The dispatcher: one command in flight per device, tried again until the device reports what was asked, or the command is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time_ns
from typing import Protocol

import aiomqtt
import structlog

from devices.catalogue import Catalogue
from devices.reading import Address, CommandError, Encoded, Value
from gateway.commands.book import Book, Command
from gateway.journal.journal import Journal
from gateway.store.effects import CommandRequested

log = structlog.get_logger()

_BACK_OFF = 1.5
"""Each attempt is given so much longer than the one before."""


class Reported(Protocol):
    """What the store knows of devices, and what the flows ask for."""

    def address(self, device: str) -> Address | None: ...
    def reported(self, device: str, metric: str, channel: str) -> tuple[Value, int] | None: ...
    def requests_after(self, seq: int) -> tuple[list[CommandRequested], int]: ...


class Dispatcher:
    """Move every open command on.

    Delivery guarantee: at least once, until the command expires; an attempt is noted before it is made. A command is confirmed by a reading
    that the journal took in after the attempt, never by a retained message. Facts reach the journal in the order in which they happened.
    """

    def __init__(self, book: Book, store: Reported, catalogue: Catalogue, journal: Journal, *, clock: Callable[[], int] = time_ns) -> None:
        self._book = book
        self._store = store
        self._catalogue = catalogue
        self._journal = journal
        self._clock = clock
        self._open: list[Command] = []

    async def step(self, client: aiomqtt.Client | None) -> float:
        """Do all that can be done now; give the seconds until something is due. Without a client nothing is sent, but commands still end."""
        requests, upto = self._store.requests_after(self._book.taken())
        if upto != self._book.taken():
            self._book.take(requests, upto)
        now = self._clock()
        by_device: dict[str, list[Command]] = {}
        for command in self._book.open():
            by_device.setdefault(command.device, []).append(command)
        for commands in by_device.values():
            await self._step_device(commands, client, now)
        self._journal_facts()
        return self._until_due()

    async def _step_device(self, commands: list[Command], client: aiomqtt.Client | None, now: int) -> None:
        waiting = self._without_superseded([c for c in commands if c.state == "requested"], now)
        for command in [c for c in commands if c.state == "sent"]:
            if self._confirmed(command):
                self._book.end(command, "confirmed", "", now=now)
            elif now < command.due:
                return
            elif any(set(command.settings) <= set(newer.settings) for newer in waiting):
                self._book.end(command, "superseded", "a newer command waits", now=now)
            elif command.attempt > command.retries:
                self._book.end(command, "failed", f"not confirmed after {command.attempt} attempts", now=now)
            elif now >= command.expires:
                self._book.end(command, "expired", f"not confirmed after {command.attempt} attempts", now=now)
            else:
                await self._send(command, client, now)
                return
        for command in waiting:
            if now >= command.expires:
                self._book.end(command, "expired", "could not be sent in time", now=now)
            else:
                await self._send(command, client, now)
                return

    def _without_superseded(self, waiting: list[Command], now: int) -> list[Command]:
        kept: list[Command] = []
        for command in reversed(waiting):
            if any(set(command.settings) <= set(newer.settings) for newer in kept):
                self._book.end(command, "superseded", "a newer command was waiting too", now=now)
            else:
                kept.insert(0, command)
        return kept

    def _confirmed(self, command: Command) -> bool:
        found = [(expected, self._store.reported(command.device, expected.metric, expected.channel)) for expected in command.expects]
        return bool(found) and all(
            said is not None and said[1] >> 20 > command.sent_offset and _same(said[0], expected.value) for expected, said in found
        )

    async def _send(self, command: Command, client: aiomqtt.Client | None, now: int) -> None:
        address = self._store.address(command.device) or self._catalogue.address(command.device)
        if client is None or address is None:
            return
        try:
            messages = self._catalogue.encode(address, command.device, command.settings)
        except CommandError as error:
            self._book.end(command, "refused", str(error), now=now)
            return
        due = now + int(command.within * _BACK_OFF**command.attempt)
        expects = [expected for message in messages for expected in message.expects]
        self._book.sent(command, now=now, due=due, offset=self._journal.offset, expects=expects)
        await _publish(client, messages)

    def _journal_facts(self) -> None:
        facts = self._book.facts()
        if facts:
            self._journal.append_facts([fact for _, fact in facts])
            self._book.journalled(facts[-1][0])
        self._open = self._book.open()

    def _until_due(self) -> float:
        """Give the time until an attempt or a waiting command is over; 60 s where nothing is open."""
        moments = [c.due if c.state == "sent" else c.expires for c in self._open]
        return max(0.0, (min(moments) - self._clock()) / 1e9) if moments else 60.0


async def _publish(client: aiomqtt.Client, messages: list[Encoded]) -> None:
    for message in messages:
        await client.publish(message.topic, message.payload, qos=1)


def _same(said: Value, wanted: Value) -> bool:
    return said == wanted if isinstance(said, str) == isinstance(wanted, str) else str(said) == str(wanted)


async def dispatch(
    dispatcher: Dispatcher, connect: Callable[[], aiomqtt.Client], woken: asyncio.Event, *, retry: Callable[[], float]
) -> None:
    """Run the dispatcher for ever: on each wake-up, and when something is due; with a client while the broker can be reached."""
    while True:
        try:
            async with connect() as client:
                while True:
                    await _rest(woken, await dispatcher.step(client))
        except aiomqtt.MqttError as error:
            log.warning("commands wait for the broker", error=str(error))
            await dispatcher.step(None)
            await _rest(woken, retry())


async def _rest(woken: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(woken.wait(), max(0.01, min(seconds, 60.0)))
    except TimeoutError:
        return
    woken.clear()
