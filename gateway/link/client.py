"""An MQTT client that leaves nothing behind when it could not connect, and says what the broker refuses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import aiomqtt
from paho.mqtt.reasoncodes import ReasonCode


class RefusedError(Exception):
    """The broker has not taken what was published, and never will as things stand: with its reason. Before MQTT 5 it does not say so."""


class Client(aiomqtt.Client):
    """aiomqtt's client; a connection that the broker has not answered in time is closed.

    aiomqtt leaves it open: each attempt at a broker that hangs would cost a file handle, and a late answer would make two of one name. It
    also takes every PUBACK for a yes (MQTT 5, 3.4.2.1): here, `publish` raises RefusedError for a no.
    """

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self._refusals: dict[int, str] = {}

    async def __aenter__(self) -> Self:
        """Connect; raises aiomqtt.MqttError."""
        try:
            return await super().__aenter__()
        except BaseException:
            self._client.disconnect()
            raise

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        if reason_code.is_failure:
            self._refusals[mid] = reason_code.getName()
        super()._on_publish(client, userdata, mid, reason_code, properties)

    @contextmanager
    def _pending_call(self, mid: int, value: Any, pending_dict: Any) -> Iterator[None]:
        with super()._pending_call(mid, value, pending_dict):
            yield
        if reason := self._refusals.pop(mid, ""):
            raise RefusedError(reason)
