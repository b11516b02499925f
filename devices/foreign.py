"""Dialects that are known but not read yet: better a dead letter that says so than readings of the wrong device.

Each is told by its topic or by keys that nobody else uses. A convention that comes to read one takes its line out of here.
"""

from __future__ import annotations

from typing import Final

from devices.payloads import Body

OURS: Final = "sluice"
"""The first level of what Sluice itself publishes."""

_FIRST: Final = {
    "spBv1.0": "Sparkplug B",
    "spAv1.0": "Sparkplug A",
    "homie": "Homie",
    "shellies": "Shelly Gen1",
    "owntracks": "OwnTracks",
    "$aws": "AWS IoT",
    "$iothub": "Azure IoT",
}
_KEYS: Final = {
    "end_device_ids": "The Things Stack",
    "deduplicationId": "ChirpStack v4",
    "devEUI": "ChirpStack v3",
    "_type": "OwnTracks",
    "gw_mac": "Ruuvi gateway",
    "bn": "SenML",
    "MessageId": "OPC UA PubSub",
}
_SENML: Final = frozenset({"v", "vs", "vb", "vd", "s", "u", "bt", "bu"})


def housekeeping(levels: tuple[str, ...]) -> str | None:
    """Return why a topic is never a device's, or None.

    >>> housekeeping(("$SYS", "broker", "uptime")), housekeeping(("homeassistant", "sensor", "x", "config"))
    ("the broker's own", 'Home Assistant discovery')
    """
    first = levels[0]
    if first == OURS:
        return "published by Sluice itself"
    if first == "$SYS":
        return "the broker's own"
    if first == "homeassistant":
        return "Home Assistant discovery"
    if any(level.startswith("$") for level in levels[1:]):
        return "describes a device"
    return "a gateway's own" if any(level.startswith("_") and level.isupper() for level in levels[1:]) else None


def by_topic(levels: tuple[str, ...]) -> str | None:
    """Return the dialect that a topic belongs to, if it is one of these.

    >>> by_topic(("spBv1.0", "plant", "NDATA", "edge")), by_topic(("home", "kitchen"))
    ('Sparkplug B', None)
    """
    if levels[0] in _FIRST:
        return _FIRST[levels[0]]
    if levels[0] in ("N", "R", "W") and len(levels) >= 4:
        return "Victron Venus"
    if len(levels) >= 5 and levels[0] == "application" and "device" in levels[2:4]:
        return "ChirpStack"
    if len(levels) >= 5 and levels[0] == "v3" and levels[2] == "devices":
        return "The Things Stack"
    return "Shelly Gen2" if levels[-2:] == ("events", "rpc") else None


def by_shape(body: Body) -> str | None:
    """Return the dialect that an object or array belongs to, if it is one of these.

    >>> by_shape([{"n": "urn:dev:1", "v": 21.5, "u": "Cel"}]), by_shape({"temperature": 21.5})
    ('SenML', None)
    """
    if isinstance(body, dict):
        for key in _KEYS.keys() & body.keys():
            return _KEYS[key]
        return "Shelly Gen2" if "method" in body and "src" in body and "params" in body else None
    if isinstance(body, list) and body and isinstance(body[0], dict):
        first = body[0]
        return "SenML" if "bn" in first or ("n" in first and not _SENML.isdisjoint(first)) else None
    return None
