"""Anomaly detectors: one contract for all that are registered."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.detectors import DETECTORS

numbers = st.floats(-1e6, 1e6, allow_nan=False)


def made(name, **params):
    return DETECTORS[name].model_validate({"by": name, "of": "value", "warmup": 5, **params})


@pytest.mark.parametrize("name", DETECTORS)
@given(values=st.lists(numbers, max_size=80))
def test_detector_contract(name, values):
    """Scoring changes nothing; the memory survives MessagePack at any point and stays bounded; the same values give the same scores."""
    detector = made(name)
    memory, again = detector.new(), detector.new()
    for number, value in enumerate(values):
        before = msgspec.msgpack.encode(memory)
        score = detector.score(memory, value)
        assert msgspec.msgpack.encode(memory) == before
        assert score == detector.score(again, value)
        assert (score is None) == (number < 5)
        assert score is None or 0.0 <= score <= 1000.0
        detector.learn(memory, value)
        detector.learn(again, value)
        memory = msgspec.msgpack.decode(msgspec.msgpack.encode(memory))
    assert memory == again
    assert len(msgspec.msgpack.encode(memory)) <= 9 * 64


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_finds_a_spike_and_not_the_noise(name):
    """Regular noise scores low, a spike scores high, and the values after the spike score low again."""
    detector = made(name)
    memory = detector.new()
    for step in range(200):
        detector.learn(memory, 20.0 + (step * 7 % 11) / 10)
    assert detector.score(memory, 20.6) < 2.0
    assert detector.score(memory, 30.0) > 8.0
    detector.learn(memory, 30.0)
    assert detector.score(memory, 20.6) < 2.0


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_of_what_never_varies(name):
    """After one and the same value for ever, that value is usual and any other is as far as can be."""
    detector = made(name)
    memory = detector.new()
    for _ in range(20):
        detector.learn(memory, 5.0)
    assert detector.score(memory, 5.0) == 0.0
    assert detector.score(memory, 5.1) == 1000.0
