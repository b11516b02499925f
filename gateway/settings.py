"""The gateway's settings, `config/gateway.yaml`: every key has a default, and all of it is checked before anything connects."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo

from devices.profile import Profile
from gateway.findings import (
    Checked,
    ConfigError,
    Document,
    Duration,
    Finding,
    PositiveDuration,
    Problem,
    Size,
    load_folder,
    misnamed,
    no_folder,
    open_document,
    parse,
)

FILE = "gateway.yaml"
PREFIX = "SLUICE_"
SECOND = 10**9


@dataclass(frozen=True)
class Listen:
    """A host and a port to listen on.

    >>> Listen.parse("[::1]:1883").loopback, Listen.parse("0.0.0.0:1883").loopback
    (True, False)
    """

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def parse(cls, value: Any) -> Self:
        """Read `host:port`; ValueError for anything else."""
        match = _LISTEN.fullmatch(value) if isinstance(value, str) else None
        if match is None or not 1 <= int(match["port"]) <= 65_535:
            raise ValueError("must be host:port, such as 127.0.0.1:8080")
        return cls(match["name"] or match["v6"], int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_LISTEN = re.compile(r"(?:(?P<name>[A-Za-z0-9.\-_]+)|\[(?P<v6>[0-9A-Fa-f:.]+)\]):(?P<port>\d{1,5})")


def _broker_url(value: Any) -> str:
    if value == "embedded":
        return "embedded"
    return _url(value, schemes=("mqtt", "mqtts", "ws", "wss"), rule="must be embedded, or a URL such as mqtt://broker.local:1883")


def _http_url(value: Any) -> str:
    return _url(value, schemes=("http", "https"), rule="must be a URL such as http://influxdb:8086")


def _url(value: Any, *, schemes: tuple[str, ...], rule: str) -> str:
    if not isinstance(value, str):
        raise ValueError(rule)  # noqa: TRY004 - pydantic takes ValueError for a finding
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError(rule) from None
    if url.scheme not in schemes or not url.hostname or port == 0 or re.search(r"\s", value):
        raise ValueError(rule)
    if "@" in url.netloc:
        raise ValueError("must hold no name or password: they have keys of their own")
    return value


def _site(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[^/+#%$\s\x00-\x1f][^/+#%\x00-\x1f]{0,63}", value) or value != value.strip():
        raise ValueError("must be one level of a topic: text without / + # %")
    return value


def _topic_filter(value: Any) -> str:
    levels = value.split("/") if isinstance(value, str) else []
    wild = any(("+" in level or "#" in level) and len(level) > 1 for level in levels)
    if not levels or value == "" or "\0" in value or wild or "#" in levels[:-1] or len(value.encode()) > 65_535:
        raise ValueError("must be a topic filter: + stands for one whole level, # for all that follow")
    return str(value)


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic takes ValueError for a finding
    return value


def _file(value: Any, info: ValidationInfo) -> Path:
    """Find a file by a path that starts from the config folder, and hold that it can be read and holds something."""
    if not isinstance(value, str | Path) or not str(value):
        raise ValueError("must be the path of a file")
    root = (info.context or {}).get("root")
    path = (Path(value) if root is None else Path(root) / value).absolute()
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise ValueError(f"must be a file that can be read: {str(error.strerror).lower()}") from None
    if empty:
        raise ValueError("must not be an empty file")
    return path


def secret(path: Path) -> str:
    """Read a password or token: the file's text without the white space around it."""
    return path.read_text("utf-8").strip()


Text = Annotated[str, Field(min_length=1)]
File = Annotated[Path, BeforeValidator(_file)]
Whole = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
ListenOn = Annotated[Listen, BeforeValidator(Listen.parse)]


class Subscription(Checked):
    """What is taken in. Retained ones: `state` learns but lets none into a window, `ignore` drops them, `process` takes them as live."""

    topic: Annotated[str, BeforeValidator(_topic_filter)] = "#"
    qos: Annotated[Literal[0, 1], BeforeValidator(_whole)] = 1
    retained: Literal["state", "ignore", "process"] = "state"


class Broker(Checked):
    """The MQTT broker: an embedded one that listens on `listen`, or one of yours at `url`."""

    url: Annotated[str, BeforeValidator(_broker_url)] = "embedded"
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

    url: Annotated[str, BeforeValidator(_http_url)]
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

    site: Annotated[str, BeforeValidator(_site)] = "site-1"
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


def load(config: Path, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings of a config folder; without a `gateway.yaml` there they are the defaults.

    Raises:
        ConfigError: with every finding; also where the folder does not exist.

    """
    settings, findings = read_settings(config, environ=environ)
    if settings is None:
        raise ConfigError(findings)
    return settings


def check(config: Path, *, environ: Mapping[str, str] = os.environ) -> list[Finding]:
    """Give every finding in the settings and in the environment that overrides them."""
    return read_settings(config, environ=environ)[1]


def read_settings(config: Path, *, environ: Mapping[str, str] = os.environ) -> tuple[Settings | None, list[Finding]]:
    """Read the settings, or give None and every finding."""
    if not config.is_dir():
        return None, [no_folder(config)]
    path = config / FILE
    document = open_document(path, root=config, environ=environ) if path.exists() else Document(FILE)
    document.findings += [] if path.exists() else [one for one in misnamed(config, root=config) if one.file == "gateway.yml"]
    _override(document, environ)
    parsed = parse(document, Settings, root=config)
    return parsed.model, sorted(parsed.findings)


def load_profiles(config: Path, *, environ: Mapping[str, str] = os.environ) -> list[Profile]:
    """Read the profiles of `config/devices/*.yaml`, in the order of the files' names.

    Raises:
        ConfigError: with every finding in every file.

    """
    return load_folder(config / "devices", Profile, root=config, environ=environ)


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
        wrapped = Document.parse(f"value: {text}", file="environment", environ={})
        return text if wrapped.findings else wrapped.data["value"]
    return text
