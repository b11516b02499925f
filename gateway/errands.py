"""What the gateway process does on its loop beside the link: commands, deliveries, replays, and readings that flows derived."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import time_ns

from gateway.commands.book import Book
from gateway.commands.dispatcher import Dispatcher, dispatch
from gateway.commands.profiles_in_use import ProfilesInUse
from gateway.commands.reported import Reported
from gateway.commands.safe import SafeStates
from gateway.config import CONFIG_STATE
from gateway.delivery.cursor import Cursor
from gateway.delivery.delivery import Delivery
from gateway.delivery.destination import Destination
from gateway.delivery.mqtt import Mqtt
from gateway.derived import CURSOR, Carrier
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.letters.mailbox import MAILBOX, Mailbox, carry
from gateway.link.backoff import Backoff
from gateway.link.endpoint import Endpoint
from gateway.settings import Settings
from gateway.state_file import read_state
from gateway.store.errors import StoreAbsentError
from gateway.store.reader import StoreReader


class Errands:
    """The parts that take what the store holds to where it goes. Each opens what it needs when it is run, and may be run again."""

    def __init__(self, settings: Settings, data: Path, endpoint: Endpoint, journal: Journal, *, away_since: int) -> None:
        """`away_since` is when the gateway was last seen to run, epoch ns."""
        self._settings = settings
        self._data = data
        self._endpoint = endpoint
        self._journal = journal
        self._away_since = away_since
        self._store_bell = Bell(data / "store.bell")
        self._woken: dict[str, asyncio.Event] = {}

    def listen(self) -> None:
        """Have the loop that runs wake the parts when the store has news."""
        asyncio.get_running_loop().add_reader(self._store_bell.fileno(), self._ring)

    def _ring(self) -> None:
        self._store_bell.drain()
        for event in self._woken.values():
            event.set()

    def _wake_up(self, part: str) -> asyncio.Event:
        """Give what is set when the store has news, the same one to a part that is run again."""
        return self._woken.setdefault(part, asyncio.Event())

    def parts(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Give what runs on the loop, by the names by which failures are told."""
        deliveries = {"mqtt": self._mqtt, **({"influxdb": self._influxdb} if self._settings.influxdb else {})}
        return {
            "commands": self._commands,
            "replays": self._replays,
            "derived": self._derived,
            **{f"delivery to {name}": partial(self._deliver, destination) for name, destination in deliveries.items()},
        }

    def _mqtt(self) -> Destination:
        settings = self._settings
        connect = partial(self._endpoint.client, f"{settings.client_id}-events")
        return Mqtt(connect, where=str(self._endpoint), site=settings.site, readings=settings.publish.readings)

    def _influxdb(self) -> Destination:
        # Costs 30 MB and 0.2 s, so only who wants it pays.
        from gateway.delivery.influx import Influx, InfluxTarget  # noqa: PLC0415
        from gateway.delivery.label_tags import LabelTags  # noqa: PLC0415

        influx = self._settings.influxdb
        assert influx is not None
        target = InfluxTarget(influx.url, influx.org, influx.bucket, lambda: influx.token)
        tags = LabelTags(influx.tags, influx.tag_values)
        return Influx(target, site=self._settings.site, tags=tags, cursor=self._cursor(Influx.name), batch=influx.batch)

    def _cursor(self, destination: str) -> Path:
        return self._data / "delivery" / f"{destination}.db"

    async def _deliver(self, make: Callable[[], Destination]) -> None:
        destination = make()
        cursor, news = self._cursor(destination.name), self._wake_up(destination.name)
        await Delivery(destination, store=self._data / "store.db", cursor=cursor, news=news).run()

    async def _commands(self) -> None:
        with closing(await open_store(self._data)) as reader, closing(Book(self._data / "commands.db")) as book:
            profiles = ProfilesInUse(self._data)
            catalogue = profiles.catalogue()
            reported, client_id = Reported(reader), self._settings.client_id
            away_since = min(self._away_since, time_ns())
            safe = SafeStates(
                catalogue,
                reported.address,
                lambda name, will: self._endpoint.client(f"{client_id}-safe-{name}", will),
                away_since=away_since,
            )
            dispatcher = Dispatcher(book, reported, catalogue, self._journal, safe=safe, renewed=profiles.renewed, flows=self._flows)
            async with asyncio.TaskGroup() as group:
                if self._settings.member == 0:  # the host that commands: when another goes away, nothing is unsafe
                    group.create_task(safe.run())
                # Ends first, when all is ended: nothing is commanded behind a safe state.
                connect = partial(self._endpoint.client, f"{client_id}-commands")
                await dispatch(dispatcher, connect, self._wake_up("commands"), Backoff())

    def _flows(self) -> set[str]:
        """Give the names of the flows that run."""
        return {flow["name"] for flow in read_state(self._data / CONFIG_STATE).get("flows", ())}

    async def _replays(self) -> None:
        """Hand the journal the dead letters that a person wants read again."""
        woken = self._wake_up("replays")
        with closing(Mailbox(self._data / MAILBOX)) as mailbox:
            while True:
                if carry(mailbox, self._journal):
                    await asyncio.sleep(0)  # the commands' turn, between two rows
                    continue
                await woken.wait()
                woken.clear()

    async def _derived(self) -> None:
        """Hand the journal the readings that flows derived."""
        woken = self._wake_up("derived")
        with closing(await open_store(self._data)) as reader, closing(Cursor(self._data / CURSOR)) as cursor:
            carrier = Carrier(reader, cursor, self._journal)
            while True:
                if carrier.step():
                    await asyncio.sleep(0)  # the commands' turn, between two rows
                    continue
                await woken.wait()
                woken.clear()


async def open_store(data: Path) -> StoreReader:
    """Open the store, which the flows make when they first start."""
    while True:
        try:
            return StoreReader(data / "store.db")
        except StoreAbsentError:
            await asyncio.sleep(0.05)
