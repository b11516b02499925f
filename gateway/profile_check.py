"""What is wrong with profiles beyond their own form: words that nobody knows, units that cannot be, and samples that do not give what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from devices import vocabulary
from devices.catalogue import BLANKS, CONVENTIONS, Catalogue
from devices.profile import Profile
from devices.template import DEVICE
from devices.trial import failures
from gateway.findings import Finding, Problem, Step, hint, load_folder, open_document, placed, yaml_files

_KNOWN: Final = [made.name for made in CONVENTIONS]
_WRITTEN_BLANK: Final = re.compile(r"\{(\w+)\}")
_ALSO: Final[dict[str | None, frozenset[str]]] = {
    "ratio": frozenset({"fraction", "voltage", "angle", "length", "absolute humidity", "mass concentration"}),
    "parts per million": frozenset({"parts per billion", "mass concentration", "absolute humidity", "ratio", "fraction"}),
    "parts per billion": frozenset({"parts per million", "mass concentration", "absolute humidity", "ratio", "fraction"}),
    "mass concentration": frozenset({"parts per million", "parts per billion", "absolute humidity"}),
    "absolute humidity": frozenset({"mass concentration"}),
    "precipitation": frozenset({"length"}),
    "precipitation rate": frozenset({"speed", "length"}),
    "colour temperature": frozenset({"temperature", "reciprocal colour temperature"}),
    "reciprocal colour temperature": frozenset({"temperature", "colour temperature"}),
    "signal": frozenset({"sound", "ratio", "link quality"}),
    "link quality": frozenset({"ratio", "fraction", "sound", "signal"}),
    "speed": frozenset({"rotation"}),
    "flow": frozenset({"volume", "speed"}),
}
"""Quantities in which devices also measure what the vocabulary has under another one: a battery in volts, a cover's tilt in degrees."""


class FailedTest(NamedTuple):
    """One thing that is not as a sample says: where that stands, what it is called, and what was wrong."""

    file: str
    line: int
    kind: str
    test: str
    message: str


def check(config: Path) -> list[Finding]:
    """Give a finding for each convention and blank that nobody knows, and each unit that its metric cannot have."""
    findings: list[Finding] = []
    for path in yaml_files(config / "devices"):
        document = open_document(path, root=config)
        for rule in (_conventions, _blanks, _units):
            findings += placed(document, rule(document.data))
    return findings


def _conventions(profile: dict[str, Any]) -> Iterator[Problem]:
    named: dict[tuple[Step, ...], Any] = {("convention",): profile.get("convention")}
    if isinstance(several := profile.get("conventions"), list):
        named |= {("conventions", place): name for place, name in enumerate(several)}
    for at, name in named.items():
        if isinstance(name, str) and name not in _KNOWN:
            yield Problem(at, f"there is no such convention{hint(name, _KNOWN)}")


def _blanks(profile: dict[str, Any]) -> Iterator[Problem]:
    """Find blanks that nothing fills in, each at its place in the text."""
    texts = {("command", "topic"): BLANKS, ("command", "payload"): BLANKS, ("template", "topic"): (DEVICE.strip("{}"),)}
    for at, known in texts.items():
        section = profile.get(at[0])
        text = section.get(at[1]) if isinstance(section, dict) else None
        for blank in _WRITTEN_BLANK.finditer(text) if isinstance(text, str) else ():
            if blank[1] not in known:
                yield Problem(at, f"there is no blank {blank[0]}{_blank_hint(blank[1], known)}", offset=blank.start(), show=False)


def _blank_hint(name: str, known: tuple[str, ...]) -> str:
    return re.sub(r"'(\w+)'", r"{\1}", hint(name, known))


def _units(profile: dict[str, Any]) -> Iterator[Problem]:
    rename = profile.get("rename")
    for key, unit in _mapping(profile.get("units")):
        named = rename.get(key, key) if isinstance(rename, dict) else key
        metric = vocabulary.name(tuple(named.split("."))).metric if isinstance(named, str) and named else ""
        yield from _unit(("units", key), metric, unit)
    template = profile.get("template")
    for name, value in _mapping(template.get("values") if isinstance(template, dict) else None):
        if isinstance(value, dict):
            yield from _unit(("template", "values", name, "unit"), name.partition("/")[0], value.get("unit"))


def _mapping(section: Any) -> list[tuple[str, Any]]:
    return list(section.items()) if isinstance(section, dict) else []


def _unit(at: tuple[Step, ...], metric: str, unit: Any) -> Iterator[Problem]:
    quantity = vocabulary.METRICS.get(metric)
    known = vocabulary.UNITS.get(vocabulary.unit_named(unit) or "") if isinstance(unit, str) else None
    if quantity and known and known.quantity not in {quantity, *_ALSO.get(quantity, ())}:
        yield Problem(
            at, f"{metric} must have a unit of {quantity}, such as {vocabulary.CANONICAL[quantity]}; this is one of {known.quantity}"
        )


def failed_samples(config: Path) -> Iterator[FailedTest]:
    """Run every profile's samples; yield each thing that is not as a sample says. The config must be sound."""
    profiles = load_folder(config / "devices", Profile, root=config)
    for path, profile in zip(yaml_files(config / "devices"), profiles, strict=True):
        document = open_document(path, root=config)
        for number, sample in enumerate(profile.samples):
            place = document.place(("samples", number))
            for line in failures(sample, Catalogue(profiles)):
                yield FailedTest(place.file, place.line, "sample", sample.title, line)
