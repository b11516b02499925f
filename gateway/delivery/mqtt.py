"""An MQTT broker as a destination: every outcome, and readings if asked for, as a CloudEvent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from aiomqtt import Client, MqttError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.delivery.cloudevents import CONTENT_TYPE, event
from gateway.delivery.destination import NotNowError, Refused, Row, Stream
from gateway.delivery.topics_out import topic

LONGEST_TOPIC = 65_535
CLOSING = 1.0
"""Seconds to wait for the connection to close: a broker that hangs must not hold up a stopping gateway."""

_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")


class Mqtt:
    """Publishes events at QoS 1, never retained, in order, with many in flight.

    At least once: an event whose acknowledgement got lost is published again under the same id.
    """

    name = "mqtt"
    backfill = False

    def __init__(
        self,
        connect: Callable[[], Client],
        *,
        where: str,
        site: str,
        readings: bool = False,
        mqtt5: bool = False,
        batch: int = 200,
        linger: float = 0.0,
    ) -> None:
        """Connect to nothing yet.

        `connect` makes a client for each new connection, `where` names the broker in errors. With `readings`, each reading is an event too;
        with `mqtt5` (the client's protocol must be 5) the event's attributes are user properties as well.
        """
        self.streams: tuple[Stream, ...] = ("effects", "readings") if readings else ("effects",)
        self.batch, self.linger = batch, linger
        self._connect, self._where, self._site, self._mqtt5 = connect, where, site, mqtt5
        self._client: Client | None = None

    async def send(self, rows: Sequence[Row]) -> list[Refused]:
        client = await self._connected()
        refused: list[Refused] = []
        publishing: list[asyncio.Task[None]] = []
        for place, row in enumerate(rows):
            where = topic(row, self._site)
            if len(where.encode()) > LONGEST_TOPIC:
                refused.append(Refused(place, f"the topic must be at most {LONGEST_TOPIC} bytes; got {len(where.encode())}"))
            else:
                publishing.append(asyncio.ensure_future(self._publish(client, where, event(row, self._site))))
        done = await asyncio.gather(*publishing, return_exceptions=True)
        for failure in done:
            if isinstance(failure, MqttError):
                await self.close()
                raise NotNowError(f"{self._where}: {failure}") from failure
            if failure is not None:
                raise failure
        return refused

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.timeout = CLOSING
            with suppress(MqttError):
                await client.__aexit__(None, None, None)

    async def _connected(self) -> Client:
        if self._client is None:
            client = self._connect()
            client.pending_calls_threshold = self.batch  # above it, aiomqtt warns with each publish
            try:
                await client.__aenter__()
            except (MqttError, OSError) as error:
                raise NotNowError(f"{self._where}: {error}") from error
            self._client = client
        return self._client

    async def _publish(self, client: Client, where: str, what: dict[str, Any]) -> None:
        properties = None
        if self._mqtt5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = CONTENT_TYPE
            properties.UserProperty = [(name, what[name]) for name in _ATTRIBUTES]
        await client.publish(where, msgspec.json.encode(what), qos=1, retain=False, properties=properties)
