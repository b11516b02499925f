"""The closed loop of each model of physics, in simulated time: with the flows the controlled value stays in its band, without them it does not."""

from pathlib import Path

import pytest

from devices.catalogue import Catalogue
from devices.reading import Message
from flows.backtest import play
from flows.loaded import Loaded
from gateway.store.effects import CommandRequested
from simulator.nanoseconds import SECOND
from simulator.scenario import load_scenario
from simulator.world import World

CONFIG = Path(__file__).parents[2] / "config"
EPOCH = 1_750_000_000 * SECOND
BANDS = {
    "cold-room": ("temperature", 1.5, 8.0, 10),
    "water-tank": ("level", 20.0, 90.0, 10),
    "battery": ("battery", 20.0, 95.0, 10),
    "greenhouse-day": ("temperature", 13.0, 33.5, 20),
    "greenhouse": ("temperature", 22.0, 33.5, 10),
}
"""By scenario: what is controlled, its band, and from which second on."""


class Loop:
    """A world whose messages are decoded and decided by the flows, and whose devices get the flows' commands."""

    def __init__(self, name, flows):
        self.world = World(load_scenario(CONFIG / "scenarios" / f"{name}.yaml"), epoch=EPOCH)
        self.flows = flows
        self.catalogue = Catalogue()
        self.seen = []
        self.commands = []

    def run(self, seconds):
        for effect in play(self.flows, self._readings(seconds), until=EPOCH + seconds * SECOND):
            if isinstance(effect, CommandRequested):
                self._command(effect)

    def _readings(self, seconds):
        for device in self.world.devices:
            for message in device.dialect.hello():
                self._decode(message)
        for tenth in range(1, seconds * 10 + 1):
            for _, message in self.world.advance(tenth * SECOND // 10):
                yield from self._decode(message)
            self.seen.append(self.world.physics.quantities())

    def _decode(self, message):
        outcome = self.catalogue.readings(Message(message.topic, message.payload, received=self.world.epoch))
        return outcome if isinstance(outcome, list) else []

    def _command(self, wanted):
        self.commands.append((wanted.device, *wanted.settings.values()))
        address = self.catalogue.address(wanted.device)
        for message in self.catalogue.encode(address, wanted.device, wanted.settings):
            for device in self.world.devices:
                if message.topic in device.listens():
                    for answer in self.world.hear(device, message.topic, message.payload):
                        self._decode(answer)


@pytest.fixture(scope="module")
def flows():
    return Loaded.of(CONFIG).flows


@pytest.mark.parametrize("name", BANDS)
def test_loop_closed(name, flows):
    """With the flows the value stays in its band for a quarter of an hour, and commands did it."""
    quantity, low, high, begin = BANDS[name]
    loop = Loop(name, flows)
    loop.run(900)
    values = [seen[quantity] for seen in loop.seen[begin * 10 :]]
    assert low <= min(values) <= max(values) <= high
    assert len(loop.commands) >= 4


@pytest.mark.parametrize("name", BANDS)
def test_loop_open(name):
    """Without flows it leaves the band within four minutes."""
    quantity, low, high, begin = BANDS[name]
    loop = Loop(name, [])
    loop.run(240)
    values = [seen[quantity] for seen in loop.seen[begin * 10 :]]
    assert not low <= min(values) <= max(values) <= high


def test_leak_shut_off(flows):
    """A line that breaks is shut off within half a minute, and hardly any water is lost after that."""
    loop = Loop("water-tank", flows)
    loop.run(300)
    leaking = [number for number, seen in enumerate(loop.seen) if seen["water_leak"]]
    assert leaking[0] == pytest.approx(900, abs=5)
    assert 0 < leaking[-1] - leaking[0] < 300
    assert ("valve-1", "OFF") in loop.commands


def test_door_shut(flows):
    """A door that is left open for 20 s at a time is shut after half of that."""
    loop = Loop("cold-room", flows)
    loop.run(300)
    opened = sum(seen["door"] for seen in loop.seen) / 10
    assert 20 < opened < 48
    assert ("cold-door", "OFF") in loop.commands
