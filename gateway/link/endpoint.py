"""Where a broker is and how to get in: one object for every MQTT client of the gateway."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import aiomqtt

from gateway.settings import Broker

_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class Endpoint:
    """A broker's address, and what it asks of us. The password never shows in a repr or a log. `keepalive` in seconds."""

    host: str
    port: int
    transport: Literal["tcp", "websockets"] = "tcp"
    path: str = "/mqtt"
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    keepalive: int = 30

    @classmethod
    def of(cls, broker: Broker, url: str) -> Endpoint:
        """Make one from the settings; `url` is where the broker really is, since an embedded one may have moved to another port.

        TLS verifies the name and the chain, and is 1.2 or newer; there is no way to turn that off.
        """
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or _PORTS[parts.scheme],
            transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
            path=parts.path or "/mqtt",
            tls=_tls(broker) if parts.scheme in {"mqtts", "wss"} else None,
            username=broker.username,
            password=broker.password,
            keepalive=broker.keepalive // 1_000_000_000,
        )

    def client(self, identifier: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        """Make a client for publishing, with a session that ends with it, and a message that the broker sends when it is lost."""
        return aiomqtt.Client(
            self.host,
            self.port,
            identifier=identifier,
            will=will,
            username=self.username,
            password=self.password,
            transport=self.transport,
            websocket_path=self.path if self.transport == "websockets" else None,
            tls_context=self.tls,
            keepalive=self.keepalive,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _tls(broker: Broker) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(broker.ca_file) if broker.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if broker.cert_file:
        context.load_cert_chain(broker.cert_file, broker.key_file)
    return context
