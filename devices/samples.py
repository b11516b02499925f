"""Samples: real-looking payloads with what must come of them, beside each convention as `<name>.samples.yaml`.

They are run by one test, and show what a convention reads. A sample is a sentence and either a message (what it gives: `readings`, or
words that the reason of `ignored`, `dead_letter` or `held` must contain) or a command (what it `publishes`, and the report that confirms it, or
words of the error when it is `refused`). `after` are messages that come first. Of a reading, only the fields that are given are compared.
"""

from __future__ import annotations

import base64
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from ruamel.yaml import YAML

from devices.reading import Message, Value
from devices.timestamps import parse

RECEIVED = 1_788_350_400_000_000_000
"""When samples are received that do not say: 2026-09-02T12:00:00Z."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _b64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("must be base64") from None
    return text


def _hex(text: str) -> str:
    try:
        bytes.fromhex(text)
    except ValueError:
        raise ValueError("must be hexadecimal digits, two for each byte") from None
    return text


class _Payload(_Strict):
    """A payload as text, or where it is none, as base64 or hexadecimal digits."""

    payload: str | None = None
    payload_b64: Annotated[str, AfterValidator(_b64)] | None = None
    payload_hex: Annotated[str, AfterValidator(_hex)] | None = None

    def data(self) -> bytes:
        """Return the payload's bytes."""
        if self.payload_b64 is not None:
            return base64.b64decode(self.payload_b64)
        return bytes.fromhex(self.payload_hex) if self.payload_hex is not None else (self.payload or "").encode()

    def forms(self) -> int:
        """Return in how many forms the payload is given."""
        return sum(form is not None for form in (self.payload, self.payload_b64, self.payload_hex))


class SampleMessage(_Payload):
    topic: str
    received: str | None = None
    retained: bool = False

    @model_validator(mode="after")
    def _one_payload(self) -> SampleMessage:
        if self.forms() != 1:
            raise ValueError("a sample must have one of payload, payload_b64, payload_hex")
        return self

    def message(self) -> Message:
        """Return the message as the journal would hold it."""
        stamp = parse(self.received) if self.received else None
        return Message(self.topic, self.data(), stamp.ns if stamp else RECEIVED, retained=self.retained)


class ExpectedReading(_Strict):
    device: str
    metric: str
    value: Value
    channel: str = ""
    unit: str | None = None
    key: str | None = None
    raw_value: Value | None = None
    raw_unit: str | None = None
    ts: str | None = None
    time_source: str | None = None
    sequence: int | None = None
    labels: dict[str, str] | None = None

    def fields(self) -> dict[str, Any]:
        """Return what a reading must have: identity, value and unit always, the rest where it is given."""
        always = {"device", "metric", "channel", "value", "unit"}
        wanted = {name: value for name, value in self.model_dump().items() if name in always or value is not None}
        stamp = parse(self.ts) if self.ts else None
        return wanted | ({"ts": stamp.ns} if stamp else {})


class SampleCommand(_Strict):
    device: str
    set: dict[str, Value]


class Published(_Payload):
    topic: str


class Sample(_Payload):
    """One sample; `about` is a sentence for people (all of our own have one), `profile` what is known of the device beforehand."""

    about: str = ""
    after: list[SampleMessage] = Field(default_factory=list)
    profile: dict[str, Any] | None = None
    topic: str | None = None
    received: str | None = None
    retained: bool = False
    readings: list[ExpectedReading] | None = None
    ignored: str | None = None
    dead_letter: str | None = None
    held: str | None = None
    command: SampleCommand | None = None
    publishes: list[Published] | None = None
    reported: list[SampleMessage] = Field(default_factory=list)
    refused: str | None = None

    @property
    def kind(self) -> Literal["message", "command"]:
        return "command" if self.command else "message"

    @property
    def title(self) -> str:
        """What it is called: its sentence, or where there is none, what it is about."""
        return self.about or (f"command to {self.command.device}" if self.command else str(self.topic))

    def message(self) -> Message:
        """Return the sample's message. Raises ValueError for a command."""
        if self.topic is None:
            raise ValueError(f"sample {self.about!r} must have a topic")
        given = {name: getattr(self, name) for name in SampleMessage.model_fields if getattr(self, name) is not None}
        return SampleMessage.model_validate(given).message()

    @model_validator(mode="after")
    def _whole(self) -> Sample:
        outcomes = [self.readings, self.ignored, self.dead_letter, self.held]
        if self.command is None and (self.topic is None or self.forms() != 1 or sum(one is not None for one in outcomes) != 1):
            raise ValueError("a message must have a topic, a payload, and one of readings, ignored, dead_letter, held")
        if self.command is not None and (self.publishes is None) == (self.refused is None):
            raise ValueError("a command must have one of publishes, refused")
        return self


def samples(convention: str) -> list[Sample]:
    """Return the samples of a convention, by its name.

    Raises FileNotFoundError for a name without samples, pydantic's ValidationError for a sample that is not whole.

    >>> [sample.kind for sample in samples("plain_scalar")][:1]
    ['message']
    """
    text = (resources.files("devices.conventions") / f"{convention}.samples.yaml").read_text(encoding="utf-8")
    return [Sample.model_validate(one) for one in YAML(typ="safe").load(text)]
