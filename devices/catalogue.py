"""The catalogue: every convention in order, and the one door through which messages become readings and commands become messages."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from devices import payloads, places
from devices.convention import BODIES, GREATEST_INTEGER, LEAST_INTEGER, NO_LABELS, Convention, Place, Said, UnusableError, on_off, remember
from devices.conventions.aws_shadow import AwsShadow
from devices.conventions.azure_iot import AzureIot
from devices.conventions.chirpstack import ChirpStack
from devices.conventions.esphome import Esphome
from devices.conventions.graphite import Graphite
from devices.conventions.home_assistant import HomeAssistant
from devices.conventions.homie import Homie
from devices.conventions.line_protocol import LineProtocol
from devices.conventions.milesight import Milesight
from devices.conventions.opcua_pubsub import OpcUaPubSub
from devices.conventions.owntracks import OwnTracks
from devices.conventions.packed import Packed
from devices.conventions.plain_json import PlainJson
from devices.conventions.plain_scalar import PlainScalar
from devices.conventions.ruuvi import Ruuvi
from devices.conventions.senml import Senml
from devices.conventions.shelly_gen1 import ShellyGen1
from devices.conventions.shelly_gen2 import ShellyGen2
from devices.conventions.sparkplug_b import SparkplugB
from devices.conventions.tasmota import Tasmota
from devices.conventions.template import Templates
from devices.conventions.theengs import Theengs
from devices.conventions.things_stack import ThingsStack
from devices.conventions.victron import Victron
from devices.conventions.zigbee2mqtt import Zigbee2Mqtt
from devices.conventions.zwave_js import ZwaveJs
from devices.form import Form, Given, Report
from devices.kinds import Kinds
from devices.news import News
from devices.payloads import Body
from devices.profile import CommandTemplate, Profile, Profiles
from devices.reading import Address, Ask, CommandError, DeadLetter, Encoded, Expected, Ignored, Message, Outcome, Reading, Value

CONVENTIONS: Final[tuple[type[Convention], ...]] = (
    Templates,
    Zigbee2Mqtt,
    Tasmota,
    Homie,
    ZwaveJs,
    Esphome,
    ShellyGen2,
    ShellyGen1,
    Victron,
    OwnTracks,
    Ruuvi,
    Theengs,
    SparkplugB,
    ThingsStack,
    Milesight,
    ChirpStack,
    AwsShadow,
    AzureIot,
    HomeAssistant,
    Senml,
    OpcUaPubSub,
    Packed,
    LineProtocol,
    Graphite,
    PlainJson,
    PlainScalar,
)
"""Those with topics of their own first, then those known by the form of their payload; the plain ones take what is left."""

BLANKS: Final = ("device", "base", "setting", "value")
"""What a profile's `command` may have filled in."""
_BLANK: Final = re.compile(rf"\{{({'|'.join(BLANKS)})\}}")

MOST_ROUTES: Final = 200_000
MOST_ADDRESSES: Final = 200_000
MOST_FORMS: Final = 4
"""Of one topic."""
MOST_COLUMNS: Final = 600_000
"""Of all forms: those of 100,000 topics with six keys each."""
LONGEST_TOPIC: Final = 1024


Candidate = tuple[Convention, Place]


class _Route(msgspec.Struct, frozen=True):
    """What a topic alone decides: an answer that needs no payload, or who may read it.

    `owners` of the topic go before all `others`; those are by the type of body, for each only the conventions that may take it. `forms` are
    those of objects that have been read, by their keys.
    """

    answer: Ignored | DeadLetter | None
    owners: tuple[Candidate, ...] = ()
    others: Mapping[type, tuple[Candidate, ...]] = {}
    forms: dict[tuple[str, ...], Form] = {}


class Catalogue:
    """Turns messages into readings with what the conventions have learned, and settings into messages.

    `learned` holds all that was learned, in plain builtins and bounded; a catalogue made with it goes on where the other stopped. Nothing
    here reads a clock: the same messages in the same order give the same answers.

    >>> catalogue = Catalogue()
    >>> [(r.device, r.metric, r.value) for r in catalogue.readings(Message("home/attic", b'{"temp": 21.5}', received=0))]
    [('attic', 'temperature', 21.5)]
    >>> catalogue.address("attic")
    Address(convention='plain_json', base='home/attic')
    """

    def __init__(self, profiles: Sequence[Profile] = (), learned: dict[str, Any] | None = None) -> None:
        self.learned: dict[str, Any] = {} if learned is None else learned
        self.profiles = Profiles(profiles)
        self._addresses: dict[str, list[str]] = self.learned.setdefault("addresses", {})
        self.news = News(self.learned.setdefault("sequences", {}))
        self.conventions = {made.name: made(self.profiles, self.learned.setdefault(made.name, {}), self.news) for made in CONVENTIONS}
        for convention in self.conventions.values():
            convention.discovered = self.learned["home_assistant"]["topics"]
            convention.described = self.learned.setdefault("described", {}).setdefault(convention.name, {})
        self._marks = frozenset[str]().union(*(made.marks for made in CONVENTIONS))
        self._spotters = tuple(one for one in self.conventions.values() if one.marks)
        self._kinds = Kinds(self.profiles, self.learned.setdefault("kinds", {}))
        self._ranks = {name: len(CONVENTIONS) - place for place, name in enumerate(self.conventions)}
        self._routes: dict[str, _Route] = {}
        self._columns = 0

    def readings(self, message: Message) -> Outcome:
        """Return what a message says, as `read` does, reading by reading."""
        outcome = self.read(message)
        return outcome.readings() if isinstance(outcome, Report) else outcome

    def read(self, message: Message) -> Report | Outcome:
        """Return what a message says: a report where its like has been read before. Never raises: what cannot be used is a dead letter.

        What came up besides is in `news` until the next message. Values that would change the type of their series are left out, and are in
        `news.refused`; a message of which nothing else is left is a dead letter.
        """
        self.news.forget()
        route = self._routes.get(message.topic) or self._route(message.topic)
        if route.answer is not None:
            return route.answer
        try:
            if route.owners and route.owners[0][0].reads_bytes:
                return self._read(message, route, *route.owners[0], message.payload)
            body = payloads.read(message.payload)
            return self._by_form(message, route, body) or self._read(message, route, *self._choose(message.topic, route, body), body)
        except payloads.UnreadableError as error:
            return DeadLetter(f"topic {message.topic!r}: {error}", _device(route))
        except UnusableError as error:
            return DeadLetter(str(error), _device(route))
        except Exception as bug:  # noqa: BLE001  (one message must not stop the stream; it is kept, and its reason names the bug)
            return DeadLetter(f"bug in decoding topic {message.topic!r}: {type(bug).__name__}: {bug}"[:400], _device(route))

    def _by_form(self, message: Message, route: _Route, body: Body) -> Report | None:
        """Return what an object says whose like has been read on this topic; None where a convention must look at it."""
        if not route.forms or message.retained or not isinstance(body, dict):
            return None
        form = route.forms.get(tuple(body))
        return form.read(message, body) if form else None

    def _read(self, message: Message, route: _Route, convention: Convention, place: Place, body: Body) -> Outcome:
        if place.ignored:
            return Ignored(place.ignored, place.device or None)
        try:
            said = convention.decode(message, place, body)
            readings = convention.normalise(said, message) if isinstance(said, list) else []
        except UnusableError as error:
            return DeadLetter(str(error), place.device or None)
        if convention.changes:
            convention.changes = 0
            self.forget_topics()
        for device in self.news.retyped:
            self._kinds.forget(device)
        for ask in self.news.asks:
            self._note_ask(ask, convention)
        if not isinstance(said, list):
            return said
        if convention.blanks and readings:
            convention.blanks = 0
            readings = [one for one in readings if one.value != ""]
        kept = self._keep(message, convention, place, said, readings) if readings else Ignored("no value in it", place.device or None)
        if kept is readings and isinstance(body, dict) and not (route.owners or message.retained):
            self._keep_form(route, convention, place, body, list(zip(said, readings, strict=False)))
        return kept

    def _keep(self, message: Message, convention: Convention, place: Place, said: list[Said], readings: list[Reading]) -> Outcome:
        """Return what of the readings is of its series' kind; learn where the device listens, and what was missed."""
        self._learn_address(place, said[0].device, readings[0].device, convention.name)
        if self.profiles.numbered and not message.retained:
            self._count(readings, message.received)
        return self._kinds.keep(readings, self.news)

    def _keep_form(self, route: _Route, convention: Convention, place: Place, body: dict[str, Any], given: Sequence[Given]) -> None:
        """Let objects with the same keys, on the same topic, be read as this one, where that is all that they depend on."""
        layout = convention.layout(place, body)
        if layout is None or not self._marks.isdisjoint(body) or self.profiles.of(given[0][1].device, convention.name).sequence:
            return
        form = Form.of(convention, layout, body, given, (self._addresses, self._kinds.learned))
        if form is None:
            return
        keys = tuple(body)
        if keys not in route.forms:
            if self._columns + len(keys) > MOST_COLUMNS:
                self.forget_topics()
            elif len(route.forms) >= MOST_FORMS:
                route.forms.clear()
            self._columns += len(keys)
        route.forms[keys] = form

    def forget(self, device: str) -> None:
        """Forget where a device listens and of which kinds its values are: it is not looked after (any more)."""
        self._kinds.forget(device)
        self._addresses.pop(device, None)

    def forget_topic(self, topic: str) -> None:
        """Forget who reads a topic; it is only worked out again."""
        self._routes.pop(topic, None)

    def forget_topics(self) -> None:
        """Forget who reads which topic, and all forms; they are only worked out again."""
        self._routes.clear()
        self._columns = 0

    def of_their_kind(self, readings: list[Reading]) -> list[Reading] | DeadLetter:
        """Return readings that no convention made, as far as they are of their series' kind; the others are in `news.refused`."""
        self.news.forget()
        return self._kinds.keep(readings, self.news)

    def _count(self, readings: list[Reading], received: int) -> None:
        """Count what is missing before a message whose number a profile names."""
        device, convention = readings[0].device, readings[0].convention
        key = self.profiles.of(device, convention).sequence
        number = next((one.value for one in readings if one.key == key), None) if key else None
        if isinstance(number, int | float) and float(number).is_integer():
            self.news.sequences.count(device, f"profile\x1f{device}", int(number), received)

    def _choose(self, topic: str, route: _Route, body: Body) -> Candidate:
        """Return who reads a message: the topic's owner, else who knows the payload's form, else who takes such a payload.

        Raises UnusableError where nobody takes it.
        """
        for convention, place in route.owners:
            if convention.takes(body):
                return convention, place
        first = body[0] if isinstance(body, list) and body else body
        if isinstance(first, dict) and not self._marks.isdisjoint(first):
            levels = tuple(topic.split("/"))
            for convention in self._spotters:
                if not convention.marks.isdisjoint(first) and (spotted := convention.spot(topic, levels, body)):
                    return convention, spotted
        for convention, place in route.others[body.__class__]:
            if convention.takes(body):
                return convention, place
        what = payloads.binary(body) if isinstance(body, bytes) else "nobody reads such a payload"
        raise UnusableError(f"topic {topic!r}: {what}")

    def _route(self, topic: str) -> _Route:
        if len(topic) > LONGEST_TOPIC or not topic or not topic.isprintable():
            shown = repr(topic[:40])
            return _Route(DeadLetter(f"a topic must be 1 to {LONGEST_TOPIC} printable characters; got {len(topic)}: {shown}"))
        levels = tuple(topic.split("/"))
        route = self._resolve(topic, levels)
        if len(self._routes) >= MOST_ROUTES:
            self.forget_topics()
        self._routes[topic] = route
        return route

    def _resolve(self, topic: str, levels: tuple[str, ...]) -> _Route:
        nobodys = places.nobodys(levels)
        if nobodys:
            return _Route(Ignored(nobodys))
        found = [(one, place) for one in self.conventions.values() if (place := one.recognise(topic, levels)) is not None]
        owners = tuple((one, place) for one, place in found if one.owns and not place.adopted)
        others = [(one, place) for one, place in found if not one.owns or place.adopted]
        if owners and owners[0][1].ignored:
            return _Route(Ignored(owners[0][1].ignored, owners[0][1].device or None))
        if not owners and (why := places.no_reading(levels)):
            return _Route(Ignored(why, others[-1][1].device or None))
        return _Route(None, owners, {kind: tuple((one, place) for one, place in others if kind in one.bodies) for kind in BODIES})

    def _learn_address(self, place: Place, said: str, device: str, convention: str) -> None:
        """Keep where a device listens. A dialect of its own outweighs a plain one; within one, the newest topic counts."""
        if said != place.device:
            if place.alternative is None or place.alternative.device != said:
                return
            place = place.alternative
        known = self._addresses.get(device)
        if place.base is None or (known is not None and known[0] == convention and known[1] == place.base):
            return
        if known is None or self._ranks.get(known[0], 0) <= self._ranks[convention]:
            remember(self._addresses, device, [convention, place.base], most=MOST_ADDRESSES)
            self.news.readdressed.add(device)

    def _note_ask(self, ask: Ask, convention: Convention) -> None:
        """Keep where a device listens that a convention asks something of: it may never have said anything that can be read."""
        device = convention.called(ask.device)
        if device not in self._addresses:
            remember(self._addresses, device, [convention.name, ask.base], most=MOST_ADDRESSES)
            convention.readdress(ask.device)

    def address(self, device: str) -> Address | None:
        """Return where a device listens for commands: what its profile says, else what was learned from its messages; None if neither."""
        learned = self._addresses.get(device)
        known = self.profiles.of(device, learned[0] if learned else "")
        if known.convention is not None and known.base is not None:
            return Address(known.convention, known.base)
        if learned is None:
            return Address("plain_json", "") if known.command else None
        return Address(learned[0], self.conventions[learned[0]].base_of(self.profiles.original(device), learned[1]))

    def words(self, device: str, convention: str) -> Mapping[str, str]:
        """Return what a device's dialect has said of it in words: labels of its readings."""
        known = self.conventions.get(convention)
        return NO_LABELS if known is None else known.described.get(self.profiles.original(device), NO_LABELS)

    def encode(self, address: Address, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return the messages that tell a device these settings, each with the readings that will confirm it.

        A setting is a metric (`state`), a metric on a channel (`state/2`), or a key as the device writes it. Raises CommandError.

        >>> [(e.topic, e.payload) for e in Catalogue().encode(Address("tasmota", "cmnd/fan"), "fan", {"state": "ON"})]
        [('cmnd/fan/POWER', b'ON')]
        """
        convention = self.conventions.get(address.convention)
        if convention is None:
            raise CommandError(f"device {device!r}: convention must be one of {', '.join(self.conventions)}; got {address.convention!r}")
        if not settings:
            raise CommandError(f"device {device!r}: a command must have a setting; got none")
        known = self.profiles.of(device, address.convention)
        original = {metric: key for key, metric in known.rename.items()}
        for setting, value in settings.items():
            _check(device, setting, value)
            for name in (setting, original.get(setting), known.rename.get(setting)):
                known.check_allowed(device, name, value)
        device = self.profiles.original(device)
        settings = {original.get(setting, setting): value for setting, value in settings.items()}
        try:
            return self._encoded(convention, known.command, address.base, device=device, settings=settings)
        except UnusableError as error:
            raise CommandError(str(error)) from None

    def _encoded(
        self, convention: Convention, template: CommandTemplate | None, base: str, *, device: str, settings: Mapping[str, Value]
    ) -> list[Encoded]:
        if template is None:
            return convention.encode(base, device, settings)
        # What confirms a template's command is what the device's own dialect would report.
        return [
            _filled(
                template,
                {"device": device, "base": base, "setting": setting, "value": on_off(value)},
                convention.confirms(device, setting, value),
            )
            for setting, value in settings.items()
        ]


def _check(device: str, setting: str, value: Value) -> None:
    if not setting.isprintable() or any(c in setting for c in "+#") or not setting.partition("/")[0].strip(".") or setting[-1] in "/.":
        raise CommandError(f"device {device!r}: a setting must be a metric, or metric/channel; got {setting!r}")
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise CommandError(f"device {device!r}: setting {setting!r} must be text that UTF-8 can hold; got {value!r}")
    if isinstance(value, int) and not LEAST_INTEGER <= value <= GREATEST_INTEGER:
        raise CommandError(f"device {device!r}: setting {setting!r} must fit 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise CommandError(f"device {device!r}: setting {setting!r} must be a finite number; got {value!r}")


def _filled(template: CommandTemplate, words: dict[str, str], expects: tuple[Expected, ...]) -> Encoded:
    """Return a profile's template with its blanks filled in."""

    def fill(text: str) -> str:
        return _BLANK.sub(lambda blank: words[blank[1]], text)

    return Encoded(fill(template.topic), fill(template.payload).encode(), expects)


def _device(route: _Route) -> str | None:
    """Return the device that a topic names, for a payload that nobody could read."""
    candidates = route.owners or next((others for others in route.others.values() if others), ())
    return (candidates[0][1].device or None) if candidates else None
