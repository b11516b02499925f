"""Shards: decisions are a function of the slices alone, however they are batched, and wherever a snapshot was taken."""

import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from devices.reading import Reading
from flows.shard import Shard, Slice
from flows.spec import read_flow
from gateway.store.effects import AlertChanged, CommandRequested, Counted, WindowClosed

S = 1_000_000_000
T0 = 1_700_000_000 * S

CLIMATE = """
    name: climate
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 10s, lateness: 1s, corrections: 1m}
    aggregate: {warm: mean(temperature), n: count(temperature), p: p95(temperature)}
    trigger: {when: warm > 28.0, clear: warm < 26.0}
    do:
      - command: {device: "fan-{device}", set: {state: "ON"}, confirm: {within: 2s, retries: 1}, expires: 30s}
        on_clear: {set: {state: "OFF"}}
      - alert: "{device} at {warm:.1f}"
    """
SLIDING = """
    name: sliding
    select: {metrics: [temperature]}
    group: []
    window: {kind: sliding, length: 30s, slide: 10s}
    aggregate: {hot: max(temperature)}
    """
EVERY = """
    name: every
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: none}
    trigger: {when: value > 30.0}
    do:
      - command: {device: vent, set: {open: 100}}
    """


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    root = tmp_path_factory.mktemp("config")
    made = []
    for text in (CLIMATE, SLIDING, EVERY):
        path = root / "flow.yaml"
        path.write_text(textwrap.dedent(text))
        flow, findings = read_flow(path, root=root)
        assert not findings, findings
        made.append(flow)
    return made


def reading(device, ts, value, received=None):
    return Reading(
        device=device,
        metric="temperature",
        key="temperature",
        value=value,
        raw_value=value,
        ts=ts,
        received=received or ts,
        time_source="device",
        convention="test",
    )


def items(flows, *readings):
    return [(f.name, tuple((name, r.device) for name in f.group), r) for r in readings for f in flows]


def row(at, *said, live=True, tick=False):
    return Slice(0, T0 + at * S, at * S, live=live, tick=tick, flush=tick, items=said)


def decisions(effects):
    return [e for e in effects if not isinstance(e, Counted)]


rows = st.lists(
    st.tuples(st.integers(0, 3), st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(-40, 5), st.integers(15, 40)), max_size=4)),
    max_size=40,
)


@example(rows=[(0, []), (0, [("a", 0, 15)]), (0, [("a", -1, 15)]), (1, [])], cut=3)
@given(rows=rows, cut=st.integers(0, 40))
def test_shard_resumed_from_a_snapshot_decides_the_same(flows, rows, cut):
    """A snapshot at any row, and going on from it in a new shard, gives the effects of an undisturbed run, and the same bytes of state."""
    slices, at = [], 100
    for step, said in rows:
        at += step
        slices.append(row(at, *items(flows, *(reading(d, T0 + (at + off) * S, float(v), T0 + at * S) for d, off, v in said)), tick=True))
    whole = Shard(flows)
    expected = [e for s in slices for e in whole.step(s)]
    first = Shard(flows)
    got = [e for s in slices[:cut] for e in first.step(s)]
    second = Shard(flows, first.snapshot())
    got += [e for s in slices[cut:] for e in second.step(s)]
    assert decisions(got) == decisions(expected)
    assert second.snapshot() == whole.snapshot()
    ids = [e.id for e in decisions(expected)]
    assert len(ids) == len(set(ids))


def test_alert_says_why_and_commands_follow(flows):
    """A raised alert carries its rule, values and since when; its command is rendered, expires, and names its cause; clearing commands back."""
    shard = Shard(flows[:1])
    effects = []
    for at, value in ((0, 30.0), (11, 30.0), (22, 20.0), (40, 20.0)):
        effects += shard.step(row(at, *items(flows[:1], reading("t1", T0 + at * S, value)), tick=True))
    raised, cleared = [e for e in effects if isinstance(e, AlertChanged)]
    on, off = [e for e in effects if isinstance(e, CommandRequested)]
    assert (raised.state, raised.message, raised.why["rule"], raised.why["values"]["warm"]) == ("raised", "t1 at 30.0", "warm > 28.0", 30.0)
    assert raised.why["since"] == T0
    assert (cleared.state, cleared.episode, cleared.why["rule"]) == ("cleared", raised.episode, "warm < 26.0")
    assert (on.device, on.settings, on.cause) == ("fan-t1", {"state": "ON"}, raised.id)
    assert off.settings == {"state": "OFF"}
    assert on.expires == T0 + (10 + 1 + 30) * S, (
        "from the newest reading of the window on: its length, its lateness, and what the flow allows"
    )


def test_corrections_of_a_group_come_once_a_second(flows):
    """In an overload each row may bring late readings of every group: what they correct is given once for all of them, the last ones too."""
    shard, climate = Shard(flows), flows[:1]
    shard.step(row(100, *items(climate, reading("a", T0 + 95 * S, 20.0))))
    shard.step(row(115, tick=True))
    given = []
    for n in range(1, 41):
        late = Slice(0, T0 + 115 * S, 115 * S + n * S // 20, True, False, items=items(climate, reading("a", T0 + 91 * S + n, 20.0)))
        given += decisions(shard.step(late))
    assert [one.values["n"] for one in given] == [2, 22]
    assert shard.due() is not None
    assert [(one.values["n"], one.revision) for one in decisions(shard.step(row(118, tick=True)))] == [(41, 4)]
    assert decisions(shard.step(row(120, tick=True))) == []


def test_corrections_never_trigger(flows):
    """A late reading that would have raised an alert corrects the window, and asks for nothing."""
    shard = Shard(flows[:1])
    effects = []
    for at, ts, value in ((0, 0, 20.0), (15, 15, 20.0), (16, 5, 99.0)):
        effects += shard.step(row(at, *items(flows[:1], reading("t1", T0 + ts * S, value)), tick=True))
    windows = [e for e in effects if isinstance(e, WindowClosed)]
    assert [(w.end - T0, w.revision, w.values["warm"]) for w in windows] == [(10 * S, 1, 20.0), (10 * S, 2, 59.5)]
    assert not [e for e in effects if isinstance(e, AlertChanged | CommandRequested)]


def test_command_from_a_backlog_is_stale_from_its_own_time(flows):
    """What a broker's backlog decides expires by the time of its readings, not by when they were received."""
    shard = Shard(flows[2:])
    long_ago = T0 - 3600 * S
    effects = shard.step(row(0, *items(flows[2:], reading("t1", long_ago, 31.0, T0)), live=False))
    (command,) = [e for e in effects if isinstance(e, CommandRequested)]
    assert command.expires < T0


def test_command_from_what_a_device_kept_is_stale_by_as_much_as_it_lags(flows):
    """A device that was away for an hour and sends what it kept commands nothing with it; its first word of now does."""
    shard = Shard(flows[2:])
    shard.step(row(0, *items(flows[2:], reading("t1", T0, 20.0)), tick=True))
    kept = [reading("t1", T0 + 10 * S, 31.0, T0 + 3600 * S), reading("t1", T0 + 20 * S, 20.0, T0 + 3600 * S)]
    now = reading("t1", T0 + 3601 * S, 31.0)
    effects = shard.step(row(3600, *items(flows[2:], *kept), tick=True)) + shard.step(row(3601, *items(flows[2:], now), tick=True))
    stale, fresh = [e for e in effects if isinstance(e, CommandRequested)]
    assert stale.expires < stale.at
    assert fresh.expires > fresh.at


def test_device_whose_clock_is_always_behind_still_commands(flows):
    """A lag that is there with every reading is the device's clock, and not old news."""
    shard = Shard(flows[2:])
    effects = []
    for at, value in ((0, 20.0), (10, 20.0), (20, 31.0)):
        effects += shard.step(row(at, *items(flows[2:], reading("t1", T0 + (at - 600) * S, value, T0 + at * S)), tick=True))
    (command,) = [e for e in effects if isinstance(e, CommandRequested)]
    assert command.expires > command.at


def test_flow_without_windows_decides_at_once_and_takes_nothing_out_of_order(flows):
    """With window: none each reading decides; one older than the last decided is late."""
    shard = Shard(flows[2:])
    effects = shard.step(
        row(0, *items(flows[2:], reading("t1", T0, 31.0), reading("t1", T0 - S, 20.0), reading("t1", T0 + S, 29.0)), tick=True)
    )
    assert [e.state for e in effects if isinstance(e, AlertChanged)] == ["raised", "cleared"]
    assert {(e.term, e.value) for e in effects if isinstance(e, Counted) and e.scope == "every"} == {("windowed", 2), ("late", 1)}


@pytest.fixture
def changed(tmp_path):
    """Read the climate flow with some of its text replaced."""

    def change(old, new):
        path = tmp_path / "flow.yaml"
        assert old in CLIMATE
        path.write_text(textwrap.dedent(CLIMATE).replace(old, new))
        flow, findings = read_flow(path, root=tmp_path)
        assert not findings, findings
        return flow

    return change


def test_flow_with_another_threshold_keeps_its_state(flows, changed):
    """What is open goes on, and is judged by the new threshold."""
    shard = Shard(flows[:1])
    shard.step(row(0, *items(flows[:1], reading("t1", T0, 27.5)), tick=True))
    flow = changed("warm > 28.0", "warm > 27.0")
    after = Shard([flow], shard.snapshot())
    effects = after.step(row(1, *items([flow], reading("t1", T0 + S, 27.5)), tick=True))
    effects += after.step(row(30, tick=True))
    assert [e.count for e in effects if isinstance(e, WindowClosed)] == [2]
    assert [e.state for e in effects if isinstance(e, AlertChanged)] == ["raised"]


def test_flow_with_other_windows_starts_afresh_and_its_counters_go_on(flows, changed):
    """State belongs to a fingerprint: other windows do not read the old ones, and the ledger's counters continue."""
    shard = Shard(flows[:1])
    shard.step(row(0, *items(flows[:1], reading("t1", T0, 30.0)), tick=True))
    flow = changed("length: 10s", "length: 20s")
    after = Shard([flow], shard.snapshot())
    effects = after.step(row(1, *items([flow], reading("t1", T0 + S, 30.0)), tick=True))
    assert [e.value for e in effects if isinstance(e, Counted) and e.term == "windowed"] == [2]
    (window,) = [e for e in after.step(row(30, tick=True)) if isinstance(e, WindowClosed)]
    assert window.count == 1


def raised(flows):
    shard = Shard(flows[:1])
    effects = shard.step(row(0, *items(flows[:1], reading("t1", T0, 30.0)), tick=True)) + shard.step(row(15, tick=True))
    (alert,) = [e for e in effects if isinstance(e, AlertChanged)]
    return shard, alert


def test_episode_of_a_flow_that_starts_afresh_is_cleared_and_undone(flows, changed):
    """Nobody else would ever end it: the alert is cleared under its own episode, once, and the actuator is told what ends it."""
    shard, alert = raised(flows)
    after = Shard([changed("length: 10s", "length: 20s")], shard.snapshot())
    effects = after.step(row(16, tick=True))
    (cleared,) = [e for e in effects if isinstance(e, AlertChanged)]
    assert (cleared.state, cleared.episode, cleared.message) == ("cleared", alert.episode, "t1: the flow was changed")
    assert [e.settings for e in effects if isinstance(e, CommandRequested)] == [{"state": "OFF"}]
    assert not decisions(after.step(row(17, tick=True)))


def test_episode_of_a_flow_that_is_gone_is_cleared(flows):
    """The alert is cleared; what the flow commanded stays as it is."""
    shard, alert = raised(flows)
    after = Shard(flows[1:], shard.snapshot())
    (cleared,) = decisions(after.step(row(16, tick=True)))
    assert (cleared.state, cleared.episode, cleared.message) == ("cleared", alert.episode, "t1: the flow was removed")
    again = Shard(flows, after.snapshot())
    effects = again.step(row(17, *items(flows[:1], reading("t1", T0 + 17 * S, 30.0)), tick=True))
    assert [(e.term, e.value) for e in effects if isinstance(e, Counted) and e.scope == "climate"] == [("windowed", 2)]


def test_counters_that_have_moved_outlive_a_kill(flows):
    """A shard gives with its next tick what the process before it had counted and not given, once."""

    def counted(effects):
        return [one for one in effects if isinstance(one, Counted) and one.device == "a"]

    shard = Shard(flows)
    said = items(flows, reading("a", T0 + 100 * S, 20.0))
    assert not counted(shard.step(row(100, *said)))
    shard = Shard(flows[1:], Shard(flows[1:], shard.snapshot()).snapshot())  # a flow that is gone has counted, too
    assert sum(one.value for one in counted(shard.step(row(101, tick=True)))) == len(said)
    assert not counted(shard.step(row(102, tick=True)))
