"""Notices that a connection is gone: publishes under way would only notice after their time-out."""

from __future__ import annotations

from aiomqtt import Client, MqttError


async def until_lost(client: Client) -> str:
    """Wait for the connection's end, and give the reason."""
    try:
        async for _ in client.messages:
            pass
    except MqttError as error:
        return str(error.__cause__ or error)
    return "disconnected"
