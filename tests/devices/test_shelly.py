"""Shelly's two languages: which topics are whose, and what is learned of prefixes."""

import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.reading import DeadLetter, Ignored, Message
from devices.samples import RECEIVED


def read(catalogue, topic, payload):
    return catalogue.readings(Message(topic, payload.encode(), RECEIVED))


NOTICE = '{"src":"shellyplus1-a0b1c2d3e4f5","method":"NotifyStatus","params":{"ts":1788350280,"switch:0":{"id":0,"output":true}}}'


@pytest.mark.parametrize(("topic", "payload"), [("garage/door/online", "true"), ("garage/door/status/wifi", '{"rssi":-60}')])
def test_prefix_is_learned(topic, payload):
    """What only a Shelly's prefix makes Shelly's is a plain topic until the prefix has been heard of, also after a restart."""
    catalogue = Catalogue()
    before = read(catalogue, topic, payload)
    read(catalogue, "garage/door/events/rpc", NOTICE)
    resumed = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(catalogue.learned)))
    after, again = read(catalogue, topic, payload), read(resumed, topic, payload)
    assert {one.convention for one in before} & {"plain_scalar", "plain_json"}
    assert {(one.convention, one.device) for one in after} == {("shelly_gen2", "garage/door")}
    assert again == after


def test_second_generation_below_shellies():
    """A prefix that begins as the first generation's topics do is still the second generation's."""
    catalogue = Catalogue()
    (reading,) = read(catalogue, "shellies/pump/events/rpc", NOTICE)
    assert (reading.convention, reading.device) == ("shelly_gen2", "shellies/pump")
    (reading,) = read(catalogue, "shellies/pump/online", "true")
    assert (reading.convention, reading.device) == ("shelly_gen2", "shellies/pump")
    (reading,) = read(catalogue, "shellies/other/online", "true")
    assert (reading.convention, reading.device) == ("shelly_gen1", "other")


@pytest.mark.parametrize(
    ("topic", "payload", "metric", "channel"),
    [
        ("emeter_n/current", "1.5", "current", "emeter_n"),
        ("relay/power", "10.5", "power", "relay"),
        ("ext_humidity/0", "55.1", "humidity", "ext.0"),
        ("adc/0", "3.3", "voltage", "adc.0"),
        ("color/0", "on", "state", "color.0"),
        ("sensor/tilt", "12", "tilt", ""),
        ("sensor/flood", "true", "flood", ""),
        ("temperature_status", "Normal", "temperature_status", ""),
        ("roller/0/stop_reason", "normal", "stop_reason", "roller.0"),
        ("totalworktime", "3600", "working_time", ""),
    ],
)
def test_gen1_series(topic, payload, metric, channel):
    """Topics of the first generation are named by what they measure, on the part that they are of."""
    (reading,) = read(Catalogue(), f"shellies/x/{topic}", payload)
    assert (reading.metric, reading.channel) == (metric, channel)


def test_gen1_probes_in_one_object():
    """Probes named in an object are the series that they are on topics of their own; what is not valid is none."""
    catalogue = Catalogue()
    body = '{"0":{"hwID":"28aa","tC":21.5,"tF":70.7},"1":{"hwID":"28bb","tC":null,"tF":null}}'
    (reading,) = read(catalogue, "shellies/x/ext_temperatures", body)
    (alone,) = read(catalogue, "shellies/x/ext_temperature/0", "21.5")
    assert (reading.metric, reading.channel, reading.unit) == (alone.metric, alone.channel, alone.unit)
    meters = '{"meters":[{"power":5.5,"is_valid":true,"total":600},{"power":0,"is_valid":false,"total":0}],"mac":"A1","ram_free":10}'
    assert [(one.key, one.value) for one in read(catalogue, "shellies/x/info", meters)] == [
        ("info.meters.0.power", 5.5),
        ("info.meters.0.total", 0.01),
    ]


@pytest.mark.parametrize(
    "payload", ["[1]", '"on"', "{}", '{"method":"NotifyStatus","params":[]}', '{"method":"NotifyEvent","params":{"events":1}}']
)
def test_gen2_strange_notifications(payload):
    """A notification without the shape of one is refused."""
    assert isinstance(read(Catalogue(), "x/events/rpc", payload), DeadLetter)


def test_gen2_statistics_are_not_readings():
    """An event that carries a meter's stored records is no push of a button."""
    event = '{"component":"emdata:0","id":0,"event":"data","ts":1788350280,"data":{"ts":1788350220,"period":60,"values":[[1,2]]}}'
    notice = '{"src":"s","method":"NotifyEvent","params":{"ts":1788350280,"events":[' + event + "]}}"
    assert isinstance(read(Catalogue(), "x/events/rpc", notice), Ignored)


def test_what_is_learned_is_bounded(monkeypatch):
    """A flood of prefixes, sources, names and parts does not grow what is learned beyond its limits."""
    monkeypatch.setattr("devices.conventions.shelly_gen2.MOST_PREFIXES", 40)
    monkeypatch.setattr("devices.conventions.shelly_gen1.MOST_DEVICES", 40)
    catalogue = Catalogue()
    for number in range(200):
        read(catalogue, f"p{number}/events/rpc", NOTICE.replace("a0b1c2d3e4f5", f"{number:012x}"))
        read(catalogue, f"shellies/d{number}/relay/0", "on")
        read(catalogue, "one/events/rpc", NOTICE.replace("switch:0", f"switch:{number}"))
        read(catalogue, f"shellies/one/relay/{number}", "on")
    parts = catalogue.learned["shelly_gen2"]["parts"]
    assert len(parts) <= 40
    assert len(catalogue.learned["shelly_gen2"]["sources"]) <= 40
    assert len(parts["one"]) <= 64
    assert len(catalogue.learned["shelly_gen1"]) <= 40
    assert all(len(known) <= 16 for known in catalogue.learned["shelly_gen1"].values())
