"""Tasmota: `tele/<topic>/SENSOR`, `tele/<topic>/STATE`, `stat/<topic>/RESULT`, `stat/<topic>/POWER` … (https://tasmota.github.io/docs/MQTT/).

The prefix (`tele`, `stat`, `cmnd`) may stand anywhere before the last level (FullTopic); the device is all other levels but the last. What
comes through a Zigbee or LoRaWAN bridge (`ZbReceived`, `LwReceived`, `LwDecoded`) is the node's own: in an object inside, as the topic's last
level (SetOption118), or without that word (SetOption100); a node whose address is left out (SetOption119) is named by the topic's last but one.

*Readings* are all of `tele/…`, of `Status 8, 10, 11` (and the same parts of `Status 0`), and the states among the answers to commands
(`POWER`, `Dimmer`, `Shutter1`, `Switch1` …), and what a button or switch did (`stat/x/SWITCH1T`). Other answers are settings, `INFO`,
`LOGGING` and `Zb…` answers housekeeping. `tasmota/discovery/<mac>/config` says what a device is called, and its model: labels.
*Channel*: the sensor (`temperature` on `DS18B20-1`), the number of a relay (`POWER2` → `state` on `2`) or phase (`voltage` on `0`).
*Units*: `TempUnit`, `PressureUnit`, `SpeedUnit` of the message, else what the documentation says; a temperature without `TempUnit` has
none.

*Time*: `Epoch`, else `Time`. `Time` is local and mostly without a zone: the offset is learned where a device sends `Epoch` beside it, or
its `Status 7` (UTC beside local), and holds for two days (a change to summer time must not outlive it long); else the profile's timezone;
else the receive time. It is not guessed from the receive time: a message may have waited hours in a queue.

Commands: `cmnd/<topic>/POWER`, one message for each setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from devices import vocabulary
from devices.convention import (
    MOST_READINGS,
    Convention,
    Place,
    Said,
    UnusableError,
    check_size,
    on_off,
    refuse_toggle,
    remember,
    split_setting,
)
from devices.conventions.plain_scalar import scalar
from devices.conventions.tasmota_units import ENERGY, Units, unit_of
from devices.news import News
from devices.payloads import Body
from devices.profile import Profiles
from devices.reading import Encoded, Expected, Ignored, Message, TimeSource, Value
from devices.timestamps import SECOND, Stamp, parse, settle

PREFIXES: Final = frozenset({"tele", "stat", "cmnd"})
HOUSEKEEPING: Final = frozenset(
    vocabulary.words(
        "INFO1 INFO2 INFO3 STATUS STATUS1 STATUS2 STATUS3 STATUS4 STATUS5 STATUS6 STATUS7 STATUS9 STATUS12 STATUS13 HASS_STATE"
        " LOGGING UPGRADE DISCOVERY"
    )
)
STATES: Final = frozenset(
    vocabulary.words(
        "POWER Dimmer Color HSBColor White CT Channel Shutter Switch Button Counter FanSpeed ZbReceived LwReceived IrReceived"
        " RfReceived LwDecoded TuyaReceived SerialReceived SSerialReceived RfRaw"
    )
)
"""Keys of an answer to a command that tell a state, or an event; with a number behind them too."""

_RAIN: Final[Mapping[str, str]] = {"Active": "rain", "Event": "rain_event", "Total": "rain_total", "FlowRate": "rain_rate"}
"""What a rain gauge's keys are called downstream."""
_COLOURS: Final[Mapping[str, str]] = {"CCT": "color_temperature", "CT": "color_temp"}
_ABOUT: Final = frozenset({"Time", "Epoch", "TempUnit", "PressureUnit", "SpeedUnit", "Unit"})
_NODES: Final[Mapping[str, str]] = {"ZbReceived": "zigbee", "LwReceived": "lora", "LwDecoded": "lora"}
"""What a bridge puts before what a node says, and its radio."""
_OBJECTS: Final = frozenset({"SENSOR", "STATE", "RESULT", "ENERGY", *_NODES})
"""Topics that never carry a bare value."""
_PARTS: Final = frozenset({"StatusSNS", "StatusSTS"})
_WRITES: Final[Mapping[str, str]] = {
    "state": "POWER", "dimmer": "Dimmer", "color_temp": "CT", "hsb_color": "HSBColor", "color": "Color",
    "position": "ShutterPosition", "white": "White", "fan_speed": "FanSpeed",
}  # fmt: skip
"""The command that sets a metric."""

OFFSET_HOLDS: Final = 2 * 86_400
"""For how many seconds of the device's own time a learned offset is used."""
MOST_OFFSETS: Final = 200_000
LONGEST_NAME: Final = 256


class _At(NamedTuple):
    """What holds for all values of an object."""

    device: str
    units: Units
    ts: int
    source: TimeSource


class Tasmota(Convention):
    """Devices with the Tasmota firmware."""

    name = "tasmota"
    title = "Tasmota"
    about = "Tasmota firmware: tele/<topic>/SENSOR, stat/<topic>/RESULT"
    topics = "`tele/<topic>/SENSOR`, `…/STATE`, `…/LWT`, `stat/<topic>/RESULT`, `…/POWER`; commands on `cmnd/<topic>/<command>`"
    setup = "In the web UI: Configuration → Configure MQTT, Host: this machine. `Time 2` as a command adds UTC to its local time."

    MOST_UNITS = 50_000

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._units: dict[tuple[Units, tuple[str, ...]], str | None] = {}

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if levels[:2] == ("tasmota", "discovery"):
            return Place("/".join(levels[2:3]), role="discovery", ignored=None if levels[3:] == ("config",) else "discovery")
        at = next((place for place, level in enumerate(levels[:-1]) if level in PREFIXES), None)
        if at is None:
            return None
        prefix, last = levels[at], levels[-1]
        if prefix == "cmnd":
            return Place("/".join((*levels[:at], *levels[at + 1 : -1])), ignored="a command to a device")
        if last not in _NODES and (not last or last != last.upper() or not "A" <= last[0] <= "Z"):
            return None
        device = "/".join((*levels[:at], *levels[at + 1 : -1])) or prefix
        base = "/".join((*levels[:at], "cmnd", *levels[at + 1 : -1]))
        ignored = "housekeeping" if last in HOUSEKEEPING - {"STATUS7"} else None
        return Place(device, base, (last,), prefix, levels, ignored)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        if place.role == "discovery":
            return self._discovered(place, body)
        if isinstance(body, str) and (not body or place.path[0] not in _OBJECTS):
            return self._alone(place, body, message)
        if not isinstance(body, dict):
            raise UnusableError(f"topic {message.topic!r}: what {place.path[0]} says must be an object; got {str(body)[:40]!r}")
        if place.path == ("STATUS7",):
            self._learn_status(place.device, body)
            return Ignored("housekeeping", place.device)
        said: list[Said] = []
        check_size(place.device, body, 1)
        for part in _parts(body):
            self._part(said, place, part, message)
        if len(said) > MOST_READINGS:
            raise UnusableError(f"topic {message.topic!r}: a message must hold at most {MOST_READINGS} values; got {len(said)}")
        return said or Ignored("an answer to a command, or nothing new", place.device)

    def _discovered(self, place: Place, body: Body) -> Ignored:
        """Keep what a device is called: its name, else that of its first relay where the name is the one that all begin with."""
        device = _device_of(body) if isinstance(body, dict) else None
        if not isinstance(body, dict) or device is None:
            return Ignored("discovery", place.device or None)
        friendly = body.get("fn")
        names = [body.get("dn"), *(friendly[:1] if isinstance(friendly, list) else ())]
        given = [name for name in names if isinstance(name, str) and name]
        name = next((name for name in given if name != "Tasmota"), given[0] if given else None)
        self.describe(device, {"name": name, "model": body.get("md")})
        return Ignored("discovery", device)

    def _part(self, said: list[Said], place: Place, body: dict[str, Any], message: Message) -> None:
        """Read one object with its own time and units: a whole message, or the sensor or state part of a status."""
        units = Units(_text(body, "TempUnit"), _text(body, "PressureUnit"), _text(body, "SpeedUnit"))
        at = _At(place.device, units, *self._when(body, message, place.device))
        topic = place.path[0]
        if topic in _NODES or (place.role == "tele" and _says_node(body)):
            nodes = {key: value for key, value in body.items() if isinstance(value, dict)}
            self._nodes(said, nodes if nodes and not _says_node(body) else {place.device.rpartition("/")[2]: body}, topic, at)
            return
        told = topic.startswith(("BUTTON", "SWITCH"))
        above = (topic,) if told or topic == "ENERGY" else ()
        answers = place.role == "stat" and "Time" not in body and not told
        for key, value in body.items():
            if key in _ABOUT or value is None or (answers and not _tells_state(key, value)):
                continue
            kind = value.__class__
            if kind is dict and (key in _NODES or (place.role == "tele" and _is_node(key, value))):
                self._nodes(said, value if key in _NODES else {key: value}, key, at)
            elif kind is dict or kind is list:
                if not key.startswith("Zb"):
                    self._inside(said, (key,), value, at)
            elif value != "":
                path = (*above, key)
                said.append(Said(at.device, path, value, self._unit(path, units) if kind is not str else None, at.ts, at.source))

    def _nodes(self, said: list[Said], nodes: dict[str, Any], bridge: str, at: _At) -> None:
        """Read what a Zigbee or LoRaWAN bridge received: each node is a device. Zigbee states temperatures in °C."""
        for node, body in nodes.items():
            if not node.isprintable() or len(node) > 128:
                raise UnusableError(f"device {at.device!r}: a node's name must be at most 128 printable characters; got {node[:40]!r}")
            if isinstance(body, dict) and node:
                radio = _NODES.get(bridge) or ("zigbee" if "LinkQuality" in body else "lora")
                units = Units("C", _text(body, "PressureUnit"), None, radio)
                self._inside(said, (), body, _At(node, units, at.ts, at.source))

    def _inside(self, said: list[Said], path: tuple[str, ...], body: Any, at: _At) -> None:
        """Read an object or array; texts in arrays describe, they are no readings."""
        device, units, ts, source = at
        check_size(device, body, len(path))
        node = not path and units.radio
        for key, value in body.items() if isinstance(body, dict) else ((str(i), v) for i, v in enumerate(body)):
            kind = value.__class__
            if node and key == "Payload":
                continue
            if kind is dict or kind is list:
                self._inside(said, (*path, key), value, at)
            elif kind is str:
                if value and key not in _ABOUT and isinstance(body, dict):
                    said.append(Said(device, (*path, key), value, None, ts, source))
            elif value is not None and key not in _ABOUT:
                whole = (*path, key)
                if node and key == "Power":
                    whole, value = _node_power(value)  # noqa: PLW2901
                said.append(Said(device, whole, value, self._unit(whole, units), ts, source))

    def _alone(self, place: Place, text: str, message: Message) -> list[Said] | Ignored:
        """Read a topic with a bare value: `stat/x/POWER` ← ON, `tele/x/LWT` ← Online."""
        value, unit = scalar(text)
        if value is None:
            return Ignored("no value in it", place.device)
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        unit = unit or (self._unit(place.path, Units()) if number else None)
        return [Said(place.device, place.path, value, unit, message.received, "received")]

    def _unit(self, path: tuple[str, ...], units: Units) -> str | None:
        at = (units, path)
        if at not in self._units:
            if len(self._units) >= self.MOST_UNITS:
                self._units.clear()
            self._units[at] = unit_of(path, units)
        return self._units[at]

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a path; power monitoring, the radio and rain gauges have words of their own."""
        keys = tuple(key for key in path if not key.isdigit())
        own = _own_name(keys)
        if own is not None:
            return vocabulary.Name(own, ".".join(key for key in path if key.isdigit()))
        if path[0].startswith("SHUTTER") and len(path) == 1:
            return vocabulary.Name("position", "Shutter" + path[0].removeprefix("SHUTTER"))
        relay = path[0].removeprefix("POWER")
        if len(path) == 1 and relay != path[0] and (not relay or relay.isdigit()):
            return vocabulary.Name("state", relay)
        colour = _COLOURS.get(keys[-1]) if keys else None
        if colour is not None:
            return vocabulary.Name(colour, ".".join(key for key in path if key != keys[-1]))
        return vocabulary.name(path, units_in_keys=False)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means; rules of users write relays as 1 and 0."""
        if metric == "state" and value in ("0", "1"):
            return value == "1"
        return vocabulary.spoken(metric, value)

    def _when(self, body: dict[str, Any], message: Message, device: str) -> tuple[int, TimeSource]:
        written = body.get("Time")
        stamp = None if written is None else parse(written, least=0)
        epoch = parse(body["Epoch"], least=0) if "Epoch" in body else None
        if epoch is not None:
            if stamp is not None and stamp.local:
                self._learn(device, stamp.ns, epoch.ns)
            return settle(epoch.ns, message)
        if stamp is None or not stamp.local:
            return self.when(stamp, message, device)
        offset = self._offset(device, stamp)
        if offset is None:
            return self.when(stamp, message, device)
        return settle(stamp.ns - offset * SECOND, message, "learned-offset")

    def _offset(self, device: str, stamp: Stamp) -> int | None:
        learned = self.learned.get(device)
        if learned is None or abs(stamp.ns // SECOND - learned[1]) > OFFSET_HOLDS:
            return None
        return int(learned[0])

    def _learn(self, device: str, local: int, utc: int) -> None:
        """Keep how far a device's wall clock is ahead of UTC, and when that was seen (hourly, so that little is written)."""
        offset, seen = round((local - utc) / (60 * SECOND)) * 60, local // SECOND
        known = self.learned.get(device)
        if abs(offset) <= 15 * 3600 and (known is None or known[0] != offset or abs(seen - known[1]) > 3600):
            remember(self.learned, device, [offset, seen], most=MOST_OFFSETS)

    def _learn_status(self, device: str, body: dict[str, Any]) -> None:
        times = body.get("StatusTIM")
        if isinstance(times, dict):
            utc, local = parse(times.get("UTC")), parse(times.get("Local"))
            if utc is not None and local is not None and local.local:
                self._learn(device, local.ns, utc.ns)

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for each setting: `state`, `state/2`, `dimmer`, `position/Shutter1` …, or any command by its own name."""
        encoded = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            encoded.append(Encoded(f"{base}/{_command(setting)}", on_off(value).encode(), self.confirms(device, setting, value)))
        return encoded

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        command = _command(setting)
        path: tuple[str, ...] = (command,)
        if command.startswith("ShutterPosition"):
            path = ("Shutter" + (command.removeprefix("ShutterPosition") or "1"), "Position")
        told = on_off(value) if isinstance(value, bool) else value
        unit = None if isinstance(told, str) else self._unit(path, Units())
        return (self.report(device, path, told, unit),)


def _command(setting: str) -> str:
    """Return the command that sets a metric, with the number of the relay, light or shutter behind it."""
    metric, channel = split_setting(setting)
    return _WRITES.get(metric, metric) + channel.removeprefix("Shutter")


def _device_of(body: dict[str, Any]) -> str | None:
    """Return the device that a discovery message is about, by its topic `t`, hostname `hn`, address `mac` and FullTopic `ft`.

    >>> _device_of({"t": "fan", "ft": "attic/%topic%/%prefix%/"}), _device_of({"t": "fan"}), _device_of({"dn": "Fan"})
    ('attic/fan', 'fan', None)
    """
    topic, host, mac, full = (_text(body, key) or "" for key in ("t", "hn", "mac", "ft"))
    levels = [level for level in (full or "%prefix%/%topic%").strip("/").split("/") if level != "%prefix%"]
    device = "/".join(levels).replace("%topic%", topic).replace("%hostname%", host).replace("%id%", mac[-6:])
    return device if topic and 0 < len(device) <= LONGEST_NAME and device.isprintable() else None


def _parts(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the objects of a message that hold readings."""
    if any(key.startswith("Status") for key in body):
        return [value for key, value in body.items() if key in _PARTS and isinstance(value, dict)]
    return [body]


def _text(body: dict[str, Any], key: str) -> str | None:
    value = body.get(key)
    return value if isinstance(value, str) else None


def _own_name(keys: tuple[str, ...]) -> str | None:
    """Return the metric of a path where Tasmota's word for it says too little by itself; None if it says enough."""
    if len(keys) < 2:
        return None
    rest = "_".join(map(vocabulary.snake, keys[1:]))
    if keys[0] == "ENERGY":
        return ENERGY[keys[1]][0] if len(keys) == 2 and keys[1] in ENERGY else f"energy_{rest}"
    if keys[0] == "Wifi":
        return f"wifi_{rest}"
    return _RAIN.get(keys[-1]) if keys[0] == "RG-15" else None


def _tells_state(key: str, value: Any) -> bool:
    """Return whether an answer's key is a state, not a setting: `Switch1`, but not `SwitchMode1`."""
    return key.rstrip("0123456789") in STATES or (isinstance(value, dict) and key.startswith(("Button", "Switch")))


def _is_node(key: str, body: dict[str, Any]) -> bool:
    """Return whether an object is a Zigbee node's, sent without `ZbReceived` around it (SetOption100)."""
    short = len(key) == 6 and key.startswith("0x")
    return ("LinkQuality" in body and (short or "Device" in body)) or _says_node(body)


def _says_node(body: Mapping[str, Any]) -> bool:
    """Return whether an object is what one node says, without its address before it."""
    return "Device" in body and ("LinkQuality" in body or {"Node", "RSSI", "SNR"} <= body.keys())


def _node_power(value: Any) -> tuple[tuple[str, ...], Any]:
    """Return a Zigbee node's `Power`: on or off, or what a remote asked for (2 is toggle)."""
    if value in (0, 1):
        return ("Power",), bool(value)
    return ("PowerCommand",), value
