"""Scenarios: the models of `config/scenarios/*.yaml`, and how such a file is read."""

from __future__ import annotations

from pathlib import Path

from gateway.findings import ConfigError, Finding, misnamed, open_document, parse, placed, yaml_files
from simulator.scenario.group import GroupSpec, Name
from simulator.scenario.parts import Parts
from simulator.scenario.scenario import Scenario

__all__ = ["GroupSpec", "Name", "Scenario", "check", "load_scenario"]


def load_scenario(file: Path, *, root: Path = Path()) -> Scenario:
    """Read a scenario, or raise ConfigError with everything that is wrong with it; findings name the file from `root` on."""
    scenario, findings = _read(file, root=root)
    if scenario is None:
        raise ConfigError(findings)
    return scenario


def check(config: Path) -> list[Finding]:
    """Give every finding in the scenarios of a config folder."""
    folder = config / "scenarios"
    return misnamed(folder, root=config) + [finding for file in yaml_files(folder) for finding in _read(file, root=config)[1]]


def _read(file: Path, *, root: Path) -> tuple[Scenario | None, list[Finding]]:
    """Read a scenario; where a part is bad, the rules between the others are asked all the same."""
    document = open_document(file, root=root)
    parsed = parse(document, Scenario, root=root)
    if parsed.model is not None:
        return parsed.model, []
    further = [] if "load" in parsed.sound else placed(document, Parts.sound(parsed.sound).problems())
    return None, sorted({*parsed.findings, *further})
