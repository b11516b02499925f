"""An MQTT broker as a destination: every outcome, and readings if asked for, as a CloudEvent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from aiomqtt import Client, MqttCodeError, MqttError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.delivery.cloudevents import body, event
from gateway.delivery.destination import NotNowError, Refused, Row, Stream
from gateway.delivery.topics_out import topic
from gateway.events.event import CONTENT_TYPE, Event, attributes
from gateway.link.client import RefusedError
from gateway.link.lost import until_lost

LONGEST_TOPIC = 65_535
_UNWELCOME = frozenset({133, 134, 135, 138})
"""Reason codes of CONNACK for a client identifier, name or password that the broker does not take (MQTT 5; paho gives those of 3.1.1 so too)."""
CLOSING = 1.0
"""Seconds to wait for the connection to close: a broker that hangs must not hold up a stopping gateway."""


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
        self._connection: tuple[Client, asyncio.Task[str]] | None = None

    async def send(self, rows: Sequence[Row]) -> list[Refused]:
        client, lost = await self._connected()
        refused: list[Refused] = []
        publishing: list[Coroutine[Any, Any, str]] = []
        places: list[int] = []
        for place, row in enumerate(rows):
            where = topic(row, self._site)
            if len(where.encode()) > LONGEST_TOPIC:
                refused.append(Refused(place, f"the topic must be at most {LONGEST_TOPIC} bytes; got {len(where.encode())}"))
            else:
                publishing.append(self._publish(client, where, event(row, self._site)))
                places.append(place)
        try:
            answers = await _unless(lost, asyncio.gather(*publishing))
        except MqttError as error:
            await self.close()
            raise NotNowError(f"{self._where}: {error}") from error
        refused += [Refused(place, why) for place, why in zip(places, answers, strict=True) if why]
        return sorted(refused)

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            client, lost = connection
            client.timeout = CLOSING
            with suppress(MqttError):
                await client.__aexit__(None, None, None)
            lost.cancel()

    async def _connected(self) -> tuple[Client, asyncio.Task[str]]:
        if self._connection is not None and self._connection[1].done():
            await self.close()
        if self._connection is None:
            try:
                client = self._connect()
                client.pending_calls_threshold = self.batch  # above it, aiomqtt warns with each publish
                await client.__aenter__()
            except (MqttError, OSError) as error:
                raise NotNowError(f"{self._where}: {error}", alarm=_unwelcome(error)) from error
            self._connection = client, asyncio.create_task(until_lost(client))
        return self._connection

    async def _publish(self, client: Client, where: str, what: Event) -> str:
        """Publish an event; give why the broker refuses it, "" where it does not."""
        properties = None
        if self._mqtt5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.ContentType = CONTENT_TYPE
            properties.UserProperty = list(attributes(what).items())
        try:
            await client.publish(where, body(what), qos=1, retain=False, properties=properties)
        except RefusedError as error:
            return f"the broker refuses what is published to {where}: {error}"
        return ""


def _unwelcome(error: Exception) -> bool:
    """Tell whether a broker refused us for who we are, which will not heal by itself."""
    return isinstance(error, MqttCodeError) and isinstance(error.rc, ReasonCode) and error.rc.value in _UNWELCOME


async def _unless(lost: asyncio.Task[str], every: asyncio.Future[list[str]]) -> list[str]:
    """Wait for all publishes, and give their answers; raises MqttError when the connection is lost first."""
    try:
        waiting: list[asyncio.Future[Any]] = [every, lost]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not every.done():
            raise MqttError(lost.result())
        return every.result()
    finally:
        every.cancel()
