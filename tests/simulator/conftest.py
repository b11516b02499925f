"""A real mosquitto on a free port, and a subscriber that counts."""

import getpass
import os
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from simulator.broker import Broker
from simulator.scenario import load_scenario

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


class Mosquitto:
    """A broker that can go away and come back on the same port."""

    def __init__(self, program, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._config = folder / "mosquitto.conf"
        # `user`: started by root it would else become a user that cannot read this folder.
        lines = [f"user {getpass.getuser()}", f"listener {self.port} 127.0.0.1", "allow_anonymous true", "max_queued_messages 0"]
        self._config.write_text("".join(f"{line}\n" for line in lines))
        self._program = program
        self._process = None
        self._timer = None

    @property
    def broker(self):
        return Broker.at(f"mqtt://127.0.0.1:{self.port}")

    def require_account(self, folder, username, password):
        """Let nobody in without this account, and give the file with its password."""
        accounts, secret = folder / "accounts", folder / "password"
        secret.write_text(f"{password}\n")
        subprocess.run(["mosquitto_passwd", "-b", "-c", str(accounts), username, password], check=True, capture_output=True)
        self._config.write_text(f"{self._config.read_text().replace('anonymous true', 'anonymous false')}password_file {accounts}\n")
        return secret

    def start(self):
        self._process = subprocess.Popen([self._program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < until, "mosquitto does not start"
                time.sleep(0.02)
            else:
                return

    def start_after(self, seconds):
        self._timer = threading.Timer(seconds, self.start)
        self._timer.start()

    def stop(self):
        if self._timer is not None:
            self._timer.join()
            self._timer = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Subscriber:
    """Keeps every message of a topic filter."""

    def __init__(self, port, topic, username=None, password=None):
        self.messages = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(username, password)
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._keep
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE)

    def _keep(self, _client, _data, message):
        with self._changed:
            self.messages.append((message.topic, message.payload))
            self._changed.notify_all()

    def until(self, wanted):
        """Wait until `wanted(messages)` is true, and give the messages."""
        with self._changed:
            assert self._changed.wait_for(lambda: wanted(self.messages), PATIENCE), self.messages[-5:]
            return list(self.messages)

    def publish(self, topic, payload):
        self._client.publish(topic, payload, 1).wait_for_publish(PATIENCE)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def mosquitto(tmp_path):
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    broker = Mosquitto(program, tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def subscribe(mosquitto):
    subscribers = []

    def subscribe(topic, **account):
        subscribers.append(Subscriber(mosquitto.port, topic, **account))
        return subscribers[-1]

    yield subscribe
    for subscriber in subscribers:
        subscriber.close()


@pytest.fixture
def greenhouse_file():
    return ROOT / "config" / "scenarios" / "greenhouse.yaml"


@pytest.fixture
def greenhouse(greenhouse_file):
    return load_scenario(greenhouse_file)


@pytest.fixture
def cold_room_file():
    return ROOT / "config" / "scenarios" / "recordings" / "cold-room.csv"
