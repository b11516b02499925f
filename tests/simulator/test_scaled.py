"""A scenario with other numbers: devices, rate, seed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.nanoseconds import SECOND
from simulator.scenario import Scenario
from simulator.scenario.scaled import ScaleError, scaled


def _scenario(*counts):
    groups = [
        {"name": f"g{number}", "count": count, "convention": "plain_json", "every": f"{number + 1}s", "metrics": {"x": {"base": 1}}}
        for number, count in enumerate(counts)
    ]
    fan = {"name": "fan", "convention": "plain_json", "acts": "fan", "every": "5s"}
    return Scenario.model_validate({"name": "hall", "physics": {"kind": "greenhouse"}, "devices": [*groups, fan]})


@settings(max_examples=100, deadline=None)
@given(counts=st.lists(st.integers(1, 300), min_size=1, max_size=6), more=st.integers(0, 2000), rate=st.floats(0.1, 10_000))
def test_scaled_devices_and_rate(counts, more, rate):
    """There are as many devices as asked for, groups keep their share to within one, the actuator stays one; and the rate is as asked for."""
    wanted = len(counts) + 1 + more
    other = scaled(_scenario(*counts), devices=wanted, rate=rate)
    assert len(other.members()) == wanted
    assert [group.count for group in other.devices][-1] == 1
    assert min(group.count for group in other.devices) >= 1
    assert sum(group.count * SECOND / group.every for group in other.devices) == pytest.approx(rate, rel=1e-3)


def test_scaled_keeps_proportions():
    """Ten times as many devices are ten times as many in each group, nearly."""
    assert [group.count for group in scaled(_scenario(10, 20, 70), devices=1001).devices] == [100, 200, 700, 1]


def test_scaled_too_few():
    """Each group needs a device."""
    with pytest.raises(ScaleError, match="3 groups of devices, 1 of them actuators: got 2 devices"):
        scaled(_scenario(1, 1), devices=2)


@pytest.mark.parametrize("rate", [float("inf"), float("nan"), 1e9])
def test_scaled_too_fast(rate):
    """A fleet that could not keep up is refused: there is load for that."""
    with pytest.raises(ScaleError, match="at most 20,000 reports a second"):
        scaled(_scenario(1), rate=rate)


def test_scaled_load():
    """A load gets its own numbers, and its rules are held."""
    load = Scenario.model_validate({"name": "load", "load": {"devices": 10, "rate": 5, "connections": 4}})
    assert scaled(load, devices=100, rate=50.0).load.model_dump(include={"devices", "rate"}) == {"devices": 100, "rate": 50.0}
    with pytest.raises(ScaleError, match="connections"):
        scaled(load, devices=2)
