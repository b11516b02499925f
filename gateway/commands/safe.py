"""Safe states: what the broker sends to an actuator when the gateway goes away, and what the actuator is told when it is back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import AsyncExitStack
from time import time_ns
from typing import NamedTuple
from urllib.parse import quote

import aiomqtt
import structlog

from devices.catalogue import Catalogue
from devices.interlocks import Switch, switch
from devices.reading import Address, CommandError, Encoded, Value
from gateway.commands.book import Command
from gateway.link.backoff import Backoff
from gateway.link.client import RefusedError
from gateway.link.lost import until_lost
from gateway.store.effects import OWN_FLOW

log = structlog.get_logger()

_LOOK = 1.0
"""Seconds between looks at where a device listens."""
_JUST_BACK = "it has only just its gateway again"
"""Until `back` was asked: what was sent before that would be taken for what must be told again."""
_LAST_WORDS = 1.0
"""Seconds within which a stopping gateway must have sent safe states and left; the broker sends what it could not."""

Connect = Callable[[str, aiomqtt.Will], aiomqtt.Client]


class Back(NamedTuple):
    """A device that has its gateway again, and may have been told its safe state meanwhile.

    `settings` are that state, `switched` what it switched on or off, at `since` (epoch ns) or earlier; `why` says so to people.
    """

    device: str
    settings: dict[str, Value]
    since: int

    @property
    def switched(self) -> Switch | None:
        return switch(self.settings)

    @property
    def why(self) -> str:
        said = ", ".join(f"{setting} {value}" for setting, value in self.settings.items())
        return f"told again: the gateway was away, and the device in its safe state ({said})"


class SafeStates:
    """Keeps the safe states of all devices that have one with the broker.

    Guarantee: while a device is not barred, there is one connection to the broker for each message of its safe state, whose last will is that
    message (MQTT 3.1.1, 3.1.2.5; QoS 1, not retained). So the broker sends it when this process is killed, the machine stops, or the cable is
    cut (after one and a half times the keep-alive). A gateway that stops in order sends it itself. A connection that comes back under its
    old name makes the broker send what it had not sent yet, before the device is commanded again.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        address: Callable[[str], Address | None],
        connect: Connect,
        *,
        away_since: int,
        clock: Callable[[], int] = time_ns,
    ) -> None:
        """Connect to nothing yet. `away_since` is when the gateway was last seen to run, epoch ns."""
        self._address = address
        self._connect = connect
        self._clock = clock
        self._barred: dict[str, str] = {}
        self._kept: set[str] = set()
        self._news = asyncio.Event()
        self._away: dict[str, int] = {}
        self._back: list[Back] = []
        self.renew(catalogue)
        self._away = dict.fromkeys(self._barred, away_since)

    def renew(self, catalogue: Catalogue) -> None:
        """Go by these profiles from now on: a device that has a safe state now is barred until the broker has it."""
        self._catalogue = catalogue
        named = {catalogue.profiles.renamed(name) for profile in catalogue.profiles.all if profile.safe for name in profile.devices}
        unheard = "it has not been seen to take commands, so its safe state is not with the broker"
        fresh = sorted(named - self._kept - self._barred.keys())
        self._barred |= dict.fromkeys(fresh, unheard)
        self._away |= dict.fromkeys(fresh, self._clock())
        self._news.set()

    def barred(self, device: str, settings: dict[str, Value]) -> str | None:
        """Say why a device must not be sent settings now; None where it may be. What its safe state says too, it may always be sent."""
        reason = self._barred.get(device) or (_JUST_BACK if any(one.device == device for one in self._back) else None)
        if reason is None or _says_otherwise(settings, self._settings(device)) is False:
            return None
        return reason

    def back(self) -> list[Back]:
        """Give the devices that have come back since the last time this was asked."""
        found, self._back = self._back, []
        return found

    async def run(self) -> None:
        """Keep them until cancelled, and then send them."""
        async with asyncio.TaskGroup() as group:
            while True:
                for device in [one for one in self._barred if one not in self._kept]:
                    self._kept.add(device)
                    group.create_task(self._keep(device))
                self._news.clear()
                await self._news.wait()

    async def _keep(self, device: str) -> None:
        backoff = Backoff()
        while True:
            messages = self._messages(device)
            if not messages:
                await asyncio.sleep(_LOOK)
                continue
            try:
                await self._stand(device, messages, backoff)
            except aiomqtt.MqttError as error:
                self._away.setdefault(device, self._clock())
                log.warning("a safe state waits for the broker", device=device, error=str(error))
                await asyncio.sleep(backoff.delay())

    def _messages(self, device: str) -> list[Encoded]:
        """Give the messages of a device's safe state; none where nobody knows yet how to tell it, or its dialect cannot."""
        address = self._address(device) or self._catalogue.address(device)
        if address is None:
            return []
        settings = self._settings(device)
        if not settings:  # the profile that has one is for another dialect
            self._barred.pop(device, None)
            return []
        try:
            return self._catalogue.encode(address, device, settings)
        except CommandError as error:
            reason = f"its safe state cannot be said: {error}"
            if self._barred.get(device) != reason:
                log.warning("a safe state cannot be said", device=device, error=str(error))
            self._barred[device] = reason
            return []

    async def _stand(self, device: str, messages: Sequence[Encoded], backoff: Backoff) -> None:
        """Have the broker keep a safe state until the device is told it in another way; raises MqttError when a connection is lost."""
        async with AsyncExitStack() as stack:
            clients = []
            for number, message in enumerate(messages):
                client = self._connect(f"{quote(device, safe='')}-{number}", aiomqtt.Will(message.topic, message.payload, qos=1))
                clients.append(await stack.enter_async_context(client))
                client.timeout = _LAST_WORDS
            backoff.connected()
            since = self._away.pop(device, None)
            if since is not None:
                self._back.append(Back(device, self._settings(device), since))
            self._barred.pop(device, None)
            try:
                await self._until_told_otherwise(device, messages, clients)
            except asyncio.CancelledError:
                if not await _say(clients, messages):
                    stack.pop_all()  # without a good-bye, so that the broker sends what we could not
                raise
            finally:
                self._barred[device] = "its safe state is not with the broker"

    def _settings(self, device: str) -> dict[str, Value]:
        address = self._address(device) or self._catalogue.address(device)
        return self._catalogue.profiles.of(device, address.convention if address else "").safe

    async def _until_told_otherwise(self, device: str, messages: Sequence[Encoded], clients: Sequence[aiomqtt.Client]) -> None:
        ends = [asyncio.create_task(until_lost(client)) for client in clients]
        try:
            while self._messages(device) == messages:
                lost, _ = await asyncio.wait(ends, timeout=_LOOK, return_when=asyncio.FIRST_COMPLETED)
                if lost:
                    raise aiomqtt.MqttError(lost.pop().result())
        finally:
            for end in ends:
                end.cancel()


async def _say(clients: Sequence[aiomqtt.Client], messages: Sequence[Encoded]) -> bool:
    """Send a safe state; tell whether the broker has it."""
    try:
        async with asyncio.timeout(_LAST_WORDS):
            for client, message in zip(clients, messages, strict=True):
                await client.publish(message.topic, message.payload, qos=1)
    except (aiomqtt.MqttError, RefusedError, TimeoutError):
        return False
    return True


def last_wanted(newest_first: Iterable[Command], safe: dict[str, Value], *, flows: Container[str]) -> Command | None:
    """Give the flow's command that a device in its safe state must be told again; None where there is none.

    That is the last one that it was sent for the same settings, if it says otherwise. Where a person had the last word, or a flow that is no
    more (`flows` are those that run), the safe state stands; where a newer command waits, that one goes out anyway.
    """
    for command in newest_first:
        if command.flow == OWN_FLOW or (otherwise := _says_otherwise(command.settings, safe)) is None:
            continue
        if command.state == "requested":
            return None
        if command.state in {"sent", "confirmed", "failed"}:
            return command if command.flow in flows and otherwise else None
    return None


def _says_otherwise(settings: dict[str, Value], safe: dict[str, Value]) -> bool | None:
    """Tell whether settings say something else than the safe state; None where they are about something else."""
    shared = settings.keys() & safe.keys()
    if shared:
        return any(str(settings[setting]).lower() != str(safe[setting]).lower() for setting in shared)
    wanted, told = switch(settings), switch(safe)
    return None if wanted is None or told is None else wanted.on != told.on
