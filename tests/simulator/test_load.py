"""A load on a real mosquitto: every message is acknowledged, arrives, and is in the truth, also when the broker goes away."""

import contextlib
import hashlib
import json
import re
import select
import signal
import subprocess
import time

import pytest

from simulator.broker import Broker
from simulator.load import LoadSpec, run
from simulator.load.__main__ import main
from simulator.load.connection import Connection
from simulator.load.outbox import Outbox
from simulator.load.packets import publish_head
from simulator.nanoseconds import SECOND
from simulator.publisher import PublishError

START = 1_750_000_000 * SECOND


@pytest.mark.parametrize(("connections", "devices"), [(1, 7), (3, 7), (2, 10)])
def test_load_all_acknowledged(mosquitto, subscribe, tmp_path, connections, devices):
    """Every message of a load arrives once, from all its devices in turn, and the truth has it."""
    seen = subscribe("load/#")
    truth = tmp_path / "truth.jsonl"
    spec = LoadSpec(devices=devices, rate=4000, in_flight=50, connections=connections)
    done = run(spec, mosquitto.broker, seconds=0.5, truth=truth)
    assert (done.sent, done.acknowledged, done.connections, done.reconnects) == (2000, 2000, connections, 0)
    assert 0 < done.p50_ms <= done.p99_ms <= done.max_ms
    messages = seen.until(lambda messages: len(messages) >= 2000)
    arrived = [{"device": topic.removeprefix("load/"), **json.loads(payload)} for topic, payload in messages]
    assert sorted(body["seq"] for body in arrived) == list(range(2000))
    assert all(body["device"] == f"d-{body['seq'] % devices + 1:04}" for body in arrived)
    for device in {body["device"] for body in arrived}:
        numbers = [body["seq"] for body in arrived if body["device"] == device]
        assert numbers == sorted(numbers)
    told = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    assert sorted(told, key=lambda body: body["seq"]) == sorted(arrived, key=lambda body: body["seq"])


def test_load_paced(mosquitto):
    """A load never runs ahead of its rate, and says by how much it fell behind."""
    done = run(LoadSpec(devices=10, rate=100), mosquitto.broker, seconds=0.3)
    assert done.sent == 30
    assert done.seconds >= 0.29
    assert 0 <= done.lagging < done.seconds


@pytest.mark.parametrize("qos", [0, 1])
def test_load_as_fast_as_possible(mosquitto, qos):
    """Without a rate it goes on for the time given, and still waits until the broker has read everything."""
    done = run(LoadSpec(devices=10, qos=qos), mosquitto.broker, seconds=0.2)
    assert done.sent > 0
    assert done.acknowledged == (done.sent if qos else None)
    assert done.seconds >= 0.2
    assert done.lagging == 0
    assert (done.p50_ms is None) is (qos == 0)


def test_load_qos_0(mosquitto, subscribe):
    """All of QoS 0 is read by a broker that stays, since a load takes leave only then."""
    seen = subscribe("load/#")
    done = run(LoadSpec(devices=10, qos=0, connections=2), mosquitto.broker, seconds=0.1)
    assert done.acknowledged is None
    numbers = [json.loads(payload)["seq"] for _, payload in seen.until(lambda messages: len(messages) >= done.sent)]
    assert sorted(numbers) == list(range(done.sent))


def test_load_midnight_of_100_000(mosquitto, subscribe):
    """A hundred thousand devices report once each, all together."""
    seen = subscribe("load/#")
    spec = LoadSpec(devices=100_000, shape={"kind": "midnight", "over": "500ms"})
    done = run(spec, mosquitto.broker, seconds=0.6)
    assert (done.sent, done.acknowledged) == (100_000, 100_000)
    topics = [topic for topic, _ in seen.until(lambda messages: len(messages) >= 100_000)]
    assert len(topics) == len(set(topics)) == 100_000


@pytest.mark.parametrize(
    "keys",
    [
        {"rate": 2000},
        {"rate": 4000, "shape": {"kind": "ramp", "over": "500ms"}},
        {"rate": 500, "shape": {"kind": "burst", "size": 300, "every": "200ms"}},
        {"devices": 3000, "shape": {"kind": "midnight", "every": "250ms", "over": "100ms"}},
    ],
)
def test_load_same_seed_same_bytes(mosquitto, subscribe, keys):
    """With a start of its own, a load's bytes follow from its spec and seed, stamps and all; another seed gives others."""
    spec = LoadSpec(**{"devices": 20} | keys)

    def published(seed):
        seen = subscribe("load/#")
        done = run(spec, mosquitto.broker, seconds=0.5, seed=seed, start=START)
        messages = seen.until(lambda messages: len(messages) >= done.sent)
        seen.close()
        stamps = [json.loads(payload)["ts"] for _, payload in messages]
        assert stamps == sorted(stamps)
        assert START // 10**6 == stamps[0] < stamps[-1] < START // 10**6 + 500
        return hashlib.sha256(b"".join(topic.encode() + payload for topic, payload in messages)).hexdigest()

    first = published(7)
    assert published(7) == first
    assert published(8) != first


def test_load_survives_broker(mosquitto, tmp_path):
    """What a broker that is killed has not acknowledged is sent again, as DUP and under its packet ids, and counted once."""
    log = tmp_path / "mosquitto.log"
    mosquitto.stop()
    mosquitto._config.write_text(f"{mosquitto._config.read_text()}log_dest file {log}\nlog_type all\n")
    mosquitto.start()
    looks, killed = [], []

    def watch(figures):
        if not looks:
            mosquitto._process.send_signal(signal.SIGSTOP)
        elif figures.sent == looks[-1].sent and not killed:  # its window is full: nothing moves any more
            killed.append(figures)
            mosquitto.stop()
            mosquitto.start()
        looks.append(figures)

    truth = tmp_path / "truth.jsonl"
    done = run(LoadSpec(devices=10, rate=2000, in_flight=500), mosquitto.broker, seconds=3, truth=truth, on_progress=watch)
    assert (done.sent, done.acknowledged, done.reconnects) == (6000, 6000, 1)
    assert done.lagging > 0
    assert sorted(json.loads(line)["seq"] for line in truth.read_text(encoding="utf-8").splitlines()) == list(range(6000))
    again = [int(number) for number in re.findall(r"Received PUBLISH from \S+ \(d1, q1, r0, m(\d+),", log.read_text(encoding="utf-8"))]
    assert 300 < len(again) <= 500
    assert again == list(range(killed[0].acknowledged + 1, killed[0].sent + 1))


def test_load_stopped_while_the_broker_is_away(mosquitto):
    """A load that is told to end does so also when nobody acknowledges any more, and says what was not."""
    told = []

    def watch(figures):
        told.append(figures)
        mosquitto.stop()

    done = run(LoadSpec(devices=10, rate=1000), mosquitto.broker, stopped=lambda: len(told) > 1, on_progress=watch)
    assert done.sent >= done.acknowledged > 0
    assert done.reconnects == 0


def test_load_no_broker(mosquitto):
    """Without a broker at the start a load says so."""
    mosquitto.stop()
    with pytest.raises(PublishError, match="cannot connect"):
        run(LoadSpec(), mosquitto.broker, seconds=1)


def test_load_websockets():
    """A load goes over no websocket, and says so before it connects."""
    with pytest.raises(PublishError, match="got a websocket URL"):
        run(LoadSpec(), Broker.at("ws://127.0.0.1:1"), seconds=1)


@pytest.mark.parametrize("qos", [0, 1])
def test_load_over_tls(mosquitto, tmp_path, qos):
    """Over TLS it is the same load, and a certificate that is not trusted is none."""
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    words += ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(words, check=True, capture_output=True, cwd=tmp_path)
    mosquitto.stop()
    mosquitto._config.write_text(f"{mosquitto._config.read_text()}certfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem\n")
    mosquitto.start()
    url = f"mqtts://127.0.0.1:{mosquitto.port}"
    done = run(LoadSpec(devices=10, qos=qos, connections=2), Broker.at(url, ca_file=tmp_path / "cert.pem"), seconds=0.2)
    assert done.sent > 2000
    assert done.acknowledged == (done.sent if qos else None)
    with pytest.raises(PublishError, match="certificate verify failed"):
        run(LoadSpec(), Broker.at(url), seconds=1)


def test_connection_silence(mosquitto):
    """After a silence the broker is asked for a sign of life; one that gives none for too long is taken for gone."""
    connection = Connection(mosquitto.broker, Outbox(size=10, qos=1, in_flight=1))
    connection.open()
    began = time.monotonic_ns()
    with contextlib.closing(connection):
        connection.tend(now=began + 10 * SECOND)
        connection.tend(now=began + 16 * SECOND)
        assert not connection.settled
        while not connection.settled:
            list(connection.read(now=began + 17 * SECOND))
        connection.tend(now=began + 60 * SECOND)
        with pytest.raises(TimeoutError, match="nothing heard for 45 s"):
            connection.tend(now=began + 63 * SECOND)


def test_connection_that_only_writes(mosquitto):
    """A broker that takes more after the network was full is alive, even if it never says a word."""
    box = Outbox(size=1000, qos=0, in_flight=1000)
    connection = Connection(mosquitto.broker, box)
    connection.open()
    with contextlib.closing(connection):
        mosquitto._process.send_signal(signal.SIGSTOP)
        while box.unwritten() is None:
            box.put((publish_head("load/x", qos=0, payload=989) + bytes(989)) * 1000, 1000, now=0)
            list(connection.write())
        blocked = time.monotonic_ns()
        with pytest.raises(TimeoutError):
            connection.tend(now=blocked + 45 * SECOND)
        mosquitto._process.send_signal(signal.SIGCONT)
        while box.unwritten() is not None:
            select.select([], [connection], [])
            list(connection.write())
        connection.tend(now=blocked + 45 * SECOND)


def test_load_command(mosquitto, capsys, tmp_path):
    """The command prints what it did as one JSON document."""
    truth = tmp_path / "truth.jsonl"
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    assert main(["--broker-url", url, "--rate", "500", "--for", "0.1", "--truth", str(truth)]) == 0
    assert json.loads(capsys.readouterr().out)["acknowledged"] == len(truth.read_text(encoding="utf-8").splitlines()) == 50


def test_load_command_mistakes(mosquitto, capsys):
    """What is wrong with the options, or the broker, is said, with code 2."""
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    assert main(["--broker-url", url, "--devices", "0"]) == 2
    assert "devices" in capsys.readouterr().err
    assert main(["--broker-url", "ws://127.0.0.1"]) == 2
    assert "websocket" in capsys.readouterr().err
