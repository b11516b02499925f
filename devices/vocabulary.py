"""The one vocabulary every convention speaks into: metric names, quantities, units, and how a device's words map onto them.

**Metric and channel.** A device names a value by a path of keys (`["ENERGY", "Power"]`, `["outdoor", "temp"]`, `["Voltage", "1"]`).

1. If the last key is a word of the vocabulary, or a synonym of one, that is the metric, and what stands before it is the channel, joined
   with `.`: `outdoor.temp` → `temperature` on channel `outdoor`.
2. A known word with a number behind it is that metric on that channel: `POWER2` → `state` on `2`, `temp_1` → `temperature` on `1`.
3. Indexes of arrays always go to the channel: `Voltage.1` → `voltage` on `1`.
4. Any other path becomes a metric of its own, lower snake-case joined with `_`, without a unit: `mouse.x` → `mouse_x`.

The rule reads one path at a time, so a series keeps its identity whatever else a message holds. (Two keys of one message that would name
the same series are told apart in `devices.convention.untangle`.)

**Units.** One canonical unit per quantity (`CANONICAL`); a reading in another unit of that quantity is converted, its raw value and unit
are kept beside it. A unit comes from the dialect's own definition, or from the key (`temp_f`, `latency_ms`). `BARE` holds the few names
that leave no doubt in practice even where a device states no unit; each only for values that make sense in that unit.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from devices.reading import Value

Convert = Callable[[float], float]


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text: tables of words are easier to read in one string.

    >>> words("tele stat")
    ('tele', 'stat')
    """
    return tuple(text.split())


class Unit(msgspec.Struct, frozen=True):
    """A unit as a line onto its quantity's canonical one: canonical = (value + before) * times / over."""

    quantity: str
    times: float = 1
    over: float = 1
    before: float = 0


CANONICAL: Final[Mapping[str, str]] = {
    "temperature": "°C",
    "ratio": "%",
    "pressure": "hPa",
    "voltage": "V",
    "current": "A",
    "power": "W",
    "apparent power": "VA",
    "reactive power": "var",
    "energy": "kWh",
    "reactive energy": "kvarh",
    "charge": "Ah",
    "resistance": "Ω",
    "frequency": "Hz",
    "illuminance": "lx",
    "irradiance": "W/m²",
    "length": "m",
    "precipitation": "mm",
    "precipitation rate": "mm/h",
    "speed": "m/s",
    "duration": "s",
    "mass": "kg",
    "volume": "m³",
    "flow": "m³/h",
    "parts per million": "ppm",
    "parts per billion": "ppb",
    "mass concentration": "µg/m³",
    "absolute humidity": "g/m³",
    "sound": "dB",
    "signal": "dBm",
    "link quality": "lqi",
    "angle": "°",
    "reciprocal colour temperature": "mired",
    "colour temperature": "K",
    "conductivity": "µS/cm",
    "acceleration": "m/s²",
    "rotation": "rpm",
    "angular velocity": "°/s",
    "dose rate": "µSv/h",
    "data": "kB",
    "fraction": "1",
}
"""The quantity and the unit its readings have downstream."""

CODES: Final[Mapping[str, str]] = {
    "°C": "Cel", "%": "%", "hPa": "hPa", "V": "V", "A": "A", "W": "W", "VA": "V.A", "var": "var", "kWh": "kW.h", "kvarh": "kvarh",
    "Ah": "A.h", "Ω": "Ohm", "Hz": "Hz", "lx": "lx", "W/m²": "W/m2", "m": "m", "mm": "mm", "mm/h": "mm/h", "m/s": "m/s", "s": "s",
    "kg": "kg", "m³": "m3", "m³/h": "m3/h", "ppm": "[ppm]", "ppb": "[ppb]", "µg/m³": "ug/m3", "g/m³": "g/m3", "dB": "dB", "dBm": "dBm",
    "lqi": "{lqi}", "°": "deg", "mired": "/MK", "K": "K", "µS/cm": "uS/cm", "m/s²": "m/s2", "rpm": "/min", "°/s": "deg/s",
    "µSv/h": "uSv/h", "kB": "kBy", "1": "1",
}  # fmt: skip
"""The canonical units in UCUM's case-sensitive codes (https://ucum.org), and in SenML's where UCUM has none (RFC 8428, RFC 8798: var, kvarh, dBm)."""

UNITS: Final[Mapping[str, Unit]] = {
    **{symbol: Unit(quantity) for quantity, symbol in CANONICAL.items()},
    "mm": Unit("length", over=1000),
    "1/254": Unit("ratio", times=100, over=254),
    "°F": Unit("temperature", times=5, over=9, before=-32),
    "K": Unit("temperature", before=-273.15),
    "d°C": Unit("temperature", over=10),
    "Pa": Unit("pressure", over=100),
    "kPa": Unit("pressure", times=10),
    "MPa": Unit("pressure", times=10_000),
    "mbar": Unit("pressure"),
    "bar": Unit("pressure", times=1000),
    "mmHg": Unit("pressure", times=1.33322387415),
    "inHg": Unit("pressure", times=33.86388666667),
    "psi": Unit("pressure", times=68.94757293168),
    "µV": Unit("voltage", over=1_000_000),
    "mV": Unit("voltage", over=1000),
    "kV": Unit("voltage", times=1000),
    "µA": Unit("current", over=1_000_000),
    "mA": Unit("current", over=1000),
    "mW": Unit("power", over=1000),
    "kW": Unit("power", times=1000),
    "MW": Unit("power", times=1_000_000),
    "kVA": Unit("apparent power", times=1000),
    "kvar": Unit("reactive power", times=1000),
    "Wh": Unit("energy", over=1000),
    "mWh": Unit("energy", over=1_000_000),
    "MWh": Unit("energy", times=1000),
    "Wmin": Unit("energy", over=60_000),
    "J": Unit("energy", over=3_600_000),
    "kJ": Unit("energy", over=3600),
    "varh": Unit("reactive energy", over=1000),
    "mAh": Unit("charge", over=1000),
    "kΩ": Unit("resistance", times=1000),
    "MΩ": Unit("resistance", times=1_000_000),
    "mHz": Unit("frequency", over=1000),
    "kHz": Unit("frequency", times=1000),
    "MHz": Unit("frequency", times=1_000_000),
    "cm": Unit("length", over=100),
    "km": Unit("length", times=1000),
    "in": Unit("length", times=254, over=10_000),
    "ft": Unit("length", times=3048, over=10_000),
    "km/h": Unit("speed", times=10, over=36),
    "mph": Unit("speed", times=44_704, over=100_000),
    "kn": Unit("speed", times=1852, over=3600),
    "ft/s": Unit("speed", times=3048, over=10_000),
    "in/h": Unit("precipitation rate", times=254, over=10),
    "klx": Unit("illuminance", times=1000),
    "ns": Unit("duration", over=1_000_000_000),
    "µs": Unit("duration", over=1_000_000),
    "ms": Unit("duration", over=1000),
    "min": Unit("duration", times=60),
    "h": Unit("duration", times=3600),
    "d": Unit("duration", times=86_400),
    "g": Unit("mass", over=1000),
    "lb": Unit("mass", times=45_359_237, over=100_000_000),
    "L": Unit("volume", over=1000),
    "mL": Unit("volume", over=1_000_000),
    "gal": Unit("volume", times=3_785_411_784, over=1_000_000_000_000),
    "L/min": Unit("flow", times=60, over=1000),
    "L/h": Unit("flow", over=1000),
    "L/s": Unit("flow", times=36, over=10),
    "m³/s": Unit("flow", times=3600),
    "mg/m³": Unit("mass concentration", times=1000),
    "rad": Unit("angle", times=57.29577951308232),
    "mS/cm": Unit("conductivity", times=1000),
    "dS/m": Unit("conductivity", times=1000),
    "S/m": Unit("conductivity", times=10_000),
    "[g]": Unit("acceleration", times=980_665, over=100_000),
    "B": Unit("data", over=1000),
    "KiB": Unit("data", times=1024, over=1000),
    "MB": Unit("data", times=1000),
    "GB": Unit("data", times=1_000_000),
    "lat": Unit("angle"),  # SenML's units that say what they measure, too
    "lon": Unit("angle"),
    "%RH": Unit("ratio"),
    "%EL": Unit("ratio"),
}
"""Every unit that is understood, by its symbol."""

UNIT_NAMES: Final[Mapping[str, str]] = {
    "C": "°C", "℃": "°C", "ºC": "°C", "Cel": "°C", "celsius": "°C", "degC": "°C", "deg C": "°C", "°c": "°C", "c": "°C", "degc": "°C",
    "F": "°F", "℉": "°F", "ºF": "°F", "fahrenheit": "°F", "degF": "°F", "deg F": "°F", "°f": "°F", "f": "°F", "degf": "°F",
    "kelvin": "K", "k": "K", "percent": "%", "pct": "%", "percentage": "%", "%RH": "%", "%rh": "%", "RH%": "%", "% RH": "%", "%EL": "%",
    "pa": "Pa", "hpa": "hPa", "hPA": "hPa", "kpa": "kPa", "mBar": "mbar", "mb": "mbar", "mmhg": "mmHg", "inhg": "inHg", "PSI": "psi",
    "volt": "V", "volts": "V", "v": "V", "mv": "mV", "kv": "kV", "amp": "A", "amps": "A", "ampere": "A", "a": "A", "ma": "mA",
    "watt": "W", "watts": "W", "w": "W", "kw": "kW", "mw": "mW", "va": "VA", "VAr": "var", "VAR": "var", "kvarh": "kvarh", "Ohm": "Ω",
    "wh": "Wh", "kwh": "kWh", "KWh": "kWh", "KWH": "kWh", "kW.h": "kWh", "W.h": "Wh", "mwh": "mWh", "W·min": "Wmin", "ohm": "Ω",
    "kOhm": "kΩ",
    "ah": "Ah", "mah": "mAh", "hz": "Hz", "HZ": "Hz", "khz": "kHz", "mhz": "MHz", "lux": "lx", "Lux": "lx", "LUX": "lx", "W/m2": "W/m²",
    "metre": "m", "meter": "m", "meters": "m", "metres": "m", "kmh": "km/h", "kph": "km/h", "km_h": "km/h", "mps": "m/s", "m_s": "m/s",
    "sec": "s", "secs": "s", "second": "s", "seconds": "s", "msec": "ms", "millis": "ms", "us": "µs", "mins": "min", "minute": "min",
    "minutes": "min", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d", "kilogram": "kg", "gram": "g",
    "grams": "g",
    "l": "L", "litre": "L", "litres": "L", "liter": "L", "liters": "L", "ml": "mL", "m3": "m³", "l/min": "L/min", "lpm": "L/min",
    "m3/h": "m³/h", "l/h": "L/h", "PPM": "ppm", "PPB": "ppb", "ug/m3": "µg/m³", "µg/m3": "µg/m³", "ug/m³": "µg/m³", "ug_m3": "µg/m³",
    "mg/m3": "mg/m³", "g/m3": "g/m³", "dbm": "dBm", "db": "dB", "dBA": "dB", "deg": "°", "degree": "°", "degrees": "°", "LQI": "lqi",
    "mireds": "mired", "uS/cm": "µS/cm", "us/cm": "µS/cm", "m/s2": "m/s²", "RPM": "rpm", "uSv/h": "µSv/h", "kb": "kB", "KB": "kB",
    "By": "B",
    "kBy": "kB", "mm/hr": "mm/h", "V.A": "VA", "Watt": "W", "Volt": "V", "bytes": "B", "uA": "µA", "uV": "µV", "knots": "kn", "kt": "kn",
}  # fmt: skip
"""Other spellings of the units above."""

METRICS: Final[Mapping[str, str | None]] = {
    "temperature": "temperature", "dew_point": "temperature", "heat_index": "temperature", "local_temperature": "temperature",
    "device_temperature": "temperature", "target_temperature": "temperature", "outside_temperature": "temperature",
    "humidity": "ratio", "absolute_humidity": "absolute humidity", "pressure": "pressure", "sea_pressure": "pressure",
    "soil_moisture": "ratio", "moisture": "ratio", "battery": "ratio", "state_of_charge": "ratio", "position": "ratio", "tilt": "ratio",
    "voltage": "voltage", "battery_voltage": "voltage", "current": "current", "power": "power", "apparent_power": "apparent power",
    "reactive_power": "reactive power", "power_factor": None, "energy": "energy", "frequency": "frequency", "resistance": "resistance",
    "illuminance": "illuminance", "illuminance_lux": "illuminance", "irradiance": "irradiance", "uv_index": None,
    "wind_speed": "speed", "wind_gust": "speed", "wind_direction": "angle", "rain": "precipitation", "rain_rate": "precipitation rate",
    "distance": "length", "depth": "length", "altitude": "length", "latitude": "angle", "longitude": "angle", "heading": "angle",
    "speed": "speed", "weight": "mass", "volume": "volume", "flow": "flow", "ph": None, "conductivity": "conductivity",
    "co2": "parts per million", "eco2": "parts per million", "carbon_monoxide": "parts per million", "voc": None,
    "tvoc": "parts per billion",
    "pm1": "mass concentration", "pm25": "mass concentration", "pm10": "mass concentration", "formaldehyde": None, "noise": "sound",
    "linkquality": "link quality", "rssi": "signal", "snr": "sound", "uptime": "duration", "color_temp": "reciprocal colour temperature",
    "color_temperature": "colour temperature", "brightness": None, "dimmer": "ratio", "counter": None, "value": None, "level": None,
    "acceleration": "acceleration", "radiation": "dose rate", "air_quality": None,
    "state": None, "online": None, "switch": None, "relay": None, "input": None, "output": None, "button": None, "action": None,
    "occupancy": None, "presence": None, "motion": None, "contact": None, "door": None, "window": None, "lock": None, "water_leak": None,
    "smoke": None, "gas": None, "tamper": None, "vibration": None, "battery_low": None, "valve": None, "pump": None, "fan": None,
    "light": None, "heater": None, "alarm": None,
}  # fmt: skip
"""The vocabulary's metrics, each with the quantity it is, where it is one."""

SYNONYMS: Final[Mapping[str, str]] = {
    "temp": "temperature", "air_temperature": "temperature", "temperatur": "temperature", "tmp": "temperature",
    "hum": "humidity", "humi": "humidity", "rh": "humidity", "relative_humidity": "humidity", "air_humidity": "humidity",
    "dewpoint": "dew_point", "heatindex": "heat_index", "press": "pressure", "baro": "pressure", "barometer": "pressure",
    "barometric_pressure": "pressure", "atmospheric_pressure": "pressure", "air_pressure": "pressure", "seapressure": "sea_pressure",
    "batt": "battery", "bat": "battery", "battery_level": "battery", "battery_percent": "battery", "battery_percentage": "battery",
    "battery_pct": "battery", "soc": "state_of_charge", "volt": "voltage", "volts": "voltage", "vbat": "battery_voltage",
    "vbatt": "battery_voltage", "batt_voltage": "battery_voltage", "bat_voltage": "battery_voltage", "amps": "current",
    "watts": "power", "watt": "power", "active_power": "power", "kwh": "energy", "freq": "frequency", "lux": "illuminance",
    "illumination": "illuminance", "light_level": "illuminance", "uv": "uv_index", "windspeed": "wind_speed", "wind_dir": "wind_direction",
    "winddir": "wind_direction", "winddirection": "wind_direction", "gust": "wind_gust", "rainfall": "rain", "rainrate": "rain_rate",
    "lat": "latitude", "lon": "longitude", "lng": "longitude", "long": "longitude", "alt": "altitude", "dist": "distance",
    "carbon_dioxide": "co2", "e_co2": "eco2", "t_voc": "tvoc", "pm1_0": "pm1", "pm_1": "pm1", "pm2_5": "pm25", "pm_2_5": "pm25",
    "pm_25": "pm25", "pm_10": "pm10", "pm10_0": "pm10", "link_quality": "linkquality", "lqi": "linkquality", "colortemp": "color_temp",
    "colour_temp": "color_temp", "soilmoisture": "soil_moisture", "soil": "soil_moisture",
}  # fmt: skip
"""Other names of metrics, in lower snake-case."""

BARE: Final[Mapping[str, tuple[str, float, float]]] = {
    "humidity": ("%", 0, 100), "soil_moisture": ("%", 0, 100), "state_of_charge": ("%", 0, 100), "battery": ("%", 5, 100),
    "voltage": ("V", -999, 999), "battery_voltage": ("V", -999, 999), "current": ("A", -50, 50), "power": ("W", -1e9, 1e9),
    "frequency": ("Hz", 40, 70), "co2": ("ppm", 0, 100_000), "eco2": ("ppm", 0, 100_000), "rssi": ("dBm", -200, -1),
    "snr": ("dB", -100, 100), "latitude": ("°", -90, 90), "longitude": ("°", -180, 180), "wind_direction": ("°", 0, 360),
    "pm1": ("µg/m³", 0, 100_000), "pm25": ("µg/m³", 0, 100_000), "pm10": ("µg/m³", 0, 100_000), "linkquality": ("lqi", 0, 255),
    "percentage": ("%", 0, 100), "percent": ("%", 0, 100),
}  # fmt: skip
"""The unit that a name without one leaves no doubt about, and the values for which that holds (a battery of 3.7 is volts, not per cent)."""

EXTREMES: Final[frozenset[str]] = frozenset(words("highest lowest average avg mean min max minimum maximum"))
"""Endings that say which of a metric's values it is, and leave its unit."""

SUFFIXES: Final[frozenset[str]] = frozenset(
    words(
        "celsius fahrenheit degc degf percent pct hpa kpa mbar mmhg inhg psi mv kv ma mw kw wh kwh mwh va hz khz mhz lux lx ppm"
        " ppb dbm db rpm mm cm km kmh kph km_h mph m_s mps ug_m3 ms msec sec secs seconds minutes hours volts volt amps watts"
        " watt deg degrees mah ah liters litres kg kn ft gal lb lpm"
    )
)
"""Endings of a key that are a unit wherever they stand."""

LETTERS: Final[Mapping[str, str]] = {
    "c": "°C",
    "f": "°F",
    "k": "K",
    "v": "V",
    "a": "A",
    "w": "W",
    "s": "s",
    "m": "m",
    "g": "g",
    "l": "L",
    "h": "h",
    "min": "min",
}
"""Endings that are a unit only behind a word of the same quantity (`uptime_min` is in minutes, `temp_min` is the least)."""

ENUMERATIONS: Final[frozenset[str]] = frozenset(
    words(
        "mode action memory behavior behaviour type preset effect program direction operation command event sensitivity speed"
        " reason version level"
    )
)
"""A metric with one of these words has many values, of which `off` may be one: its texts stay texts."""

AVAILABILITY: Final[frozenset[str]] = frozenset(
    {"availability", "available", "lwt", "online", "status", "state", "connection", "connected", "alive"}
)
"""Keys whose text `online` or `offline` says whether the device can be reached."""

NOTHING: Final[frozenset[str]] = frozenset(
    ("", *words("err error fail failed failure nan null none n/a na unknown unavailable undefined invalid timeout inf infinity"))
)
"""What sensors say instead of a quantity that they could not measure."""

_ONLINE: Final[Mapping[str, bool]] = {"online": True, "offline": False}
_SPOKEN: Final[Mapping[str, bool]] = {"on": True, "off": False, "true": True, "false": False}
_CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])")
_UNIT_CASE = re.compile(r"(?:kWh|mWh|kW|mW|mV|kV|mAh|mA|hPa|kPa|MHz|kHz|dBm|dB)(?![a-z])")
_NUMBERED = re.compile(r"(.*?[^\d_])_?(\d{1,3})")
_NUMBER_AND_UNIT = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([^\d\s.,:+-].{0,9})")


class Name(msgspec.Struct, frozen=True):
    """What a path of keys is called downstream, and the unit that the key itself states."""

    metric: str
    channel: str
    unit: str | None = None


def unit_named(text: str) -> str | None:
    """Return the symbol of a unit in any usual spelling; None if it is not known.

    >>> unit_named("Celsius"), unit_named("kwh"), unit_named("μg/m3"), unit_named("quux")
    ('°C', 'kWh', 'µg/m³', None)
    """
    text = text.strip().replace("μ", "µ")
    if text in UNITS:
        return text
    return UNIT_NAMES.get(text) or UNIT_NAMES.get(text.lower())


def canonical(metric: str, unit: str | None) -> tuple[str | None, Convert | None]:
    """Return the unit that a metric given in `unit` has downstream, and how to get there (None: as it is).

    A unit that the vocabulary does not know is kept. Rain is measured in mm, though it is a length.

    >>> unit, convert = canonical("temperature", "°F")
    >>> unit, convert(212)
    ('°C', 100.0)
    >>> canonical("energy", "kWh"), canonical("rain", "mm"), canonical("smell", "olf")
    (('kWh', None), ('mm', None), ('olf', None))
    """
    known = UNITS.get(unit or "")
    if unit is None or known is None or (unit == "K" and METRICS.get(metric) == "colour temperature"):
        return unit, None
    if known.quantity == "length" and (METRICS.get(metric) == "precipitation" or metric.startswith("rain")):
        return "mm", _line(Unit("precipitation", times=known.times * 1000, over=known.over))
    return CANONICAL[known.quantity], _line(known)


def _line(unit: Unit) -> Convert | None:
    """Return the conversion as a function; whole powers of ten divide, so that 2995 mV is 2.995 V and not 2.9949999999999997 V."""
    times, over, before = unit.times, unit.over, unit.before
    if before:
        return lambda value: round((value + before) * times / over, 9)
    if times == over:
        return None
    if times == 1:
        return lambda value: value / over
    if over == 1:
        return lambda value: value * times
    return lambda value: value * times / over


def snake(text: str) -> str:
    """Return a key in lower snake-case, letters and digits only.

    >>> snake("batteryVoltage_mV"), snake("PM2.5"), snake("HSBColor"), snake("Air temperature")
    ('battery_voltage_mv', 'pm2_5', 'hsb_color', 'air_temperature')
    """
    text = _UNIT_CASE.sub(lambda match: match.group().capitalize(), unicodedata.normalize("NFKC", text))
    text = _CAPITALS.sub("_", text).lower()
    return "_".join("".join(c if c.isalnum() else " " for c in text).split())


def word(key: str) -> str | None:
    """Return the metric that a key names, if it is a word of the vocabulary.

    >>> word("TEMPERATURE"), word("hum"), word("gadget")
    ('temperature', 'humidity', None)
    """
    plain = snake(key)
    plain = SYNONYMS.get(plain, plain)
    return plain if plain in METRICS else None


def name(path: tuple[str, ...], *, units_in_keys: bool = True) -> Name:
    """Return metric, channel and the key's own unit for a path of keys (the rules stand in the module's docstring).

    >>> name(("DS18B20-2", "Temperature"))
    Name(metric='temperature', channel='DS18B20-2', unit=None)
    >>> name(("temp_f",)), name(("Voltage", "1"))
    (Name(metric='temperature', channel='', unit='°F'), Name(metric='voltage', channel='1', unit=None))
    >>> name(("mouse", "x"))
    Name(metric='mouse_x', channel='', unit=None)
    """
    keys = [key for key in path if not key.isdigit()]
    if not keys:
        return Name("value", ".".join(path))
    leaf = keys[-1]
    last = len(path) - 1 - path[::-1].index(leaf)
    metric, number, unit = _leaf(leaf, units_in_keys=units_in_keys)
    if metric in METRICS:
        return Name(metric, ".".join((*path[:last], *path[last + 1 :], *number)), unit)
    stem = "_".join(filter(None, (*map(snake, keys[:-1]), metric)))
    indexes = ".".join((*(key for key in path if key.isdigit()), *number))
    if not stem:
        return Name("value", ".".join(path))
    return Name(stem, indexes, unit)


def _leaf(key: str, *, units_in_keys: bool) -> tuple[str, tuple[str, ...], str | None]:
    """Split a key into its metric, the number behind it, and its unit."""
    plain = snake(key)
    known = SYNONYMS.get(plain, plain)
    if known in METRICS:
        return known, (), "lx" if plain == "lux" else "kWh" if plain == "kwh" else None
    if units_in_keys and (split := _unit_suffix(plain)):
        stem, unit = split
        metric, number, _ = _leaf(stem, units_in_keys=False)
        return metric, number, unit
    numbered = _NUMBERED.fullmatch(plain)
    if numbered and (known := SYNONYMS.get(numbered[1], numbered[1])) in METRICS:
        return known, (numbered[2],), None
    return plain, (), None


def _unit_suffix(plain: str) -> tuple[str, str] | None:
    if plain[-1:] in ("c", "f") and SYNONYMS.get(plain[:-1], plain[:-1]) == "temperature":
        return plain[:-1], LETTERS[plain[-1]]
    parts = plain.split("_")
    for size in (2, 1):
        suffix, stem = "_".join(parts[-size:]), "_".join(parts[:-size])
        if not stem:
            continue
        if suffix in SUFFIXES:
            return stem, UNIT_NAMES.get(suffix, suffix)
        letter = LETTERS.get(suffix)
        if letter and UNITS[letter].quantity == METRICS.get(word(parts[-2]) or "", ""):
            return stem, letter
    return None


def bare_unit(metric: str) -> tuple[str, float, float] | None:
    """Return the unit a name without a stated one leaves no doubt about, and the range of values for which it does.

    >>> bare_unit("grid_voltage")[0], bare_unit("temperature")
    ('V', None)
    """
    parts = metric.split("_")
    parts = parts[:-1] if parts[-1] in EXTREMES else parts
    return next((BARE[ending] for first in range(len(parts)) if (ending := "_".join(parts[first:])) in BARE), None)


def spoken(metric: str, text: str) -> Value:
    """Return a text as a truth where it says one, else as it is.

    >>> spoken("state", "OFF"), spoken("fan_mode", "off"), spoken("state", "OPEN")
    (False, 'off', 'OPEN')
    """
    truth = _SPOKEN.get(text.lower()) if len(text) <= 5 else None
    return text if truth is None or not ENUMERATIONS.isdisjoint(metric.split("_")) else truth


def said_online(key: str, text: str) -> bool | None:
    """Return whether a text under this key says that the device is (not) reachable; None if it says neither.

    >>> said_online("LWT", "Offline"), said_online("state", "ON")
    (False, None)
    """
    return _ONLINE.get(text.lower()) if len(text) <= 7 and key.lower() in AVAILABILITY else None


def number(text: str) -> float | int | None:
    """Return a text that is a number as that number, integers exactly; None for what only looks like one (`007`, `1_0`, `nan`).

    >>> number("21.50"), number("-4"), number("18446744073709551615"), number("007"), number("1e3"), number("1e999")
    (21.5, -4, 18446744073709551615, None, 1000.0, None)
    """
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or not digits.isascii() or len(text) > 64 or (digits[0] == "0" and digits[1:2].isdigit()):
        return None
    if digits.isdigit():
        return int(text)
    if "_" in digits or not (digits[0].isdigit() or digits[0] == "."):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) != float("inf") else None


def says_nothing(text: str) -> bool:
    """Return whether a text in the place of a quantity says only that there is none to be had.

    >>> says_nothing("ERR"), says_nothing("--"), says_nothing("low")
    (True, True, False)
    """
    return text.strip(" -–_*?.").lower() in NOTHING


def number_and_unit(text: str) -> tuple[float | int, str] | None:
    """Return number and unit of a text such as `21.5 °C`; None unless the unit is one we know.

    >>> number_and_unit("21.5 °C"), number_and_unit("5 apples"), number_and_unit("12:30")
    ((21.5, '°C'), None, None)
    """
    match = _NUMBER_AND_UNIT.fullmatch(text) if len(text) <= 40 else None
    if match is None:
        return None
    unit, value = unit_named(match[2]), number(match[1])
    return None if unit is None or value is None else (value, unit)
