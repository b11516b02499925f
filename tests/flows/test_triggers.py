"""Triggers: hysteresis, hold, cooldown and debounce, whatever is watched; and silence."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.triggers import RateOfChange, Stuck, Threshold, Trigger
from flows.triggers.trigger import CLEARED_AT, EPISODE

S = 1_000_000_000


class Above:
    """A condition on one value, None where it is missing."""

    def __init__(self, limit, *, below=False):
        self.limit, self.below, self.source = limit, below, f"x {'<' if below else '>'} {limit}"

    def holds(self, values):
        x = values.get("x")
        return None if x is None else (x < self.limit if self.below else x > self.limit)


def above(clear=None, **timing):
    return Trigger(Threshold(Above(28), clear), **timing)


def changes(trigger, values, step=10 * S):
    state, found = trigger.new(), []
    for i, x in enumerate(values):
        found.append(trigger.step(state, {"x": x}, since=i * step, time=(i + 1) * step))
        state = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    return found


@pytest.mark.parametrize(
    ("trigger", "values", "expected"),
    [
        (above(), [27, 29, 29, 27], [None, "raised", None, "cleared"]),
        (above(Above(26, below=True)), [29, 27, 29, 25], ["raised", None, None, "cleared"]),
        (above(hold_count=2), [29, 27, 29, 29, 27], [None, None, None, "raised", "cleared"]),
        (above(hold_time=30 * S), [29, 29, 29, 29], [None, None, "raised", None]),
        (above(cooldown=25 * S), [29, 27, 29, 29, 29], ["raised", "cleared", None, None, "raised"]),
        (above(), [29, None, 29, 27, None], ["raised", None, None, "cleared", None]),
        (above(hold_count=2), [29, None, 29], [None, None, "raised"]),
        (above(debounce=15 * S), [29, 29, 29, 27, 29, 27, 27, 27], [None, None, "raised", None, None, None, None, "cleared"]),
        (
            Trigger(RateOfChange("x", above=5.0, below=-5.0, per=10 * S)),
            [20, 30, 31, 20, 21],
            [None, "raised", "cleared", "raised", "cleared"],
        ),
        (Trigger(Stuck("x", flat=20 * S, within=0.5)), [1.0, 1.2, 1.4, 9.0, 9.0], [None, None, "raised", "cleared", None]),
        (Trigger(Stuck("x", flat=20 * S, within=0.0)), ["on", "on", "on", "off"], [None, None, "raised", "cleared"]),
    ],
    ids=[
        *("plain", "hysteresis", "hold-count", "hold-time", "cooldown", "missing-changes-nothing", "missing-does-not-break-a-streak"),
        *("debounce", "rate", "stuck", "stuck-text"),
    ],
)
def test_trigger_changes(trigger, values, expected):
    """An episode is raised and cleared as the rule says, from a state that went through MessagePack at every step."""
    assert changes(trigger, values) == expected


def test_hold_without_further_values_is_raised_at_the_very_moment():
    """Where nothing more is said, what holds is raised when it has held long enough, and not when someone looks."""
    trigger = above(hold_time=30 * S)
    state = trigger.new()
    assert trigger.step(state, {"x": 29}, since=5 * S, time=5 * S) is None
    assert trigger.due(state) == 35 * S
    assert trigger.pass_to(state, 34 * S) is None
    assert trigger.pass_to(state, 60 * S) == "raised"
    assert state[EPISODE] == 35 * S
    assert trigger.due(state) is None


def test_debounced_calm_clears_at_the_very_moment():
    """What is over for long enough without another word is cleared then; a bounce in between starts anew."""
    trigger = above(debounce=10 * S)
    state = trigger.new()
    trigger.step(state, {"x": 29}, since=0, time=0)
    assert trigger.pass_to(state, 10 * S) == "raised"
    trigger.step(state, {"x": 20}, since=20 * S, time=20 * S)
    trigger.step(state, {"x": 29}, since=25 * S, time=25 * S)
    assert trigger.due(state) is None
    trigger.step(state, {"x": 20}, since=30 * S, time=30 * S)
    assert trigger.pass_to(state, 99 * S) == "cleared"
    assert state[CLEARED_AT] == 40 * S


def test_silence_goes_by_the_journals_clock():
    """A group is silent when its time without a word has passed by the journal's clock, and heard again with the next one."""
    trigger = Trigger(None, silence=60 * S)
    state = trigger.new()
    assert trigger.silence_due(state) is None, "what was never heard is not silent"
    assert trigger.hear(state, clock=5 * S, at=1_000 * S) is None
    assert trigger.silence_due(state) == 65 * S
    assert trigger.fall_silent(state, 64 * S) is None
    assert trigger.fall_silent(state, 70 * S) == "raised"
    assert state[EPISODE] == 1_060 * S
    assert trigger.silence_due(state) is None
    assert trigger.hear(state, clock=90 * S, at=5_000 * S) == "cleared"
    assert state[CLEARED_AT] == 5_000 * S


def test_rate_compares_with_the_value_before():
    """Two values at one time have no rate, and a missing value is passed over."""
    watch = RateOfChange("x", above=1.0, below=None, per=S)
    memory = watch.new()
    said = [({"x": 1.0}, 0), ({"x": 9.0}, 0), ({"x": None}, S), ({"x": 3.0}, S)]
    assert [watch.look(memory, values, time, raised=False) for values, time in said] == [None, None, None, False]
    assert said[-1][0]["rate"] == -6.0


@given(values=st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_stuck_finds_the_longest_flat_stretch(values):
    """What `flat_for` says is how long the largest less the smallest has been within the limit, looking back from now."""
    watch = Stuck("x", flat=5 * S, within=3.0)
    memory = watch.new()
    for now in range(len(values)):
        seen = {"x": float(values[now])}
        held = watch.look(memory, seen, now * S, raised=False)
        memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory))
        flat = next(at for at in range(now + 1) if max(values[at : now + 1]) - min(values[at : now + 1]) <= 3)
        assert seen["flat_for"] == now - flat
        assert held == (now - flat >= 5)
