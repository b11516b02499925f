"""Sparkplug B: `spBv1.0/<group>/<type>/<node>[/<device>]` ← protobuf (Eclipse Sparkplug 3.0, https://sparkplug.eclipse.org/specification/).

An edge node says NBIRTH, its devices DBIRTH: every metric with name, alias, data type, value and unit (property `engUnit`). NDATA and DDATA
carry what changed, often by alias alone. Such data before its birth, or with an alias that no birth had, is held, and a rebirth is asked for;
so it is after a number (`seq`, 0 to 255) out of turn, though what that message says is read. NDEATH, the node's last will, takes its devices
with it; one whose `bdSeq` is not the birth's is an older connection's. `STATE` is a host application's own.

*Device*: group/node[/device]. *Key*: the metric's name as it is, `/` included: the folders before a known word are its channel. Members of
templates and cells of data sets are named in the same way (`Motor/Speed`, `Table/0/Level`); bytes and files are no readings, and neither are
metrics whose property `Quality` is not good. *Time*: the metric's, else the payload's.

Commands: NCMD or DCMD with all settings, each by its name, and by its alias where it has one: nodes differ in which they look at. A setting is
a metric's name, or the series it is read as. Nodes refuse a payload without a time; a command is made without a clock, so its time is that of
the birth it answers to, or of the message that made a birth wanted. What stands under `Node Control/` or `Device Control/` is a button: true
presses it, and it is seen to be false again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from devices import vocabulary
from devices.convention import NO_LABELS, Convention, Place, Said, UnusableError, refuse, refuse_toggle, remember, split_setting
from devices.conventions import sparkplug_payload as sparkplug
from devices.conventions.sparkplug_births import MOST_METRICS, UNBORN, UnbornError, learn, leaves, properties, values
from devices.news import News
from devices.payloads import Body, UnreadableError
from devices.profile import Profiles
from devices.reading import Ask, Encoded, Expected, Held, Ignored, Message, TimeSource, Value
from devices.timestamps import SECOND, Stamp

NAMESPACE: Final = "spBv1.0"
NODES: Final = frozenset({"NBIRTH", "NDATA", "NDEATH", "NCMD"})
DEVICES: Final = frozenset({"DBIRTH", "DDATA", "DDEATH", "DCMD"})
REBIRTH: Final = "Node Control/Rebirth"
CONTROLS: Final = ("Node Control/", "Device Control/")
REBIRTH_EVERY: Final = 60 * SECOND
"""A node is asked for a rebirth at most this often: one that can never satisfy is not kept busy with births."""
MOST_LEARNED: Final = 250_000
"""Metrics whose births are kept, over all nodes; the node born longest ago is forgotten first."""
MOST_MEMBERS: Final = 5_000
"""Devices of a node, itself included."""
MOST_COMMANDED: Final = 1024
"""Metrics of a device that it can be told."""

_MS: Final = 1_000_000


class SparkplugB(Convention):
    """Edge nodes and their devices."""

    name = "sparkplug_b"
    title = "Sparkplug B"
    about = "Industrial edge nodes and their devices, in protobuf: spBv1.0/<group>/NDATA/<node>"
    topics = "`spBv1.0/<group>/<NBIRTH NDATA NDEATH DBIRTH DDATA DDEATH>/<node>[/<device>]`; commands on `…/NCMD/…` and `…/DCMD/…`"
    setup = "Point the edge node's MQTT server at the broker; no primary host application needs to be set."
    reads_bytes = True

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        super().__init__(profiles, learned, news)
        self._size = sum(map(_size, learned.values()))

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:  # noqa: ARG002
        if (levels[0] == "STATE" and len(levels) == 2) or levels[:2] == (NAMESPACE, "STATE"):
            return Place("", ignored="a host application's state")
        if levels[0] != NAMESPACE:
            return None
        kind = levels[2] if len(levels) > 2 else ""
        if not all(levels[1:]) or len(levels) != (4 if kind in NODES else 5 if kind in DEVICES else 0):
            return Place("/".join(levels[1:]) or NAMESPACE, role="wrong")
        device = "/".join((levels[1], *levels[3:]))
        return Place(device, _topic(device), role=kind, levels=levels, ignored="a command to a device" if kind.endswith("CMD") else None)

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored | Held:
        if place.role == "wrong":
            raise UnusableError(
                f"topic {message.topic!r}: must be spBv1.0/<group>/<N type>/<node> or spBv1.0/<group>/<D type>/<node>/<device>"
            )
        if not body and not place.role.endswith("DEATH"):
            return Ignored("empty payload: a retained value was cleared", place.device)
        assert isinstance(body, bytes)
        try:
            return self._heard(_Heard(self, message, place, sparkplug.read(body)))
        except UnreadableError as error:
            raise UnusableError(f"topic {message.topic!r}: {error}") from None

    def _heard(self, heard: _Heard) -> list[Said] | Ignored | Held:
        node = self.learned.get(heard.name) or self._begin(heard.name)
        self._count(heard, node)
        if not heard.kind.endswith("DATA"):
            return self._changed(heard, node)
        try:
            said = heard.said(node["members"].get(heard.device, UNBORN))
        except UnbornError as error:
            self._ask(heard, node, str(error))
            return Held(str(error), heard.device, heard.device)
        return said or Ignored("no value in it", heard.device)

    def _changed(self, heard: _Heard, node: dict[str, Any]) -> list[Said] | Ignored:
        """Read a birth or a death, and keep what it says within bounds."""
        before = _size(node)
        if heard.kind == "NDEATH":
            said = _node_died(heard, node)
        elif heard.kind == "DDEATH":
            said = [_died(heard, node, heard.device, heard.at(heard.payload))]
        else:
            said = self._born(heard, node)
        self._size += _size(node) - before
        self._make_room(heard.name)
        return said

    def _begin(self, name: str) -> dict[str, Any]:
        """Keep a node: what was born of it, by device; the number it had last; and when it was asked for a rebirth."""
        node: dict[str, Any] = {"members": {}, "birth": None, "sequence": None, "asked": None}
        self.learned[name] = node
        self._size += 1
        self._make_room(name)
        return node

    def _make_room(self, kept: str) -> None:
        while self._size > MOST_LEARNED and (oldest := next(iter(self.learned))) != kept:
            self._size -= _size(self.learned.pop(oldest))

    def _count(self, heard: _Heard, node: dict[str, Any]) -> None:
        """Note the message's number. Gaps are counted for the node, and one is reason to ask for a rebirth."""
        number, received, last = heard.sequence, heard.message.received, node["sequence"]
        if number is None or heard.message.retained or (last is not None and received < last[1]):
            return
        if heard.kind == "NBIRTH":
            self.restart_sequence(heard.name, number, received)
        else:
            self.count_sequence(heard.name, heard.name, number, received, wraps=256)
            if last is not None and (number - last[0]) % 256 > 1:
                self._ask(heard, node, f"node {heard.name!r}: number must be {(last[0] + 1) % 256}; got {number}")
        node["sequence"] = [number, received]

    def _ask(self, heard: _Heard, node: dict[str, Any], why: str) -> None:
        """Ask a node for its births. What was retained says nothing of now, and asks nothing."""
        received = heard.message.received
        if heard.message.retained or (node["asked"] is not None and received - node["asked"] < REBIRTH_EVERY):
            return
        node["asked"] = received
        self.news.asks.append(Ask(heard.name, _base(heard.name, {}, received // _MS), {REBIRTH: True}, why))

    def _born(self, heard: _Heard, node: dict[str, Any]) -> list[Said] | Ignored:
        """Learn a birth, and read its values. A node's birth comes before those of its devices, which count for nothing until then."""
        device, members = heard.device, node["members"]
        before = members.get(device, UNBORN)
        try:
            member = {"born": True, "dead": False, "at": heard.message.received // _MS, **learn(heard.payload)}
        except UnbornError:
            raise UnreadableError("a birth must name each of its metrics; got one with an alias alone") from None
        said = heard.said(member)
        if before["dead"]:
            said.insert(0, Said(device, ("online",), True, None, *heard.at(heard.payload), NO_LABELS, heard.sequence))
        if heard.kind == "NBIRTH":
            node["birth"] = _birth_number(heard.payload)
            for other in members.values():
                other["born"] = False
        remember(members, device, member, most=MOST_MEMBERS)
        self.learned[heard.name] = self.learned.pop(heard.name)  # born last, forgotten last
        self.news.born.add(device)
        if member["metrics"] != before["metrics"]:
            self.readdress(device)
        return said or Ignored("a birth without values", device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return the name of a metric, whose folders stand before it: `Kitchen/Temperature`."""
        return vocabulary.name(tuple(filter(None, path[0].split("/"))) or path, units_in_keys=False)

    def spoken(self, metric: str, value: str) -> Value:  # noqa: ARG002
        """Return a text as it is: what is a truth has a data type that says so."""
        return value

    def base_of(self, device: str, base: str) -> str:
        """Return topic, time and metrics, as JSON: the birth's data type, alias and unit of each that can be told something."""
        node = self.learned.get("/".join(device.split("/", 2)[:2]), {"members": {}})
        member = node["members"].get(device, UNBORN)
        can = [(name, known[:3]) for name, known in member["metrics"].items() if known[3]]
        return _base(device, dict(can[:MOST_COMMANDED]), member["at"]) if can else base

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return one message for all settings. `base` is as `base_of` makes it, or the topic alone where a profile gives it."""
        known: dict[str, Any] = msgspec.json.decode(base) if base.startswith("{") else {"metrics": {}, "topic": base}
        metrics: dict[str, list[Any]] = {REBIRTH: [sparkplug.BOOLEAN, None, None], **known["metrics"]}
        payload = sparkplug.Payload(timestamp=known.get("time"))
        expects: list[Expected] = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            name = self._metric(device, setting, value, metrics)
            datatype, alias, unit = metrics[name]
            try:
                sent = sparkplug.fit(datatype, value)
            except ValueError as error:
                refuse(device, setting, str(error), value)
            metric = payload.metrics.add(name=name, datatype=datatype)
            if alias is not None:
                metric.alias = alias
            sparkplug.put(metric, datatype, sent)
            pressed = sent is True and name.startswith(CONTROLS)
            expects.append(self.report(device, (name,), False if pressed else sent, None if isinstance(sent, (bool, str)) else unit))
        return [Encoded(known["topic"], payload.SerializeToString(deterministic=True), tuple(expects))]

    def _metric(self, device: str, setting: str, value: Value, metrics: Mapping[str, list[Any]]) -> str:
        """Return the name of the metric that a setting means: the name itself, or the series that the metric is read as."""
        if setting in metrics:
            return setting
        wanted = split_setting(setting)
        fitting = [name for name, known in metrics.items() if _series(self.series((name,)), known[0]) == wanted]
        if len(fitting) != 1:
            names = ", ".join((fitting or [*metrics])[:8])
            refuse(device, setting, f"must name one metric of its birth ({names})", value)
        return fitting[0]


class _Heard:
    """One message, and who says it. Many of its metrics have the same time, which is worked out once."""

    def __init__(self, convention: SparkplugB, message: Message, place: Place, payload: Any) -> None:
        self.message = message
        self.payload = payload
        self.kind = place.role
        self.device = place.device
        self.name = "/".join(place.device.split("/", 2)[:2])
        numbered = self.kind != "NDEATH" and payload.HasField("seq") and payload.seq < 256
        self.sequence: int | None = payload.seq if numbered else None
        self.when = convention.when
        self._sent = payload.timestamp if payload.HasField("timestamp") else None
        self._last: tuple[int | None, tuple[int, TimeSource]] | None = None

    def at(self, holder: Any) -> tuple[int, TimeSource]:
        """Return the time that a metric, else its payload, states."""
        stated = holder.timestamp if holder.HasField("timestamp") else self._sent
        if self._last is None or self._last[0] != stated:
            stamp = None if stated is None else Stamp(stated * _MS)
            self._last = stated, self.when(stamp, self.message, self.device)
        return self._last[1]

    def said(self, member: Mapping[str, Any]) -> list[Said]:
        """Return the values of a birth or of data, by what its births have taught."""
        said: list[Said] = []
        for name, metric in leaves(self.payload.metrics, member, "", 1):
            unit, good = properties(metric)
            if name == "bdSeq" or metric.is_null or not good:
                continue
            known = member["metrics"].get(name)
            datatype = metric.datatype or (known[0] if known else 0)
            unit = unit or (known[2] if known else None)
            at = self.at(metric)
            for key, value in values(name, metric, datatype, born=known is not None):
                stated = None if isinstance(value, (bool, str)) else unit
                said.append(Said(self.device, (key,), value, stated, *at, NO_LABELS, self.sequence))
            if len(said) > MOST_METRICS:
                raise UnreadableError(f"a message must hold at most {MOST_METRICS} values")
        return said


def _topic(device: str) -> str:
    """Return where a node, or a device of one, listens."""
    group, *names = device.split("/", 2)
    return "/".join((NAMESPACE, group, "DCMD" if len(names) == 2 else "NCMD", *names))


def _base(device: str, metrics: Mapping[str, Any], time: int) -> str:
    return msgspec.json.encode({"metrics": metrics, "time": time, "topic": _topic(device)}, order="sorted").decode()


def _size(node: Mapping[str, Any]) -> int:
    return 1 + sum(1 + len(member["metrics"]) for member in node["members"].values())


def _series(named: vocabulary.Name, datatype: int) -> tuple[str, str]:
    """Return metric and channel as readings have them: a power that is on or off is a state."""
    return "state" if named.metric == "power" and datatype == sparkplug.BOOLEAN else named.metric, named.channel


def _node_died(heard: _Heard, node: dict[str, Any]) -> list[Said] | Ignored:
    """Read a last will: its time is when the node connected, so the receive time stands."""
    number = _birth_number(heard.payload)
    if node["birth"] is not None and number is not None and number != node["birth"]:
        return Ignored(f"an older connection's last will: bdSeq {number}, where the birth has {node['birth']}", heard.name)
    at = heard.when(None, heard.message, heard.name)
    alive = [device for device, member in node["members"].items() if device != heard.name and not member["dead"]]
    return [_died(heard, node, device, at) for device in (heard.name, *alive)]


def _died(heard: _Heard, node: dict[str, Any], device: str, at: tuple[int, TimeSource]) -> Said:
    """Note that a device is away, until it is born again."""
    member = {**node["members"].get(device, UNBORN), "born": False, "dead": True}
    remember(node["members"], device, member, most=MOST_MEMBERS)
    return Said(device, ("online",), False, None, *at, NO_LABELS, heard.sequence)


def _birth_number(payload: Any) -> int | None:
    number = next((sparkplug.value_of(metric, metric.datatype) for metric in payload.metrics if metric.name == "bdSeq"), None)
    return number if isinstance(number, int) else None
