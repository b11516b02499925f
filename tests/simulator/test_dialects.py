"""Dialects: reports as real devices write them, and commands as they take them."""

import json

import pytest

from simulator.dialect import Heard
from simulator.dialects import Manner
from simulator.dialects.chirpstack import ChirpStack
from simulator.dialects.esphome import Esphome
from simulator.dialects.home_assistant import HomeAssistant
from simulator.dialects.homie import Homie
from simulator.dialects.line_protocol import LineProtocol
from simulator.dialects.owntracks import OwnTracks
from simulator.dialects.packed import Packed
from simulator.dialects.plain_json import PlainJson
from simulator.dialects.plain_scalar import PlainScalar
from simulator.dialects.senml import Senml
from simulator.dialects.shelly_gen1 import ShellyGen1
from simulator.dialects.shelly_gen2 import ShellyGen2
from simulator.dialects.sparkplug_b import SparkplugB
from simulator.dialects.tasmota import Tasmota
from simulator.dialects.things_stack import ThingsStack
from simulator.dialects.victron import Victron
from simulator.dialects.zigbee2mqtt import Zigbee2Mqtt
from simulator.dialects.zwave_js import ZwaveJs
from simulator.nanoseconds import SECOND

AT = 1_750_000_000 * SECOND  # 2025-06-15T15:06:40Z
ON, OFF, ASKED = Heard(on=True), Heard(on=False), Heard()
HALL = Manner(root="g")


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
        (PlainJson("pump", HALL), "g/pump/set", b'{"state":"ON"}', ON),
        (PlainJson("pump", HALL), "g/pump/set", b'{"state":false}', OFF),
        (PlainJson("pump", HALL), "g/pump/set", b"[1]", None),
        (PlainScalar("pump", HALL), "g/pump/switch/set", b"OFF", OFF),
        (PlainScalar("pump", HALL), "g/pump/switch/set", b"7", None),
        (Homie("pump"), "homie/5/pump/actuator/state/set", b"true", ON),
        (Homie("pump"), "homie/5/pump/actuator/state/set", b"ON", None),
        (Esphome("pump"), "pump/switch/relay/command", b"off", OFF),
        (Esphome("pump"), "pump/switch/relay/command", b"1", None),
        (HomeAssistant("pump", HALL), "g/pump/set", b"RUN", ON),
        (HomeAssistant("pump", HALL), "g/pump/set", b"ON", None),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b'{"value":false}', OFF),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b"true", ON),
        (ZwaveJs("pump"), "zwave/pump/switch_binary/endpoint_0/targetValue/set", b'{"value":"ON"}', None),
        (ShellyGen1("x"), "shellies/x/relay/0/command", b"toggle", Heard(toggle=True)),
        (ShellyGen1("x"), "shellies/x/relay/0/command", b"ON", None),
        (ShellyGen1("x"), "shellies/x/command", b"update", ASKED),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.Toggle","params":{"id":0}}', Heard(toggle=True)),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.GetStatus","params":{"id":0}}', ASKED),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"method":"Switch.Set","params":{"id":0,"on":true}}', None),
        (ShellyGen2("x"), "x/rpc", b'{"id":1,"src":"me","method":"Switch.Set","params":{"id":1,"on":true}}', None),
        (ShellyGen2("x"), "x/rpc", b"on", None),
        (Victron("p"), "W/p/multi/0/Relay/0/State", b'{"value": 0}', OFF),
        (Victron("p"), "W/p/multi/0/Relay/0/State", b"1", None),
        (Victron("p"), "R/p/keepalive", b"", ASKED),
        (Packed("pump", HALL), "g/pump/set", b"\xa1\x65state\xf5", ON),
        (Packed("pump", HALL), "g/pump/set", b'{"state":true}', None),
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
    sensor = Tasmota("t-5", Manner(offset=120, discovery=False))
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


def test_tasmota_describes_itself_once():
    """Its first report after each start comes behind what it is and has, retained, under its own hardware address."""
    sensors = Tasmota("t-5"), Tasmota("t-6")
    first = [sensor.report({"temperature": 20.0}, on=None, at=AT)[:2] for sensor in sensors]
    (config, has), (other, _) = first
    assert config.topic != other.topic
    assert (config.retain, has.retain, has.topic) == (True, True, config.topic.replace("/config", "/sensors"))
    assert json.loads(config.payload)["t"] == "t-5"
    assert json.loads(has.payload) == {"sn": {"AM2301": {"Temperature": 20.0}, "TempUnit": "C"}, "ver": 1}
    assert all(one.topic.startswith("tele/") for one in sensors[0].report({"temperature": 20.0}, on=None, at=AT))
    sensors[0].hello()
    assert sensors[0].report({"temperature": 20.0}, on=None, at=AT)[:2] == first[0]


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
    (report,) = PlainJson("soil-1", Manner(root="g", timestamps=timestamps)).report({"soil_moisture": 41.0}, on=None, at=AT)
    assert report.topic == "g/soil-1"
    assert json.loads(report.payload) == {**({"timestamp": said} if said else {}), "soil_moisture": 41.0}


def test_plain_scalar_topics():
    """One topic per metric; a device that acts has one for its switch."""
    reports = PlainScalar("pump", HALL).report({"power": 3.5, "wet": True}, on=False, at=AT)
    assert [(report.topic, report.payload) for report in reports] == [
        ("g/pump/switch", b"OFF"),
        ("g/pump/power", b"3.5"),
        ("g/pump/wet", b"true"),
    ]


def test_plain_presence_on_demand():
    """A plain device says that it is there only when it is asked to, retained, with a last will."""
    asked = PlainJson("pump", Manner(root="g", will=True))
    (hello,), will = asked.hello(), asked.will()
    assert (hello.topic, hello.payload, hello.retain) == ("g/pump/availability", b"online", True)
    assert (will.topic, will.payload, will.retain) == ("g/pump/availability", b"offline", True)
    assert PlainJson("pump", HALL).hello() == []


def test_senml_pack():
    """The base fields stand in the first record, and each record has the field for its kind of value."""
    (message,) = Senml("t-1", HALL).report({"soil_moisture": 40, "wet": True, "mode": "rest"}, on=None, at=AT)
    assert json.loads(message.payload) == [
        {"bn": "t-1:", "bt": 1_750_000_000, "n": "soil_moisture", "u": "/100", "v": 40},
        {"n": "wet", "vb": True},
        {"n": "mode", "vs": "rest"},
    ]
    assert Senml("t-1", HALL).report({}, on=None, at=AT) == []


def test_line_protocol_lines():
    """Each value has a line with the device and its labels as tags; integers and texts are marked as such."""
    (message,) = LineProtocol("t-1", Manner(labels={"hall": "2 north"})).report({"co2": 600, "mode": "rest"}, on=None, at=AT)
    assert message.payload.decode().splitlines() == [
        rf"co2,device=t-1,hall=2\ north value=600i {AT}",
        rf'mode,device=t-1,hall=2\ north value="rest" {AT}',
    ]


def test_owntracks_needs_a_position():
    """A tracker that does not know where it is says nothing; its last will has the time of the last that it said."""
    bike = OwnTracks("bike", HALL)
    assert bike.report({"latitude": 50.1, "battery": 80}, on=None, at=AT) == []
    (location,) = bike.report({"latitude": 50.1, "longitude": 8.7, "speed": 5.0, "pressure": 1013.25}, on=None, at=AT)
    assert location.topic == "owntracks/g/bike"
    assert json.loads(location.payload) | {"vel": 18, "p": 101.325, "tst": AT // SECOND} == json.loads(location.payload)
    assert json.loads(bike.will().payload) == {"_type": "lwt", "tst": AT // SECOND}


def test_sparkplug_born_again_for_another_type():
    """A metric that turns into text, or is new, is not said by an alias that was born as something else: the node is born again."""
    node = SparkplugB("press")
    reports = [{"mode": 1}, {"mode": 2.5}, {"mode": "rest"}, {"mode": "run"}, {"mode": "run", "level": 3}]
    topics = [message.topic for values in reports for message in node.report(values, on=None, at=AT)]
    assert [topic.split("/")[2] for topic in topics] == ["NBIRTH", "NDATA", "NBIRTH", "NDATA", "NBIRTH"]


def test_esphome_announced_once():
    """Each component is announced to Home Assistant before its first state, with its unit; after a new start once more."""
    device = Esphome("t-8")
    config, state = device.report({"pressure": 1013.2}, on=None, at=AT)
    about = json.loads(config.payload)
    assert (config.topic, config.retain) == ("homeassistant/sensor/t-8/pressure/config", True)
    assert (about["stat_t"], about["unit_of_meas"], about["avty_t"]) == (state.topic, "hPa", "t-8/status")
    assert device.report({"pressure": 1013.2}, on=None, at=AT) == [state]
    device.hello()
    assert device.report({"pressure": 1013.2}, on=None, at=AT) == [config, state]


@pytest.mark.parametrize(
    ("dialect", "topic", "found"),
    [
        (Tasmota("fan"), "stat/fan/RESULT", b'{"Command":"Error"}'),
        (Zigbee2Mqtt("fan"), "zigbee2mqtt/bridge/logging", b'"level":"error"'),
        (ThingsStack("fan"), "v3/greenhouse@sim/devices/fan/down/failed", b'"downlink_failed"'),
        (PlainJson("fan", HALL), "g/fan", b'"state":"OFF"'),
        (Homie("fan"), "homie/5/fan/actuator/state", b"false"),
    ],
)
def test_dialect_refuses(dialect, topic, found):
    """What a device will not do it says in its own words, else it says how it stands."""
    (message,) = dialect.refuse({}, on=False, at=AT)
    assert message.topic == topic
    assert found in message.payload


def test_shelly_gen2_refuses_who_called():
    """The error goes to whoever called, under the call's number; without a call there is nobody to answer."""
    plug = ShellyGen2("plug")
    assert plug.refuse({}, on=False, at=AT) == []
    plug.hear("plug/rpc", b'{"id":7,"src":"sluice/rpc","method":"Switch.Set","params":{"id":0,"on":true}}')
    (answer,) = plug.refuse({}, on=False, at=AT)
    frame = json.loads(answer.payload)
    assert (answer.topic, frame["id"], frame["dst"], frame["error"]["code"]) == ("sluice/rpc/rpc", 7, "sluice/rpc", -109)


def test_chirpstack_refusal_is_an_uplink():
    """The network sends the command all the same; the device's next uplink says that nothing has changed."""
    sent, uplink = ChirpStack("fan").refuse({}, on=False, at=AT)
    assert (sent.topic.rpartition("/")[2], uplink.topic.rpartition("/")[2]) == ("txack", "up")
    assert json.loads(uplink.payload)["object"] == {"state": "OFF"}
