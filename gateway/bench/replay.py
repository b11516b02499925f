"""How many readings a second `sluice backtest` takes, from a file to the decisions."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

FLOW = """\
name: climate
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1m, lateness: 10s}
aggregate: {warm: mean(temperature), hot: max(temperature), n: count(temperature)}
trigger: {when: warm > 25.5, clear: warm < 25.0}
do: [{alert: "{device} at {warm:.1f}"}]
"""
DEVICES, START_MS, EVERY_MS = 50, 1_767_225_600_000, 20


@dataclass(frozen=True)
class Backtest:
    """Readings a second, the start of the command among it."""

    readings: int
    seconds: float
    rate: float

    def document(self) -> dict[str, Any]:
        return asdict(self)


def write_csv(path: Path, readings: int) -> None:
    """Write readings as a file that was exported somewhere: 50 a second, each of another device, and the same each time."""
    chance = random.Random(1)  # noqa: S311  no secret
    with path.open("w") as lines:
        lines.write("time,device,metric,value\n")
        for number in range(readings):
            lines.write(f"{START_MS + number * EVERY_MS},t{number % DEVICES},temperature,{20 + 10 * chance.random():.2f}\n")


def backtest(folder: Path, *, readings: int = 1_000_000) -> Backtest:
    """Run the command on a CSV file of fifty devices that say something in turn."""
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "climate.yaml").write_text(FLOW)
    write_csv(folder / "readings.csv", readings)
    words = [sys.executable, "-c", "from gateway.cli import main; main()", "backtest", "climate", "--config", str(folder), "--json"]
    began = monotonic()
    subprocess.run([*words, "--input", str(folder / "readings.csv")], stdout=subprocess.DEVNULL, check=True)  # noqa: S603  our own words
    took = monotonic() - began
    return Backtest(readings, round(took, 2), round(readings / took))
