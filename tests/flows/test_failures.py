"""Bugs in flows: what fails is dropped and told, its group begins anew, and everything else goes on as if nothing had happened."""

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reading import Reading
from flows.flow import Flow
from flows.flow_shard import MOST_FAILURES
from flows.normaliser import STORE, Normaliser
from flows.shard import Shard, Slice
from flows.spec import read_flow
from flows.windows.timed import TimedWindows
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.ledger import Books, balance
from gateway.status import status
from gateway.store.effects import AlertChanged, CommandRequested, Counted, Failed, WindowClosed
from gateway.store.store import Store
from gateway.terminal import failure_lines

S = 1_000_000_000
T0 = 1_700_000_000 * S
BAD = 66.6

FLOWS = (
    """
    name: climate
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: tumbling, length: 5s, lateness: 1s}
    aggregate: {warm: mean(temperature)}
    trigger: {when: warm > 28.0, clear: warm < 26.0}
    do:
      - command: {device: "fan-{device}", set: {state: "ON"}}
        on_clear: {set: {state: "OFF"}}
    """,
    """
    name: every
    select: {metrics: [temperature]}
    group: [device]
    window: {kind: none}
    trigger: {when: value > 30.0}
    """,
)


@pytest.fixture(scope="module")
def flows(tmp_path_factory):
    root = tmp_path_factory.mktemp("config")
    made = []
    for text in FLOWS:
        (root / "flow.yaml").write_text(textwrap.dedent(text))
        flow, findings = read_flow(root / "flow.yaml", root=root)
        assert not findings, findings
        made.append(flow)
    return made


@pytest.fixture(scope="module", autouse=True)
def bug():
    """Windows fail on one value, half-way: they have changed their state by then."""
    add = TimedWindows.add

    def failing(self, group, metric, value, **words):
        place = add(self, group, metric, value, **words)
        if value == BAD:
            raise ZeroDivisionError("a bug")
        return place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TimedWindows, "add", failing)
        yield


def reading(device, at, value):
    return Reading(
        device=device,
        metric="temperature",
        key="temperature",
        value=value,
        raw_value=value,
        ts=at,
        received=at,
        time_source="device",
        convention="test",
    )


def row(flows, at, *said, tick=True):
    items = [(flow.name, (("device", device),), reading(device, T0 + at * S, value)) for device, value in said for flow in flows]
    return Slice(0, T0 + at * S, at * S, live=True, tick=tick, flush=tick, items=items)


def of_others(effects):
    return [one for one in effects if isinstance(one, WindowClosed | AlertChanged | CommandRequested) and one.group != (("device", "bad"),)]


@given(
    said=st.lists(st.tuples(st.sampled_from(["a", "b", "bad"]), st.integers(20, 35)), min_size=1, max_size=60),
    poison=st.sets(st.integers(0, 60), min_size=1),
    cut=st.integers(0, 60),
)
def test_poisoned_reading_changes_nothing_for_other_groups(flows, said, poison, cut):
    """All other groups' effects are those of a run without the readings that fail, also over a snapshot, and each of those is counted."""
    sound, hit = Shard(flows), Shard(flows)
    expected, effects = [], []
    for at, (device, value) in enumerate(said):
        expected += sound.step(row(flows, at, (device, float(value))))
        bad = [("bad", BAD)] if at in poison else []
        if at == cut:
            hit = Shard(flows, hit.snapshot())
        effects += hit.step(row(flows, at, (device, float(value)), *bad))
    assert of_others(effects) == of_others(expected)
    count = sum(at in poison for at in range(len(said)))
    failed = [
        one.value for one in effects if isinstance(one, Counted) and (one.scope, one.device, one.term) == ("climate", "bad", "failed")
    ]
    assert max(failed, default=0) == count
    assert [one.reason for one in effects if isinstance(one, Failed)] == ["ZeroDivisionError: a bug"] * count


def test_episode_of_a_group_that_fails_is_cleared_and_undone(flows):
    """What was raised before is cleared with the reason, what it commanded is undone, and the group begins anew."""
    shard = Shard(flows[:1])
    effects = [effect for at in (0, 7) for effect in shard.step(row(flows[:1], at, ("bad", 30.0)))]
    effects += shard.step(row(flows[:1], 8, ("bad", BAD)))
    raised, cleared = [one for one in effects if isinstance(one, AlertChanged)]
    on, off = [one for one in effects if isinstance(one, CommandRequested)]
    assert (cleared.state, cleared.episode, cleared.why["rule"]) == ("cleared", raised.episode, "the flow failed")
    assert (on.settings, off.settings, off.cause) == ({"state": "ON"}, {"state": "OFF"}, cleared.id)
    (failure,) = [one for one in effects if isinstance(one, Failed)]
    assert (failure.flow, failure.group, failure.device) == ("climate", (("device", "bad"),), "bad")
    effects = [effect for at in (20, 27) for effect in shard.step(row(flows[:1], at, ("bad", 20.0)))]
    assert [one.values["warm"] for one in effects if isinstance(one, WindowClosed)] == [20.0]


def test_flow_that_only_fails_is_set_aside_and_tried_again_at_the_next_start(flows):
    """After a hundred failures in a row a flow takes nothing more; the others do. A start gives it one reading to show that it works again."""
    shard = Shard(flows)
    effects = [effect for at in range(MOST_FAILURES + 5) for effect in shard.step(row(flows, at, ("bad", BAD)))]
    aside = [one for one in effects if isinstance(one, Counted) and one.term == "aside"]
    assert [(one.scope, one.value) for one in aside] == [("climate", 1)]
    assert len([one for one in effects if isinstance(one, Failed)]) == MOST_FAILURES
    assert [one.value for one in effects if isinstance(one, Counted) and one.term == "failed"][-1] == MOST_FAILURES + 5
    assert [one.value for one in effects if isinstance(one, Counted) and (one.scope, one.term) == ("every", "windowed")][
        -1
    ] == MOST_FAILURES + 5
    again = Shard(flows, shard.snapshot())
    effects = again.step(row(flows, 200, ("a", 20.0))) + again.step(row(flows, 207, ("a", 20.0)))
    assert [(one.scope, one.value) for one in effects if isinstance(one, Counted) and one.term == "aside"] == [("climate", 0)]
    assert [one.values["warm"] for one in effects if isinstance(one, WindowClosed)] == [20.0]


def test_status_tells_which_flow_failed_and_why(flows, tmp_path):
    """A flow that failed is in the status with its newest reason and its number of readings, and whether it is set aside."""
    shard = Shard(flows)
    with Store(tmp_path / "store.db") as store:
        for at in range(MOST_FAILURES + 5):
            store.write(shard.step(row(flows, at, ("bad", BAD))))
    told = status(tmp_path)["failures"]
    assert told.keys() == {"climate"}
    assert told["climate"] == {
        "readings": MOST_FAILURES + 5,
        "set_aside": True,
        "reason": "ZeroDivisionError: a bug",
        "group": "bad",
        "device": "bad",
        "at": T0,
    }
    assert "climate failed on 105 readings, and takes no more" in " ".join(failure_lines(told))


def test_flow_that_cannot_say_what_it_selects_costs_only_itself(flows, monkeypatch):
    """A `where` that fails leaves the series to all other flows, and is told once for the series."""
    selects = Flow.selects

    def failing(self, reading):
        if self.name == "every":
            raise ZeroDivisionError("a bug")
        return selects(self, reading)

    monkeypatch.setattr(Flow, "selects", failing)
    normaliser, effects, items = Normaliser(flows, []), [], []
    for offset in (1, 2):
        body = pack([Entry("home/t1", b'{"temperature": 20}')])
        for key, part in normaliser.take(Row(offset, Kind.MESSAGES, T0 + offset, offset, 1, 1, True, 1, offset, body)):
            effects += part.effects if key == STORE else []
            items += [] if key == STORE else [flow for flow, _, _ in part.items]
    assert items == ["climate", "climate"]
    assert [(one.flow, one.reason) for one in effects if isinstance(one, Failed)] == [("every", "where: ZeroDivisionError: a bug")]


def test_failed_readings_are_a_term_of_the_ledger():
    """A flow's readings are windowed, corrected, late or failed: then nothing is missing."""
    counters = [("select", "", "t1", "climate", 3), ("shard-0", "climate", "t1", "windowed", 2), ("shard-0", "climate", "t1", "failed", 1)]
    ledger = balance(Books(0, 0, counters, {}, at_rest=True))
    assert ledger.balanced
    assert ledger.flows["climate"]["failed"] == 1
