"""Triggers: hysteresis, hold and cooldown."""

import pytest

from flows.triggers import Trigger

S = 1_000_000_000


class Above:
    """A condition on one value, None where it is missing."""

    def __init__(self, limit, *, below=False):
        self.limit, self.below, self.source = limit, below, f"x {'<' if below else '>'} {limit}"

    def holds(self, values):
        x = values.get("x")
        return None if x is None else (x < self.limit if self.below else x > self.limit)


def changes(trigger, values, step=10 * S):
    state = trigger.new()
    return [trigger.step(state, {"x": x}, since=i * step, time=(i + 1) * step) for i, x in enumerate(values)]


@pytest.mark.parametrize(
    ("trigger", "values", "expected"),
    [
        (Trigger(Above(28)), [27, 29, 29, 27], [None, "raised", None, "cleared"]),
        (Trigger(Above(28), Above(26, below=True)), [29, 27, 29, 25], ["raised", None, None, "cleared"]),
        (Trigger(Above(28), hold_count=2), [29, 27, 29, 29, 27], [None, None, None, "raised", "cleared"]),
        (Trigger(Above(28), hold_time=30 * S), [29, 29, 29, 29], [None, None, "raised", None]),
        (Trigger(Above(28), cooldown=25 * S), [29, 27, 29, 29, 29], ["raised", "cleared", None, None, "raised"]),
        (Trigger(Above(28)), [29, None, 29, 27, None], ["raised", None, None, "cleared", None]),
        (Trigger(Above(28), hold_count=2), [29, None, 29], [None, None, "raised"]),
    ],
    ids=["plain", "hysteresis", "hold-count", "hold-time", "cooldown", "missing-changes-nothing", "missing-does-not-break-a-streak"],
)
def test_trigger_changes(trigger, values, expected):
    """An episode is raised and cleared as the rule says."""
    assert changes(trigger, values) == expected
