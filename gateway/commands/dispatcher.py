"""The dispatcher: one command in flight per device, tried again until the device reports what was asked, or the command is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Container, Coroutine, Iterable, Mapping
from functools import partial
from time import time_ns
from typing import Any, Protocol

import aiomqtt
import structlog

from devices.catalogue import Catalogue
from devices.reading import Address, CommandError, Value
from gateway.commands.actuators import Actuators, switched
from gateway.commands.book import Book, Command, End
from gateway.commands.reported import Devices
from gateway.commands.safe import SafeStates, last_wanted
from gateway.journal.journal import Journal
from gateway.keeper import when_there_is_room
from gateway.link.backoff import Backoff
from gateway.link.client import RefusedError
from gateway.store.effects import CommandRequested

log = structlog.get_logger()

_BACK_OFF = 1.5
"""Each attempt is given so much longer than the one before."""


_LOOK_FOR_REPORTS, _LOOK_FOR_TIME, _LOOK_ANYWAY = 0.01, 0.1, 1.0
"""Seconds between looks while a command is open, while interlocks hold all that are, and while none is."""


class Reported(Devices, Protocol):
    """What the store knows of devices, and what the flows ask for."""

    def requests_after(self, seq: int) -> tuple[list[CommandRequested], int]: ...
    def read_to(self) -> int: ...


class Dispatcher:
    """Move every open command on.

    Delivery guarantee: at least once, until the command expires. A command is confirmed by a reading that the journal took in after the
    attempt, never by a retained message, and its time is not up before the flows have read what came in that time: while they are behind,
    nobody can tell whether the device has answered. Facts reach the journal in the order in which they happened. What interlocks hold back waits; a
    person, who waits for an answer, is refused instead. A device with a safe state is commanded only while the broker has that.
    """

    def __init__(
        self,
        book: Book,
        store: Reported,
        catalogue: Catalogue,
        journal: Journal,
        *,
        safe: SafeStates | None = None,
        renewed: Callable[[], Catalogue | None] = lambda: None,
        flows: Callable[[], Container[str]] = tuple,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        """`renewed` is asked at every step, and gives a catalogue where the profiles have changed; `flows` gives the names of those that run."""
        self._book = book
        self._store = store
        self._catalogue = catalogue
        self._journal = journal
        self._safe = safe
        self._renewed = renewed
        self._flows = flows
        self._clock = clock
        self._actuators = Actuators(book, store, catalogue)
        self._up: dict[tuple[str, int], int] = {}

    async def step(self, client: aiomqtt.Client | None) -> float:
        """Do all that can be done now; give the seconds until something is due. Without a client nothing is sent, but commands still end."""
        self._renew()
        taken = self._book.taken()
        requests, upto = self._store.requests_after(taken)
        if upto != taken:
            self._book.take(requests, upto)
        now = self._clock()
        self._actuators.follow(now)
        self._restore(now)
        by_device: dict[str, list[Command]] = {}
        for command in self._book.open():
            by_device.setdefault(command.device, []).append(command)
        self._note_what_is_up(by_device.values(), now)
        waiting = self._waiting(by_device, now)
        await _all(self._step_device(commands, waiting[device], client, now) for device, commands in by_device.items())
        self._journal_facts()
        return self._until_due()

    def _waiting(self, by_device: Mapping[str, list[Command]], now: int) -> dict[str, list[Command]]:
        """Give the commands that wait, by device; those that wait no longer end together."""
        over: list[End] = []
        waiting = {}
        for device, commands in by_device.items():
            found = self._without_refused([one for one in commands if one.state == "requested"], now, over)
            waiting[device] = self._without_expired(self._without_superseded(found, over), now, over)
        self._book.end_all(over, now=now)
        return waiting

    async def _step_device(self, commands: list[Command], waiting: list[Command], client: aiomqtt.Client | None, now: int) -> None:
        for command in [c for c in commands if c.state == "sent"]:
            # Looked at before what the device has said, which may come in between.
            heard_all = now >= command.due and self._store.read_to() >= self._up[command.id, command.attempt]
            if self._confirmed(command):
                self._book.end(command, "confirmed", "", now=now)
            elif now < command.due:
                return
            elif any(set(command.settings) <= set(newer.settings) for newer in waiting):
                self._book.end(command, "superseded", "a newer command waits", now=now)
            elif not heard_all:
                return
            elif command.attempt > command.retries:
                self._book.end(command, "failed", f"not confirmed after {command.attempt} attempts", now=now)
            elif now >= command.expires:
                self._book.end(command, "expired", f"not confirmed after {command.attempt} attempts", now=now)
            else:
                await self._send(command, client, now)
                return
        await self._step_waiting(waiting, client, now)

    def _note_what_is_up(self, found: Iterable[list[Command]], now: int) -> None:
        """Note the place in the journal at which each attempt's time was up: an answer in time stands before it."""
        up = [(one.id, one.attempt) for commands in found for one in commands if one.state == "sent" and now >= one.due]
        self._up = {attempt: self._up.get(attempt, self._journal.offset) for attempt in up}

    async def _step_waiting(self, waiting: list[Command], client: aiomqtt.Client | None, now: int) -> None:
        """Send the first that nothing holds back: one is in flight for a device."""
        for command in waiting:
            held = self._actuators.hold(command, now)
            if held is None:
                await self._send(command, client, now)
                return
            if held.why != command.detail:
                self._book.hold(command, held, now=now)

    def _without_expired(self, waiting: list[Command], now: int, over: list[End]) -> list[Command]:
        for command in waiting:
            if now >= command.expires:
                held = self._actuators.hold(command, now)
                over.append((command, "expired", held.why if held else self._why_not_sent(command)))
        return [command for command in waiting if now < command.expires]

    def _renew(self) -> None:
        catalogue = self._renewed()
        if catalogue is not None:
            self._catalogue = catalogue
            self._actuators.renew(catalogue)
            if self._safe:
                self._safe.renew(catalogue)

    def _restore(self, now: int) -> None:
        """Tell devices again what was last wanted of them, where they may have been told their safe state since."""
        for back in self._safe.back() if self._safe else ():
            if self._book.guard(back.device):
                self._actuators.told(back.device, back.switched, since=back.since, place=self._journal.offset)
                wanted = last_wanted(self._book.newest_of(back.device), back.settings, flows=self._flows())
                if wanted:
                    self._book.restore(wanted, back.why, now=now)

    def _why_not_sent(self, command: Command) -> str:
        if barred := self._barred(command):
            return barred
        if self._address(command) is None:
            return f"{command.device} has not been seen to take commands, and no profile says where they go"
        return "it could not be sent in time"

    def _barred(self, command: Command) -> str | None:
        return self._safe.barred(command.device, command.settings) if self._safe else None

    def _address(self, command: Command) -> Address | None:
        return self._store.address(command.device) or self._catalogue.address(command.device)

    def _without_refused(self, waiting: list[Command], now: int, over: list[End]) -> list[Command]:
        """Refuse what a person asks for and interlocks would hold back."""
        kept: list[Command] = []
        for command in waiting:
            held = None if command.flow else self._actuators.hold(command, now)
            if held:
                over.append((command, "refused", held.why.replace("held", "not", 1)))
            else:
                kept.append(command)
        return kept

    def _without_superseded(self, waiting: list[Command], over: list[End]) -> list[Command]:
        kept: list[Command] = []
        for command in reversed(waiting):
            if any(set(command.settings) <= set(newer.settings) for newer in kept):
                over.append((command, "superseded", "a newer command was waiting too"))
            else:
                kept.insert(0, command)
        return kept

    def _confirmed(self, command: Command) -> bool:
        found = [(expected, self._store.reported(command.device, expected.metric, expected.channel)) for expected in command.expects]
        return bool(found) and all(
            said is not None and said[1] >> 20 > command.sent_offset and _same(said[0], expected.value) for expected, said in found
        )

    async def _send(self, command: Command, client: aiomqtt.Client | None, now: int) -> None:
        if not command.device or None in command.settings.values():
            self._book.end(command, "refused", _what_is_missing(command), now=now)
            return
        address = self._address(command)
        if address is None and not command.flow:  # a person waits for an answer; a flow's device may still show up
            self._book.end(command, "refused", self._why_not_sent(command), now=now)
        if client is None or address is None or self._barred(command):
            return
        try:
            messages = self._catalogue.encode(address, command.device, command.settings)
        except CommandError as error:
            self._book.end(command, "refused", str(error), now=now)
            return
        offset = self._journal.offset
        with self._actuators.sending(command):
            for message in messages:
                try:
                    await client.publish(message.topic, message.payload, qos=1)
                except RefusedError as error:
                    self._book.end(command, "failed", f"the broker refuses what is published to {message.topic}: {error}", now=now)
                    return
            due = now + int(command.within * _BACK_OFF**command.attempt)
            expects = [expected for message in messages for expected in message.expects]
            change = switched(command, messages, now=now, place=offset)
            # Noted after the broker has it: a crash in between makes it go out once more under the same id, never not at all.
            self._book.sent(command, now=now, due=due, offset=offset, expects=expects, switched=change)

    def _journal_facts(self) -> None:
        facts = self._book.facts()
        if facts:
            self._journal.append_facts([fact for _, fact in facts])
            self._book.journalled(facts[-1][0])

    def _until_due(self) -> float:
        """Give the time until it is worth looking again: what devices report rings no bell."""
        found = self._book.open()
        if all(command.state == "requested" and command.detail for command in found):
            return _LOOK_FOR_TIME if found else _LOOK_ANYWAY
        return _LOOK_FOR_REPORTS


async def _all(steps: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all, also where one fails: what is under way for another device must not be begun anew beside it."""
    for failed in await asyncio.gather(*steps, return_exceptions=True):
        if failed is not None:
            raise failed


def _what_is_missing(command: Command) -> str:
    if not command.device:
        return "the flow's text for the device had no value to name it"
    return f"the flow had no value for {', '.join(name for name, value in command.settings.items() if value is None)}"


def _same(said: Value, wanted: Value) -> bool:
    return said == wanted if isinstance(said, str) == isinstance(wanted, str) else str(said) == str(wanted)


async def dispatch(dispatcher: Dispatcher, connect: Callable[[], aiomqtt.Client], woken: asyncio.Event, backoff: Backoff) -> None:
    """Run the dispatcher for ever: on each wake-up, and when something is due; with a client while the broker can be reached.

    A full disk or journal is waited for without giving up the connection: what can be sent is sent meanwhile.
    """
    while True:
        try:
            async with connect() as client:
                backoff.connected()
                while True:
                    await _rest(woken, await when_there_is_room("commands", partial(dispatcher.step, client)))
        except aiomqtt.MqttError as error:
            log.warning("commands wait for the broker", error=str(error))
            await when_there_is_room("commands", partial(dispatcher.step, None))
            await _rest(woken, backoff.delay())


async def _rest(woken: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await woken.wait()
            woken.clear()  # not after a timeout: a ring in that very moment must be heard the next time
