"""AWS IoT Device Shadow: a thing that keeps its classic shadow, and the service that answers it.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html and …/device-shadow-document.html
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from simulator.dialect import Heard, Outgoing, Value, said, switch
from simulator.nanoseconds import SECOND


class AwsShadow:
    """One thing; its shadow holds the vocabulary's names, and `state` for the actuator.

    >>> thing = AwsShadow("fan-1")
    >>> thing.hear(thing.listens()[0], b'{"state": {"desired": {"state": "ON"}}}')
    Heard(on=True, toggle=False)
    """

    def __init__(self, name: str) -> None:
        self.connection = name
        self._topic = f"$aws/things/{name}/shadow"
        self._version = 0

    def will(self) -> Outgoing | None:
        return None

    def hello(self) -> list[Outgoing]:
        """Ask for the shadow, as things do when they connect."""
        return [Outgoing(f"{self._topic}/get", b"")]

    def goodbye(self) -> list[Outgoing]:
        return []

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        """Report to the shadow; the service accepts it with the time, in seconds, of every field."""
        state = {} if on is None else {"state": said(on)}
        reported = {**values, **state}
        self._version += 1
        seconds = at // SECOND
        accepted = {
            "state": {"reported": reported},
            "metadata": {"reported": {key: {"timestamp": seconds} for key in reported}},
            "version": self._version,
            "timestamp": seconds,
        }
        return [self._message("update/accepted", accepted)]

    def listens(self) -> list[str]:
        return [f"{self._topic}/update"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take what is desired."""
        try:
            asked = json.loads(payload)["state"]["desired"]["state"]
        except (ValueError, KeyError, TypeError):
            return None
        return switch(asked) if isinstance(asked, str) else None

    def answer(self, values: Mapping[str, Value], *, on: bool, at: int) -> list[Outgoing]:
        return self.report(values, on=on, at=at)

    def _message(self, verb: str, body: dict[str, Any]) -> Outgoing:
        return Outgoing(f"{self._topic}/{verb}", json.dumps(body, separators=(",", ":")).encode())
