"""What the features of Zigbee2MQTT's devices are measured in where `bridge/devices` has not said so.

These are the units that the definitions of its devices give these features without exception, or nearly (the exposed features on
https://www.zigbee2mqtt.io/supported-devices/, and zigbee-herdsman-converters' `exposes`). Where definitions differ (`voc`, `duration`,
`water_consumed`), there is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from devices import vocabulary

VOLTS: Final = "V or mV"
"""Batteries report mV, the mains V: 1000 and more is mV."""

_OF_UNIT: Final[Mapping[str, str]] = {
    "%": "battery position tilt soil_moisture moisture pi_heating_demand valve_position fan_speed_percent cover_position curtain_position"
    " position_percent led_brightness backlight_brightness brightness_standby regulator_setpoint regulator_percentage pwm_output_percentage",
    "°C": "dew_point eco_mode_heat_temperature eco_mode_cool_temperature room_temp floor_temp air_temp frost_protect heat_protect frost_set"
    " local_temperature_floor hysteresis occupied_heating_setpoint_scheduled",
    "Wh": "consumed_energy",
    "W": "power total_power mean_power power_max load connected_load overload_protection over_power_threshold",
    "V": "mains_voltage voltage_min voltage_max under_voltage_threshold over_voltage_threshold",
    "A": "current current_neutral current_max over_current_threshold",
    "var": "power_reactive total_power_reactive",
    "VA": "power_apparent total_power_apparent",
    "Hz": "ac_frequency",
    "lqi": "linkquality",
    "lx": "illuminance illuminance_lux",
    "hPa": "pressure",
    "ppm": "co2 co eco2 tds smoke_concentration",
    "µg/m³": "pm1 pm4 pm10 pm25",
    "mg/m³": "formaldehyd hcho",
    "mired": "color_temp color_temp_startup",
    "°": "angle angle_x angle_y angle_z action_angle wind_direction",
    "dB": "noise",
    "m³/h": "flow",
    "µS/cm": "ec soil_fertility",
    "mA": "leakage_current leakage_threshold",
    "m/s": "wind_speed mean_wind_speed",
    "m": "static_detection_distance minimum_range maximum_range installation_height",
    "h": "lifetime",
    "min": "device_age boost_time_remaining",
    "ms": "elapsed",
    "s": "countdown occupancy_timeout presence_timeout fading_time detection_delay presence_delay calibration_time sampling_interval"
    " detection_interval auto_relock_time valve_duration",
}
UNITS: Final[Mapping[str, str]] = {feature: unit for unit, features in _OF_UNIT.items() for feature in vocabulary.words(features)}

_PART: Final = re.compile(r"_(?:phase_[abc]|l\d{1,2}|\d{1,2})$")
"""The end of a feature that tells phases, endpoints and channels apart."""
_OTHERWISE: Final = frozenset(
    vocabulary.words(
        "units unit precision alarm state status mode sensor count index interval period timeout duration delay time raw hold source factor"
        " report sampling range color reactive wh charging"
    )
)
"""A feature with one of these words is no temperature, humidity or energy, though it is about one."""


def documented_unit(feature: str, metric: str) -> str | None:
    """Return the unit of a feature by its name, and by the metric that is without its endpoint; `VOLTS` where it depends on the value.

    >>> documented_unit("power_phase_b", "power_phase_b"), documented_unit("temperature_report_interval", "temperature_report_interval")
    ('W', None)
    """
    stem = _PART.sub("", feature)
    if metric in ("voltage", "battery_voltage") or stem == "voltage":
        return VOLTS
    if unit := UNITS.get(feature) or UNITS.get(metric) or UNITS.get(stem):
        return unit
    words = stem.split("_")
    if not _OTHERWISE.isdisjoint(words):
        return None
    if "temperature" in words or "setpoint" in words:
        return "°F" if not {"f", "fahrenheit"}.isdisjoint(words) else "°C"
    return "%" if "humidity" in words else "kWh" if "energy" in words else None
