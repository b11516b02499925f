"""`sluice decode` on lines of messages, and on real messages where they are at hand."""

import importlib.util
import json
from pathlib import Path

import pytest

from devices.catalogue import Catalogue
from devices.samples import RECEIVED
from gateway.decode import decode_jsonl, decode_line

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"


def lines(*rows):
    return list(decode_jsonl([row if isinstance(row, str) else json.dumps(row) for row in rows], Catalogue(), now=RECEIVED))


def test_a_line_gives_its_readings():
    """Every field of the contract is there, times are epoch ns, and earlier lines teach later ones."""
    first, second = lines(
        {"topic": "tele/p/STATE", "payload": '{"Time":"2026-09-02T13:50:00","Epoch":1788349800,"POWER":"ON"}'},
        {"topic": "tele/p/SENSOR", "payload": '{"Time":"2026-09-02T13:51:00","DS18B20":{"Temperature":68},"TempUnit":"F"}'},
    )
    assert first["readings"][0]["value"] is True
    assert second == {
        "readings": [
            {
                "device": "p", "metric": "temperature", "channel": "DS18B20", "key": "DS18B20.Temperature", "value": 20.0, "unit": "°C",
                "raw_value": 68, "raw_unit": "°F", "ts": 1788349860 * 10**9,
                "time_source": "learned-offset",
            }
        ]
    }  # fmt: skip


def test_received_and_base64_are_taken():
    """A row may state its receive time and carry bytes."""
    (one,) = lines({"topic": "home/x/temp", "payload_b64": "MjE=", "received": "2024-05-01T12:00:00Z"})
    assert (one["readings"][0]["value"], one["readings"][0]["ts"]) == (21, 1714564800 * 10**9)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "line 1: must be a JSON object"),
        ("[]", "must be a JSON object"),
        ("{}", "must have a topic"),
        ('{"topic": "a/b"}', "must have a payload"),
        ('{"topic": "a/b", "payload": 5}', "must have a payload that is a text"),
        ('{"topic": "a/b", "payload_b64": "?"}', "must be base64"),
        ('{"topic": "a/b", "payload": "1", "received": "noon"}', "received must be"),
        ('{"topic": "a/b", "payload": "{"}', "topic 'a/b': payload is not JSON"),
    ],
)
def test_a_bad_line_is_a_dead_letter(row, words):
    """What is wrong with a line is said in its place, and the next line goes on."""
    bad, good = lines(row, {"topic": "home/x/temp", "payload": "1"})
    assert words in bad["dead_letter"]
    assert good["readings"]


def test_ignored_messages_say_why():
    """A command gives no reading, and its reason."""
    assert decode_line(Catalogue(), {"topic": "home/x/set", "payload": "1"}, now=RECEIVED) == {
        "readings": [],
        "ignored": "a command to a device",
    }


@pytest.mark.parametrize("name", ["zigbee2mqtt", "tasmota", "scalar", "generic_json"])
def test_real_messages_read_as_documented(name):
    """The real messages at hand are read as their conventions' documentation says: all of the required, nothing wrong, nothing spurious."""
    file = PAYLOADS / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip("../shared/payloads is not here")
    spec = importlib.util.spec_from_file_location("compare", PAYLOADS / "compare.py")
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    now = 1_795_000_000 * 10**9
    answers = list(decode_jsonl([json.dumps(row) for row in rows], Catalogue(), now=now))
    for row, answer in zip(rows, answers, strict=True):
        left = list(answer.get("readings", ()))
        assert ("dead_letter" in answer) == bool(row.get("expect_error")), (row["id"], answer)
        for want in sorted(row["expect"], key=lambda one: bool(one.get("optional"))):
            got = compare.pair(want, left, row.get("ts_naive"))
            assert got is not None or want.get("optional"), (row["id"], want)
            if got is not None:
                left.remove(got)
                assert compare.right_value(want, got), (row["id"], want, got)
                assert compare.right_time(want, got, row.get("ts_naive")), (row["id"], want, got)
                assert got["unit"] or not want.get("unit"), (row["id"], want, got)
        assert not left or row.get("allow_extra"), (row["id"], left)
