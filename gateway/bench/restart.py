"""How long the flows are away when they are killed with many windows open."""

from __future__ import annotations

import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.bench.stand import Stand
from gateway.bench.waiting import until
from gateway.journal.reader import newest_row
from gateway.journal.retention import read_durable
from gateway.status import memory
from gateway.store.reader import StoreReader

_HOURLY = """\
name: hourly
select: {metrics: [temperature]}
group: [device]
window: {kind: tumbling, length: 1h}
aggregate: {warm: mean(temperature), hot: max(temperature)}
"""
_RATE, _RATE_MEANWHILE = 4_000, 200
"""Messages a second while the windows are opened, and while the flows are away."""
_LOAD = 20.0
_CLOSE = 20
"""Rows of the journal, which come at that rate, that the flows may be behind to count as live: a tenth of a second's."""


@dataclass(frozen=True)
class Restart:
    """Seconds from `kill -9` of the flows until they had read what came to the journal meanwhile, and so take what comes now; `memory` in bytes."""

    windows: int
    seconds: float
    memory: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def restart(folder: Path, *, windows: int = 100_000) -> Restart:
    """Open a window for each of so many devices, wait for the snapshot that holds them, and kill the flows. Raises StuckError."""
    with Stand(folder) as stand:
        stand.start_gateway({"hourly": _HOURLY})
        stand.teach(windows, rate=_RATE)
        journal = stand.data / "journal" / "0"
        newest = newest_row(journal)
        until(lambda: newest and read_durable(journal) >= newest.offset, "a snapshot holds the windows", 120)
        flows = stand.processes()["flows"]
        load = stand.load(qos=1, seconds=_LOAD, devices=windows, rate=_RATE_MEANWHILE)
        until(lambda: (row := newest_row(journal)) and newest and row.offset > newest.offset, "the load comes")
        with StoreReader(stand.data / "store.db") as reader:
            before = newest_row(journal)
            began = monotonic()
            os.kill(flows, signal.SIGKILL)

            def live() -> bool:
                row, progress, now = newest_row(journal), reader.progress(), stand.processes().get("flows", flows)
                if now == flows or not (row and progress and before):
                    return False
                return progress.offset > before.offset and row.offset - progress.offset <= _CLOSE

            until(live, "the flows read again")
            took = monotonic() - began
        held = memory(stand.processes()["flows"])
        stand.read(load)
        return Restart(windows, round(took, 2), held)
