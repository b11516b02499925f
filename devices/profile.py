"""Profiles: what is known of one device, of all whose names match, or of all of a convention, beyond what they say themselves.

Data, in `config/devices/*.yaml`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, PlainValidator, Tag, model_validator

from devices import topics, vocabulary
from devices.broken import Path, hold
from devices.calibration import Calibration
from devices.durations import Seconds
from devices.interlocks import NO_INTERLOCKS, Interlocks
from devices.reading import CommandError, Value
from devices.samples import Sample
from devices.template import DEVICE, Template, Unit


def _metric(text: str) -> str:
    if not text or vocabulary.snake(text) != text:
        raise ValueError("metric must be lower snake-case, such as temperature or tank_level")
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("timezone must be a name of the IANA database, such as Europe/Berlin") from None
    return text


def _topic(text: str) -> str:
    if topics.check_filter(text) or "+" in text or "#" in text or text.endswith("/"):
        raise ValueError("must be a topic without wildcards and without a '/' at its end")
    return text


def _filter(text: str) -> str:
    wrong = topics.check_filter(text)
    if wrong:
        raise ValueError(wrong)
    return text


def _publishable(text: str) -> str:
    if topics.check_filter(text) or "+" in text or "#" in text:
        raise ValueError("must be a topic without wildcards")
    return text


class CommandTemplate(BaseModel):
    """How a device wants to be told a setting where its convention has no answer. `{device} {base} {setting} {value}` are filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: Annotated[str, AfterValidator(_publishable)] = Field(description="Where to publish, e.g. `plant/{device}/write/{setting}`.")
    payload: str = Field(default="{value}", description="What to publish; texts stand as they are, truths as ON and OFF.")


class Range(BaseModel):
    """Numbers from `min` to `max`, both included."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    min: float
    max: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        hold([(("min",), f"min must not be above max, which is {self.max:g}")] if self.min > self.max else [])
        return self

    def __contains__(self, value: object) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and self.min <= value <= self.max


def _form(written: Any) -> str | None:
    return "range" if isinstance(written, (dict, Range)) else "words" if isinstance(written, list) and written else None


def _word(written: Any) -> Value:
    if not isinstance(written, (bool, int, float, str)):
        raise ValueError("must be true, false, a number or text")  # noqa: TRY004 - pydantic takes ValueError for a finding
    return written


Word = Annotated[Any, PlainValidator(_word, json_schema_input_type=bool | int | float | str)]
Allowed = Annotated[
    Annotated[Range, Tag("range")] | Annotated[list[Word], Tag("words")],
    Discriminator(_form, custom_error_type="allowed", custom_error_message="must be a list of values, or {min, max}"),
]


class Profile(BaseModel):
    """One file in `config/devices/`. Of several that match a device, a later file's words win over an earlier one's, key by key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: list[Annotated[str, Field(min_length=1)]] = Field(
        default=["*"], min_length=1, description="Names of devices; `*`, `?` and `[…]` are wildcards."
    )
    conventions: list[str] = Field(default_factory=list, description="Only devices that speak one of these dialects; none: any.")
    about: str = Field(default="", description="A sentence for people.")
    name: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="What the one device is called downstream, instead of what it calls itself."
    )
    interval: Seconds | None = Field(default=None, description="How often the device is expected to report.")
    labels: dict[str, str] = Field(default_factory=dict, description="Put on every reading: `room: greenhouse`.")
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="Where the device's local times without a zone hold."
    )
    units: dict[str, Unit] = Field(default_factory=dict, description="The unit a key or metric is reported in.")
    rename: dict[str, Annotated[str, AfterValidator(_metric)]] = Field(
        default_factory=dict, description="From a key or metric to the metric it is."
    )
    types: dict[str, Literal["number", "boolean", "text"]] = Field(
        default_factory=dict, description="What the values of a key or metric are, whatever came first."
    )
    sequence: str | None = Field(
        default=None,
        min_length=1,
        description="The key whose number goes up by one with each message: what is missing in between is counted.",
    )
    calibrate: dict[str, Calibration] = Field(
        default_factory=dict, description="How the values of a key or metric are put right, in the vocabulary's unit."
    )
    allow: dict[str, Allowed] = Field(default_factory=dict, description="The values that a setting may be commanded to.")
    interlocks: Interlocks = Field(default=NO_INTERLOCKS, description="What commands must not do to the device; those that would, wait.")
    safe: dict[str, Word] = Field(
        default_factory=dict, description="The settings that the broker sends to the device when the gateway goes away."
    )
    convention: str | None = Field(default=None, description="The dialect to send commands in, for a device that never said anything.")
    base: Annotated[str, AfterValidator(_topic)] | None = Field(
        default=None, description="The topic that commands start from, as the convention wants it."
    )
    command: CommandTemplate | None = None
    template: Template | None = Field(default=None, description="How the payloads of a dialect of your own are read.")
    samples: list[Sample] = Field(default_factory=list, description="Messages and what must come of them: `sluice check` runs them.")
    topics: list[Annotated[str, AfterValidator(_filter)]] = Field(
        default_factory=list, description="Plain topics that are this one device's."
    )

    @model_validator(mode="after")
    def _hold_rules(self) -> Profile:
        hold(self._broken())
        return self

    def _broken(self) -> Iterator[tuple[Path, str]]:
        one = len(self.devices) == 1 and not _wild(self.devices[0])
        for key in ("topics", "name"):
            if getattr(self, key) and not one:
                yield (key,), f"{key} needs exactly one name in devices, without wildcards"
        if self.template is not None and DEVICE not in self.template.topic and self.template.device is None and not one:
            yield (
                ("template", "topic"),
                "a template must have {device} in its topic, or device, or its profile exactly one name in devices",
            )
        if self.safe and any(map(_wild, self.devices)):
            yield ("safe",), "safe needs names in devices, without wildcards: the broker must know each of them beforehand"
        for setting, value in self.safe.items():
            try:
                Known([self]).check_allowed(self.devices[0], setting, value)
            except CommandError:
                yield ("safe", setting), "a safe state must be one that allow has"
        if (self.convention is None) != (self.base is None):
            yield (
                ("base" if self.convention is None else "convention",),
                "convention and base say together where commands go: give both or neither",
            )


def _wild(name: str) -> bool:
    return any(c in name for c in "*?[")


class Known:
    """All that the profiles say of one device, merged. `slots` is the cache of its convention (see `devices.convention`)."""

    __slots__ = (
        "allow", "base", "calibrate", "command", "convention", "interlocks", "interval", "labels", "name", "rename", "safe", "sequence", "slots",
        "types", "units", "zone",
    )  # fmt: skip

    def __init__(self, profiles: Sequence[Profile] = ()) -> None:
        labels: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.rename: dict[str, str] = {}
        self.zone: ZoneInfo | None = None
        self.convention: str | None = None
        self.base: str | None = None
        self.command: CommandTemplate | None = None
        self.name: str | None = None
        self.interval: float | None = None
        self.types: dict[str, str] = {}
        self.sequence: str | None = None
        self.calibrate: dict[str, Calibration] = {}
        self.allow: dict[str, Range | list[Any]] = {}
        self.safe: dict[str, Value] = {}
        interlocks: dict[str, Any] = {}
        for profile in profiles:
            labels |= profile.labels
            self.units |= profile.units
            self.rename |= profile.rename
            self.zone = ZoneInfo(profile.timezone) if profile.timezone else self.zone
            self.convention = profile.convention or self.convention
            self.base = profile.base or self.base
            self.command = profile.command or self.command
            self.name = profile.name or self.name
            self.interval = profile.interval or self.interval
            self.types |= profile.types
            self.sequence = profile.sequence or self.sequence
            self.calibrate |= profile.calibrate
            self.allow |= profile.allow
            self.safe |= profile.safe
            interlocks |= {key: getattr(profile.interlocks, key) for key in profile.interlocks.model_fields_set}
        self.interlocks = Interlocks.model_construct(**interlocks) if interlocks else NO_INTERLOCKS
        self.labels: Mapping[str, str] = labels
        self.slots: dict[Any, Any] = {}

    def check_allowed(self, device: str, setting: str | None, value: Value) -> None:
        """Raise CommandError for a value that a profile does not allow. Words are compared whatever their case."""
        allowed = self.allow.get(setting or "")
        if allowed is None:
            return
        if isinstance(allowed, Range):
            if value not in allowed:
                raise CommandError(f"device {device!r}: setting {setting!r} must be from {allowed.min:g} to {allowed.max:g}; got {value!r}")
        elif not any(_same(value, one) for one in allowed):
            raise CommandError(f"device {device!r}: setting {setting!r} must be one of {', '.join(map(str, allowed))}; got {value!r}")


def _same(value: Value, allowed: Value) -> bool:
    if isinstance(value, str) and isinstance(allowed, str):
        return value.lower() == allowed.lower()
    return isinstance(value, bool) == isinstance(allowed, bool) and value == allowed


class Profiles:
    """The profiles in their order, asked by device or by topic. What is forgotten when more devices ask is only worked out again.

    >>> book = Profiles([Profile(devices=["pump-*"], labels={"room": "cellar"})])
    >>> dict(book.of("pump-1").labels), dict(book.of("lamp").labels)
    ({'room': 'cellar'}, {})
    """

    MOST = 200_000

    def __init__(self, profiles: Sequence[Profile] = ()) -> None:
        self.all = tuple(profiles)
        self.numbered = any(profile.sequence for profile in profiles)
        self.templates = tuple((profile, profile.template) for profile in profiles if profile.template)
        self._merged: dict[tuple[str, tuple[int, ...]], Known] = {}
        self._of: dict[tuple[str, str], Known] = {}
        self._originals = {profile.name: profile.devices[0] for profile in profiles if profile.name}
        self._names = {original: name for name, original in self._originals.items()}

    def of(self, device: str, convention: str = "") -> Known:
        """Return what is known of a device, by its own name or by that of a profile. Devices that match the same profiles share one answer."""
        known = self._of.get((device, convention))
        if known is None:
            names = {device, self.original(device)}
            which = tuple(place for place, profile in enumerate(self.all) if _matches(profile, names, convention))
            known = self._merged.get((convention, which))
            if known is None:
                known = self._merged[convention, which] = Known([self.all[place] for place in which])
            if len(self._of) >= self.MOST:
                self._of.clear()
            self._of[device, convention] = known
        return known

    @property
    def named(self) -> tuple[str, ...]:
        """The devices that profiles name without wildcards, as they are called downstream, in order and each once."""
        names = (name for profile in self.all for name in profile.devices if not _wild(name))
        return tuple(dict.fromkeys(map(self.renamed, names)))

    def original(self, device: str) -> str:
        """Return what a device calls itself."""
        return self._originals.get(device, device)

    def renamed(self, device: str) -> str:
        """Return what a device is called downstream."""
        return self._names.get(device, device)

    def device_at(self, topic: str) -> str | None:
        """Return the device whose profile claims a plain topic."""
        for profile in self.all:
            if any(topics.matches(pattern, topic) for pattern in profile.topics):
                return profile.devices[0]
        return None


def _matches(profile: Profile, names: set[str], convention: str) -> bool:
    if profile.conventions and convention not in profile.conventions:
        return False
    return any(fnmatchcase(name, pattern) for name in names for pattern in profile.devices)
