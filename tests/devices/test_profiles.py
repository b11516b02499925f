"""Profiles: what is known beyond what a device says."""

import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from devices.catalogue import Catalogue
from devices.profile import Profile
from devices.reading import Address, CommandError, Expected, Message
from devices.samples import RECEIVED


def readings(catalogue, topic, payload):
    return catalogue.readings(Message(topic, payload, RECEIVED))


def test_profile_puts_labels_units_and_names():
    """Labels are on every reading, a stated unit is converted, a key gets the metric it is; a later profile wins."""
    first = Profile(devices=["boiler-*"], labels={"room": "cellar", "floor": "-1"}, units={"t1": "°F"}, rename={"t1": "flow_temperature"})
    second = Profile(devices=["boiler-2"], labels={"room": "annex"})
    (one,) = readings(Catalogue([first, second]), "home/boiler-2", b'{"t1": 140}')
    assert (one.metric, one.value, one.unit, one.raw_value, one.raw_unit) == ("flow_temperature", 60.0, "°C", 140, "°F")
    assert one.labels == {"room": "annex", "floor": "-1"}
    assert pickle.loads(pickle.dumps(one)) == one


def test_profile_claims_topics_that_would_share_a_name():
    """Two lamps of one name on two floors are told apart by the profiles that claim their topics."""
    profiles = [Profile(devices=[f"lamp-{floor}"], topics=[f"floor{floor}/+/lamp/#"]) for floor in (1, 2)]
    catalogue = Catalogue(profiles)
    devices = [readings(catalogue, f"floor{floor}/hall/lamp/power", b"5")[0].device for floor in (1, 2)]
    devices += [readings(catalogue, f"floor{floor}/hall/lamp", b'{"power": 5}')[0].device for floor in (1, 2)]
    assert devices == ["lamp-1", "lamp-2", "lamp-1", "lamp-2"]


def test_profile_gives_an_address():
    """A device that never spoke can be told something where its profile says how."""
    catalogue = Catalogue([Profile(devices=["fan"], convention="tasmota", base="cmnd/fan")])
    assert catalogue.address("fan") == Address("tasmota", "cmnd/fan")
    assert catalogue.address("other") is None


def test_command_template_is_filled_once():
    """A template's blanks are filled with what they name, and a value that looks like a blank stays as it is."""
    template = {"topic": "plant/{device}/write/{setting}", "payload": '{"v": "{value}"}'}
    catalogue = Catalogue([Profile(devices=["v-1"], command=template)])
    (one,) = catalogue.encode(catalogue.address("v-1"), "v-1", {"state": "{device}"})
    assert (one.topic, one.payload) == ("plant/v-1/write/state", b'{"v": "{device}"}')
    (one,) = catalogue.encode(catalogue.address("v-1"), "v-1", {"state": True})
    assert (one.payload, one.expects) == (b'{"v": "ON"}', (Expected("state", "", True),))


def test_renamed_metric_is_set_by_its_new_name():
    """A command names the metric as the flows see it; the device gets its own key."""
    catalogue = Catalogue([Profile(devices=["tank"], rename={"sp": "setpoint_level"})])
    readings(catalogue, "plant/tank", b'{"sp": 3}')
    (one,) = catalogue.encode(catalogue.address("tank"), "tank", {"setpoint_level": 4})
    assert (one.payload, one.expects) == (b'{"sp":4}', (Expected("setpoint_level", "", 4),))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"devices": []}, "at least 1"),
        ({"devices": ["a"], "colour": "red"}, "Extra inputs"),
        ({"devices": ["a"], "timezone": "Mars/Base"}, "IANA"),
        ({"devices": ["a"], "units": {"t": "furlong"}}, "unit must be one that the vocabulary knows"),
        ({"devices": ["a"], "rename": {"t": "Not A Metric"}}, "lower snake-case"),
        ({"devices": ["a"], "base": "x"}, "both or neither"),
        ({"devices": ["a"], "convention": "plain_json", "base": "x/#"}, "without wildcards"),
        ({"devices": ["a*"], "topics": ["x/#"]}, "exactly one name"),
        ({"devices": ["a"], "topics": ["x/#/y"]}, "must stand alone in the last level"),
        ({"devices": ["a"], "command": {"topic": "a/+"}}, "without wildcards"),
    ],
)
def test_profile_says_what_is_wrong(wrong, words):
    """Every mistake in a profile is refused with the rule it breaks."""
    with pytest.raises(ValidationError, match=words):
        Profile.model_validate(wrong)


def test_shipped_profiles_are_valid():
    """The profiles in config/devices are examples that load."""
    files = sorted((Path(__file__).parents[2] / "config" / "devices").glob("*.yaml"))
    assert files
    for file in files:
        Profile.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))


def test_commands_that_cannot_be_are_refused():
    """A command without settings, to nobody's convention, or with a value that is none, says what is wrong."""
    catalogue = Catalogue()
    for address, settings, words in [
        (Address("plain_json", "x"), {}, "must have a setting"),
        (Address("morse", "x"), {"state": "ON"}, "convention must be one of"),
        (Address("plain_json", "x"), {"level": float("nan")}, "finite"),
        (Address("plain_scalar", "x"), {"level": 10**5000}, "64 bits"),
        (Address("plain_json", "x"), {"a/#": 1}, "a setting must be"),
        (Address("plain_json", "x"), {"a": 1, "b/a": 2}, "inside another setting"),
    ]:
        with pytest.raises(CommandError, match=words):
            catalogue.encode(address, "d", settings)


def test_own_dialect_outweighs_plain_topics():
    """A device's address is its dialect's, even when a rule of its user also publishes plain values under its name."""
    catalogue = Catalogue()
    readings(catalogue, "tele/fan/LWT", b"Online")
    readings(catalogue, "home/fan", b'{"note": 1}')
    readings(catalogue, "home/fan/rpm", b"900")
    assert catalogue.address("fan") == Address("tasmota", "cmnd/fan")


def test_name_is_what_a_device_is_called_downstream():
    """A device with a name is read, addressed and commanded by it, and told what to do by its own."""
    catalogue = Catalogue([Profile(devices=["0x00158d0001a2b3c4"], name="Fan, attic", labels={"room": "attic"})])
    (reading,) = catalogue.readings(Message("zigbee2mqtt/0x00158d0001a2b3c4", b'{"state":"OFF"}', RECEIVED))
    assert (reading.device, reading.labels["room"]) == ("Fan, attic", "attic")
    assert catalogue.address("0x00158d0001a2b3c4") is None
    (command,) = catalogue.encode(catalogue.address("Fan, attic"), "Fan, attic", {"state": "ON"})
    assert command.topic == "zigbee2mqtt/0x00158d0001a2b3c4/set"
    (report,) = catalogue.readings(Message("zigbee2mqtt/0x00158d0001a2b3c4", b'{"state":"ON"}', RECEIVED))
    assert [(one.metric, one.value) for one in command.expects] == [(report.metric, report.value)]


def test_profile_of_a_convention_is_for_its_devices_only():
    """With `conventions` a profile holds for the devices of those dialects, whatever their names."""
    catalogue = Catalogue([Profile(conventions=["tasmota"], labels={"kind": "plug"})])
    (power,) = catalogue.readings(Message("stat/a/POWER", b"ON", RECEIVED))
    (plain,) = catalogue.readings(Message("home/a/temperature", b"21", RECEIVED))
    assert (power.labels, plain.labels) == ({"kind": "plug"}, {})


@pytest.mark.parametrize(
    ("calibration", "shown", "true"),
    [
        ({"offset": -0.5}, b'{"temperature": 21.5}', 21.0),
        ({"scale": 1.1}, b'{"temperature": 20}', 22.0),
        ({"points": [[0, 1], [10, 9]]}, b'{"temperature": 5}', 5.0),
        ({"points": [[0, 1], [10, 9]]}, b'{"temperature": 20}', 17.0),
        ({"offset": 1}, b'{"temperature": "21.5 \xc2\xb0C"}', 22.5),
    ],
)
def test_calibration_puts_a_value_right(calibration, shown, true):
    """A calibrated value is put right, and what the device showed is kept beside it."""
    (reading,) = Catalogue([Profile(calibrate={"temperature": calibration})]).readings(Message("home/shed", shown, RECEIVED))
    assert reading.value == true
    assert reading.raw_value != reading.value or reading.value == 5.0


def test_calibration_follows_the_conversion():
    """A calibration is in the vocabulary's unit, whatever the device shows."""
    profile = Profile(units={"temperature": "°F"}, calibrate={"temperature": {"offset": 1}})
    (reading,) = Catalogue([profile]).readings(Message("home/shed", b'{"temperature": 212}', RECEIVED))
    assert (reading.value, reading.unit, reading.raw_value, reading.raw_unit) == (101.0, "°C", 212, "°F")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"state": "TURBO"}, "must be one of ON, OFF"),
        ({"brightness": 255}, "must be from 0 to 254"),
        ({"brightness": True}, "from 0 to 254"),
    ],
)
def test_value_that_a_profile_does_not_allow_is_refused(settings, words):
    """A setting is commanded to nothing but what `allow` has."""
    catalogue = Catalogue([Profile(devices=["lamp"], allow={"state": ["ON", "OFF"], "brightness": {"min": 0, "max": 254}})])
    address = Address("zigbee2mqtt", "zigbee2mqtt/lamp")
    with pytest.raises(CommandError, match=words):
        catalogue.encode(address, "lamp", settings)
    assert catalogue.encode(address, "lamp", {"state": "on", "brightness": 254})


@pytest.mark.parametrize("setting", ["speed", "fan_speed"])
def test_allowed_values_hold_by_either_name(setting):
    """What a profile allows of a key holds whether it is commanded by the key or by the metric that the key is renamed to."""
    for allowed in ("speed", "fan_speed"):
        catalogue = Catalogue([Profile(devices=["fan"], allow={allowed: {"min": 5, "max": 75}}, rename={"speed": "fan_speed"})])
        with pytest.raises(CommandError, match="must be from 5 to 75"):
            catalogue.encode(Address("plain_json", "lab/fan"), "fan", {setting: 90})
        assert catalogue.encode(Address("plain_json", "lab/fan"), "fan", {setting: 50})[0].payload == b'{"speed":50}'
