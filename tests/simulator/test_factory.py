"""The shipped factory: a thousand devices that are all understood, and come up together over a real broker."""

import asyncio
from pathlib import Path

import pytest

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Message
from simulator.nanoseconds import SECOND
from simulator.scenario import load_scenario
from simulator.simulation import Simulation
from simulator.world import World

FILE = Path(__file__).parents[2] / "config/scenarios/factory-1000.yaml"
AT = 1_764_000_000 * SECOND


@pytest.fixture(scope="module")
def factory():
    """Read the shipped scenario, which must be without findings."""
    return load_scenario(FILE)


def _said(world, until):
    """Give what all devices say, each with the time at which it is said."""
    for device in world.devices:
        yield from ((world.epoch, device, message) for message in device.dialect.hello())
    for second in range(1, until // SECOND + 1):
        yield from ((world.epoch, device, message) for device, message in world.advance(second * SECOND))


def _heard(messages):
    """Let a Sluice that knows none of them hear the messages; give what became of each."""
    catalogue = Catalogue()
    return [(device, catalogue.readings(Message(one.topic, one.payload, at, one.retain)), one.topic) for at, device, one in messages]


def test_factory_is_a_thousand_devices(factory):
    """A thousand devices in more than eight conventions share some hundreds of connections."""
    devices = World(factory, epoch=AT).devices
    assert len(devices) == len({device.dialect.called for device in devices}) == 1000
    assert len({group.convention for group in factory.devices}) == 13
    assert len({fault.kind for fault in factory.faults}) == len(factory.faults)


def test_factory_without_faults_is_all_understood(factory):
    """Without its faults every message is understood, and every device gives readings of all that it measures, under its own name."""
    world = World(factory.model_copy(update={"faults": []}), epoch=AT)
    metrics = {}
    for device, outcome, topic in _heard(_said(world, 100 * SECOND)):
        assert not isinstance(outcome, DeadLetter), (topic, outcome)
        for one in outcome if isinstance(outcome, list) else ():
            assert one.device == device.dialect.called
            metrics.setdefault(device.name, set()).add(one.metric.removeprefix("sensors_"))
    for device in world.devices:
        assert metrics.get(device.name, set()) >= set(device.group.gives()), device.name


def test_factory_dead_letters_are_its_faults(factory):
    """What cannot be decoded is what the truth says was damaged."""
    presses = [group for group in factory.devices if group.name.startswith("press")]
    faults = [fault for fault in factory.faults if fault.kind == "malformed"]
    world = World(factory.model_copy(update={"devices": presses, "faults": faults}), epoch=AT)
    dead = {topic for _, outcome, topic in _heard(_said(world, 600 * SECOND)) if isinstance(outcome, DeadLetter)}
    world.end()
    assert dead == {line["topic"] for line in world.truth() if line["messages"]}
    assert dead


def test_factory_comes_up_and_drops_nothing(factory, mosquitto):
    """All connections are there before the first report, and every message is acknowledged."""
    open_then = []
    fleet = asyncio.run(
        Simulation(factory, mosquitto.broker, seconds=4).fleet(
            asyncio.Event(), observe=lambda fleet: fleet.world.elapsed and open_then.append(fleet.connections)
        )
    )
    assert open_then[0] == (496, 496)  # later ones may be of the parting
    assert fleet.counts.dropped == 0
    assert fleet.counts.published > 1000
