"""What the link asks of a connection, whoever makes it: by the MQTT 5 codec or by paho."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.journal.row import Entry
from gateway.link.subscriptions import Subscription

AT_ONCE = 1024
"""Messages that one reading hands on at most."""
REACHED = 5.0
"""Seconds that a broker's host may take to accept a connection, and to agree on TLS."""
NOT_MQTT = "Protocol error"
SILENT = "Keep alive timeout"
"""Reasons of our own for ending a connection, by the names of MQTT 5 (2.4)."""


@dataclass(frozen=True)
class Hello:
    """What a connection begins with: our name, and what the broker says of us when we are lost (topic and payload, QoS 1, retained).

    In MQTT 5 also: for how many seconds the session outlives its connection, how many messages may come ahead of our acknowledgements, and
    how many bytes the longest packet may have.
    """

    client_id: str
    will: tuple[str, bytes] = field(repr=False)
    expiry: int
    ahead: int
    longest_packet: int


class Listener(Protocol):
    """What is told of a connection, on the thread that drives it. Reasons are the names of MQTT 5 (2.4); "" where all is well."""

    def on_let_in(self, *, session_present: bool, expiry: int | None) -> None:
        """Take note that the broker has let us in, and keeps the session for so many seconds (None: as asked for)."""

    def on_refused(self, reason: str) -> None:
        """Take note that the broker has not let us in."""

    def on_granted(self, request: int, reasons: Sequence[str]) -> None:
        """Take the broker's answer to one request to subscribe or unsubscribe."""

    def on_published(self, request: int, reason: str) -> None:
        """Take note that the broker has acknowledged a message of ours, or refused it."""

    def on_ended(self, reason: str, *, said: bool) -> None:
        """Take note that the connection is over; `said` by the broker in so many words."""


class Connection(Protocol):
    """One connection, driven from one thread by `read`, `write` and `turn`; it never waits, but for `connect`.

    Guarantee: acknowledges nothing by itself. It counts as dead when nothing has come for the keep-alive, though a sign of life was asked for
    in the middle of it; as long as anything comes, it is alive. Requests are told apart by the numbers that they give.
    """

    def connect(self) -> None:
        """Open the connection and say hello. Raises OSError."""

    def socket(self) -> Any:
        """Give what to wait on; None once the connection is over."""

    def pending(self) -> bool:
        """Tell whether something can be read that `poll` does not see: read ahead, or decrypted."""

    def wants_write(self) -> bool:
        """Tell whether something waits to be written."""

    def read(self) -> list[Entry]:
        """Take what can be taken now, and give the messages among it, at most about AT_ONCE."""

    def write(self) -> None:
        """Write as much of what waits as can be written now."""

    def turn(self) -> None:
        """Ask for a sign of life, or miss one, where it is time."""

    def pause(self) -> None:
        """Count the broker's silence as ours, for as long as nothing is read."""

    def acknowledge(self, packet_ids: Iterable[int]) -> None:
        """Acknowledge QoS 1 messages, all in one write."""

    def subscribe(self, wanted: Sequence[Subscription]) -> int:
        """Subscribe; where the protocol can, retained messages come only for what is new. Raises ValueError for what cannot be asked for."""

    def unsubscribe(self, topics: Sequence[str]) -> int:
        """Unsubscribe."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False) -> int:
        """Publish."""

    def disconnect(self) -> None:
        """Say good-bye: the broker keeps the will to itself."""

    def close(self) -> None:
        """Leave without a good-bye, where there has been none."""
