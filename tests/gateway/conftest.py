"""A dispatcher with a real journal, a real book and a real broker, on a clock of the test's."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack, closing

import aiomqtt
import pytest

from devices.catalogue import Catalogue
from devices.reading import Address
from gateway.commands.book import Book
from gateway.commands.dispatcher import Dispatcher
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind
from gateway.store import batches
from gateway.store.effects import CommandRequested

S = 1_000_000_000
T0 = 1_700_000_000 * S


class Asked:
    """What the store would say: requests, addresses and reports, as a test sets them."""

    def __init__(self):
        self.requests, self.addresses, self.reports = [], {}, {}
        self.flows_at = None

    def address(self, device):
        return self.addresses.get(device)

    def reported(self, device, metric, channel):
        return self.reports.get((device, metric, channel))

    def switch_values(self, device):
        return [(metric, value) for (name, metric, _), (value, _) in self.reports.items() if name == device]

    def requests_after(self, seq):
        return self.requests[seq:], len(self.requests)

    def read_to(self):
        return 1 << 40 if self.flows_at is None else self.flows_at


class Rig:
    """A dispatcher on a clock of the test's, with what it published and what it journalled."""

    def __init__(self, directory, broker, *profiles):
        self.now = self.t0 = T0
        self.directory, self.catalogue = directory, Catalogue(profiles)
        self.asked = Asked()
        for device in ("fan", "heater", "cooler"):
            self.asked.addresses[device] = Address("zigbee2mqtt", f"zigbee2mqtt/{device}")
        self.bell = Bell(directory / "bell")
        self.journal = Journal(directory / "0", self.bell, keep=1 << 60, max_size=1 << 60)
        self.broker = broker
        self.book = None
        self.start()

    def start(self):
        """Begin, or begin again as after a restart, on the same book."""
        if self.book:
            self.book.close()
        self.book = Book(self.directory / "commands.db")
        self.dispatcher = Dispatcher(self.book, self.asked, self.catalogue, self.journal, clock=lambda: self.now)

    def at(self, seconds):
        self.now = T0 + int(seconds * S)

    def ask(self, name, state, *, device="fan", retries=1, expires=60, settings=None):
        wanted = settings or {"state": state}
        self.asked.requests.append(
            CommandRequested(name, "flow", (), "a-1", device, wanted, 2 * S, retries, self.now + expires * S, self.now, self.now)
        )

    def report(self, value, device="fan"):
        self.asked.reports[device, "state", ""] = (value, (self.journal.append_tick()) << 20)

    def steps(self, *seconds, online=True):
        """Step at each of these times after T0; give the payloads that reached the broker."""

        async def run():
            heard = []
            async with (
                aiomqtt.Client(self.broker.host, self.broker.port) as listener,
                aiomqtt.Client(self.broker.host, self.broker.port) as client,
            ):
                await listener.subscribe("#", qos=1)
                for at in seconds:
                    self.at(at)
                    await self.dispatcher.step(client if online else None)
                await client.publish("end", qos=1)
                async for message in listener.messages:
                    if message.topic.value == "end":
                        break
                    heard.append(message.payload.decode())
                return heard

        return asyncio.run(run())

    def facts(self):
        """Give the facts that reached the journal, in order."""
        reader = JournalReader(self.journal.directory)
        rows = reader.read(1000)
        reader.close()
        return [fact for row in rows if row.kind == Kind.FACTS for fact in row.facts()]

    def states(self):
        """Give command, state and attempt of each of them."""
        return [(fact.command, fact.state, fact.attempt) for fact in self.facts()]

    def close(self):
        self.book.close()
        self.journal.close()
        self.bell.close()


@pytest.fixture
def rig_with(tmp_path, mosquitto):
    """Make a rig for devices with these profiles."""
    with ExitStack() as stack:
        yield lambda *profiles: stack.enter_context(closing(Rig(tmp_path, mosquitto, *profiles)))


@pytest.fixture
def rig(rig_with):
    """Give a rig for devices without profiles."""
    return rig_with()


@pytest.fixture(scope="session")
def as_schema_3():
    """Give a way to turn a new store into one of schema 3, which has a row for each reading."""

    def turn(path):
        store = sqlite3.connect(path)
        rows = [*batches.after(store, -1)]
        store.executescript(
            "DROP TABLE batches; DROP TABLE blocks; DROP TABLE spans; PRAGMA user_version=3;"
            "DELETE FROM totals WHERE term = 'readings settled to';"
            "CREATE TABLE readings(id INTEGER PRIMARY KEY, series INTEGER NOT NULL, ts INTEGER NOT NULL, value NOT NULL, unit TEXT, raw_value,"
            " raw_unit TEXT, delay INTEGER NOT NULL, time_source NOT NULL, sequence INTEGER);"
            "CREATE TABLE blocks(id INTEGER PRIMARY KEY, last INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL);"
            "CREATE TABLE spans(block INTEGER NOT NULL, series INTEGER NOT NULL, min_ts INTEGER NOT NULL, max_ts INTEGER NOT NULL,"
            " ids BLOB NOT NULL, PRIMARY KEY(block, series)) WITHOUT ROWID;"
        )
        store.executemany("INSERT INTO readings VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        store.commit()
        store.close()

    return turn
