"""The catalogue: every convention in order, and the one door through which messages become readings and commands become messages."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from devices import foreign, payloads
from devices.convention import GREATEST_INTEGER, LEAST_INTEGER, Convention, Place, UnusableError, on_off, remember
from devices.conventions.plain_json import PlainJson
from devices.conventions.plain_scalar import PlainScalar
from devices.conventions.tasmota import Tasmota
from devices.conventions.zigbee2mqtt import Zigbee2Mqtt
from devices.profile import CommandTemplate, Profile, Profiles
from devices.reading import Address, CommandError, DeadLetter, Encoded, Expected, Ignored, Message, Outcome, Value

CONVENTIONS: Final[tuple[type[Convention], ...]] = (Zigbee2Mqtt, Tasmota, PlainJson, PlainScalar)
"""Those with topics of their own first; the plain ones take what is left, by its shape."""

_BLANK: Final = re.compile(r"\{(device|base|setting|value)\}")

MOST_ROUTES: Final = 200_000
MOST_ADDRESSES: Final = 200_000
LONGEST_TOPIC: Final = 1024


class _Route(msgspec.Struct, frozen=True):
    """What a topic alone decides: an answer that needs no payload, or who may read it."""

    answer: Ignored | DeadLetter | None
    candidates: tuple[tuple[Convention, Place], ...] = ()


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
        self.conventions = {made.name: made(self.profiles, self.learned.setdefault(made.name, {})) for made in CONVENTIONS}
        self._addresses: dict[str, list[str]] = self.learned.setdefault("addresses", {})
        self._ranks = {name: len(CONVENTIONS) - place for place, name in enumerate(self.conventions)}
        self._routes: dict[str, _Route] = {}
        self._changes = 0

    def readings(self, message: Message) -> Outcome:
        """Return what a message says. Never raises: what cannot be used is a dead letter with its reason."""
        try:
            return self._readings(message)
        except Exception as bug:  # noqa: BLE001  (one message must not stop the stream; it is kept, and its reason names the bug)
            return DeadLetter(f"bug in decoding topic {message.topic!r}: {type(bug).__name__}: {bug}"[:400])

    def _readings(self, message: Message) -> Outcome:
        route = self._routes.get(message.topic) or self._route(message.topic)
        if route.answer is not None:
            return route.answer
        convention, place = route.candidates[0]
        try:
            body = payloads.read(message.payload)
            for convention, place in route.candidates:  # noqa: B007
                if convention.takes(body):
                    break
            if convention.guesses and not isinstance(body, str) and (dialect := foreign.by_shape(body)):
                return DeadLetter(f"topic {message.topic!r}: {dialect} is not understood yet", place.device)
            said = convention.decode(message, place, body)
            if isinstance(said, Ignored):
                self._forget_routes()
                return said
            readings = convention.normalise(said, message)
        except payloads.UnreadableError as error:
            return DeadLetter(f"topic {message.topic!r}: {error}", place.device or None)
        except UnusableError as error:
            return DeadLetter(str(error), place.device or None)
        if readings:
            self._learn_address(place, readings[0].device, convention.name)
        return readings

    def _route(self, topic: str) -> _Route:
        if len(topic) > LONGEST_TOPIC or not topic or not topic.isprintable():
            shown = repr(topic[:40])
            return _Route(DeadLetter(f"a topic must be 1 to {LONGEST_TOPIC} printable characters; got {len(topic)}: {shown}"))
        levels = tuple(topic.split("/"))
        route = self._resolve(topic, levels)
        if len(self._routes) >= MOST_ROUTES:
            self._routes.clear()
        self._routes[topic] = route
        return route

    def _resolve(self, topic: str, levels: tuple[str, ...]) -> _Route:
        housekeeping = foreign.housekeeping(levels)
        if housekeeping:
            return _Route(Ignored(housekeeping))
        candidates: list[tuple[Convention, Place]] = []
        for convention in self.conventions.values():
            if convention.guesses and not candidates and (dialect := foreign.by_topic(levels)):
                return _Route(DeadLetter(f"topic {topic!r}: {dialect} is not understood yet"))
            place = convention.recognise(topic, levels)
            if place is not None:
                candidates.append((convention, place))
                if place.ignored:
                    return _Route(Ignored(place.ignored, place.device or None))
                if not convention.guesses:
                    break
        return _Route(None, tuple(candidates))

    def _forget_routes(self) -> None:
        """Drop remembered topics when something learned changes whose they are."""
        changes = sum(convention.changes for convention in self.conventions.values())
        if changes != self._changes:
            self._changes = changes
            self._routes.clear()

    def _learn_address(self, place: Place, device: str, convention: str) -> None:
        """Keep where a device listens. A dialect of its own outweighs a plain one; within one, the newest topic counts."""
        if device != place.device:
            if place.alternative is None or place.alternative.device != device:
                return
            place = place.alternative
        known = self._addresses.get(device)
        if place.base is None or (known is not None and known[0] == convention and known[1] == place.base):
            return
        if known is None or self._ranks.get(known[0], 0) <= self._ranks[convention]:
            remember(self._addresses, device, [convention, place.base], most=MOST_ADDRESSES)

    def address(self, device: str) -> Address | None:
        """Return where a device listens for commands: what its profile says, else what was learned from its messages; None if neither."""
        known = self.profiles.of(device)
        if known.convention is not None and known.base is not None:
            return Address(known.convention, known.base)
        learned = self._addresses.get(device)
        if learned is None:
            return Address("plain_json", "") if known.command else None
        return Address(learned[0], self.conventions[learned[0]].base_of(device, learned[1]))

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
        known = self.profiles.of(device)
        original = {metric: key for key, metric in known.rename.items()}
        settings = {original.get(setting, setting): value for setting, value in settings.items()}
        for setting, value in settings.items():
            _check(device, setting, value)
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
