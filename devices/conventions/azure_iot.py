"""Azure IoT Hub: `devices/<device>/messages/events/[<properties>]`, and the twins' `$iothub/twin/…`.

Source: https://learn.microsoft.com/azure/iot/iot-mqtt-connect-to-iot-hub; telemetry as IoT Plug and Play writes it:
https://learn.microsoft.com/azure/iot-central/core/concepts-telemetry-properties-commands.

Telemetry is any JSON, read as plain JSON is, but that the device (`<device>`, or `<device>/<module>` of IoT Edge) is always the topic's. The
properties behind the topic, URL-encoded, are its labels; a component (`$.sub`) is the channel before what the keys say; the time at which the
message was made (`iothub-creation-time-utc`, `$.ctime`) holds where the body has none. What routing wraps in `systemProperties` and `body`,
and what Event Grid makes of it (`Microsoft.Devices.…`, also whether a device is connected), are known on any topic.

A twin's *reported* properties are readings, of the device `iothub`, since the topic names none: such topics are those of one connection. What
is desired, methods and cloud-to-device messages are commands.

Commands: a cloud-to-device message with one object for all settings, which the device's next telemetry confirms.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from devices import payloads, vocabulary
from devices.convention import MOST_READINGS, Place, Said, UnusableError, check_size
from devices.conventions.plain_json import PlainJson
from devices.conventions.plain_scalar import scalar
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Reading, Value
from devices.tagged import apart
from devices.timestamps import Stamp, parse

COMPONENT: Final = "$.sub"
_CREATED: Final = ("iothub-creation-time-utc", "$.ctime", "iothub-app-iothub-creation-time-utc")
_CLAIMS: Final = frozenset({"deviceId", "DeviceId", "deviceID", "DeviceID", "device_id", "deviceid"})
"""Keys under which a device says again who it is."""
_DEVICE: Final = "iothub-connection-device-id"
_MODULE: Final = "iothub-connection-module-id"
_EVENTS: Final = "Microsoft.Devices."
_TELEMETRY: Final = "Microsoft.Devices.DeviceTelemetry"
_PRESENCE: Final = {"Microsoft.Devices.DeviceConnected": True, "Microsoft.Devices.DeviceDisconnected": False}
MOST_PROPERTIES: Final = 64


class AzureIot(PlainJson):
    """Messages of Azure IoT Hub's devices."""

    name = "azure_iot"
    title = "Azure IoT Hub"
    about = "Telemetry and twins of Azure IoT Hub: devices/<device>/messages/events/"
    topics = (
        "`devices/<device>[/modules/<module>]/messages/events/…`, `$iothub/twin/…`; commands on `devices/<device>/messages/devicebound/`"
    )
    setup = (
        "Point the device's MQTT connection at the broker instead of the hub; for twins also subscribe their topics:"
        " `broker.subscribe: [{topic: '#'}, {topic: '$iothub/#'}]`, since `#` leaves out topics that begin with `$`."
    )
    owns = True
    marks = frozenset({"systemProperties", "eventType", "specversion"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[0] in ("$iothub", "$dps"):
            return _hub(levels)
        if levels[0] != "devices" or len(levels) < 4 or not levels[1]:
            return None
        module = len(levels) > 5 and levels[2] == "modules" and levels[3]
        device, rest = (f"{levels[1]}/{levels[3]}", levels[4:]) if module else (levels[1], levels[2:])
        base = None if module else f"devices/{levels[1]}"
        if rest[:2] == ("messages", "devicebound") or (module and rest[:1] == ("inputs",)):
            return Place(device, base, ignored="a command to a device")
        if rest[:2] != ("messages", "events") or len(rest) > 3:
            return None
        return Place(device, base, levels=rest[2:])

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if events := _events(body):
            return Place(_subject(events[0]) or topic, role="events")
        device = _sender(body)
        return Place(device, role="routed") if device else None

    def takes(self, body: Body) -> bool:
        return not isinstance(body, bytes)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload", place.device)
        if place.role == "twin":
            return self._twin(message, place, body)
        if isinstance(body, list) or not self.marks.isdisjoint(body):
            if events := _events(body):
                return self._delivered(message, place, events)
            if _sender(body):
                return self._telemetry(message, place.device, *_unwrapped(place.device, body))
        return self._telemetry(message, place.device, _properties(place.levels[0] if place.levels else ""), body)

    def _telemetry(self, message: Message, device: str, properties: Properties, body: Body) -> list[Said] | Ignored:
        if isinstance(body, str):
            value, unit = scalar(body)
            if value is None:
                return Ignored(f"no value: {body[:40]}", device)
            said: list[Said] | Ignored = [Said(device, ("value",), value, unit, message.received, "received")]
        else:
            if isinstance(body, dict) and not _CLAIMS.isdisjoint(body):
                body = {key: value for key, value in body.items() if key not in _CLAIMS}
            said = super().decode(message, Place(device, role="claimed"), body)
        return said if isinstance(said, Ignored) else self._marked(said, message, properties)

    def _delivered(self, message: Message, place: Place, events: list[dict[str, Any]]) -> list[Said] | Ignored:
        """Read what Event Grid delivers: telemetry, and whether devices are connected."""
        said: list[Said] = []
        for event in events:
            kind, data, device = _kind(event), event.get("data"), _subject(event) or place.device
            if kind in _PRESENCE:
                at = self.when(parse(event.get("eventTime")) or parse(event.get("time")), message, device)
                said.append(Said(device, ("online",), _PRESENCE[kind], None, *at))
            elif kind == _TELEMETRY and isinstance(data, dict) and (sender := _sender(data)):
                found = self._telemetry(message, sender, *_unwrapped(sender, data))
                said += found if isinstance(found, list) else []
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("an event that says no value", place.device)

    def _marked(self, said: list[Said], message: Message, properties: Properties) -> list[Said]:
        """Return what was said with the message's own time and labels."""
        stamp, labels = properties.created, properties.labels
        if stamp is None and not labels:
            return said
        marked = []
        for one in said:
            late = stamp is not None and one.source == "received"
            ts, source = self.when(stamp, message, one.device) if late else (one.ts, one.source)
            marked.append(msgspec.structs.replace(one, ts=ts, source=source, labels=labels))
        return marked

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a path; the altitude of a geopoint (`{"lat": …, "lon": …, "alt": …}`) is in metres."""
        named = super().series(path)
        return msgspec.structs.replace(named, unit="m") if path[-1] == "alt" and len(path) > 1 else named

    def _twin(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: a twin's properties must be an object; got {str(body)[:40]!r}")
        reported = body.get("reported", {}) if place.path == ("res",) else body
        if not isinstance(reported, dict):
            raise UnusableError(f"topic {message.topic!r}: a twin's reported properties must be an object; got {str(reported)[:40]!r}")
        found = _reported(reported, (), device=place.device)
        return [Said(place.device, path, value, None, message.received, "received") for path, value in found] or Ignored(
            "no value in it", place.device
        )

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return the readings; those of a component are on its channel."""
        readings = super().normalise(said, message)
        return apart(readings, said[0].labels.get("component", "")) if said else readings

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for all settings, as the device's next telemetry will report them."""
        body, expects = self.told(device, settings)
        return [Encoded(f"{base}/messages/devicebound/", msgspec.json.encode(body), expects)]


def _hub(levels: tuple[str, ...]) -> Place:
    """Return what a topic of a device's own connection says: it names no device."""
    reported = levels[1:5] == ("twin", "PATCH", "properties", "reported")
    answered = levels[1:3] == ("twin", "res")
    if reported or answered:
        return Place("iothub", path=("res",) if answered else (), role="twin")
    command = levels[1:2] == ("methods",) or levels[1:5] == ("twin", "PATCH", "properties", "desired")
    return Place("", ignored="a command to a device" if command else f"the hub's own: {'/'.join(levels[1:])[:60]}")


class Properties(msgspec.Struct, frozen=True):
    """What a message's properties say: labels, among them its component, and when it was made."""

    labels: dict[str, str]
    created: Stamp | None

    @classmethod
    def of(cls, properties: Mapping[str, str]) -> Properties:
        labels = {key: text for key, text in properties.items() if not key.startswith(("$.", "iothub-"))}
        if component := properties.get(COMPONENT):
            labels["component"] = component
        return cls(labels, next((stamp for key in _CREATED if (stamp := parse(properties.get(key)))), None))


@lru_cache(maxsize=10_000)
def _properties(bag: str) -> Properties:
    """Return what the properties say that stand URL-encoded behind a topic.

    >>> _properties("%24.ct=application%2Fjson&alarm=high").labels
    {'alarm': 'high'}
    """
    try:
        pairs = parse_qsl(bag.removeprefix("?"), max_num_fields=MOST_PROPERTIES)
    except ValueError:
        pairs = []
    return Properties.of({key[:64]: value[:128] for key, value in pairs if key.isprintable() and value.isprintable()})


def _kind(event: Any) -> str:
    """Return the type of an event in Event Grid's own schema or that of CloudEvents."""
    kind = event.get("eventType", event.get("type")) if isinstance(event, dict) else None
    return kind if isinstance(kind, str) else ""


def _events(body: Body) -> list[dict[str, Any]]:
    """Return the hub's events that a message holds: one, or an array of nothing else."""
    events: list[Any] = body if isinstance(body, list) else [body]
    return events if events and all(_kind(event).startswith(_EVENTS) for event in events) else []


def _subject(event: dict[str, Any]) -> str | None:
    """Return the device that an event is about: `devices/<device>`."""
    subject = event.get("subject")
    return subject.removeprefix("devices/")[:128] or None if isinstance(subject, str) and subject.startswith("devices/") else None


def _sender(body: Body) -> str | None:
    """Return the device whose message the hub routed, if that is what a body holds."""
    about = body.get("systemProperties") if isinstance(body, dict) and "body" in body else None
    device = about.get(_DEVICE) if isinstance(about, dict) else None
    if not isinstance(about, dict) or not isinstance(device, str) or not device:
        return None
    module = about.get(_MODULE)
    return f"{device}/{module}" if isinstance(module, str) and module else device


def _unwrapped(device: str, body: Body) -> tuple[Properties, Body]:
    """Return properties and body of a message that the hub routed. Raises UnusableError for a body that is no JSON, nor JSON in base64."""
    assert isinstance(body, dict)
    system, own, inner = body["systemProperties"], body.get("properties"), body["body"]
    properties = {key: text[:128] for key, text in own.items() if isinstance(text, str)} if isinstance(own, dict) else {}
    for key, ours in (("iothub-enqueuedtime", _CREATED[0]), ("iothub-creation-time-utc", _CREATED[0]), ("dt-subject", COMPONENT)):
        if isinstance(system.get(key), str):
            properties[ours] = system[key][:128]
    if isinstance(inner, str):
        inner = _decoded(inner)
    if isinstance(inner, (dict, list)):
        return Properties.of(properties), inner
    raise UnusableError(f"device {device!r}: a routed message's body must be JSON (contentType application/json); got {str(inner)[:40]!r}")


def _decoded(text: str) -> Body | None:
    """Return what is in a body that came in base64, since its sender did not say that it is JSON in UTF-8; None for what is not."""
    try:
        return payloads.read(binascii.a2b_base64(text, strict_mode=True))
    except (ValueError, payloads.UnreadableError):
        return None


def _reported(properties: Any, path: tuple[str, ...], *, device: str) -> Iterator[tuple[tuple[str, ...], Value]]:
    """Yield path and value of a twin's properties; of an answer to a desired one (`value`, `ac`, `av`), the value."""
    check_size(device, properties, len(path) + 1)
    texts = isinstance(properties, dict)
    for key, value in properties.items() if isinstance(properties, dict) else ((str(i), one) for i, one in enumerate(properties)):
        if key.startswith("$") or key == "__t":
            continue
        if isinstance(value, dict) and "value" in value and "ac" in value:
            yield from _reported({"value": value["value"]}, (*path, key), device=device)
        elif isinstance(value, (dict, list)):
            yield from _reported(value, (*path, key), device=device)
        elif value is not None and (not isinstance(value, str) or (value and texts)):
            yield (*path, key), value
