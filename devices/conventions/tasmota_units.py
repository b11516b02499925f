"""What Tasmota's values are measured in (https://tasmota.github.io/docs/Supported-Peripherals/, and the drivers in its sources).

`TempUnit`, `PressureUnit` and `SpeedUnit` of a message say so for its temperatures, pressures and speeds; all other units are fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from devices import vocabulary

ENERGY: Final[Mapping[str, tuple[str, str | None]]] = {
    "Total": ("energy", "kWh"), "Today": ("energy_today", "kWh"), "Yesterday": ("energy_yesterday", "kWh"),
    "Period": ("energy_period", "Wh"), "Power": ("power", "W"),
    "ApparentPower": ("apparent_power", "VA"), "ReactivePower": ("reactive_power", "var"), "Load": ("load", "%"),
    "Factor": ("power_factor", None), "Voltage": ("voltage", "V"), "Current": ("current", "A"), "Frequency": ("frequency", "Hz"),
    "TotalTariff": ("energy_tariff", "kWh"), "PhaseAngle": ("phase_angle", "°"), "ExportActive": ("energy_exported", "kWh"),
    "ImportActive": ("energy_imported", "kWh"), "ExportReactive": ("reactive_energy_exported", "kvarh"),
    "ImportReactive": ("reactive_energy_imported", "kvarh"), "ExportPower": ("power_exported", "W"), "ImportPower": ("power_imported", "W"),
    "Import": ("energy_imported", "kWh"), "Export": ("energy_exported", "kWh"), "TodaySumImport": ("energy_imported_today", "kWh"),
    "TodaySumExport": ("energy_exported_today", "kWh"), "ExportTariff": ("energy_exported_tariff", "kWh"), "TotalActive": ("energy", "kWh"),
    "TotalReactive": ("reactive_energy", "kvarh"), "CurrentNeutral": ("current_neutral", "A"), "ActivePower": ("power", "W"),
}  # fmt: skip
"""Power monitoring: what its keys are called downstream, and their units."""

UNITS: Final[Mapping[str, str]] = {
    "Humidity": "%", "Battery": "%", "BatteryPercentage": "%", "BatteryVoltage": "V", "Vcc": "V", "UptimeSec": "s", "Heap": "kB",
    "Sleep": "ms",
    "DeepSleep": "s", "Signal": "dBm", "LinkQuality": "lqi", "CCT": "K", "CT": "mired", "Illuminance": "lx", "Lux": "lx", "OBJTMP": "°C",
    "AMBTMP": "°C", "CarbonDioxide": "ppm", "CO2": "ppm", "eCO2": "ppm", "TVOC": "ppb", "PM1": "µg/m³", "PM2.5": "µg/m³", "PM10": "µg/m³",
    "PM4": "µg/m³", "CF1": "µg/m³", "CF2.5": "µg/m³", "CF10": "µg/m³", "Voltage": "V", "Current": "A", "Power": "W", "RMSVoltage": "V",
    "RMSCurrent": "A", "ActivePower": "W", "Yaw": "°", "Pitch": "°", "Roll": "°", "UvIndex": "", "SNR": "dB", "RSSI": "dBm",
    "Resistance": "Ω",
    "Frequency": "Hz", "Energy": "kWh", "Dimmer": "%", "Position": "%", "Target": "%", "FLM": "%", "Deg": "°", "FlowRate": "mm/h",
    "UvPower": "W/m²", "aHumidity": "g/m³", "AbsHumidity": "g/m³", "PM1_0": "µg/m³", "PM2_5": "µg/m³", "PM4_0": "µg/m³", "TYPSIZ": "µm",
    "NCPM0_5": "1/cm³", "NCPM1_0": "1/cm³", "NCPM2_5": "1/cm³", "NCPM4_0": "1/cm³", "NCPM10": "1/cm³", "Moisture": "%",
    "Fertility": "µS/cm", "EC": "µS/cm", "ORP": "mV", "White": "%", "Channel": "%", "HeapUsed": "kB", "PIHeatingDemand": "%", "SHUTTER": "%",
    "ILL_lx": "lx", "BatV": "V", "Bat_mV": "mV", "ADC_V": "V", "TempC": "°C", "TempC_Internal": "°C", "TempC_External": "°C", "Hum_Internal": "%",
}  # fmt: skip
"""What keys of these names are measured in, whatever the sensor."""

OF_SENSOR: Final[Mapping[tuple[str, str], str]] = {
    ("Wifi", "RSSI"): "%", ("Wifi", "Heap"): "", ("BME680", "Gas"): "kΩ", ("SR04", "Distance"): "cm", ("VL53L0X", "Distance"): "mm",
    ("VL53L1X", "Distance"): "mm", ("TOF10120", "Distance"): "mm", ("DYP", "Distance"): "cm", ("ME007", "Distance"): "cm",
    ("Wifi", "Channel"): "", ("AS3935", "Distance"): "km", ("AS3935", "Energy"): "", ("LD2410", "Distance"): "cm",
    ("LD2410", "Energy"): "", ("LD2410S", "Distance"): "cm", ("LD2410S", "Energy"): "", ("RG-15", "Active"): "mm",
    ("RG-15", "Event"): "mm", ("RG-15", "Total"): "mm", ("OPENTHERM", "REQ"): "°C", ("OPENTHERM", "ACT"): "°C", ("OPENTHERM", "TB"): "°C",
    ("OPENTHERM", "TDHW"): "°C", ("OPENTHERM", "DHWS"): "°C", ("OPENTHERM", "TMAX"): "°C", ("HX711", "Weight"): "kg",
}  # fmt: skip
"""What a key of this sensor is measured in; empty: not in what its name suggests."""

_TEMPERATURES: Final = frozenset({"Temperature", "DewPoint", "HeatIndex", "ReferenceTemperature", "ProbeTemperature"})
_PRESSURES: Final = frozenset({"Pressure", "SeaPressure"})


class Units(NamedTuple):
    """What an object's values are measured in, as far as it says; `radio` is the bridge's, where it speaks for a node."""

    temperature: str | None = None
    pressure: str | None = None
    speed: str | None = None
    radio: str | None = None


def unit_of(path: tuple[str, ...], units: Units) -> str | None:
    """Return what the value under a path of keys is measured in; None: nothing, or nobody says. A number behind a key tells pins apart."""
    keys = [key for key in path if not key.isdigit()]
    if not keys:
        return None
    sensor = keys[0].split("-")[0] if keys[0] != "RG-15" else keys[0]
    key = keys[-1] if keys[-1] in UNITS else keys[-1].rstrip("0123456789") or keys[-1]
    if (sensor, keys[-1]) in OF_SENSOR:
        key = keys[-1]
    stated = _stated(key, keys, units)
    if stated is not None:
        return vocabulary.unit_named(stated) if stated else None
    if sensor == "ENERGY" and len(keys) == 2:
        return ENERGY.get(key, ("", None))[1]
    if units.radio and key in ("Dimmer", "Battery"):
        return None if key == "Dimmer" else "V" if units.radio == "lora" else "%"
    if "Dir" in keys[:-1]:
        return "°"
    known = (OF_SENSOR.get((name, key)) for name in (sensor, sensor.partition("_")[0]) if len(keys) > 1)
    return next((unit for unit in known if unit is not None), UNITS.get(key)) or None


def _stated(key: str, keys: list[str], units: Units) -> str | None:
    """Return the unit that the message states for a key, empty if it should and does not; None: its documentation does."""
    if key in _TEMPERATURES or (units.radio == "zigbee" and key.endswith(("Temperature", "Setpoint"))):
        return units.temperature or ""
    if key in _PRESSURES:
        return units.pressure or "hPa"
    speed = any(one.startswith("Speed") for one in keys[1:])
    return units.speed if speed else None
