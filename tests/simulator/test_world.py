"""A world in simulated time: the same bytes from the same seed, a closed loop, faults, and going on from a saved state."""

import json

import pytest

from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.world import StateError, World

EPOCH = 1_750_000_000 * SECOND
SET = "zigbee2mqtt/fan-1/set"


def _said(world, until):
    return [message for _, message in world.advance(until * SECOND)]


def _device(world, name):
    return next(device for device in world.devices if device.name == name)


def _temperature(world):
    return world.physics.quantities()["temperature"]


def _changed(scenario, **fields):
    """The scenario with other fields for fan-1."""
    devices = [device.model_copy(update=fields if device.name == "fan-1" else {}) for device in scenario.devices]
    return scenario.model_copy(update={"devices": devices})


def test_world_seeded(greenhouse):
    """The same seed gives the same bytes in the same order, in whatever steps time passes; another seed gives others."""
    first = _said(World(greenhouse, epoch=EPOCH), 60)
    again = World(greenhouse, epoch=EPOCH)
    assert [message for second in range(61) for message in _said(again, second)] == first
    assert len(first) > 400
    assert _said(World(greenhouse.model_copy(update={"seed": 2}), epoch=EPOCH), 60) != first


def test_world_intervals(greenhouse):
    """Every device reports as often as its `every` says, the first time within it."""
    said = World(greenhouse, epoch=EPOCH).advance(20 * SECOND)
    sensors = [device.name for device, message in said if not (message.retain or message.topic.endswith("/STATE"))]
    for spec in greenhouse.devices:
        assert sensors.count(spec.name) == 20 * SECOND // spec.every


def test_world_closed_loop(greenhouse):
    """The air warms past 28, a command is answered by the state report, the air falls below 26, and warms again once the fan is off."""
    world = World(greenhouse, epoch=EPOCH)
    fan = _device(world, "fan-1")
    _said(world, 24)
    assert _temperature(world) > 28
    (answer,) = world.hear(fan, SET, b'{"state":"ON"}')
    assert json.loads(answer.payload) == {"state": "ON", "power": 370.0}
    _said(world, 36)
    assert _temperature(world) < 26
    (answer,) = world.hear(fan, SET, b'{"state":"OFF"}')
    assert json.loads(answer.payload)["state"] == "OFF"
    _said(world, 60)
    assert _temperature(world) > 28


def test_world_sensors_see_the_air(greenhouse):
    """Each of the six thermometers shows the air within a degree."""
    world = World(greenhouse, epoch=EPOCH)
    said = world.advance(200 * SECOND)
    for name in ("t-1", "t-2", "t-3", "t-6"):
        last = [json.loads(message.payload) for device, message in said if device.name == name][-1]
        assert abs(last["temperature"] - _temperature(world)) < 1
    for name in ("t-4", "t-5"):
        last = [json.loads(message.payload) for device, message in said if device.name == name and message.topic.endswith("SENSOR")][-1]
        assert abs(last["AM2301"]["Temperature"] - _temperature(world)) < 1


def test_world_without_fan(greenhouse):
    """With fan-1 taken out nobody listens, and the air does not fall."""
    scenario = greenhouse.model_copy(update={"devices": [device for device in greenhouse.devices if device.name != "fan-1"]})
    world = World(scenario, epoch=EPOCH)
    assert all(device.listens() == [] for device in world.devices)
    _said(world, 300)
    assert 36 < _temperature(world) < 38


def test_world_deaf_fan(greenhouse):
    """A device that does not answer does not act either, but goes on reporting."""
    world = World(_changed(greenhouse, answers=False), epoch=EPOCH)
    fan = _device(world, "fan-1")
    _said(world, 24)
    assert [world.hear(fan, SET, b"ON") for _ in range(5)] == [[]] * 5
    reports = [json.loads(message.payload) for device, message in world.advance(60 * SECOND) if device is fan]
    assert reports
    assert {report["state"] for report in reports} == {"OFF"}


def test_world_dropped_commands(greenhouse):
    """A device that misses two commands obeys the third."""
    world = World(_changed(greenhouse, drop_commands=2), epoch=EPOCH)
    fan = _device(world, "fan-1")
    assert [len(world.hear(fan, SET, b"ON")) for _ in range(4)] == [0, 0, 1, 1]


def test_world_resumed(greenhouse):
    """A world that takes up a saved state, through JSON, goes on where that was: air, fan, energy and signals."""
    world = World(greenhouse, epoch=EPOCH)
    _said(world, 30)
    world.hear(_device(world, "fan-1"), SET, b"ON")
    _said(world, 33)
    later = World(greenhouse, epoch=EPOCH + 3600 * SECOND)
    later.restore(json.loads(json.dumps(world.state())))
    assert later.physics.quantities() == world.physics.quantities()
    assert later.epoch == EPOCH + 3600 * SECOND
    assert later.state() == world.state()
    for one in (world, later):
        one.advance(40 * SECOND)
    assert later.physics.quantities() == world.physics.quantities()


def test_world_resumed_without_fan(greenhouse):
    """A fan that ran when it was taken out of the scenario does not run for ever."""
    world = World(greenhouse, epoch=EPOCH)
    world.hear(_device(world, "fan-1"), SET, b"ON")
    fewer = World(greenhouse.model_copy(update={"devices": greenhouse.devices[:3]}), epoch=EPOCH)
    fewer.restore(world.state())
    assert fewer.physics.quantities()["fan_power"] == 0


@pytest.mark.parametrize(
    "state", [[], {}, {"version": 1}, {"version": 1, "scenario": "greenhouse", "seed": 20260701, "elapsed": 5, "physics": {}}]
)
def test_world_bad_state(greenhouse, state):
    """A state that is not whole is refused, and the world stays as it was."""
    world = World(greenhouse, epoch=EPOCH)
    before = world.state()
    with pytest.raises(StateError, match="must be whole"):
        world.restore(state)
    assert world.state() == before


def test_world_other_scenario_refused(greenhouse):
    """The state of another scenario or seed is refused."""
    other = World(greenhouse.model_copy(update={"seed": 5}), epoch=EPOCH)
    with pytest.raises(StateError, match="seed 20260701"):
        World(greenhouse, epoch=EPOCH).restore(other.state())


def test_world_without_physics():
    """A scenario needs no physics."""
    devices = [{"name": "a", "convention": "plain_scalar", "every": "500ms", "metrics": {"level": {"base": 2}}}]
    scenario = Scenario.model_validate({"name": "tank", "devices": devices})
    assert [message.payload for message in _said(World(scenario, epoch=EPOCH), 2)] == [b"2.0"] * 4
