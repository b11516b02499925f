"""What a connection has still to write, and what the broker has still to acknowledge."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from simulator.load.packets import DUP, IDS, PUBACK, PUBACKS, Answer, answers


@dataclass(slots=True)
class Batch:
    """PUBLISH packets of one length: the `first`th of their connection and those that follow it. `made` is when, in ns of the monotonic clock."""

    first: int
    count: int
    packets: bytes | bytearray
    made: int
    written: int = 0


class Span(NamedTuple):
    """Some messages of a batch, from index `start` up to, and not including, `stop`."""

    batch: Batch
    start: int
    stop: int


class Outbox:
    """Keeps batches until they are done: at QoS 1 with their PUBACKs, at QoS 0 with their last byte.

    Message n of a connection has packet id n modulo 65535, plus one. A broker that acknowledges in order costs one comparison of bytes
    for all that it sent at once; any other order is taken too. `size` is the bytes of a packet.
    """

    def __init__(self, *, size: int, qos: int, in_flight: int) -> None:
        self.end = 0
        self._size = size
        self._qos = qos
        self._in_flight = in_flight
        self._base = 0
        self._kept: deque[Batch] = deque()
        self._unwritten: deque[Batch] = deque()
        self._early: set[int] = set()
        self._rest = b""

    @property
    def waiting(self) -> int:
        """Say how many messages lack their PUBACK; at QoS 0, how many are not yet written."""
        return self.end - self._base - len(self._early)

    @property
    def room(self) -> int:
        """Say how many more messages can be put in now: at QoS 0 none before all is written, so that no more than a batch waits in here."""
        return self._in_flight - (self.end - self._base) if self._qos or not self._unwritten else 0

    def put(self, packets: bytes, count: int, *, now: int) -> None:
        batch = Batch(self.end, count, packets, now)
        self.end += count
        self._kept.append(batch)
        self._unwritten.append(batch)

    def unwritten(self) -> memoryview | None:
        """Give the bytes to write next, None when there are none."""
        if not self._unwritten:
            return None
        batch = self._unwritten[0]
        return memoryview(batch.packets)[batch.written :]

    def wrote(self, count: int) -> list[Span]:
        """Take note that so many of those bytes were written, and give the messages that are done by it."""
        batch = self._unwritten[0]
        batch.written += count
        if batch.written == len(batch.packets):
            self._unwritten.popleft()
        return [] if self._qos else self._advance(batch.first + batch.written // self._size - self._base)

    def acknowledged(self, received: bytes) -> tuple[list[Span], list[Answer]]:
        """Take what the broker sent: give the messages that are done by it, and the packets that are no PUBACK. ConnectionError as `answers`."""
        received = self._rest + received
        count, at = len(received) // 4, 4 * (self._base % IDS)
        if not self._early and count * 4 == len(received) and received == PUBACKS[at : at + len(received)] and count <= self.waiting:
            self._rest = b""
            return self._advance(count), []
        found, self._rest = answers(received)
        spans, others = [], []
        for answer in found:
            if answer.kind == PUBACK and len(answer.body) == 2:
                spans += self._acknowledge(int.from_bytes(answer.body, "big"))
            else:
                others.append(answer)
        return spans, others

    def again(self) -> None:
        """Begin anew on another connection: what was written, whole or in part, and has no PUBACK is written again with DUP (§3.3.1.1).

        At QoS 0 only what was cut in the middle is written again. A message that was acknowledged before an older one is written again too:
        its second PUBACK is for nothing that waits.
        """
        self._rest = b""
        self._kept = deque(self._remaining(batch) for batch in self._kept)
        self._unwritten = deque(self._kept)

    def _remaining(self, batch: Batch) -> Batch:
        """Give the part of a batch that is not done."""
        size, done = self._size, max(self._base - batch.first, 0)
        packets = bytearray(batch.packets[done * size :])
        touched = -(-max(batch.written - done * size, 0) // size) if self._qos else 0
        packets[: touched * size : size] = bytes([packets[0] | DUP]) * touched
        return Batch(batch.first + done, batch.count - done, packets, batch.made)

    def _acknowledge(self, packet_id: int) -> list[Span]:
        position = self._base + (packet_id - 1 - self._base) % IDS
        if position >= self.end or position in self._early:
            return []
        if position > self._base:
            self._early.add(position)
            batch = next(batch for batch in self._kept if position < batch.first + batch.count)
            return [Span(batch, position - batch.first, position - batch.first + 1)]
        spans = self._advance(1)
        while self._base in self._early:
            self._early.remove(self._base)
            self._advance(1)
        return spans

    def _advance(self, count: int) -> list[Span]:
        spans = []
        while count:
            batch = self._kept[0]
            start = self._base - batch.first
            taken = min(count, batch.count - start)
            spans.append(Span(batch, start, start + taken))
            if start + taken == batch.count:
                self._kept.popleft()
            self._base += taken
            count -= taken
        return spans
