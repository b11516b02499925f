"""A scenario: the models of `config/scenarios/*.yaml`, and how such a file is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from gateway.findings import Checked, ConfigError, Finding, PositiveDuration, Problem, hint, read, read_folder
from simulator.dialect import Dialect
from simulator.dialects import DIALECTS, ROOTED
from simulator.dialects.plain_json import PlainJson, Timestamps
from simulator.dialects.tasmota import Tasmota
from simulator.dialects.victron import Victron
from simulator.nanoseconds import SECOND
from simulator.physics import Greenhouse, GreenhouseSpec
from simulator.signals import SignalSpec

_OWNERS = {"timezone": "tasmota", "timestamps": "plain_json"}


def _name(written: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", written) is None:
        raise ValueError("must begin with a letter or digit and hold only letters, digits, '.', '_' and '-': it is a level of a topic")
    return written


def _dialect(written: str) -> str:
    if written not in DIALECTS:
        raise ValueError(f"must be a dialect that devices here speak{hint(written, DIALECTS)}")
    return written


def _offset(written: str) -> str:
    if re.fullmatch(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]", written) is None:
        raise ValueError("must be an offset from UTC like +02:00")
    return written


Name = Annotated[str, AfterValidator(_name)]


class DeviceSpec(Checked):
    """One device: its name, its dialect, what it measures and how often, and which actuator of the physics it is."""

    name: Name = Field(description="Its name: a level of its topics.")
    dialect: Annotated[str, AfterValidator(_dialect)] = Field(description="What it speaks.")
    every: PositiveDuration = Field(default=SECOND, description="How often it reports.")
    metrics: dict[str, SignalSpec] = Field(default_factory=dict, description="What it measures, each a sum of parts.")
    acts: str | None = Field(default=None, description="Which actuator of the physics it is.")
    timezone: Annotated[str, AfterValidator(_offset)] = Field(default="+00:00", description="Tasmota only: what its clock shows.")
    timestamps: Timestamps = Field(default="iso", description="Plain JSON only: how it says when.")
    answers: bool = Field(default=True, description="False: an actuator that hears no command.")
    drop_commands: int = Field(default=0, ge=0, description="An actuator that misses so many commands before it hears one.")

    def rules(self) -> Iterator[Problem]:
        if not self.metrics and self.acts is None:
            yield Problem((), "a device needs metrics, or something it acts as", show=False)
        for key, dialect in _OWNERS.items():
            if key in self.model_fields_set and self.dialect != dialect:
                yield Problem((key,), f"{key} is for {dialect} devices; this one speaks {self.dialect}", key=True, show=False)
        for key in ("answers", "drop_commands"):
            if key in self.model_fields_set and self.acts is None:
                yield Problem((key,), f"{key} is for devices that act; this one only measures", key=True, show=False)
        for metric in self.metrics:
            known = getattr(DIALECTS[self.dialect], "metrics", None)
            if known is not None and metric not in known:
                yield Problem(
                    ("metrics", metric), f"metric {metric!r} is unknown to {self.dialect} here{hint(metric, known)}", key=True, show=False
                )

    def speak(self, *, root: str) -> Dialect:
        """Give the device its tongue; `root` is the first level of plain topics."""
        if self.dialect == "tasmota":
            hours, minutes = self.timezone[1:].split(":")
            return Tasmota(self.name, offset=int(f"{self.timezone[0]}1") * (int(hours) * 60 + int(minutes)))
        if self.dialect == "plain_json":
            return PlainJson(self.name, root=root, timestamps=self.timestamps)
        if self.dialect == "victron":
            return Victron(f"{self.name}/multi/0")
        made = DIALECTS[self.dialect]
        spoken: Dialect = made(self.name, root=root) if made in ROOTED else made(self.name)
        return spoken


class Scenario(Checked):
    """A fleet and the world that it measures."""

    name: Name = Field(description="The scenario's name.")
    about: str = Field(default="", description="A sentence for people.")
    seed: int = Field(default=1, description="The same seed gives the same values.")
    physics: GreenhouseSpec | None = Field(default=None, description="The world that is measured.")
    devices: list[DeviceSpec] = Field(min_length=1, description="The fleet.")

    def rules(self) -> Iterator[Problem]:
        names: set[str] = set()
        actors: set[str] = set()
        for index, device in enumerate(self.devices):
            if device.name in names:
                yield Problem(("devices", index, "name"), "name must be unlike every other device's")
            if device.acts in actors:
                yield Problem(("devices", index, "acts"), "acts must be unlike every other device's")
            names.add(device.name)
            actors |= {device.acts} if device.acts else set()
            yield from self._physical(index, device)

    def _physical(self, index: int, device: DeviceSpec) -> Iterator[Problem]:
        """Find what a device wants of the physics and does not get."""
        measures = Greenhouse.measures if self.physics else ()
        actuators = Greenhouse.actuators if self.physics else ()
        if device.acts is not None and device.acts not in actuators:
            yield Problem(("devices", index, "acts"), f"the physics has no such actuator{hint(device.acts, actuators)}")
        for metric, signal in device.metrics.items():
            if signal.measures is not None and signal.measures not in measures:
                at = ("devices", index, "metrics", metric, "measures")
                yield Problem(at, f"the physics has no such quantity{hint(signal.measures, measures)}")


def load_scenario(file: Path, *, root: Path = Path()) -> Scenario:
    """Read a scenario, or raise ConfigError with everything that is wrong with it; findings name the file from `root` on."""
    scenario, findings = read(file, Scenario, root=root)
    if scenario is None:
        raise ConfigError(findings)
    return scenario


def check(config: Path) -> list[Finding]:
    """Give every finding in the scenarios of a config folder."""
    return read_folder(config / "scenarios", Scenario, root=config)[1]
