"""Safe states at a real broker: when they stand, what their loss means, and what a device is told again."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from time import monotonic

import aiomqtt
import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import Address
from gateway.commands.book import Command
from gateway.commands.safe import SafeStates, last_wanted

OFF = {"state": "OFF"}
PROFILES = [Profile(devices=["heater"], safe=OFF), Profile(devices=["fan"], safe={"state": "OFF", "speed": 1}, conventions=["tasmota"])]


class Site:
    """Safe states at a broker, with addresses as a test sets them."""

    def __init__(self, broker, *profiles):
        self.broker, self.addresses, self.clients = broker, {}, []
        self.safe = SafeStates(Catalogue(profiles or PROFILES), self.addresses.get, self.connect, away_since=7, clock=lambda: 9)

    def connect(self, name, will):
        client = aiomqtt.Client(self.broker.host, self.broker.port, identifier=f"safe-{name}", will=will)
        self.clients.append(client)
        return client

    @asynccontextmanager
    async def standing(self):
        task = asyncio.create_task(self.safe.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def so(self, condition):
        give_up = monotonic() + 20
        while not condition():
            assert monotonic() < give_up
            await asyncio.sleep(0.01)


@pytest.fixture
def heard(mosquitto):
    """Run a coroutine, and give what was published meanwhile."""

    def run(coroutine):
        async def listening():
            async with aiomqtt.Client(mosquitto.host, mosquitto.port) as listener:
                await listener.subscribe("#", qos=1)
                await coroutine
                await listener.publish("end", qos=1)
                found = []
                async for message in listener.messages:
                    if message.topic.value == "end":
                        break
                    found.append((message.topic.value, message.payload.decode()))
                return found

        return asyncio.run(listening())

    return run


def test_device_is_barred_until_its_safe_state_stands(mosquitto, heard):
    """As long as nobody knows how to tell it, it must be told nothing else; once it is known to be back it may be, and in the end it is told
    to be safe. What was sent before that would be taken for what must be told again.
    """
    site = Site(mosquitto)

    async def run():
        async with site.standing():
            assert "has not been seen" in site.safe.barred("heater", {"state": "ON"})
            assert site.safe.barred("heater", {"state": "off"}) is None
            assert site.safe.barred("lamp", {"state": "ON"}) is None
            site.addresses["heater"] = Address("zigbee2mqtt", "zigbee2mqtt/heater")
            await site.so(lambda: "only just" in site.safe.barred("heater", {"state": "ON"}))
            assert [(back.device, back.since) for back in site.safe.back()] == [("heater", 7)]
            assert site.safe.barred("heater", {"state": "ON"}) is None

    assert heard(run()) == [("zigbee2mqtt/heater/set", '{"state":"OFF"}')]
    assert site.safe.barred("heater", {"state": "ON"})


def test_one_connection_stands_for_each_message(mosquitto, heard):
    """A dialect that takes each setting in a message of its own has a last will for each; one lost is as good as all lost."""
    site = Site(mosquitto)
    site.addresses["fan"] = Address("tasmota", "cmnd/fan")

    async def run():
        async with site.standing():
            await site.so(site.safe.back)
            site.clients[0]._client.socket().shutdown(socket.SHUT_RDWR)
            await site.so(lambda: [back.since for back in site.safe.back()] == [9])

    told = [("cmnd/fan/POWER", "OFF"), ("cmnd/fan/speed", "1")]
    assert sorted(set(heard(run()))) == told
    assert len(site.clients) == 4


def test_device_that_is_given_a_safe_state_later_is_barred_until_that_stands(mosquitto, heard):
    """A profile that comes while the gateway runs holds like one that was there at the start."""
    site = Site(mosquitto, Profile(devices=["lamp"]))
    site.addresses["heater"] = Address("zigbee2mqtt", "zigbee2mqtt/heater")

    async def run():
        async with site.standing():
            assert site.safe.barred("heater", {"state": "ON"}) is None
            site.safe.renew(Catalogue(PROFILES))
            assert site.safe.barred("heater", {"state": "ON"})
            await site.so(site.safe.back)
            assert site.safe.barred("heater", {"state": "ON"}) is None

    assert heard(run()) == [("zigbee2mqtt/heater/set", '{"state":"OFF"}')]


def test_profile_for_another_dialect_bars_nothing(mosquitto, heard):
    """Where the profile with the safe state does not hold, the device is as free as any."""
    site = Site(mosquitto)
    site.addresses["fan"] = Address("zigbee2mqtt", "zigbee2mqtt/fan")

    async def run():
        async with site.standing():
            await site.so(lambda: site.safe.barred("fan", {"state": "ON"}) is None)

    assert heard(run()) == []


def test_safe_state_that_the_dialect_cannot_say_bars_the_device(mosquitto, heard):
    """A device that could not be made safe is not commanded, and the reason is at hand."""
    site = Site(mosquitto)
    site.addresses["heater"] = Address("no-such-dialect", "x")

    async def run():
        async with site.standing():
            await site.so(lambda: "cannot be said" in site.safe.barred("heater", {"state": "ON"}))

    assert heard(run()) == []


def command(state, wanted, *, flow="warmth"):
    return Command("c", flow, "heater", wanted, 1, 1, 1, 1, state, 1, 0, 0, (), "", 1, 0, 0)


@pytest.mark.parametrize(
    ("newest_first", "told"),
    [
        ([], None),
        ([command("confirmed", {"state": "ON"})], 0),
        ([command("failed", {"state": "ON"})], 0),
        ([command("sent", {"state": "ON"})], 0),
        ([command("confirmed", {"state": "off"})], None),
        ([command("confirmed", {"setpoint": 21}), command("confirmed", {"state": "ON"})], 1),
        ([command("expired", {"state": "OFF"}), command("confirmed", {"state": "ON"})], 1),
        ([command("requested", {"state": "OFF"}), command("confirmed", {"state": "ON"})], None),
        ([command("confirmed", {"state": "ON"}, flow=""), command("confirmed", {"state": "ON"})], None),
        ([command("confirmed", {"state": "ON"}, flow="sluice")], None),
        ([command("confirmed", {"state": "ON"}, flow="removed-since")], None),
        ([command("confirmed", {"POWER": "ON"})], 0),
    ],
)
def test_last_word_of_a_flow_is_told_again(newest_first, told):
    """The last settled command for the same settings counts, if a flow sent it and it says otherwise."""
    newest_first = [msgspec.structs.replace(one, id=f"c{place}") for place, one in enumerate(newest_first)]
    found = last_wanted(newest_first, OFF, flows={"warmth"})
    assert (found and found.id) == (None if told is None else f"c{told}")
