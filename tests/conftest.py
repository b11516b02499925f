"""Real parts for tests: free ports, and a real mosquitto that is really ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from gateway.broker.embedded import answers, find_mosquitto
from gateway.status import read_up

DEADLINE = 30.0


@pytest.fixture
def until():
    """Wait for something to become true; the deadline only ends a test that fails."""

    def wait(condition, deadline=DEADLINE):
        give_up = monotonic() + deadline
        while not (result := condition()):
            assert monotonic() < give_up, f"still not so after {deadline} s"
            signal.sigtimedwait([], 0.01)
        return result

    return wait


@pytest.fixture
def free_port():
    """Give a function that finds a free port on loopback."""

    def find():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


class Mosquitto:
    """A mosquitto on a port of its own, which can be killed and started again on what it kept."""

    def __init__(self, directory: Path, port: int, extra: str, until):
        self.host, self.port, self.url = "127.0.0.1", port, f"mqtt://127.0.0.1:{port}"
        self._until = until
        self._conf = directory / "mosquitto.conf"
        self._conf.write_text(
            f"listener {port} 127.0.0.1\nuser root\nallow_anonymous true\npersistence true\npersistence_location {directory}/\n"
            f"max_queued_messages 0\nmax_inflight_messages 1000\n{extra}\n"
        )
        self.process = None

    def start(self):
        self.process = subprocess.Popen([find_mosquitto(), "-c", str(self._conf)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._until(lambda: answers(self.host, self.port))

    def stop(self, number=signal.SIGTERM):
        if self.process:
            self.process.send_signal(number)
            self.process.wait(10)
            self.process = None


@pytest.fixture
def mosquitto_with(tmp_path_factory, free_port, until):
    """Start mosquitto with further lines of configuration, as a context."""
    if not find_mosquitto() or not shutil.which("mosquitto_pub"):
        pytest.skip("mosquitto and mosquitto-clients are not installed (apt install mosquitto mosquitto-clients)")

    @contextmanager
    def started(extra=""):
        broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"), free_port(), extra, until)
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()

    return started


@pytest.fixture
def mosquitto(mosquitto_with):
    """Give a running mosquitto that anyone may use."""
    with mosquitto_with() as broker:
        yield broker


class Sluice:
    """The command as a user has it, on a config and a data folder."""

    def __init__(self, config: Path, data: Path, until):
        self.config, self.data = config, data
        self._until = until
        self.command = str(Path(sys.executable).with_name("sluice"))

    def __call__(self, *words, code=0, timeout=90):
        """Run a command to its end and give its standard output."""
        done = subprocess.run([self.command, *words], capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *words, code=0):
        """Run a command on the folders, and give the JSON it prints."""
        return json.loads(self(*words, "--config", str(self.config), "--data", str(self.data), "--json", code=code))

    @contextmanager
    def up(self, *words, ready=True):
        """Hold a running `sluice up`; at the end it is asked to end, must do so with exit 0, and leaves no process."""
        self.data.mkdir(parents=True, exist_ok=True)
        with (self.data / "stderr.txt").open("ab") as err:
            process = subprocess.Popen(
                [self.command, "up", "--config", str(self.config), "--data", str(self.data), *words], stdout=subprocess.DEVNULL, stderr=err
            )
        pids = []
        try:
            if ready:
                self._until(lambda: process.poll() is not None or self.status_or_none().get("link") == "connected")
            yield process
            pids = list((read_up(self.data) or {}).get("processes", {}).values())
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0, (self.data / "stderr.txt").read_text()[-3000:]
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]

    def status_or_none(self):
        """Give the status of what runs; empty where nothing does yet."""
        from gateway.status import status

        return status(self.data) if read_up(self.data) else {}

    def kill(self, name, number=signal.SIGKILL):
        """Kill one of the processes; give its pid."""
        pid = read_up(self.data)["processes"][name]
        os.kill(pid, number)
        return pid


@pytest.fixture
def sluice(tmp_path, until):
    """Give the command with a config of its own, to be filled by the test."""
    config = tmp_path / "config"
    (config / "flows").mkdir(parents=True)
    (config / "devices").mkdir()
    return Sluice(config, tmp_path / "data", until)
