"""The embedded broker's heartbeat: it has none of its own, so that it is asked whether it answers."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from time import sleep

from gateway.broker.embedded import EmbeddedBroker, speaks_mqtt
from gateway.heartbeat import Heartbeat

_EVERY = 2.0
"""Seconds between two questions."""


class Pulse(Thread):
    """Beats for as long as the broker answers a CONNECT: a process that is frozen takes connections, and says nothing."""

    def __init__(self, broker: EmbeddedBroker, alive: Path) -> None:
        super().__init__(name="pulse", daemon=True)
        self._broker = broker
        self._heartbeat = Heartbeat(alive)

    def run(self) -> None:
        host = self._broker.url.removeprefix("mqtt://").rpartition(":")[0]
        while True:
            if speaks_mqtt(host, self._broker.port):
                self._heartbeat.beat()
            sleep(_EVERY)
