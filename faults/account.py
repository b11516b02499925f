"""The account of a fault: what was sent, and where each message is now, from stored data and from no counter of the gateway's."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from math import fsum, isclose
from pathlib import Path
from typing import Any

from faults.rig.history import History
from faults.rig.publishers import Sent
from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind
from gateway.store import batches

Key = tuple[str, int]
"""A message: its device and its sequence number."""

_LOADED = re.compile(r"d\d+-\d")
"""The devices of a load."""
WINDOW = 1_000_000_000
"""ns: the tumbling window of the flow that every fault runs with."""


@dataclass(frozen=True)
class Account:
    """Where the messages are. `lost`, `phantom`, `doubled`, `uncounted` and `window_diff` must be 0; `extra` are points written more than once.

    `doubled` are messages that the store has twice; `command_ids` is the most command ids that one trigger had.
    """

    sent: int
    stored: int
    rejected: int
    dropped: int
    buffered: int
    lost: int
    phantom: int
    doubled: int
    extra: int
    uncounted: int
    windows: int
    window_diff: int
    commands: int
    command_ids: int


def account(
    sent: Iterable[Sent], data: Path, history: History | None, *, at_most_once: Iterable[Sent] = (), normalised: int | None = None
) -> Account:
    """Hold what was sent against what is stored. `normalised` is the ledger's own count, where nothing but this was sent.

    What was sent `at_most_once` (QoS 0) and is not there is no loss, since the broker may have dropped it; nor are its windows looked at.
    """
    unsure = {(one.device, one.seq) for one in at_most_once}
    aside = {device for device, _ in unsure}
    truth = {(one.device, one.seq): one for one in sent}
    store = _stored(data / "store.db")
    rejected = _rejected(data / "store.db")
    buffered, dropped = _journalled(data)
    lasting = Counter(store)
    points: Counter[Key] = Counter()
    if history:
        points = Counter({(device, int(value)): count for (device, value), count in history.samples("seq_value").items()})
        lasting = points
    missing = Counter(device for device, seq in truth.keys() - lasting.keys() - rejected.keys() - buffered.keys())
    expected, got = _windows(truth[key] for key in truth.keys() & lasting.keys()), _stored_windows(data / "store.db")
    if history and expected.keys() - got.keys():  # what the store has given up, the history has
        got = {**_windows_of(history), **got}
    got = {place: window for place, window in got.items() if place[0] not in aside}
    differing = [key for key in expected.keys() | got.keys() if not _same(expected.get(key), got.get(key))]
    by_cause = _commands(data / "store.db")
    return Account(
        sent=len(truth),
        stored=len(lasting.keys() & truth.keys()),
        rejected=len(rejected.keys() & truth.keys()),
        dropped=sum(dropped.values()),
        buffered=len((buffered.keys() & truth.keys()) - lasting.keys()),
        lost=sum((missing - dropped).values()),
        phantom=len((store.keys() | points.keys()) - truth.keys() - unsure),
        doubled=sum(count - 1 for count in store.values()),
        extra=sum(count - 1 for count in points.values()),
        uncounted=0 if normalised is None else abs(normalised - sum(store.values())),
        windows=len(expected),
        window_diff=len(differing),
        commands=sum(len(ids) for ids in by_cause.values()),
        command_ids=max((len(ids) for ids in by_cause.values()), default=0),
    )


def windows_there(sent: Iterable[Sent], data: Path) -> bool:
    """Tell whether every window that the messages make has been written."""
    stored = _stored(data / "store.db")
    return _windows(one for one in sent if (one.device, one.seq) in stored).keys() <= _stored_windows(data / "store.db").keys()


@contextmanager
def opened(store: Path) -> Iterator[sqlite3.Connection]:
    """Read a store of Sluice's; let go of its file afterwards."""
    with closing(sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True, timeout=30.0)) as db:
        yield db


def values(db: sqlite3.Connection, which: str = "true") -> Iterator[tuple[str, Any]]:
    """Give device and value (as it is stored) of each reading of the series that this condition names."""
    devices = dict(db.execute(f"SELECT id, device FROM series WHERE {which}"))
    yield from ((devices[row[1]], row[3]) for row in batches.after(db, -1) if row[1] in devices)


def _stored(store: Path) -> Counter[Key]:
    with opened(store) as db:
        return Counter((device, int(value)) for device, value in values(db, "metric = 'seq' AND convention = 'plain_json'"))


def _rejected(store: Path) -> Counter[Key]:
    with opened(store) as db:
        return Counter(key for topic, payload in db.execute("SELECT topic, payload FROM dead_letters") for key in _keys(topic, payload))


def _keys(topic: str, payload: bytes) -> Iterator[Key]:
    """Give the message that a payload of the load is; none for anything else."""
    try:
        yield topic.rpartition("/")[2], int(json.loads(payload)["seq"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return


def _journalled(data: Path) -> tuple[Counter[Key], Counter[str]]:
    """Give what the journal has and the flows have not read, and how many messages were shed, by device."""
    with opened(data / "store.db") as db:
        found = db.execute("SELECT position FROM progress").fetchone()
    read = found[0] if found else 0
    waiting: Counter[Key] = Counter()
    shed: Counter[str] = Counter()
    reader = JournalReader(data / "journal" / "0")
    try:
        while rows := reader.read(64):
            for row in rows:
                if row.kind == Kind.SHED:
                    for one in row.sheds():
                        shed[one.topic.rpartition("/")[2]] += one.count
                elif row.kind == Kind.MESSAGES and row.offset > read:
                    waiting.update(key for entry in row.entries() for key in _keys(entry.topic, entry.payload))
    finally:
        reader.close()
    return waiting, shed


Window = tuple[int, float, float]
"""How many readings, their greatest and their mean."""
Place = tuple[str, int]
"""A device and the end of a window, epoch ns."""


def _windows(sent: Iterable[Sent]) -> dict[Place, Window]:
    values: dict[Place, list[float]] = defaultdict(list)
    for one in sent:
        ts = one.ts * 1_000_000
        values[one.device, ts - ts % WINDOW + WINDOW].append(one.temperature)
    return {place: (len(all_), max(all_), fsum(all_) / len(all_)) for place, all_ in values.items()}


def _stored_windows(store: Path) -> dict[Place, Window]:
    newest: dict[Place, tuple[int, Window]] = {}
    with opened(store) as db:
        for (body,) in db.execute("SELECT body FROM effects WHERE kind = 'window' AND flow = 'summary'"):
            one: dict[str, Any] = json.loads(body)
            place = (dict(one["group"])["device"], one["end"])
            if _LOADED.match(place[0]) is None:  # another than the load's
                continue
            if place not in newest or one["revision"] > newest[place][0]:
                newest[place] = one["revision"], (one["values"]["n"], one["values"]["hot"], one["values"]["warm"])
    return {place: window for place, (_, window) in newest.items()}


def _windows_of(history: History) -> dict[Place, Window]:
    parts: dict[str, dict[Place, float]] = {}
    for name in ("n", "hot", "warm"):
        series = [(metric["device"], points) for metric, points in history.series(f"summary_{name}")]
        parts[name] = {
            (device, ts * 1_000_000): value for device, points in series for ts, value in points.items() if _LOADED.match(device)
        }
    return {place: (int(count), parts["hot"][place], parts["warm"][place]) for place, count in parts["n"].items()}


def _same(expected: Window | None, got: Window | None) -> bool:
    if expected is None or got is None:
        return False
    return expected[:2] == got[:2] and isclose(expected[2], got[2], rel_tol=1e-9)


def _commands(store: Path) -> dict[str, set[str]]:
    """Give the ids of commands by the alert that caused them."""
    found: dict[str, set[str]] = defaultdict(set)
    with opened(store) as db:
        for (body,) in db.execute("SELECT body FROM effects WHERE kind = 'command'"):
            one = json.loads(body)
            found[one["cause"]].add(one["id"])
    return found
