"""The gateway's settings, `config/gateway.yaml`: every key has a default, and all of it is checked before anything connects."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.findings import (
    Checked,
    ConfigError,
    Document,
    Duration,
    Finding,
    PositiveDuration,
    Problem,
    Size,
    compose,
    misnamed,
    no_folder,
    open_document,
    parse,
)
from gateway.setting_types import BrokerUrl, File, HttpUrl, Listen, ListenOn, Qos, Site, Text, TopicFilter, Whole

FILE = "gateway.yaml"
PREFIX = "SLUICE_"
SECOND = 10**9


def secret(path: Path) -> str:
    """Read a password or token: the file's text without the white space around it."""
    return path.read_text("utf-8").strip()


class Subscription(Checked):
    """What is taken in. Retained ones: `state` learns but lets none into a window, `ignore` drops them, `process` takes them as live."""

    topic: TopicFilter = "#"
    qos: Qos = 1
    retained: Literal["state", "ignore", "process"] = "state"


class Broker(Checked):
    """The MQTT broker: an embedded one that listens on `listen`, or one of yours at `url`."""

    url: BrokerUrl = "embedded"
    username: Text | None = None
    password_file: File | None = None
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    client_id: Text | None = None
    listen: ListenOn = Listen("127.0.0.1", 1883)
    engine: Literal["auto", "mosquitto", "amqtt"] = "auto"
    subscribe: Annotated[tuple[Subscription, ...], Field(min_length=1)] = (Subscription(),)
    keepalive: Duration = 30 * SECOND

    @property
    def embedded(self) -> bool:
        """Whether the gateway starts its own broker."""
        return self.url == "embedded"

    @property
    def password(self) -> str | None:
        """The password, read now."""
        return None if self.password_file is None else secret(self.password_file)

    def rules(self) -> Iterator[Problem]:
        """Hold that names and passwords, certificates and keys come together, and that an open door has a lock."""
        pairs = {"username": "password_file", "password_file": "username", "cert_file": "key_file", "key_file": "cert_file"}
        for key, other in pairs.items():
            if getattr(self, key) is not None and getattr(self, other) is None:
                yield Problem((key,), f"{key} needs {other} beside it", key=True, show=False)
        if self.embedded and not self.listen.loopback and self.username is None and self.password_file is None:
            yield Problem(("listen",), "listen beyond this machine needs username and password_file")
        if not self.url.startswith(("mqtts:", "wss:")):
            for key in ("ca_file", "cert_file"):
                if getattr(self, key) is not None:
                    yield Problem((key,), f"{key} is for mqtts:// and wss://, not for this url", key=True, show=False)
        if not 5 * SECOND <= self.keepalive <= 65_535 * SECOND:
            yield Problem(("keepalive",), "keepalive must be from 5s to 65535s")


class InfluxDB(Checked):
    """An InfluxDB 2, or any server with its v2 write API. `tags` names the labels that become tags of readings."""

    url: HttpUrl
    org: Text
    bucket: Text
    token_file: File | None = None
    batch: Whole = 5_000
    tags: tuple[Text, ...] = ()

    @property
    def token(self) -> str:
        """The token, read now; empty for a server that asks for none."""
        return "" if self.token_file is None else secret(self.token_file)

    def rules(self) -> Iterator[Problem]:
        """Keep the tags that every reading has anyway apart from labels."""
        for number, tag in enumerate(self.tags):
            if tag in {"device", "site", "channel"}:
                yield Problem(("tags", number), f"{tag!r} is a tag of every reading already", show=False)


class Console(Checked):
    """The web page."""

    listen: ListenOn = Listen("127.0.0.1", 8080)


class Journal(Checked):
    """The record of every message. It may grow to `keep` (ns) and `max_size` (bytes); a batch may wait for more for `linger` (ns)."""

    durability: Literal["strict", "batched"] = "strict"
    linger: Duration = 0
    keep: PositiveDuration = 24 * 3_600 * SECOND
    max_size: Size = 2**30

    def rules(self) -> Iterator[Problem]:
        """Hold what a journal can work with."""
        if self.linger > SECOND:
            yield Problem(("linger",), "linger must be at most 1s: every message waits that long for its acknowledgement")
        if self.max_size < 2**20:
            yield Problem(("max_size",), "max_size must be at least 1MB")


class History(Checked):
    """Which raw readings the store keeps, and how long (ns) it keeps anything."""

    raw: Literal["all", "changes", "none"] = "all"
    keep: PositiveDuration = 30 * 86_400 * SECOND


class Publish(Checked):
    """What is published beside windows, alerts and commands."""

    readings: bool = False


class Flows(Checked):
    """How often (ns) the flows' state is kept."""

    snapshot: PositiveDuration = 30 * SECOND


class Health(Checked):
    """Where to answer whether all is well."""

    listen: ListenOn


class Limits(Checked):
    """What one message (bytes), and how many series, may ask of the machine."""

    payload: Size = 256 * 2**10
    series: Whole = 250_000

    def rules(self) -> Iterator[Problem]:
        """Hold what MQTT can carry."""
        if not 1 <= self.payload <= 255 * 2**20:  # MQTT carries 256 MB with its own bytes
            yield Problem(("payload",), "payload must be from 1B to 255MB")


class Settings(Checked):
    """All of `config/gateway.yaml`. Durations are ns, sizes bytes, paths absolute."""

    site: Site = "site-1"
    broker: Broker = Broker()
    influxdb: InfluxDB | None = None
    console: Console = Console()
    journal: Journal = Journal()
    history: History = History()
    publish: Publish = Publish()
    flows: Flows = Flows()
    health: Health | None = None
    limits: Limits = Limits()

    @property
    def client_id(self) -> str:
        """The name the gateway has at the broker: a session that outlives connections belongs to it."""
        return self.broker.client_id or f"sluice-{self.site}"


def load(config: Path, *, root: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of a config folder; without a `gateway.yaml` there they are the defaults.

    `root` is the folder that relative paths in them start from, where the file is a copy of one that stands elsewhere.

    Raises:
        ConfigError: with every finding; also where the folder does not exist.

    """
    settings, findings = read_settings(config, root=root, environ=environ)
    if settings is None:
        raise ConfigError(findings)
    return settings


def check(config: Path, *, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Give every finding in the settings and in the environment that overrides them."""
    return read_settings(config, environ=environ)[1]


def read_settings(
    config: Path, *, root: Path | None = None, environ: Mapping[str, str] = os.environ
) -> tuple[Settings | None, list[Finding]]:
    """Read the settings, or give None and every finding."""
    if not config.is_dir():
        return None, [no_folder(config)]
    path = config / FILE
    document = open_document(path, root=config, environ=environ) if path.exists() else Document(FILE)
    document.findings += [] if path.exists() else [one for one in misnamed(config, root=config) if one.file == "gateway.yml"]
    _override(document, environ)
    parsed = parse(document, Settings, root=root or config)
    return parsed.model, sorted(parsed.findings)


def _override(document: Document, environ: Mapping[str, str]) -> None:
    """Put `SLUICE_BROKER__URL` and the like over the file's keys; what no key is called like becomes an unknown key, with its hint."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and name != PREFIX:
            document.override(tuple(name.removeprefix(PREFIX).lower().split("__")), _plain(environ[name]), origin=name)


def _plain(text: str) -> Any:
    """Give a variable's value: text, as numbers and durations are read from it anyway; a list or mapping where it is written as one."""
    if text.strip() in {"", "null", "~"}:
        return None
    if text.lstrip()[:1] in {"[", "{"}:
        wrapped = compose(f"value: {text}", file="environment", environ={})
        return text if wrapped.findings else wrapped.data["value"]
    return text
