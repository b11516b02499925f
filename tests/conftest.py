"""Real parts for tests: free ports, and a real mosquitto that is really ended."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from gateway.broker.embedded import answers, find_mosquitto

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
