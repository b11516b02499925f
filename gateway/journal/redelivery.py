"""Recognise what the broker delivers again: the last message journalled under each packet id of the broker's session."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from gateway.journal.reader import newest_first
from gateway.journal.row import Entry, Flag, Kind

_PACKET_IDS = 65_535
"""MQTT packet identifiers are 1..65535 (MQTT 3.1.1, 2.3.1): so many messages back cover every id that can be redelivered."""


class Redelivery:
    """Tell repeats from new messages under the same packet id.

    The DUP flag only opens the check: after a crash most messages that carry it are new to us. A message is a repeat when the *latest*
    message journalled under its packet id, in this broker session, had the same topic and payload. Survives our own restarts, since the
    journal's tail is read back.
    """

    def __init__(self) -> None:
        self._latest: dict[int, int] = {}
        self._coming: dict[int, int] = {}

    @classmethod
    def from_journal(cls, directory: Path, session: int) -> Redelivery:
        """Read back the tail of the journal, as far as it belongs to this broker session."""
        memory = cls()
        seen = 0
        for row in newest_first(directory):
            if row.session != session or seen >= _PACKET_IDS:
                break
            if row.kind != Kind.MESSAGES:
                continue
            for entry in reversed(row.entries()):
                if entry.packet_id and not entry.flags & (Flag.REPEATED | Flag.OVERSIZE):
                    memory._latest.setdefault(entry.packet_id, _digest(entry))
            seen += row.count
        return memory

    def is_repeat(self, entry: Entry) -> bool:
        """Tell whether a message with DUP set is held already."""
        return self._latest.get(entry.packet_id) == _digest(entry)

    def expect(self, entry: Entry) -> None:
        """Note what is to be journalled under this packet id: the message before it is over, since its id is used again."""
        self._latest.pop(entry.packet_id, None)
        self._coming[entry.packet_id] = _digest(entry)

    def journalled(self, packet_ids: Iterable[int]) -> None:
        """Note that what was expected under these packet ids is in the journal."""
        for packet_id in packet_ids:
            if packet_id in self._coming:
                self._latest[packet_id] = self._coming.pop(packet_id)

    def forget_expected(self) -> None:
        """Forget what did not reach the journal: it comes again, and is no repeat then."""
        self._coming.clear()


def _digest(entry: Entry) -> int:
    """Tell messages apart within this process: 64 bits of SipHash, whose key nobody outside knows."""
    return hash((entry.topic, entry.payload))
