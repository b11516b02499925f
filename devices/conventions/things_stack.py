"""The Things Stack v3 (and The Things Network): `v3/<application>[@<tenant>]/devices/<device>/up` and its siblings.

Sources: https://www.thethingsindustries.com/docs/integrations/other-integrations/mqtt/ for topics, …/integrations/data-formats/ for messages.
The Pub/Sub integration publishes the same messages on any topic: they are known by `end_device_ids`.

*Readings* are all that the payload formatter made (`decoded_payload`), the measurements that were normalised (`normalized_payload`, whose
units are those of the LoRaWAN Device Repository's `lib/payload.json`), a solved location, and how well the best gateway heard the device.
Of an uplink without a formatter only the last is left: nothing is read into `frm_payload`. Joins, downlinks and what application packages
say are no readings. *Time*: when the network server received the uplink, else the application server, else the gateway.

Commands: `…/down/push` with an object for the device's encoder (`decoded_payload`), on the port of its last uplink; a class A device gets
it after its next uplink, so give the command that long to be confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import lorawan, vocabulary
from devices.convention import Place, Said, UnusableError
from devices.payloads import Body
from devices.reading import Encoded, Ignored, Message, Value
from devices.timestamps import Stamp

NORMALIZED: Final[Mapping[tuple[str, ...], str]] = {
    ("soil", "depth"): "cm", ("soil", "moisture"): "%", ("soil", "temperature"): "°C", ("soil", "ec"): "dS/m", ("soil", "n"): "ppm",
    ("soil", "p"): "ppm", ("soil", "k"): "ppm", ("air", "temperature"): "°C", ("air", "relativeHumidity"): "%", ("air", "pressure"): "hPa",
    ("air", "co2"): "ppm", ("air", "lightIntensity"): "lx", ("wind", "speed"): "m/s", ("wind", "direction"): "°", ("battery",): "V",
    ("water", "leak"): "", ("water", "temperature", "min"): "°C", ("water", "temperature", "max"): "°C",
    ("water", "temperature", "avg"): "°C", ("water", "temperature", "current"): "°C", ("metering", "water", "total"): "L",
    ("position", "latitude"): "°", ("position", "longitude"): "°",
}  # fmt: skip
"""Units of the vocabulary of normalised payloads."""
_NAMES: Final[Mapping[str, tuple[str, str]]] = {
    "air.relativeHumidity": ("humidity", "air"), "air.lightIntensity": ("illuminance", "air"), "wind.speed": ("wind_speed", ""),
    "wind.direction": ("wind_direction", ""), "soil.moisture": ("soil_moisture", ""), "soil.ec": ("conductivity", "soil"),
    "location.latitude": ("latitude", ""), "location.longitude": ("longitude", ""), "location.altitude": ("altitude", ""),
    "location.accuracy": ("location_accuracy", ""),
}  # fmt: skip
_LOCATION: Final[Mapping[str, str]] = {"latitude": "°", "longitude": "°", "altitude": "m", "accuracy": "m"}
_HEARD: Final = (("rssi", "dBm"), ("snr", "dB"))
_APPLICATION: Final = {"application_id": "application"}
_DEVICE: Final = {"dev_eui": "dev_eui"}
_MODEL: Final = {"brand_id": "brand", "model_id": "model", "firmware_version": "firmware"}
_SERVICE: Final = {"service": "service"}
_DOWNLINKS: Final = frozenset({"downlink_queued", "downlink_sent", "downlink_ack", "downlink_nack", "downlink_failed", "downlinks"})
_KINDS: Final = frozenset({"uplink_message", "uplink_normalized", "join_accept", "location_solved", "service_data", *_DOWNLINKS,
                           "downlink_queue_invalidated"})  # fmt: skip


class ThingsStack(lorawan.Lorawan):
    """Messages of The Things Stack's application server."""

    name = "things_stack"
    title = "The Things Stack v3"
    about = "LoRaWAN devices behind The Things Stack or The Things Network: v3/<application>@<tenant>/devices/<device>/up"
    topics = "`v3/<application>@<tenant>/devices/<device>/…`, and any topic of a Pub/Sub integration; commands on `…/down/push`"
    setup = "Bridge `v3/#` from The Things Stack's MQTT server (Integrations → MQTT), or add an MQTT Pub/Sub integration that points at the broker."
    marks = frozenset({"end_device_ids"})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if len(levels) < 5 or levels[0] != "v3" or levels[2] != "devices" or not levels[3]:
            return None
        role = "/".join(levels[4:])
        ignored = "a downlink" if levels[4] == "down" else "an application package's own" if role == "service/data" else None
        return Place(levels[3], "/".join(levels[:4]), role=role, ignored=ignored)

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        ids = body.get("end_device_ids") if isinstance(body, dict) else None
        device = ids.get("device_id") if isinstance(ids, dict) else None
        if not isinstance(device, str) or not device or _KINDS.isdisjoint(body):
            return None
        return Place(device[:128])

    def takes(self, body: Body) -> bool:  # noqa: ARG002
        return True

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: a message of The Things Stack must be an object; got {str(body)[:40]!r}")
        kind = "uplink_message" if "uplink_message" in body else next((kind for kind in body if kind in _KINDS), None)
        inner = body.get(kind or "")
        if kind is None or not isinstance(inner, (dict, list)):
            raise UnusableError(
                f"topic {message.topic!r}: a message must hold one of {', '.join(sorted(_KINDS))}; got {', '.join(body)[:80]!r}"
            )
        if kind == "join_accept":
            self.restart_sequence(place.device, 0, message.received)
            return Ignored("a device joined", place.device)
        if kind in ("uplink_message", "uplink_normalized") and isinstance(inner, dict):
            return self._uplink(message, place.device, body, inner) or Ignored("an uplink that no payload formatter decoded", place.device)
        if kind == "location_solved" and isinstance(inner, dict):
            return self._location(message, place.device, body, inner) or Ignored("no value in it", place.device)
        return Ignored("a downlink" if kind in _DOWNLINKS else f"no measurement: {kind}", place.device)

    def _uplink(self, message: Message, device: str, body: dict[str, Any], uplink: dict[str, Any]) -> list[Said]:
        number = lorawan.counter(uplink.get("f_cnt", 0 if "session_key_id" in uplink else None))  # empty fields are left out
        normalized = uplink.get("normalized_payload")
        if not isinstance(normalized, dict):  # what is normalised comes beside the uplink, under the same number
            self.frame(device, message, number=number, port=uplink.get("f_port"), session=uplink.get("session_key_id"))
        frame = lorawan.Frame(device, *self.when(_received(uplink, body), message, device), _labels(body, uplink), number)
        said = lorawan.said(uplink.get("decoded_payload"), frame)
        if normalized is not None:
            said += _normalized(normalized, frame)
        if best := lorawan.loudest(uplink.get("rx_metadata")):
            for key, unit in _HEARD:
                if lorawan.is_number(value := best[1].get(key)):
                    said.append(frame.says(("rx_metadata", best[0], key), value, unit))
        return said

    def _location(self, message: Message, device: str, body: dict[str, Any], solved: dict[str, Any]) -> list[Said]:
        location = solved.get("location")
        frame = lorawan.Frame(device, *self.when(lorawan.moment(body.get("received_at")), message, device), _labels(body, solved))
        found = location.items() if isinstance(location, dict) else ()
        return [
            frame.says(("location", key), value, _LOCATION[key]) for key, value in found if key in _LOCATION and lorawan.is_number(value)
        ]

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a value; that of radio reception does not depend on which gateway heard best."""
        if path[0] == "rx_metadata":
            return vocabulary.Name(path[-1], "")
        known = _NAMES.get(".".join(path))
        return vocabulary.Name(*known) if known else lorawan.name(path)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one downlink for all settings; a setting is a key of the object that the device's encoder takes."""
        topic, port = lorawan.address(base)
        body, expects = self.told(device, settings)
        downlink = {"f_port": port, "decoded_payload": body, "priority": "NORMAL"}
        return [Encoded(f"{topic}/down/push", msgspec.json.encode({"downlinks": [downlink]}), expects)]


def _received(uplink: dict[str, Any], body: dict[str, Any]) -> Stamp | None:
    """Return when an uplink was received, by the part of the network that saw it first and says when."""
    if stamp := lorawan.moment(uplink.get("received_at")) or lorawan.moment(body.get("received_at")):
        return stamp
    settings, gateways = uplink.get("settings"), uplink.get("rx_metadata")
    first = gateways[0] if isinstance(gateways, list) and gateways else None
    return next((stamp for one in (settings, first) if isinstance(one, dict) and (stamp := lorawan.moment(one.get("time")))), None)


def _labels(body: dict[str, Any], inner: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = {}
    ids = body.get("end_device_ids")
    if isinstance(ids, dict):
        lorawan.labels_of(ids.get("application_ids"), _APPLICATION, labels)
        lorawan.labels_of(ids, _DEVICE, labels)
    lorawan.labels_of(inner.get("version_ids"), _MODEL, labels)
    if "service" in inner:
        lorawan.labels_of(inner, _SERVICE, labels)
    if body.get("simulated") is True:
        labels["simulated"] = "true"
    return labels


def _normalized(payload: Any, frame: lorawan.Frame) -> list[Said]:
    """Return the measurements of a normalised payload: an array of them, or one."""
    found = [one for part in (payload if isinstance(payload, list) else [payload]) for one in lorawan.said(part, frame)]
    return [msgspec.structs.replace(one, unit=NORMALIZED.get(one.path) or None) for one in found if not isinstance(one.value, str)]
