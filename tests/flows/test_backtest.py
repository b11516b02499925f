"""Readings from files, and the flows over them on a clock of their own."""

import json
import textwrap

import pytest

from devices.catalogue import Catalogue
from devices.profile import Profile
from flows.backtest import play
from flows.readings_file import InputError, ReadingsFile
from flows.spec import read_flow
from flows.trial import effects_of
from gateway.backtest import Difference, Sums, decisions
from gateway.store.effects import AlertChanged, WindowClosed

S = 1_000_000_000
T0 = 1_767_225_600 * S

FLOW = """
    name: warm-room
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 1m, lateness: 10s}
    aggregate: {warm: mean(temperature)}
    trigger: {when: warm > LIMIT, clear: warm < 20.0}
    do:
      - command: {device: "fan-{device}", set: {state: "ON"}}
        on_clear: {set: {state: "OFF"}}
    tests:
      - name: opens and closes
        readings: |
          00:00:10 t1 temperature 30
          00:01:10 t1 temperature 10
          00:00:50 t1 temperature 40
        expect: {commands: []}
    """


@pytest.fixture
def flow_of(tmp_path):
    """Make a flow with another limit."""

    def make(limit="25.0"):
        path = tmp_path / "warm-room.yaml"
        path.write_text(textwrap.dedent(FLOW).replace("LIMIT", limit))
        flow, findings = read_flow(path, root=tmp_path)
        assert findings == []
        return flow

    return make


@pytest.fixture
def read(tmp_path):
    """Read the readings of a file with this text."""

    def of(text, *, name="room.csv", profiles=(), **settings):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        return list(ReadingsFile(tmp_path / name, Catalogue(profiles), **settings))

    return of


def told(readings):
    return [(r.ts - T0, r.device, r.metric, r.channel, r.value, r.unit, dict(r.labels)) for r in readings]


def test_csv_with_every_column(read):
    """Columns in any order; what is none of ours is a label, beside those of the device's profile; a unit becomes the metric's own."""
    text = (
        "device,metric,channel,unit,value,time,room\n"
        "t1,temperature,0,°F,212,2026-01-01T00:00:01Z,attic\n"
        "t1,temperature,1,Celsius,21.5,1767225602,\n"
        "lamp,state,,,ON,1767225603500,attic\n"
        "t1,temperature,0,°F,,1767225604,attic\n"
    )
    assert told(read(text, profiles=[Profile(devices=["t*"], labels={"floor": "2"})])) == [
        (S, "t1", "temperature", "0", 100.0, "°C", {"room": "attic", "floor": "2"}),
        (2 * S, "t1", "temperature", "1", 21.5, "°C", {"floor": "2"}),
        (3_500_000_000, "lamp", "state", "", True, None, {"room": "attic"}),
    ]


def test_csv_of_two_columns_takes_its_names_from_outside(read):
    """A recording of one series: the device is named by the file unless it is given, and so is the metric."""
    text = "\ufefftimestamp,value\r\n2026-01-01 00:00:01,20\r\n2026-01-01 00:00:02,21\r\n"
    (one, other) = told(read(text, metric="temperature"))
    assert (one, other) == ((S, "room", "temperature", "", 20, None, {}), (2 * S, "room", "temperature", "", 21, None, {}))
    assert told(read(text, metric="power", device="pump"))[0][1:3] == ("pump", "power")


def test_json_lines_of_readings_and_of_messages(read):
    """Objects with the same keys; a message goes through the conventions, and what is no reading gives none."""
    lines = [
        {"ts": 1767225601, "device": "t1", "metric": "temperature", "value": 20, "room": "attic"},
        {"time": "2026-01-01T00:00:02Z", "metric": "state", "value": "ON"},
        {"topic": "home/shed", "payload": '{"temperature": 21, "humidity": 40}', "received": "2026-01-01T00:00:03Z"},
        {"topic": "home/shed", "payload_b64": "AAE=", "received": 1767225604},
        {"ts": 1767225605, "metric": "temperature", "value": None},
    ]
    text = "\n\n".join(json.dumps(line) for line in lines)
    assert [row[:5] for row in told(read(text, name="mixed.jsonl"))] == [
        (S, "t1", "temperature", "", 20),
        (2 * S, "mixed", "state", "", True),
        (3 * S, "shed", "temperature", "", 21),
        (3 * S, "shed", "humidity", "", 40),
    ]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "", "a.csv:1: the header must have a time (time, timestamp, ts) and a value; got ''"),
        ("a.csv", "time,value,value\n", "a.csv:1: the header must name each column once; got value again"),
        ("a.csv", "time,metric,value\n1767225601,a,1\n\nsoon,a,2\n", "a.csv:4: the time must be ISO or an epoch number; got 'soon'"),
        ("a.csv", "time,value\n1767225601\n", "a.csv:2: must have 2 fields, as the header has; got 1"),
        ("a.csv", "time,value\n1767225601,1\n", "a.csv:2: must name a metric; got none, and no --metric"),
        ("a.jsonl", "\n[1]", "a.jsonl:2: must be a JSON object; got '[1]'"),
        ("a.jsonl", "{", "a.jsonl:1: "),
        ("a.jsonl", '{"value": 1}', "a.jsonl:1: must have a time, and a value that is a number, text, true or false; got {'value': 1}"),
        ("a.jsonl", '{"ts": 1767225601, "value": 1, "room": 2}', "a.jsonl:1: room must be a text; got 2"),
        ("a.jsonl", '{"topic": "a", "payload": "1"}', "a.jsonl:1: the time must be ISO or an epoch number; got None"),
        (
            "a.jsonl",
            '{"topic": "a", "received": 1767225601}',
            "a.jsonl:1: a message must have a payload that is a text, or payload_b64; got None",
        ),
        ("a.jsonl", '{"topic": "a", "payload_b64": "?", "received": 1767225601}', "a.jsonl:1: payload_b64 must be base64; got '?'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(name, text, said, read):
    """File, line, what must be, and what was got."""
    with pytest.raises(InputError) as error:
        read(text, name=name)
    assert said in str(error.value)


def test_play_is_how_the_tests_in_a_flow_file_are_run(flow_of, read):
    """The same readings from a file and in a flow's own test: the same effects."""
    flow = flow_of()
    text = "time,device,metric,value\n1767225610,t1,temperature,30\n1767225670,t1,temperature,10\n1767225650,t1,temperature,40\n"
    assert list(play([flow], read(text))) == effects_of(flow, flow.cases[0])


def test_play_lets_time_pass_to_its_end(flow_of, read):
    """A window that is open at the last reading closes when its time has come, unless time ends before."""
    flow, readings = flow_of(), read("time,device,metric,value\n1767225610,t1,temperature,30\n")
    (window,) = (effect for effect in play([flow], readings) if isinstance(effect, WindowClosed))
    assert (window.end, window.at) == (T0 + 60 * S, T0 + 70 * S)
    assert not [effect for effect in play([flow], readings, until=T0 + 69 * S) if isinstance(effect, WindowClosed)]


def test_play_takes_what_is_late_when_it_comes(flow_of, read):
    """The order of lines is the order of arrival: a line with an earlier time is a late reading, and corrects its window."""
    text = "time,device,metric,value\n1767225610,t1,temperature,30\n1767225700,t1,temperature,10\n1767225620,t1,temperature,40\n"
    sums = Sums("warm-room")
    windows = [one for one in sums.of(play([flow_of()], read(text))) if isinstance(one, WindowClosed)]
    assert [(w.end - T0, w.revision, w.values["warm"]) for w in windows] == [(60 * S, 1, 30.0), (60 * S, 2, 35.0), (120 * S, 1, 10.0)]
    assert sums.document(readings=3) == {
        "readings": 3, "selected": 3, "late": 0, "windows": 2, "corrections": 1, "raised": 1, "cleared": 1, "commands": 2,
    }  # fmt: skip


def test_difference_is_what_only_one_would_have_decided(flow_of, read):
    """A higher limit raises later: what both decide is counted, what only one does is listed."""
    lines = [f"{1767225610 + 60 * n},t1,temperature,{value}" for n, value in enumerate((26, 31, 10))]
    readings = read("time,device,metric,value\n" + "\n".join(lines))
    low, high = (decisions(Sums("warm-room").of(play([flow_of(limit)], readings))) for limit in ("25.0", "30.0"))
    difference = Difference.between(low, high)
    assert [(one.time - T0, one.group, one.what) for one in difference.one] == [(60 * S, "t1", "fan-t1 state=ON"), (60 * S, "t1", "raised")]
    assert [(one.time - T0, one.group, one.what) for one in difference.other] == [
        (120 * S, "t1", "fan-t1 state=ON"),
        (120 * S, "t1", "raised"),
    ]
    assert difference.both == 2
    assert [line[:1] for line in difference.lines()] == ["-", "-", "+", "+"]


def test_effects_of_one_input_are_the_same_twice(flow_of, read):
    """Nothing hangs on when it is asked."""
    readings = read("time,device,metric,value\n" + "\n".join(f"{1767225600 + n},t{n % 7},temperature,{15 + n % 20}" for n in range(500)))
    once, again = (list(play([flow_of()], readings)) for _ in range(2))
    assert once == again
    assert any(isinstance(effect, AlertChanged) for effect in once)
