"""How a fleet starts: the world stands still until it is connected, and a process that may not have so many connections says so."""

import asyncio
import shlex
import subprocess
import sys
import time

import pytest
from structlog.testing import capture_logs

from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.simulation import Simulation

MANY = """\
name: hall
devices:
  - {name: t, count: 150, convention: plain_json, metrics: {temperature: {base: 20.0, noise: 0.1}}}
"""


@pytest.fixture
def limited(tmp_path, mosquitto):
    """Give a function that runs 150 connections for two seconds under another limit of open files."""
    (tmp_path / "hall.yaml").write_text(MANY)

    def run(limit):
        url = f"mqtt://127.0.0.1:{mosquitto.port}"
        words = [sys.executable, "-m", "simulator.run", "--scenario", str(tmp_path / "hall.yaml"), "--broker-url", url, "--for", "2"]
        command = f"ulimit {limit}; exec {shlex.join(words)}"
        return subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60, check=False)

    return run


def test_fleet_raises_its_soft_limit(limited):
    """A soft limit of open files that is too low is raised, and nothing is lost."""
    done = limited("-Sn 100")
    assert done.returncode == 0, done.stderr
    assert '"dropped": 0' in done.stderr


def test_fleet_says_that_the_limit_is_too_low(limited):
    """A hard limit that is too low is said in one sentence, with what to do."""
    done = limited("-n 100")
    assert done.returncode == 2
    assert "150 connections need 214 open files, and this process may have 100: raise the limit (ulimit -n 214" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_command_before_the_start_moves_no_time(mosquitto):
    """A command that a device hears while others still connect is no reason for time to pass."""
    devices = [
        {"name": "fan-1", "convention": "zigbee2mqtt", "acts": "fan"},
        {"name": "t", "count": 150, "convention": "plain_json", "metrics": {"temperature": {"base": 20.0}}},
    ]
    scenario = Scenario.model_validate({"name": "hall", "physics": {"kind": "greenhouse"}, "devices": devices})
    waiting = ["mosquitto_pub", "-p", str(mosquitto.port), "-r", "-q", "1", "-t", "zigbee2mqtt/fan-1/set", "-m", '{"state":"ON"}']
    subprocess.run(waiting, check=True)

    async def one_second():
        stop = asyncio.Event()
        return await Simulation(scenario, mosquitto.broker).fleet(stop, observe=lambda fleet: fleet.heard and stop.set())

    fleet = asyncio.run(one_second())
    assert fleet.counts.answers == 1
    assert fleet.world.elapsed < 60 * SECOND


def test_clock_is_right_after_waiting_for_the_broker(mosquitto):
    """Devices whose broker came late show the time that it is, and nobody takes the waiting for a step of the wall clock."""
    mosquitto.stop()
    mosquitto.start_after(2.5)
    scenario = Scenario.model_validate(
        {"name": "hall", "devices": [{"name": "t", "convention": "plain_json", "metrics": {"temperature": {"base": 20.0}}}]}
    )
    with capture_logs() as logs:
        fleet = asyncio.run(Simulation(scenario, mosquitto.broker, seconds=5).fleet(asyncio.Event()))
    assert abs(fleet.world.epoch - time.time_ns()) < 2 * SECOND
    assert not [line for line in logs if "stepped" in line["event"]]
