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


def test_greenhouse_step_does_not_matter(house):
    """What happens does not depend on how often anybody looks."""
    other = Greenhouse(GreenhouseSpec(kind="greenhouse"), seed=house._dice.state)
    other.restore(house.state())
    for n in range(1, 301):
        house.advance(n * SECOND // 10 + n % 7)
    other.advance(30 * SECOND)
    house.advance(30 * SECOND)
    assert other.state() == house.state()


def test_greenhouse_unknown_actuator(house):
    """An actuator that is not there is refused by name."""
    with pytest.raises(ValueError, match="no actuator 'heater'"):
        house.switch("heater", on=True)
