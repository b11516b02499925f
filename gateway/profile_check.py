"""What is wrong with profiles beyond their own form: dialects that there are none of, and samples that do not give what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from devices.catalogue import CONVENTIONS, Catalogue
from devices.profile import Profile
from devices.trial import failures
from gateway.findings import Finding, Problem, Step, hint, load_folder, open_document, placed

_KNOWN = [made.name for made in CONVENTIONS]


def check(config: Path) -> list[Finding]:
    """Give a finding for each convention that a profile names and nobody knows."""
    findings: list[Finding] = []
    for path in sorted((config / "devices").glob("*.yaml")):
        document = open_document(path, root=config)
        findings += placed(document, _unknown(document.data))
    return findings


def _unknown(profile: dict[str, Any]) -> Iterator[Problem]:
    named: dict[tuple[Step, ...], Any] = {("convention",): profile.get("convention")}
    if isinstance(several := profile.get("conventions"), list):
        named |= {("conventions", place): name for place, name in enumerate(several)}
    for at, name in named.items():
        if isinstance(name, str) and name not in _KNOWN:
            yield Problem(at, f"there is no such convention{hint(name, _KNOWN)}")


def failed_samples(config: Path) -> Iterator[tuple[str, str, str]]:
    """Run every profile's samples; yield file, sample and line for each thing that is not as a sample says. The config must be sound."""
    profiles = load_folder(config / "devices", Profile, root=config)
    for path, profile in zip(sorted((config / "devices").glob("*.yaml")), profiles, strict=True):
        for sample in profile.samples:
            for line in failures(sample, Catalogue(profiles)):
                yield path.relative_to(config).as_posix(), sample.about, line
