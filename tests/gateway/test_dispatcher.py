"""The dispatcher with a real journal and a real broker: one in flight per device, tried again, confirmed by what the device reports."""

from __future__ import annotations

import asyncio

import aiomqtt
import pytest

from devices.catalogue import Catalogue
from devices.reading import Address
from gateway.commands.book import Book
from gateway.commands.dispatcher import Dispatcher
from gateway.journal.bell import Bell
from gateway.journal.journal import Journal
from gateway.store.effects import CommandRequested

S = 1_000_000_000
T0 = 1_700_000_000 * S


class Asked:
    """What the store would say: requests, addresses and reports, as a test sets them."""

    def __init__(self):
        self.requests, self.addresses, self.reports = [], {}, {}

    def address(self, device):
        return self.addresses.get(device)

    def reported(self, device, metric, channel):
        return self.reports.get((device, metric, channel))

    def requests_after(self, seq):
        return self.requests[seq:], len(self.requests)


class Rig:
    """A dispatcher on a clock of the test's, with what it published and what it journalled."""

    def __init__(self, directory, broker):
        self.now = T0
        self.asked = Asked()
        self.asked.addresses["fan"] = Address("zigbee2mqtt", "zigbee2mqtt/fan")
        self.bell = Bell(directory / "bell")
        self.journal = Journal(directory / "0", self.bell, keep=1 << 60, max_size=1 << 60)
        self.book = Book(directory / "commands.db")
        self.broker = broker
        self.dispatcher = Dispatcher(self.book, self.asked, Catalogue(), self.journal, clock=lambda: self.now)

    def ask(self, name, state, *, device="fan", retries=1, expires=60):
        self.asked.requests.append(
            CommandRequested(name, "flow", (), "a-1", device, {"state": state}, 2 * S, retries, self.now + expires * S, self.now, self.now)
        )

    def report(self, value):
        self.asked.reports["fan", "state", ""] = (value, (self.journal.append_tick()) << 20)

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
                    self.now = T0 + int(at * S)
                    await self.dispatcher.step(client if online else None)
                await client.publish("end", qos=1)
                async for message in listener.messages:
                    if message.topic.value == "end":
                        break
                    heard.append(message.payload.decode())
                return heard

        return asyncio.run(run())

    def states(self):
        """Give the facts that reached the journal, in order."""
        from gateway.journal.reader import JournalReader

        reader = JournalReader(self.journal.directory)
        rows = reader.read(1000)
        reader.close()
        return [(f.command, f.state, f.attempt) for r in rows if r.kind == 2 for f in r.facts()]

    def close(self):
        self.book.close()
        self.journal.close()
        self.bell.close()


@pytest.fixture
def rig(tmp_path, mosquitto):
    rig = Rig(tmp_path, mosquitto)
    yield rig
    rig.close()


def test_command_is_sent_in_the_dialect_and_confirmed_by_a_later_report(rig):
    """A report from before the attempt confirms nothing; one after it does, and each fact is journalled once."""
    rig.report(True)
    rig.ask("c1", "ON")
    assert rig.steps(0, 0.1) == ['{"state":"ON"}']
    assert rig.states() == [("c1", "sent", 1)]
    rig.report(True)
    assert rig.steps(0.2, 0.3) == []
    assert rig.states() == [("c1", "sent", 1), ("c1", "confirmed", 1)]


def test_command_is_tried_again_with_back_off_and_fails(rig):
    """Without a report it is sent again after `within`, then given half as long again, then it failed."""
    rig.ask("c1", "ON")
    assert rig.steps(0, 1.9, 2.0, 4.9, 5.0) == ['{"state":"ON"}'] * 2
    assert rig.states() == [("c1", "sent", 1), ("c1", "sent", 2), ("c1", "failed", 2)]


def test_one_command_is_in_flight_and_the_latest_waiting_wins(rig):
    """While one is under way others wait; of those that wait for the same setting only the latest goes out."""
    rig.ask("c1", "ON")
    rig.steps(0)
    rig.ask("c2", "OFF")
    rig.ask("c3", "ON")
    assert rig.steps(0.5) == []
    assert rig.states()[-1] == ("c2", "superseded", 0)
    rig.report(True)
    assert rig.steps(0.6) == ['{"state":"ON"}']
    assert rig.states()[-2:] == [("c1", "confirmed", 1), ("c3", "sent", 1)]


def test_unconfirmed_command_gives_way_to_a_newer_one(rig):
    """What was not confirmed in time is not repeated against what is wanted now."""
    rig.ask("c1", "ON", retries=5)
    rig.steps(0)
    rig.ask("c2", "OFF")
    assert rig.steps(2.1) == ['{"state":"OFF"}']
    assert ("c1", "superseded", 1) in rig.states()


def test_command_expires_while_the_broker_is_away_or_the_device_unknown(rig):
    """What cannot be sent in time is never sent."""
    rig.ask("c1", "ON", expires=10)
    rig.ask("c2", "ON", device="stranger", expires=10)
    assert rig.steps(0, 5, online=False) == []
    assert rig.steps(11) == []
    assert rig.states() == [("c1", "expired", 0), ("c2", "expired", 0)]


def test_command_that_the_dialect_cannot_say_is_refused_with_the_reason(rig):
    """A setting that cannot be encoded ends the command at once, with words."""
    rig.asked.addresses["fan"] = Address("no-such-dialect", "x")
    rig.ask("c1", "ON")
    assert rig.steps(0) == []
    assert rig.states() == [("c1", "refused", 0)]
    assert rig.book.get("c1").detail


def test_restart_goes_on_with_what_was_under_way(rig, tmp_path):
    """A new dispatcher on the same book sends nothing twice that is still under way, and takes nothing twice from the store."""
    rig.ask("c1", "ON")
    rig.steps(0)
    rig.book.close()
    rig.book = Book(tmp_path / "commands.db")
    rig.dispatcher = Dispatcher(rig.book, rig.asked, Catalogue(), rig.journal, clock=lambda: rig.now)
    assert rig.steps(0.5) == []
    rig.report(True)
    rig.steps(0.6)
    assert rig.states() == [("c1", "sent", 1), ("c1", "confirmed", 1)]
