"""Two hosts, each a network namespace with a `sluice up` of its own, share what one broker has to say."""

import json
import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path

import paho.mqtt.client as paho
import pytest

from gateway.broker.embedded import answers
from gateway.store.reader import StoreReader

GATEWAY = """\
site: plant
broker:
  url: "mqtt://{network}.254:1883"
  keepalive: 5s
  subscribe: [{{topic: "plant/#"}}, {{topic: "first/#", hosts: first}}]
flows: {{cluster: ["{network}.1:7600", "{network}.2:7600"], snapshot: 2s}}
"""
FLOW = """\
name: counting
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1s}
aggregate: {n: count(temperature)}
"""


def ip(*words):
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False)


class Network:
    """A bridge with the broker, and two namespaces that it leads to; each can be cut off."""

    def __init__(self):
        self.name, self.address = f"sl{os.getpid() % 100_000}", f"10.{77 + os.getpid() % 100}.{os.getpid() % 250}"

    def build(self):
        """Tell whether it could be made."""
        made = [
            ip("link", "add", self.name, "type", "bridge"),
            ip("addr", "add", f"{self.address}.254/24", "dev", self.name),
            ip("link", "set", self.name, "up"),
        ]
        for number in range(2):
            inside = ("netns", "exec", self.space(number), "ip")
            made += [
                ip("netns", "add", self.space(number)),
                ip("link", "add", self.link(number), "type", "veth", "peer", "name", "eth0", "netns", self.space(number)),
                ip("link", "set", self.link(number), "master", self.name, "up"),
                ip(*inside, "addr", "add", f"{self.address}.{number + 1}/24", "dev", "eth0"),
                ip(*inside, "link", "set", "eth0", "up"),
                ip(*inside, "link", "set", "lo", "up"),
            ]
        return all(one.returncode == 0 for one in made)

    def space(self, number):
        return f"{self.name}-{number}"

    def link(self, number):
        return f"{self.name}v{number}"

    def cut(self, number):
        assert ip("link", "set", self.link(number), "down").returncode == 0

    def join(self, number):
        assert ip("link", "set", self.link(number), "up").returncode == 0

    def remove(self):
        for number in range(2):
            ip("netns", "del", self.space(number))
        ip("link", "del", self.name)


@pytest.fixture
def network():
    if os.getuid() != 0 or not shutil.which("ip"):
        pytest.skip("hosts are made by root with iproute2 (apt install iproute2)")
    network = Network()
    try:
        if not network.build():
            pytest.skip("this machine lets nobody make network namespaces")
        yield network
    finally:
        network.remove()


@pytest.fixture
def mosquitto(network, mosquitto_with, until):
    with mosquitto_with(f"listener 1883 {network.address}.254") as mosquitto:
        until(lambda: answers(f"{network.address}.254", 1883))
        yield mosquitto


@pytest.fixture
def broker(network, mosquitto):
    assert mosquitto.process
    return f"{network.address}.254"


class Devices:
    """Publish temperatures of ten devices at QoS 1."""

    def __init__(self, broker):
        self.said = 0
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, "devices", protocol=paho.MQTTv5)
        self._client.connect(broker)
        self._client.loop_start()

    def connected(self):
        return self._client.is_connected()

    def say(self, count, root="plant"):
        for _ in range(count):
            told = self._client.publish(f"{root}/t{self.said % 10}", json.dumps({"temperature": 20.0 + self.said % 7}), qos=1)
            self.said += 1
        told.wait_for_publish(10)

    def close(self):
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def devices(broker):
    devices = Devices(broker)
    yield devices
    devices.close()


@pytest.fixture
def hosts(network, tmp_path, sluice):
    found = []
    for number in range(2):
        folder = tmp_path / f"host-{number}"
        (folder / "config" / "flows").mkdir(parents=True)
        (folder / "config" / "gateway.yaml").write_text(GATEWAY.format(network=network.address))
        (folder / "config" / "flows" / "counting.yaml").write_text(FLOW)
        command = folder / "sluice"
        command.write_text(f'#!/bin/sh\nexec ip netns exec {network.space(number)} {sluice.command} "$@"\n')
        command.chmod(0o755)
        host = type(sluice)(folder / "config", folder / "data", sluice._until)
        host.command = str(command)
        found.append(host)
    return found


def counted(host):
    """How many readings the windows of a host hold, by what was said last of each."""
    with StoreReader(host.data / "store.db") as reader:
        newest = {}
        for window in reader.windows("counting", newest=100_000):
            key = (window.group, window.start)
            newest[key] = max(newest.get(key, (0, 0)), (window.revision, window.count))
    return sum(count for _, count in newest.values())


def states(hosts, *keys):
    """What the hosts' statuses have under these keys."""
    found = [host.status_or_none() for host in hosts]
    for key in keys:
        found = [state.get(key, {}) for state in found]
    return found


def test_shares_go_on_when_the_broker_is_started_again_and_when_hosts_go(hosts, mosquitto, devices, until):
    """A broker may forget who shares; and what it deals out to a host that is no longer there is taken in by the first one that stays."""

    def received():
        return sum(one or 0 for one in states(hosts, "ledger", "received"))

    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host.up(ready=False))
        until(lambda: states(hosts, "link") == ["connected"] * 2 and states(hosts, "cluster", "waits") == ["", ""])
        devices.say(100)
        until(lambda: received() == 100)
        mosquitto.stop()
        until(lambda: "connected" not in states(hosts, "link"))
        mosquitto.start()
        until(lambda: states(hosts, "link") == ["connected"] * 2 and devices.connected())
        devices.say(100)
        until(lambda: received() == 200)
        assert min(states(hosts, "ledger", "received")) > 60
    devices.say(100)  # half of it waits for the second host, which does not come back
    config = hosts[0].config / "gateway.yaml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if not line.startswith("flows:")))
    was = hosts[1].json("status", code=1)["ledger"]["received"]
    with hosts[0].up():
        devices.say(100)
        until(lambda: states(hosts, "ledger", "received")[0] == devices.said - was)
        until(lambda: not states(hosts, "ledger", "pending")[0])
    assert hosts[0].json("status", code=1)["ledger"]["balanced"]


def test_a_host_that_is_cut_off_loses_nothing(hosts, network, devices, until):
    """Each has its share of the messages; while one cannot be reached nothing is decided, and then all is."""

    def of_each(*keys):
        return states(hosts, *keys)

    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host.up(ready=False))
        until(lambda: of_each("link") == ["connected"] * 2 and of_each("cluster", "waits") == ["", ""])
        devices.say(500)
        until(lambda: sum(one or 0 for one in of_each("ledger", "received")) == devices.said and counted(hosts[0]) == devices.said)
        assert min(of_each("ledger", "received")) > 100
        assert of_each("windows", "emitted")[1] == 0

        network.cut(1)
        devices.say(500)
        until(lambda: all(of_each("cluster", "waits")))
        assert of_each("cluster", "waits")[0] == f"{network.address}.2:7600 to be there"
        devices.say(500)
        until(lambda: hosts[0].status_or_none()["ledger"]["pending"] > 0)
        assert any("the flows wait for" in said for said in hosts[0].json("doctor", code=1)["complaints"])

        network.join(1)
        until(lambda: of_each("cluster", "waits") == ["", ""])
        devices.say(100, root="first")
        until(lambda: sum(one or 0 for one in of_each("ledger", "received")) == devices.said, 60)
        until(lambda: counted(hosts[0]) == devices.said and not any(of_each("ledger", "pending")), 60)
    for host in hosts:
        assert host.json("status", code=1)["ledger"]["balanced"]
    with StoreReader(hosts[1].data / "store.db") as reader:
        assert not [one for one in reader.counters() if one.device.startswith("first")]
    assert not list(Path(hosts[0].data).glob("set-aside/*"))
