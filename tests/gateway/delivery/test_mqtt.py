"""Events over MQTT, through a real mosquitto: every outcome once by id, in order, whatever the broker does."""

from __future__ import annotations

import asyncio
import json
import signal

import aiomqtt
import pytest

from gateway.delivery.mqtt import Mqtt
from gateway.link.client import Client


class Listener:
    """Subscribes with a session that outlives the broker's restarts, and keeps what comes."""

    def __init__(self, broker, *, protocol=aiomqtt.ProtocolVersion.V311):
        self.broker, self.protocol = broker, protocol
        self.messages = []

    async def run(self, ready):
        while True:
            try:
                clean = {"clean_start": False} if self.protocol == aiomqtt.ProtocolVersion.V5 else {"clean_session": False}
                async with aiomqtt.Client(
                    self.broker.host, self.broker.port, identifier="listener", protocol=self.protocol, **clean
                ) as client:
                    await client.subscribe("sluice/#", qos=1)
                    ready.set()
                    async for message in client.messages:
                        self.messages.append(message)
            except aiomqtt.MqttError:
                await asyncio.sleep(0.05)

    def events(self):
        return [(str(message.topic), json.loads(message.payload)) for message in self.messages]


@pytest.fixture
def published(running, so):
    """Deliver to a broker with a listener beside it, until the listener has so many events; gives what it has."""

    def publish(broker, count, *, between=None, mqtt5=False, **further):
        async def deliver():
            protocol = aiomqtt.ProtocolVersion.V5 if mqtt5 else aiomqtt.ProtocolVersion.V311
            listener, ready = Listener(broker, protocol=protocol), asyncio.Event()
            listening = asyncio.create_task(listener.run(ready))
            await ready.wait()

            def connect():
                port = broker.port if ready.is_set() else 1  # a listener must be there first: not every broker keeps its session
                return aiomqtt.Client(broker.host, port, identifier="sluice-events", protocol=protocol, timeout=2.0)

            destination = Mqtt(connect, where=f"{broker.host}:{broker.port}", site="green/house", mqtt5=mqtt5, **further)
            async with running(destination):
                if between:
                    await between(listener, ready)
                await so(lambda: len({event["id"] for _, event in listener.events()}) >= count)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            return listener

        return asyncio.run(deliver())

    return publish


def test_what_the_broker_refuses_is_not_delivered(mosquitto_with, tmp_path, store, make, running, drained):
    """An access list that lets alerts out and no windows: these are refused one by one, with the reason, and the others go on."""
    store.write([make.window(1), make.alert(1), make.window(2)])
    rights = tmp_path / "rights"
    rights.write_text("topic readwrite sluice/house/alerts/#\n")

    async def deliver(broker):
        def connect():
            return Client(broker.host, broker.port, identifier="sluice-events", protocol=aiomqtt.ProtocolVersion.V5)

        async with running(Mqtt(connect, where="broker", site="house")) as delivery:
            return await drained(delivery)

    # With `max_queued_messages 0`, mosquitto 2.0.11 hangs up on who publishes what it refuses.
    with mosquitto_with(f"acl_file {rights}\nmax_queued_messages 1000") as broker:
        state = asyncio.run(deliver(broker))
    assert (state.delivered, state.dead, state.pending) == (1, 2, 0)


def test_derived_readings_are_passed_over(mosquitto, store, make, running, drained):
    """What goes back into the journal is nobody's to deliver: it is skipped, also where a whole batch is nothing else."""
    store.write([make.window(1), *(make.derived(number) for number in range(5)), make.window(2)])

    async def deliver():
        where = f"{mosquitto.host}:{mosquitto.port}"
        destination = Mqtt(lambda: aiomqtt.Client(mosquitto.host, mosquitto.port), where=where, site="attic", batch=2)
        async with running(destination) as delivery:
            return await drained(delivery)

    state = asyncio.run(deliver())
    assert (state.delivered, state.skipped, state.pending) == (2, 5, 0)


def test_outcomes_are_published_as_events(mosquitto, store, make, published):
    """Windows, alerts and a command's life, in order, on their topics, not retained; readings only if asked for."""
    store.write([make.reading(1), make.window(1), make.alert(1), make.alert(1, "cleared"), make.command(1), make.fact(1, "sent")])
    listener = published(mosquitto, 5)
    assert [topic for topic, _ in listener.events()] == [
        "sluice/green%2Fhouse/windows/climate/t1",
        "sluice/green%2Fhouse/alerts/climate/t1",
        "sluice/green%2Fhouse/alerts/climate/t1",
        "sluice/green%2Fhouse/commands/fan",
        "sluice/green%2Fhouse/commands/fan",
    ]
    assert not any(message.retain for message in listener.messages)
    assert {message.qos for message in listener.messages} == {1}
    _, window = listener.events()[0]
    assert window == {
        "specversion": "1.0",
        "id": make.window(1).id,
        "source": "sluice/green%2Fhouse",
        "type": "sluice.window.v1",
        "subject": "t1",
        "time": "2025-10-09T08:54:20.000000000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:sluice:schema:window:v1",
        "data": {
            "flow": "climate",
            "group": {"device": "t1"},
            "start": "2025-10-09T08:53:20.000000000Z",
            "end": "2025-10-09T08:54:20.000000000Z",
            "revision": 1,
            "count": 6,
            "values": {"warm": 20.5},
        },
    }
    assert [event["data"]["state"] for _, event in listener.events()[1:]] == ["raised", "cleared", "requested", "sent"]


def test_readings_are_published_if_asked_for(mosquitto, store, make, published):
    """Each reading is an event on its device's and metric's topic, its channel beneath."""
    store.write([make.reading(1), make.reading(2, "a/b", "x+y", 7, channel="#"), make.alert(1)])
    listener = published(mosquitto, 3, readings=True)
    by_topic = dict(listener.events())
    event = by_topic["sluice/green%2Fhouse/readings/a%2Fb/x%2By/%23"]
    assert (event["type"], event["id"], event["subject"], event["data"]["value"]) == ("sluice.reading.v1", str(2 << 20), "a/b", 7)
    assert "sluice/green%2Fhouse/readings/t1/temperature" in by_topic


def test_mqtt5_carries_the_attributes_beside(mosquitto, store, make, published):
    """On MQTT 5 the content type and the event's attributes are properties too."""
    store.write([make.alert(1)])
    (message,) = published(mosquitto, 1, mqtt5=True).messages
    assert message.properties.ContentType == "application/cloudevents+json"
    assert dict(message.properties.UserProperty)["type"] == "sluice.alert.v1"
    assert dict(message.properties.UserProperty)["id"] == "a1/raised"
    assert dict(message.properties.UserProperty)["dataschema"] == "urn:sluice:schema:alert:v1"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_broker_that_goes_away_loses_nothing(mosquitto, store, make, published, so, number):
    """The broker is ended in the middle of a backlog and started again: every event arrives, first arrivals in the store's order."""
    store.write([make.alert(n) for n in range(1, 1_001)])

    async def between(listener, ready):
        await so(lambda: len(listener.messages) > 50)
        ready.clear()
        mosquitto.stop(number)
        store.write([make.alert(n) for n in range(1_001, 1_101)])
        await asyncio.to_thread(mosquitto.start)
        await ready.wait()

    # A killed broker takes along what it had acknowledged and not yet saved or passed on: its listener gets what came after.
    listener = published(mosquitto, 1_100 if number == signal.SIGTERM else 1_000, between=between, batch=50)
    first = list(dict.fromkeys(event["id"] for _, event in listener.events()))
    assert first == sorted(first, key=lambda one: int(one[1:].split("/")[0]))
    assert len(listener.messages) <= 1_100 + 2 * 50


def test_names_that_brokers_refuse_stop_nothing(mosquitto, store, make, published):
    """Control characters and non-characters, for which a broker closes the connection, go encoded; too long a topic is dead."""
    hostile = ["nul\0", "line\nbreak", "\x7f", "\x9f", "\ufffe", "\U0010ffff", "wild+#card", "ü😀", "é" * 40_000, "plain"]
    store.write([make.alert(number, group=(("device", name),)) for number, name in enumerate(hostile, start=1)])
    listener = published(mosquitto, 9)
    assert len(listener.messages) == 9
    assert {event["data"]["group"]["device"] for _, event in listener.events()} == {name for name in hostile if len(name) < 100}


def test_a_broker_that_is_not_there_is_waited_for(mosquitto, store, make, running, so, published):
    """Without a broker nothing is lost and the error names it."""
    store.write([make.alert(1)])
    mosquitto.stop()

    async def deliver():
        destination = Mqtt(lambda: aiomqtt.Client(mosquitto.host, mosquitto.port), where="the broker", site="s")
        async with running(destination) as delivery:

            async def troubled():
                state = await delivery.state()
                return state if state and state.error else None

            return await so(troubled)

    state = asyncio.run(deliver())
    assert state.error.startswith("the broker: ")
    assert (state.pending, state.dead) == (1, 0)
    mosquitto.start()
    assert len(published(mosquitto, 1).messages) == 1


def test_a_broker_that_refuses_us_raises_an_alarm(mosquitto_with, store, make, running, so):
    """A wrong password is a state that needs a person, not a crash; the outcome waits."""
    store.write([make.alert(1)])

    async def deliver(broker):
        destination = Mqtt(lambda: aiomqtt.Client(broker.host, broker.port), where="the broker", site="s")
        async with running(destination) as delivery:

            async def alarmed():
                state = await delivery.state()
                return state if state and state.alarm else None

            return await so(alarmed)

    with mosquitto_with("allow_anonymous false") as broker:
        state = asyncio.run(deliver(broker))
    assert "not authorized" in state.error.lower()
    assert (state.pending, state.dead) == (1, 0)


def test_a_broker_that_says_nothing_is_left(store, make, running, so):
    """A broker that takes connections and answers none: each is closed before the next is tried, and the outcome waits."""
    store.write([make.alert(1)])
    ended = []

    async def silent(reader, writer):
        while await reader.read(1_000):
            pass
        ended.append(True)
        writer.close()

    async def deliver():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        destination = Mqtt(lambda: Client("127.0.0.1", port, timeout=0.1), where="the broker", site="s")
        async with server, running(destination) as delivery:
            await so(lambda: len(ended) >= 3)
            return await delivery.state()

    state = asyncio.run(deliver())
    assert state.error == "the broker: Operation timed out"
    assert state.pending == 1
