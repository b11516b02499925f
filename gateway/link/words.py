"""What the link itself says at the broker: whether the gateway runs, and the markers that tell when a backlog is behind us."""

from __future__ import annotations

import msgspec

from gateway.events.channel import level
from gateway.events.event import source
from gateway.events.marker import CHANNEL as MARKER
from gateway.events.marker import Marker, MarkerEvent
from gateway.events.status import Status, StatusEvent, status_topic


class Words:
    """Topics and payloads of a site's gateway. `own` begins every topic that Sluice publishes to as this site."""

    def __init__(self, site: str, client_id: str, member: int = 0) -> None:
        """Speak for a site, and of a cluster's hosts for number `member`."""
        self.own = f"sluice/{level(site)}/"
        self.status_topic = status_topic(site, member)
        self.marker_topic = MARKER.topic(site=site, client=client_id)
        self._source = source(site)
        self._markers = 0

    def status(self, connection: int, *, running: bool) -> bytes:
        """Give the word on a connection."""
        what = f"status/{connection}/{'up' if running else 'down'}"
        return msgspec.json.encode(StatusEvent(id=what, source=self._source, data=Status(running=running)))

    def marker(self, connection: int) -> bytes:
        """Give another marker, unlike all before it."""
        self._markers += 1
        name = f"marker/{connection}/{self._markers}"
        return msgspec.json.encode(MarkerEvent(id=name, source=self._source, data=Marker(connection=connection)))
