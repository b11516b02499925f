"""Real input: messages of real devices over a real broker, and a real sensor's recording, against what a plain loop makes of it."""

from __future__ import annotations

import csv
import importlib.util
import json
from base64 import b64decode
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import paho.mqtt.client as mqtt
import pytest

from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind
from gateway.starter import starter
from gateway.status import status
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader

SHARED = Path(__file__).parents[2] / "shared"
RECORDING = SHARED / "nab/data/realKnownCause/machine_temperature_system_failure.csv"
HOUR = 3_600_000_000_000

FLOW = """\
name: hourly
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1h, corrections: 2h}
aggregate: {mean: mean(temperature), n: count(temperature)}
trigger: {when: mean > 37.7778, clear: mean < 35.0}
"""


@pytest.mark.skipif(not (SHARED / "payloads").exists(), reason="the recorded payloads (../shared/payloads) are not on this machine")
def test_real_payloads_over_a_real_broker_become_the_expected_readings(sluice, mosquitto, until):
    """Each message is published, journalled, decoded by the running flows and stored; its readings are the expected ones, and nothing else."""
    compare = _compare()
    (sluice.config / "gateway.yaml").write_text(
        f'broker: {{url: "{mosquitto.url}", subscribe: [{{topic: "#"}}, {{topic: "$aws/#"}}, {{topic: "$iothub/#"}}]}}\n'
    )
    files = sorted((SHARED / "payloads").glob("*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines() if line.strip()]
    messages = [(r["topic"], _payload(r)) for r in rows]
    with sluice.up():
        _publish_one_by_one(mosquitto, messages, sluice.data, until)
        until(lambda: status(sluice.data)["ledger"]["pending"] == 0)
    offsets = _offsets(sluice.data, messages)
    with StoreReader(sluice.data / "store.db") as reader:
        stored = defaultdict(list)
        for kept in reader.readings_after(0, 1_000_000):
            stored[kept.id >> 20].append(
                {n: getattr(kept.reading, n) for n in ("device", "metric", "channel", "key", "value", "unit", "raw_value", "ts")}
            )
        dead = {letter.id >> 20: letter.reason for letter in reader.dead_letters(newest=10_000)}
    required, before = 0, []
    for row, offset in zip(rows, offsets, strict=True):
        left = stored[offset]
        before += left
        if row.get("expect_error"):
            assert offset in dead, row["id"]
            assert not left, row["id"]
            continue
        for expected in sorted(row["expect"], key=lambda e: bool(e.get("optional"))):
            got = compare.pair(expected, left, row.get("ts_naive")) or _by_value(compare, expected, left, row.get("ts_naive"))
            if got is None:  # said again, with the device's own time, it is a duplicate
                again = expected.get("ts") and compare.pair(expected, before, row.get("ts_naive"))
                assert expected.get("optional") or again, (row["id"], expected, left, dead.get(offset))
                continue
            left.remove(got)
            required += not expected.get("optional")
            assert compare.right_value(expected, got), (row["id"], expected, got)
            assert compare.right_time(expected, got, row.get("ts_naive")), (row["id"], expected, got)
        assert not left or row.get("allow_extra"), (row["id"], left)
    assert required > 400


@pytest.mark.skipif(not RECORDING.exists(), reason="the recording (../shared/nab) is not on this machine")
def test_real_recording_has_the_hourly_means_of_a_plain_loop(sluice, mosquitto, until):
    """Eleven weeks of a machine's temperature, replayed as fast as the broker takes it: the same hours above 100 and below 60 °F."""
    said = _replay(sluice, mosquitto, until, RECORDING, "°F")
    expected = _hourly(said)
    assert sum(mean > 100 for mean in expected.values()) > 10
    assert sum(mean < 60 for mean in expected.values()) > 10
    stored = {end: window.values["mean"] * 9 / 5 + 32 for end, window in _newest_windows(sluice).items()}
    assert {end for end, mean in stored.items() if mean > 100} == {end for end, mean in expected.items() if mean > 100}
    assert {end for end, mean in stored.items() if mean < 60} == {end for end, mean in expected.items() if mean < 60}
    assert stored == pytest.approx(expected, rel=1e-9)
    document = status(sluice.data)
    assert document["ledger"]["flows"]["hourly"]["corrected"] == _late(said), "its clock steps back once, by an hour"
    assert document["alerts"]["raised"] >= 1


def test_own_recording_has_the_hourly_means_of_a_plain_loop(sluice, mosquitto, until):
    """The recording that the project ships, which steps back by an hour too."""
    said = _replay(sluice, mosquitto, until, starter() / "scenarios/recordings/cold-room.csv", "°C")
    stored = {end: window.values["mean"] for end, window in _newest_windows(sluice).items()}
    assert stored == pytest.approx(_hourly(said), rel=1e-9)
    ledger = status(sluice.data)["ledger"]
    repeats = len(said) - len(set(said))
    assert ledger["flows"]["hourly"]["corrected"] == _late(dict.fromkeys(said))
    assert ledger["duplicates"] == repeats


def _compare():
    spec = importlib.util.spec_from_file_location("compare", SHARED / "payloads/compare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _by_value(compare, expected, left, naive):
    """The reading with the device and the value that are expected: the store keeps one key a series, of two that name it the newer."""
    return next(
        (
            one
            for one in left
            if one["device"] == expected["device"] and compare.right_value(expected, one) and compare.right_time(expected, one, naive)
        ),
        None,
    )


def _payload(row):
    return b64decode(row["payload_b64"]) if "payload_b64" in row else (row.get("payload") or "").encode()


def _publish_one_by_one(broker, messages, data, until):
    """Publish each message when the journal has the one before it: then each has a row of its own, by which its readings are known."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect(broker.host, broker.port)
    client.loop_start()
    for number, (topic, payload) in enumerate(messages, start=1):
        client.publish(topic, payload, qos=1).wait_for_publish(30)
        until(lambda number=number: len(_offsets(data, messages)) == number)
    client.disconnect()
    client.loop_stop()


def _offsets(data, messages):
    """The rows that hold these messages, in order: a reading's id begins with its row. Between them is what Sluice asks of devices."""
    reader = JournalReader(data / "journal" / "0")
    offsets = []
    while rows := reader.read(100):
        for row in (one for one in rows if one.kind == Kind.MESSAGES):
            said = [(entry.topic, entry.payload) for entry in row.entries()]
            if len(offsets) < len(messages) and messages[len(offsets)] in said:
                offsets.append(row.offset)
    reader.close()
    return offsets


def _replay(sluice, mosquitto, until, recording, unit):
    """Replay a recording through a running Sluice until every window that it can close is closed; give what was said, as (ts, value)."""
    (sluice.config / "gateway.yaml").write_text(f'broker: {{url: "{mosquitto.url}"}}\n')
    (sluice.config / "flows" / "hourly.yaml").write_text(FLOW)
    with sluice.up():
        words = [
            "--recording",
            str(recording),
            "--device",
            "machine",
            "--metric",
            "temperature",
            "--unit",
            unit,
            "--speed",
            "max",
            "--shift-to-now",
        ]
        replayed = sluice.json("simulate", *words, "--broker-url", mosquitto.url)
        with recording.open() as lines:
            rows = list(csv.DictReader(lines))
        assert replayed["acknowledged"] == len(rows)
        said = [(_epoch(row["timestamp"]) + replayed["shift"], float(row["value"])) for row in rows]
        until(lambda: _newest_windows(sluice).keys() == _hourly(said).keys(), 90)
        until(lambda: status(sluice.data)["ledger"]["pending"] == 0)
    return said


def _epoch(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def _hourly(said):
    hours = defaultdict(list)
    for ts, value in dict.fromkeys(said):  # the same time and value again is a repeat, and counts once
        hours[ts - ts % HOUR + HOUR].append(value)
    newest = max(ts for ts, _ in said)
    return {end: fmean(values) for end, values in hours.items() if end <= newest}


def _late(said):
    """Count the rows whose hour was over when they came."""
    newest = late = 0
    for ts, _ in said:
        late += ts - ts % HOUR + HOUR <= newest
        newest = max(newest, ts)
    return late


def _newest_windows(sluice):
    try:
        with StoreReader(sluice.data / "store.db") as reader:
            found = {}
            for window in reader.windows(newest=1_000_000):
                if window.end not in found or window.revision > found[window.end].revision:
                    found[window.end] = window
            return found
    except StoreError:
        return {}
