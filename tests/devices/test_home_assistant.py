"""Home Assistant's discovery: what it teaches, whose topics stay whose, and what is never run."""

import msgspec
import pytest

from devices.catalogue import Catalogue
from devices.conventions import home_assistant_discovery as discovery
from devices.conventions import home_assistant_templates as templates
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


@pytest.mark.parametrize("body", ["[1]", "null", "7", '{"state_topic": 5, "availability": [3], "options": {}, "cmps": {"a": 1}}'])
def test_odd_configuration_teaches_nothing(body):
    """A configuration that is none of an entity is ignored or refused, and leaves no trace."""
    catalogue = Catalogue()
    assert isinstance(said(catalogue, "homeassistant/device/x/config", body), (Ignored, DeadLetter))
    assert catalogue.learned["home_assistant"]["topics"] == {}


def test_what_is_learned_is_bounded(monkeypatch):
    """A flood of configurations does not grow what is kept."""
    for limit in ("MOST_CONFIGS", "MOST_TOPICS", "MOST_DEVICES"):
        monkeypatch.setattr(f"devices.conventions.home_assistant.{limit}", 20)
    catalogue = Catalogue()
    for number in range(100):
        config = {**POND, "state_topic": f"g/d{number}/s", "avty_t": f"g/d{number}/a"}
        said(catalogue, f"homeassistant/switch/s{number}/config", config)
        said(catalogue, f"homeassistant/sensor/u{number}/unit_of_measurement", '"°C"')
    learned = catalogue.learned["home_assistant"]
    assert all(len(table) <= 20 for table in learned.values()), {name: len(table) for name, table in learned.items()}
