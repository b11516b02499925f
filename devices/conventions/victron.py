"""Victron Venus OS: `N/<portal>/<service>/<instance>/<D-Bus path>` ← `{"value": …}` (https://github.com/victronenergy/dbus-flashmq).

Each path of the D-Bus is a topic; `max` and `min` beside a value are limits of a setting. `null` is not available, and an empty payload
says that the device has left the D-Bus. `R/…` asks for a value, `W/…` writes one; `N/<portal>/keepalive`, `full_publish_completed` and
`heartbeat` are the broker's own. The older dbus-mqtt, whose messages are retained, answers a request for a branch with an object of
paths. A topic is Venus's by its service, or by a portal's name of twelve hexadecimal digits;
a bridge may have put a level or two before it.

*Device*: `portal/service/instance`. *Key*: the path, slashes and all. *Channel*: the path before its last element (`Ac/L1/Power` →
`power` on `Ac.L1`). *Units*: `victron_units`. *Time*: received; Venus says none.

Commands: `W/<portal>/<service>/<instance>/<path>` ← `{"value": …}`. A setting is the path, or `state/Relay.0`. What has not been asked for
is silent after a minute: keep a portal awake with `R/<portal>/keepalive`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    check_size,
    refuse,
    refuse_toggle,
    split_setting,
)
from devices.conventions.victron_units import SERVICES, unit
from devices.payloads import Body
from devices.reading import Encoded, Expected, Ignored, Message, Value

PORTAL: Final = re.compile(r"[0-9a-f]{12}")

NAMES: Final[Mapping[str, str]] = {
    "V": "Voltage", "I": "Current", "P": "Power", "S": "ApparentPower", "F": "Frequency", "Soh": "StateOfHealth",
}  # fmt: skip
"""Short last elements, written out."""


class Victron(Convention):
    """Everything on the D-Bus of a Victron GX device."""

    name = "victron"
    title = "Victron Venus OS"
    about = "Victron GX devices (Venus OS): N/<portal>/<service>/<instance>/<path>"
    topics = "`N/<portal>/<service>/<instance>/<D-Bus path>`; commands on `W/…`, requests on `R/…`"
    setup = "On the GX device: Settings → Services → MQTT, then bridge its broker's `N/#`, `R/#` and `W/#` to this one."

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        at = next((place for place, level in enumerate(levels[:3]) if level in ("N", "R", "W")), None)
        if at is None or len(levels) < at + 3 or not levels[at + 1]:
            return None
        before, (kind, portal, *rest) = levels[:at], levels[at:]
        if len(rest) == 1:
            own = rest[0] in ("keepalive", "full_publish_completed", "heartbeat") and (not at or PORTAL.fullmatch(portal))
            return Place(portal, ignored="housekeeping") if own else None
        if not rest[1].isdigit() or not (rest[0] in SERVICES or PORTAL.fullmatch(portal)):
            return None
        device = f"{portal}/{rest[0]}/{rest[1]}"
        if kind != "N":
            return Place(device, ignored="a command to a device" if kind == "W" else "a request for values")
        path = "/".join(rest[2:])
        return Place(device, "/".join((*before, "W", device)), (path,), rest[0]) if path and all(rest[2:]) else None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: the device has left", place.device)
        if not isinstance(body, dict) or "value" not in body:
            raise UnusableError(
                f"device {place.device!r}, path {place.path[0]!r}: payload must be an object with a value; got {_shown(body)}"
            )
        said = [
            Said(place.device, (path,), value, _unit(place.role, path, value), message.received, "received")
            for path, value in _values(place.device, place.path[0], body["value"], 1)
        ]
        if len(said) > MOST_READINGS:
            raise UnusableError(f"device {place.device!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("no value: not available", place.device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a D-Bus path: its last element, and what stands before it as channel."""
        *above, last = path[-1].split("/")
        if last.isdigit() and above:
            return vocabulary.name((*above, last), units_in_keys=False)
        if last == "Setpoint" or (above and above[-1] in ("Alarms", "Energy", "Yield")):
            return vocabulary.Name(vocabulary.snake(f"{above[-1] if above else ''}/{last}"), ".".join(above[:-1]))
        if above and above[0] == "Settings":
            return vocabulary.Name(vocabulary.snake("_".join((*above, last))), "")
        metric = vocabulary.word(NAMES.get(last, last)) or vocabulary.snake(NAMES.get(last, last)) or "value"
        return vocabulary.Name(metric, ".".join(above))

    def spoken(self, metric: str, value: str) -> Value:  # noqa: ARG002
        """Return a text as it is: truths are numbers on the D-Bus."""
        return value

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting. Truths are 1 and 0."""
        encoded = []
        for setting, told in settings.items():
            refuse_toggle(device, setting, told)
            path = _path(setting)
            if not path or not all(path.split("/")):
                refuse(device, setting, "must be a D-Bus path, or metric/channel", told)
            value = _number(told)
            payload = msgspec.json.encode({"value": value})
            encoded.append(Encoded(f"{base}/{path}", payload, self.confirms(device, setting, told)))
        return encoded

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        path, service = _path(setting), device.split("/")[1] if device.count("/") == 2 else ""
        told = _number(value)
        return (self.report(device, (path,), told, _unit(service, path, told)),)


def _number(told: Value) -> Value:
    """Return a value as the D-Bus has it: on and off are 1 and 0."""
    if isinstance(told, str) and told.strip().lower() in ("on", "off"):
        return int(told.strip().lower() == "on")
    return int(told) if isinstance(told, bool) else told


def _unit(service: str, path: str, value: Value) -> str | None:
    return None if isinstance(value, str) else unit(service, path)


def _values(device: str, path: str, value: Any, depth: int) -> Iterator[tuple[str, Value]]:
    """Yield the paths and values in what a path holds; an empty text, like null, is none, and texts in objects and arrays describe."""
    if isinstance(value, (dict, list)):
        check_size(device, value, depth)
        for key, inside in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _values(device, f"{path}/{key}", inside, depth + 1)
    elif value is not None and value != "" and not (isinstance(value, str) and depth > 1):
        yield path, value


def _path(setting: str) -> str:
    """Return the D-Bus path that a setting names.

    >>> _path("Mode"), _path("Settings/CGwacs/Hub4Mode"), _path("state/Relay.0")
    ('Mode', 'Settings/CGwacs/Hub4Mode', 'Relay/0/State')
    """
    metric, channel = split_setting(setting)
    if not metric[:1].islower():
        return setting
    last = "".join(word.capitalize() for word in metric.split("_"))
    return "/".join((*filter(None, channel.split(".")), last))


def _shown(body: Body) -> str:
    return repr(str(body)[:40])
