"""All that is wrong with a config folder, at once: what `sluice check` prints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from devices.profile import Profile
from flows.spec import read_flows
from gateway import settings
from gateway.findings import Finding, no_folder, read_folder

Checker = Callable[[Path], Iterable[Finding]]
"""Finds what is wrong with its own part of a config folder."""


def check(config: Path, *, others: Iterable[Checker] = (), environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Give every finding in the settings, the flows, the profiles, and whatever `others` look at (the scenarios), in order."""
    if not config.is_dir():
        return [no_folder(config)]
    profiles = read_folder(config / "devices", Profile, root=config, environ=environ)[1]
    findings = {*settings.check(config, environ=environ), *read_flows(config, environ=environ)[1], *profiles}
    for other in others:
        findings.update(other(config))
    return sorted(findings)
