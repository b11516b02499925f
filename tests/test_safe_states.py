"""Safe states with real processes and a real broker: whatever ends the gateway, the actuator is told, and told again when it is back."""

from __future__ import annotations

import json

import paho.mqtt.client as mqtt
import pytest

from gateway.status import status
from gateway.store.reader import StoreReader

FLOW = """\
name: warmth
select: {metrics: [temperature]}
group: [device]
window: {kind: none}
trigger: {when: value < 18.0, clear: value > 20.0}
do:
  - command: {device: heater, set: {state: "ON"}, confirm: {within: 5s, retries: 1}, expires: 60s}
    on_clear: {set: {state: "OFF"}}
"""
PROFILE = """\
devices: [heater]
convention: plain_json
base: plant/heater
safe: {state: "OFF"}
"""


class Heater:
    """Does what it is told, reports that, and remembers it."""

    def __init__(self, broker):
        self.told = []
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self._client.on_message = self._obey
        self._client.connect(broker.host, broker.port)
        self._client.subscribe("plant/heater/set", qos=1)
        self._client.loop_start()

    def _obey(self, client, _, message):
        self.told.append(json.loads(message.payload)["state"])
        client.publish("plant/heater", message.payload, qos=1)

    def measure(self, value):
        self._client.publish("plant/probe", json.dumps({"temperature": value}), qos=1)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def heater(mosquitto):
    heater = Heater(mosquitto)
    yield heater
    heater.close()


@pytest.fixture
def plant(sluice, mosquitto):
    """Give the command on a config with a heater that has a safe state."""
    (sluice.config / "flows" / "warmth.yaml").write_text(FLOW)
    (sluice.config / "devices" / "heater.yaml").write_text(PROFILE)
    (sluice.config / "gateway.yaml").write_text(f'broker: {{url: "{mosquitto.url}"}}\n')
    return sluice


def commands(sluice):
    with StoreReader(sluice.data / "store.db") as reader:
        return {one.id: one for one in reader.commands()}


def confirmed(sluice):
    return sum(one.state == "confirmed" for one in commands(sluice).values())


def test_broker_tells_the_actuator_when_the_gateway_is_killed(plant, heater, until):
    """kill -9: the heater is switched off by the broker, and on again by the new gateway, as the flow last wanted it."""
    with plant.up():
        heater.measure(15.0)
        until(lambda: heater.told == ["ON"] and confirmed(plant) == 1)
        plant.kill("gateway")
        until(lambda: heater.told == ["ON", "OFF"])
        until(lambda: heater.told == ["ON", "OFF", "ON"] and confirmed(plant) == 2)
        (again,) = [one for one in commands(plant).values() if "/restored/" in one.id]
        with StoreReader(plant.data / "store.db") as reader:
            details = [one.detail for one in reader.facts(again.id)]
        assert again.id.endswith("/restored/1")
        assert again.flow == "warmth"
        assert details[0] == "told again: the gateway was away, and the device in its safe state (state OFF)"
        heater.measure(21.0)
        until(lambda: heater.told == ["ON", "OFF", "ON", "OFF"] and confirmed(plant) == 3)
        sums = status(plant.data)["commands"]
    assert sums["requested"] == sums["confirmed"] == 3


def test_stopping_gateway_leaves_the_actuator_safe(plant, heater, until):
    """In an orderly stop the gateway says it itself; the next one goes on with what was wanted, each time under a new id."""
    with plant.up():
        heater.measure(15.0)
        until(lambda: heater.told == ["ON"] and confirmed(plant) == 1)
    until(lambda: heater.told == ["ON", "OFF"])
    for number in (1, 2):
        with plant.up():
            until(lambda number=number: confirmed(plant) == 1 + number)
        until(lambda number=number: heater.told == ["ON", "OFF"] * (1 + number))
    assert sorted(one.id.partition("/")[2] for one in commands(plant).values()) == ["", "restored/1", "restored/2"]


def test_what_is_wanted_safe_is_not_told_again(plant, heater, until):
    """Where the flow last wanted what the safe state is, nothing is sent when the gateway is back."""
    with plant.up():
        heater.measure(15.0)
        until(lambda: confirmed(plant) == 1)
        heater.measure(21.0)
        until(lambda: heater.told == ["ON", "OFF"] and confirmed(plant) == 2)
        plant.kill("gateway")
        until(lambda: heater.told == ["ON", "OFF", "OFF"])
        heater.measure(15.0)
        until(lambda: confirmed(plant) == 3)
        assert heater.told == ["ON", "OFF", "OFF", "ON"]
