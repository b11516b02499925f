"""Scenarios: the models of `config/scenarios/*.yaml`, and how such a file is read."""

from __future__ import annotations

from pathlib import Path

from gateway.findings import ConfigError, Finding, read, read_folder
from simulator.scenario.group import GroupSpec, Name
from simulator.scenario.scenario import Scenario

__all__ = ["GroupSpec", "Name", "Scenario", "check", "load_scenario"]


def load_scenario(file: Path, *, root: Path = Path()) -> Scenario:
    """Read a scenario, or raise ConfigError with everything that is wrong with it; findings name the file from `root` on."""
    scenario, findings = read(file, Scenario, root=root)
    if scenario is None:
        raise ConfigError(findings)
    return scenario


def check(config: Path) -> list[Finding]:
    """Give every finding in the scenarios of a config folder."""
    return read_folder(config / "scenarios", Scenario, root=config)[1]
