"""Sluice understands every simulated dialect: what is said decodes to what was meant, and every command that Sluice encodes is obeyed."""

import json

import pytest

from devices.catalogue import CONVENTIONS, Catalogue
from devices.reading import DeadLetter, Ignored, Message
from simulator.dialect import Heard
from simulator.dialects import DIALECTS, Manner, speak
from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.units import unit_of
from simulator.world import World

AT = 1_750_000_000 * SECOND
RECEIVED = AT + 5 * SECOND
ASKED = Manner(root="hall", will=True)
VALUES = {
    "temperature": 21.5, "humidity": 48.5, "soil_moisture": 33.5, "moisture": 12.5, "battery": 80, "battery_voltage": 2.95, "state_of_charge": 71.5,
    "pressure": 1013.2, "illuminance": 350.0, "power": 60.5, "energy": 1.5, "voltage": 230.5, "current": 0.5, "frequency": 50.5,
    "power_factor": 0.95, "co2": 650, "pm25": 12.5, "weight": 2.5, "dew_point": 9.5, "position": 40, "altitude": 120, "speed": 10.0,
    "heading": 90, "latitude": 50.1109, "longitude": 8.6821, "motion": True, "vibration": True, "contact": False, "level": 3.5,
}  # fmt: skip
"""A value for every metric that a dialect has words for, and more for those that take any."""
UNSAID = frozenset({"aws_shadow", "azure_iot", "line_protocol", "packed", "plain_json", "plain_scalar", "chirpstack", "things_stack"})
"""Conventions that have no place for a unit, so that only some names say theirs."""
DOCUMENTED = {"zigbee2mqtt": {"state_of_charge", "frequency", "weight", "altitude", "speed", "heading", "latitude", "longitude"}}
"""Metrics whose unit a convention that documents its units does not have."""
SET_BY = {"plain_scalar": "switch", "victron": "state/Relay.0", "sparkplug_b": "State"}
"""What switches a device, where that is not `state`."""

SAID_OF = {"opcua_pubsub": "t-1"}
"""Whose presence is said, where that is not the device that the readings are of."""

conventions = pytest.mark.parametrize("convention", DIALECTS)
wordy = pytest.mark.parametrize("convention", [name for name, made in DIALECTS.items() if made.metrics is None])
commanded = pytest.mark.parametrize("convention", [name for name, made in DIALECTS.items() if made.obeys])


@pytest.fixture
def catalogue():
    return Catalogue()


def _values(convention):
    known = DIALECTS[convention].metrics
    return {metric: value for metric, value in VALUES.items() if known is None or metric in known}


def _heard(catalogue, messages, *, received=RECEIVED):
    """What Sluice makes of messages that are all understood."""
    outcomes = [catalogue.readings(Message(one.topic, one.payload, received, one.retain)) for one in messages]
    assert all(isinstance(outcome, (list, Ignored)) for outcome in outcomes), outcomes
    return [reading for outcome in outcomes if isinstance(outcome, list) for reading in outcome]


@conventions
def test_report_understood(catalogue, convention):
    """A report is readings of its device: every metric with its value, its unit where there is a place for one, and its time."""
    dialect, values = speak(convention, "t-1", manner=ASKED), _values(convention)
    _heard(catalogue, dialect.hello())
    for seconds in (0, 1, 2):
        at = AT + seconds * SECOND
        readings = _heard(catalogue, dialect.report(values, on=None, at=at))
        assert {one.device for one in readings} == {dialect.called}
        assert {one.convention for one in readings} == {convention}
        assert {one.ts for one in readings} == {at if dialect.stamped else RECEIVED}
        said = {one.metric: one for one in readings}
        for metric, value in values.items():
            assert said[metric].value == pytest.approx(value), metric
            if convention not in UNSAID and metric not in DOCUMENTED.get(convention, ()):
                assert said[metric].unit == unit_of(metric), metric
            else:
                assert said[metric].unit in (unit_of(metric), None), metric


@conventions
def test_every_metric_has_a_value_here(convention):
    """What a dialect has words for is in the test above; what it needs is among that."""
    dialect = DIALECTS[convention]
    assert dialect.needs <= (dialect.metrics or frozenset())
    assert (dialect.metrics or frozenset()) <= VALUES.keys() | {"accuracy"}


@conventions
def test_unknown_metric_left_out_or_said(catalogue, convention):
    """A metric of any name is a reading with that name in it, or is not said at all; nothing becomes a dead letter."""
    dialect = speak(convention, "t-1", manner=ASKED)
    needed = {metric: VALUES[metric] for metric in dialect.needs}
    said = {one.value for one in _heard(catalogue, dialect.report({**needed, "swell": 7.25}, on=None, at=AT))}
    assert (7.25 in said) is (dialect.metrics is None)


@wordy
def test_text_understood(catalogue, convention):
    """A text is a reading with that text where any metric is one."""
    readings = _heard(catalogue, speak(convention, "t-1", manner=ASKED).report({"mode": "heating"}, on=None, at=AT))
    assert "heating" in {one.value for one in readings}


@conventions
def test_number_as_text_is_no_dead_letter(catalogue, convention):
    """Firmware that writes its numbers as text is understood all the same."""
    values = {metric: str(value) for metric, value in _values(convention).items() if not isinstance(value, bool)}
    readings = _heard(catalogue, speak(convention, "t-1", manner=ASKED).report(values, on=None, at=AT))
    assert {one.device for one in readings} == ({speak(convention, "t-1", manner=ASKED).called} if convention != "ruuvi" else set())


@conventions
def test_presence_understood(catalogue, convention):
    """What a device says when it comes and goes, and what is said for it when it is lost, is its availability or nothing."""
    dialect = speak(convention, "t-1", manner=ASKED)
    _heard(catalogue, dialect.hello())
    _heard(catalogue, dialect.report(_values(convention), on=None, at=AT))
    came = _heard(catalogue, dialect.hello())
    will = dialect.will()
    went = _heard(catalogue, [*dialect.goodbye(), *([will] if will else [])])
    assert {(one.device, one.metric) for one in came + went} <= {(SAID_OF.get(convention, dialect.called), "online")}
    assert (will is not None) is dialect.wills
    assert {one.value for one in came} <= {True}
    assert {one.value for one in went} == ({False} if dialect.wills else set())


@conventions
def test_silent_about_presence(convention):
    """Without a will, nothing says whether the device is there; plain devices say it only when they are asked to."""
    dialect = speak(convention, "t-1", manner=Manner(will=False))
    assert dialect.will() is None
    told = _heard(Catalogue(), [*dialect.hello(), *dialect.report(_values(convention), on=None, at=AT), *dialect.goodbye()])
    assert "online" not in {one.metric for one in told} or convention == "sparkplug_b"  # whose births say it
    assert speak(convention, "t-1", manner=Manner()).will() is None or convention not in {"plain_json", "plain_scalar", "senml"}


@conventions
def test_discovery_left_out(catalogue, convention):
    """Without discovery, fewer messages say the same of the device, if it has such messages at all."""
    values, said = _values(convention), {}
    for discovery in (True, False):
        dialect = speak(convention, "t-1", manner=Manner(discovery=discovery, will=False))
        said[discovery] = [*dialect.hello(), *dialect.report(values, on=None, at=AT)]
    assert (len(said[False]) < len(said[True])) is DIALECTS[convention].discovers
    readings = _heard(catalogue, said[False])
    assert {one.device for one in readings} == {dialect.called}
    assert {one.metric for one in readings} >= values.keys()


@conventions
def test_labels_understood(catalogue, convention):
    """Labels come out as labels of every reading, where a convention has a place for them."""
    dialect = speak(convention, "t-1", manner=Manner(labels={"line": "a", "hall": "2 north"}))
    readings = _heard(catalogue, dialect.report(_values(convention), on=None, at=AT))
    assert readings
    for one in readings:
        found = {key: one.labels.get(key) for key in ("line", "hall")}
        assert found == ({"line": "a", "hall": "2 north"} if dialect.labelled else {"line": None, "hall": None})


@conventions
def test_damaged_json_is_a_dead_letter(catalogue, convention):
    """An object that was cut in half is no reading, whoever sent it."""
    dialect = speak(convention, "t-1", manner=ASKED)
    _heard(catalogue, dialect.hello())
    for message in dialect.report(_values(convention), on=None, at=AT):
        try:
            json.loads(message.payload)
        except ValueError:
            continue
        if message.payload[:1] in b"{[" and not message.topic.startswith(("homeassistant/", "tasmota/discovery/", "homie/")):
            outcome = catalogue.readings(Message(message.topic, message.payload[: len(message.payload) // 2], RECEIVED))
            assert isinstance(outcome, DeadLetter), message


def test_every_convention_with_commands_has_a_simulated_device():
    """What Sluice can command, a simulated device of its dialect obeys; templates have no device of their own."""
    assert {made.name for made in CONVENTIONS if made.commands} == {*(name for name, made in DIALECTS.items() if made.obeys), "template"}
    assert {made.name for made in CONVENTIONS} >= DIALECTS.keys()


def _learned(catalogue, dialect, convention):
    """Let Sluice hear a device that acts, and give where it learned to send commands."""
    values = {metric: value for metric, value in _values(convention).items() if not isinstance(value, bool)}
    _heard(catalogue, [*dialect.hello(), *dialect.report(values, on=False, at=AT)])
    address = catalogue.address(dialect.called)
    assert address is not None
    return address, SET_BY.get(convention, "state")


@commanded
def test_command_obeyed_and_confirmed(catalogue, convention):
    """A command to the address that was learned from the device's reports is obeyed, and its answer is what Sluice expects."""
    dialect = speak(convention, "fan-1", manner=ASKED)
    address, setting = _learned(catalogue, dialect, convention)
    for state, on in (("ON", True), ("OFF", False)):
        (command,) = Catalogue().encode(address, dialect.called, {setting: state})
        assert isinstance(catalogue.readings(Message(command.topic, command.payload, RECEIVED)), Ignored)
        assert command.topic in dialect.listens()
        assert dialect.hear(command.topic, command.payload) == Heard(on=on)
        said = {(one.device, one.metric, one.channel, one.value) for one in _heard(catalogue, dialect.answer({}, on=on, at=AT + SECOND))}
        assert {(dialect.called, expected.metric, expected.channel, expected.value) for expected in command.expects} <= said


@commanded
def test_command_refused(catalogue, convention):
    """A refusal is understood, and is never what would confirm the command."""
    dialect = speak(convention, "fan-1", manner=ASKED)
    address, setting = _learned(catalogue, dialect, convention)
    (command,) = Catalogue().encode(address, dialect.called, {setting: "ON"})
    dialect.hear(command.topic, command.payload)
    messages = dialect.refuse({}, on=False, at=AT + SECOND)
    assert messages
    said = {(one.metric, one.channel, one.value) for one in _heard(catalogue, messages)}
    assert said.isdisjoint((expected.metric, expected.channel, expected.value) for expected in command.expects)


@commanded
def test_damaged_command_is_not_obeyed(convention):
    """Bytes of any kind on a command's topic are no order, and break nothing."""
    dialect = speak(convention, "fan-1", manner=ASKED)
    for topic in dialect.listens():
        for payload in (b"", b"\xff{", b"[1]", b"{}", b"null", b'{"state": {"desired": 1}}', b'{"downlinks": [1]}', b"[" * 5000):
            heard = dialect.hear(topic, payload)
            assert heard is None or (heard.on is None and not heard.toggle), (topic, payload)


def test_fleet_understood(greenhouse, catalogue):
    """The greenhouse's devices are read under their names, and what is read is the air that they stand in."""
    world = World(greenhouse, epoch=AT)
    last, metrics = {}, {}
    for device in world.devices:
        _heard(catalogue, device.dialect.hello(), received=world.epoch)
    for second in range(1, 201):
        for device, message in world.advance(second * SECOND):
            for one in _heard(catalogue, [message], received=world.epoch):
                assert one.device == device.name, one
                assert world.epoch - 2 * SECOND <= one.ts <= world.epoch, one
                last[one.device, one.metric] = one.value
                metrics.setdefault(one.device, set()).add(one.metric)
    for device in world.devices:
        assert set(device.group.metrics) <= metrics[device.name], device.name
    quantities = world.physics.quantities()
    for name in ("t-1", "t-2", "t-3", "t-4", "t-5", "t-6"):
        assert last[name, "temperature"] == pytest.approx(quantities["temperature"], abs=1)
        assert last[name, "humidity"] == pytest.approx(quantities["humidity"], abs=3)
    assert last["light-1", "illuminance"] == pytest.approx(quantities["illuminance"], abs=3000)
    assert last["power-1", "power"] == pytest.approx(quantities["power"], abs=10)
    assert isinstance(last["door-1", "contact"], bool)
    assert last["fan-1", "state"] is False


@commanded
def test_simulated_fan_switched(catalogue, convention):
    """In a world, a command that Sluice encodes switches the actuator that the device is."""
    fan = {"name": "fan-1", "convention": convention, "acts": "fan"}
    world = World(Scenario.model_validate({"name": "house", "physics": {"kind": "greenhouse"}, "devices": [fan]}), epoch=AT)
    (device,) = world.devices
    _heard(catalogue, [*device.dialect.hello(), *world.report(device)])
    address = catalogue.address(device.dialect.called)
    for state in ("ON", "OFF"):
        (command,) = Catalogue().encode(address, device.dialect.called, {SET_BY.get(convention, "state"): state})
        assert world.hear(device, command.topic, command.payload)
        assert world.physics.is_on("fan") is (state == "ON")
