"""Template: payloads that a profile teaches (`template:` in `config/devices/*.yaml`, see `devices.template`), JSON or binary.

A template goes before every dialect, since the user has said whose its topics are. *Device*: the topic's `{device}`, else where the payload
names it, else the profile's only name. *Metric and channel*: as the template names them. *Time*: where the template says.

Commands: as the profile's `command` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from devices import payloads, vocabulary
from devices.convention import Convention, Place, Said, UnusableError, refuse
from devices.payloads import Body
from devices.profile import Profile
from devices.reading import Encoded, Expected, Ignored, Message, Value
from devices.template import Template, look_up
from devices.timestamps import parse


class Templates(Convention):
    """Payloads of users' own."""

    name = "template"
    title = "Template"
    about = "A payload of your own, JSON or binary, taught in ten lines of a profile"
    topics = "those of the profile's `template`"
    setup = "Write a profile with `template:` in `config/devices/`; `sluice check` runs its samples."
    reads_bytes = True

    def recognise(self, topic: str, levels: tuple[str, ...]) -> Place | None:
        for number, (profile, template) in enumerate(self.profiles.templates):
            named = template.device_at(levels)
            if named is not None and (not named or _takes(profile, named)):
                return Place(named or _only(profile) or "", topic, (str(number),))
        return None

    def decode(self, message: Message, place: Place, body: Body) -> list[Said] | Ignored:
        profile, template = self.profiles.templates[int(place.path[0])]
        if not body:
            return Ignored("empty payload: a retained value was cleared", place.device or None)
        held = _body(template, message)
        device = place.device
        if template.device is not None:
            named = look_up(held, template.device)
            device = str(named) if isinstance(named, (str, int)) and named != "" else device
        if not device or not device.isprintable() or len(device) > 128 or not _takes(profile, device):
            raise UnusableError(f"topic {message.topic!r}: the payload must name one of the template's devices; got {device[:40]!r}")
        stamp = None if template.time is None else parse(look_up(held, template.time), least=0)
        ts, source = self.when(stamp, message, device)
        said = [
            Said(device, tuple(name.split("/")), value, what.unit, ts, source)
            for name, what in template.values.items()
            if (value := what.read(look_up(held, what.at))) is not None
        ]
        return said or Ignored("no value where the template looks for one", device)

    def series(self, path: tuple[str, ...]) -> vocabulary.Name:
        return vocabulary.Name(path[0], "".join(path[1:]))

    def encode(self, base: str, device: str, settings: Mapping[str, Value]) -> list[Encoded]:
        """Refuse: what a template's device is told, its profile's `command` says, and then nobody asks here."""
        setting, value = next(iter(settings.items()))
        refuse(device, setting, f"needs a `command` in the profile of {base}", value)

    def confirms(self, device: str, setting: str, value: Value) -> tuple[Expected, ...]:
        return (self.report(device, tuple(setting.split("/", 1)), value),)


def _takes(profile: Profile, device: str) -> bool:
    return any(fnmatchcase(device, pattern) for pattern in profile.devices)


def _only(profile: Profile) -> str | None:
    return profile.devices[0] if len(profile.devices) == 1 and not any(c in profile.devices[0] for c in "*?[") else None


def _body(template: Template, message: Message) -> Any:
    """Return the payload's fields or its JSON."""
    try:
        return payloads.read(message.payload) if template.struct is None else template.fields(message.payload)
    except ValueError as error:
        raise UnusableError(f"topic {message.topic!r}: {error}") from None
