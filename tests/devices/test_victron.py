"""Victron's D-Bus paths: their units, and which topics are Venus's."""

import pytest

from devices import vocabulary
from devices.catalogue import Catalogue
from devices.conventions.victron_units import unit
from devices.reading import Message
from devices.samples import RECEIVED


@pytest.mark.parametrize(
    ("service", "path", "expected"),
    [
        ("vebus", "Ac/ActiveIn/L1/V", "V"),
        ("vebus", "Ac/ActiveIn/CurrentLimit", "A"),
        ("vebus", "Hub4/L1/AcPowerSetpoint", "W"),
        ("vebus", "Ac/NumberOfPhases", None),
        ("vebus", "Mode", None),
        ("grid", "Ac/Energy/Reverse", "kWh"),
        ("grid", "Ac/L1/PowerFactor", None),
        ("battery", "Capacity", "Ah"),
        ("battery", "Voltages/Cell4", "V"),
        ("battery", "System/MaxCellTemperature", "°C"),
        ("battery", "System/MaxTemperatureCellId", None),
        ("battery", "System/NrOfModulesOnline", None),
        ("battery", "History/LowVoltageAlarms", None),
        ("battery", "Alarms/LowVoltage", None),
        ("battery", "History/TimeSinceLastFullCharge", "s"),
        ("solarcharger", "History/Daily/0/Yield", "kWh"),
        ("solarcharger", "History/Daily/0/TimeInFloat", "min"),
        ("solarcharger", "Pv/1/P", "W"),
        ("solarcharger", "Settings/ChargeCurrentLimit", "A"),
        ("evcharger", "Session/Time", "s"),
        ("gps", "Position/Latitude", "°"),
        ("gps", "Speed", "m/s"),
        ("tank", "Level", "%"),
        ("tank", "FluidType", None),
        ("temperature", "TemperatureType", None),
        ("temperature", "Pressure", "hPa"),
        ("meteo", "Irradiance", "W/m²"),
        ("genset", "Engine/OilPressure", "kPa"),
        ("settings", "Settings/CGwacs/BatteryLife/Schedule/Charge/0/Duration", "s"),
        ("settings", "Settings/SystemSetup/AcInput1", None),
        ("system", "Dc/Battery/ConsumedAmphours", "Ah"),
    ],
)
def test_unit_of_path(service, path, expected):
    """A path has the unit that Victron's own lists give it, and it is one that the vocabulary knows."""
    assert unit(service, path) == expected
    assert expected is None or vocabulary.unit_named(expected)


@pytest.mark.parametrize(
    ("topic", "convention"),
    [
        ("N/0123456789ab/anything/0/Some/Path", "victron"),
        ("N/my portal/battery/0/Soc", "victron"),
        ("N/one/two/3/four", "plain_json"),
        ("N/one/battery/x/Soc", "plain_json"),
    ],
)
def test_topic_is_venus(topic, convention):
    """A topic is Venus's by its service or its portal, and by the number of the instance."""
    (reading,) = Catalogue().readings(Message(topic, b'{"value": 1}', RECEIVED))
    assert reading.convention == convention
