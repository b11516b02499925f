"""Files of the config folder are changed while everything runs: what is sound takes effect, what is not changes nothing, and both are said."""

from __future__ import annotations

import json
import subprocess
from time import monotonic, time

import pytest

from gateway.status import config_document, status
from gateway.store.reader import StoreReader

DAY = 86_400
WITHIN = 2.0
"""Seconds from a save to its effect, as promised."""

COUNTING = """\
name: counting
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1d}
aggregate: {n: count(temperature), warm: mean(temperature)}
trigger: {when: warm > 1000.0}
"""
LIMIT = """\
name: limit
select: {metrics: [temperature]}
group: [device]
window: {kind: none}
trigger: {when: value > 30.0, clear: value < 20.0}
"""
EXTRA = LIMIT.replace("name: limit", "name: extra")
BROKEN = COUNTING.replace("mean(temperature)", "mean(temprature")
VALVE = "devices: [valve]\nconvention: plain_json\nbase: plant/valve\n"


class Plant:
    """A Sluice on a real broker whose config is edited."""

    def __init__(self, sluice, broker, until):
        self.sluice, self._broker, self._until = sluice, broker, until
        self._said = 0
        self.yesterday = int(time()) // DAY * DAY - DAY

    def write(self, name, text):
        """Save a file of the config folder, or delete it; give when."""
        path = self.sluice.config / name
        path.unlink() if text is None else path.write_text(text)
        return monotonic()

    def say(self, *readings):
        """Publish temperatures of one device at their times (epoch seconds), and wait until the flows have taken them."""
        lines = "".join(json.dumps({"temperature": value, "ts": at * 1000}) + "\n" for at, value in readings)
        words = ["mosquitto_pub", "-h", self._broker.host, "-p", str(self._broker.port), "-q", "1", "-t", "plant/t1", "-l"]
        subprocess.run(words, input=lines, text=True, check=True, timeout=30)
        self._said += len(readings)
        self._until(lambda: self.sluice.status_or_none().get("ledger", {}).get("normalised") == self._said)

    def edit(self, name, text):
        """Save a file, wait until it is in effect, and give what that changed; it must not take longer than promised."""
        version = config_document(self.sluice.data)["version"]
        saved = self.write(name, text)
        config = self._until(lambda: (now := config_document(self.sluice.data))["version"] > version and now)
        assert monotonic() - saved < WITHIN
        return {what: names for what, names in config["changes"].items() if names}

    def refused(self, name, text):
        """Save a file that is not sound, and wait until that is found."""
        saved = self.write(name, text)
        config = self._until(lambda: not (now := config_document(self.sluice.data))["ok"] and now)
        assert monotonic() - saved < WITHIN
        return config

    def windows(self):
        """What was counted in each window, in the order in which they closed."""
        with StoreReader(self.sluice.data / "store.db") as reader:
            return [one.values["n"] for one in sorted(reader.windows(), key=lambda one: (one.at, one.end))]

    def alerts(self):
        """State and episode of each alert, in order."""
        with StoreReader(self.sluice.data / "store.db") as reader:
            return [(one.flow, one.state, one.episode) for one in sorted(reader.alerts(), key=lambda one: one.at)]


@pytest.fixture
def plant(sluice, mosquitto, until):
    """Give a plant with two flows."""
    plant = Plant(sluice, mosquitto, until)
    plant.write("flows/counting.yaml", COUNTING)
    plant.write("flows/limit.yaml", LIMIT)
    plant.write("gateway.yaml", f'broker: {{url: "{mosquitto.url}"}}\n')
    return plant


def test_threshold_is_edited_and_the_state_is_kept(plant):
    """An open window keeps its readings, and an open episode stays the same one."""
    with plant.sluice.up():
        plant.say((plant.yesterday + 10, 25), (plant.yesterday + 20, 35))
        assert plant.edit("flows/limit.yaml", LIMIT.replace("30.0", "40.0")) == {"kept": ["limit"], "unchanged": ["counting"]}
        assert plant.edit("flows/counting.yaml", COUNTING.replace("1000.0", "2000.0")) == {"kept": ["counting"], "unchanged": ["limit"]}
        plant.say((plant.yesterday + 30, 38), (int(time()), 19))
    assert plant.windows() == [3]
    (raised, cleared) = plant.alerts()
    assert (raised[:2], cleared[:2]) == (("limit", "raised"), ("limit", "cleared"))
    assert raised[2] == cleared[2]


def test_window_is_edited_and_the_flow_starts_afresh(plant):
    """What shapes the state is another: the flow has none, says so and why, and the flow beside it keeps its own."""
    with plant.sluice.up():
        plant.say((plant.yesterday + 10, 25), (plant.yesterday + 20, 35))
        changed = plant.edit("flows/counting.yaml", COUNTING.replace("1d", "12h").replace("mean(", "max("))
        assert changed == {"restarted": {"counting": ["window", "aggregate"]}, "unchanged": ["limit"]}
        plant.say((plant.yesterday + 30, 25), (int(time()), 19))
    assert plant.windows() == [1]
    assert [state for flow, state, _ in plant.alerts() if flow == "limit"] == ["raised", "cleared"]
    said = (plant.sluice.data / "stderr.txt").read_text()
    assert "config in effect" in said
    assert "counting (window, aggregate)" in said


def test_broken_file_changes_nothing_until_it_is_mended(plant, until):
    """The last good flows run on, also through a crash; the finding is in the status, in the log once, and gone when it is mended."""
    with plant.sluice.up() as process:
        plant.say((plant.yesterday + 10, 25))
        before = config_document(plant.sluice.data)
        after = plant.refused("flows/counting.yaml", BROKEN)
        assert (after["version"], [one["file"] for one in after["findings"]]) == (before["version"], ["flows/counting.yaml"])
        assert status(plant.sluice.data)["config"]["ok"] is False
        assert any("flows/counting.yaml:5:" in one for one in plant.sluice.json("doctor", code=1)["complaints"])
        killed = plant.sluice.kill("flows")
        until(lambda: plant.sluice.status_or_none().get("memory", {}) and _pid(plant.sluice, "flows") != killed)
        plant.say((plant.yesterday + 20, 25))
        again = config_document(plant.sluice.data)
        assert (again["ok"], again["version"]) == (False, before["version"])
        plant.write("flows/counting.yaml", COUNTING)
        until(lambda: config_document(plant.sluice.data)["ok"])
        plant.say((int(time()), 19))
        assert process.poll() is None
    assert plant.windows() == [2]
    said = (plant.sluice.data / "stderr.txt").read_text()
    assert said.count("flows/counting.yaml:5:") == 2  # by the process that found it, and by the one that was started on it
    assert "config is sound again" in said


def _pid(sluice, name):
    from gateway.status import read_up

    return (read_up(sluice.data) or {}).get("processes", {}).get(name)


def test_flows_and_profiles_come_and_go(plant, until):
    """A flow works from its save to its removal; a profile is there for commands too; what only a start can take is said to wait."""
    with plant.sluice.up():
        assert plant.edit("flows/extra.yaml", EXTRA) == {"added": ["extra"], "unchanged": ["counting", "limit"]}
        plant.say((int(time()), 35))
        assert plant.edit("flows/extra.yaml", None) == {"removed": ["extra"], "unchanged": ["counting", "limit"]}
        assert plant.edit("flows/extra.yaml", EXTRA)["added"] == ["extra"]
        assert _send(plant)["state"] == "refused"
        assert plant.edit("devices/valve.yaml", VALVE)["profiles"] is True
        assert _send(plant)["state"] == "failed"
        plant.write("gateway.yaml", (plant.sluice.config / "gateway.yaml").read_text() + "site: elsewhere\n")
        until(lambda: config_document(plant.sluice.data)["pending"] == ["gateway.yaml"])
        assert plant.sluice.json("doctor", code=1)["complaints"] == ["config: gateway.yaml takes effect at the next start"]
    assert {flow for flow, state, _ in plant.alerts() if state == "raised"} == {"extra", "limit"}
    with plant.sluice.up():
        assert until(lambda: plant.sluice.status_or_none().get("config"))["pending"] == []


def _send(plant):
    return plant.sluice.json("send", "valve", "state=ON", "--within", "100ms", "--retries", "0", code=1)
