"""The other side of a dialect by somebody else: what reference clients publish is understood, and they obey what is encoded."""

import ebus_sdk
import pytest
from ha_mqtt_discoverable import DeviceInfo, Settings
from ha_mqtt_discoverable import sensors as announced
from paho.mqtt import client as paho

from devices.catalogue import Catalogue
from devices.reading import Ignored, Message
from devices.samples import RECEIVED


class HomieTransport:
    """What the Homie SDK publishes over and subscribes with."""

    is_running = True

    def __init__(self):
        self.sent, self.listeners = [], {}

    def is_connected(self):
        return True

    def publish(self, topic, data, **_):
        self.sent.append((topic, str(data)))

    def subscribe(self, sub, param, **_):
        self.listeners[sub] = param

    def deliver(self, topic, payload):
        self.listeners[topic](topic, payload)


class Link(paho.Client):
    """A client that is not connected: it keeps what is published, and gives messages to whoever asked for them."""

    def __init__(self):
        super().__init__(paho.CallbackAPIVersion.VERSION2)
        self.sent, self.listeners = [], {}

    def publish(self, topic, payload=None, *_, **__):
        self.sent.append((topic, str(payload)))

    def subscribe(self, *_, **__):
        return paho.MQTT_ERR_SUCCESS, 1

    def message_callback_add(self, sub, callback):
        self.listeners[sub] = callback

    def deliver(self, topic, payload):
        message = paho.MQTTMessage(topic=topic.encode())
        message.payload = payload
        self.listeners[topic](self, None, message)


@pytest.fixture
def catalogue():
    return Catalogue()


def _take(catalogue, link):
    """Read what a client has published since the last time; return the readings by metric and channel."""
    readings = {}
    for topic, payload in link.sent:
        outcome = catalogue.readings(Message(topic, payload.encode(), RECEIVED))
        assert isinstance(outcome, (list, Ignored)), outcome
        readings |= {(one.metric, one.channel): one for one in outcome} if isinstance(outcome, list) else {}
    link.sent.clear()
    return readings


def _tell(catalogue, link, device, settings):
    """Encode a command where nothing is learned, deliver it, and check that what the client reports confirms it."""
    encoded = Catalogue().encode(catalogue.address(device), device, settings)
    for command in encoded:
        link.deliver(command.topic, command.payload)
    said = {(one.metric, one.channel, one.value) for one in _take(catalogue, link).values()}
    assert {(one.metric, one.channel, one.value) for command in encoded for one in command.expects} <= said


@pytest.fixture
def boiler():
    transport = HomieTransport()
    device = ebus_sdk.Device("boiler-7", name="Boiler", mqttc=transport, homie_domain="homie")
    with device.state_transition():
        zone = device.new_node("zone", "Zone")
        kinds = ebus_sdk.PropertyDatatype
        parts = [("setpoint", 66.2, kinds.FLOAT, float, {"unit": "°F", "format": "40:90"}), ("pump", False, kinds.BOOLEAN, "true".__eq__, {}),
                 ("mode", "eco", kinds.ENUM, str, {"format": "eco,comfort"})]  # fmt: skip
        for name, value, kind, read, more in parts:
            made = ebus_sdk.Property(id=name, value=value, datatype=kind, settable=True, **more)
            made.set_set_callback(lambda text, made=made, read=read: made.set_value(read(text)))
            zone.add_property(made)
        device.add_node(zone)
    device.on_connect()
    return transport


def test_homie_device_understood_and_obeys(catalogue, boiler):
    """A Homie 5 device of another make is read with its units, and does what it is told in its own datatypes."""
    readings = _take(catalogue, boiler)
    assert readings["zone_setpoint", ""].value == pytest.approx(19)
    assert readings["zone_setpoint", ""].unit == "°C"
    assert readings["pump", "zone"].value is False
    assert readings["zone_mode", ""].value == "eco"
    assert readings["online", ""].value is True
    _tell(catalogue, boiler, "boiler-7", {"zone.setpoint": 68, "pump": "ON", "mode": "comfort"})


def test_homie_alert_understood(catalogue, boiler):
    """What it warns of is read as text, and its end as nothing."""
    _take(catalogue, boiler)
    outcome = catalogue.readings(Message("homie/5/boiler-7/$alert/pressure", b"Pressure is low", RECEIVED))
    assert [(one.metric, one.channel, one.value) for one in outcome] == [("alert", "pressure", "Pressure is low")]


def _settings(link, entity):
    return Settings(mqtt=Settings.MQTT(client=link), entity=entity)


def test_announced_sensor_understood(catalogue):
    """A sensor that another library announces and updates is read in its unit, the same device before and after."""
    link = Link()
    about = announced.SensorInfo(name="Tank", unit_of_measurement="cm", device=DeviceInfo(name="Well", identifiers="w1"), unique_id="t1")
    sensor = announced.Sensor(_settings(link, about))
    sensor.set_state(412)
    (reading,) = _take(catalogue, link).values()
    assert (reading.device, reading.convention, reading.value, reading.unit, reading.raw_value) == (
        "Well",
        "home_assistant",
        4.12,
        "m",
        412,
    )


def test_announced_switch_and_number_obey(catalogue):
    """A switch with words of its own and a number with limits take what is sent to their command topics."""
    link = Link()
    well = DeviceInfo(name="Well", identifiers="w1")
    pump = announced.SwitchInfo(name="Pump", payload_on="RUN", payload_off="REST", device=well, unique_id="p1")
    level = announced.NumberInfo(name="Level", min=0, max=50, device=well, unique_id="l1")
    switch = announced.Switch(
        _settings(link, pump), lambda _client, _data, message: switch.on() if message.payload == b"RUN" else switch.off()
    )
    number = announced.Number(_settings(link, level), lambda _client, _data, message: number.set_value(float(message.payload)))
    switch.off()
    number.set_value(10)
    assert _take(catalogue, link)["pump", ""].value is False
    _tell(catalogue, link, "Well", {"Pump": "ON", "Level": 42})
    with pytest.raises(ValueError, match="must be from 0"):
        catalogue.encode(catalogue.address("Well"), "Well", {"Level": 60})
