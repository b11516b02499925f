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
from gateway.member import member_at
from gateway.setting_types import BrokerUrl, File, HttpUrl, Listen, ListenOn, Qos, Site, Text, TopicFilter, Whole

FILE = "gateway.yaml"
PREFIX = "SLUICE_"
SECOND = 10**9
_MOST_HOSTS = 16
SHARED = "$share/sluice/"
"""What a subscription begins with that the hosts of a cluster share (MQTT 5, 4.8.2)."""


def secret(path: Path) -> str:
    """Read a password or token: the file's text without the white space around it."""
    return path.read_text("utf-8").strip()


class Subscription(Checked):
    """What is taken in. Retained ones: `state` learns but lets none into a window, `ignore` drops them, `process` takes them as live."""

    topic: TopicFilter = Field(default="#", description="What is taken in: a topic filter.")
    qos: Qos = Field(default=1, description="How surely the broker delivers it: 1 comes at least once, 0 at most once.")
    retained: Literal["state", "ignore", "process"] = Field(
        default="state",
        description="Retained messages: `state` learns from them but lets none into a window, `ignore` drops them, `process` takes them as live.",
    )
    hosts: Literal["share", "first"] = Field(
        default="share",
        description="In a cluster: `share` deals the messages out to all hosts, `first` has all go to the first, as actuators and Sparkplug need it.",
    )


class Broker(Checked):
    """The MQTT broker: an embedded one that listens on `listen`, or one of yours at `url`."""

    url: BrokerUrl = Field(default="embedded", description="`embedded` starts a broker of its own; else the address of yours.")
    username: Text | None = Field(default=None, description="Who the gateway is at the broker, and who may come in to the embedded one.")
    password_file: File | None = Field(default=None, description="A file that holds the password.")
    ca_file: File | None = Field(default=None, description="Who signed the broker's certificate; without it the system's list decides.")
    cert_file: File | None = Field(default=None, description="A certificate of our own.")
    key_file: File | None = Field(default=None, description="Its key.")
    client_id: Text | None = Field(default=None, description="The name of the session at the broker; without it sluice- and the site.")
    listen: ListenOn = Field(default=Listen("127.0.0.1", 1883), description="Where the embedded broker listens.")
    engine: Literal["auto", "mosquitto", "amqtt"] = Field(
        default="auto", description="Which broker is embedded; auto: mosquitto where it is installed."
    )
    subscribe: Annotated[tuple[Subscription, ...], Field(min_length=1, description="What is taken in.")] = (Subscription(),)
    urgent: tuple[TopicFilter, ...] = Field(
        default=(),
        description="Topic filters: what matches is read before what waits, when the flows are behind, and is never shed for that.",
    )
    keepalive: Duration = Field(
        default=30 * SECOND, description="How long the connection may be silent before it is asked for a sign of life."
    )
    session: Duration = Field(
        default=30 * 86_400 * SECOND,
        description="How long the broker keeps our session, and what waits in it, after we have gone (MQTT 5; before that, for ever).",
    )

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
        yield from self._session_rules()

    def _session_rules(self) -> Iterator[Problem]:
        if not 5 * SECOND <= self.keepalive <= 65_535 * SECOND:
            yield Problem(("keepalive",), "keepalive must be from 5s to 65535s")
        if self.session > (2**32 - 2) * SECOND:
            yield Problem(("session",), "session must be at most 4294967294s, which MQTT 5 can say")
        for number, topic in enumerate(self.urgent):
            if topic.startswith("$share/"):  # what comes of a shared subscription has the topic alone
                yield Problem(("urgent", number), "urgent must be a filter that topics match, without $share and a group")


class InfluxDB(Checked):
    """An InfluxDB 2, or any server with its v2 write API. `tags` names the labels that become tags of readings."""

    url: HttpUrl = Field(description="Its address.")
    org: Text = Field(description="Its organisation.")
    bucket: Text = Field(description="Its bucket.")
    token_file: File | None = Field(default=None, description="A file that holds the token.")
    batch: Whole = Field(default=5_000, description="How many points go in one request at most.")
    tags: tuple[Text, ...] = Field(default=(), description="Labels of devices that become tags of their readings.")
    tag_values: Whole = Field(
        default=10_000, description="How many values one of `tags` may have; one with more is written as a tag no longer, and told."
    )

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

    listen: ListenOn = Field(default=Listen("127.0.0.1", 8080), description="Where the web page is. It asks for no password.")


class Journal(Checked):
    """The record of every message. It may grow to `keep` (ns) and `max_size` (bytes); a batch may wait for more for `linger` (ns)."""

    durability: Literal["strict", "batched"] = Field(
        default="strict",
        description="strict acknowledges a message once it is on the disk; batched may lose the last second before a power cut.",
    )
    linger: Duration = Field(default=0, description="How long a batch may wait for more messages; 50ms spares an SD card.")
    keep: PositiveDuration = Field(default=24 * 3_600 * SECOND, description="How far back the journal reaches, by time.")
    max_size: Size = Field(default=2**30, description="How far back the journal reaches, by size.")

    def rules(self) -> Iterator[Problem]:
        """Hold what a journal can work with."""
        if self.linger > SECOND:
            yield Problem(("linger",), "linger must be at most 1s: every message waits that long for its acknowledgement")
        if self.max_size < 2**20:
            yield Problem(("max_size",), "max_size must be at least 1MB")


class History(Checked):
    """Which raw readings the store keeps, and how long (ns) it keeps anything."""

    raw: Literal["all", "changes", "none"] = Field(
        default="all", description="Which readings the store keeps: all, only those that differ from the one before, or none."
    )
    keep: PositiveDuration = Field(default=30 * 86_400 * SECOND, description="How long the store keeps anything.")
    max_size: Size | None = Field(
        default=None, description="How large the store may grow; then it sheds the oldest readings first, then windows, alerts, commands."
    )

    def rules(self) -> Iterator[Problem]:
        """Hold what a store can work with."""
        if self.max_size is not None and self.max_size < 2**20:
            yield Problem(("max_size",), "max_size must be at least 1MB")


class Disk(Checked):
    """What is left free (bytes) of the disk that the data folder is on."""

    reserve: Size = Field(
        default=32 * 2**20, description="What stays free on the disk of the data folder: with less, the store sheds its oldest rows."
    )


class Publish(Checked):
    """What is published beside windows, alerts and commands."""

    readings: bool = Field(default=False, description="Also publish every reading.")


class Flows(Checked):
    """How often (ns) the flows' state is kept, and how many processes share the work."""

    workers: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Processes that share the work of the flows. More than one takes more memory, and helps where the processor is the limit.",
    )
    cluster: tuple[ListenOn, ...] = Field(
        default=(),
        description="Addresses of all hosts that share the work, the same list on each, on a network of their own: they ask each other for no password.",
    )
    member: int | None = Field(
        default=None, ge=0, description="Which of `cluster` this host is, from 0; without it the one whose address this host has."
    )
    snapshot: PositiveDuration = Field(
        default=30 * SECOND, description="How often the state of the flows is kept; a restart reads the journal again from there."
    )

    @property
    def member_number(self) -> int:
        """Which of the hosts of `cluster` this one is, from 0. Raises MemberError where that cannot be told, or is not so."""
        return member_at(self.cluster, self.member)

    def rules(self) -> Iterator[Problem]:
        """Hold what makes a cluster."""
        if len(self.cluster) == 1 or len({*self.cluster}) < len(self.cluster):
            yield Problem(("cluster",), "cluster must name two hosts or more, each once", show=False)
        if len(self.cluster) > _MOST_HOSTS:
            yield Problem(("cluster",), f"cluster must name {_MOST_HOSTS} hosts at most, as there are shards", show=False)
        for number, host in enumerate(self.cluster):
            if host.host in {"0.0.0.0", "::"}:  # noqa: S104  it is what is refused
                yield Problem(("cluster", number), "cluster must name addresses at which the hosts reach each other")
        if self.cluster and self.workers > 1:
            yield Problem(("workers",), "workers must be 1 in a cluster: each host runs one process")
        if self.member is not None and self.member >= len(self.cluster):
            yield Problem(("member",), f"member must be the number, from 0, of one of the {len(self.cluster)} hosts of cluster")


class Health(Checked):
    """Where to answer whether all is well."""

    listen: ListenOn = Field(description="Where to answer a supervisor that asks whether all is well.")


class Limits(Checked):
    """What messages and devices may ask of the machine: `payload` and `packet` in bytes, `lag` in ns, `rate` in messages a second."""

    payload: Size = Field(default=256 * 2**10, description="A longer payload is a dead letter.")
    packet: Size | None = Field(
        default=None,
        description="The broker is asked not to send longer packets (MQTT 5), and the embedded one takes none; by default 2MB, or twice payload.",
    )
    series: Whole = Field(
        default=250_000,
        description="How many series are looked after; beyond it, a new one is a dead letter until an old one falls silent.",
    )
    rate: Whole | None = Field(
        default=None, description="How many messages a second one topic may bring, over ten seconds; what is beyond is shed and counted."
    )
    lag: PositiveDuration = Field(
        default=5 * SECOND, description="How far behind flows that cannot keep up may fall before QoS 0 messages of the loudest are shed."
    )

    def rules(self) -> Iterator[Problem]:
        """Hold what MQTT can carry."""
        if self.packet is not None and not self.payload + 1024 <= self.packet < 2**28:
            yield Problem(("packet",), "packet must be larger than payload by at least 1KB, for what stands around it, and less than 256MB")
        if not 1 <= self.payload <= 255 * 2**20:  # MQTT carries 256 MB with its own bytes
            yield Problem(("payload",), "payload must be from 1B to 255MB")

    @property
    def longest_packet(self) -> int:
        """The longest packet that the broker may send, in bytes (MQTT carries 256 MB)."""
        return self.packet or min(max(2 * 2**20, 2 * self.payload), 2**28 - 1)


class Settings(Checked):
    """All of `config/gateway.yaml`. Durations are ns, sizes bytes, paths absolute."""

    site: Site = Field(default="site-1", description="The name of this place: a level of every topic and a tag of every point.")
    broker: Broker = Field(default=Broker(), description="The MQTT broker.")
    influxdb: InfluxDB | None = Field(default=None, description="InfluxDB 2 as a second home of everything that is stored.")
    console: Console = Field(default=Console(), description="Where the web page is.")
    journal: Journal = Field(default=Journal(), description="The record of every message.")
    history: History = Field(default=History(), description="What the store keeps.")
    disk: Disk = Field(default=Disk(), description="What is left free of the disk.")
    publish: Publish = Field(default=Publish(), description="What else is published.")
    flows: Flows = Field(default=Flows(), description="How the flows run.")
    health: Health | None = Field(default=None, description="Where to answer whether all is well.")
    limits: Limits = Field(default=Limits(), description="What messages and devices may ask of the machine.")

    def rules(self) -> Iterator[Problem]:
        """Hold what a cluster needs."""
        if self.flows.cluster and self.broker.embedded:
            yield Problem(("flows", "cluster"), "a cluster needs a broker that all its hosts reach: see broker.url", show=False)

    @property
    def member(self) -> int:
        """Which host of a cluster this is; 0 where there is none. Raises MemberError where that cannot be told."""
        return self.flows.member_number if self.flows.cluster else 0

    @property
    def client_id(self) -> str:
        """The name the gateway has at the broker: a session that outlives connections belongs to it. In a cluster each host has one of its own."""
        return self.client_id_of(self.member)

    def client_id_of(self, member: int) -> str:
        """Give the name of a host of a cluster: the first has that of a host alone, so that its session goes on when others come and go."""
        name = self.broker.client_id or f"sluice-{self.site}"
        return f"{name}-{member}" if member else name

    def subscriptions(self) -> list[Subscription]:
        """Give what this host subscribes to: all of it, or its share of what the hosts of a cluster take in together."""
        if not self.flows.cluster:
            return [*self.broker.subscribe]
        taken = [one for one in self.broker.subscribe if one.hosts == "share" or self.member == 0]
        return [self.shared(one) if one.hosts == "share" else one for one in taken]

    @staticmethod
    def shared(one: Subscription) -> Subscription:
        """Give a subscription as the hosts of a cluster share it."""
        return one if one.topic.startswith("$share/") else one.model_copy(update={"topic": f"{SHARED}{one.topic}"})


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
