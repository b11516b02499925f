"""Devices of every dialect, on real parts: pointing them at the broker is enough, and what one needs a birth for waits for it."""

import subprocess
from contextlib import contextmanager
from itertools import pairwise

import paho.mqtt.client as mqtt
import pytest

from gateway.starter import starter
from gateway.status import status
from gateway.store.reader import StoreReader
from simulator.dialects import DIALECTS
from simulator.scenario import load_scenario

NODE = """\
name: hall
physics: {kind: greenhouse}
devices:
  - {name: press, convention: sparkplug_b, every: 200ms, acts: fan, metrics: {temperature: {measures: temperature, noise: 0.5}}}
"""


UNSAID = frozenset({"azure_iot", "line_protocol", "packed", "plain_json", "plain_scalar"})
"""Conventions in which a temperature says no unit."""


def test_every_dialect_shows_up(sluice):
    """The shipped scenario: a thermometer in each dialect, all in one room, and a tracker; all are read, and none gives a dead letter."""
    file = starter() / "scenarios/dialects.yaml"
    document = sluice.json("up", "--demo", str(file), "--for", "12")
    assert document["ledger"]["balanced"]
    assert document["ledger"]["dead_letters"] == 0, sluice("dead-letters", "--json", "--data", str(sluice.data))
    seen = {one["device"]: one for one in sluice.json("devices")["devices"]}
    scenario = load_scenario(file)
    assert {group.convention for group in scenario.devices} == DIALECTS.keys()
    for group, name in scenario.members():
        called = group.speak(name, root=scenario.name).called
        if group.convention == "aws_shadow":  # on `$aws/…`, which `#` does not take in
            assert called not in seen
            continue
        assert seen[called]["convention"] == group.convention
        told = {one["metric"]: one for one in seen[called]["metrics"]}
        if group.convention == "owntracks":
            assert told["latitude"]["value"] == pytest.approx(50.11, abs=0.02)
            continue
        assert told["temperature"]["value"] == pytest.approx(21, abs=3)
        assert told["temperature"]["unit"] == (None if group.convention in UNSAID else "°C")


@contextmanager
def listening(broker, topic):
    """Give the list of what comes on a topic, as it comes."""
    heard = []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda *said: heard.append(said[2].topic)
    client.connect(broker.host, broker.port)
    client.subscribe(topic)
    client.loop_start()
    yield heard
    client.disconnect()
    client.loop_stop()


@contextmanager
def simulating(sluice, broker, scenario):
    words = [sluice.command, "simulate", str(scenario), "--broker-url", broker.url, "--config", str(sluice.config)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def test_birth_that_was_missed_is_asked_for_and_kept(sluice, mosquitto, until, tmp_path):
    """An edge node was born before Sluice came: its data waits, a rebirth is asked for, all is read; a killed flows process needs no other."""
    (sluice.config / "gateway.yaml").write_text(f'broker: {{url: "{mosquitto.url}"}}\n')
    (tmp_path / "hall.yaml").write_text(NODE)
    with listening(mosquitto, "spBv1.0/plant/+/press") as heard, simulating(sluice, mosquitto, tmp_path / "hall.yaml"):
        until(lambda: "spBv1.0/plant/NDATA/press" in heard)
        born = heard.count("spBv1.0/plant/NBIRTH/press")
        with sluice.up():
            until(lambda: stored(sluice) > 0)
            until(lambda: status(sluice.data)["commands"]["confirmed"] == 1)
            assert heard.count("spBv1.0/plant/NBIRTH/press") == born + 1
            before = stored(sluice)
            sluice.kill("flows")
            until(lambda: stored(sluice) > before + 5)
            assert heard.count("spBv1.0/plant/NBIRTH/press") == born + 1
    with StoreReader(sluice.data / "store.db") as reader:
        times = [one.reading.ts for one in reader.history("plant/press", "temperature")]
        numbers = [one.reading.sequence for one in reader.history("plant/press", "temperature")]
    assert len(set(times)) == len(times)
    assert [later for earlier, later in pairwise(numbers) if (later - earlier) % 256 != 1] == [0], "the birth alone begins anew"
    ledger = status(sluice.data)["ledger"]
    assert (ledger["balanced"], ledger["held"], ledger["dead_letters"]) == (True, 0, 0)


def stored(sluice):
    return status(sluice.data)["ledger"]["readings"].get("readings", 0)
