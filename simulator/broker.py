"""Where the broker is, and how simulated devices get in."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Broker:
    """A broker's address and the account to use. The password never shows in a repr or a log."""

    host: str
    port: int
    transport: Literal["tcp", "websockets"] = "tcp"
    path: str = "/mqtt"
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def at(cls, url: str, *, username: str | None = None, password_file: Path | None = None, ca_file: Path | None = None) -> Broker:
        """Read `mqtt://`, `mqtts://`, `ws://` or `wss://` maybe with an account in it; ValueError for anything else. TLS always verifies.

        >>> Broker.at("mqtt://127.0.0.1")
        Broker(host='127.0.0.1', port=1883, transport='tcp', path='/mqtt', username=None)
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            got = f"{parts.scheme}://{parts.hostname}" if "@" in url else url  # without its password
            raise ValueError(f"broker URL: must be like mqtt://HOST[:PORT], or begin with mqtts, ws or wss; got {got}")
        try:
            port = parts.port or _PORTS[parts.scheme]
        except ValueError:
            raise ValueError(f"broker URL: the port must be a number from 1 to 65535; got {parts.netloc.rpartition(':')[2]}") from None
        password = password_file.read_text(encoding="utf-8").rstrip("\r\n") if password_file else parts.password and unquote(parts.password)
        return cls(
            host=parts.hostname,
            port=port,
            transport="websockets" if parts.scheme in ("ws", "wss") else "tcp",
            path=parts.path or "/mqtt",
            tls=ssl.create_default_context(cafile=str(ca_file) if ca_file else None) if parts.scheme in ("mqtts", "wss") else None,
            username=username or (parts.username and unquote(parts.username)),
            password=password,
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"
