"""What a message costs the processor, by how many devices there are and how many flows want it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gateway.bench.stand import CLIMATE, FLOWS, Stand
from gateway.status import memories

_RATE, _RATE_OF_MANY_FLOWS = 2_000, 200
"""Messages a second: fewer than one worker keeps up with, so that nothing but the message is paid for in the same way each time."""


@dataclass(frozen=True)
class Cost:
    """By process: `cpu` in µs of processor a message, and `memory` in bytes at the end."""

    devices: int
    flows: int
    rate: int
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return asdict(self)


def with_devices(folder: Path, *, devices: int, seconds: float) -> Cost:
    """Measure it with the bench's two flows. Raises StuckError."""
    return _measured(folder, FLOWS, devices=devices, rate=_RATE, seconds=seconds)


def with_flows(folder: Path, *, flows: int, seconds: float) -> Cost:
    """Measure it with so many flows, all of which want every message. Raises StuckError."""
    several = {f"climate-{number}": CLIMATE.replace("climate", f"climate-{number}") for number in range(flows)}
    return _measured(folder, several, devices=1_000, rate=_RATE_OF_MANY_FLOWS, seconds=seconds)


def _measured(folder: Path, flows: dict[str, str], *, devices: int, rate: int, seconds: float) -> Cost:
    with Stand(folder, limits={"series": 10 * devices}) as stand:
        stand.start_gateway(flows)
        stand.teach(devices, rate=rate)
        before = stand.taken()
        sent = int(stand.read(stand.load(qos=1, seconds=seconds, devices=devices, rate=rate))["sent"])
        after = stand.taken()
        cpu = {name: round(after[name].since(before[name]).cpu / sent * 1e6, 1) for name in ("gateway", "flows")}
        held = memories(stand.processes())
        return Cost(devices, len(flows), rate, cpu, {name: held[name] for name in cpu})
