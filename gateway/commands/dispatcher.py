"""The dispatcher: one command in flight per device, tried again until the device reports what was asked, or the command is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import time_ns
from typing import Protocol

import aiomqtt
import structlog

from devices.catalogue import Catalogue
from devices.reading import Address, CommandError, Value
from gateway.commands.book import Book, Command
from gateway.journal.journal import Journal
from gateway.link.backoff import Backoff
from gateway.store.effects import CommandRequested

log = structlog.get_logger()

_BACK_OFF = 1.5
"""Each attempt is given so much longer than the one before."""


_LOOK_FOR_REPORTS, _LOOK_ANYWAY = 0.01, 1.0
"""Seconds between looks while a command is open, and while none is."""


class Reported(Protocol):
    """What the store knows of devices, and what the flows ask for."""

    def address(self, device: str) -> Address | None: ...
    def reported(self, device: str, metric: str, channel: str) -> tuple[Value, int] | None: ...
    def requests_after(self, seq: int) -> tuple[list[CommandRequested], int]: ...


class Dispatcher:
    """Move every open command on.

    Delivery guarantee: at least once, until the command expires. A command is confirmed by a reading that the journal took in after the
    attempt, never by a retained message. Facts reach the journal in the order in which they happened.
    """

    def __init__(self, book: Book, store: Reported, catalogue: Catalogue, journal: Journal, *, clock: Callable[[], int] = time_ns) -> None:
        self._book = book
        self._store = store
        self._catalogue = catalogue
        self._journal = journal
        self._clock = clock

    async def step(self, client: aiomqtt.Client | None) -> float:
        """Do all that can be done now; give the seconds until something is due. Without a client nothing is sent, but commands still end."""
        taken = self._book.taken()
        requests, upto = self._store.requests_after(taken)
        if upto != taken:
            self._book.take(requests, upto)
        now = self._clock()
        by_device: dict[str, list[Command]] = {}
        for command in self._book.open():
            by_device.setdefault(command.device, []).append(command)
        await asyncio.gather(*(self._step_device(commands, client, now) for commands in by_device.values()))
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
                self._book.end(command, "expired", self._why_not_sent(command), now=now)
            else:
                await self._send(command, client, now)
                return

    def _why_not_sent(self, command: Command) -> str:
        if self._address(command) is None:
            return f"{command.device} has not been seen to take commands, and no profile says where they go"
        return "it could not be sent in time"

    def _address(self, command: Command) -> Address | None:
        return self._store.address(command.device) or self._catalogue.address(command.device)

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
        if not command.device:
            self._book.end(command, "refused", "the flow's text for the device had no value to name it", now=now)
            return
        address = self._address(command)
        if address is None and not command.flow:  # a person waits for an answer; a flow's device may still show up
            self._book.end(command, "refused", self._why_not_sent(command), now=now)
        if client is None or address is None:
            return
        try:
            messages = self._catalogue.encode(address, command.device, command.settings)
        except CommandError as error:
            self._book.end(command, "refused", str(error), now=now)
            return
        offset = self._journal.offset
        for message in messages:
            await client.publish(message.topic, message.payload, qos=1)
        due = now + int(command.within * _BACK_OFF**command.attempt)
        expects = [expected for message in messages for expected in message.expects]
        # Noted after the broker has it: a crash in between makes it go out once more under the same id, never not at all.
        self._book.sent(command, now=now, due=due, offset=offset, expects=expects)

    def _journal_facts(self) -> None:
        facts = self._book.facts()
        if facts:
            self._journal.append_facts([fact for _, fact in facts])
            self._book.journalled(facts[-1][0])

    def _until_due(self) -> float:
        """Give the time until it is worth looking again: what devices report rings no bell."""
        return _LOOK_FOR_REPORTS if self._book.open() else _LOOK_ANYWAY


def _same(said: Value, wanted: Value) -> bool:
    return said == wanted if isinstance(said, str) == isinstance(wanted, str) else str(said) == str(wanted)


async def dispatch(dispatcher: Dispatcher, connect: Callable[[], aiomqtt.Client], woken: asyncio.Event, backoff: Backoff) -> None:
    """Run the dispatcher for ever: on each wake-up, and when something is due; with a client while the broker can be reached."""
    while True:
        try:
            async with connect() as client:
                backoff.reset()
                while True:
                    await _rest(woken, await dispatcher.step(client))
        except aiomqtt.MqttError as error:
            log.warning("commands wait for the broker", error=str(error))
            await dispatcher.step(None)
            await _rest(woken, backoff.delay())


async def _rest(woken: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
            woken.clear()  # not after a timeout: a ring in that very moment must be heard the next time
