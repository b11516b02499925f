"""SenML's units: the registry's (RFC 8428, section 12.1, and RFC 8798), what else is written for them, and what they measure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from devices import vocabulary

UNITS: Final[Mapping[str, str]] = {
    "Cel": "°C", "/100": "%", "EL": "s", "deg": "°", "/": "1", "Ohm": "Ω", "l": "L", "l/s": "L/s", "m2": "m²", "m3": "m³", "m3/s": "m³/s",
    "m/s2": "m/s²", "W/m2": "W/m²", "cd/m2": "cd/m²", "kg/m3": "kg/m³", "ug/m3": "µg/m³",
}  # fmt: skip
"""What the registry's units are called here, where that differs. `%` is a ratio by the registry, but whoever writes it means per cent."""

CHARGE_AND_CAPACITANCE: Final = frozenset({"C", "F"})
"""Units of the registry that elsewhere are degrees."""

SUMS: Final[Mapping[str, str]] = {"W": "J", "m/s": "m", "m³/s": "m³", "L/s": "L", "A": "C", "bit/s": "bit", "V": "Wb"}
"""The unit times a second, where that has a name."""

QUANTITIES: Final[Mapping[str, str]] = {
    "°C": "temperature", "K": "temperature", "%RH": "humidity", "%EL": "battery", "lat": "latitude", "lon": "longitude", "V": "voltage",
    "mV": "voltage", "A": "current", "mA": "current", "W": "power", "kW": "power", "VA": "apparent_power", "kVA": "apparent_power",
    "var": "reactive_power", "kvar": "reactive_power", "Wh": "energy", "kWh": "energy", "J": "energy", "Pa": "pressure", "hPa": "pressure",
    "lx": "illuminance", "W/m²": "irradiance", "Hz": "frequency", "m/s": "speed", "km/h": "speed", "m/s²": "acceleration", "kg": "weight",
    "g": "weight", "m³": "volume", "L": "volume", "m³/s": "flow", "L/s": "flow", "pH": "ph", "S/m": "conductivity", "Ω": "resistance",
    "dBm": "rssi",
}  # fmt: skip
"""What a name without a key of its own measures, by its unit."""


@lru_cache(maxsize=256)
def unit_of(text: str) -> str:
    """Return what a unit is called here: the registry's first, then what others write for it.

    >>> unit_of("Cel"), unit_of("degC"), unit_of("C"), unit_of("beats")
    ('°C', '°C', 'C', 'beats')
    """
    return UNITS.get(text) or (text if text in CHARGE_AND_CAPACITANCE else vocabulary.unit_named(text)) or text
