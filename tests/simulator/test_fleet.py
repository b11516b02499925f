"""The fleet over a real mosquitto: commands are answered, the broker may go away, the state survives."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simulator.broker import Broker
from simulator.load import LoadSpec
from simulator.load import run as run_load
from simulator.publisher import PublishError
from simulator.run import main
from simulator.simulation import Simulation

ROOT = Path(__file__).parents[2]
PATIENCE = 60


class Running:
    """A fleet in a thread of its own."""

    def __init__(self, scenario, broker, **options):
        self._stop = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self.counts = None
        self._thread = threading.Thread(target=self._run, args=(scenario, broker, options))
        self._thread.start()

    def _run(self, scenario, broker, options):
        self.counts = self._loop.run_until_complete(Simulation(scenario, broker, **options).fleet(self._stop)).counts
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def stop(self):
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
        return self.counts


@pytest.fixture
def run(mosquitto):
    fleets = []

    def run(scenario, broker=mosquitto.broker, **options):
        fleets.append(Running(scenario, broker, **options))
        return fleets[-1]

    yield run
    for fleet in fleets:
        fleet.stop()


def _states(messages):
    return [json.loads(payload)["state"] for topic, payload in messages if topic == "zigbee2mqtt/fan-1"]


def test_fleet_answers_command(run, greenhouse, subscribe):
    """A command on the fan's own topic is answered by its state report, and every device is heard of."""
    seen = subscribe("#")
    fleet = run(greenhouse)
    seen.until(lambda messages: "OFF" in _states(messages))
    seen.publish("zigbee2mqtt/fan-1/set", b'{"state":"ON"}')
    seen.until(lambda messages: "ON" in _states(messages))
    for name in (device.name for device in greenhouse.devices):
        seen.until(lambda messages, name=name: any(name in topic.split("/") for topic, _ in messages))
    counts = fleet.stop()
    assert (counts.commands, counts.answers) == (1, 1)
    assert len(seen.until(lambda messages: len(messages) > counts.published)) == counts.published + 1


def test_fleet_presence(run, greenhouse, subscribe):
    """Devices come online when they connect, and go offline when the fleet ends."""
    fleet = run(greenhouse)
    seen = subscribe("#")
    online = {("tele/t-4/LWT", b"Online"), ("zigbee2mqtt/bridge/state", b'{"state":"online"}')}
    seen.until(lambda messages: online <= set(messages))
    fleet.stop()
    offline = {
        ("tele/t-4/LWT", b"Offline"),
        ("zigbee2mqtt/bridge/state", b'{"state":"offline"}'),
        ("zigbee2mqtt/fan-1/availability", b'{"state":"offline"}'),
    }
    seen.until(lambda messages: offline <= set(messages))


def test_fleet_survives_broker(run, mosquitto, greenhouse, subscribe):
    """When the broker was away, devices come back by themselves, say how they stand, and obey again."""
    fleet = run(greenhouse)
    subscribe("#").until(lambda messages: "OFF" in _states(messages))
    mosquitto.stop()
    mosquitto.start()
    seen = subscribe("#")
    seen.until(lambda messages: ("tele/t-5/LWT", b"Online") in messages and "OFF" in _states(messages))
    seen.publish("zigbee2mqtt/fan-1/set", b'{"state":"ON"}')
    seen.until(lambda messages: "ON" in _states(messages))
    assert fleet.stop().answers == 1


def test_fleet_broker_comes_late(run, mosquitto, greenhouse, subscribe):
    """A fleet that starts before the broker waits for it."""
    mosquitto.stop()
    run(greenhouse)
    mosquitto.start()
    subscribe("#").until(lambda messages: "OFF" in _states(messages))


def test_fleet_state_survives(run, greenhouse, subscribe, tmp_path):
    """A fleet that starts again with the state file goes on: the fan still runs."""
    file = tmp_path / "kept" / "greenhouse.json"
    seen = subscribe("#")
    fleet = run(greenhouse, state=file)
    seen.until(lambda messages: "OFF" in _states(messages))
    seen.publish("zigbee2mqtt/fan-1/set", b'{"state":"ON"}')
    seen.until(lambda messages: "ON" in _states(messages))
    fleet.stop()
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept["physics"]["on"] == ["fan"]
    again = subscribe("zigbee2mqtt/fan-1")
    fleet = run(greenhouse, state=file)
    assert set(_states(again.until(_states))) == {"ON"}
    fleet.stop()
    assert json.loads(file.read_text(encoding="utf-8"))["elapsed"] > kept["elapsed"]


def test_fleet_ends_after_seconds(run, greenhouse):
    """A fleet with a time limit ends by itself."""
    fleet = run(greenhouse, seconds=0.3)
    fleet._thread.join(PATIENCE)
    assert fleet.counts is not None


def test_fleet_bad_state_begins_anew(run, greenhouse, subscribe, tmp_path):
    """A state file that cannot be read is no reason not to start."""
    file = tmp_path / "state.json"
    file.write_text('{"version": 1', encoding="utf-8")
    seen = subscribe("#")
    run(greenhouse, state=file)
    seen.until(lambda messages: "OFF" in _states(messages))


def test_fleet_with_account(run, mosquitto, greenhouse, subscribe, tmp_path):
    """With an account from a password file the fleet is let in; with a wrong password nothing gets through, and it still ends when told."""
    mosquitto.stop()
    secret = mosquitto.require_account(tmp_path, "simulator", "s3cret")
    mosquitto.start()
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    seen = subscribe("#", username="simulator", password="s3cret")
    run(greenhouse, Broker.at(url, username="simulator", password_file=secret))
    seen.until(lambda messages: "OFF" in _states(messages))
    bad = Broker.at(f"mqtt://simulator:wrong@127.0.0.1:{mosquitto.port}")
    assert asyncio.run(Simulation(greenhouse, bad, seconds=1).fleet(asyncio.Event())).counts.published == 0
    with pytest.raises(PublishError, match="does not take us"):
        run_load(LoadSpec(), bad, seconds=1)


def test_run_ends_on_sigterm(mosquitto, greenhouse_file, subscribe, tmp_path):
    """The command ends by SIGTERM with code 0, its state saved and its goodbye said; stdout stays empty."""
    seen = subscribe("#")
    state = tmp_path / "state.json"
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    command = [sys.executable, "-m", "simulator.run", "--scenario", str(greenhouse_file), "--broker-url", url, "--state", str(state)]
    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        seen.until(lambda messages: "OFF" in _states(messages))
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, b""), log
    assert json.loads(state.read_text(encoding="utf-8"))["scenario"] == "greenhouse"
    seen.until(lambda messages: ("zigbee2mqtt/bridge/state", b'{"state":"offline"}') in messages)


def test_run_findings(tmp_path, capsys):
    """A scenario with a mistake is told on stdout with its place, and the exit code is 2."""
    file = tmp_path / "house.yaml"
    file.write_text("name: house\ndevices: []\n", encoding="utf-8")
    assert main(["--scenario", str(file), "--broker-url", "mqtt://127.0.0.1"]) == 2
    assert "house.yaml:1:1: a scenario needs devices, or load" in capsys.readouterr().out


def test_run_bad_url(greenhouse_file, capsys):
    """A broker URL that is none ends with code 2 and says why, without its password."""
    assert main(["--scenario", str(greenhouse_file), "--broker-url", "http://me:secret@there"]) == 2
    err = capsys.readouterr().err
    assert "must be like mqtt://HOST" in err
    assert "secret" not in err
