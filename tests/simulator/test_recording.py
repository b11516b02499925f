"""Recordings: the one that ships is what its generator makes, and replays lose nothing."""

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from simulator import recording
from simulator.cold_room import recording as cold_room
from simulator.nanoseconds import HOUR, SECOND
from simulator.publisher import PublishError
from simulator.recording import RecordingError, Row, read_recording, replay, shift_to


def test_cold_room_is_generated(cold_room_file):
    """The file in config/ is what `python -m simulator.cold_room` writes."""
    assert cold_room_file.read_text(encoding="utf-8") == "".join(f"{line}\n" for line in cold_room())


def test_cold_room_shape(cold_room_file):
    """Its clock steps back once, by one hour, repeating twelve times; there is a warm excursion; the last row is the newest."""
    rows = read_recording(cold_room_file)
    steps = Counter(after.at - before.at for before, after in pairwise(rows))
    assert steps == {300 * SECOND: 598, -3300 * SECOND: 1}
    assert sum(count == 2 for count in Counter(row.at for row in rows).values()) == 12
    assert rows[-1].at == max(row.at for row in rows)
    hours = {}
    for row in rows:
        hours.setdefault(row.at // HOUR, []).append(row.value)
    means = [sum(values) / len(values) for values in hours.values()]
    assert sum(mean > 7 for mean in means) == 3
    assert all(2 < mean < 6 or mean > 7 for mean in means)


def test_shift_constant():
    """The newest row becomes now, by whole seconds, and a step back stays one."""
    rows = [Row(at=at * SECOND, value=1.0) for at in (100, 400, 100, 700)]
    assert shift_to(rows, 1_000_000 * SECOND + 5) == (1_000_000 - 700) * SECOND


def test_replay_max(mosquitto, subscribe, cold_room_file):
    """As fast as the broker takes it, every row arrives once, in order and in file order of time, with its unit."""
    seen = subscribe("recordings/#")
    rows = read_recording(cold_room_file)
    replayed = replay(mosquitto.broker, cold_room_file, metric="temperature", unit="°C", shift_to_now=True, in_flight=20)
    assert (replayed.rows, replayed.acknowledged) == (600, 600)
    messages = seen.until(lambda messages: len(messages) >= 600)
    assert {topic for topic, _ in messages} == {"recordings/cold-room"}
    said = [json.loads(payload) for _, payload in messages]
    assert [(_ns(body["timestamp"]) - replayed.shift, body["temperature"]["value"]) for body in said] == [
        (row.at, row.value) for row in rows
    ]
    assert {body["temperature"]["unit"] for body in said} == {"°C"}
    assert all(body["timestamp"].endswith("Z") for body in said)


def test_replay_epoch_ms(mosquitto, subscribe, tmp_path):
    """Times can be epoch milliseconds; without a shift they are the recording's own."""
    file = tmp_path / "m.csv"
    file.write_text("timestamp,value\n1970-01-01 00:00:02.5,7\n1970-01-01T01:00:03+01:00,8.25\n", encoding="utf-8")
    seen = subscribe("recordings/#")
    replay(mosquitto.broker, file, device="oven", metric="x", timestamps="ms")
    messages = seen.until(lambda messages: len(messages) == 2)
    assert messages == [("recordings/oven", b'{"timestamp":2500,"x":7.0}'), ("recordings/oven", b'{"timestamp":3000,"x":8.25}')]


def test_replay_paced(mosquitto, tmp_path):
    """At a speed it takes as long as the recording, by that factor; steps back do not wait."""
    file = tmp_path / "m.csv"
    file.write_text(
        "timestamp,value\n2025-01-01 00:00:00,1\n2025-01-01 00:10:00,2\n2025-01-01 00:00:00,3\n2025-01-01 00:10:00,4\n", encoding="utf-8"
    )
    assert replay(mosquitto.broker, file, speed=6000).seconds >= 0.2


def test_replay_command(mosquitto, cold_room_file, capsys):
    """The command prints what it did as one JSON document."""
    url = f"mqtt://127.0.0.1:{mosquitto.port}"
    assert recording.main([str(cold_room_file), "--broker-url", url, "--metric", "temperature", "--shift-to-now", "--speed", "max"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["rows"] == done["acknowledged"] == 600


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("time,value\n", ":1: the header must be timestamp,value; got 'time,value'"),
        ("timestamp,value\n2025-01-01,1\n2025-13-01,2\n", ":3: must be an ISO 8601 time and a number; got '2025-13-01,2'"),
        ("timestamp,value\n2025-01-01,1,2\n", ":2: must be"),
        ("timestamp,value\n2025-01-01,\n", ":2: must be"),
        ("timestamp,value\n", "must have rows"),
    ],
)
def test_recording_unreadable(mosquitto, tmp_path, text, fragment):
    """A file that cannot be read is refused with its line before anything is sent."""
    file = tmp_path / "m.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordingError, match=r"m\.csv") as caught:
        replay(mosquitto.broker, file)
    assert fragment in str(caught.value)


def test_replay_no_broker(mosquitto, cold_room_file):
    """Without a broker at the start a replay says so."""
    mosquitto.stop()
    with pytest.raises(PublishError, match="cannot connect"):
        replay(mosquitto.broker, cold_room_file)


def _ns(written):
    return round(datetime.fromisoformat(written).astimezone(UTC).timestamp() * 1000) * 1_000_000
