"""What more than one worker brings, or host: the same journal, read to its end by one and by several, with no broker beside them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from gateway.bench.process import Taken
from gateway.bench.stand import FLOWS
from gateway.bench.waiting import StuckError, until
from gateway.broker.embedded import free_port
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
    """What so many workers, or so many hosts with one each, take from a journal once each device is known.

    `rate` is in messages a second, `cpu` in µs a message, of all of them together; `windows` is how many windows they gave.
    """

    workers: int
    hosts: int
    rate: float
    cpu: float
    windows: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def shared(folder: Path, *, workers: int = 1, hosts: int = 1, messages: int = 300_000) -> Shared:
    """Let them read a journal of the load's messages, or each host its share of it, with the load's flows. Raises StuckError."""
    cluster = [f"127.0.0.1:{free_port('127.0.0.1', 0)}" for _ in range(hosts)] if hosts > 1 else []
    members = [_Member(folder / str(number), number, cluster, workers) for number in range(hosts)]
    for member in members:
        member.write_journal(messages, hosts)
    try:
        for member in members:
            member.start()
        until(lambda: all(one.reached(one.known) for one in members), "each device is known")
        began, before = monotonic(), sum(one.cpu for one in members)
        until(lambda: all(one.reached(one.last) for one in members), "the journal is read", 600)
        took, cpu = monotonic() - began, sum(one.cpu for one in members) - before
        count = sum(one.last - one.known for one in members) * _A_ROW / hosts
        return Shared(workers, hosts, round(count / took), round(cpu / count * 1e6, 1), members[0].windows())
    finally:
        for member in members:
            member.ask_to_stop()
        for member in members:
            member.stop()


class _Member:
    """The flows of one host, on a folder of its own."""

    def __init__(self, folder: Path, number: int, cluster: list[str], workers: int) -> None:
        config, self._data = folder / "config", folder / "data"
        (config / "flows").mkdir(parents=True)
        for name, text in FLOWS.items():
            (config / "flows" / f"{name}.yaml").write_text(text)
        flows = {"cluster": cluster, "member": number} if cluster else {"workers": workers}
        (config / "gateway.yaml").write_text(json.dumps({"site": "bench", "broker": {"url": "mqtt://127.0.0.1"}, "flows": flows}))
        self._number = number
        self._words = [sys.executable, "-m", "flows.run", "--config", str(config), "--data", str(self._data)]
        self._flows: subprocess.Popen[bytes] | None = None
        self._store: StoreReader | None = None
        self.known = self.last = 0
        """The row of the journal with which each device has said some things, and the last one."""

    def write_journal(self, messages: int, shares: int) -> None:
        """Write this host's share of so many messages: of each row the messages at every so many places."""
        directory, count = self._data / "journal" / "0", messages // _A_ROW
        directory.mkdir(parents=True)
        segment = Segment(segment_path(directory, 1), write="batched")
        length = _A_ROW // shares
        for number, body in enumerate(_bodies(count, self._number, shares)):
            at = number * _A_ROW * 1_000_000_000 // _A_SECOND
            segment.append(Row(number + 1, Kind.MESSAGES, _START + at, 1 + at, 1, 1, True, length, (number + 1) * length, body))
        segment.close()
        self.known, self.last = 10 * _DEVICES // _A_ROW, count

    def start(self) -> None:
        self._flows = subprocess.Popen(self._words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603  our own words

    def reached(self, offset: int) -> bool:
        """Tell whether the flows have read a row."""
        assert self._flows
        if (status := self._flows.poll()) is not None:
            raise StuckError(f"the flows ended with {status}")
        self._store = self._store or _reader(self._data / "store.db")
        return self._store is not None and (progress := self._store.progress()) is not None and progress.offset >= offset

    def windows(self) -> int:
        assert self._store
        return sum(self._store.counts().windows.values())

    @property
    def cpu(self) -> float:
        """Seconds of processor until now."""
        assert self._flows
        return Taken.by(self._flows.pid).cpu

    def ask_to_stop(self) -> None:
        if self._flows:
            self._flows.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self._store:
            self._store.close()
        if self._flows:
            self._flows.wait(40)


def _reader(path: Path) -> StoreReader | None:
    """Open a store; None where there is none yet."""
    try:
        return StoreReader(path)
    except StoreAbsentError:
        return None


def _bodies(count: int, share: int, shares: int) -> Iterator[bytes]:
    """Give rows with one share of the messages: each device's go to all shares by turns."""
    chance = random.Random(1)  # noqa: S311  no secret
    for row in range(count):
        messages = [_message((row * _A_ROW + place) % _DEVICES, chance) for place in range(_A_ROW)]
        yield pack([one for place, one in enumerate(messages) if (place + row // 2) % shares == share])


def _message(device: int, chance: random.Random) -> Entry:
    """Make a message of four values, 115 bytes long."""
    said = {
        "temperature": round(chance.uniform(20, 30), 3),
        "humidity": round(chance.uniform(40, 60), 3),
        "pressure": round(chance.uniform(980, 1020), 2),
        "battery": round(chance.uniform(50, 100), 2),
    }
    return Entry(f"load/d{device:05}", json.dumps(said).encode(), 1)
