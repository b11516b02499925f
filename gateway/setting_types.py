"""The types of single settings: addresses, files, topic filters. Each says its rule where a value does not keep it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema


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


Text = Annotated[str, Field(min_length=1)]
File = Annotated[Path, BeforeValidator(_file), WithJsonSchema({"type": "string", "minLength": 1})]
Whole = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
ListenOn = Annotated[
    Listen, BeforeValidator(Listen.parse), WithJsonSchema({"type": "string", "pattern": r":\d{1,5}$|\$\{", "examples": ["127.0.0.1:8080"]})
]
BrokerUrl = Annotated[
    str,
    BeforeValidator(_broker_url),
    WithJsonSchema(
        {"type": "string", "pattern": r"^embedded$|^(mqtts?|wss?)://|\$\{", "examples": ["embedded", "mqtt://broker.local:1883"]}
    ),
]
HttpUrl = Annotated[
    str,
    BeforeValidator(_http_url),
    WithJsonSchema({"type": "string", "pattern": r"^https?://|\$\{", "examples": ["http://influxdb:8086"]}),
]
Site = Annotated[str, BeforeValidator(_site), WithJsonSchema({"type": "string", "minLength": 1, "pattern": r"^[^/+#%]*$"})]
TopicFilter = Annotated[str, BeforeValidator(_topic_filter)]
Qos = Annotated[Literal[0, 1], BeforeValidator(_whole)]
