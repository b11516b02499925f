"""Sluice and the simulated Shelly and Victron devices understand each other."""

import pytest

from devices.catalogue import Catalogue
from devices.reading import Ignored, Message
from simulator.dialect import Heard
from simulator.dialects.shelly_gen1 import ShellyGen1
from simulator.dialects.shelly_gen2 import ShellyGen2
from simulator.dialects.victron import Victron
from simulator.nanoseconds import SECOND

AT = 1_750_000_000 * SECOND
UNITS = {
    "temperature": "°C", "humidity": "%", "battery": "%", "illuminance": "lx", "power": "W", "voltage": "V", "energy": "kWh",
    "current": "A", "state_of_charge": "%",
}  # fmt: skip
DEVICES = [(ShellyGen1("pump-1"), "pump-1", "state"), (ShellyGen2("pump-1"), "pump-1", "state")]
DEVICES.append((Victron("c0619ab00001/multi/0"), "c0619ab00001/multi/0", "state/Relay.0"))


def decoded(catalogue, messages):
    outcomes = [catalogue.readings(Message(one.topic, one.payload, AT + SECOND, one.retain)) for one in messages]
    return [reading for outcome in outcomes if not isinstance(outcome, Ignored) for reading in outcome]


@pytest.mark.parametrize(("dialect", "device", "setting"), DEVICES)
def test_reports_understood(dialect, device, setting):  # noqa: ARG001
    """Every metric that a device can say comes out under its name, with its unit and value."""
    values = {metric: 20.5 for metric in dialect.metrics if metric != "contact"}
    readings = decoded(Catalogue(), dialect.report(values, on=None, at=AT))
    assert {one.device for one in readings} == {device}
    said = {one.metric: one for one in readings}
    for metric, value in values.items():
        assert said[metric].value == pytest.approx(value), metric
        assert said[metric].unit == UNITS[metric]


@pytest.mark.parametrize(("dialect", "device", "setting"), DEVICES)
@pytest.mark.parametrize("state", ["ON", "OFF"])
def test_command_obeyed_and_confirmed(dialect, device, setting, state):
    """A command to what was learned of a device is obeyed, and its answer is what Sluice expects."""
    catalogue = Catalogue()
    decoded(catalogue, dialect.report({}, on=state == "OFF", at=AT))
    (command,) = Catalogue().encode(catalogue.address(device), device, {setting: state})
    assert command.topic in dialect.listens()
    assert dialect.hear(command.topic, command.payload) == Heard(on=state == "ON")
    said = {(one.device, one.metric, one.channel, one.value) for one in decoded(catalogue, dialect.answer({}, on=state == "ON", at=AT))}
    assert {(device, expected.metric, expected.channel, expected.value) for expected in command.expects} <= said
    assert isinstance(catalogue.readings(Message(command.topic, command.payload, AT)), Ignored)


@pytest.mark.parametrize(("dialect", "device", "setting"), DEVICES)
def test_greetings_understood(dialect, device, setting):  # noqa: ARG001
    """What a device says when it comes, goes or is lost is its own availability, or nothing."""
    catalogue = Catalogue()
    decoded(catalogue, dialect.report({}, on=True, at=AT))
    will = dialect.will()
    messages = [*dialect.hello(), *dialect.goodbye(), *([will] if will else [])]
    readings = decoded(catalogue, messages)
    assert {(one.device, one.metric) for one in readings} <= {(device, "online")}
    assert [one.value for one in readings] == ([True, False] if will else [])


@pytest.mark.parametrize(
    ("dialect", "topic", "payload", "heard"),
    [
        (ShellyGen1("x"), "shellies/x/relay/0/command", b"toggle", Heard(toggle=True)),
        (ShellyGen1("x"), "shellies/x/relay/0/command", b"ON", None),
        (ShellyGen1("x"), "shellies/x/command", b"update", Heard()),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.Toggle","params":{"id":0}}', Heard(toggle=True)),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.GetStatus","params":{"id":0}}', Heard()),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"method":"Switch.Set","params":{"id":0,"on":true}}', None),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.Set","params":{"id":1,"on":true}}', None),
        (ShellyGen2("x"), "x/rpc", b"on", None),
        (Victron("p/multi/0"), "W/p/multi/0/Relay/0/State", b'{"value": 0}', Heard(on=False)),
        (Victron("p/multi/0"), "W/p/multi/0/Relay/0/State", b"1", None),
        (Victron("p/multi/0"), "R/p/keepalive", b"", Heard()),
    ],
)
def test_dialect_hears(dialect, topic, payload, heard):
    """A command is understood as such a device would, on a topic that it listens on."""
    assert topic in dialect.listens()
    assert dialect.hear(topic, payload) == heard
