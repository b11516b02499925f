"""Scores: which alert is of which fault, and what recall, precision and delay come to."""

from __future__ import annotations

import pytest

from gateway.store.effects import AlertChanged
from gateway.store.views import CommandStatus, Letter
from gateway.truth.answers import AnswerScore, answers
from gateway.truth.damage import DamageScore, damage
from gateway.truth.evidence import Episode, Evidence
from gateway.truth.fault import Fault
from gateway.truth.score import score
from gateway.truth.watcher import Watcher

S = 10**9
T0 = 1_760_000_000 * S
GRACE = 10 * S
SPIKES = Watcher("spikes", frozenset({"spike"}), frozenset({"temperature"}))


def fault(start, end, *, kind="spike", device="press-1", metric="temperature", **known):
    return Fault(device=device, metric=metric, kind=kind, start=T0 + start * S, end=T0 + end * S, **known)


def raised(time, *, at=None, group=(("device", "press-1"),), cleared=None):
    when, decided = T0 + round(time * S), T0 + round((time if at is None else at) * S)
    alert = AlertChanged(f"a-{time}", f"e-{time}", "spikes", group, "raised", "warning", "odd", {}, when, decided)
    return Episode(alert, None if cleared is None else T0 + cleared * S)


def scored(faults, episodes, *watchers, labels=None, since=0, until=1000, grace=GRACE, flow="spikes"):
    evidence = Evidence(T0 + since * S, T0 + until * S, {flow: episodes}, labels=labels or {})
    return score(sorted(faults, key=lambda one: one.start), evidence, watchers or [SPIKES], grace=grace)


def test_fault_is_found_by_the_first_alert_in_it():
    """Further alerts in it are neither better nor false; delay is from its start to when the alert was decided."""
    found = scored([fault(100, 110)], [raised(102, at=103), raised(105, at=106)])
    spike = found.kinds["spike"]
    assert (spike.faults, spike.found, spike.recall, spike.precision, spike.delay) == (1, 1, 1.0, 1.0, (3 * S, 3 * S))
    assert (found.missed, found.false_alerts, found.flows["spikes"].own) == ([], [], 2)


def test_alert_outside_of_every_fault_is_false():
    """Before the start, beyond the grace, of another device, or of another metric."""
    others = [
        raised(99),
        raised(121),
        raised(105, group=(("device", "press-2"),)),
        raised(104, group=(("device", "press-1"), ("metric", "x"))),
    ]
    found = scored([fault(100, 110)], others)
    assert (found.kinds["spike"].recall, found.kinds["spike"].precision) == (0.0, 0.0)
    assert {one.id for one in found.false_alerts} == {"a-99", "a-121", "a-105", "a-104"}
    assert [one.reason for one in found.missed] == ["an episode of spikes was open already"]


@pytest.mark.parametrize(("time", "wait", "found"), [(100, 0, 1), (120, 0, 1), (120.001, 0, 0), (124, 5, 1), (126, 5, 0)])
def test_alert_counts_up_to_the_grace_and_what_its_flow_waits(time, wait, found):
    """Both ends included."""
    watcher = Watcher("spikes", SPIKES.finds, SPIKES.metrics, wait * S)
    assert scored([fault(100, 110)], [raised(time)], watcher).kinds["spike"].found == found


def test_alert_is_in_a_fault_by_its_event_time_or_by_when_it_was_decided():
    """A clock that is behind stamps too early; what was kept while offline is decided late."""
    skewed = scored([fault(100, 110)], [raised(40, at=104)])
    assert skewed.kinds["spike"].delay == (4 * S, 4 * S)
    flushed = scored([fault(100, 110)], [raised(105, at=300)])
    assert flushed.kinds["spike"].delay == (200 * S, 200 * S)
    ahead = scored([fault(100, 110)], [raised(105, at=20)])
    assert ahead.kinds["spike"].delay == (5 * S, 5 * S)


def test_episode_that_was_open_before_finds_nothing():
    """It told nobody of the fault; that it was open is said."""
    found = scored([fault(100, 110), fault(300, 310)], [raised(50, cleared=200)])
    assert [one.reason for one in found.missed] == ["an episode of spikes was open already", "no alert"]


def test_fault_of_a_metric_that_no_flow_looks_at_is_missed():
    """And says so; a fault of the whole device is anyone's."""
    found = scored([fault(100, 110, metric="pressure"), fault(200, 210, metric=None)], [raised(105), raised(205)])
    assert [one.reason for one in found.missed] == ["no flow that finds spike has to do with pressure"]
    assert (found.kinds["spike"].found, len(found.false_alerts)) == (1, 1)


def test_alert_in_a_fault_of_another_kind_is_not_false():
    """Something was wrong with the device; it finds nothing, and is counted apart."""
    found = scored([fault(100, 110, kind="unit-flip"), fault(200, 210)], [raised(105)])
    assert (found.kinds["spike"].precision, found.kinds["spike"].recall) == (1.0, 0.0)
    assert (found.flows["spikes"].other, found.unwatched) == (1, {"unit-flip": 1})


def test_faults_that_touched_nothing_or_lie_outside_of_the_time_do_not_count():
    """Nor does one that flows had no time to find, even if they did; its alert is not false."""
    faults = [fault(100, 110, messages=0), fault(10, 30), fault(985, 995)]
    found = scored(faults, [raised(990)], since=20)
    assert (found.kinds["spike"].faults, found.kinds["spike"].recall, found.uncounted) == (0, None, 2)
    assert found.kinds["spike"].precision == 1.0


def test_alerts_before_the_time_are_not_judged():
    """They may be of faults that nobody labelled."""
    assert scored([], [raised(10)], since=20).kinds["spike"].precision is None


def test_group_by_a_label_is_about_every_device_with_it():
    """One of everything is about every device."""
    labels = {"press-1": {"line": "a"}, "press-2": {"line": "b"}}
    for group, devices in (((("line", "a"),), ["press-1"]), ((), ["press-1", "press-2"]), ((("line", "c"), ("channel", "1")), [])):
        found = scored([fault(100, 110), fault(100, 110, device="press-2")], [raised(105, group=group)], labels=labels)
        assert found.kinds["spike"].found == len(devices)
        assert {one.fault.device for one in found.missed} == {"press-1", "press-2"} - {*devices}


def test_flow_that_does_not_say_what_it_finds_watches_for_what_it_found():
    """Damaged messages and commands without an answer are never among it."""
    faults = [fault(100, 110), fault(100, 110, kind="malformed", metric=None), fault(300, 310), fault(400, 410, kind="drift")]
    found = scored(faults, [raised(105), raised(500)], Watcher("spikes"))
    assert (found.flows["spikes"].finds, found.flows["spikes"].inferred) == ({"spike"}, True)
    assert (found.kinds["spike"].recall, found.kinds["spike"].precision) == (0.5, 0.5)
    assert found.unwatched == {"drift": 1}


def letter(number, at, *, device="press-1", topic="press/1"):
    return Letter(
        id=number, topic=topic, payload=b"{", reason="", device=device, received=T0 + at * S, flags=0, state="dead", attempts=0, tried=-1,
        tried_at=None, outcome="", keys=(),
    )  # fmt: skip


def test_damaged_messages_are_held_against_dead_letters():
    """No letter counts for two faults; without a count of messages, there was at least one."""
    letters = [letter(1, 101), letter(2, 105), letter(3, 108), letter(4, 500), letter(5, 700, device="", topic="press/2")]
    faults = [
        fault(100, 110, kind="malformed", metric=None, messages=2),
        fault(104, 110, kind="truncated", metric=None, messages=2),
        fault(600, 610, kind="malformed", metric=None),
        fault(699, 710, kind="malformed", metric=None, device="press-2", topic="press/#"),
        fault(995, 1005, kind="malformed", metric=None, messages=7),
        fault(800, 810, kind="malformed", metric=None, messages=0),
    ]
    found = damage(faults, Evidence(T0, T0 + 1000 * S, {}, letters), grace=GRACE)
    assert found == {"malformed": DamageScore(3, 4, 3), "truncated": DamageScore(1, 2, 1)}
    assert found["truncated"].recall == 0.5


def test_commands_in_faults_of_actuators_are_counted_by_how_they_ended():
    """Those of other devices and times are not."""
    known = {"flow": "f", "settings": {}, "cause": "", "sent": True, "detail": ""}
    commands = [
        CommandStatus(id=str(number), device=device, state=state, attempt=attempt, requested=T0 + at * S, changed=0, **known)
        for number, (device, at, state, attempt) in enumerate(
            [
                ("fan", 101, "confirmed", 1),
                ("fan", 102, "confirmed", 3),
                ("fan", 103, "failed", 3),
                ("fan", 200, "failed", 1),
                ("x", 101, "failed", 1),
            ]
        )
    ]
    faults = [fault(100, 110, kind="nack", device="fan", metric=None), fault(100, 110, device="fan")]
    found = answers(faults, Evidence(T0, T0 + 1000 * S, {}, commands=commands))
    assert found == {"nack": AnswerScore(faults=1, commands=3, confirmed=2, failed=1, retried=2)}
