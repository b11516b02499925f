"""ChirpStack v4 and v3: `application/<id>/device/<DevEUI>/event/<kind>`, before v3.11 `application/<id>/device/<DevEUI>/<kind>`.

Sources: https://www.chirpstack.io/docs/chirpstack/integrations/events.html (v4) and
https://www.chirpstack.io/application-server/integrations/events/ (v3). On other topics (a topic template of one's own) messages are known
by `deviceInfo` or `devEUI`. DevEUIs come in hex, in v3's Protobuf JSON in base64.

*Readings* are all that the codec made (`object`, in v3's Protobuf JSON the text `objectJSON`), battery, margin and power source of the
device's status, a resolved location, and how well the best gateway heard the device. Of an uplink without a codec only the last is left. The
raw `battery` of v3 (1 to 254) is read only where `batteryLevel`, which says the same in per cent, is missing; the oldest servers had
`deviceStatusBattery` and `deviceStatusMargin` in uplinks. Joins, acknowledgements, logs and what integrations say are no readings, nor is
anything of the gateways' own topics (`[<region>/]gateway/<id>/…`).
*Time*: `time`, else that of a gateway with a clock.

Commands: `…/command/down` (before v3.11: `…/tx`) with an object for the device's codec, on the port of its last uplink.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import lorawan, payloads, vocabulary
from devices.convention import Place, Said, UnusableError
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value
from devices.timestamps import Stamp

_KINDS: Final = frozenset({"up", "rx", "status", "join", "ack", "txack", "error", "log", "location", "integration", "notification"})
_BEFORE: Final = _KINDS | {"tx"}
_EVIDENCE: Final = frozenset(
    vocabulary.words("rxInfo txInfo fCnt fPort object objectJSON applicationID deviceProfileID margin acknowledged devAddr deduplicationId")
)
_CLOCKS: Final = ("time", "gwTime", "nsTime")
_HEARD: Final = (("rssi", "dBm"), ("snr", "dB"), ("loRaSNR", "dB"))
_OLD_STATUS: Final[Mapping[tuple[str, ...], str]] = {("deviceStatusMargin",): "margin", ("deviceStatusBattery",): "battery"}
_LOCATION: Final[Mapping[str, str]] = {"latitude": "°", "longitude": "°", "altitude": "m", "accuracy": "m"}
_LABELS: Final[Mapping[str, str]] = {"deviceName": "name", "applicationName": "application", "deviceProfileName": "profile"}


class ChirpStack(lorawan.Lorawan):
    """Events of ChirpStack's application server, in the forms of both its versions."""

    name = "chirpstack"
    title = "ChirpStack v3 and v4"
    about = "LoRaWAN devices behind ChirpStack: application/<id>/device/<DevEUI>/event/up"
    topics = "`application/<id>/device/<DevEUI>/event/<kind>` (v3 also without `event`); commands on `…/command/down`"
    setup = 'In chirpstack.toml: `[integration.mqtt] server="tcp://<this machine>:1883/"` and `json=true`.'
    marks = frozenset({"deviceInfo", "devEUI"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if _is_gateway(levels):
            return Place("", ignored="a LoRaWAN gateway's own")
        if len(levels) < 5 or levels[0] != "application" or levels[2] not in ("device", "node") or not levels[3]:
            return None
        device, base, kind = levels[3], "/".join(levels[:4]), levels[-1]
        if len(levels) == 6 and levels[4] == "command":
            return Place(device, base, ignored="a command to a device")
        if len(levels) == 6 and levels[4] == "event":
            return Place(device, base, role=kind)
        if len(levels) == 5 and kind in _BEFORE:
            return Place(device, f"{base}/tx", role=kind, ignored="a command to a device" if kind == "tx" else None)
        return None

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        if not isinstance(body, dict) or _EVIDENCE.isdisjoint(body):
            return None
        about = body.get("deviceInfo")
        device = _eui(about.get("devEui") if isinstance(about, dict) else body.get("devEUI"))
        return Place(device, role=_kind(body)) if device else None

    def takes(self, body: Body) -> bool:  # noqa: ARG002
        return True

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        device = place.device
        if body == "":
            return Ignored("empty payload: a retained value was cleared", device)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: an event of ChirpStack must be an object; got {str(body)[:40]!r}")
        if place.role in ("up", "rx"):
            return self._uplink(message, device, body) or Ignored("an uplink that no codec decoded", device)
        if place.role == "status":
            return self._status(message, device, body) or Ignored("a status without values", device)
        if place.role == "location":
            return self._location(message, device, body) or Ignored("a location without values", device)
        if place.role == "join":
            self.restart_sequence(device, 0, message.received)
        return Ignored(f"no measurement: {place.role[:40]}", device)

    def _uplink(self, message: Message, device: str, body: dict[str, Any]) -> list[Said]:
        number = lorawan.counter(body.get("fCnt", body.get("fcnt")))
        self.frame(device, message, number=number, port=body.get("fPort"), session=body.get("devAddr"))
        frame = self._frame(message, device, body, number)
        said = lorawan.said(_object(device, body), frame)
        best = lorawan.loudest(body.get("rxInfo"))
        path, heard = (("rxInfo", best[0]), best[1]) if best else ((), body)
        for key, unit in _HEARD:
            if key in heard and lorawan.is_number(value := heard[key]):
                said.append(frame.says((*path, key), value, unit))
        if "deviceStatusMargin" in body or "deviceStatusBattery" in body:
            said += _status(frame, body, margin="deviceStatusMargin", battery="deviceStatusBattery")
        return said

    def _frame(self, message: Message, device: str, body: dict[str, Any], number: int | None = None) -> lorawan.Frame:
        """Return what holds for all that an event says."""
        return lorawan.Frame(device, *self.when(_time(body), message, device), _labels(body), number)

    def _status(self, message: Message, device: str, body: dict[str, Any]) -> list[Said]:
        frame = self._frame(message, device, body)
        level, powered = body.get("batteryLevel"), body.get("externalPowerSource")
        unknown = body.get("batteryLevelUnavailable") is True
        said = _status(frame, body, margin="margin", battery=None if "batteryLevel" in body else "battery")
        if lorawan.is_number(level) and not unknown and not (powered is True and level == 0):
            said.append(frame.says(("batteryLevel",), level, "%"))
        if isinstance(powered, bool):
            said.append(frame.says(("externalPowerSource",), powered, None))
        return said

    def _location(self, message: Message, device: str, body: dict[str, Any]) -> list[Said]:
        frame = self._frame(message, device, body)
        location = body.get("location")
        found = location.items() if isinstance(location, dict) else ()
        return [
            frame.says(("location", key), value, _LOCATION[key]) for key, value in found if key in _LOCATION and lorawan.is_number(value)
        ]

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a value; that of radio reception does not depend on which gateway heard best."""
        if path[0] == "rxInfo" or path == ("loRaSNR",):
            return vocabulary.Name("rssi" if path[-1] == "rssi" else "snr", "")
        if path in _OLD_STATUS:
            return vocabulary.Name(_OLD_STATUS[path], "")
        if path[0] == "location" and len(path) == 2 and path[1] in _LOCATION:
            return vocabulary.Name("location_accuracy" if path[1] == "accuracy" else path[1], "")
        return lorawan.name(path)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one downlink for all settings; a setting is a key of the object that the device's codec encodes."""
        topic, port = lorawan.address(base)
        body, expects = self.told(device, settings)
        where = topic if topic.endswith("/tx") else f"{topic}/command/down"
        downlink = {"devEui": device, "confirmed": False, "fPort": port, "object": body}
        return [Encoded(where, msgspec.json.encode(downlink), expects)]


def _is_gateway(levels: tuple[str, ...]) -> bool:
    """Return whether a topic is one of the gateway bridge's, behind a region or not."""
    first = 1 if len(levels) == 5 else 0
    if len(levels) != first + 4 or levels[first] != "gateway" or levels[first + 2] not in ("event", "command", "state"):
        return False
    return len(levels[first + 1]) == 16 and _is_hex(levels[first + 1])


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdefABCDEF" for c in text)


def _eui(value: Any) -> str | None:
    """Return a DevEUI as 16 hex digits; None for what is none.

    >>> _eui("0202020202020202"), _eui("AgICAgICAgI="), _eui("pump")
    ('0202020202020202', '0202020202020202', None)
    """
    if not isinstance(value, str):
        return None
    if len(value) == 16 and _is_hex(value):
        return value
    if len(value) == 12 and value.endswith("="):
        try:
            raw = binascii.a2b_base64(value, strict_mode=True)
        except ValueError:
            return None
        return raw.hex() if len(raw) == 8 else None
    return None


def _kind(body: dict[str, Any]) -> str:
    """Return the kind of an event whose topic does not say it."""
    if "margin" in body:
        return "status"
    if "acknowledged" in body:
        return "ack"
    if "integrationName" in body:
        return "integration"
    if "location" in body and "rxInfo" not in body:
        return "location"
    return "up" if not {"rxInfo", "txInfo", "fPort", "object", "objectJSON", "data"}.isdisjoint(body) else "join"


def _object(device: str, body: dict[str, Any]) -> Any:
    """Return what the codec made. Raises UnusableError for an `objectJSON` that is not JSON."""
    made, text = body.get("object"), body.get("objectJSON")
    if made is not None or not isinstance(text, str) or not text:
        return made
    try:
        return payloads.read(text.encode())
    except (payloads.UnreadableError, UnicodeEncodeError) as error:
        raise UnusableError(f"device {device!r}: objectJSON must be JSON; {str(error)[:80]}") from None


def _status(frame: lorawan.Frame, body: dict[str, Any], *, margin: str, battery: str | None) -> list[Said]:
    """Return what a device said of its link and its battery, under the keys that this event has for them."""
    said = []
    if lorawan.is_number(body.get(margin)):
        said.append(frame.says((margin,), body[margin], "dB"))
    raw = body.get(battery) if battery else None
    if battery and raw.__class__ is int and 1 <= raw <= 254:
        said.append(frame.says((battery,), raw, "1/254"))
    return said


def _time(body: dict[str, Any]) -> Stamp | None:
    if stamp := lorawan.moment(body.get("time")):
        return stamp
    gateways = body.get("rxInfo")
    for gateway in gateways if isinstance(gateways, list) else ():
        for clock in _CLOCKS if isinstance(gateway, dict) else ():
            if stamp := lorawan.moment(gateway.get(clock)):
                return stamp
    return lorawan.moment(body.get("publishedAt"))


def _labels(body: dict[str, Any]) -> dict[str, str]:
    about = body.get("deviceInfo")
    about = about if isinstance(about, dict) else body
    labels: dict[str, str] = {}
    tags = about.get("tags")
    if isinstance(tags, dict):
        for key, text in tags.items():
            if isinstance(text, str) and text:
                labels[key[:64]] = text[:128]
    return lorawan.labels_of(about, _LABELS, labels)
