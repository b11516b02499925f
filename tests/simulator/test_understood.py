"""Sluice understands the fleet: every message decodes to what was meant, and every command that Sluice encodes is obeyed."""

import pytest

from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import Ignored, Message
from simulator.dialects import DIALECTS
from simulator.load import payload
from simulator.nanoseconds import SECOND
from simulator.recording import Row
from simulator.scenario import Scenario
from simulator.world import World

EPOCH = 1_750_000_000 * SECOND
UNITS = {
    "temperature": "°C",
    "humidity": "%",
    "battery": "%",
    "soil_moisture": "%",
    "illuminance": "lx",
    "power": "W",
    "energy": "kWh",
    "voltage": "V",
}
UNSAID = {("t-6", "temperature"), ("light-1", "illuminance")}  # a plain name leaves these units open


@pytest.fixture
def catalogue():
    return Catalogue()


def _decoded(catalogue, message, at):
    return catalogue.readings(Message(message.topic, message.payload, received=at))


def test_telemetry_understood(greenhouse, catalogue):
    """Each device's readings carry its own name, its metrics with their units, and the time at which it measured."""
    world = World(greenhouse, epoch=EPOCH)
    metrics = {}
    for second in range(1, 41):
        for device, message in world.advance(second * SECOND):
            readings = _decoded(catalogue, message, world.epoch)
            assert isinstance(readings, list), (message, readings)
            for reading in readings:
                assert reading.device == device.spec.name, reading
                assert world.epoch - 2 * SECOND <= reading.ts <= world.epoch, reading
                if (reading.device, reading.metric) not in UNSAID:
                    assert reading.unit == UNITS.get(reading.metric, reading.unit), reading
                metrics.setdefault(reading.device, set()).add(reading.metric)
    for spec in greenhouse.devices:
        assert set(spec.metrics) <= metrics[spec.name], spec.name


def test_values_understood(greenhouse, catalogue):
    """What is read of a thermometer is the air that it stands in, whatever its dialect."""
    world = World(greenhouse, epoch=EPOCH)
    last = {}
    for device, message in world.advance(200 * SECOND):
        last |= {(device.spec.name, reading.metric): reading.value for reading in _decoded(catalogue, message, world.epoch)}
    quantities = world.physics.quantities()
    for name in ("t-1", "t-2", "t-3", "t-4", "t-5", "t-6"):
        assert last[name, "temperature"] == pytest.approx(quantities["temperature"], abs=1)
        assert last[name, "humidity"] == pytest.approx(quantities["humidity"], abs=3)
    assert last["light-1", "illuminance"] == pytest.approx(quantities["illuminance"], abs=3000)
    assert last["power-1", "power"] == pytest.approx(quantities["power"], abs=10)
    assert isinstance(last["door-1", "contact"], bool)
    assert last["fan-1", "state"] is False


def test_greetings_understood(greenhouse, catalogue):
    """What devices say when they come and go is no dead letter, and names no other device."""
    for device in World(greenhouse, epoch=EPOCH).devices:
        will = device.dialect.will()
        for message in [*device.dialect.hello(), *device.dialect.goodbye(), *([will] if will else [])]:
            outcome = _decoded(catalogue, message, EPOCH)
            assert isinstance(outcome, Ignored) or {reading.device for reading in outcome} == {device.spec.name}, (message, outcome)


CALLED = {"sparkplug_b": "plant/fan-1", "victron": "fan-1/multi/0"}
"""What the device of a scenario is called in dialects that put more before or behind its name."""
SET_BY = {"plain_scalar": "switch", "victron": "state/Relay.0", "sparkplug_b": "State"}
"""What switches it, where that is not `state`."""


def test_every_convention_with_commands_has_a_simulated_device():
    """What Sluice can command, a simulated device of its dialect obeys; templates and packed objects have no device of their own."""
    assert {made.name for made in CONVENTIONS if made.commands} == {*DIALECTS, "template", "packed"}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_command_obeyed_and_confirmed(catalogue, dialect):
    """A command to the address that was learned from the device's reports is obeyed, and its answer is what Sluice expects."""
    setting, called = SET_BY.get(dialect, "state"), CALLED.get(dialect, "fan-1")
    devices = [{"name": "fan-1", "dialect": dialect, "acts": "fan", "metrics": {"power": {"measures": "fan_power"}}}]
    world = World(Scenario.model_validate({"name": "house", "physics": {"kind": "greenhouse"}, "devices": devices}), epoch=EPOCH)
    (fan,) = world.devices
    for message in fan.dialect.hello():
        _decoded(catalogue, message, world.epoch)
    for _, message in world.advance(2 * SECOND):
        _decoded(catalogue, message, world.epoch)
    address = catalogue.address(called)
    assert address is not None
    for state in ("ON", "OFF"):
        (command,) = Catalogue().encode(address, called, {setting: state})
        assert isinstance(_decoded(catalogue, command, world.epoch), Ignored)
        assert command.topic in fan.listens()
        answers = [_decoded(catalogue, message, world.epoch) for message in world.hear(fan, command.topic, command.payload)]
        said = {(one.device, one.metric, one.channel, one.value) for readings in answers if isinstance(readings, list) for one in readings}
        assert {(called, expected.metric, expected.channel, expected.value) for expected in command.expects} <= said
        assert world.physics.is_on("fan") is (state == "ON")


def test_recording_understood(catalogue):
    """A replayed row is one reading of its device at its time, in °C where the recording is said to be in °F."""
    row = Row(at=EPOCH, value=41.0)
    for unit, value in (("°F", 5.0), (None, 41.0)):
        said = row.payload(shift=SECOND // 4, metric="temperature", unit=unit, timestamps="iso")
        (reading,) = catalogue.readings(Message("recordings/cold-room", said, received=EPOCH + 5 * SECOND))
        assert (reading.device, reading.metric, reading.unit) == ("cold-room", "temperature", "°C" if unit else None)
        assert reading.value == pytest.approx(value)
        assert reading.ts == EPOCH + SECOND // 4


def test_load_understood(catalogue):
    """A message of the load is two readings of its device, at its time."""
    readings = catalogue.readings(Message("load/d-0001", payload(7, EPOCH + SECOND // 4).encode(), received=EPOCH + 5 * SECOND))
    said = {(reading.device, reading.metric, reading.value, reading.ts) for reading in readings}
    assert said == {("d-0001", "seq", 7, EPOCH + SECOND // 4), ("d-0001", "temperature", 20.07, EPOCH + SECOND // 4)}
