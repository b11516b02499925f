"""Settings as remote procedure calls to Shelly's components (https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from devices.convention import refuse, refuse_toggle, split_setting
from devices.reading import Value

KINDS: Final[Mapping[str, str]] = {
    "switch": "Switch", "light": "Light", "rgb": "RGB", "rgbw": "RGBW", "cct": "CCT", "cover": "Cover", "thermostat": "Thermostat",
    "boolean": "Boolean", "number": "Number", "text": "Text", "enum": "Enum",
}  # fmt: skip
"""Components that can be commanded, and the namespace of their methods."""

_SWITCHED: Final = frozenset({"switch", "light", "rgb", "rgbw", "cct"})
_DIMMED: Final = frozenset({"light", "rgb", "rgbw", "cct"})
_VIRTUAL: Final = frozenset({"boolean", "number", "text", "enum"})
_MOVES: Final[Mapping[str, tuple[str, str]]] = {"open": ("Open", "open"), "close": ("Close", "closed"), "stop": ("Stop", "stopped")}
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "state": _SWITCHED | {"cover"}, "brightness": _DIMMED, "color_temperature": frozenset({"cct"}), "position": frozenset({"cover"}),
    "target_temperature": frozenset({"thermostat"}), "value": _VIRTUAL,
}  # fmt: skip
"""Which kinds of components a setting is for."""


class Call(NamedTuple):
    """A call, and the value that the device then reports under a path."""

    method: str
    params: dict[str, Any]
    path: tuple[str, str]
    reported: Value


def call(parts: Sequence[str], device: str, setting: str, value: Value) -> Call:
    """Return the call that a setting is. Without a component it is the device's only one that takes it.

    Raises CommandError.

    >>> call(["switch:0"], "plug", "state", "ON")
    Call(method='Switch.Set', params={'id': 0, 'on': True}, path=('switch:0', 'output'), reported=True)
    """
    refuse_toggle(device, setting, value)
    metric, component = split_setting(setting)
    if metric not in _TAKES:
        refuse(device, setting, f"must be one of {', '.join(_TAKES)}", value)
    kind, _, number = component.partition(":")
    if kind not in _TAKES[metric] or not number.isdecimal() or len(number) > 5:
        able = [part for part in parts if part.partition(":")[0] in _TAKES[metric]]
        fits = [part for part in able if not component or part.partition(":")[2] == component]
        if len(fits) != 1:
            refuse(
                device, setting, f"must name one component of the device ({', '.join(f'{metric}/{one}' for one in able) or 'none'})", value
            )
        component = fits[0]
    return _called(component, device, setting, value)


def _called(component: str, device: str, setting: str, value: Value) -> Call:
    kind, _, number = component.partition(":")
    metric, which = split_setting(setting)[0], {"id": int(number)}
    namespace = KINDS[kind]
    if metric == "state" and kind == "cover":
        return _moved(component, which, device, setting, value)
    if metric == "state":
        on = _truth(device, setting, value)
        return Call(f"{namespace}.Set", {**which, "on": on}, (component, "output"), on)
    if metric == "value":
        told = _truth(device, setting, value) if kind == "boolean" else value
        return Call(f"{namespace}.Set", {**which, "value": told}, (component, "value"), told)
    if isinstance(value, (bool, str)):
        refuse(device, setting, "must be a number", value)
    if metric == "position":
        return Call("Cover.GoToPosition", {**which, "pos": value}, (component, "current_pos"), value)
    if metric == "target_temperature":
        return Call("Thermostat.SetConfig", {**which, "config": {"target_C": value}}, (component, "target_C"), value)
    key = "ct" if metric == "color_temperature" else metric
    return Call(f"{namespace}.Set", {**which, key: value}, (component, key), value)


def _moved(component: str, which: dict[str, int], device: str, setting: str, value: Value) -> Call:
    move = _MOVES.get(str(value).lower())
    if move is None:
        refuse(device, setting, f"must be one of {', '.join(_MOVES)}", value)
    return Call(f"Cover.{move[0]}", dict(which), (component, "state"), move[1])


def _truth(device: str, setting: str, value: Value) -> bool:
    if isinstance(value, str) and value.strip().lower() in ("on", "off", "true", "false"):
        return value.strip().lower() in ("on", "true")
    if value not in (0, 1):
        refuse(device, setting, "must be ON or OFF", value)
    return bool(value)
