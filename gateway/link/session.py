"""The session at the broker: what is asked for, by the newest MQTT that the broker speaks, and what it grants."""

from __future__ import annotations

from typing import Any

from gateway.link.connection import Hello
from gateway.link.intake import BATCH


class Session:
    """Begins with MQTT 5. A broker that does not speak it is spoken to in 3.1.1 for as long as the process lives."""

    def __init__(self, *, expiry: int, longest_packet: int, mqtt5: bool) -> None:
        """Ask that the session outlives its connection for `expiry` ns, and that no packet is longer than so many bytes.

        Without `mqtt5` the broker is known not to speak it, and 3.1.1 is tried first.
        """
        self._expiry = expiry // 1_000_000_000
        self._longest_packet = longest_packet
        self.mqtt5 = mqtt5
        self._answered = False
        self.document: dict[str, Any] = {}
        """What is known of the session now; empty before the first connection."""

    def hello(self, client_id: str, will: tuple[str, bytes]) -> Hello:
        """Give what a connection begins with."""
        return Hello(client_id, will, expiry=self._expiry, ahead=BATCH, longest_packet=self._longest_packet)

    def answered(self, *, present: bool, expiry: int | None) -> None:
        """Note what the broker grants: the session expires after so many seconds, or as was asked for."""
        self._answered = True
        self.document = {"protocol": "5" if self.mqtt5 else "3.1.1", "present": present}
        if self.mqtt5:
            granted = self._expiry if expiry is None else expiry
            self.document |= {"receive_maximum": BATCH, "maximum_packet": self._longest_packet, "expiry": granted}

    def try_other(self, *, refused: bool) -> bool:
        """Take the other protocol after a connection that came to nothing; tell whether that is worth trying at once.

        A broker that was heard in a protocol speaks that, unless it `refused` it in so many words.
        """
        if self._answered and not refused:
            return False
        self._answered = False
        self.mqtt5 = not self.mqtt5
        return not self.mqtt5
