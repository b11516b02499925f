"""Replays over a real broker: nothing is lost, times are shifted by one constant, and none lies ahead of the moment at which it is said."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from simulator.nanoseconds import HOUR, SECOND
from simulator.publisher import PublishError
from simulator.recordings.__main__ import main
from simulator.recordings.cold_room import recording as cold_room
from simulator.recordings.recording import open_recording
from simulator.recordings.replay import replay
from simulator.recordings.row import RecordingError


def test_cold_room_is_generated(cold_room_file):
    """The file in config/ is what `python -m simulator.recordings.cold_room` writes."""
    assert cold_room_file.read_text(encoding="utf-8") == "".join(f"{line}\n" for line in cold_room())


def test_cold_room_shape(cold_room_file):
    """Its clock steps back once, by one hour, repeating twelve times; there is a warm excursion; the last row is the newest."""
    rows = list(open_recording(cold_room_file).rows())
    steps = Counter(after.at - before.at for before, after in pairwise(rows))
    assert steps == {300 * SECOND: 598, -3300 * SECOND: 1}
    assert sum(count == 2 for count in Counter(row.at for row in rows).values()) == 12
    assert rows[-1].at == max(row.at for row in rows)
    hours = {}
    for row in rows:
        hours.setdefault(row.at // HOUR, []).append(row.measures[0].value)
    means = [sum(values) / len(values) for values in hours.values()]
    assert sum(mean > 7 for mean in means) == 3
    assert all(2 < mean < 6 or mean > 7 for mean in means)


def test_replay_max(mosquitto, subscribe, cold_room_file):
    """As fast as the broker takes it, every row arrives once, in the file's order, with its unit; the newest becomes now, by whole seconds."""
    seen = subscribe("recordings/#")
    rows = list(open_recording(cold_room_file).rows())
    before = time.time_ns()
    replayed = replay(mosquitto.broker, cold_room_file, metric="temperature", unit="°C", shift_to_now=True, in_flight=20)
    assert (replayed.rows, replayed.messages, replayed.acknowledged, replayed.unread) == (600, 600, 600, 0)
    assert replayed.shift % SECOND == 0
    assert before - SECOND < rows[-1].at + replayed.shift <= time.time_ns()
    messages = seen.until(lambda messages: len(messages) >= 600)
    assert {topic for topic, _ in messages} == {"recordings/cold-room"}
    said = [json.loads(payload) for _, payload in messages]
    assert [(_ns(body["timestamp"]) - replayed.shift, body["temperature"]) for body in said] == [
        (row.at, {"value": row.measures[0].value, "unit": "°C"}) for row in rows
    ]
    assert all(body["timestamp"].endswith("Z") for body in said)


def test_replay_epoch_ms(mosquitto, subscribe, tmp_path):
    """Times can be epoch milliseconds; without a shift they are the recording's own."""
    file = tmp_path / "m.csv"
    file.write_text("timestamp,value\n1970-01-01 00:00:02.5,7\n1970-01-01T01:00:03+01:00,8.25\n", encoding="utf-8")
    seen = subscribe("recordings/#")
    replay(mosquitto.broker, file, device="oven", metric="x", timestamps="ms")
    messages = seen.until(lambda messages: len(messages) == 2)
    assert messages == [("recordings/oven", b'{"timestamp":2500,"x":7}'), ("recordings/oven", b'{"timestamp":3000,"x":8.25}')]


def test_replay_paced(mosquitto, tmp_path):
    """At a speed it takes as long as the recording, by that factor; steps back do not wait."""
    file = tmp_path / "m.csv"
    file.write_text(
        "timestamp,value\n2025-01-01 00:00:00,1\n2025-01-01 00:10:00,2\n2025-01-01 00:00:00,3\n2025-01-01 00:10:00,4\n", encoding="utf-8"
    )
    assert replay(mosquitto.broker, file, speed=6000).seconds >= 0.2


@pytest.mark.parametrize("speed", [0.5, 1, 20])
def test_replay_paced_shift(mosquitto, subscribe, tmp_path, speed):
    """At a pace, no row is said with a time ahead of the clock; at real speed and faster the last row is now at the replay's end."""
    times = (100.0, 100.1, 100.2, 100.4)
    file = tmp_path / "m.csv"
    file.write_text("time,temperature\n" + "".join(f"{at},{at}\n" for at in times), encoding="utf-8")
    seen = subscribe("recordings/#")
    began = time.time_ns()
    replayed = replay(mosquitto.broker, file, shift_to_now=True, speed=speed)
    ended = time.time_ns()
    stamps = [_ns(json.loads(payload)["timestamp"]) for _, payload in seen.until(lambda messages: len(messages) == 4)]
    for at, stamp in zip(times, stamps, strict=True):
        assert stamp <= ended - (replayed.seconds - (at - 100) / speed) * SECOND + 10_000_000
    assert stamps[-1] > (began if speed < 1 else ended) - SECOND - 100_000_000


def test_replay_future(mosquitto, subscribe, tmp_path):
    """Times of a recording that lie in the future are shifted back without being asked to."""
    file = tmp_path / "m.csv"
    file.write_text("time,x\n4000000000,1\n4000000060,2\n", encoding="utf-8")
    seen = subscribe("recordings/#")
    replayed = replay(mosquitto.broker, file)
    first, last = (_ns(json.loads(payload)["timestamp"]) for _, payload in seen.until(lambda messages: len(messages) == 2))
    assert replayed.shift < 0
    assert last - first == 60 * SECOND
    assert last <= time.time_ns()


def test_replay_devices(mosquitto, subscribe, tmp_path):
    """A recording of several devices is said on their topics, in the file's order."""
    file = tmp_path / "hall.csv"
    file.write_text("time,device,temperature,door\n2025-01-01,a,20.5,\n2025-01-01,b/1,,open\n2025-01-02,a,21,closed\n", encoding="utf-8")
    seen = subscribe("recordings/#")
    assert replay(mosquitto.broker, file, timestamps="none").messages == 3
    assert seen.until(lambda messages: len(messages) == 3) == [
        ("recordings/a", b'{"temperature":20.5}'),
        ("recordings/b%2F1", b'{"device_id":"b/1","door":"open"}'),
        ("recordings/a", b'{"temperature":21,"door":"closed"}'),
    ]


def test_replay_command(mosquitto, cold_room_file, capsys):
    """The command prints what it did as one JSON document."""
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    assert main([str(cold_room_file), "--broker-url", url, "--metric", "temperature", "--shift-to-now", "--speed", "max"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["rows"] == done["acknowledged"] == 600


def test_replay_unreadable(mosquitto, subscribe, tmp_path):
    """A file with a bad line far down is refused before anything is sent."""
    file = tmp_path / "m.csv"
    file.write_text("timestamp,value\n" + "2025-01-01,1\n" * 500 + "yesterday,2\n", encoding="utf-8")
    seen = subscribe("#")
    with pytest.raises(RecordingError, match=r"m\.csv:502: the time must be ISO 8601 or an epoch number; got 'yesterday'"):
        replay(mosquitto.broker, file)
    seen.publish("end", b"")
    assert seen.until(bool) == [("end", b"")]


def test_replay_empty(mosquitto, tmp_path):
    """A recording without a value is refused."""
    file = tmp_path / "m.csv"
    file.write_text("timestamp,value\n2025-01-01,\n", encoding="utf-8")
    with pytest.raises(RecordingError, match="must have rows with values; got none"):
        replay(mosquitto.broker, file)


def test_replay_no_broker(mosquitto, cold_room_file):
    """Without a broker at the start a replay says so."""
    mosquitto.stop()
    with pytest.raises(PublishError, match="cannot connect"):
        replay(mosquitto.broker, cold_room_file)


def _ns(written):
    return round(datetime.fromisoformat(written).astimezone(UTC).timestamp() * 1000) * 1_000_000
