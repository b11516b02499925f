"""A convention: a dialect that a family of devices speaks over MQTT, read and written.

One file in `devices/conventions/` per convention, with its samples beside it. A convention says which topics are its own (`recognise`),
what a device said in its own words (`decode`), what that is in the shared vocabulary (`normalise`, the same for all), and how to tell a
device something (`encode`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import isfinite
from typing import Any, ClassVar, Final, NamedTuple, NoReturn

import msgspec

from devices import vocabulary
from devices.calibration import Calibration
from devices.news import News
from devices.payloads import DEEPEST, Body
from devices.profile import Known, Profiles
from devices.reading import CommandError, Encoded, Expected, Held, Ignored, Message, Reading, TimeSource, Value
from devices.timestamps import RELEASED, Stamp, in_zone, settle

MOST_READINGS: Final = 1024
"""A message with more values than this is refused: no device has so many to say at once."""

LONGEST_KEY: Final = 512
"""A path of keys longer than this, joined with dots, is no name."""

BODIES: Final = frozenset({dict, list, str, bytes})
"""The types of body that there are (`devices.payloads.Body`)."""

NO_LABELS: Final[Mapping[str, str]] = {}

MOST_DESCRIBED: Final = 50_000
LONGEST_LABEL: Final = 256

LEAST_INTEGER: Final = -(2**63)
GREATEST_INTEGER: Final = 2**64 - 1


class UnusableError(ValueError):
    """A message that a convention cannot use: it becomes a dead letter with these words."""


class Place(msgspec.Struct, frozen=True):
    """What a topic alone says: whose it is (`device`), where commands for it start (`base`), and what it names (`path`, `role`).

    `ignored` is the reason why nothing on this topic is a reading, whatever the payload. `adopted`: the topic is the convention's only because
    a message named it, so that whoever owns it, or knows the payload's form, comes first.
    """

    device: str
    base: str | None = None
    path: tuple[str, ...] = ()
    role: str = ""
    levels: tuple[str, ...] = ()
    ignored: str | None = None
    alternative: Place | None = None
    adopted: bool = False


class Said(msgspec.Struct, frozen=True, gc=False):
    """One value as the device said it: the path of its keys, and the unit where the dialect, or the message, defines one.

    `labels` are what the message itself says in words about device or series (a name, a model, tags), `sequence` its number.
    """

    device: str
    path: tuple[str, ...]
    value: Value
    unit: str | None
    ts: int
    source: TimeSource
    labels: Mapping[str, str] = NO_LABELS
    sequence: int | None = None


class Slot(msgspec.Struct):
    """What is known of one path in one unit, worked out once: its name downstream, and what its values need.

    `series` is a hash of metric and channel, only to see quickly that no two values of a message claim one series: where it says they do,
    `untangle` looks at the names themselves.
    """

    series: int
    metric: str
    channel: str
    key: str
    raw_unit: str | None
    unit: str | None
    convert: vocabulary.Convert | None = None
    low: float | None = None
    high: float = 0
    plain: bool = False
    declared: str | None = None
    calibration: Calibration | None = None

    def only_bounds(self, value: Value) -> bool:
        """Tell whether a value is a number that stays as it is, in the slot's unit, for as long as it lies between two others."""
        changes = self.convert is not None or self.calibration is not None or self.declared is not None
        return self.low is not None and not changes and value.__class__ in (int, float) and self.low <= value <= self.high

    def right(self, value: float) -> float:
        """Return a converted number as its profile's calibration puts it right. Raises UnusableError where either leaves what a double holds."""
        value = value if self.calibration is None else self.calibration(value)
        if not isfinite(value):
            raise UnusableError(f"key {self.key!r}: number must fit a double in {self.unit or 'its unit'} too; got one that does not")
        return value


class Layout(NamedTuple):
    """What an object's keys alone decide: each names a value, but for that of its `time`, if there is one; a number below `least` is none."""

    time: str | None
    least: float


class Convention(ABC):
    """What every convention has. Its instances belong to one catalogue, and keep what they learn in `learned` (plain builtins, bounded)."""

    name: ClassVar[str]
    title: ClassVar[str]
    """The dialect's proper name, for people."""
    about: ClassVar[str]
    topics: ClassVar[str]
    """Which topics the dialect uses, in a line for the documentation."""
    setup: ClassVar[str]
    """How to point such a device at Sluice, in a line or two for the documentation."""
    guesses: ClassVar[bool] = False
    """Whether a name that leaves no doubt may stand for a unit that nobody states (`devices.vocabulary.BARE`)."""
    owns: ClassVar[bool] = True
    """Whether it has topics of its own; a dialect without is known by its payload's form."""
    marks: ClassVar[frozenset[str]] = frozenset()
    """Keys of an object, or of the first object of an array, that nobody else uses: with one of them, `spot` is asked on any topic."""
    bodies: ClassVar[frozenset[type]] = BODIES
    """The types of body that it may take where it does not own the topic."""
    reads_bytes: ClassVar[bool] = False
    """Whether it wants its payloads as they came: `body` is then bytes."""
    commands: ClassVar[bool] = True
    """Whether devices of this dialect can be told anything."""

    MOST_SLOTS: ClassVar[int] = 100_000

    def __init__(self, profiles: Profiles, learned: dict[str, Any], news: News | None = None) -> None:
        self.profiles = profiles
        self.learned = learned
        self.news = news or News()
        self.discovered: Mapping[str, Mapping[str, Any]] = {}
        """What Home Assistant's discovery says of topics that a dialect may own: by topic and path in its payload, such as `unit`."""
        self.described: dict[str, dict[str, str]] = {}
        """What the dialect's messages about a device say of it in words, such as its name: labels of all its readings, learned."""
        self.blanks = 0
        """How many values of the last message said only that there is none: their readings are empty, and go no further."""
        self.changes = 0
        """More than 0 when the last message taught something that changes whose a topic is: kept answers of `recognise` are then dropped."""

    @abstractmethod
    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        """Return what the topic says if it is one of this convention's, else None. Pure but for what was learned."""

    def spot(self, topic: str, levels: tuple[str, ...], body: Body) -> Place | None:  # noqa: ARG002
        """Return what topic and payload say if the payload, which has one of `marks`, is this convention's, else None."""
        return None

    def takes(self, body: Body) -> bool:
        """Return whether a payload of this shape, on a topic that was recognised, is this convention's."""
        return not isinstance(body, bytes) or self.reads_bytes

    @abstractmethod
    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored | Held:
        """Return what the device said, in its own words. Raises UnusableError."""

    def layout(self, place: Place, body: dict[str, Any]) -> Layout | None:  # noqa: ARG002
        """Return what the keys of an object decide; None where its values have a say in what they mean, or something is learned from them."""
        return None

    @abstractmethod
    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Return the messages that tell a device these settings, each with what will confirm it. Raises CommandError."""

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        """Return the reading a device will give once it did what `setting` says: what our own decoding makes of such a report."""
        return (self.report(device, setting_path(setting), value),)

    def told(self, device: str, settings: Mapping[str, Value]) -> tuple[dict[str, Any], tuple[Expected, ...]]:
        """Return one object that says all settings, for a dialect whose commands are objects, and what will confirm it. Raises CommandError."""
        body: dict[str, Any] = {}
        expects: list[Expected] = []
        for setting, value in settings.items():
            refuse_toggle(device, setting, value)
            put(body, setting_path(setting), value, device=device, setting=setting)
            expects += self.confirms(device, setting, value)
        return body, tuple(expects)

    def report(self, device: str, path: tuple[str, ...], value: Value, unit: str | None = None) -> Expected:
        """Return how a value that a device reports under this path would read."""
        read = self.normalise([Said(device, path, value, unit, 0, "received")], Message("", b"", 0))
        if read[0].value == "":
            refuse(device, ".".join(path), "must be a value that a report can confirm", value)
        return Expected(read[0].metric, read[0].channel, read[0].value)

    def base_of(self, device: str, base: str) -> str:  # noqa: ARG002
        """Return the base of a device's address from what its topic said, with all that `encode` needs: that knows nothing learned."""
        return base

    def called(self, device: str) -> str:
        """Return what a device is called downstream."""
        return self.profiles.of(device, self.name).name or device

    def readdress(self, device: str, *, retyped: bool = False) -> None:
        """Say that a device is commanded in another way now; `retyped`: that it was also learned what its values are."""
        name = self.called(device)
        self.news.readdressed.add(name)
        if retyped:
            self.news.retyped.add(name)

    def describe(self, device: str, words: Mapping[str, Any]) -> None:
        """Keep what a device is called, and the like, in place of what was known; what is no short text is left out."""
        labels = {name: word.strip() for name, word in words.items() if isinstance(word, str) and _is_label(word)}
        if self.described.get(device, NO_LABELS) == labels:
            return
        if labels:
            remember(self.described, device, labels, most=MOST_DESCRIBED)
        else:
            del self.described[device]
        self.readdress(device)

    def count_sequence(self, device: str, stream: str, number: int, received: int, *, wraps: int = 0) -> int:
        """Note the number of a stream's message, and count for the device how many were missed before it. Returns that count.

        `wraps` is how many numbers there are before they begin at 0 again; 0: they do not.
        """
        return self.news.sequences.count(self.called(device), f"{self.name}\x1f{stream}", number, received, wraps=wraps)

    def restart_sequence(self, stream: str, number: int, received: int) -> None:
        """Note that a stream's numbers begin anew with this one: nothing was missed before it."""
        self.news.sequences.restart(f"{self.name}\x1f{stream}", number, received)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        """Return metric and channel of a path; a dialect with words of its own overrides this."""
        return vocabulary.name(path, units_in_keys=self.guesses)

    def named(self, one: Said) -> vocabulary.Name:
        """Return metric and channel of what was said: those of its path. A dialect where the unit tells series apart overrides this."""
        return self.series(one.path)

    def spoken(self, metric: str, value: str) -> Value:
        """Return a text as what it means."""
        return vocabulary.spoken(metric, value)

    def normalise(self, said: list[Said], message: Message) -> list[Reading]:
        """Return what was said as readings in the vocabulary, one for each value, each series once at any one time."""
        readings: list[Reading] = []
        numbers: list[int] = []
        device, known, slots, own, labels = None, None, None, NO_LABELS, NO_LABELS
        received, retained, synchronised = message.received, message.retained, message.received >= RELEASED
        for one in said:
            if one.device != device or slots is None or known is None:
                device = one.device
                if not device:
                    raise UnusableError(f"topic {message.topic!r}: a message must say whose it is; got no device")
                known = self.profiles.of(device, self.name)
                slots = known.slots
                own = self.described.get(device, NO_LABELS)
                labels = {**own, **known.labels} if own and known.labels else own or known.labels
            value = one.value
            kind = value.__class__
            slot = slots.get((one.path, one.unit, kind)) or self._slot(slots, known, one)
            metric, unit, raw_unit = slot.metric, slot.unit, slot.raw_unit
            if kind is int and not LEAST_INTEGER <= value <= GREATEST_INTEGER:  # type: ignore[operator]
                refuse_integer(slot.key, value)
            if not slot.plain:
                metric, value, unit, raw_unit = self.understood(slot, value)
                self.blanks += value == ""
            numbers.append(slot.series if metric is slot.metric else hash((metric, slot.channel)))
            readings.append(
                Reading(
                    device=known.name or device,
                    metric=metric,
                    channel=slot.channel,
                    key=slot.key,
                    value=value,
                    unit=unit,
                    raw_value=one.value,
                    raw_unit=raw_unit,
                    ts=one.ts,
                    received=received,
                    time_source=one.source if synchronised or one.source != "received" else "received-unsynchronised",
                    convention=self.name,
                    labels={**own, **one.labels, **known.labels} if one.labels else labels,
                    retained=retained,
                    sequence=one.sequence,
                )
            )
        if len(readings) > 1 and len(set(numbers)) < len(numbers):
            return untangle(readings)
        return readings

    def _slot(self, slots: dict[Any, Slot], known: Known, one: Said) -> Slot:
        """Work out what a path is called, and keep it (bounded: what is forgotten is only worked out again)."""
        if len(slots) >= self.MOST_SLOTS:
            slots.clear()
        slot = slots[one.path, one.unit, one.value.__class__] = self._work_out(known, one)
        return slot

    def _work_out(self, known: Known, one: Said) -> Slot:
        key = ".".join(one.path)
        if len(key) > LONGEST_KEY or not key.isprintable():
            raise UnusableError(f"device {one.device!r}: a key must be at most {LONGEST_KEY} printable characters; got {key[:40]!r}")
        named = self.named(one)
        metric, channel, unit = named.metric, named.channel, one.unit or named.unit
        unit = known.units.get(key) or known.units.get(metric) or unit
        metric = known.rename.get(key) or known.rename.get(metric) or metric
        series = hash((metric, channel))
        declared = known.types.get(key) or known.types.get(metric)
        calibration = known.calibrate.get(key) or known.calibrate.get(metric)
        if declared or isinstance(one.value, str):
            return Slot(series, metric, channel, key, unit, unit, declared=declared, calibration=calibration)
        if isinstance(one.value, bool):
            metric = "state" if metric == "power" else metric
            return Slot(hash((metric, channel)), metric, channel, key, None, None, plain=True)
        low, high = None, 0.0
        if unit is None and self.guesses and (bare := vocabulary.bare_unit(metric)):
            unit, low, high = bare
        target, convert = vocabulary.canonical(metric, unit)
        plain = convert is None and low is None and calibration is None
        return Slot(series, metric, channel, key, unit, target, convert, low, high, plain=plain, calibration=calibration)

    def understood(self, slot: Slot, value: Value) -> tuple[str, Value, str | None, str | None]:
        """Return metric, value, unit and raw unit of a value, by what a profile declares it to be, else by what it is."""
        if slot.declared == "text":
            return slot.metric, (str(value).lower() if isinstance(value, bool) else on_off(value)), None, None
        if slot.declared == "number" and isinstance(value, bool):
            return slot.metric, int(value), None, None
        if slot.declared == "boolean" and value in (0, 1):
            return slot.metric, bool(value), None, None
        if isinstance(value, str):
            return self._meant(slot, value)
        return self._converted(slot, value)

    def _converted(self, slot: Slot, value: float) -> tuple[str, Value, str | None, str | None]:
        if slot.low is not None and not slot.low <= value <= slot.high:
            return slot.metric, value, None, None
        return slot.metric, slot.right(value if slot.convert is None else slot.convert(value)), slot.unit, slot.raw_unit

    def _meant(self, slot: Slot, text: str) -> tuple[str, Value, str | None, str | None]:
        """Return a text as what it says: reachable or not, a truth, a number with its unit where the metric is a quantity, else text.

        An empty value: it says that the quantity could not be measured.
        """
        online = vocabulary.said_online(slot.key.rpartition(".")[2], text)
        if online is not None:
            return "online", online, None, None
        if vocabulary.METRICS.get(slot.metric) is not None:
            value = vocabulary.number(text.replace(",", ".", 1) if text.count(",") == 1 and "." not in text else text)
            unit = slot.raw_unit
            if value is None and (both := vocabulary.number_and_unit(text)):
                value, unit = both
            if value is not None:
                return self._measured(slot, value, unit)
            if vocabulary.says_nothing(text):
                return slot.metric, "", None, None
        metric = "state" if slot.metric == "power" else slot.metric
        return metric, self.spoken(metric, text), None, None

    def _measured(self, slot: Slot, value: float, unit: str | None) -> tuple[str, Value, str | None, str | None]:
        """Return a number that came as text, with the unit it came with or that its name leaves no doubt about."""
        if isinstance(value, int) and not LEAST_INTEGER <= value <= GREATEST_INTEGER:
            refuse_integer(slot.key, value)
        if unit is None and self.guesses and (bare := vocabulary.bare_unit(slot.metric)) and bare[1] <= value <= bare[2]:
            unit = bare[0]
        target, convert = vocabulary.canonical(slot.metric, unit)
        return slot.metric, slot.right(value if convert is None else convert(value)), target, unit

    def when(self, stamp: Stamp | None, message: Message, device: str) -> tuple[int, TimeSource]:
        """Return event time and reason for what a device wrote.

        A local time is moved by its profile's timezone, else the receive time stands.
        """
        if stamp is None:
            return message.received, "received"
        if not stamp.local:
            return settle(stamp.ns, message)
        zone = self.profiles.of(device, self.name).zone
        if zone is None:
            return message.received, "received-no-zone"
        return settle(in_zone(stamp.ns, zone, message.received + message.ahead), message, "profile-offset")


def _is_label(word: str) -> bool:
    return 0 < len(word.strip()) <= LONGEST_LABEL and word.strip().isprintable()


def check_size(device: str, body: dict[str, Any] | list[Any], depth: int) -> None:
    """Raise UnusableError for an object or array that has more members, or is nested deeper, than any device's."""
    if depth > DEEPEST:
        raise UnusableError(f"device {device!r}: objects and arrays must not be nested deeper than {DEEPEST}")
    if len(body) > MOST_READINGS:
        raise UnusableError(f"device {device!r}: an object or array must hold at most {MOST_READINGS} values; got {len(body)}")


def refuse_integer(key: str, value: Value) -> NoReturn:
    """Raise UnusableError for an integer that no 64-bit field holds."""
    raise UnusableError(f"key {key!r}: number must fit 64 bits; got one of {len(str(value))} digits")


def untangle(readings: list[Reading]) -> list[Reading]:
    """Return readings in which two keys of one message that name one series at one time (`temp` and `Temperature`) are told apart.

    The key that is spelt like the metric, else the shortest, else the first in the alphabet, keeps the series; the others get their key as
    channel. The choice looks at the keys alone, not at their order or values.
    """
    if len({(one.device, one.metric, one.channel, one.ts) for one in readings}) == len(readings):
        return readings  # one series at many times, as in a batch
    claims: dict[tuple[str, str, str, int], list[int]] = {}
    for index, one in enumerate(readings):
        claims.setdefault((one.device, one.metric, one.channel, one.ts), []).append(index)
    result = list(readings)
    taken = set(claims)
    for (device, metric, _, ts), indexes in claims.items():
        ranked = sorted(indexes, key=lambda i: (readings[i].key != metric, len(readings[i].key), readings[i].key))
        for index in ranked[1:]:
            channel, again = readings[index].key, 1
            while (device, metric, channel, ts) in taken:
                again += 1
                channel = f"{readings[index].key}.{again}"
            taken.add((device, metric, channel, ts))
            result[index] = msgspec.structs.replace(readings[index], channel=channel)
    return result


def as_text(reading: Reading) -> Reading:
    """Return the reading of a text that its dialect says is one, however much it looks like a number or a truth; `online` stays as it is."""
    if reading.metric == "online" or reading.value == reading.raw_value:
        return reading
    return msgspec.structs.replace(reading, value=reading.raw_value, unit=None, raw_unit=None)


def split_setting(setting: str) -> tuple[str, str]:
    """Return metric and channel of a setting's name: `state` or `state/2`.

    >>> split_setting("state/2"), split_setting("brightness")
    (('state', '2'), ('brightness', ''))
    """
    metric, _, channel = setting.partition("/")
    return metric, channel


def setting_path(setting: str) -> tuple[str, ...]:
    """Return the keys under which a device that writes objects reports a setting.

    >>> setting_path("state"), setting_path("relay/2"), setting_path("target/zone1"), setting_path("zone1.target")
    (('state',), ('relay2',), ('zone1', 'target'), ('zone1', 'target'))
    """
    metric, channel = split_setting(setting)
    return (metric + channel,) if channel.isdigit() else tuple(filter(None, (*channel.split("."), *metric.split("."))))


def put(body: dict[str, Any], path: tuple[str, ...], value: Value, *, device: str, setting: str) -> None:
    """Put a value into an object under a path of keys. Raises CommandError where two settings contradict each other."""
    for key in path[:-1]:
        body = body.setdefault(key, {})
        if not isinstance(body, dict):
            refuse(device, setting, "must not be inside another setting", value)
    if path[-1] in body:
        refuse(device, setting, "must be given once", value)
    body[path[-1]] = value


def on_off(value: Value) -> str:
    """Return a value as devices write it in text: truths as ON and OFF, whole floats without `.0`."""
    if isinstance(value, bool):
        return "ON" if value else "OFF"
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def refuse_toggle(device: str, setting: str, value: Value) -> None:
    """Raise CommandError for a toggle: nothing a device reports could confirm it, and a repeat would undo it."""
    if isinstance(value, str) and value.strip().lower() == "toggle":
        refuse(device, setting, "must be a state to reach, such as ON or OFF, since a toggle cannot be confirmed or repeated", value)


def refuse_commands(device: str, title: str) -> NoReturn:
    """Raise CommandError for a dialect that has no commands."""
    raise CommandError(f"device {device!r}: {title} has no commands")


def refuse(device: str, setting: str, rule: str, got: Value) -> NoReturn:
    """Raise CommandError in the house's words."""
    raise CommandError(f"device {device!r}: setting {setting!r} {rule}; got {got!r}")


def remember(table: dict[str, Any], key: str, value: Any, *, most: int) -> None:
    """Put a learned fact into a table that holds at most `most`; the one learned longest ago goes first."""
    if key not in table and len(table) >= most:
        del table[next(iter(table))]
    table[key] = value
