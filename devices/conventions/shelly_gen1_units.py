"""The topics of Shelly's first generation: what they are measured in, and what they are called downstream.

Source: https://shelly-api-docs.shelly.cloud/gen1 (MQTT and status sections of each device). A path is the topic's levels behind the
device, and behind them the keys of an object. Energies of relays, rollers, lights and of a meter since it started are in watt-minutes,
a meter's kept totals in Wh.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from devices import vocabulary

UNITS: Final[Mapping[str, str]] = {
    "power": "W", "total_power": "W", "overpower_value": "W", "reactive_power": "var", "reactive": "var", "voltage": "V", "current": "A",
    "ixsum": "A", "total": "Wmin", "total_returned": "Wh", "energy": "Wmin", "returned_energy": "Wmin", "pos": "%", "current_pos": "%",
    "brightness": "%", "gain": "%", "temp": "K", "tC": "°C", "tF": "°F", "temperature": "°C", "temperature_f": "°F",
    "ext_temperature": "°C", "ext_temperature_f": "°F", "ext_humidity": "%", "adc": "V", "humidity": "%", "hum": "%", "battery": "%",
    "bat": "%", "lux": "lx", "tmp": "°C", "target_t": "°C", "tilt": "°", "concentration": "ppm", "ppm": "ppm", "uptime": "s",
    "totalworktime": "s", "rssi": "dBm", "boost_minutes": "min", "timer_duration": "s", "timer_remaining": "s", "transition": "ms",
    "valve_min_percent": "%",
}  # fmt: skip
"""By the last key that is neither a number nor `value`."""

GROUPS: Final[Mapping[str, str]] = {
    "relays": "relay", "rollers": "roller", "lights": "light", "meters": "meter", "emeters": "emeter", "inputs": "input",
    "thermostats": "thermostat", "input_event": "input", "valves": "valve", "adcs": "adc", "ext_temperatures": "ext",
    "ext_temperature": "ext", "ext_temperature_f": "ext", "ext_humidity": "ext", "ext_humidities": "ext",
}  # fmt: skip
"""First levels that stand for a numbered part of another name."""

NAMES: Final[Mapping[str, str]] = {
    "ison": "state",
    "reactive": "reactive_power", "pf": "power_factor", "total": "energy", "total_returned": "energy_returned", "ixsum": "current_sum",
    "returned_energy": "energy_returned", "pos": "position", "current_pos": "position", "temp": "color_temperature", "tC": "temperature",
    "tF": "temperature", "temperature_f": "device_temperature", "ext_temperature": "temperature", "ext_temperature_f": "temperature",
    "ext_humidity": "humidity", "adc": "voltage", "tmp": "temperature", "hum": "humidity", "bat": "battery", "target_t":
    "target_temperature", "event_cnt": "event_count", "totalworktime": "working_time", "ext_switch": "switch",
    "illumination": "illumination",
}  # fmt: skip
"""What a last key is called downstream."""

SWITCHED: Final = frozenset(vocabulary.words("relay light color white roller valve"))
"""Parts whose own topic is their state."""

MOST_PATHS: Final = 16_384
"""Paths whose unit and name are remembered."""
_WRAPPERS: Final = frozenset({"status", "info"})
_PARTS: Final = frozenset(vocabulary.words("relay emeter emeter_n meter roller light color white input thermostat valve adc ext longpush"))


def _leaf(path: tuple[str, ...]) -> str:
    """Return the last key that says what a value is."""
    return next((key for key in reversed(path) if key != "value" and not key.isdigit()), path[-1])


@lru_cache(maxsize=MOST_PATHS)
def unit(path: tuple[str, ...]) -> str | None:
    """Return what a path is measured in.

    >>> unit(("emeter", "0", "total")), unit(("relay", "0", "energy")), unit(("ext_temperature", "1")), unit(("emeter", "0", "pf"))
    ('Wh', 'Wmin', '°C', None)
    """
    leaf = _leaf(path)
    if leaf == "total" and not {"emeter", "emeters"}.isdisjoint(path[:2]):
        return "Wh"
    if leaf == "temp" and not {"light", "color", "white", "lights"} & set(path[:2]):
        return None
    return UNITS.get(leaf)


@lru_cache(maxsize=MOST_PATHS)
def name(path: tuple[str, ...]) -> vocabulary.Name:
    """Return metric and channel of a path: the channel is the numbered part, `relay.0`.

    >>> name(("relay", "0")), name(("emeter", "1", "total"))
    (Name(metric='state', channel='relay.0', unit=None), Name(metric='energy', channel='emeter.1', unit=None))
    """
    keys = path[1:] if path[0] in _WRAPPERS and len(path) > 1 else path
    leaf, group = _leaf(keys), GROUPS.get(keys[0], keys[0])
    numbers = [key for key in keys if key.isdigit()]
    metric = _metric(keys, leaf, group)
    if group == "sensor" or (group not in _PARTS and not numbers):
        return vocabulary.Name(metric, "f" if leaf == "temperature_f" else "")
    scale = ["f"] if leaf in ("tF", "ext_temperature_f") else []
    return vocabulary.Name(metric, ".".join((group, *numbers, *scale)))


def _metric(keys: tuple[str, ...], leaf: str, group: str) -> str:
    if leaf in SWITCHED and keys[0] == leaf and all(key.isdigit() for key in keys[1:]):
        return "state"
    if (leaf == "temperature" and group != "sensor") or keys[:2] == ("tmp", "tC"):
        return "device_temperature"
    if group == "emeter" and leaf in ("energy", "returned_energy"):
        return f"{NAMES.get(leaf, leaf)}_since_start"
    if leaf == "voltage" and keys[0] == "bat":
        return "battery_voltage"
    return NAMES.get(leaf) or vocabulary.word(leaf) or vocabulary.snake(leaf) or "value"
