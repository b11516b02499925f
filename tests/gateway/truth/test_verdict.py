"""A truth file held against a real store: which flows are judged, the document, and what a terminal shows."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from gateway.store.effects import AlertChanged, DeadLettered, DeviceLearned, Progressed
from gateway.store.store import Store
from gateway.truth.document import verdict_document
from gateway.truth.drawing import show
from gateway.truth.verdict import judge
from gateway.truth.watcher import Watcher

S = 10**9
T0 = 1_760_000_000 * S
SPIKES = Watcher("spikes", frozenset({"spike"}))


def alert(flow, number, time, state="raised"):
    at = T0 + time * S
    return AlertChanged(f"a-{flow}-{number}-{state}", f"e-{flow}-{number}", flow, (("device", "d"),), state, "warning", "odd", {}, at, at)


@pytest.fixture
def folder(tmp_path):
    """A store with two flows' alerts and a dead letter, and a truth file."""
    with Store(tmp_path / "store.db") as store:
        store.write(
            [
                DeviceLearned("d", "plain_json", "", {"line": "a"}, T0),
                alert("spikes", 0, 11),
                alert("fan", 0, 12),
                alert("spikes", 1, 15),
                alert("spikes", 2, 90),
                alert("spikes", 2, 150, "cleared"),
                alert("spikes", 3, 200),
                DeadLettered(1 << 20, "home/d", b"{", "no JSON", "d", T0 + 301 * S),
                Progressed(10, 10, T0 + 1000 * S),
            ]
        )
    faults = [("spike", 10, 20, {}), ("spike", 100, 110, {}), ("malformed", 300, 310, {"messages": 1}), ("drift", 400, 500, {})]
    lines = [{"device": "d", "metric": None, "kind": kind, "start": T0 + a * S, "end": T0 + b * S, **more} for kind, a, b, more in faults]
    (tmp_path / "truth.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return tmp_path


@pytest.fixture
def verdict(folder):
    """Give the verdict with some flows, as asked."""

    def give(*watchers, **asked):
        return judge(folder / "truth.jsonl", folder / "store.db", watchers, **asked)

    return give


def test_document_has_the_scores_by_kind_and_flow(verdict):
    """With what was missed and false, and what no flow watches for."""
    document = json.loads(json.dumps(verdict_document(verdict(SPIKES, Watcher("fan")))))
    assert document["kinds"] == {
        "spike": {"faults": 2, "found": 1, "recall": 0.5, "precision": 0.5, "delay": {"p50": 1.0, "max": 1.0}, "flows": ["spikes"]}
    }
    assert document["flows"] == {"spikes": {"finds": ["spike"], "inferred": False, "alerts": 4, "own": 2, "other": 0, "false": 2}}
    assert [(one["start"], one["reason"]) for one in document["missed"]] == [
        ("2025-10-09T08:55:00.000+00:00", "an episode of spikes was open already")
    ]
    assert [one["id"] for one in document["false_alerts"]] == ["a-spikes-2-raised", "a-spikes-3-raised"]
    assert document["dead_letters"] == {"malformed": {"faults": 1, "sent": 1, "dead_lettered": 1, "recall": 1.0}}
    assert (document["watched"], document["unwatched"], document["left_out"]) == (["spike"], ["drift"], ["fan"])
    assert (document["since"], document["uncounted"]) == ("2025-10-09T08:53:20.000+00:00", 0)


def test_flows_that_do_not_say_what_they_find_are_judged_where_none_does_or_by_name(verdict):
    """A flow of which only its alerts are left is one of them; one that finds nothing by its own words is never judged unless asked for."""
    assert set(verdict().scores.flows) == {"fan", "spikes"}
    assert set(verdict(Watcher("fan", frozenset())).scores.flows) == {"spikes"}
    named = verdict(SPIKES, Watcher("fan"), flows=["fan"])
    assert (set(named.scores.flows), named.left_out, named.scores.flows["fan"].inferred) == ({"fan"}, [], True)


def test_nothing_before_since_counts(verdict):
    """Neither faults nor alerts."""
    later = verdict(SPIKES, since=T0 + 95 * S)
    assert (later.since, later.scores.kinds["spike"].faults, later.scores.flows["spikes"].alerts) == (T0 + 95 * S, 1, 1)


def test_shortfalls_name_each_kind_below_what_is_asked(verdict):
    """Nothing is asked by default."""
    found = verdict(SPIKES)
    assert list(found.shortfalls(recall=None, precision=None)) == []
    assert list(found.shortfalls(recall=0.5, precision=0.5)) == []
    assert list(found.shortfalls(recall=0.9, precision=0.8)) == [
        "spike: recall must be at least 0.9; got 0.500",
        "spike: precision must be at least 0.8; got 0.500",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_show_has_a_table_and_what_was_missed(verdict, terminal):
    """In a terminal and in a file."""
    console = Console(width=120, force_terminal=terminal, color_system=None, record=True)
    show(verdict(SPIKES, Watcher("fan")), console)
    text = console.export_text()
    (row,) = [line.split() for line in text.splitlines() if line.startswith("spike ")]
    assert row == ["spike", "2", "1", "0.50", "0.50", "1.0", "s", "1.0", "s", "spikes"]
    assert "malformed: 1 fault, 1 message damaged, 1 in dead letters ✓" in text
    assert "no flow watches for: drift (1)" in text
    assert "missed 1 fault\n" in text
    assert "2 false alarms: `sluice why ID` shows what stands behind one" in text
    assert "left out, since they do not say what they find (trigger.finds): fan" in text


def test_store_that_has_lost_its_oldest_alerts_speaks_of_the_time_since(folder, verdict):
    """What was deleted can be neither missed nor false."""
    with Store(folder / "store.db") as store:
        store.prune(T0 + 14 * S)
    assert verdict(SPIKES).since == T0 + 15 * S
