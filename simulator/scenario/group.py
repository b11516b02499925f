"""A group of devices that are alike: what `devices:` of a scenario lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateway.findings import Checked, Duration, PositiveDuration, Problem, duration_text, hint
from simulator.dialect import Dialect
from simulator.dialects import DIALECTS, Manner, Timestamps, speak
from simulator.nanoseconds import SECOND
from simulator.signals import SignalSpec, problems_between

_SHORTEST = SECOND // 1000
_OWNERS = {"timezone": ("tasmota",), "timestamps": ("plain_json", "packed")}
_ACTORS = ("answers", "drop_commands", "delay")


def _name(written: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", written) is None:
        raise ValueError("must begin with a letter or digit and hold only letters, digits, '.', '_' and '-': it is a level of a topic")
    return written


def _convention(written: str) -> str:
    if written not in DIALECTS:
        raise ValueError(f"must be one that simulated devices speak{hint(written, DIALECTS)}")
    return written


def _offset(written: str) -> str:
    if re.fullmatch(r"[+-](0[0-9]|1[0-4]):[0-5][0-9]", written) is None:
        raise ValueError("must be an offset from UTC like +02:00")
    return written


def _label(written: str) -> str:
    if not written.isprintable() or written.endswith("\\"):
        raise ValueError("must be printable text that does not end in a backslash: line protocol cannot say that")
    return written


Name = Annotated[str, AfterValidator(_name)]


class GroupSpec(Checked):
    """One device, or many that are alike: what they speak, what they measure and how often, and which actuator of the physics one is."""

    name: Name = Field(description="Its name: a level of its topics. With count, the beginning of their names: press-001.")
    count: int = Field(default=1, ge=1, le=100_000, description="How many there are.")
    convention: Annotated[str, AfterValidator(_convention)] = Field(description="What it speaks.")
    every: PositiveDuration = Field(default=SECOND, description="How often it reports.")
    jitter: Duration = Field(default=0, description="How much later than due a report comes at most.")
    labels: dict[str, Annotated[str, AfterValidator(_label)]] = Field(
        default_factory=dict, description="Labels, for conventions that have a place for them."
    )
    qos: Literal[0, 1, 2] | None = Field(default=None, description="The QoS of its reports, 0 to 2; without it, as the convention has it.")
    retain: bool | None = Field(default=None, description="Whether its reports are retained; without it, as the convention has it.")
    will: bool | None = Field(default=None, description="Whether it has a last will; without it, as the convention has it.")
    discovery: bool = Field(default=True, description="False: it does not announce itself, where the convention can do without.")
    connections: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="How many connections the group shares, without last wills; without it, one for each device.",
    )
    metrics: dict[str, SignalSpec] = Field(default_factory=dict, description="What it measures, each a sum of parts.")
    acts: str | None = Field(default=None, description="Which actuator of the physics it is.")
    delay: Duration = Field(default=0, description="How long after a command it acts, and reports that it has.")
    timezone: Annotated[str, AfterValidator(_offset)] = Field(default="+00:00", description="Tasmota only: what its clock shows.")
    timestamps: Timestamps = Field(default="iso", description="Plain JSON and packed only: how it says when.")
    answers: bool = Field(default=True, description="False: an actuator that hears no command.")
    drop_commands: int = Field(default=0, ge=0, description="An actuator that misses so many commands before it hears one.")

    def names(self) -> list[str]:
        """Name the devices, in an order that is theirs in lists too."""
        if self.count == 1:
            return [self.name]
        width = len(str(self.count))
        return [f"{self.name}-{number:0{width}}" for number in range(1, self.count + 1)]

    def gives(self) -> list[str]:
        """Name the metrics of a report: a track gives more than one."""
        return [name for metric, signal in self.metrics.items() for name in signal.gives(metric)]

    def numbers(self) -> list[str]:
        """Name those of them that are numbers, and not on or off."""
        return [name for metric, signal in self.metrics.items() if not signal.on_off for name in signal.gives(metric)]

    def rules(self) -> Iterator[Problem]:
        if not self.metrics and self.acts is None:
            yield Problem((), "a device needs metrics, or something it acts as", show=False)
        if self.every < _SHORTEST:
            yield Problem(("every",), f"every must be at least {duration_text(_SHORTEST)}; for more there is load")
        if self.jitter >= self.every:
            yield Problem(("jitter",), "jitter must be shorter than every")
        yield from self._misplaced()
        for problem in problems_between(self.metrics):
            yield replace(problem, at=("metrics", *problem.at))
        yield from self._unsaid()

    def _unsaid(self) -> Iterator[Problem]:
        """Find what the convention has no words for, and what it says nothing without."""
        dialect = DIALECTS[self.convention]
        if dialect.needs - set(self.gives()):
            text = f"{self.convention} says nothing without {' and '.join(sorted(dialect.needs))}: give it a track"
            yield Problem(("metrics",), text, key=True, show=False)
        known = dialect.metrics
        if known is None:
            return
        for metric, signal in self.metrics.items():
            for name in sorted(set(signal.gives(metric)) - known):
                text = f"metric {name!r} is unknown to {self.convention} here{hint(name, known)}"
                yield Problem(("metrics", metric), text, key=True, show=False)

    def _misplaced(self) -> Iterator[Problem]:
        """Find keys that mean nothing for such a device."""
        dialect, given = DIALECTS[self.convention], self.model_fields_set
        for key, owners in _OWNERS.items():
            if key in given and self.convention not in owners:
                text = f"{key} is for {' and '.join(owners)} devices; this one speaks {self.convention}"
                yield Problem((key,), text, key=True, show=False)
        for key in _ACTORS:
            if key in given and self.acts is None:
                yield Problem((key,), f"{key} is for devices that act; this one only measures", key=True, show=False)
        if self.acts is not None and not dialect.obeys:
            yield Problem(("acts",), f"{self.convention} has no commands: such a device only measures", key=True, show=False)
        if self.acts is not None and self.count > 1:
            yield Problem(("count",), "an actuator is one device: count must be 1")
        if self.labels and not dialect.labelled:
            text = f"{self.convention} has no place for labels: give them in a profile, config/devices/*.yaml"
            yield Problem(("labels",), text, key=True, show=False)
        if self.will and not dialect.wills:
            yield Problem(("will",), f"{self.convention} has no last will", key=True, show=False)
        elif self.will and self.connections is not None:
            yield Problem(("will",), "a last will needs a connection of its own, and connections shares them", key=True, show=False)

    def speak(self, name: str, *, root: str) -> Dialect:
        """Give a device of the group its tongue; `root` is the first level of plain topics."""
        hours, minutes = self.timezone[1:].split(":")
        manner = Manner(
            root=root,
            timestamps=self.timestamps,
            offset=int(f"{self.timezone[0]}1") * (int(hours) * 60 + int(minutes)),
            labels=self.labels,
            will=False if self.connections is not None else self.will,
            discovery=self.discovery,
        )
        return speak(self.convention, name, manner=manner)
