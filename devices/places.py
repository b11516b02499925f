"""Whose reading it is, by the topic alone: the rule of the plain conventions.

*A value on a topic of its own*: the last level is the metric and the level before it the device. Skipped are `state value values
attributes`, empty levels, and levels that are only a number: those go to the channel (`shed/pump/2/power` → device `pump`, metric `power`,
channel `2`). Numbers at the end are the device's own way to say which: metric `value`, unless a word of the vocabulary stands before them.

*An object*: the last level is the device. Levels that only say that data follows (`state`, `values`, `telemetry`, …), or that repeat a key
of the object, are skipped from the end; numbers go to the channel (`rooms/12` → device `rooms`, channel `12`).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from devices import vocabulary

OURS: Final = "sluice"
"""The first level of what Sluice itself publishes."""

STRUCTURAL: Final = frozenset({"state", "value", "values", "attributes"})
"""Levels that are neither device nor metric."""

DATA: Final = STRUCTURAL | frozenset(
    vocabulary.words(
        "allvalues all data telemetry json status sensor sensors measurement measurements reading readings payload event events"
        " message messages availability out up uplink report"
    )
)
"""Last levels of an object's topic that name no device."""

GENERIC: Final = DATA | frozenset(vocabulary.words("device devices mqtt iot incoming home node nodes gateway"))
"""Where a topic has only these, many devices share it: a weak name in the payload then says which one speaks."""

COMMANDS: Final = frozenset({"set", "get", "cmd", "cmnd", "command", "commands"})
"""Levels that make a topic a command to a device: the last, the last but one, or the first."""


def nobodys(levels: tuple[str, ...]) -> str | None:
    """Return why a topic is never a device's, whatever dialect it speaks, or None.

    >>> nobodys(("$SYS", "broker", "uptime")), nobodys(("home", "kitchen"))
    ("the broker's own", None)
    """
    if levels[0] == OURS:
        return "published by Sluice itself"
    return "the broker's own" if levels[0] == "$SYS" else None


def no_reading(levels: tuple[str, ...]) -> str | None:
    """Return why nothing on a plain topic is a reading, or None: a command, or what some gateway says of itself.

    >>> no_reading(("home", "lamp", "set")), no_reading(("zwave", "_CLIENTS", "gateway"))
    ('a command to a device', "a gateway's own")
    """
    if is_command(levels):
        return "a command to a device"
    if any(level.startswith("$") for level in levels):
        return "describes a device"
    return "a gateway's own" if any(level.startswith("_") and level.isupper() for level in levels[1:]) else None


def is_command(levels: tuple[str, ...]) -> bool:
    """Return whether a plain topic carries commands to a device.

    >>> is_command(("home", "lamp", "set")), is_command(("home", "lamp", "set", "brightness")), is_command(("home", "settings"))
    (True, True, False)
    """
    return len(levels) > 1 and not COMMANDS.isdisjoint((levels[0].lower(), levels[-1].lower(), levels[-2].lower()))


def of_value(levels: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Return device and path of keys for a topic that carries one value.

    >>> of_value(("", "sensors", "CLE", "v1", "device5", "temp"))
    ('device5', ('temp',))
    >>> of_value(("hub", "some_room", "attributes", "temperature", "value")), of_value(("Hatch-out", "2", "0"))
    (('some_room', ('temperature',)), ('Hatch-out', ('2', '0')))
    """
    named = [level for level in levels if level]
    core = [level for level in named if level.lower() not in STRUCTURAL] or named
    words = [place for place, level in enumerate(core) if not level.isdigit()]
    if not words:
        return (core[0] if core else "/"), tuple(core[1:]) or ("value",)
    metric = words[-1]
    if metric < len(core) - 1 and (len(words) == 1 or vocabulary.word(core[metric]) is None):
        return core[metric], tuple(core[metric + 1 :])
    if len(words) == 1:
        return core[metric], (core[metric],) if vocabulary.word(core[metric]) else ("value",)
    return core[words[-2]], tuple(core[words[-2] + 1 :])


def of_object(levels: tuple[str, ...], keys: Container[str] = ()) -> tuple[str, tuple[str, ...], str]:
    """Return the device whose object is on this topic, the numbers behind its name, and the topic that commands for it start from.

    >>> of_object(("incoming", "data", "dev-1", "values"))
    ('dev-1', (), 'incoming/data/dev-1')
    >>> of_object(("incoming", "data", "dev-1", "randfloat32"), {"randfloat32"}), of_object(("rooms", "12", "state"))
    (('dev-1', (), 'incoming/data/dev-1'), ('rooms', ('12',), 'rooms/12'))
    """
    end = len(levels)
    while end > 1 and _names_no_device(levels[end - 1], keys):
        end -= 1
    if not levels[end - 1] or levels[end - 1].isdigit():
        named = [level for level in levels if level]
        return (named[-1] if named else "/"), (), "/".join(levels)
    tail = levels[end:]
    numbers = tuple(level for level in tail if level.isdigit())
    while tail and not tail[-1].isdigit():
        tail = tail[:-1]
    return levels[end - 1], numbers, "/".join((*levels[:end], *tail))


def _names_no_device(level: str, keys: Container[str]) -> bool:
    return not level or level.isdigit() or level.lower() in DATA or level in keys


def is_shared(levels: tuple[str, ...]) -> bool:
    """Return whether a topic names no device at all: one level, or only words that any device could use.

    >>> is_shared(("sensors", "data")), is_shared(("sensors", "attic", "data"))
    (True, False)
    """
    named = [level.lower() for level in levels if level]
    return len(named) <= 1 or all(level in GENERIC or level.isdigit() for level in named)
