"""What more than one worker brings: the same journal, read to its end by one and by several, with no broker beside them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.bench.stand import FLOWS
from gateway.bench.waiting import StuckError, until
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.store.errors import StoreAbsentError
from gateway.store.reader import StoreReader

_DEVICES = 1_000
_A_ROW, _A_SECOND = 500, 10_000
"""Messages in a row of the journal, and in a second of its time."""
_START = 1_767_225_600_000_000_000


@dataclass(frozen=True)
class Shared:
    """Messages a second that so many workers take from a journal, once each device is known; `windows` is how many windows they gave."""

    workers: int
    rate: float
    windows: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def shared(folder: Path, *, workers: int, messages: int = 300_000) -> Shared:
    """Let so many workers read a journal of the load's messages, with the load's flows. Raises StuckError."""
    config, data = folder / "config", folder / "data"
    (config / "flows").mkdir(parents=True)
    for name, text in FLOWS.items():
        (config / "flows" / f"{name}.yaml").write_text(text)
    (config / "gateway.yaml").write_text(json.dumps({"site": "bench", "flows": {"workers": workers}}))
    first, last = _write_journal(data / "journal" / "0", messages)
    words = [sys.executable, "-m", "flows.run", "--config", str(config), "--data", str(data)]
    flows = subprocess.Popen(words, stderr=subprocess.DEVNULL)  # noqa: S603  our own words
    try:
        opened = until(partial(_reader, data / "store.db"), "the flows begin")
        assert opened
        with opened as reader:

            def reached(offset: int) -> bool:
                if flows.poll() is not None:
                    raise StuckError(f"the flows ended with {flows.returncode}")
                progress = reader.progress()
                return progress is not None and progress.offset >= offset

            until(lambda: reached(first), "each device is known")
            began = monotonic()
            until(lambda: reached(last), "the journal is read", 600)
            took = monotonic() - began
            return Shared(workers, round((last - first) * _A_ROW / took), sum(reader.counts().windows.values()))
    finally:
        flows.send_signal(signal.SIGTERM)
        flows.wait(30)


def _reader(path: Path) -> StoreReader | None:
    """Open a store; None where there is none yet."""
    try:
        return StoreReader(path)
    except StoreAbsentError:
        return None


def _write_journal(directory: Path, messages: int) -> tuple[int, int]:
    """Write a journal; give the row with which each device has said ten things, and the last one."""
    directory.mkdir(parents=True)
    segment = Segment(segment_path(directory, 1), write="batched")
    count = messages // _A_ROW
    for number, body in enumerate(_bodies(count)):
        at = number * _A_ROW * 1_000_000_000 // _A_SECOND
        segment.append(Row(number + 1, Kind.MESSAGES, _START + at, 1 + at, 1, 1, True, _A_ROW, (number + 1) * _A_ROW, body))
    segment.close()
    return 10 * _DEVICES // _A_ROW, count


def _bodies(count: int) -> Iterator[bytes]:
    chance = random.Random(1)  # noqa: S311  no secret
    for row in range(count):
        yield pack([_message((row * _A_ROW + place) % _DEVICES, chance) for place in range(_A_ROW)])


def _message(device: int, chance: random.Random) -> Entry:
    """Make a message of four values, 115 bytes long."""
    said = {
        "temperature": round(chance.uniform(20, 30), 3),
        "humidity": round(chance.uniform(40, 60), 3),
        "pressure": round(chance.uniform(980, 1020), 2),
        "battery": round(chance.uniform(50, 100), 2),
    }
    return Entry(f"load/d{device:05}", json.dumps(said).encode(), 1)
