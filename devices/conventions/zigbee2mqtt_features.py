"""Zigbee2MQTT's features: what a bridge's list of devices says of each, and the value that one may be set to.

By https://www.zigbee2mqtt.io/guide/usage/exposes.html: `access` has bit 2 (value 2) where a feature can be set; `numeric` has `value_min`,
`value_max` and `presets` (words for values, some beyond the range), `enum` has `values`, `binary` has `value_on` and `value_off`, `composite`
has `features` of its own. What is kept of a feature is plain and short: `[access, unit]` or, where it can be set, `[access, unit, on, off,
rule]`. The rule is None where anything goes, a list of words, `{"from", "to", "presets"}` of a number, `{"parts": features}` of a composite,
or `"text"`, `"list"`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from devices import vocabulary
from devices.convention import on_off, refuse
from devices.reading import Value

Feature = list[Any]

SETTABLE: Final = 2
"""The bit of `access` that says that a feature can be set."""

COLOUR_FORMS: Final = frozenset({"hex", "rgb", "r", "g", "b", "h", "s", "l", "v", "hsb", "hsl", "hsv", "hue", "saturation", "x", "y"})
"""Parts in which any light takes its `color`, whichever of them the bridge lists (section "Set" of the documentation of lights)."""

MOST_WORDS: Final = 256
LONGEST_WORD: Final = 128
_DEEPEST: Final = 4
_SPOKEN: Final[Mapping[str, bool]] = {"on": True, "off": False, "true": True, "false": False}


def features(exposes: Any, *, most: int) -> dict[str, Feature]:
    """Return at most `most` features by property, those inside lights, switches and the like too."""
    found: dict[str, Feature] = {}
    for name, feature in _walk(exposes, 0):
        known = found.get(name)
        if known is not None and _parts(known) is not None and _parts(feature) is not None:  # a colour is listed as x and y, and as hue
            known[4] = {"parts": {**known[4]["parts"], **feature[4]["parts"]}}
        elif known is not None or len(found) < most:
            found[name] = feature
    return found


def _walk(exposes: Any, depth: int) -> Iterator[tuple[str, Feature]]:
    for one in exposes if isinstance(exposes, list) and depth <= _DEEPEST else ():
        if not isinstance(one, dict):
            continue
        named, access, kind = one.get("property"), one.get("access"), one.get("type")
        if isinstance(named, str) and (isinstance(access, int) or kind == "composite"):
            yield named, _feature(one, access if isinstance(access, int) else 7, depth)
        if kind != "composite":
            yield from _walk(one.get("features"), depth + 1)


def _feature(one: Mapping[str, Any], access: int, depth: int) -> Feature:
    unit = one["unit"] if isinstance(one.get("unit"), str) else None
    if not access & SETTABLE:
        return [access, unit]
    on, off = (value if isinstance(value := one.get(key), (bool, str, int)) else None for key in ("value_on", "value_off"))
    return [access, unit, on, off, _rule(one, depth)]


def _rule(one: Mapping[str, Any], depth: int) -> Any:
    kind = one.get("type")
    if kind == "numeric":
        return _numbers(one)
    if kind == "enum":
        words = one.get("values")
        fits = isinstance(words, list) and 0 < len(words) <= MOST_WORDS and all(_is_word(word) for word in words)
        return words if fits else None
    if kind == "composite":
        return {"parts": dict(_walk(one.get("features"), depth + 1))}
    return kind if kind in ("text", "list") else None


def _numbers(one: Mapping[str, Any]) -> dict[str, Any]:
    presets = one.get("presets")
    named = {
        preset["name"]: preset["value"]
        for preset in (presets if isinstance(presets, list) else ())[:MOST_WORDS]
        if isinstance(preset, dict) and _is_word(preset.get("name")) and _is_number(preset.get("value"))
    }
    rule = {"from": one.get("value_min"), "to": one.get("value_max")}
    return {word: limit for word, limit in rule.items() if _is_number(limit)} | ({"presets": named} if named else {})


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_word(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, str) and len(value) <= LONGEST_WORD)


def _parts(feature: Feature) -> dict[str, Feature] | None:
    rule = feature[4] if len(feature) > 4 else None
    return rule.get("parts") if isinstance(rule, dict) else None


def writable(known: Mapping[str, Feature] | None, device: str, setting: str, path: tuple[str, ...], value: Value) -> Value:
    """Return the value as its feature wants it. Raises CommandError for a feature that cannot be set, or not to this value."""
    key = path[0]
    if known is None:
        return ("ON" if value else "OFF") if isinstance(value, bool) and key.split("_", maxsplit=1)[0] == "state" else value
    if key not in known:
        can = ", ".join(sorted(name for name, feature in known.items() if feature[0] & SETTABLE))
        refuse(device, setting, f"must be a feature that can be set ({can or 'this device has none'})", value)
    feature = known[key]
    if not feature[0] & SETTABLE:
        refuse(device, setting, "can be read but not set", value)
    parts = _parts(feature)
    if parts is None:
        return _fitting(feature, device, setting, value)
    if key == "color" and len(path) == 2 and path[1] in COLOUR_FORMS - parts.keys():
        return value
    if len(path) == 1 or path[1] not in parts:
        refuse(device, setting, f"must be set by its parts ({', '.join(f'{key}.{part}' for part in sorted(parts))})", value)
    return writable(parts, device, setting, path[1:], value)


def _fitting(feature: Feature, device: str, setting: str, value: Value) -> Value:
    _, _, on, off, rule = (*feature, None)[:5]
    if on is not None and off is not None:
        return _switched(on, off, device, setting, value)
    if isinstance(rule, dict):
        return _number(rule, device, setting, value)
    if isinstance(rule, list):
        return _chosen(rule, device, setting, value)
    if rule == "text" and not isinstance(value, str):
        refuse(device, setting, "must be text", value)
    if rule == "list":
        refuse(device, setting, "must be a list, which no command can hold", value)
    return value


def _switched(on: bool | int | str, off: bool | int | str, device: str, setting: str, value: Value) -> Value:
    """Return what a binary feature is switched on or off with, from that itself or from a truth."""
    for own in (on, off):
        if _same(value, own):
            return own
    truth = value if isinstance(value, bool) else _SPOKEN.get(str(value).lower())
    if truth is None:
        rule = "must be true or false" if isinstance(on, bool) else f"must be one of {on}, {off}"
        refuse(device, setting, rule, value)
    return on if truth else off


def _chosen(words: list[Value], device: str, setting: str, value: Value) -> Value:
    """Return the word of an enumeration that is meant, in the device's own spelling; a truth is its on or off."""
    meant = ("on", "true") if value is True else ("off", "false") if value is False else (value,)
    own = next((one for one in words if any(_same(word, one) for word in meant)), None)
    if own is None:
        refuse(device, setting, f"must be one of {', '.join(map(str, words))}", value)
    return own


def _same(value: Value, own: Value) -> bool:
    if isinstance(value, str) and isinstance(own, str):
        return value.lower() == own.lower()
    return isinstance(value, bool) == isinstance(own, bool) and value == own


def _number(rule: Mapping[str, Any], device: str, setting: str, value: Value) -> Value:
    """Return a number within its range, or that of a preset."""
    presets = rule.get("presets", {})
    number = presets.get(value, vocabulary.number(value)) if isinstance(value, str) else value
    if number is None or isinstance(number, bool):
        named = f", or one of {', '.join(presets)}" if presets else ""
        refuse(device, setting, f"must be a number{named}", value)
    least, most = rule.get("from"), rule.get("to")
    if number not in presets.values() and ((least is not None and number < least) or (most is not None and number > most)):
        refuse(device, setting, _range(least, most), value)
    return number


def _range(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return f"must be at most {on_off(most or 0)}" if least is None else f"must be at least {on_off(least)}"
    return f"must be from {on_off(least)} to {on_off(most)}"
