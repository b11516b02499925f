"""Shelly from the second generation on (Plus, Pro, Gen3, Gen4): https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt.

Below the topic prefix, which may have several levels: `events/rpc` ← notifications (`NotifyStatus` with what changed, `NotifyFullStatus`,
`NotifyEvent`), `status/<component>` ← a component's whole status, `online` ← `true` or `false`. Answers to remote procedure calls come on
`<whoever asked>/rpc`. The first two are told by their form, and so are `command/<component>` and `debug/log`; `online`, `command` and the
status of components without a number (`wifi`, `sys`) only below a prefix that has been heard of, or of which a level begins with `shelly`,
as the factory's does.

*Device*: the prefix; who signs a notification (`src`) is learned, so that its answers are the same device's. *Key*: component and keys,
`switch:0.aenergy.total`. *Channel*: the component, with the phase behind it. *Units*: `shelly_gen2_units`. Who switched, energies by the
minute and when things began are no readings, nor is what concerns the device's connections and system but for `wifi.rssi`.
*Time*: `ts` of the notification; of a status on its own topic there is none but for what a Bluetooth sensor (`last_updated_ts`) or a
script (`last_update_ts`) said.

Commands are remote procedure calls on `<prefix>/rpc` (`Switch.Set` …), which need no setting; the notification that follows confirms them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import MOST_READINGS, Convention, Place, Said, UnusableError, check_size, remember
from devices.conventions import shelly_gen2_calls, shelly_gen2_units
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Ignored, Message, TimeSource, Value
from devices.timestamps import parse

COMPONENT: Final = re.compile(r"[a-z][a-z0-9_]*:\d{1,5}")
FACTORY: Final = "shelly"
"""How a level of a prefix begins that the factory, or a user after its example, has named."""
SINGLE: Final = frozenset(
    vocabulary.words("sys wifi mqtt cloud eth ble ws bthome ht_ui ui plugs_ui knx matter modbus presence zigbee lora wd_ui thread")
)
"""Components that a device has once, and that have no number."""

NOTIFICATIONS: Final = frozenset({"NotifyStatus", "NotifyFullStatus"})
_OWN: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(SINGLE - {"presence"}, frozenset()), "wifi": frozenset({"rssi"}),
}  # fmt: skip
"""Which keys of the components that concern the device itself are readings."""
_ABOUT: Final = frozenset(vocabulary.words("id source tag by_minute minute_ts errors flags mac name etag last_record_id available_records"))
_FAHRENHEIT: Final = frozenset({"tF", "current_F", "target_F"})
_UPDATED: Final = ("last_updated_ts", "last_update_ts")
"""When a component that only passes a value on, of a Bluetooth sensor or a script, got it."""
_TIMES: Final = ("_ts", "_at", "started", "_rev")

MOST_PREFIXES: Final = 50_000
MOST_PARTS: Final = 64


class ShellyGen2(Convention):
    """Shelly devices that speak in components and remote procedure calls."""

    name = "shelly_gen2"
    title = "Shelly Gen2, Gen3 and Gen4"
    about = "Shelly Plus, Pro, Gen3 and Gen4: <prefix>/events/rpc, <prefix>/status/<component>"
    topics = "`<prefix>/events/rpc`, `<prefix>/status/<component>`, `<prefix>/online`; commands on `<prefix>/rpc`"
    setup = "On the device's page: Settings → MQTT, server: this machine, with RPC status notifications on (as they are by default)."

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._parts: dict[str, list[str]] = learned.setdefault("parts", {})
        self._sources: dict[str, str] = learned.setdefault("sources", {})

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        last, below = levels[-1], levels[-2:-1]
        if below == ("events",) and last == "rpc":
            return _place(levels[:-2], "events")
        if below == ("status",) and (COMPONENT.fullmatch(last) or (last in SINGLE and self._has_single(levels[:-2]))):
            return _place(levels[:-2], "status", last)
        if last == "rpc":
            return Place("/".join(levels[:-1]), role="rpc") if len(levels) > 1 else None
        if last == "online" and self._knows(levels[:-1]):
            return _place(levels[:-1], "online")
        return self._unread(levels)

    def _unread(self, levels: tuple[str, ...]) -> Place | None:
        """Return what a topic is that holds no reading: a command, or the log."""
        for size in (1, 2, 3):
            head, tail = levels[:-size], levels[-size:]
            if not head:
                break
            to_component = size == 2 and COMPONENT.fullmatch(tail[1])
            if tail[0] == "command" and size < 3 and (to_component or self._knows(head)):
                return Place("/".join(head), ignored="a command to a device")
            if tail[:2] == ("debug", "log"):
                return Place("/".join(head), ignored="a log")
        return None

    def _has_single(self, prefix: tuple[str, ...]) -> bool:
        """Return whether components without a number below a prefix are Shelly's; the first generation, whose base it may share, has none."""
        return self._knows(prefix) or (prefix[:1] == ("shellies",) and len(prefix) > 1)

    def _knows(self, prefix: tuple[str, ...]) -> bool:
        if not prefix:
            return False
        named = prefix[0] != "shellies" and any(level.lower().startswith(FACTORY) for level in prefix)
        return named or "/".join(prefix) in self._parts

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if body == "":
            return Ignored("empty payload: a retained value was cleared", place.device)
        if place.role == "online":
            return _online(message, place, body)
        if place.role == "rpc":
            return self._answer(message, place, body)
        if not isinstance(body, dict):
            raise UnusableError(f"device {place.device!r}: {place.role} must be an object; got {str(body)[:40]!r}")
        if place.role == "events":
            return self._notified(message, place.device, body)
        return self._said(message, place.device, {place.path[0]: body}, None)

    def _notified(self, message: Message, device: str, body: dict[str, Any]) -> list[Said] | Ignored:
        method, params = body.get("method"), body.get("params")
        if not isinstance(method, str) or not isinstance(params, dict):
            raise UnusableError(f"device {device!r}: a notification must have method and params; got {str(method)[:40]!r}")
        source = body.get("src")
        if isinstance(source, str) and 0 < len(source) <= 128 and self._sources.get(source) != device:
            remember(self._sources, source, device, most=MOST_PREFIXES)
        if method == "NotifyEvent":
            self._note(device, ())
            return self._happened(message, device, params)
        if method not in NOTIFICATIONS:
            return Ignored(f"a notification of another kind: {method[:40]}", device)
        return self._said(message, device, params, params.get("ts"))

    def _said(self, message: Message, device: str, components: dict[str, Any], stamp: Any) -> list[Said] | Ignored:
        """Read components of a status. Those that can be commanded are noted."""
        check_size(device, components, 1)
        said: list[Said] = []
        notified = self.when(parse(stamp), message, device)
        for component, status in components.items():
            if isinstance(status, dict) and (_numbered(component) or component in SINGLE):
                own = next((status[key] for key in _UPDATED if key in status), None) if stamp is None else None
                at = notified if own is None else self.when(parse(own), message, device)
                _read(said, device, (component,), status, at)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"device {device!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        self._note(device, components)
        return said or Ignored("no reading in it", device)

    def _happened(self, message: Message, device: str, params: dict[str, Any]) -> list[Said] | Ignored:
        """Read events: buttons that were pushed, and what else components tell; a device's own doings are none of ours."""
        events = params.get("events")
        if not isinstance(events, list):
            raise UnusableError(f"device {device!r}: a NotifyEvent must have a list of events; got {str(events)[:40]!r}")
        check_size(device, events, 1)
        said = []
        for event in events:
            component, what = (event.get("component"), event.get("event")) if isinstance(event, dict) else (None, None)
            if not isinstance(component, str) or not isinstance(what, str) or not what or what == "config_changed":
                continue
            if not _numbered(component) or "data" in event:
                continue
            ts, source = self.when(parse(event.get("ts") or params.get("ts")), message, device)
            said.append(Said(device, (component, "event"), what, None, ts, source))
        return said or Ignored("events of the device itself", device)

    def _answer(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        """Read the answer to a call, where it holds a status of components; its device is who signed it."""
        source = body.get("src") if isinstance(body, dict) else None
        result = body.get("result") if isinstance(body, dict) else None
        if not isinstance(source, str) or not isinstance(result, dict) or not 0 < len(source) <= 128 or not source.isprintable():
            return Ignored("a call, or an answer without a status", place.device)
        system = result.get("sys")
        if isinstance(system, dict) and "device" in system:  # a status says nothing of it, a configuration what it is called
            return Ignored("a configuration", place.device)
        return self._said(message, self._sources.get(source, source), result, None)

    def _note(self, device: str, components: Mapping[str, Any] | tuple[()]) -> None:
        """Keep that there is such a prefix, and which of its components can be commanded."""
        known = self._parts.get(device)
        if known is None:
            known = []
            remember(self._parts, device, known, most=MOST_PREFIXES)
            self.changes += 1
        for component in components:
            if component in known or component.partition(":")[0] not in shelly_gen2_calls.KINDS:
                continue
            if COMPONENT.fullmatch(component) and len(known) < MOST_PARTS:
                known.append(component)
                known.sort()
                self.readdress(device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        return shelly_gen2_units.name(path) if len(path) > 1 else vocabulary.name(path, units_in_keys=False)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as it is: Shelly has truths for what is one. `online` alone comes as text."""
        return value == "true" if metric == "online" else value

    def base_of(self, device: str, base: str) -> str:
        return msgspec.json.encode({"base": base, "parts": self._parts.get(device, [])}, order="sorted").decode()

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one call for each setting, such as `state`, `state/switch:1`, `brightness`, `position` or `value/number:200`.

        `base` is the prefix alone, or JSON of it with the components that the device has.
        """
        known: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"base": base, "parts": []}
        encoded = []
        for setting, value in settings.items():
            call = shelly_gen2_calls.call(known["parts"], device, setting, value)
            payload = msgspec.json.encode({"id": 1, "src": "sluice", "method": call.method, "params": call.params})
            expected = self.report(device, call.path, call.reported, shelly_gen2_units.unit(call.path))
            encoded.append(Encoded(f"{known['base']}/rpc", payload, (expected,)))
        return encoded


def _numbered(component: str) -> bool:
    """Return whether a component measures or acts: scripts have a number too, but are the device's own."""
    return COMPONENT.fullmatch(component) is not None and not component.startswith("script:")


def _place(prefix: tuple[str, ...], role: str, component: str = "") -> Place | None:
    device = "/".join(prefix)
    return Place(device, device, (component,) if component else (), role) if device else None


def _online(message: Message, place: Place, body: Body) -> list[Said]:
    if body not in ("true", "false"):
        raise UnusableError(f"device {place.device!r}: online must be true or false; got {str(body)[:40]!r}")
    return [Said(place.device, ("online",), str(body), None, message.received, "received")]


def _read(said: list[Said], device: str, path: tuple[str, ...], status: dict[str, Any] | list[Any], at: tuple[int, TimeSource]) -> None:
    """Read a component's status, or an object or array in it; texts in arrays describe."""
    check_size(device, status, len(path))
    only, named, (ts, source) = _OWN.get(path[0]), isinstance(status, dict), at
    for key, value in status.items() if isinstance(status, dict) else ((str(place), one) for place, one in enumerate(status)):
        kind = value.__class__
        if value is None or _describes(key, status) or (only is not None and key not in only):
            continue
        whole = (*path, key)
        if kind is float or kind is int:
            said.append(Said(device, whole, value, shelly_gen2_units.unit(whole), ts, source))
        elif kind is bool or (kind is str and value and named):
            said.append(Said(device, whole, value, None, ts, source))
        elif kind is dict or kind is list:
            _read(said, device, whole, value, at)


def _describes(key: str, status: dict[str, Any] | list[Any]) -> bool:
    """Return whether a key is no reading; degrees Fahrenheit are one only where there are no others."""
    return key in _ABOUT or key.endswith(_TIMES) or (key in _FAHRENHEIT and key[:-1] + "C" in status)
