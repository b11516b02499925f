"""How a setting becomes what Home Assistant's discovery says a command is, and the state that it leads to.

A command is a mapping in plain builtins, as `home_assistant_discovery` makes it: `on_off` words, `led` states to reach, a `number` with its
limits `low` and `high`, or `options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from devices import vocabulary
from devices.convention import on_off, refuse
from devices.reading import Value


def told(command: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[Value, Value]:
    """Return what is sent for a value, and the word or number that will be reported. Raises CommandError."""
    text = on_off(value)
    if "on_off" in command:
        on, off = command["on_off"]
        if text not in (on, off) and text.upper() not in ("ON", "OFF"):
            refuse(device, setting, f"must be {on} or {off}", value)
        truth = text == on or (text != off and text.upper() == "ON")
        words = {reached: word for word, reached in command.get("words", {}).items()}
        return (on, words.get(True, on)) if truth else (off, words.get(False, off))
    if "led" in command:
        for state, (reached, told) in command["led"].items():
            if text.lower() in (state, reached.lower(), told.lower()):
                return told, reached
        refuse(device, setting, f"must be a state to reach ({', '.join(command['led'])})", value)
    if command.get("number") or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return _number(command, device, setting, value)
    if "options" in command and text not in command["options"]:
        refuse(device, setting, f"must be one of {', '.join(command['options'])}", value)
    return text, text


def _number(command: Mapping[str, Any], device: str, setting: str, value: Value) -> tuple[Value, Value]:
    number = vocabulary.number(value) if isinstance(value, str) else value
    if number is None or isinstance(number, (bool, str)):
        refuse(device, setting, "must be a number", value)
    if number < command.get("low", number) or number > command.get("high", number):
        refuse(device, setting, f"must be from {command.get('low')} to {command.get('high')}", value)
    return number, number
