"""The load: every message is acknowledged, arrives, and is in the truth, also when the broker goes away."""

import json

import pytest

from simulator import load as load_module
from simulator.load import load, payload
from simulator.publisher import Publisher, PublishError


def test_load_all_acknowledged(mosquitto, subscribe, tmp_path):
    """Every message of a load arrives once, from all its devices in turn, and the truth has it."""
    seen = subscribe("load/#")
    truth = tmp_path / "truth.jsonl"
    done = load(mosquitto.broker, devices=7, rate=4000, seconds=0.5, truth=truth, in_flight=50)
    assert (done.sent, done.acknowledged) == (2000, 2000)
    messages = seen.until(lambda messages: len(messages) >= 2000)
    arrived = [{"device": topic.removeprefix("load/"), **json.loads(payload)} for topic, payload in messages]
    assert [body["seq"] for body in arrived] == list(range(2000))
    assert {body["device"] for body in arrived} == {f"d-000{number}" for number in range(1, 8)}
    assert [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()] == arrived


def test_load_paced(mosquitto):
    """A load never runs ahead of its rate."""
    done = load(mosquitto.broker, rate=100, seconds=0.3)
    assert done.sent == 30
    assert done.seconds >= 0.29


def test_load_as_fast_as_possible(mosquitto):
    """Without a rate it goes on for the time given, and still waits for every acknowledgement."""
    done = load(mosquitto.broker, rate=None, seconds=0.2)
    assert 0 < done.sent == done.acknowledged
    assert done.seconds >= 0.2


def test_load_qos_0(mosquitto, subscribe):
    """QoS 0 is sent too, and counts as done when it is on its way."""
    seen = subscribe("load/#")
    done = load(mosquitto.broker, rate=1000, seconds=0.2, qos=0)
    assert (done.sent, done.acknowledged) == (200, 200)
    seen.until(lambda messages: len(messages) == 200)


def test_load_command(mosquitto, capsys):
    """The command prints what it did as one JSON document."""
    assert load_module.main(["--broker-url", f"mqtt://127.0.0.1:{mosquitto.port}", "--rate", "500", "--for", "0.1"]) == 0
    assert json.loads(capsys.readouterr().out)["acknowledged"] == 50


def test_payload_unlike():
    """No two messages of a device within its memory are alike, even in one millisecond."""
    assert len({payload(seq, 0) for seq in range(5000)}) == 5000


def test_publisher_survives_broker(mosquitto):
    """When the broker goes away in mid-stream, the publisher comes back and every message is acknowledged exactly once to its caller."""
    told = []
    with Publisher(mosquitto.broker, in_flight=100, acknowledged=told.append) as publisher:
        for number in range(3000):
            if number == 1000:
                mosquitto.stop()
                mosquitto.start_after(0.3)
            publisher.publish("load/x", str(number).encode())
        publisher.drain()
    assert sorted(told) == list(range(3000))
    assert (publisher.sent, publisher.acknowledged, publisher.waiting) == (3000, 3000, 0)


def test_publisher_no_broker(mosquitto):
    """Without a broker at the start a load says so."""
    mosquitto.stop()
    with pytest.raises(PublishError, match="cannot connect"):
        load(mosquitto.broker, seconds=1)
