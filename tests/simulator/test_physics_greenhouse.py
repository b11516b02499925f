"""The greenhouse: warms past 28, cools when the fan runs, saturates when it does not."""

import pytest

from simulator.nanoseconds import SECOND
from simulator.physics import Greenhouse, GreenhouseSpec


@pytest.fixture(params=range(5))
def house(request):
    return Greenhouse(GreenhouseSpec(kind="greenhouse"), seed=request.param)


def _run(house, first, last):
    """Temperatures at every second from first to last."""
    temperatures = []
    for second in range(first, last + 1):
        house.advance(second * SECOND)
        temperatures.append(house.quantities()["temperature"])
    return temperatures


def test_greenhouse_warms(house):
    """From 24 °C it passes 28 °C within 12 s."""
    assert house.quantities()["temperature"] == 24
    assert _run(house, 1, 12)[-1] > 28


@pytest.mark.parametrize("started", [12, 24, 60, 300])
def test_greenhouse_fan_cools(house, started):
    """Whenever the fan starts, it is below 26 °C within 12 s, and stays there."""
    _run(house, 1, started)
    house.switch("fan", on=True)
    temperatures = _run(house, started + 1, started + 60)
    assert all(temperature < 26 for temperature in temperatures[12:])


def test_greenhouse_without_fan(house):
    """Without the fan it saturates between 36 and 38 °C and never falls back below 28."""
    temperatures = _run(house, 1, 600)
    assert all(temperature > 28 for temperature in temperatures[12:])
    assert all(36 < temperature < 38 for temperature in temperatures[120:])


def test_greenhouse_cycles(house):
    """With the fan off again it warms again."""
    _run(house, 1, 24)
    house.switch("fan", on=True)
    _run(house, 25, 45)
    house.switch("fan", on=False)
    assert _run(house, 46, 66)[-1] > 28


def test_greenhouse_humidity_follows(house):
    """The warmer, the drier, within what air can hold; the fan brings it back."""
    damp = house.quantities()["humidity"]
    _run(house, 1, 24)
    dry = house.quantities()["humidity"]
    house.switch("fan", on=True)
    _run(house, 25, 60)
    assert 0 < dry < damp - 3
    assert dry + 3 < house.quantities()["humidity"] <= 100


def test_greenhouse_energy(house):
    """Energy is power over time: 120 W for an hour, and 370 W more while the fan runs."""
    house.advance(1800 * SECOND)
    house.switch("fan", on=True)
    house.advance(3600 * SECOND)
    assert house.quantities()["energy"] == pytest.approx(0.120 + 0.370 / 2)
    assert house.quantities()["power"] == 490


def test_greenhouse_numbers():
    """With nothing but the fan in play the house goes as it always has: demos and recordings count on it."""
    house = Greenhouse(GreenhouseSpec(kind="greenhouse"), seed=20260701)
    seen = []
    for second, fan in ((24, True), (36, False), (60, False)):
        seen += _run(house, second, second)
        house.switch("fan", on=fan)
    assert seen == pytest.approx([32.76858973730191, 24.991301619231056, 32.946299552702094], rel=1e-12)


@pytest.mark.parametrize(("actuator", "warmest"), [("vent", 27.5), ("fan", 24)])
def test_greenhouse_ventilated(house, actuator, warmest):
    """At noon the vent alone keeps it within what the flow wants to clear, and the fan does better."""
    house.switch(actuator, on=True)
    assert max(_run(house, 60, 120)) < warmest


def test_greenhouse_night():
    """From noon on the sun goes down and comes back, and without it the house falls to the outside's temperature."""
    house = Greenhouse(GreenhouseSpec(kind="greenhouse", day="4m", clouds=0), seed=1)
    light = []
    for second in (0, 30, 60, 120, 180, 210, 240):
        house.advance(second * SECOND)
        light.append(house.quantities()["illuminance"])
    assert light == pytest.approx([60_000, 60_000 * 0.5**0.5, 0, 0, 0, 60_000 * 0.5**0.5, 60_000], abs=1e-6)
    assert min(_run(house, 241, 480)) == pytest.approx(15, abs=0.2)


@pytest.mark.parametrize(
    ("on", "above"), [({"heater"}, 16), ({"lamp"}, 4), ({"heater", "lamp"}, 20), ({"heater", "vent"}, 16 / 1.9), (set(), 0)]
)
def test_greenhouse_heated(on, above):
    """At night heater and lamp heat by what the spec says, and an open vent lets it out again."""
    house = Greenhouse(GreenhouseSpec(kind="greenhouse", sun=0), seed=1)
    for actuator in on:
        house.switch(actuator, on=True)
    house.advance(600 * SECOND)
    assert house.quantities()["temperature"] == pytest.approx(15 + above)


def test_greenhouse_lamp_lights():
    """The lamp adds its light and draws its power, the heater draws its own, and the vent draws none."""
    house = Greenhouse(GreenhouseSpec(kind="greenhouse", day="4m", hour=0), seed=1)
    for actuator in house.actuators:
        house.switch(actuator, on=True)
    seen = house.quantities()
    assert seen["illuminance"] == 18_000
    assert (seen["fan_power"], seen["heater_power"], seen["lamp_power"]) == (370, 2000, 600)
    assert seen["power"] == 120 + 370 + 2000 + 600
