"""What a load comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Loaded:
    """What a load has come to so far. At QoS 0 nothing is acknowledged: that, and the latencies, are None.

    `seconds` runs until the last acknowledgement, at QoS 0 until the broker answers a ping behind the last message; `rate` is what was
    acknowledged, or at QoS 0 written, in a second of that. The latencies, in ms, run from a message's making to its PUBACK, however often it was sent.
    `lagging` is by how many seconds the load was behind its shape at worst.
    """

    sent: int
    acknowledged: int | None
    seconds: float
    rate: float
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    bytes: int
    connections: int
    reconnects: int
    lagging: float
