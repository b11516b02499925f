"""Profiles: what is known of one device, or of all whose names match, beyond what they say themselves. Data, in `config/devices/*.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from devices import topics, vocabulary


def _unit(text: str) -> str:
    symbol = vocabulary.unit_named(text)
    if symbol is None:
        raise ValueError("unit must be one that the vocabulary knows, such as °C, °F, mV, kWh, hPa")
    return symbol


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


class CommandTemplate(BaseModel):
    """How a device wants to be told a setting where its convention has no answer. `{device} {base} {setting} {value}` are filled in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: str = Field(min_length=1, description="Where to publish, e.g. `plant/{device}/write/{setting}`.")
    payload: str = Field(default="{value}", description="What to publish; texts stand as they are, truths as ON and OFF.")

    @model_validator(mode="after")
    def _publishable(self) -> CommandTemplate:
        wrong = topics.check_filter(self.topic)
        if wrong or "+" in self.topic or "#" in self.topic:
            raise ValueError("command topic must be a topic without wildcards")
        return self


class Profile(BaseModel):
    """One file in `config/devices/`. Of several that match a device, a later file's words win over an earlier one's, key by key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    devices: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="Names of devices; `*`, `?` and `[…]` are wildcards."
    )
    about: str = Field(default="", description="A sentence for people.")
    labels: dict[str, str] = Field(default_factory=dict, description="Put on every reading: `room: greenhouse`.")
    timezone: Annotated[str, AfterValidator(_zone)] | None = Field(
        default=None, description="Where the device's local times without a zone hold."
    )
    units: dict[str, Annotated[str, AfterValidator(_unit)]] = Field(
        default_factory=dict, description="The unit a key or metric is reported in."
    )
    rename: dict[str, Annotated[str, AfterValidator(_metric)]] = Field(
        default_factory=dict, description="From a key or metric to the metric it is."
    )
    convention: str | None = Field(default=None, description="The dialect to send commands in, for a device that never said anything.")
    base: Annotated[str, AfterValidator(_topic)] | None = Field(
        default=None, description="The topic that commands start from, as the convention wants it."
    )
    command: CommandTemplate | None = None
    topics: list[Annotated[str, AfterValidator(_filter)]] = Field(
        default_factory=list, description="Plain topics that are this one device's."
    )

    @model_validator(mode="after")
    def _one_name_for_topics(self) -> Profile:
        if self.topics and (len(self.devices) != 1 or any(c in self.devices[0] for c in "*?[")):
            raise ValueError("topics need exactly one name in devices, without wildcards")
        if (self.convention is None) != (self.base is None):
            raise ValueError("convention and base say together where commands go: give both or neither")
        return self


class Known:
    """All that the profiles say of one device, merged. `slots` is the cache of the conventions (see `devices.convention`)."""

    __slots__ = ("base", "command", "convention", "labels", "rename", "slots", "units", "zone")

    def __init__(self, profiles: Sequence[Profile] = ()) -> None:
        labels: dict[str, str] = {}
        self.units: dict[str, str] = {}
        self.rename: dict[str, str] = {}
        self.zone: ZoneInfo | None = None
        self.convention: str | None = None
        self.base: str | None = None
        self.command: CommandTemplate | None = None
        for profile in profiles:
            labels |= profile.labels
            self.units |= profile.units
            self.rename |= profile.rename
            self.zone = ZoneInfo(profile.timezone) if profile.timezone else self.zone
            self.convention = profile.convention or self.convention
            self.base = profile.base or self.base
            self.command = profile.command or self.command
        self.labels: Mapping[str, str] = labels
        self.slots: dict[str, dict[Any, Any]] = {}


class Profiles:
    """The profiles in their order, asked by device or by topic. What is forgotten when more devices ask is only worked out again.

    >>> book = Profiles([Profile(devices=["pump-*"], labels={"room": "cellar"})])
    >>> dict(book.of("pump-1").labels), dict(book.of("lamp").labels)
    ({'room': 'cellar'}, {})
    """

    MOST = 200_000

    def __init__(self, profiles: Sequence[Profile] = ()) -> None:
        self._profiles = tuple(profiles)
        self._merged: dict[tuple[int, ...], Known] = {}
        self._of: dict[str, Known] = {}

    def of(self, device: str) -> Known:
        """Return what is known of a device. Devices that match the same profiles share one answer."""
        known = self._of.get(device)
        if known is None:
            which = tuple(i for i, profile in enumerate(self._profiles) if any(fnmatchcase(device, name) for name in profile.devices))
            known = self._merged.setdefault(which, Known([self._profiles[i] for i in which]))
            if len(self._of) >= self.MOST:
                self._of.clear()
            self._of[device] = known
        return known

    def device_at(self, topic: str) -> str | None:
        """Return the device whose profile claims a plain topic."""
        for profile in self._profiles:
            if any(topics.matches(pattern, topic) for pattern in profile.topics):
                return profile.devices[0]
        return None
