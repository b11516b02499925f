"""An MQTT client that leaves nothing behind when it could not connect."""

from __future__ import annotations

from typing import Self

import aiomqtt


class Client(aiomqtt.Client):
    """aiomqtt's client; a connection that the broker has not answered in time is closed.

    aiomqtt leaves it open: each attempt at a broker that hangs would cost a file handle, and a late answer would make two of one name.
    """

    async def __aenter__(self) -> Self:
        """Connect; raises aiomqtt.MqttError."""
        try:
            return await super().__aenter__()
        except BaseException:
            self._client.disconnect()
            raise
