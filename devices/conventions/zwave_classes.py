"""Z-Wave's command classes, as Z-Wave JS UI writes them in topics: where they stand, what their values are called, and their units.

Sources: the gateway's constants and settings (https://zwave-js.github.io/zwave-js-ui/#/usage/setup), the meters of Z-Wave JS
(https://zwave-js.github.io/node-zwave-js/). A meter's property key is `(type << 16) | (scale << 8) | rate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devices import vocabulary

CLASSES: Final[Mapping[int, str]] = {
    0x20: "basic", 0x25: "switch_binary", 0x26: "switch_multilevel", 0x27: "switch_all", 0x2B: "scene_activation",
    0x2C: "scene_actuator_conf", 0x2D: "scene_controller_conf", 0x30: "sensor_binary", 0x31: "sensor_multilevel", 0x32: "meter",
    0x33: "color", 0x35: "meter_pulse", 0x40: "thermostat_mode", 0x42: "thermostat_operating_state", 0x43: "thermostat_setpoint",
    0x44: "thermostat_fan_mode", 0x45: "thermostat_fan_state", 0x46: "climate_control_schedule", 0x47: "thermostat_setback",
    0x4C: "door_lock_logging", 0x4E: "schedule_entry_lock", 0x50: "basic_window_covering", 0x5B: "central_scene", 0x5D: "antitheft",
    0x5E: "zwave_plus_info", 0x60: "multi_instance", 0x62: "door_lock", 0x63: "user_code", 0x66: "barrier_operator", 0x6A: "window_covering",
    0x6F: "entry_control", 0x70: "configuration", 0x71: "notification", 0x72: "manufacturer_specific", 0x73: "powerlevel",
    0x75: "protection", 0x76: "lock", 0x77: "node_naming", 0x79: "sound_switch", 0x7A: "firmware_update_md", 0x80: "battery", 0x81: "clock",
    0x84: "wake_up", 0x85: "association", 0x86: "version", 0x87: "indicator", 0x89: "language", 0x8A: "time", 0x8B: "time_parameters",
    0x90: "energy_production", 0x98: "security", 0x9C: "sensor_alarm", 0x9D: "silence_alarm", 0x9E: "sensor_configuration",
}  # fmt: skip
"""The command classes by number, as the gateway names them in topics."""
NAMES: Final = frozenset(CLASSES.values()) | frozenset(vocabulary.words("multilevel_switch binary_switch color_switch multilevel_sensor"))

PLAIN: Final = frozenset(
    vocabulary.words(
        "sensor_multilevel sensor_binary switch_multilevel switch_binary thermostat_mode thermostat_setpoint thermostat_fan_mode"
        " thermostat_operating_state door_lock barrier_operator central_scene sensor_alarm"
    )
)
"""Command classes whose name tells a value under any prefix, without an endpoint."""

METERS: Final[Mapping[tuple[int, int], tuple[str, str | None]]] = {
    (1, 0): ("energy", "kWh"), (1, 1): ("apparent_energy", "kVAh"), (1, 2): ("power", "W"), (1, 3): ("pulses", None), (1, 4): ("voltage", "V"),
    (1, 5): ("current", "A"), (1, 6): ("power_factor", None), (1, 7): ("reactive_power", "kvar"), (1, 8): ("reactive_energy", "kvarh"),
    (2, 0): ("gas_volume", "m³"), (2, 1): ("gas_volume", "ft³"), (2, 3): ("pulses", None), (3, 0): ("water_volume", "m³"),
    (3, 1): ("water_volume", "ft³"), (3, 2): ("water_volume", "gal"), (3, 3): ("pulses", None), (4, 0): ("heat_energy", "kWh"),
    (5, 0): ("cooling_energy", "kWh"),
}  # fmt: skip
"""By type and scale of a meter: what it counts, and in what (Z-Wave JS, config/meters.json)."""

_OWN_METRICS: Final[Mapping[tuple[str, str], str]] = {
    ("switch_binary", "currentValue"): "state", ("switch_binary", "targetValue"): "target_state",
    ("switch_multilevel", "currentValue"): "level", ("switch_multilevel", "targetValue"): "target_level",
    ("battery", "level"): "battery", ("battery", "isLow"): "battery_low",
}  # fmt: skip
_NO_CHANNEL: Final = frozenset(vocabulary.words("sensor_multilevel sensor_binary switch_multilevel switch_binary battery"))


def class_at(levels: tuple[str, ...], size: int, *, known: bool) -> int | None:
    """Return where the command class of a named topic stands: best before an endpoint, since rooms and nodes may be called like a class."""
    last = len(levels) - 1
    for at in range(size + (not known), last - 1):
        if levels[at + 1].startswith("endpoint_") and levels[at + 1][9:].isdecimal():
            return at
    names = NAMES if known else PLAIN
    found = (at for at in range(size + 1, last) if levels[at].lower() in names or (known and levels[at].startswith("unknownClass_")))
    return next(found, None)


def numbered_class_at(levels: tuple[str, ...], size: int) -> int | None:
    """Return where the command class of a value id topic stands: a class's number before an endpoint's, best before a property in words."""
    found = [
        at
        for at in range(size + 1, len(levels) - 2)
        if levels[at].isdecimal() and len(levels[at]) < 4 and int(levels[at]) in CLASSES and levels[at + 1].isdecimal()
    ]
    return next((at for at in found if not levels[at + 2].isdecimal()), found[0] if found else None)


def parts(path: tuple[str, ...]) -> tuple[str, str, tuple[str, ...]]:
    """Split a value's path into command class, endpoint and properties; a topic that a user chose has only properties.

    >>> parts(("meter", "endpoint_1", "value", "66049")), parts(("37", "0", "currentValue"))
    (('meter', '1', ('value', '66049')), ('switch_binary', '0', ('currentValue',)))
    """
    kind = path[0].lower()
    if kind.isdecimal() and len(path) > 2 and path[1].isdecimal():
        return CLASSES.get(int(kind), kind) if len(kind) < 4 else kind, path[1], path[2:]
    if len(path) > 2 and path[1].startswith("endpoint_"):
        return kind, path[1].removeprefix("endpoint_"), path[2:]
    return (kind, "", path[1:]) if len(path) > 1 and kind in NAMES else ("", "", path)


def name_of(path: tuple[str, ...]) -> vocabulary.Name:
    """Return what a value is called: what it measures, on the channel of its class (but of sensors, switches, batteries) and endpoint (but 0).

    >>> name_of(("meter", "endpoint_1", "value", "66049"))
    Name(metric='power', channel='meter.1', unit=None)
    """
    kind, endpoint, properties = parts(path)
    above = [] if not kind or kind in _NO_CHANNEL else [kind]
    above += [endpoint] if endpoint not in ("", "0") else []
    meter = _meter(kind, properties)
    own = _OWN_METRICS.get((kind, properties[0])) if len(properties) == 1 else meter[0] if meter else None
    name = vocabulary.Name(own, "") if own else vocabulary.name(properties)
    return vocabulary.Name(name.metric, ".".join((*above, *filter(None, (name.channel,)))), name.unit)


def _meter(kind: str, properties: tuple[str, ...]) -> tuple[str, str | None] | None:
    """Return what a meter's value is and its unit, by its property key."""
    key = properties[-1]
    if kind != "meter" or len(properties) < 2 or not key.isdecimal() or len(key) > 9:
        return None
    return METERS.get((int(key) >> 16, int(key) >> 8 & 0xFF))


def unit_of(path: tuple[str, ...]) -> str | None:
    """Return what a value is measured in by the specification: a meter's by its property key, a battery's level in per cent."""
    kind, _, properties = parts(path)
    meter = _meter(kind, properties)
    return meter[1] if meter else "%" if (kind, properties) == ("battery", ("level",)) else None
