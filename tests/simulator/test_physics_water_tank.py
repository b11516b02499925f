"""The water tank: empties without its pump, runs over with it, and no water is lost on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.nanoseconds import HOUR, SECOND
from simulator.physics import WaterTank, WaterTankSpec

STEP = SECOND // 10


def _tank(seed=1, **spec):
    return WaterTank(WaterTankSpec(kind="water_tank", **spec), seed=seed)


@pytest.mark.parametrize("seed", range(3))
def test_water_tank_without_pump(seed):
    """From 60 % it is below 25 % within 40 s and dry within 80 s, and then nothing flows."""
    tank = _tank(seed)
    tank.advance(40 * SECOND)
    assert tank.quantities()["level"] < 25
    tank.advance(80 * SECOND)
    seen = tank.quantities()
    assert (seen["level"], seen["flow_out"], seen["pressure"]) == (0, 0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_water_tank_pump_never_off(seed):
    """With the pump always on it runs over within a minute."""
    tank = _tank(seed)
    tank.switch("pump", on=True)
    tank.advance(60 * SECOND)
    seen = tank.quantities()
    assert seen["level"] == 100
    assert seen["overflow"] > 0


@settings(max_examples=30, deadline=None)
@given(
    play=st.lists(st.tuples(st.integers(1, 300), st.booleans(), st.booleans()), max_size=10),
    start=st.floats(0, 100),
    leak=st.none() | st.fixed_dictionaries({"at": st.sampled_from(["0s", "10s"]), "rate": st.floats(0.1, 20)}),
)
def test_water_tank_water_is_kept(play, start, leak):
    """Whatever is switched, what came is what went, what ran over and what is there more than before."""
    tank, now = _tank(start=start, leak=leak), 0
    begin = tank.quantities()["volume"]
    for tenths, pump, valve in play:
        tank.switch("pump", on=pump)
        tank.switch("valve", on=valve)
        now += tenths * STEP
        tank.advance(now)
    seen = tank.quantities()
    assert seen["volume_in"] == pytest.approx(seen["volume_out"] + seen["overflow"] + seen["volume"] - begin, abs=1e-9)
    assert 0 <= seen["level"] <= 100


def test_water_tank_valve_shut():
    """Nothing leaves a tank whose valve is shut, neither to consumers nor by the leak behind it."""
    tank = _tank(leak={"at": "10s", "rate": 3})
    tank.advance(20 * SECOND)
    assert tank.quantities()["water_leak"] == 1
    tank.switch("valve", on=False)
    level = tank.quantities()["level"]
    tank.advance(60 * SECOND)
    seen = tank.quantities()
    assert (seen["level"], seen["flow_out"], seen["water_leak"]) == (level, 0, 0)


def test_water_tank_leak():
    """From its time on a leak shows as what goes out and reaches no consumer, as much as Torricelli's law has it."""
    tank = _tank(leak={"at": "10s", "rate": 3}, start=100, demand=0)
    tank.advance(10 * SECOND - STEP)
    assert (tank.quantities()["flow_out"], tank.quantities()["water_leak"]) == (0, 0)
    tank.advance(10 * SECOND)
    assert tank.quantities()["flow_out"] == 3
    while tank.quantities()["level"] > 25:
        tank.advance(tank.state()["steps"] * STEP + STEP)
    seen = tank.quantities()
    assert seen["flow_out"] == pytest.approx(3 * (seen["level"] / 100) ** 0.5)
    assert seen["flow_out"] == pytest.approx(1.5, abs=0.02)


def test_water_tank_pressure():
    """Two metres of water are 195.8 hPa."""
    assert _tank(start=100).quantities()["pressure"] == pytest.approx(195.8, abs=0.05)
    assert _tank(start=50).quantities()["depth"] == 1


def test_water_tank_energy():
    """Energy is the pump's power while it runs."""
    tank = _tank()
    tank.advance(HOUR // 2)
    tank.switch("pump", on=True)
    assert tank.quantities()["power"] == 750
    tank.advance(HOUR)
    assert tank.quantities()["energy"] == pytest.approx(0.375)
