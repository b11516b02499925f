"""From a sensor's message to the command at its actuator, with a load beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.bench.stand import FLOWS, Stand, loaded

_PROBE = """\
name: probe-limit
select: {metrics: [probe]}
group: [device]
window: {kind: none}
trigger: {when: value > 50.0, clear: value < 50.0}
do:
  - command: {device: valve, set: {state: "ON"}, confirm: {within: 5s, retries: 1}}
    on_clear: {set: {state: "OFF"}}
"""
_VALVE = "devices: [valve]\nconvention: plain_json\nbase: plant/valve\n"
_A_SECOND = 20.0
"""Commands a second."""


@dataclass(frozen=True)
class Latency:
    """Milliseconds from sensor to command, beside a load of `rate` messages a second, the journal synced to the disk before anything else."""

    rate: int
    commands: int
    unanswered: int
    p50: float
    p99: float
    longest: float

    def document(self) -> dict[str, Any]:
        return asdict(self)


def latency(folder: Path, *, rate: int, seconds: float) -> Latency:
    """Measure it with the load's own flows beside the one that commands. Raises StuckError."""
    with Stand(folder) as stand:
        stand.start_gateway({**FLOWS, "probe-limit": _PROBE}, {"valve": _VALVE})
        stand.read(stand.load(qos=1, seconds=3, devices=1000, rate=1000))  # what each device costs once
        load = stand.load(qos=1, seconds=seconds + 4, devices=1000, rate=rate)
        words = [sys.executable, "-m", "simulator.probe", "--broker-url", stand.broker.url, "--rate", str(_A_SECOND), "--for", str(seconds)]
        done = subprocess.run(words, capture_output=True, check=True, timeout=seconds * 20 + 60)  # noqa: S603  our own words
        loaded(load)
    found = json.loads(done.stdout)
    ordered = sorted(found["latencies"])

    def part(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))], 2) if ordered else 0.0

    return Latency(rate, len(ordered), found["unanswered"], part(0.5), part(0.99), part(1.0))
