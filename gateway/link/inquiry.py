"""An inquiry at the broker: how fast it answers and what it retains, on a connection of its own that leaves nothing behind."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic, time

from aiomqtt import Client, MqttError

from gateway.link.endpoint import Endpoint

_DAY = 86_400


@dataclass(frozen=True)
class Answer:
    """`round_trip` is in seconds, from a subscription to its acknowledgement; `retained` are payloads by topic."""

    round_trip: float
    retained: dict[str, bytes]


def certificate_days(endpoint: Endpoint, *, within: float) -> float | None:
    """Reach the broker, and shake hands where it speaks TLS; give for how many days its certificate is good, None without TLS.

    Raises:
        OSError: our own certificates cannot be read (AccessError), it cannot be reached within so many seconds, or its certificate cannot be
            trusted (ssl.SSLError).

    """
    tls = endpoint.tls()
    with socket.create_connection((endpoint.host, endpoint.port), timeout=within) as plain:
        if tls is None:
            return None
        with tls.wrap_socket(plain, server_hostname=endpoint.host) as secured:
            certificate = secured.getpeercert() or {}
    return (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time()) / _DAY


def inquire(endpoint: Endpoint, identifier: str, topics: Sequence[str], *, within: float) -> Answer:
    """Ask what is retained on topics, and wait until the last of them has been told or so many seconds have passed.

    Brokers tell them in the order of the subscriptions, so what is retained on the others has come by then.

    Raises:
        OSError: the broker cannot be reached, or lets nobody in who comes with these credentials.

    """
    try:
        return asyncio.run(_inquire(endpoint, identifier, topics, within))
    except MqttError as error:
        raise OSError(f"{endpoint}: {error}") from error


async def _inquire(endpoint: Endpoint, identifier: str, topics: Sequence[str], within: float) -> Answer:
    retained: dict[str, bytes] = {}
    async with endpoint.client(identifier) as client:
        asked = monotonic()
        await client.subscribe([(topic, 1) for topic in topics])
        round_trip = monotonic() - asked
        try:
            async with asyncio.timeout(within):
                await _collect(client, retained, last=topics[-1])
        except TimeoutError:
            pass
    return Answer(round_trip, retained)


async def _collect(client: Client, retained: dict[str, bytes], *, last: str) -> None:
    async for message in client.messages:
        if message.retain and isinstance(message.payload, bytes | bytearray):
            retained[message.topic.value] = bytes(message.payload)
        if last in retained:
            return
