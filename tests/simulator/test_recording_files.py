"""What recordings may look like as files: CSV and JSON Lines, with times of every form, and what is said of a line that is none."""

import json

import pytest

from devices.catalogue import Catalogue
from gateway.decode import decode_jsonl
from simulator.nanoseconds import SECOND
from simulator.recordings.recording import open_recording
from simulator.recordings.row import Measure, RecordingError, Row

MAY = 1_746_100_800 * SECOND
"""2025-05-01T12:00:00Z."""


@pytest.fixture
def read(tmp_path):
    """Give a function that writes a recording and gives its rows."""

    def rows(name, text, **settings):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return list(open_recording(file, **settings).rows())

    return rows


def warm(value=21.5, *, channel="", unit=None):
    return Measure("temperature", channel, value, unit)


@pytest.mark.parametrize(
    "written",
    [
        *("2025-05-01T12:00:00Z", "2025-05-01 12:00:00", "2025-05-01T14:00:00+02:00", "2025-05-01 12:00"),
        *("1746100800", "1746100800.000", "1746100800000", "1746100800000000000"),
    ],
)
def test_csv_times(read, written):
    """ISO 8601 with a zone or without (UTC), and epoch numbers in any unit."""
    assert read("oven.csv", f"time,temperature\n{written},21.5\n") == [Row(MAY, "oven", (warm(),))]


def test_csv_small_times(read):
    """Dates alone are their midnight, and seconds may count from anywhere."""
    rows = read("oven.csv", "Timestamp,temperature\n2025-05-01,1\n0,2\n2.5,3\n")
    assert [row.at for row in rows] == [MAY - 12 * 3600 * SECOND, 0, 2_500_000_000]


def test_csv_nanoseconds(read):
    """No digit of a time is lost."""
    rows = read("oven.csv", "ts,x\n2025-05-01T12:00:00.123456789Z,1\n1746100800.123456789,1\n1746100800123456789,1\n")
    assert {row.at for row in rows} == {MAY + 123_456_789}


def test_csv_columns(read):
    """Every column is a metric, or one of its channels; a device may be named; empty cells and rows say nothing."""
    text = "device,time,temperature,power/2,door,note\nhall,2025-05-01 12:00,21.5,,on,\n,2025-05-01 12:00,NaN,7,,wet\n\nhall,2025-05-01 12:01,,,,\n"
    assert read("home.csv", text) == [
        Row(MAY, "hall", (warm(), Measure("door", "", True, None))),
        Row(MAY, "home", (Measure("power", "2", 7, None), Measure("note", "", "wet", None))),
    ]


def test_csv_value(read):
    """A column `value` is told of by those beside it, or by what is given."""
    text = "time,value,metric,channel,unit,room\n2025-05-01 12:00,21.5,temperature,a.b,°C,attic\n2025-05-01 12:00,4,,,,\n"
    assert read("home.csv", text, device="t-1", metric="power", unit="W") == [
        Row(MAY, "t-1", (warm(channel="a.b", unit="°C"),)),
        Row(MAY, "t-1", (Measure("power", "", 4, "W"),)),
    ]


def test_csv_unit(read):
    """A unit that is given is that of a lone column."""
    assert read("oven.csv", "time,temperature\n2025-05-01 12:00,21.5\n", unit="°C") == [Row(MAY, "oven", (warm(unit="°C"),))]


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", r"home\.csv:1: the header must have a time \(time, timestamp, ts\) and a column of values; got ''"),
        ("when,value\n", ":1: the header must have a time"),
        ("time,device\n", ":1: the header must have a time"),
        ("time,x,x\n", ":1: the header must name each column, by a name of its own; got 'time,x,x'"),
        ("time,x\n2025-13-01,2\n", ":2: the time must be ISO 8601 or an epoch number; got '2025-13-01'"),
        ("time,x\n2025-01-01,1,2\n", ":2: must have 2 fields, as the header has; got 3: '2025-01-01,1,2'"),
        ('time,x\n2025-01-01,"1\n2"\n-1,3\n', ":4: the time must be"),
    ],
)
def test_csv_unreadable(read, text, fragment):
    """What is wrong is said with its line."""
    with pytest.raises(RecordingError, match=fragment):
        read("home.csv", text)


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"metric": "z"}, ":1: --metric says what the column value is called"),
        ({"unit": "W"}, ":2: --unit is for rows of one value; got x, y"),
    ],
)
def test_csv_unfit(read, settings, fragment):
    """What is given beside a file must have something that it is about."""
    with pytest.raises(RecordingError, match=fragment):
        read("home.csv", "time,x,y\n2025-01-01,1,2\n", **settings)


def test_json_rows(read):
    """A line is a row of metrics, each a value or one with its unit; null says nothing."""
    lines = [
        {"time": "2025-05-01T12:00:00Z", "device": "hall", "temperature": 21.5, "power/2": {"value": 7, "unit": "W"}, "door": None},
        {"timestamp": 1746100800, "mode": "eco", "heating": True},
        {"ts": MAY, "device": "hall"},
    ]
    assert read("home.jsonl", "\n".join(map(json.dumps, lines))) == [
        Row(MAY, "hall", (warm(), Measure("power", "2", 7, "W"))),
        Row(MAY, "home", (Measure("mode", "", "eco", None), Measure("heating", "", True, None))),
    ]


def test_json_readings(read):
    """A line is one reading, with its channel and unit, whatever else is known of it."""
    line = {
        "ts": MAY,
        "device": "hall",
        "metric": "temperature",
        "channel": "a",
        "key": "t",
        "value": 21.5,
        "unit": "°C",
        "raw_value": 70.7,
    }
    assert read("home.ndjson", json.dumps(line) + "\n\n") == [Row(MAY, "hall", (warm(channel="a", unit="°C"),))]


def test_json_printed(read):
    """What `sluice decode --jsonl` and `sluice history --json` print is a recording."""
    decoded, history = _printed()
    expected = [Row(MAY, "attic", (warm(), Measure("humidity", "", 40, "%")))]
    assert read("decoded.jsonl", decoded) == expected
    assert [(row.at, row.device, one) for row in read("attic.json", history) for one in row.measures] == [
        (row.at, row.device, one) for row in expected for one in row.measures
    ]


def test_json_messages(tmp_path):
    """Messages are read in the dialects of their devices, came when they were received, and what gives no reading is counted."""
    file = tmp_path / "home.jsonl"
    lines = [
        {"topic": "tele/lamp/SENSOR", "payload": '{"Time": "2025-05-01T11:59:58Z", "SI7021": {"Temperature": 21.5}}', "received": MAY},
        {"topic": "home/attic", "payload_b64": "eyJ0ZW1wIjogMjEuNX0=", "received": "2025-05-01T12:00:01Z"},
        {"topic": "home/attic", "payload": '{"temp": 3}', "received": MAY, "retained": True},
        {"topic": "home/attic/set", "payload": "{}", "received": MAY},
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    recording = open_recording(file)
    rows = [(row.at, row.device, row.came, row.measures[0].value) for row in recording.rows()]
    assert rows == [(MAY - 2 * SECOND, "lamp", MAY, 21.5), (MAY + SECOND, "attic", MAY + SECOND, 21.5)]
    assert recording.unread == 2
    assert len(list(recording.rows())) == len(rows)
    assert recording.unread == 2


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("[1]", r"home\.jsonl:2: must be one JSON object a line; got '\[1\]'"),
        ("{", ":2: "),
        ('{"x": 1}', ":2: the time must be ISO 8601 or an epoch number; got None"),
        ('{"time": true, "x": 1}', ":2: the time must be ISO 8601 or an epoch number; got True"),
        ('{"time": 1, "x": [1]}', r":2: x must be a number, a text, true or false; got \[1\]"),
        ('{"time": 1, "device": 7, "x": 1}', ":2: device must be a text; got 7"),
        ('{"readings": 5}', ":2: readings must be a list of objects; got '5'"),
        ('{"topic": "a", "payload": "{}"}', ":2: a message must say when it was received"),
        ('{"topic": "a", "received": 1}', ":2: a message must have a payload that is a text, or payload_b64; got None"),
        ('{"topic": "a", "payload_b64": "?", "received": 1}', r":2: payload_b64 must be base64; got '\?'"),
    ],
)
def test_json_unreadable(read, line, fragment):
    """What is wrong is said with its line."""
    with pytest.raises(RecordingError, match=fragment):
        read("home.jsonl", f'{{"time": 1, "x": 1}}\n{line}\n')


def test_folder_without_journal(tmp_path):
    """A folder is a journal, or it is said that it is none."""
    with pytest.raises(RecordingError, match="must be a data folder, or the folder of a journal; got none that holds one"):
        open_recording(tmp_path)


def _printed():
    """Give what is printed of one message as the two commands do."""
    message = {"topic": "home/attic", "payload": '{"temp": 21.5, "humidity": 40}', "received": MAY}
    lines = [json.dumps(message), json.dumps(message | {"payload": "{"})]
    answers = list(decode_jsonl(lines, Catalogue(), now=MAY))
    history = {"device": "attic", "metric": None, "readings": [{**one, "device": None} for one in answers[0]["readings"]]}
    return "".join(f"{json.dumps(one)}\n" for one in answers), json.dumps(history)
