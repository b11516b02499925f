"""The components of Shelly devices from the second generation on: what their keys are measured in, and what they are called downstream.

Source: https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices (the Status section of each component).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from devices import vocabulary

UNITS: Final[Mapping[str, str]] = {
    "apower": "W", "act_power": "W", "total_act_power": "W", "aprt_power": "VA", "total_aprt_power": "VA", "aprtpower": "VA",
    "rpower": "var", "voltage": "V", "current": "A", "total_current": "A", "freq": "Hz", "aenergy.total": "Wh", "ret_aenergy.total": "Wh",
    "total_act_energy": "Wh", "total_act_ret_energy": "Wh", "total_act": "Wh", "total_act_ret": "Wh", "lag_react_energy": "varh",
    "lead_react_energy": "varh", "tC": "°C", "tF": "°F", "rh": "%", "battery.V": "V", "battery.percent": "%", "battery": "%",
    "percent": "%", "lux": "lx", "current_pos": "%", "target_pos": "%", "slat_pos": "%", "pos": "%", "brightness": "%", "ct": "K",
    "current_C": "°C", "target_C": "°C", "current_F": "°F", "target_F": "°F", "current_humidity": "%", "target_humidity": "%", "rssi": "dBm",
    "on_time": "s", "timer_duration": "s", "duration": "s", "transition_duration": "s", "move_timeout": "s",
}  # fmt: skip
"""By the end of a key's path inside its component; a phase may stand before it (`a_voltage`)."""

NAMES: Final[Mapping[str, str]] = {
    "output": "state", "apower": "power", "act_power": "power", "total_act_power": "power", "aprt_power": "apparent_power",
    "total_aprt_power": "apparent_power", "aprtpower": "apparent_power", "rpower": "reactive_power", "freq": "frequency",
    "pf": "power_factor", "total_current": "current", "aenergy.total": "energy", "ret_aenergy.total": "energy_returned",
    "total_act_energy": "energy", "total_act": "energy", "total_act_ret_energy": "energy_returned", "total_act_ret": "energy_returned",
    "lag_react_energy": "reactive_energy_lagging", "lead_react_energy": "reactive_energy_leading", "tC": "temperature", "tF": "temperature",
    "rh": "humidity", "battery.V": "battery_voltage", "battery.percent": "battery", "external.present": "external_power",
    "current_pos": "position", "target_pos": "target_position", "ct": "color_temperature", "current_C": "temperature",
    "current_F": "temperature", "target_C": "target_temperature", "target_F": "target_temperature", "current_humidity": "humidity",
    "counts.total": "counter", "counts.on_time": "on_time", "counts.switch_on": "switch_on_count",
    "counts.on_above_thr": "above_threshold_count", "illumination": "illumination",
}  # fmt: skip
"""What a path is called, by its end."""

MOST_PATHS: Final = 16_384
"""Paths whose unit and name are remembered."""
PHASE: Final = re.compile(r"(a|b|c|n)_(.+)")
_NEUTRAL: Final = frozenset({"current"})


def _ending(keys: tuple[str, ...], table: Mapping[str, str]) -> tuple[str, str] | None:
    """Return what a table says of a path's end, longest first, and the phase that stands before it."""
    whole, last = ".".join(keys[-2:]), keys[-1]
    if whole in table or last in table:
        return table.get(whole) or table[last], ""
    phase = PHASE.fullmatch(last)
    if phase and phase[2] in table and (phase[1] != "n" or phase[2] in _NEUTRAL):
        return table[phase[2]], phase[1]
    return None


@lru_cache(maxsize=MOST_PATHS)
def unit(path: tuple[str, ...]) -> str | None:
    """Return what a path, whose first element is its component, is measured in.

    >>> unit(("switch:0", "aenergy", "total")), unit(("em:0", "a_act_power")), unit(("input:2", "counts", "total"))
    ('Wh', 'W', None)
    """
    keys = path[1:]
    if not keys or (path[0].startswith(("input:", "number:")) and keys[-1] not in ("percent", "freq")):
        return None
    found = _ending(keys, UNITS)
    return found[0] if found else None


@lru_cache(maxsize=MOST_PATHS)
def name(path: tuple[str, ...]) -> vocabulary.Name:
    """Return metric and channel of a path: the channel is the component, and the phase behind it.

    >>> name(("switch:0", "output")), name(("em:0", "b_voltage"))
    (Name(metric='state', channel='switch:0', unit=None), Name(metric='voltage', channel='em:0.b', unit=None))
    """
    component, keys = path[0], tuple(key for key in path[1:] if not key.isdigit())
    indexes = [key for key in path[1:] if key.isdigit()]
    if not keys:
        return vocabulary.Name("value", ".".join(path))
    phased = PHASE.fullmatch(keys[-1])
    if found := _ending(keys, NAMES):
        metric, phase = found
    elif phased and (word := vocabulary.word(phased[2])):
        metric, phase = word, phased[1]
    else:
        metric, phase = _own(keys), ""
    if keys[-1] in ("tF", "current_F", "target_F"):
        phase = "f"
    if len(keys) > 1 and keys[0] == "transition":
        metric = f"transition_{metric}"
    return vocabulary.Name(metric, ".".join(filter(None, (component, phase, *indexes))))


def _own(keys: tuple[str, ...]) -> str:
    """Return a metric of its own for keys that no table has."""
    word = vocabulary.word(keys[-1]) if len(keys) == 1 else None
    return word or "_".join(filter(None, map(vocabulary.snake, keys))) or "value"
