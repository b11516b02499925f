"""The battery: empty after a night in which nothing is shed, fuller after a day of sun if it is, and no energy is lost on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulator.nanoseconds import HOUR, SECOND
from simulator.physics import Battery, BatterySpec

STEP = SECOND // 10


def _battery(seed=1, **spec):
    return Battery(BatterySpec(kind="battery", **spec), seed=seed)


def _run(battery, first, last):
    """How full it is at every second from first to last."""
    charges = []
    for second in range(first, last + 1):
        battery.advance(second * SECOND)
        charges.append(battery.quantities()["battery"])
    return charges


@pytest.mark.parametrize("seed", range(3))
def test_battery_nothing_shed(seed):
    """From the evening on it falls below 20 % within 70 s, and is empty before the night is over."""
    battery = _battery(seed)
    charges = _run(battery, 1, 130)
    assert charges[70] < 20
    assert charges[-1] == 0
    assert battery.quantities()["load_power"] == 0


@pytest.mark.parametrize("seed", range(3))
def test_battery_load_shed(seed):
    """With the load shed at once it lasts the night, and the next day fills it further than it was."""
    battery = _battery(seed)
    battery.switch("load", on=False)
    charges = _run(battery, 1, 240)
    assert min(charges) > 10
    assert charges[-1] > 70


def test_battery_charger():
    """The charger charges at night with the load shed, and shows on voltage and current."""
    battery = _battery()
    battery.advance(20 * SECOND)
    drained = battery.quantities()
    battery.switch("load", on=False)
    battery.switch("charger", on=True)
    charged = battery.quantities()
    assert drained["current"] < 0 < charged["current"]
    assert drained["voltage"] < charged["voltage"]
    assert charged["power"] == pytest.approx(1200 - 350)
    assert charged["power"] == pytest.approx(charged["voltage"] * charged["current"])


def test_battery_full():
    """A full battery takes nothing: the charger tapers off first, and the panels give what is drawn."""
    battery = _battery(start=100, hour=12, clouds=0)
    battery.switch("charger", on=True)
    seen = battery.quantities()
    assert (seen["battery"], seen["current"], seen["charger_power"]) == (100, 0, 0)
    assert seen["pv_power"] == pytest.approx(seen["load_power"])
    assert seen["load_power"] == 350 + 900


@settings(max_examples=30, deadline=None)
@given(
    play=st.lists(st.tuples(st.integers(1, 400), st.booleans(), st.booleans()), max_size=10),
    start=st.floats(0, 100),
    hour=st.floats(0, 23.9),
)
def test_battery_energy_is_kept(play, start, hour):
    """Whatever is switched, what panels and charger gave is what was drawn, what the battery took up, and what warmed it."""
    spec = BatterySpec(kind="battery", start=start, hour=hour)
    battery, now, stored, lost = Battery(spec, seed=1), 0, 0.0, 0.0
    begin = battery.quantities()["battery"]
    for tenths, load, charger in play:
        battery.switch("load", on=load)
        battery.switch("charger", on=charger)
        for _ in range(tenths):
            seen = battery.quantities()
            heat = spec.resistance * seen["current"] ** 2
            lost += heat * STEP / HOUR
            stored += (seen["power"] - heat) * STEP / HOUR
            now += STEP
            battery.advance(now)
    seen = battery.quantities()
    gave, drawn = (seen["pv_energy"] + seen["charger_energy"]) * 1000, seen["load_energy"] * 1000
    assert gave == pytest.approx(drawn + stored + lost, abs=1e-6)
    # What a battery with a voltage that rises in a line has stored is the area under that line.
    voltage = [spec.empty_voltage + (spec.full_voltage - spec.empty_voltage) * charge / 100 for charge in (begin, seen["battery"])]
    assert stored == pytest.approx(spec.capacity * (seen["battery"] - begin) / 100 * sum(voltage) / 2, abs=0.05)


def test_battery_sun():
    """A day has a night: from noon on irradiance falls to 0 at six, and is back at noon."""
    battery = _battery(hour=12, clouds=0)
    light = []
    for second in (0, 60, 120, 180, 240):
        battery.advance(second * SECOND)
        light.append(battery.quantities()["irradiance"])
    assert light == pytest.approx([1000, 0, 0, 0, 1000], abs=1e-6)


def test_battery_spec_refused():
    """A battery whose voltage falls as it fills is none."""
    with pytest.raises(ValidationError, match="full_voltage must be no lower than empty_voltage"):
        BatterySpec(kind="battery", full_voltage=40)
