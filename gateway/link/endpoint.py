"""Where a broker is and how to get in: one object for every MQTT client of the gateway."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from time import sleep
from typing import Literal
from urllib.parse import urlsplit

import aiomqtt

from gateway.link.client import Client
from gateway.settings import Broker

_MOMENT = 0.02
"""Seconds in which a broker that ends has closed what it listened on, and one that is started is hardly there again."""
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class AccessError(OSError):
    """A password or certificate that cannot be read now. The text names the keys of the config, and never what is in the files."""


@dataclass(frozen=True)
class Endpoint:
    """A broker's address, and what it asks of us. `keepalive` in seconds.

    Passwords and certificates are read for each connection, so that those that were renewed are used without a restart. They never show in a
    repr or a log.
    """

    host: str
    port: int
    transport: Literal["tcp", "websockets"] = "tcp"
    path: str = "/mqtt"
    secure: bool = False
    keepalive: int = 30
    access: Broker = field(default=Broker(), repr=False)
    mqtt5: Callable[[], bool] = field(default=lambda: False, repr=False)
    """Tells whether the broker is known to speak MQTT 5, in which it says what it refuses."""

    @classmethod
    def of(cls, broker: Broker, url: str) -> Endpoint:
        """Make one from the settings; `url` is where the broker really is, since an embedded one may have moved to another port."""
        parts = urlsplit(url)
        return cls(
            host=parts.hostname or "127.0.0.1",
            port=parts.port or _PORTS[parts.scheme],
            transport="websockets" if parts.scheme in {"ws", "wss"} else "tcp",
            path=parts.path or "/mqtt",
            secure=parts.scheme in {"mqtts", "wss"},
            keepalive=broker.keepalive // 1_000_000_000,
            access=broker,
        )

    def password(self) -> str | None:
        """Read the password; raises AccessError."""
        try:
            return self.access.password
        except (OSError, UnicodeError) as error:
            raise AccessError(f"broker.password_file cannot be read: {_why(error)}") from None

    def tls(self) -> ssl.SSLContext | None:
        """Read the certificates; raises AccessError.

        TLS verifies the name and the chain, and is 1.2 or newer; there is no way to turn that off.
        """
        if not self.secure:
            return None
        broker = self.access
        try:
            context = ssl.create_default_context(cafile=str(broker.ca_file) if broker.ca_file else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if broker.cert_file:
                context.load_cert_chain(broker.cert_file, broker.key_file)
        except (OSError, ValueError) as error:
            keys = "broker.ca_file, cert_file or key_file" if broker.cert_file else "broker.ca_file"
            raise AccessError(f"{keys} cannot be used: {_why(error)}") from None
        return context

    def client(self, identifier: str, will: aiomqtt.Will | None = None) -> aiomqtt.Client:
        """Make a client for publishing, with a session that ends with it, and a message that the broker sends when it is lost.

        Raises:
            aiomqtt.MqttError: a password or certificate cannot be read now; like a broker that cannot be reached, this may pass.

        """
        try:
            password, tls = self.password(), self.tls()
        except AccessError as error:
            raise aiomqtt.MqttError(str(error)) from None
        return Client(
            self.host,
            self.port,
            identifier=identifier,
            will=will,
            username=self.access.username,
            password=password,
            transport=self.transport,
            websocket_path=self.path if self.transport == "websockets" else None,
            tls_context=tls,
            keepalive=self.keepalive,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            protocol=aiomqtt.ProtocolVersion.V5 if self.mqtt5() else aiomqtt.ProtocolVersion.V311,
        )

    def listens(self) -> bool:
        """Tell whether connections are taken there, now and in the next moment: a broker that has just ended takes none for some time."""
        for again in (True, False):
            try:
                socket.create_connection((self.host, self.port), timeout=1.0).close()
            except OSError:
                return False
            if again:
                sleep(_MOMENT)
        return True

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def _why(error: Exception) -> str:
    """Say what is wrong with a file, without what is in it."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not a certificate").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or "it is not text"
