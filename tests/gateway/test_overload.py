"""What may come in: shedding where the flows cannot keep up, and where one topic brings too much."""

from __future__ import annotations

import pytest

from gateway.link.overload import Overload
from gateway.link.quota import Quota

SECOND = 10**9


def run(overload, steps):
    """Have the flows be seen once a second at (messages read, seconds behind); give whether they counted as overloaded each time."""
    found = []
    for second, (messages, behind) in enumerate(steps, start=100):
        overload.note(messages=messages, behind=int(behind * SECOND), now=float(second))
        found.append(overload.overloaded)
    return found


@pytest.mark.parametrize(
    ("steps", "overloaded"),
    [
        ([(1000 * n, n) for n in range(12)], [False] * 8 + [True] * 4),
        ([(1000 * n, 100 - n) for n in range(12)], [False] * 12),
        ([(1000, n) for n in range(20)], [False] * 20),
        ([(1000 * n, 0) for n in range(5)], [False] * 5),
        ([(10 * n, 6 + n) for n in range(5)] + [(90, 5), (100, 3), (110, 2), (120, 1)], [False] * 3 + [True] * 4 + [False] * 2),
        ([(10 * n, 6 + n) for n in range(5)] + [(50, 12), (50, 13), (50, 14), (50, 15)], [False] * 3 + [True] * 5 + [False]),
    ],
    ids=["falls behind", "catches up", "down", "keeps up", "recovers", "dies"],
)
def test_overload_is_reading_on_and_falling_behind(steps, overloaded):
    """Only flows that read on, are beyond `limits.lag` and come no closer are overloaded; not those that are down or catch up."""
    assert run(Overload(5 * SECOND), steps) == overloaded


def test_overload_sheds_what_the_loud_bring_beyond_their_share():
    """Of 100 messages a second that the flows read, quiet topics keep all of theirs, and the loud one what is left; QoS 1 is let through."""
    overload = Overload(SECOND)
    run(overload, [(100 * n, 3 + n) for n in range(6)])
    assert overload.overloaded

    def second(now):
        loud = sum(overload.allows("loud", qos=0, now=now) for _ in range(1000))
        quiet = [overload.allows(f"quiet/{n}", qos=0, now=now) for n in range(40)]
        return loud, sum(quiet), overload.allows("sure", qos=1, now=now)

    assert second(106.0) == (1000, 40, True)  # the first second only counts
    assert second(107.0) == (49, 40, True)  # 90 % of 100 a second, less 41


def test_overload_goes_by_fresh_news_only():
    """When nobody says any more where the flows are, nothing is shed."""
    overload = Overload(SECOND)
    run(overload, [(100 * n, 2 + n) for n in range(6)])
    assert all(overload.allows("loud", qos=0, now=200.0) for _ in range(1000))
    assert not overload.overloaded


def test_quota_remembers_a_bounded_number_of_topics():
    """A million topics take no more room than a hundred thousand: who was silent longest is forgotten."""
    quota = Quota(1)
    for number in range(100_010):
        assert quota.allows(f"t/{number}", now=0.0)
    assert len(quota._buckets) == 100_000
