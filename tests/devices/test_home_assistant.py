"""Home Assistant's discovery: what it teaches, whose topics stay whose, and what is never run."""

import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.conventions import home_assistant_discovery as discovery
from devices.conventions import home_assistant_templates as templates
from devices.profile import Profile
from devices.reading import DeadLetter, Ignored, Message
from devices.samples import RECEIVED

CONFIG = "homeassistant/switch/pond/config"
POND = {
    "name": "Pump",
    "state_topic": "garden/pond/pump",
    "command_topic": "garden/pond/pump/set",
    "payload_on": "RUN",
    "payload_off": "REST",
}


def said(catalogue, topic, payload):
    body = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
    return catalogue.readings(Message(topic, body.encode(), RECEIVED))


def read(catalogue, topic, payload):
    (one,) = said(catalogue, topic, payload)
    return one


def test_entity_taken_away_is_forgotten():
    """After an empty configuration the topic is a plain one again, and nothing of it is kept."""
    catalogue = Catalogue()
    before = msgspec.msgpack.encode(catalogue.learned["home_assistant"])
    said(catalogue, CONFIG, POND)
    assert read(catalogue, "garden/pond/pump", "RUN").value is True
    said(catalogue, CONFIG, "")
    assert msgspec.msgpack.encode(catalogue.learned["home_assistant"]) == before
    assert (
        Catalogue(learned=catalogue.learned).conventions["home_assistant"].recognise("garden/pond/pump", ("garden", "pond", "pump")) is None
    )


def test_configuration_is_replaced_as_a_whole():
    """A configuration that is sent again with another topic leaves nothing of the first."""
    catalogue = Catalogue()
    said(catalogue, CONFIG, POND)
    said(catalogue, CONFIG, {**POND, "state_topic": "garden/pond/engine"})
    assert read(catalogue, "garden/pond/engine", "RUN").value is True
    assert read(catalogue, "garden/pond/pump", "RUN").value == "RUN"


def test_what_is_learned_survives_a_restart():
    """A catalogue made with what another learned reads and commands alike."""
    first = Catalogue()
    said(first, CONFIG, POND)
    read(first, "garden/pond/pump", "REST")
    second = Catalogue(learned=msgspec.msgpack.decode(msgspec.msgpack.encode(first.learned)))
    assert second.address("pond") == first.address("pond")
    assert read(second, "garden/pond/pump", "RUN") == read(first, "garden/pond/pump", "RUN")


def test_words_learned_late_settle_the_type_anew():
    """A state that came before its configuration was text by guess; once its words are known it is a truth, not a conflict."""
    catalogue = Catalogue()
    assert read(catalogue, "garden/pond/pump", "RUN").value == "RUN"
    said(catalogue, CONFIG, POND)
    one = read(catalogue, "garden/pond/pump", "REST")
    assert (one.device, one.metric, one.value) == ("pond", "pump", False)


def test_topics_of_a_dialect_stay_its_own():
    """A configuration of what Zigbee2MQTT, Tasmota or a payload's own form says better changes nothing there."""
    catalogue = Catalogue()
    for topic in ("zigbee2mqtt/lamp", "tele/plug/SENSOR", "yard/well"):
        said(catalogue, f"homeassistant/sensor/{topic.replace('/', '_')}/config", {"stat_t": topic, "val_tpl": "{{ value_json.battery }}"})
    assert read(catalogue, "zigbee2mqtt/lamp", {"battery": 80}).convention == "zigbee2mqtt"
    assert read(catalogue, "tele/plug/SENSOR", {"ENERGY": {"Power": 4}}).convention == "tasmota"
    assert read(catalogue, "yard/well", [{"n": "urn:dev:mac:1:level", "u": "m", "v": 4.5}]).convention == "senml"


def test_abbreviations_say_the_same():
    """Short keys with a base are the long keys spelt out."""
    short = {"~": "den/stove", "mode_cmd_t": "~/mode/set", "mode_stat_t": "~/mode", "temp_cmd_t": "~/t/set", "temp_stat_t": "~/t",
             "curr_temp_t": "~/now", "temp_unit": "F", "avty_t": "~/link", "pl_avail": "up", "pl_not_avail": "down"}  # fmt: skip
    long = {"mode_command_topic": "den/stove/mode/set", "mode_state_topic": "den/stove/mode", "temperature_command_topic": "den/stove/t/set",
            "temperature_state_topic": "den/stove/t", "current_temperature_topic": "den/stove/now", "temperature_unit": "F",
            "availability_topic": "den/stove/link", "payload_available": "up", "payload_not_available": "down"}  # fmt: skip
    assert discovery.entities("climate", "stove", short) == discovery.entities("climate", "stove", long)
    assert len(discovery.entities("climate", "stove", short).facets) == 3


@pytest.mark.parametrize(
    "template",
    [
        "{{ value | float / 60 }}",
        "{% if value == '1' %}ON{% endif %}",
        "{{ value_json.a + 1 }}",
        "{{ states('sensor.x') }}",
        "{{ value_json.__class__.__mro__() }}",
        "{{ value_json.a }}{{ value_json.b }}",
        "{{ value_json[value] }}",
        "{{ value_json.a | replace('a', 'b') }}",
        "{{ (value_json.a }}",
        "value_json.a",
        "{{ value_json." + "a" * 600 + " }}",
        "{{" + "(" * 400 + "value" + ")" * 80 + "}}",
    ],
)
def test_template_that_is_code_is_a_finding(template):
    """It is named in the reason, the topic is read as it is, and nothing is taken for a path that is none."""
    assert templates.path_of(template) is None
    catalogue = Catalogue()
    outcome = said(catalogue, "homeassistant/sensor/x/config", {"stat_t": "den/meter/ticks", "unit_of_meas": "kWh", "val_tpl": template})
    assert isinstance(outcome, Ignored)
    assert "never run" in outcome.reason
    assert (read(catalogue, "den/meter/ticks", "60").value, read(catalogue, "den/meter/ticks", "60").unit) == (60, None)


def announce(catalogue, number, root="yard", **more):
    """A lamp whose topic ends like that of all lamps."""
    body = {
        "schema": "json",
        "stat_t": f"{root}/l{number}/lamp",
        "cmd_t": f"{root}/l{number}/lamp/cmd",
        "dev": {"ids": [f"L{number}"]},
        **more,
    }
    said(catalogue, f"homeassistant/light/l{number}/config", body)


def test_devices_of_one_name_are_told_apart_for_good():
    """Who came first keeps the name, announced again or not, and the others theirs, also when the first is taken away."""
    catalogue = Catalogue()
    for number in (1, 2, 3, 2, 1, 3):
        announce(catalogue, number)
    lamps = ["lamp", "l2/lamp", "l3/lamp"]
    assert [read(catalogue, f"yard/l{number}/lamp", {"state": "ON"}).device for number in (1, 2, 3)] == lamps
    said(catalogue, "homeassistant/light/l1/config", "")
    announce(catalogue, 2)
    assert [read(catalogue, f"yard/l{number}/lamp", {"state": "ON"}).device for number in (2, 3)] == lamps[1:]


def test_name_is_as_long_as_it_takes():
    """Where more of the topic is another's too, still more of it makes the name."""
    catalogue = Catalogue()
    for root, number, mark in (("a", 1, "P"), ("b", 2, "Q"), ("c", 2, "R")):
        body = {"stat_t": f"{root}/l{number}/lamp", "val_tpl": "{{ value_json.state }}", "dev": {"ids": [mark]}}
        said(catalogue, f"homeassistant/sensor/{mark}/config", body)
    topics = ("a/l1/lamp", "b/l2/lamp", "c/l2/lamp")
    assert [read(catalogue, topic, {"state": "ON"}).device for topic in topics] == ["lamp", "l2/lamp", "c/l2/lamp"]


def test_what_tells_devices_apart_goes_with_them():
    """When all configurations are taken away, no name, claim or command topic of theirs is left."""
    catalogue = Catalogue()
    before = msgspec.msgpack.encode([catalogue.learned["home_assistant"], catalogue.learned["described"]])
    for number in (1, 2):
        announce(catalogue, number, avty_t=f"yard/l{number}/lamp/link", val_tpl="{{ value + 1 }}", dev={"ids": [number], "name": "Lamp"})
    for number in (1, 2):
        said(catalogue, f"homeassistant/light/l{number}/config", "")
    assert msgspec.msgpack.encode([catalogue.learned["home_assistant"], catalogue.learned["described"]]) == before


def test_profile_names_a_device_first():
    """A topic that a profile claims is of the device that the profile says, whoever else has that name."""
    catalogue = Catalogue([Profile(devices=["lamp"], topics=["yard/l2/#"])])
    announce(catalogue, 1)
    announce(catalogue, 2)
    assert read(catalogue, "yard/l2/lamp", {"state": "ON"}).device == "lamp"


def test_template_that_is_put_right_takes_its_label_away():
    """The label that a template was not followed goes with the configuration that had it."""
    catalogue = Catalogue()
    config = {"stat_t": "den/meter/ticks", "val_tpl": "{{ value | int / 2 }}"}
    said(catalogue, "homeassistant/sensor/x/config", config)
    assert read(catalogue, "den/meter/ticks", "60").labels == {"value_template": "not followed"}
    said(catalogue, "homeassistant/sensor/x/config", {**config, "val_tpl": "{{ value | int }}"})
    assert read(catalogue, "den/meter/ticks", "60").labels == {}


def test_words_of_devices_that_share_a_name_are_each_entitys_own():
    """Where the topics make one device of two, neither's name is the other's."""
    catalogue = Catalogue()
    for name in ("east", "west"):
        said(catalogue, f"homeassistant/sensor/{name}/config", {"stat_t": f"roof/{name}/state", "dev": {"ids": name, "name": name.title()}})
    assert {read(catalogue, f"roof/{name}/state", "1").labels["name"] for name in ("east", "west")} == {"East", "West"}
    assert catalogue.words("roof", "home_assistant") == {}


@pytest.mark.parametrize("body", ["[1]", "null", "7", '{"state_topic": 5, "availability": [3], "options": {}, "cmps": {"a": 1}}'])
def test_odd_configuration_teaches_nothing(body):
    """A configuration that is none of an entity is ignored or refused, and leaves no trace."""
    catalogue = Catalogue()
    assert isinstance(said(catalogue, "homeassistant/device/x/config", body), (Ignored, DeadLetter))
    assert catalogue.learned["home_assistant"]["topics"] == {}


def test_what_is_learned_is_bounded(monkeypatch):
    """A flood of configurations does not grow what is kept."""
    for limit in ("home_assistant.MOST_CONFIGS", "home_assistant.MOST_TOPICS", "home_assistant.MOST_DEVICES"):
        monkeypatch.setattr(f"devices.conventions.{limit}", 20)
    for limit in ("MOST_TOPICS", "MOST_DEVICES", "MOST_OF_DEVICE"):
        monkeypatch.setattr(f"devices.conventions.home_assistant_owners.{limit}", 20)
    monkeypatch.setattr("devices.convention.MOST_DESCRIBED", 20)
    catalogue = Catalogue()
    for number in range(100):
        config = {**POND, "state_topic": f"g/d{number}/s", "avty_t": f"g/d{number}/a"}
        said(catalogue, f"homeassistant/switch/s{number}/config", config)
        announce(catalogue, number, dev={"ids": number, "name": f"L{number}"}, name="x", cmd_t=f"yard/l{number}/do")
        said(catalogue, f"homeassistant/sensor/v{number}/config", {"stat_t": f"v/d{number}/s", "val_tpl": "{{ value + 1 }}"})
        said(catalogue, f"homeassistant/sensor/u{number}/unit_of_measurement", '"°C"')
    learned = dict(catalogue.learned["home_assistant"])
    learned |= learned.pop("owners") | {"described": catalogue.learned["described"]["home_assistant"]}
    assert all(len(table) <= 20 for table in learned.values()), {name: len(table) for name, table in learned.items()}
