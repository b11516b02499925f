"""Settings as messages to the parts of a Shelly of the first generation (https://shelly-api-docs.shelly.cloud/gen1/#mqtt-support)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from devices.convention import on_off, refuse, refuse_toggle, split_setting
from devices.reading import Value

_LIT: Final = frozenset({"light", "color", "white"})
_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "state": _LIT | {"relay", "roller"}, "position": frozenset({"roller"}), "brightness": frozenset({"light", "white"}),
    "color_temperature": frozenset({"light"}), "gain": frozenset({"light", "color"}), "target_temperature": frozenset({"thermostat"}),
}  # fmt: skip
"""Which parts a setting is for."""

_KEYS: Final[Mapping[str, str]] = {"brightness": "brightness", "color_temperature": "temp", "gain": "gain"}
_PARTS: Final[Mapping[str, str]] = {"thermostats": "thermostat", **{name: name for name in _LIT | {"relay", "roller"}}}
_MOVES: Final = ("open", "close", "stop")


class Order(NamedTuple):
    """A message below a device's topic, and the value that the device then reports under a path."""

    topic: str
    payload: bytes
    path: tuple[str, ...]
    reported: Value


def part(path: tuple[str, ...]) -> str | None:
    """Return the part that a path is of, if it can be commanded.

    >>> part(("relay", "0", "power")), part(("info", "thermostats", "0", "pos")), part(("emeter", "0", "power"))
    ('relay.0', 'thermostat.0', None)
    """
    keys = path[1:] if path[0] == "info" else path
    if len(keys) < 2 or keys[0] not in _PARTS or not keys[1].isdigit() or len(keys[1]) > 2:
        return None
    return f"{_PARTS[keys[0]]}.{keys[1]}"


def order(parts: Sequence[str], device: str, setting: str, value: Value) -> Order:
    """Return the message that a setting is. Without a part it is for the device's only one that takes it.

    Raises CommandError.

    >>> order(["relay.0"], "plug", "state", True)
    Order(topic='relay/0/command', payload=b'on', path=('relay', '0'), reported='on')
    """
    refuse_toggle(device, setting, value)
    metric, channel = split_setting(setting)
    if metric not in _TAKES:
        refuse(device, setting, f"must be one of {', '.join(_TAKES)}", value)
    kind, _, number = channel.partition(".")
    if kind not in _TAKES[metric] or not number.isdecimal() or len(number) > 2:
        able = [one for one in parts if one.partition(".")[0] in _TAKES[metric]]
        fits = [one for one in able if channel in ("", one.partition(".")[2])]
        if len(fits) != 1:
            refuse(device, setting, f"must name one part of the device ({', '.join(f'{metric}/{one}' for one in able) or 'none'})", value)
        kind, _, number = fits[0].partition(".")
    return _state(kind, number, device, setting, value) if metric == "state" else _level(kind, number, device, setting, value)


def _state(kind: str, number: str, device: str, setting: str, value: Value) -> Order:
    word = on_off(value).strip().lower()
    word = {"1": "on", "0": "off"}.get(word, word)
    can = _MOVES if kind == "roller" else ("on", "off")
    if word not in can:
        refuse(device, setting, f"must be one of {', '.join(can)}", value)
    return Order(f"{kind}/{number}/command", word.encode(), (kind, number), word)


def _level(kind: str, number: str, device: str, setting: str, value: Value) -> Order:
    metric = split_setting(setting)[0]
    if isinstance(value, (bool, str)):
        refuse(device, setting, "must be a number", value)
    text = on_off(value).encode()
    if metric == "position":
        return Order(f"roller/{number}/command/pos", text, ("roller", number, "pos"), value)
    if metric == "target_temperature":
        path = ("info", "thermostats", number, "target_t", "value")
        return Order(f"thermostat/{number}/command/target_t", text, path, value)
    key = _KEYS[metric]
    return Order(f"{kind}/{number}/set", msgspec.json.encode({key: value}), (kind, number, "status", key), value)
