"""The status document: what `sluice status --json` prints, from what the parts leave on disk."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any, TextIO

import msgspec

from gateway.config import CLUSTER_STATE, CONFIG_STATE, Folder, digest
from gateway.delivery.state import read_state as read_delivery
from gateway.disk import free
from gateway.failures import failures_document
from gateway.family import family
from gateway.journal.reader import newest_row, total_at
from gateway.journal.segment import Segment, segments
from gateway.ledger import EMPTY, Books, Ledger, balance
from gateway.set_aside import events
from gateway.state_file import read_state
from gateway.store.errors import StoreAbsentError, StoreError
from gateway.store.reader import StoreReader

LOCK = "up.lock"
UP_STATE = "up.json"
GATEWAY_STATE = "gateway.json"
CONNECTING = "connecting"
"""What is said of a link that has not tried yet."""
UNREADABLE = (StoreError, sqlite3.Error, OSError)
"""What reading the data folder may raise where a file of it is damaged or the disk fails."""
_GLANCE = 0.5
"""Seconds for which whoever only looks at the lock may keep an `up` from taking it."""
_SETTLE = 2.0
"""Seconds within which two parts that count side by side agree, where nothing is lost between them."""

_READ = 3.0
"""Seconds within which the flows have read what was changed in the config folder, or something is wrong with them."""


def hold_lock(data: Path) -> TextIO:
    """Take the data folder for one `sluice up`; it is free again when the process ends, however it ends.

    Raises:
        BlockingIOError: another one has it.

    """
    data.mkdir(parents=True, exist_ok=True)
    lock = (data / LOCK).open("a+")
    patience = monotonic() + _GLANCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another `up`, or only a `sluice status` that looks whether there is one
            if monotonic() > patience:
                lock.close()
                raise
            sleep(_GLANCE / 50)
        else:
            for state in (UP_STATE, CONFIG_STATE, GATEWAY_STATE, CLUSTER_STATE):
                (data / state).unlink(missing_ok=True)
            return lock


def read_up(data: Path) -> dict[str, Any] | None:
    """Give what runs on a data folder (site, broker, processes; empty while it starts); None where nothing does."""
    path = data / LOCK
    if not path.exists():
        return None
    with path.open("r") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return read_state(data / UP_STATE)
    return None


def gateway_state(data: Path, up: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give what the gateway process says of itself; nothing where the one that said it has ended."""
    said = read_state(data / GATEWAY_STATE) if up else {}
    return said if up and said.get("pid") == up.get("processes", {}).get("gateway") else {}


def cluster_document(data: Path) -> dict[str, Any]:
    """Give which of a cluster's hosts this is (`member`, `hosts`), and for whom its flows wait (`waits`; "" where all run); empty without one."""
    return read_state(data / CLUSTER_STATE)


def config_behind(data: Path, config: Path) -> bool:
    """Tell whether what runs is not what the config folder says: it has findings, or waits for a restart; False where nothing runs.

    What was changed a moment ago is given the time that it takes to be read.
    """
    give_up = monotonic() + _READ
    while read_up(data) is not None:
        state = read_state(data / CONFIG_STATE)
        read = state.get("read") == digest(Folder(config).contents())
        if read or monotonic() > give_up:
            return not read or bool(state["findings"] or state["pending"])
        sleep(0.05)
    return False


def read_ledger(data: Path, *, at_rest: bool) -> Ledger:
    """Balance the books. While things run, look again for a moment before calling anything a flaw: parts count side by side."""
    give_up = monotonic() + _SETTLE
    while True:
        ledger = balance(read_books(data, at_rest=at_rest))
        if ledger.balanced or at_rest or monotonic() > give_up:
            return ledger
        sleep(0.1)


def read_books(data: Path, *, at_rest: bool) -> Books:
    """Read what the parts have counted: the journal last, so that it is never behind those who read it.

    Raises:
        StoreError: the store is there and cannot be read.

    """
    counters, stored, progress = [], {}, None
    try:
        with StoreReader(data / "store.db") as reader, reader.snapshot():
            progress = reader.progress()
            counters = [(c.stage, c.scope, c.device, c.term, c.value) for c in reader.counters()]
            stored = reader.taken_by_device()
    except StoreAbsentError:
        pass  # nothing has run yet
    journal = data / "journal" / "0"
    read = total_at(journal, progress.offset) if progress else 0
    newest = newest_row(journal)
    return Books(newest.total if newest else 0, read, counters, stored, at_rest=at_rest)


def status(data: Path) -> dict[str, Any]:
    """Give the status document."""
    up = read_up(data)
    gateway = gateway_state(data, up)
    document: dict[str, Any] = {"running": up is not None, **{k: v for k, v in (up or {}).items() if k not in {"processes", "reserve"}}}
    document["link"] = gateway.get("link", CONNECTING) if up is not None else "stopped"
    document["blocked"] = gateway.get("blocked", "")
    document.setdefault("restarts", {})
    document["set_aside"] = [dict(event) for event in events(data)]
    document |= _books_document(data, at_rest=up is None)
    document["journal"] = journal_document(data)
    document["delivery"] = deliveries(data)
    document["config"] = config_document(data) if up else {}
    if up and (cluster := cluster_document(data)):
        document["cluster"] = cluster
    document["disk"] = disk_document(data, up or {})
    processes = up.get("processes", {}) if up else {}
    document["memory"], document["open_files"] = memories(processes), open_files(processes)
    return document


def _books_document(data: Path, *, at_rest: bool) -> dict[str, Any]:
    document: dict[str, Any] = {}
    try:
        document["ledger"] = read_ledger(data, at_rest=at_rest).document()
        with StoreReader(data / "store.db") as reader:
            counts, size = reader.counts(), reader.size()
            document["readings"] = counts.readings
            document["windows"] = counts.windows
            document["alerts"] = counts.alerts
            document["commands"] = counts.commands
            document["failures"] = failures_document(reader, document["ledger"]["flows"])
            document["store"] = {"points": size.points, "bytes": size.bytes, "shed": reader.shed()}
    except UNREADABLE as error:
        absent = isinstance(error, StoreAbsentError)
        document.setdefault("ledger", {**EMPTY.document(), "balanced": False, "flaws": [str(error)]})
        document["store"] = {"points": 0, "bytes": 0, **({} if absent else {"error": str(error)})}
    return document


def journal_document(data: Path) -> dict[str, Any]:
    """Give the journal's bytes, and when its oldest row came (epoch ns; None where there is none, or it cannot be read)."""
    found = segments(data / "journal" / "0")
    size, oldest = 0, None
    for path in found:
        for part in (path, path.with_name(f"{path.name}-wal")):
            with suppress(OSError):  # dropped meanwhile, or without a log
                size += part.stat().st_size
    with suppress(*UNREADABLE):
        if found:
            segment = Segment(found[0])
            try:
                oldest = next((row.received for row in segment.after(0, 1)), None)
            finally:
                segment.close()
    return {"bytes": size, "oldest": oldest}


def disk_document(data: Path, up: Mapping[str, Any]) -> dict[str, int]:
    """Give the bytes that are free on the disk of the data folder, and while Sluice runs how many are to stay free."""
    reserve = {"reserve": int(up["reserve"])} if "reserve" in up else {}
    with suppress(OSError):
        return {"free": free(data), **reserve}
    return reserve


def config_document(data: Path) -> dict[str, Any]:
    """Give which config runs, and how the one in the folder differs from it: empty until the flows have read one.

    `ok` where nothing is wrong with the folder, `pending` the files in it that take effect at the next start.
    """
    state = read_state(data / CONFIG_STATE)
    return {"ok": not state["findings"], **{name: told for name, told in state.items() if name != "read"}} if state else {}


def deliveries(data: Path) -> dict[str, dict[str, Any]]:
    """Give how each destination stands that rows were ever delivered to."""
    try:
        with StoreReader(data / "store.db") as reader:
            found = [read_delivery(path.stem, path, reader, now=time_ns()) for path in sorted((data / "delivery").glob("*.db"))]
    except UNREADABLE:
        return {}
    return {one.name: {k: v for k, v in msgspec.structs.asdict(one).items() if k not in {"name", "streams"}} for one in found}


def memories(processes: Mapping[str, int]) -> dict[str, int]:
    """Give the memory of each process in bytes, by name."""
    return {name: memory(pid) for name, pid in processes.items()}


def memory(pid: int) -> int:
    """Give the proportional set size of a process and those that it has started, in bytes, 0 where it cannot be told (proc_pid_smaps(5))."""
    return sum(map(_own_memory, family(pid)))


def _own_memory(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:")), 0)


def open_files(processes: Mapping[str, int]) -> dict[str, int]:
    """Give how many files each process has open, by name; 0 where it cannot be told."""
    found = {}
    for name, pid in processes.items():
        found[name] = 0
        for one in family(pid):
            with suppress(OSError):
                found[name] += sum(1 for _ in Path(f"/proc/{one}/fd").iterdir())
    return found
