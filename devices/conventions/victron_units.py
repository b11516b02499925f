"""What the D-Bus paths of Victron's Venus OS are measured in.

Sources: https://github.com/victronenergy/venus/wiki/dbus and the attribute list of the Modbus-TCP gateway
(https://github.com/victronenergy/dbus_modbustcp/blob/master/attributes.csv). A path's last element mostly decides (`…/Voltage`, `…/V`);
some mean another thing in one service than in another (`Capacity`, `Speed`, `Level`), and settings have paths of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from devices.vocabulary import words

LAST: Final[Mapping[str, str]] = {
    "V": "V", "I": "A", "P": "W", "S": "VA", "F": "Hz", "Frequency": "Hz", "Soc": "%", "Soh": "%", "TimeToGo": "s", "Humidity": "%",
    "Pressure": "hPa", "Irradiance": "W/m²", "WindSpeed": "m/s", "WindDirection": "°", "CO2": "ppm", "PM25": "µg/m³", "Luminosity": "lx",
    "TxPower": "dBm", "AccelX": "[g]", "AccelY": "[g]", "AccelZ": "[g]", "Latitude": "°", "Longitude": "°", "Course": "°", "Altitude": "m",
    "Remaining": "m³", "ConsumedAmphours": "Ah", "InstalledCapacity": "Ah", "TotalAhDrawn": "Ah", "DeepestDischarge": "Ah",
    "LastDischarge": "Ah", "AverageDischarge": "Ah", "ChargedAh": "Ah", "ChargedEnergy": "kWh", "DischargedEnergy": "kWh",
    "EnergyIn": "kWh", "EnergyOut": "kWh", "TodaysYield": "kWh", "MidVoltageDeviation": "%", "TimeSinceLastFullCharge": "s",
    "TimeInBulk": "min", "TimeInAbsorption": "min", "TimeInFloat": "min", "ChargingTime": "s", "Runtime": "s", "TodayRuntime": "s",
    "AccumulatedRuntime": "s", "ServiceCounter": "s", "TimeRemaining": "s", "OperatingHours": "s", "OilPressure": "kPa", "RPM": "rpm",
    "FieldDrive": "%", "TargetSoc": "%", "ActiveSocLimit": "%", "ScheduledSoc": "%", "MinimumSoc": "%", "SocLimit": "%",
    "MinimumSocLimit": "%", "Setpoint": "W", "CurrentLimit": "A", "ChargeCurrentLimit": "A", "CellTemperature": "°C", "Odometer": "km",
    "RangeToGo": "km", "BatteryCapacity": "kWh", "ExternalTemperature2": "°C", "VoltageLineToLine": "V", "PowerLimit": "W",
    "TimeSinceLastSun": "s", "Dimming": "%", "ChargeRate": "W", "AvailableOverhead": "W",
    "voltage": "V", "current": "A", "power": "W", "soc": "%", "timetogo": "s",
}  # fmt: skip
"""By the last element, in every service."""

ENDINGS: Final[tuple[tuple[str, str], ...]] = (
    ("Voltage", "V"), ("Current", "A"), ("Power", "W"), ("PowerSetpoint", "W"), ("PowerSetPoint", "W"), ("Temperature", "°C"),
)  # fmt: skip
"""By how the last element ends: `MaxChargeVoltage`, `AcPowerSetpoint`."""

ABOVE: Final[Mapping[str, str]] = {"Energy": "kWh", "Yield": "kWh", "Voltages": "V"}
"""By the element before the last: `Energy/AcIn1ToAcOut`, `Yield/User`, `Voltages/Cell3`."""

OF_SERVICE: Final[Mapping[tuple[str, str], str]] = {
    ("tank", "Level"): "%", ("tank", "Capacity"): "m³", ("battery", "Capacity"): "Ah", ("gps", "Speed"): "m/s",
    ("genset", "Engine/Speed"): "rpm", ("dcgenset", "Engine/Speed"): "rpm", ("alternator", "Engine/Speed"): "rpm",
    ("alternator", "Speed"): "rpm", ("genset", "Engine/Load"): "%", ("dcgenset", "Engine/Load"): "%", ("evcharger", "Session/Energy"): "kWh",
    ("evcharger", "Session/Time"): "s", ("evcharger", "Current"): "A", ("pulsemeter", "Aggregate"): "m³",
    ("acsystem", "Soc"): "%", ("generator", "TestRunIntervalRuntime"): "s", ("temperature", "Offset"): "°C",
    ("acsystem", "Settings/Ac/In/CurrentLimitEnergyMeter"): "A",
}  # fmt: skip
"""Whole paths of one service."""

SETTINGS: Final[Mapping[str, str]] = {
    "Settings/CGwacs/AcPowerSetPoint": "W", "Settings/CGwacs/MaxChargePower": "W", "Settings/CGwacs/MaxDischargePower": "W",
    "Settings/CGwacs/MaxFeedInPower": "W", "Settings/CGwacs/MaxChargePercentage": "%", "Settings/CGwacs/MaxDischargePercentage": "%",
    "Settings/CGwacs/AcInputLimit": "A", "Settings/CGwacs/AcExportLimit": "A", "Settings/CGwacs/BatteryLife/MinimumSocLimit": "%",
    "Settings/CGwacs/BatteryLife/SocLimit": "%", "Settings/SystemSetup/MaxChargeCurrent": "A", "Settings/SystemSetup/MaxChargeVoltage": "V",
    "Settings/DynamicEss/BatteryCapacity": "kWh", "Settings/ChargeCurrentLimit": "A", "Settings/Ess/MinimumSocLimit": "%",
    "Settings/TransferSwitch/GeneratorCurrentLimit": "A", "Settings/Pump0/StartValue": "%", "Settings/Pump0/StopValue": "%",
    "Settings/DynamicEss/FullChargeDuration": "h", "Settings/DynamicEss/FullChargeInterval": "d",
}  # fmt: skip
_SCHEDULE: Final[Mapping[str, str]] = {"Duration": "s", "Start": "s", "Soc": "%"}
_GENERATOR: Final[Mapping[str, str]] = {
    "StartTimer": "s", "StopTimer": "s", "WarmUpTime": "s", "CoolDownTime": "s", "GeneratorStopTime": "s", "ServiceInterval": "s",
}  # fmt: skip
_CONDITIONS: Final[Mapping[str, str]] = {"Soc": "%", "BatteryVoltage": "V", "BatteryCurrent": "A", "AcLoad": "W"}
"""What a generator is started and stopped by, and what the limits (`StartValue`) are measured in."""

MICROGRID: Final[Mapping[str, str]] = {
    "F": "Hz", "F0": "Hz", "Fmin": "Hz", "Fmax": "Hz", "U": "V", "U0": "V", "Umin": "V", "Umax": "V", "P": "%", "P0": "%", "Pmin": "%",
    "Pmax": "%", "FPDroop": "%", "Q": "%", "Q0": "%", "QMin": "%", "QMax": "%", "UQDroop": "%", "Pref": "W", "Qref": "W",
}  # fmt: skip
"""Parameters of an inverter that forms or follows a small grid; powers are shares of its own but for the reference (`Pref`)."""

SERVICES: Final = frozenset(
    words(
        "acload acsystem alternator battery charger dcdc dcgenset dcload dcsource dcsystem digitalinput ev evcharger fuelcell generator"
        " genset gps grid heatpump hub4 inverter logger meteo modem motordrive multi platform pulsecounter pulsemeter pump pvinverter"
        " settings solarcharger switch system tank temperature vebus vecan"
    )
)
"""The kinds of D-Bus services that Venus OS publishes."""

MOST_PATHS: Final = 16_384
"""Paths whose unit is remembered."""
_NO_UNIT: Final = frozenset({"Alarm", "Alarms", "Errors", "Mgmt", "Diagnostics", "Capabilities"})
"""What stands below these are states, counts and texts."""
_COUNTED: Final = re.compile(r"(?:Nr|Number)Of|Count$|Alarms$")


@lru_cache(maxsize=MOST_PATHS)
def unit(service: str, path: str) -> str | None:
    """Return what a path of a service is measured in; None where it has no unit, or the sources say none.

    >>> unit("battery", "Dc/0/Voltage"), unit("vebus", "Alarms/HighTemperature"), unit("tank", "Capacity")
    ('V', None, 'm³')
    """
    known = OF_SERVICE.get((service, path)) or SETTINGS.get(path)
    if known:
        return known
    elements = path.split("/")
    last, above = elements[-1], elements[-2] if len(elements) > 1 else ""
    if elements[0] in ("Settings", "MicroGrid"):
        return _of_setting(elements, last, above)
    if not _NO_UNIT.isdisjoint(elements) or _COUNTED.search(last):
        return None
    if last == "Yield" or "Energy" in elements[:-1]:
        return "kWh"
    if last in LAST:
        return LAST[last]
    ending = next((unit for ending, unit in ENDINGS if last.endswith(ending)), None)
    return ending or ABOVE.get(above)


def _of_setting(elements: list[str], last: str, above: str) -> str | None:
    """Return the unit of a setting that stands for several: of a small grid, of a schedule's slot, or of a generator."""
    if elements[0] == "MicroGrid":
        return MICROGRID.get(above if last == "Value" else last)
    if "Schedule" in elements:
        return None if last == "Start" and "DynamicEss" in elements else _SCHEDULE.get(last)
    if elements[1:2] in (["Generator0"], ["Generator1"]):
        return _CONDITIONS.get(above) if last.endswith("Value") else _GENERATOR.get(last)
    return None
