"""OwnTracks: `owntracks/<user>/<device>` and its sub-topics ← objects with a `_type` (https://owntracks.org/booklet/tech/json/).

*Readings* are of `location` (where a phone or tracker is, with what Queclink trackers add), `transition` (into and out of a region),
`beacon` (a beacon heard), `steps`, and `lwt`: the broker's word that the app is gone. All other types describe, configure or command.
An `encrypted` message cannot be read without its owner's key. Bodies made for HTTP, on any topic, are known by their `_type`; they
may repeat the topic they would have had. The device is `user/device`.

*Units* are the documentation's: degrees, metres, km/h, per cent, kPa. *Time*: `tst`, of the fix or the event; `created_at` is when the
message was made, `wtst` when a region was. The `tst` of an `lwt` is when the app had connected: it is no time of the loss.

There are commands (`…/cmd`), but none that sets what a device reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from devices import vocabulary
from devices.convention import Convention, Place, Said, UnusableError, check_size, refuse_commands
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value
from devices.timestamps import parse

BASE: Final = "owntracks"
SUBTOPICS: Final = frozenset(vocabulary.words("event waypoint waypoints cmd info status step steps beacon request dump"))

UNITS: Final[Mapping[str, str]] = {
    "lat": "°", "lon": "°", "alt": "m", "acc": "m", "vac": "m", "rad": "m", "vel": "km/h", "cog": "°", "batt": "%", "p": "kPa",
    "odometer": "km", "hmc": "s", "ubatt": "V", "uext": "V", "don": "s", "doff": "s", "aiv": "V", "rpm": "rpm", "fcon": "L/100km",
    "flvl": "%", "rssi": "dBm",
}  # fmt: skip
"""What elements are measured in; those with another name have none."""

NAMES: Final[Mapping[str, str]] = {
    "acc": "accuracy", "vac": "vertical_accuracy", "rad": "region_radius", "vel": "speed", "cog": "heading", "p": "pressure",
    "bs": "battery_status", "m": "monitoring_mode", "conn": "connection", "hmc": "operating_time", "ubatt": "battery_voltage",
    "uext": "external_voltage", "don": "ignition_on_time", "doff": "ignition_off_time", "aiv": "analog_voltage", "fcon": "fuel_consumption",
    "flvl": "fuel_level", "ign": "ignition", "prox": "proximity", "event": "region_event",
}  # fmt: skip
"""What elements are called downstream where their own name says too little."""

NEVER_NEGATIVE: Final = frozenset({"batt", "vel", "cog", "acc", "vac", "steps"})
"""Elements that phones give as -1 where they do not know them."""
TRUTHS: Final = frozenset(vocabulary.words("din1 din2 dout1 dout2 ign motion tow fake sens nmds"))
TEXTS: Final = frozenset({"conn", "event", "poi", "tag"})
LABELS: Final[Mapping[str, str]] = {"tid": "tid", "SSID": "ssid", "desc": "region", "name": "name"}
_ABOUT: Final = frozenset(vocabulary.words("tst wtst created_at sent isotst disptst mcc mnc cid rit rty rid major minor from to counter"))
_READ: Final = frozenset({"location", "transition", "beacon", "steps"})
_NOT_READ: Final[Mapping[str, str]] = {
    "waypoint": "describes a region", "waypoints": "describes regions", "card": "describes a user", "cmd": "a command to a device",
    "configuration": "a configuration", "status": "housekeeping", "request": "a request of an app", "dump": "a configuration",
}  # fmt: skip
_NEEDS: Final[Mapping[str, frozenset[str]]] = {
    "location": frozenset({"lat", "lon"}), "transition": frozenset({"event", "tst"}), "beacon": frozenset({"uuid", "tst"}),
    "steps": frozenset({"steps", "tst"}), "lwt": frozenset({"tst"}), "waypoint": frozenset({"desc", "tst"}),
    "waypoints": frozenset({"waypoints"}), "encrypted": frozenset({"data"}), "cmd": frozenset({"action"}), "card": frozenset({"tid"}),
    "configuration": frozenset({"mode"}), "request": frozenset({"request"}),
}  # fmt: skip
"""What a message of each type has at least, by which it is known on a topic of another's."""


class OwnTracks(Convention):
    """Phones with the OwnTracks app, and trackers that speak as it does."""

    name = "owntracks"
    title = "OwnTracks"
    about = "OwnTracks apps and trackers: owntracks/<user>/<device>"
    topics = "`owntracks/<user>/<device>` and below it `/event`, `/beacon`, `/step`; any topic with an object that has its `_type`"
    setup = "In the app: Preferences → Connection, mode MQTT, host: this machine; the identification gives user and device."
    commands = False
    marks = frozenset({"_type"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] != BASE or not 3 <= len(levels) <= 4 or not all(levels):
            return None
        return Place(f"{levels[1]}/{levels[2]}", role="cmd" if levels[-1] == "cmd" and len(levels) == 4 else "")

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if not isinstance(body, dict):
            return None
        kind = body.get("_type")
        needs = _NEEDS.get(kind) if isinstance(kind, str) else None
        if needs is None or not needs <= body.keys():
            return None
        told = body.get("topic")
        named = [level for level in (told.split("/") if isinstance(told, str) else levels) if level]
        if len(named) > 1 and named[-1] in SUBTOPICS:
            del named[-1]
        device = "/".join(named[-2:])
        return Place(device if device.isprintable() and len(device) <= 128 else "/".join(levels[-2:]))

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "cmd":
            return Ignored("a command to a device", place.device)
        if not isinstance(body, dict):
            raise UnusableError(f"device {place.device!r}: a message must be an object with a _type; got {str(body)[:40]!r}")
        check_size(place.device, body, 1)
        kind = body.get("_type")
        if kind == "lwt":
            return [Said(place.device, ("lwt",), "offline", None, message.received, "received")]
        if kind == "encrypted":
            raise UnusableError(f"device {place.device!r}: message is encrypted, so that only who has its key can read it")
        if not isinstance(kind, str) or kind not in _READ:
            return _not_read(place.device, kind)
        if kind in ("location", "transition"):
            _check_position(place.device, kind, body)
        return self._readings(message, place.device, body)

    def _readings(self, message: Message, device: str, body: dict[str, Any]) -> list[Said] | Ignored:
        ts, source = self.when(parse(body.get("tst"), least=0), message, device)
        labels = {label: str(body[key]) for key, label in LABELS.items() if isinstance(body.get(key), str) and body[key]}
        said = []
        for key, told in body.items():
            value = _value(key, told)
            if value is not None:
                said.append(Said(device, (key,), value, _unit(key), ts, source, labels))
        return said or Ignored("no value in it", device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of an element; analog inputs have their number behind a dash (`temp_c-01`)."""
        key, dash, number = path[-1].partition("-")
        if dash and key == "temp_c":
            return vocabulary.Name("temperature", number)
        if path[-1] in NAMES:
            return vocabulary.Name(NAMES[path[-1]], "")
        return vocabulary.name(path, units_in_keys=False)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:  # noqa: ARG002
        refuse_commands(device, self.title)


def _not_read(device: str, kind: Any) -> Ignored:
    if not isinstance(kind, str) or not kind:
        raise UnusableError(f"device {device!r}: a message must have a _type; got {str(kind)[:40]!r}")
    return Ignored(_NOT_READ.get(kind, f"of type {kind[:40]}"), device)


def _check_position(device: str, kind: str, body: dict[str, Any]) -> None:
    """Raise UnusableError for a message without the position that its type must have (a transition may lack it as a whole)."""
    for key, most in (("lat", 90), ("lon", 180)):
        degrees = body.get(key)
        if isinstance(degrees, str):
            degrees = vocabulary.number(degrees)
        if degrees is None and kind == "transition" and key not in body:
            continue
        if isinstance(degrees, bool) or not isinstance(degrees, (int, float)) or abs(degrees) > most:
            raise UnusableError(f"device {device!r}: {key} must be degrees from -{most} to {most}; got {str(body.get(key))[:40]!r}")


def _value(key: str, told: Any) -> Value | None:
    """Return the reading in an element; None for what describes, for other times than the event's, and for what is not known."""
    if key[0:1] in ("_", "") or key in _ABOUT:
        return None
    if isinstance(told, str):
        if key in TEXTS:
            return told or None
        return vocabulary.number(told) if key in UNITS or key.startswith("temp_c-") else None
    if key in TRUTHS and told in (0, 1):
        return bool(told)
    if not isinstance(told, (bool, int, float)) or (key in NEVER_NEGATIVE and told < 0):
        return None
    return told


def _unit(key: str) -> str | None:
    return "°C" if key.startswith("temp_c-") else UNITS.get(key)
