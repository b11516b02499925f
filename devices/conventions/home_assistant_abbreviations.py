"""Short keys of Home Assistant's discovery messages (https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ABBREVIATIONS: Final[Mapping[str, str]] = {
    "act_t": "action_topic", "act_tpl": "action_template", "aux_cmd_t": "aux_command_topic", "avty": "availability", "avty_mode": "availability_mode",
    "avty_t": "availability_topic", "avty_tpl": "availability_template", "away_mode_cmd_t": "away_mode_command_topic",
    "away_mode_stat_t": "away_mode_state_topic", "away_mode_stat_tpl": "away_mode_state_template", "bri_cmd_t": "brightness_command_topic",
    "bri_cmd_tpl": "brightness_command_template", "bri_scl": "brightness_scale", "bri_stat_t": "brightness_state_topic",
    "bri_val_tpl": "brightness_value_template", "clr_temp_cmd_t": "color_temp_command_topic",
    "clr_temp_cmd_tpl": "color_temp_command_template", "clr_temp_k": "color_temp_kelvin", "clr_temp_stat_t": "color_temp_state_topic",
    "clr_temp_val_tpl": "color_temp_value_template", "cmd_t": "command_topic", "cmd_tpl": "command_template", "cmps": "components",
    "curr_hum_t": "current_humidity_topic", "curr_hum_tpl": "current_humidity_template", "curr_temp_t": "current_temperature_topic",
    "curr_temp_tpl": "current_temperature_template", "dev": "device", "dev_cla": "device_class", "dir_cmd_t": "direction_command_topic",
    "dir_cmd_tpl": "direction_command_template", "dir_stat_t": "direction_state_topic", "dir_val_tpl": "direction_value_template",
    "fan_mode_cmd_t": "fan_mode_command_topic", "fan_mode_cmd_tpl": "fan_mode_command_template", "fan_mode_stat_t": "fan_mode_state_topic",
    "fan_mode_stat_tpl": "fan_mode_state_template", "hold_cmd_t": "hold_command_topic", "hs_cmd_t": "hs_command_topic",
    "rgb_cmd_t": "rgb_command_topic", "rgbw_cmd_t": "rgbw_command_topic", "rgbww_cmd_t": "rgbww_command_topic",
    "send_cmd_t": "send_command_topic", "set_fan_spd_t": "set_fan_speed_topic", "spd_cmd_t": "speed_command_topic",
    "swing_h_mode_cmd_t": "swing_horizontal_mode_command_topic", "whit_cmd_t": "white_command_topic",
    "whit_val_cmd_t": "white_value_command_topic", "xy_cmd_t": "xy_command_topic", "dock_cmd_t": "dock_command_topic",
    "pause_cmd_t": "pause_command_topic", "strt_mw_cmd_t": "start_mowing_command_topic",
    "fx_cmd_t": "effect_command_topic", "fx_cmd_tpl": "effect_command_template",
    "fx_list": "effect_list", "fx_stat_t": "effect_state_topic", "fx_val_tpl": "effect_value_template",
    "hum_cmd_t": "target_humidity_command_topic", "hum_cmd_tpl": "target_humidity_command_template",
    "hum_stat_t": "target_humidity_state_topic", "hum_state_tpl": "target_humidity_state_template", "hs_stat_t": "hs_state_topic",
    "max_hum": "max_humidity", "max_mirs": "max_mireds", "min_hum": "min_humidity", "min_mirs": "min_mireds",
    "mode_cmd_t": "mode_command_topic", "mode_cmd_tpl": "mode_command_template", "mode_stat_t": "mode_state_topic",
    "mode_stat_tpl": "mode_state_template", "obj_id": "object_id", "ops": "options", "opt": "optimistic",
    "osc_cmd_t": "oscillation_command_topic", "osc_cmd_tpl": "oscillation_command_template", "osc_stat_t": "oscillation_state_topic",
    "osc_val_tpl": "oscillation_value_template", "p": "platform", "pct_cmd_t": "percentage_command_topic",
    "pct_cmd_tpl": "percentage_command_template", "pct_stat_t": "percentage_state_topic", "pct_val_tpl": "percentage_value_template",
    "pl_arm_away": "payload_arm_away", "pl_arm_custom_b": "payload_arm_custom_bypass", "pl_arm_home": "payload_arm_home",
    "pl_arm_nite": "payload_arm_night", "pl_arm_vacation": "payload_arm_vacation", "pl_avail": "payload_available",
    "pl_cls": "payload_close", "pl_disarm": "payload_disarm", "pl_lock": "payload_lock", "pl_not_avail": "payload_not_available",
    "pl_off": "payload_off", "pl_on": "payload_on", "pl_open": "payload_open", "pl_osc_off": "payload_oscillation_off",
    "pl_osc_on": "payload_oscillation_on", "pl_unlk": "payload_unlock", "pos_clsd": "position_closed", "pos_open": "position_open",
    "pos_t": "position_topic", "pos_tpl": "position_template", "pow_cmd_t": "power_command_topic",
    "pr_mode_cmd_t": "preset_mode_command_topic", "pr_mode_cmd_tpl": "preset_mode_command_template",
    "pr_mode_stat_t": "preset_mode_state_topic", "pr_mode_val_tpl": "preset_mode_value_template", "pr_modes": "preset_modes",
    "rgb_stat_t": "rgb_state_topic", "set_pos_t": "set_position_topic", "set_pos_tpl": "set_position_template",
    "spd_rng_max": "speed_range_max", "spd_rng_min": "speed_range_min", "stat_clsd": "state_closed", "stat_closing": "state_closing",
    "stat_locked": "state_locked", "stat_off": "state_off", "stat_on": "state_on", "stat_open": "state_open",
    "stat_opening": "state_opening", "stat_t": "state_topic", "stat_tpl": "state_template", "stat_unlocked": "state_unlocked",
    "stat_val_tpl": "state_value_template", "swing_mode_cmd_t": "swing_mode_command_topic",
    "swing_mode_cmd_tpl": "swing_mode_command_template", "swing_mode_stat_t": "swing_mode_state_topic",
    "swing_mode_stat_tpl": "swing_mode_state_template", "t": "topic", "temp_cmd_t": "temperature_command_topic",
    "temp_cmd_tpl": "temperature_command_template", "temp_hi_cmd_t": "temperature_high_command_topic",
    "temp_hi_cmd_tpl": "temperature_high_command_template", "temp_hi_stat_t": "temperature_high_state_topic",
    "temp_hi_stat_tpl": "temperature_high_state_template", "temp_lo_cmd_t": "temperature_low_command_topic",
    "temp_lo_cmd_tpl": "temperature_low_command_template", "temp_lo_stat_t": "temperature_low_state_topic",
    "temp_lo_stat_tpl": "temperature_low_state_template", "temp_stat_t": "temperature_state_topic",
    "temp_stat_tpl": "temperature_state_template", "temp_unit": "temperature_unit", "tilt_clsd_val": "tilt_closed_value",
    "tilt_cmd_t": "tilt_command_topic", "tilt_cmd_tpl": "tilt_command_template", "tilt_opnd_val": "tilt_opened_value",
    "tilt_status_t": "tilt_status_topic", "tilt_status_tpl": "tilt_status_template", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template", "xy_stat_t": "xy_state_topic",
}  # fmt: skip
"""The abbreviations of keys that matter here; the others say how to show an entity."""

OF_DEVICE: Final[Mapping[str, str]] = {"ids": "identifiers", "cns": "connections", "mf": "manufacturer", "mdl": "model"}
"""The abbreviations inside `device` that matter here."""
