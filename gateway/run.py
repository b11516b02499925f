"""The gateway process: `python -m gateway.run`. The link into the journal, and commands and deliveries out of the store."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Iterator
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any

import structlog

from gateway import logs
from gateway.commands.book import Book
from gateway.commands.dispatcher import Dispatcher, dispatch
from gateway.commands.profiles_in_use import ProfilesInUse
from gateway.commands.reported import Reported
from gateway.commands.safe import SafeStates
from gateway.config import CONFIG_STATE, LastGood
from gateway.delivery.cursor import Cursor
from gateway.delivery.delivery import Delivery
from gateway.delivery.destination import Destination
from gateway.delivery.mqtt import Mqtt
from gateway.derived import CURSOR, Carrier
from gateway.findings import ConfigError
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import newest_row
from gateway.letters.mailbox import MAILBOX, Mailbox, carry
from gateway.link.backoff import Backoff
from gateway.link.endpoint import Endpoint
from gateway.link.link import Link, Subscription
from gateway.settings import Settings
from gateway.settings import load as load_settings
from gateway.state_file import read_state, write_state
from gateway.status import GATEWAY_STATE
from gateway.store.reader import StoreReader
from gateway.store.schema import StoreAbsentError, StoreError

log = structlog.get_logger()

_STATE_EVERY = 1.0
_TICK_OPEN, _TICK_QUIET = 1_000_000_000, 10_000_000_000
"""ns between ticks while a window waits for time to pass, and while none does (DESIGN D2)."""


_HURRY = 4
"""Looks (`_STATE_EVERY`) for which ticks come every second after the config has changed."""

_SWITCH = 0.0005
"""Seconds that one thread may keep the other waiting: the link and the commands share this process, and each has milliseconds."""


class Gateway:
    """The parts of the gateway process, and what they share."""

    def __init__(self, settings: Settings, data: Path, broker_url: str) -> None:
        self._settings = settings
        self._data = data
        self.endpoint = Endpoint.of(settings.broker, broker_url)
        journal = settings.journal
        directory = data / "journal" / "0"
        self._journal = Journal(
            directory,
            Bell(directory / "bell"),
            durability=journal.durability,
            keep=journal.keep,
            max_size=journal.max_size,
            first=_unused_offset(data),
        )
        newest = newest_row(directory)
        # The broker notices that a machine is gone after one and a half times the keep-alive.
        self._away_since = newest.received + settings.broker.keepalive * 3 // 2 if newest else 0
        self._link_state = "connecting"
        self._link = Link(
            self.endpoint,
            self._journal,
            site=settings.site,
            client_id=settings.client_id,
            subscriptions=[Subscription(s.topic, s.qos) for s in settings.broker.subscribe],
            state_file=data / "subscriptions.json",
            linger=journal.linger,
            payload_limit=settings.limits.payload,
            on_state=self._note_link,
        )
        self._store_bell = Bell(data / "store.bell")
        self._woken: list[asyncio.Event] = []

    def _note_link(self, state: str) -> None:
        if state != self._link_state:
            self._link_state = state
            (log.info if state in {"connected", "disconnected"} else log.warning)("link", state=state)

    async def serve(self) -> None:
        """Run until SIGTERM or SIGINT, or until a part cannot go on."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.set_exception_handler(_say_once)
        loop.add_reader(self._store_bell.fileno(), self._ring)
        self._link.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in self._parts(stop)]
                await stop.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._link.stop()
            self._journal.close()
            self._save_state("stopped")

    def _ring(self) -> None:
        self._store_bell.drain()
        for event in self._woken:
            event.set()

    def _wake_up(self) -> asyncio.Event:
        self._woken.append(asyncio.Event())
        return self._woken[-1]

    def _parts(self, stop: asyncio.Event) -> list[Coroutine[Any, Any, None]]:
        return [
            self._commands(),
            self._replays(),
            self._derived(),
            self._watch(stop),
            *(self._delivery(to).run() for to in self._destinations()),
        ]

    def _destinations(self) -> Iterator[Destination]:
        settings = self._settings
        connect = partial(self.endpoint.client, f"{settings.client_id}-events")
        yield Mqtt(connect, where=str(self.endpoint), site=settings.site, readings=settings.publish.readings)
        if settings.influxdb:
            # Costs 30 MB and 0.2 s, so only who wants it pays.
            from gateway.delivery.influx import Influx, InfluxTarget  # noqa: PLC0415

            influx = settings.influxdb
            target = InfluxTarget(influx.url, influx.org, influx.bucket, influx.token)
            yield Influx(target, site=settings.site, labels=influx.tags, batch=influx.batch)

    def _delivery(self, destination: Destination) -> Delivery:
        cursor = self._data / "delivery" / f"{destination.name}.db"
        return Delivery(destination, store=self._data / "store.db", cursor=cursor, news=self._wake_up())

    async def _reader(self) -> StoreReader:
        """Open the store, which the flows make when they first start."""
        while True:
            try:
                return StoreReader(self._data / "store.db")
            except StoreAbsentError:
                await asyncio.sleep(0.05)

    async def _commands(self) -> None:
        reader = await self._reader()
        profiles = ProfilesInUse(self._data)
        catalogue = profiles.catalogue()
        reported, client_id = Reported(reader), self._settings.client_id
        away_since = min(self._away_since, time_ns())
        safe = SafeStates(
            catalogue,
            reported.address,
            lambda name, will: self.endpoint.client(f"{client_id}-safe-{name}", will),
            away_since=away_since,
        )
        book = Book(self._data / "commands.db")
        dispatcher = Dispatcher(book, reported, catalogue, self._journal, safe=safe, renewed=profiles.renewed, flows=self._flows)
        async with asyncio.TaskGroup() as group:
            group.create_task(safe.run())
            # Ends first, when all is ended: nothing is commanded behind a safe state.
            await dispatch(dispatcher, partial(self.endpoint.client, f"{client_id}-commands"), self._wake_up(), Backoff())

    def _flows(self) -> set[str]:
        """Give the names of the flows that run."""
        return {flow["name"] for flow in read_state(self._data / CONFIG_STATE).get("flows", ())}

    async def _replays(self) -> None:
        """Hand the journal the dead letters that a person wants read again."""
        mailbox, woken = Mailbox(self._data / MAILBOX), self._wake_up()
        while True:
            if carry(mailbox, self._journal):
                await asyncio.sleep(0)  # the commands' turn, between two rows
                continue
            await woken.wait()
            woken.clear()

    async def _derived(self) -> None:
        """Hand the journal the readings that flows derived."""
        reader, woken = await self._reader(), self._wake_up()
        carrier = Carrier(reader, Cursor(self._data / CURSOR), self._journal)
        while True:
            if carrier.step():
                await asyncio.sleep(0)  # the commands' turn, between two rows
                continue
            await woken.wait()
            woken.clear()

    async def _watch(self, stop: asyncio.Event) -> None:
        """Keep the state file, and the journal's ticks as slow as the flows allow; end the process when the link's thread is gone."""
        reader = await self._reader()
        config, hurry = None, 0
        while True:
            if not self._link.is_alive():
                stop.set()
                raise RuntimeError("the link's thread ended")
            hurry -= 1
            if config != (config := read_state(self._data / CONFIG_STATE).get("loaded")):
                hurry = _HURRY  # flows that are new or gone have something to say with the next tick
            self._link.tick_every = _TICK_OPEN if hurry > 0 or reader.time_matters() else _TICK_QUIET
            self._save_state(self._link_state)
            await asyncio.sleep(_STATE_EVERY)

    def _save_state(self, link: str) -> None:
        write_state(self._data / GATEWAY_STATE, {"link": link})


def _say_once(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Leave out what aiomqtt says when it drops a lost connection: whoever used it has said so already."""
    if not type(context.get("exception")).__module__.startswith("aiomqtt"):
        loop.default_exception_handler(context)


def _unused_offset(data: Path) -> int:
    """Give an offset above all that the store knows: a journal that has to begin anew must not use one again, since readings' ids begin with it."""
    try:
        with StoreReader(data / "store.db") as reader:
            progress = reader.progress()
    except StoreError:
        return 1
    return progress.offset + 1 if progress else 1


def main() -> int:
    """Run the gateway process; a finding ends it with a sentence."""
    logs.configure()
    sys.setswitchinterval(_SWITCH)
    parser = argparse.ArgumentParser(prog="python -m gateway.run", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--broker-url", required=True)
    options = parser.parse_args()
    try:
        good = LastGood(options.data).path
        settings = load_settings(good if good.exists() else options.config, root=options.config)
        gateway = Gateway(settings, options.data, options.broker_url)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asyncio.run(gateway.serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
