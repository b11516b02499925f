"""Dialects whose devices say on other topics what they are: Homie's attributes, ESPHome's prefixes, Z-Wave JS UI's gateways and nodes."""

from itertools import permutations

import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.reading import Ignored, Message
from devices.samples import RECEIVED


def said(catalogue, topic, payload):
    return catalogue.readings(Message(topic, payload.encode(), RECEIVED))


def read(catalogue, topic, payload):
    (one,) = said(catalogue, topic, payload)
    return one


ATTRIBUTES = [("$unit", "°F"), ("$datatype", "float"), ("$settable", "true"), ("$format", "40:90")]


@pytest.mark.parametrize("attributes", [*permutations(ATTRIBUTES)][::5])
def test_homie_attributes_in_any_order(attributes):
    """Whatever attribute comes first, the property is read and commanded the same."""
    catalogue = Catalogue()
    for name, payload in attributes:
        assert isinstance(said(catalogue, f"homie/den/zone/setpoint/{name}", payload), Ignored)
    assert read(catalogue, "homie/den/zone/setpoint", "50").value == 10
    (command,) = Catalogue().encode(catalogue.address("den"), "den", {"zone.setpoint": 68})
    assert (command.topic, command.payload, command.expects[0].value) == ("homie/den/zone/setpoint/set", b"68", 20)


def test_homie_datatype_learned_late_settles_the_type_anew():
    """A card's number before its datatype was a number by guess; after it, it is text, not a conflict."""
    catalogue = Catalogue()
    assert read(catalogue, "homie/gate/reader/card", "4711").value == 4711
    said(catalogue, "homie/gate/reader/card/$datatype", "string")
    assert read(catalogue, "homie/gate/reader/card", "4711").value == "4711"


def test_homie_device_taken_away_is_forgotten():
    """An empty description is a device's removal, and teaches nothing any more."""
    catalogue = Catalogue()
    properties = {"t": {"datatype": "float", "unit": "°C"}}
    said(catalogue, "homie/5/den/$description", msgspec.json.encode({"homie": "5.0", "nodes": {"n": {"properties": properties}}}).decode())
    assert read(catalogue, "homie/5/den/n/t", "20.5").unit == "°C"
    said(catalogue, "homie/5/den/$description", "")
    assert read(catalogue, "homie/5/den/n/t", "20.5").unit is None


def test_homie_base_learned_in_five():
    """Homie 5 under a base of its own is known from a description on; before, its attributes describe and nothing more."""
    catalogue = Catalogue()
    assert isinstance(said(catalogue, "farm/5/den/$state", "ready"), Ignored)
    said(catalogue, "farm/5/den/$description", '{"homie":"5.0","nodes":{}}')
    one = read(catalogue, "farm/5/den/$state", "ready")
    assert (one.device, one.metric, one.value) == ("den", "online", True)


def test_homie_knowledge_is_bounded(monkeypatch):
    """A flood of devices, properties and bases does not grow what is kept."""
    for limit in ("MOST_BASES", "MOST_DEVICES", "MOST_PROPERTIES"):
        monkeypatch.setattr(f"devices.conventions.homie.{limit}", 20)
    catalogue = Catalogue()
    for number in range(100):
        said(catalogue, f"base{number}/d/$homie", "4.0")
        said(catalogue, f"homie/d{number}/n/p/$unit", "V")
        said(catalogue, f"homie/d/n{number}/p", "1")
    learned = catalogue.learned["homie"]
    assert len(learned["bases"]) <= 20
    assert len(learned["devices"]) <= 20
    assert all(len(table) <= 20 for table in learned["devices"].values())


def test_esphome_status_is_the_devices_once_its_prefix_is_known():
    """`a/b/status` is b's by the plain rule, and a/b's once that has spoken as ESPHome."""
    catalogue = Catalogue()
    assert read(catalogue, "farm/coop/status", "online").device == "coop"
    read(catalogue, "farm/coop/sensor/eggs/state", "4")
    one = read(catalogue, "farm/coop/status", "offline")
    assert (one.device, one.convention, one.value) == ("farm/coop", "esphome", False)


def test_esphome_log_is_no_reading_before_its_prefix_is_known():
    """A line of the log looks like an array that is broken, and is none."""
    assert isinstance(said(Catalogue(), "coop/debug", "[D][sensor:094]: 'Eggs': Sending state 4.00000"), Ignored)


def test_esphome_knowledge_is_bounded(monkeypatch):
    """A flood of prefixes and objects does not grow what is kept."""
    monkeypatch.setattr("devices.conventions.esphome.MOST_PREFIXES", 20)
    monkeypatch.setattr("devices.conventions.esphome.MOST_OBJECTS", 20)
    catalogue = Catalogue()
    for number in range(100):
        said(catalogue, f"p{number}/sensor/s/state", "1")
        said(catalogue, f"p/sensor/s{number}/state", "1")
    assert len(catalogue.learned["esphome"]) <= 20
    assert all(len(objects) <= 20 for objects in catalogue.learned["esphome"].values())


def test_zwave_prefix_learned_from_its_gateway():
    """Numbered topics under any prefix are values once the gateway has said where it speaks; before, they are plain ones."""
    catalogue = Catalogue()
    topic, value = "house/radio/Shed/12/49/0/Air_temperature", '{"time":1788350399000,"value":4.5}'
    assert read(catalogue, topic, value).convention == "plain_json"
    said(catalogue, "house/radio/_CLIENTS/ZWAVE_GATEWAY-one/status", '{"value":true}')
    one = read(catalogue, topic, value)
    assert (one.device, one.metric, one.key) == ("Shed/12", "temperature", "49.0.Air_temperature")


@pytest.mark.parametrize(
    ("topic", "device", "key"),
    [
        ("zwave/Hall/lock/door_lock/endpoint_0/currentMode", "Hall/lock", "door_lock.endpoint_0.currentMode"),
        ("zwave/battery/battery/level", "battery", "battery.level"),
        ("zwave/Hall/37/38/0/currentValue", "Hall/37", "38.0.currentValue"),
        ("zwave/5/112/0/3", "5", "112.0.3"),
        ("zwave/nodeID_3/unknownClass_200/value", "nodeID_3", "unknownClass_200.value"),
    ],
)
def test_zwave_device_ends_before_the_command_class(topic, device, key):
    """Rooms and nodes that are called like a class, or are numbers, stay part of the device."""
    one = read(Catalogue(), topic, '{"time":1788350399000,"value":3}')
    assert (one.device, one.key, one.convention) == (device, key, "zwave_js")


def test_zwave_knowledge_is_bounded(monkeypatch):
    """A flood of gateways, nodes and values does not grow what is kept."""
    for limit in ("MOST_PREFIXES", "MOST_NODES", "MOST_VALUES"):
        monkeypatch.setattr(f"devices.conventions.zwave_js.{limit}", 20)
    catalogue = Catalogue()
    for number in range(100):
        said(catalogue, f"g{number}/_CLIENTS/ZWAVE_GATEWAY-x/status", "true")
        said(catalogue, f"zwave/n{number}/battery/level", "3")
        said(catalogue, f"zwave/n/configuration/endpoint_0/p{number}", "3")
    learned = catalogue.learned["zwave_js"]
    assert all(len(table) <= 20 for table in learned.values())
    assert all(len(values) <= 20 for values in learned["nodes"].values())
