"""AWS IoT Device Shadow: a thing that keeps its classic shadow, and the service that answers it.

Sources: https://docs.aws.amazon.com/iot/latest/developerguide/device-shadow-mqtt.html and …/device-shadow-document.html
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.dialect import Dialect, Heard, Outgoing, Value, compact, parsed, state, switched
from simulator.manner import USUAL, Manner
from simulator.nanoseconds import SECOND


class AwsShadow(Dialect):
    """One thing; its shadow holds the vocabulary's names, and `state` for the actuator.

    >>> thing = AwsShadow("fan-1")
    >>> thing.hear(thing.listens()[0], b'{"state": {"desired": {"state": "ON"}}}')
    Heard(on=True, toggle=False)
    """

    stamped = True

    def __init__(self, name: str, manner: Manner = USUAL) -> None:
        super().__init__(name, manner)
        self._topic = f"$aws/things/{name}/shadow"
        self._version = 0

    def hello(self) -> list[Outgoing]:
        """Ask for the shadow, as things do when they connect."""
        return [Outgoing(f"{self._topic}/get", b"")]

    def report(self, values: Mapping[str, Value], *, on: bool | None, at: int) -> list[Outgoing]:
        """Report to the shadow; the service accepts it with the time, in seconds, of every field."""
        reported = {**values, **state(on)}
        self._version += 1
        seconds = at // SECOND
        accepted = {
            "state": {"reported": reported},
            "metadata": {"reported": {key: {"timestamp": seconds} for key in reported}},
            "version": self._version,
            "timestamp": seconds,
        }
        return [Outgoing(f"{self._topic}/update/accepted", compact(accepted))]

    def listens(self) -> list[str]:
        return [f"{self._topic}/update"]

    def hear(self, topic: str, payload: bytes) -> Heard | None:  # noqa: ARG002  it listens on one topic
        """Take what is desired."""
        asked = parsed(payload)
        wanted = asked.get("state") if isinstance(asked, dict) else None
        return switched(wanted.get("desired")) if isinstance(wanted, dict) else None
