"""Dialects: reports as real devices write them, and commands as they take them."""

import json

import pytest

from simulator.dialect import Heard
from simulator.dialects.esphome import Esphome
from simulator.dialects.home_assistant import HomeAssistant
from simulator.dialects.homie import Homie
from simulator.dialects.plain_json import PlainJson
from simulator.dialects.plain_scalar import PlainScalar
from simulator.dialects.tasmota import Tasmota
from simulator.dialects.zigbee2mqtt import Zigbee2Mqtt
from simulator.dialects.zwave_js import ZwaveJs
from simulator.nanoseconds import SECOND

AT = 1_750_000_000 * SECOND  # 2025-06-15T15:06:40Z
ON, OFF, ASKED = Heard(on=True), Heard(on=False), Heard()


@pytest.mark.parametrize(
    ("dialect", "topic", "payload", "heard"),
    [
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set", b'{"state":"ON"}', ON),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set", b'{"state":"off"}', OFF),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set", b"ON", ON),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set/state", b"TOGGLE", Heard(toggle=True)),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/get", b'{"state":""}', ASKED),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set", b'{"brightness":3}', None),
        (Zigbee2Mqtt("fan-1"), "zigbee2mqtt/fan-1/set", b"\xff{", None),
        (Tasmota("plug"), "cmnd/plug/POWER", b"ON", ON),
        (Tasmota("plug"), "cmnd/plug/POWER1", b"0", OFF),
        (Tasmota("plug"), "cmnd/plug/POWER", b"2", Heard(toggle=True)),
        (Tasmota("plug"), "cmnd/plug/POWER", b"", ASKED),
        (Tasmota("plug"), "cmnd/plug/STATE", b"", ASKED),
        (Tasmota("plug"), "cmnd/plug/POWER", b"maybe", None),
        (PlainJson("pump", root="g"), "g/pump/set", b'{"state":"ON"}', ON),
        (PlainJson("pump", root="g"), "g/pump/set", b'{"state":false}', OFF),
        (PlainJson("pump", root="g"), "g/pump/set", b"[1]", None),
        (PlainScalar("pump", root="g"), "g/pump/switch/set", b"OFF", OFF),
        (PlainScalar("pump", root="g"), "g/pump/switch/set", b"7", None),
        (Homie("pump"), "homie/5/pump/actuator/state/set", b"true", ON),
        (Homie("pump"), "homie/5/pump/actuator/state/set", b"ON", None),
        (Esphome("pump"), "pump/switch/relay/command", b"off", OFF),
        (Esphome("pump"), "pump/switch/relay/command", b"1", None),
        (HomeAssistant("pump", root="g"), "g/pump/set", b"RUN", ON),
        (HomeAssistant("pump", root="g"), "g/pump/set", b"ON", None),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b'{"value":false}', OFF),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b"true", ON),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b'{"value":"ON"}', None),
    ],
)
def test_dialect_hears(dialect, topic, payload, heard):
    """A command is understood as such a device would, on a topic that it listens on."""
    assert topic in dialect.listens()
    assert dialect.hear(topic, payload) == heard


def test_zigbee2mqtt_plug():
    """A plug says its state and its power in one object, also as the answer to a command."""
    plug = Zigbee2Mqtt("fan-1")
    (report,) = plug.report({"power": 370.0}, on=True, at=AT)
    assert (report.topic, json.loads(report.payload)) == ("zigbee2mqtt/fan-1", {"state": "ON", "power": 370.0})
    assert plug.answer({"power": 370.0}, on=True, at=AT) == [report]


def test_tasmota_reports():
    """STATE comes first and then with every tenth SENSOR; times are local, the epoch is UTC."""
    sensor = Tasmota("t-5", offset=120)
    sensor.hello()
    reports = [sensor.report({"temperature": 20.0, "humidity": 50.0}, on=None, at=AT + n * SECOND) for n in range(11)]
    assert [len(messages) for messages in reports] == [2, *[1] * 9, 2]
    state, first = reports[0]
    assert (state.topic, first.topic) == ("tele/t-5/STATE", "tele/t-5/SENSOR")
    assert json.loads(first.payload) == {
        "Time": "2025-06-15T17:06:40",
        "Epoch": AT // SECOND,
        "AM2301": {"Temperature": 20.0, "Humidity": 50.0},
        "TempUnit": "C",
    }


def test_tasmota_energy():
    """A meter adds what it works out: with a power factor of 0.95, 220 W are 232 VA and about 1 A."""
    messages = Tasmota("power-1").report({"power": 220, "energy": 6.294, "voltage": 231}, on=None, at=AT)
    energy = json.loads(messages[-1].payload)["ENERGY"]
    assert energy["Total"] == 6.294
    assert (energy["Power"], energy["ApparentPower"], energy["Factor"], energy["Current"]) == (220, 232, 0.95, 1.003)


def test_tasmota_answers():
    """A switch answers with RESULT and POWER."""
    answers = Tasmota("plug").answer({}, on=True, at=AT)
    assert [(answer.topic, answer.payload) for answer in answers] == [("stat/plug/RESULT", b'{"POWER":"ON"}'), ("stat/plug/POWER", b"ON")]


@pytest.mark.parametrize(("timestamps", "said"), [("iso", "2025-06-15T15:06:40.000Z"), ("ms", AT // 1_000_000), ("none", None)])
def test_plain_json_timestamps(timestamps, said):
    """Plain JSON says when as it is told to, or not at all."""
    (report,) = PlainJson("soil-1", root="g", timestamps=timestamps).report({"soil_moisture": 41.0}, on=None, at=AT)
    assert report.topic == "g/soil-1"
    assert json.loads(report.payload) == {**({"timestamp": said} if said else {}), "soil_moisture": 41.0}


def test_plain_scalar_topics():
    """One topic per metric; a device that acts has one for its switch."""
    reports = PlainScalar("pump", root="g").report({"power": 3.5, "wet": True}, on=False, at=AT)
    assert [(report.topic, report.payload) for report in reports] == [
        ("g/pump/switch", b"OFF"),
        ("g/pump/power", b"3.5"),
        ("g/pump/wet", b"true"),
    ]
