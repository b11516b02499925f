"""The same seed gives the same bytes: in every process, and over a real broker."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("sluice"))
DIGEST = """
import hashlib, sys
from pathlib import Path
from simulator.nanoseconds import SECOND
from simulator.scenario import load_scenario
from simulator.scenario.scaled import scaled
from simulator.world import World
for name in sys.argv[2:]:
    world = World(scaled(load_scenario(Path(name)), seed=int(sys.argv[1])), epoch=1_750_000_000 * SECOND)
    digest = hashlib.sha256()
    for device, message in world.advance(130 * SECOND):
        digest.update(repr((device.name, message)).encode())
    print(digest.hexdigest(), world.truth())
"""
FILES = sorted(str(file) for file in (ROOT / "config" / "scenarios").glob("*.yaml") if file.stem != "load")


def _digests(seed, hashing):
    words = [sys.executable, "-c", DIGEST, str(seed), *FILES]
    environment = os.environ | {"PYTHONHASHSEED": str(hashing), "PYTHONPATH": str(ROOT)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()


def test_same_seed_same_bytes_in_every_process():
    """Two minutes of every shipped scenario have one hash, whatever the process; and all of them another with another seed."""
    first, again, other = _digests(7, 1), _digests(7, 2), _digests(8, 1)
    assert len(first) == len(FILES)
    assert first == again
    assert not set(first) & set(other)


@pytest.fixture
def published(mosquitto, subscribe, tmp_path):
    """Give a function that runs a scenario for three seconds and gives the hash of what was published, topic by topic."""
    scenario = tmp_path / "lab.yaml"
    group = {"every": "50ms", "jitter": "20ms", "metrics": {"temperature": {"base": 20, "noise": 1, "walk": {"step": 1, "limit": 9}}}}
    devices = [{"name": f"in-{convention}", "convention": convention} | group for convention in ("plain_json", "tasmota", "sparkplug_b")]
    faults = [
        {"kind": "spike", "at": "random", "every": "1s", "for": "200ms", "size": 9},
        {"kind": "offline-then-flush", "devices": "in-plain_json", "at": "1s", "for": "1s"},
        {"kind": "malformed", "at": "500ms", "for": "1s", "share": 0.5},
    ]
    scenario.write_text(json.dumps({"name": "lab", "devices": devices, "faults": faults}))

    seen = subscribe("#")

    def published(seed):
        before = len(seen.messages)
        words = [COMMAND, "simulate", str(scenario), "--broker", f"mqtt://127.0.0.1:{mosquitto.port}", "--seed", str(seed), "--for", "3"]
        words += ["--start", "2026-01-01T00:00:00Z", "--json", "--config", str(tmp_path / "none")]
        out = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
        ended = json.loads(out.splitlines()[-1])
        assert (ended["state"], ended["dropped"]) == ("ended", 0)
        seen.publish("over", b"")
        everything = seen.until(lambda messages: len(messages) > before and messages[-1] == ("over", b""))
        messages = sorted(everything[before:-1], key=lambda message: message[0])
        return hashlib.sha256(repr(messages).encode()).hexdigest(), ended["published"]

    return published


def test_same_seed_same_bytes_over_a_broker(published):
    """Run twice, what a subscriber gets of each topic is the same, byte for byte; with another seed it is not."""
    first = published(5)
    assert first[1] > 150
    assert published(5) == first
    assert published(6)[0] != first[0]
