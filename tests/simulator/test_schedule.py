"""The schedule of faults: found from any moment on as from the beginning."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.faults.schedule import Schedule
from simulator.faults.values import SpikeSpec
from simulator.nanoseconds import SECOND


@st.composite
def specs(draw):
    length = draw(st.integers(1, 50))
    every = draw(st.none() | st.integers(length, 200))
    at = draw(st.integers(0, 500) | (st.nothing() if every is None else st.just("random")))
    chance = 1.0 if every is None else draw(st.sampled_from([1.0, 0.5]))
    return SpikeSpec.model_validate({"kind": "spike", "at": at, "for": length, "size": 1, "every": every, "chance": chance})


def _key(occurrence):
    return (occurrence.number, occurrence.start, occurrence.end)


@settings(max_examples=200, deadline=None)
@given(spec=specs(), moment=st.integers(0, 3000), seed=st.integers(0, 100))
def test_schedule_from_any_moment(spec, moment, seed):
    """Going from occurrence to occurrence gives what asking at a moment gives; they lie in their cycle and do not overlap."""
    schedule = Schedule(spec, seed=seed, name="fault/0/probe")
    walked, at = [], 0
    while (occurrence := schedule.after(at)) is not None and occurrence.start <= 4000 * SECOND:
        walked.append(occurrence)
        at = occurrence.end
    for before, after in pairwise(walked):
        assert before.end <= after.start
    for occurrence in walked:
        assert occurrence.end - occurrence.start == spec.for_
        if spec.at == "random":
            assert occurrence.number * spec.every <= occurrence.start
            assert occurrence.end <= (occurrence.number + 1) * spec.every
    asked = schedule.after(moment * SECOND)
    expected = next((one for one in walked if one.end > moment * SECOND), None)
    if expected is not None:
        assert _key(asked) == _key(expected)


def test_schedule_differs_between_devices():
    """At random means at another moment for each device, and the same again with the same seed."""
    spec = SpikeSpec.model_validate({"kind": "spike", "at": "random", "for": 1, "size": 1, "every": 1000})
    starts = [Schedule(spec, seed=1, name=f"fault/0/probe-{number}").after(0).start for number in range(20)]
    assert len(set(starts)) == 20
    assert starts == [Schedule(spec, seed=1, name=f"fault/0/probe-{number}").after(0).start for number in range(20)]
