"""Dead letters from end to end: published, dead, explained, replayed after a fix, with a kill -9 in between; nothing doubles."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from time import time

import pytest

from gateway.journal.reader import newest_row
from gateway.journal.row import Entry, Replay
from gateway.letters.mailbox import MAILBOX, Mailbox
from gateway.status import read_up, status
from gateway.store.reader import StoreReader

LENGTH = 4
FLOW = f"""\
name: count
select: {{metrics: [temperature]}}
group: [device]
window: {{kind: tumbling, length: {LENGTH}s}}
aggregate: {{n: count(temperature)}}
"""
PROFILE = {"template": {"topic": "plant/{device}/raw", "struct": "<Ih", "time": 0, "values": {"temperature": {"at": 1, "scale": 0.01}}}}


@pytest.fixture
def running():
    """Start a process that does not outlive the test."""
    with ExitStack() as stack:

        def start(words):
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture
def plant(sluice, mosquitto):
    """Give the command on a real broker, with a flow and without the profile that reads the plant's payloads."""
    (sluice.config / "flows" / "count.yaml").write_text(FLOW)
    (sluice.config / "gateway.yaml").write_text(f'broker: {{url: "{mosquitto.url}"}}\nflows: {{snapshot: 2s}}\n')
    sluice.broker = mosquitto
    return sluice


def publish(broker, topic, payload):
    words = ["mosquitto_pub", "-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-s"]
    subprocess.run(words, input=payload, check=True, timeout=30)


def raw(at, temperature):
    """A binary payload that only the template can read: epoch seconds and hundredths of a degree."""
    return at.to_bytes(4, "little") + round(temperature * 100).to_bytes(2, "little", signed=True)


def listed(sluice, *words):
    out = sluice("dead-letters", "list", *words, "--data", str(sluice.data), "--json")
    return [json.loads(line) for line in out.splitlines()][::-1]


def windows(sluice):
    """The newest revision of each window of the tank: its count by its end."""
    with StoreReader(sluice.data / "store.db") as reader:
        return {one.end: one.values["n"] for one in sorted(reader.windows(), key=lambda one: one.revision)}


def die(sluice, until, *times):
    """Publish a reading of the tank at each of these times, and something that nothing can read; give the letters' ids."""
    with sluice.up():
        for number, at in enumerate(times):
            publish(sluice.broker, "plant/tank-1/raw", raw(at, 20 + number))
        publish(sluice.broker, "home/kitchen", b"{broken")
        until(lambda: status(sluice.data)["ledger"]["dead_letters"] == len(times) + 1)
    return [one["id"] for one in listed(sluice)]


def check(sluice, ids, times):
    """Each reading is in the history once at its own time, and counted once in its window; all is accounted for."""
    readings = sluice.json("history", "tank-1", "temperature")["readings"]
    assert [(one["ts"], one["value"], one["time_source"]) for one in readings] == [
        (at * 10**9, 20 + number, "device") for number, at in enumerate(times)
    ]
    end = (times[0] // LENGTH + 1) * LENGTH * 10**9
    assert windows(sluice) == {end: len(times)}
    assert [one["id"] for one in listed(sluice, "--state", "replayed")] == ids[:-1]
    assert sluice.json("doctor")["complaints"] == []


def test_replay_after_a_fix_flows_as_if_it_had_arrived_then(plant, until):
    """Dead without a profile, and again when replayed too early; with it, readings at their event times; replayed once more, nothing doubles."""
    begin = int(time()) // LENGTH * LENGTH - 60
    times = [begin, begin + 1, begin + 2]
    ids = die(plant, until, *times)
    assert "dead_letter" in plant.json("dead-letters", "show", str(ids[0]))["now"]
    with plant.up():
        early = plant.json("dead-letters", "replay", str(ids[0]), code=1)
        assert [(one["id"], one["state"]) for one in early["letters"]] == [(ids[0], "dead")]
        assert plant.json("dead-letters", "show", str(ids[0]))["restart_first"] is False
        (plant.config / "flows" / "count.yaml").write_text("name: count\n")
        (plant.config / "devices" / "tank.yaml").write_text(json.dumps(PROFILE))
        assert plant.json("dead-letters", "show", str(ids[0]))["restart_first"] is True
        folders = ["--config", str(plant.config), "--data", str(plant.data)]
        said = subprocess.run([plant.command, "dead-letters", "replay", str(ids[0]), *folders], capture_output=True, text=True, check=False)
        assert said.returncode == 1
        assert "the running `sluice up` still has the config from before: `sluice status` says why" in said.stderr
    (plant.config / "flows" / "count.yaml").write_text(FLOW)
    assert [one["value"] for one in plant.json("dead-letters", "show", str(ids[0]))["now"]["readings"]] == [20.0]
    assert plant.json("dead-letters", "replay", str(ids[1]))["waiting"] == 1
    with plant.up():
        until(lambda: [one["id"] for one in listed(plant, "--state", "replayed")] == [ids[1]])
        done = plant.json("dead-letters", "replay", "--all", code=1)
        assert {one["id"]: one["state"] for one in done["letters"]} == {ids[0]: "replayed", ids[2]: "replayed", ids[3]: "dead"}
        assert plant.json("dead-letters", "replay", *map(str, ids[:3]))["before"] == 3
        mailbox = Mailbox(plant.data / MAILBOX)  # and as if the command had not looked
        mailbox.put(Replay(one, Entry("plant/tank-1/raw", raw(at, 20)), 1) for one, at in zip(ids, times, strict=False))
        mailbox.close()
        plant.json("dead-letters", "replay", str(ids[3]), code=1)
        until(lambda: status(plant.data)["ledger"]["duplicates"] == 3)
        until(lambda: sum(windows(plant).values()) == 3)
        assert plant.json("doctor")["complaints"] == []
    check(plant, ids, times)
    ledger = plant.json("status", code=1)["ledger"]
    assert {term: ledger[term] for term in ("received", "normalised", "ignored", "dead_letters", "duplicates", "pending")} == {
        "received": 14,
        "normalised": 3,
        "ignored": 0,
        "dead_letters": 8,
        "duplicates": 3,
        "pending": 0,
    }


@pytest.mark.parametrize("victim", ["gateway", "flows"])
def test_kill_9_under_a_replay_loses_and_doubles_nothing(plant, until, running, victim):
    """The gateway dies between the request and the journal, or the flows before they have read it: the command gets its answer all the same."""
    begin = int(time()) // LENGTH * LENGTH - 60
    times = [begin, begin + 1]
    ids = die(plant, until, *times)
    (plant.config / "devices" / "tank.yaml").write_text(json.dumps(PROFILE))
    with plant.up():
        stopped = read_up(plant.data)["processes"][victim]
        os.kill(stopped, signal.SIGSTOP)
        folders = ["--config", str(plant.config), "--data", str(plant.data)]
        asking = running([plant.command, "dead-letters", "replay", "--all", "--reason", "plant/", *folders])
        until(lambda: len(waiting(plant)) == 2 if victim == "gateway" else newest_row(plant.data / "journal" / "0").total == 5)
        assert listed(plant, "--state", "replayed") == []
        os.kill(stopped, signal.SIGKILL)
        said, _ = asking.communicate(timeout=60)
        assert asking.returncode == 0, said
        assert [line.split("  ") for line in said.splitlines()] == [[str(one), "replayed: 1 reading"] for one in ids[:2]]
        until(lambda: sum(windows(plant).values()) == 2)
    assert waiting(plant) == []
    check(plant, ids, times)


def waiting(plant):
    """What is in the mailbox."""
    mailbox = Mailbox(plant.data / MAILBOX)
    try:
        return mailbox.next()
    finally:
        mailbox.close()
