"""Time, in the three cases that break stream processors: our own outage, a device's outage, a bad clock."""

import json
import textwrap
from datetime import UTC, datetime

import pytest

from flows.backtest import replay
from flows.normaliser import Normaliser
from flows.spec import read_flow
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.store.effects import AlertChanged, CommandRequested, Counted, ReadingKept, WindowClosed, spelled_out

S = 1_000_000_000
T0 = 1_767_225_600 * S  # 2026-01-01T00:00:00Z
MINUTE = 60 * S

FLOW = """
    name: climate
    select: {metrics: [temperature]}
    group: GROUP
    window: {kind: tumbling, length: 1m, lateness: 5s, corrections: 2h}
    aggregate: {warm: mean(temperature), n: count(temperature)}
    trigger: {when: warm > 28.0, clear: warm < 26.0}
    do:
      - command: {device: fan, set: {state: "ON"}, expires: 1m}
        on_clear: {set: {state: "OFF"}}
    """


class Tape:
    """Journal rows as a gateway writes them: each with its receive time, its connection, and whether it is live."""

    def __init__(self):
        self.rows, self.connection, self.live = [], 1, True

    def row(self, at, *said):
        """Write what devices said (name, temperature, the device's own time) at a moment (s), or a tick."""
        messages = [Entry(f"plant/{device}", self.payload(value, ts), 1) for device, value, ts in said]
        kind = Kind.MESSAGES if messages else Kind.TICK
        received = T0 + at * S
        self.rows.append(Row(len(self.rows) + 1, kind, received, received, 1, self.connection, self.live, len(messages), 0, pack(messages)))

    @staticmethod
    def payload(value, ts):
        stamp = datetime.fromtimestamp(ts, UTC) if isinstance(ts, int) else None
        text = stamp.isoformat() if stamp else ts
        return json.dumps({"temperature": value, **({"timestamp": text} if text else {})}).encode()

    def effects(self, tmp_path, *, group="[device]"):
        path = tmp_path / "climate.yaml"
        path.write_text(textwrap.dedent(FLOW).replace("GROUP", group))
        flow, findings = read_flow(path, root=tmp_path)
        assert not findings, findings
        return list(replay([flow], Normaliser([flow], []), self.rows))


def epoch(at):
    return T0 // S + at


def of(kind, effects):
    return [one for one in spelled_out(effects) if isinstance(one, kind)]


def counted(effects, term):
    """The last value of a flow's counter, over all devices."""
    newest = {(one.stage, one.device): one.value for one in of(Counted, effects) if (one.scope, one.term) == ("climate", term)}
    return sum(newest.values())


@pytest.fixture
def tape():
    return Tape()


def test_our_own_outage(tape, tmp_path):
    """An hour away: the backlog is not late, every window of it closes in order as its first revision, and what it decides is stale."""
    for at in range(0, 120, 10):
        tape.row(at, ("t1", 20.0, epoch(at)))
    tape.connection, tape.live = 2, False
    hour = range(120, 3_730, 10)
    for start in range(0, len(hour), 100):  # what the broker kept, in rows of a hundred messages, all in one second
        tape.row(3_720, *(("t1", 30.0 if 600 <= at < 1_200 else 20.0, epoch(at)) for at in hour[start : start + 100]))
    tape.live = True
    for at in range(3_721, 3_900):
        tape.row(at, *([("t1", 20.0, epoch(at))] if at % 10 == 0 else []))
    effects = tape.effects(tmp_path)
    windows = of(WindowClosed, effects)
    assert [(w.end - T0) // MINUTE for w in windows] == list(range(1, 65))
    assert {w.revision for w in windows} == {1}
    assert {w.values["n"] for w in windows} == {6.0}
    assert (counted(effects, "late"), counted(effects, "corrected")) == (0, 0)
    assert [(a.state, (a.time - T0) // MINUTE) for a in of(AlertChanged, effects)] == [("raised", 11), ("cleared", 21)]
    commands = of(CommandRequested, effects)
    assert len(commands) == 2
    assert all(command.expires < command.at for command in commands), "what was true an hour ago moves no fan"


def test_our_own_outage_and_readings_without_a_time(tape, tmp_path):
    """What waited in the broker for nobody knows how long is taken to be as old as the outage: it moves no fan either."""
    tape.row(0, ("t1", 20.0, None))
    tape.row(10)
    tape.connection, tape.live = 2, False
    tape.row(3_600, ("t1", 90.0, None))
    tape.live = True
    for at in range(3_601, 3_800):
        tape.row(at, *([("t1", 20.0, None)] if at in {3_700, 3_760} else []))
    stale, fresh = of(CommandRequested, tape.effects(tmp_path))
    assert (stale.settings, fresh.settings) == ({"state": "ON"}, {"state": "OFF"})
    assert stale.expires < stale.at
    assert fresh.expires > fresh.at


def test_a_devices_outage(tape, tmp_path):
    """One device comes back after half an hour and sends what it kept: the windows are given again, and nothing is commanded."""
    for at in range(2_400):
        said = [("t1", 20.0, epoch(at))] if at % 10 == 0 else []
        said += [("t2", 20.0, epoch(at))] if at % 10 == 5 and not 300 <= at < 2_040 else []
        if at == 2_100:
            said += [("t2", 90.0, epoch(then)) for then in range(305, 2_040, 10)]
        tape.row(at, *said)
    effects = tape.effects(tmp_path, group="[]")
    windows = of(WindowClosed, effects)
    final = {w.end: w for w in windows}  # the newest revision of each comes last
    hot = [w for w in final.values() if 5 * MINUTE < w.end - T0 <= 34 * MINUTE]
    assert len(hot) == 29
    assert {(w.revision, w.values["n"], w.values["warm"]) for w in hot} == {(2, 12.0, 55.0)}
    assert {w.revision for w in final.values() if w not in hot} == {1}
    assert (counted(effects, "late"), counted(effects, "corrected")) == (0, 29 * 6)
    assert not of(AlertChanged, effects)
    assert not of(CommandRequested, effects)


@pytest.mark.parametrize("stamp", ["2099-01-01T00:00:00Z", "1970-01-01T00:00:07Z", "2026-01-01T00:30:00Z"])
def test_a_bad_clock(tape, tmp_path, stamp):
    """A stamp that cannot be true is replaced by the receive time and marked; no watermark moves, no reading after it is late."""
    for at in range(600):
        said = [("t1", 20.0, epoch(at))] if at % 10 == 0 else []
        tape.row(at, *said, *([("t1", 20.0, stamp)] if at == 123 else []))
    effects = tape.effects(tmp_path)
    windows = of(WindowClosed, effects)
    assert [(w.end - T0) // MINUTE for w in windows] == list(range(1, 10))
    assert [w.values["n"] for w in windows] == [6.0, 6.0, 7.0, *[6.0] * 6]
    assert (counted(effects, "late"), counted(effects, "corrected")) == (0, 0)
    (marked,) = [kept.reading for kept in of(ReadingKept, effects) if kept.reading.received == T0 + 123 * S]
    assert marked.ts == marked.received
    assert marked.time_source not in {"device", "received"}
