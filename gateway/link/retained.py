"""What the broker retains: read on a connection of its own, which leaves nothing behind."""

from __future__ import annotations

import asyncio
import os

from aiomqtt import MqttError

from gateway.link.endpoint import Endpoint


def retained(endpoint: Endpoint, topic: str, *, within: float) -> bytes | None:
    """Give the message that the broker retains on a topic; None where none has come within so many seconds.

    Raises:
        OSError: the broker cannot be reached, or lets nobody in who comes with these credentials.

    """
    try:
        return asyncio.run(_retained(endpoint, topic, within))
    except MqttError as error:
        raise OSError(f"{endpoint}: {error}") from error


async def _retained(endpoint: Endpoint, topic: str, within: float) -> bytes | None:
    async with endpoint.client(f"sluice-retained-{os.getpid()}") as client:
        await client.subscribe(topic, qos=1)
        try:
            async with asyncio.timeout(within):
                async for message in client.messages:
                    if message.retain:
                        return bytes(message.payload) if isinstance(message.payload, bytes | bytearray) else None
        except TimeoutError:
            pass
    return None
