"""What is subscribed to, and what the broker's session holds of it already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from gateway.disk import replace

log = structlog.get_logger()

_HELD = msgspec.json.Decoder(list[tuple[str, int]])


@dataclass(frozen=True)
class Subscription:
    """A topic filter with its maximum QoS (0 or 1: a QoS 2 message would live in memory only, between PUBREC and the journal)."""

    topic: str
    qos: int = 1


class Subscriptions:
    """Tells what must change in a session, and remembers in a file what the broker has confirmed.

    Subscribing again would make a broker send every retained message again (MQTT 3.1.1, 3.8.4), so that only what is new is subscribed to. With a
    shared subscription none comes (MQTT 5, 4.8.2), and mosquitto forgets those, of sessions that it keeps, when it is started again: each connection
    subscribes to them anew.
    """

    def __init__(self, wanted: Sequence[Subscription], file: Path) -> None:
        self.wanted = list(wanted)
        self._file = file
        self._held: dict[str, int] = {}

    def begin(self, *, session_present: bool) -> None:
        """Begin with a connection: a new session holds nothing, and neither does one of which the file cannot be read."""
        self._held = self._read() if session_present else {}

    def _read(self) -> dict[str, int]:
        try:
            return dict(_HELD.decode(self._file.read_bytes()))
        except (OSError, msgspec.DecodeError):
            return {}

    def missing(self) -> list[Subscription]:
        """Give what must be subscribed to."""
        return [one for one in self.wanted if self._held.get(one.topic) != one.qos or one.topic.startswith("$share/")]

    def unwanted(self) -> list[str]:
        """Give the topic filters that the session holds and nobody wants any more."""
        return sorted(self._held.keys() - {one.topic for one in self.wanted})

    def confirmed(self, subscribed: Sequence[Subscription]) -> None:
        """Note what the broker has confirmed; where the file cannot be written, it is done again on the next connection."""
        self._held |= {one.topic: one.qos for one in subscribed}
        self._write()

    def removed(self, topics: Sequence[str]) -> None:
        """Note what the session holds no more."""
        for topic in topics:
            self._held.pop(topic, None)
        self._write()

    def _write(self) -> None:
        try:
            replace(self._file, msgspec.json.encode(list(self._held.items())))
        except OSError as error:
            log.warning("what is subscribed to cannot be noted", file=str(self._file), error=error.strerror)
