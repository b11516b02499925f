"""What happens to the gateway's own files: damage, and an older version's."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from random import Random
from time import time
from typing import NamedTuple

from faults.account import opened, values
from faults.fault import fault
from faults.rig.broker import Broker
from faults.rig.peak import Peak
from faults.rig.rig import FLOW, Rig
from faults.rig.sluice import Sluice
from gateway.bench.waiting import StuckError, until
from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind

RELEASED = Path(__file__).parents[1] / "released"
"""What earlier versions left on the disk when they were killed, as SQL; `truth.jsonl` is what their journal has."""

HOLDING = ("journal/0/*.db", "journal/0/*.db-wal", "store.db", "store.db-wal")
"""Files that hold messages."""
FILES = (
    *(
        "journal/0/*.db",
        "journal/0/*.db-wal",
        "journal/0/durable",
        "store.db",
        "store.db-wal",
        "recovery/*.sqlite3",
        "recovery/repeats.*",
        "commands.db",
    ),
    *("delivery/*.db", "gateway.json", "up.json", "subscriptions.json", "config/**/*.yaml", "config.json"),
)


@fault(
    "F25",
    "files damaged before a start",
    scaled="500 files, three a start: emptied, cut short, a byte changed, another's content, the log gone",
)
def damaged(rig: Rig) -> None:
    """Each case begins from the same folder of a gateway that was killed; what the damage of three files spared must be there afterwards."""
    cases, side_by_side = round(rig.length(167, 3)), round(rig.length(3, 2))
    sluice = rig.sluice(history=False)
    sluice.start()
    load = rig.publish(rate=rig.length(500, 800), seconds=rig.length(5, 2.5))
    load.wait()
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything sent has been read", 30)
    sluice.kill_everything()
    sound = rig.folder / "sound"
    shutil.copytree(rig.data, sound, ignore=shutil.ignore_patterns("bell", "*.bell"))
    patients: SimpleQueue[Patient] = SimpleQueue()
    for number in range(side_by_side):
        patients.put(Patient(rig, sound, load.truth, number))
    with ThreadPoolExecutor(side_by_side) as pool:
        found = list(pool.map(lambda case: _treat(patients, case), range(cases)))
    for one in found:
        for bar in one.missed:
            rig.must(False, bar)
    slowest, told, lost = max(one.took for one in found), sum(one.told for one in found), sum(one.missing > 0 for one in found)
    memory = max(patients.get().end() for _ in range(side_by_side))
    rig.note(
        f"{cases} starts with three damaged files each, {side_by_side} at a time: the slowest took {slowest:.1f} s,"
        f" the most memory was {memory / 1e6:.0f} MB;"
        f" {told} times something was set aside, {lost} times messages with it"
    )
    rig.must(slowest < 20, f"starts within 20 s; took {slowest:.1f} s")
    sluice.start()
    rig.recovered(30)
    rig.account()


@dataclass
class Healed:
    """What became of one damaged folder: seconds to start, messages that are gone, whether something was said of it, and bars not held."""

    took: float = 0.0
    missing: int = 0
    told: bool = False
    missed: list[str] = field(default_factory=list)


def _treat(patients: SimpleQueue[Patient], case: int) -> Healed:
    patient = patients.get()
    try:
        return patient.start(case)
    finally:
        patient.stop()
        patients.put(patient)


class Patient:
    """A gateway with a folder and a broker of its own, damaged and started as often as one likes."""

    def __init__(self, rig: Rig, sound: Path, truth: Path, number: int) -> None:
        folder = rig.folder / f"patient-{number}"
        broker = Broker(folder / "broker")
        broker.start()
        rig.stack.callback(broker.stop)
        config = shutil.copytree(rig.config, folder / "config")
        (config / "gateway.yaml").write_text(json.dumps(rig.settings | {"broker": {"url": broker.url}}))
        self._sound, self._truth = sound, truth
        self._sluice = Sluice(config, folder / "data")
        rig.stack.callback(self.stop)
        self._peak = Peak(self._sluice.processes)

    def start(self, case: int) -> Healed:
        """Damage a sound folder, start on it, and look what is there."""
        data, sluice, healed = self._sluice.data, self._sluice, Healed()
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(self._sound, data)
        random = Random(case)
        holding, damages = _holding(data), list[Damage]()
        for _ in range(3):
            hit = {damage.file for damage in damages}
            # A message is in the journal, in the store, or in both: where both have lost their newest pages, nothing is left that could tell.
            damages.append(_damage(data, random, spared={*holding, *hit} if hit.intersection(holding) else hit))
        what = "; ".join(map(str, damages))
        try:
            healed.took = sluice.start(within=20)
            until(lambda: sluice.status()["ledger"]["pending"] == 0, "everything has been read", 20)
        except (AssertionError, StuckError) as error:
            healed.missed.append(f"case {case}, {what}: {str(error)[:300]}")
            return healed
        status = sluice.status()
        healed.told = bool(status.get("set_aside") or status["ledger"].get("set_aside", 0))
        healed.missing = _missing(self._truth, data)
        if status["ledger"]["flaws"]:
            healed.missed.append(f"case {case}, {what}: {status['ledger']['flaws'][:2]}")
        if healed.missing and not healed.told:
            healed.missed.append(f"case {case}, {what}: {healed.missing} messages are gone without a word")
        return healed

    def stop(self) -> None:
        """Kill it, where it runs."""
        if self._sluice.running():
            self._sluice.kill_everything()

    def end(self) -> int:
        """End it; gives the most memory that its parts took, in bytes."""
        self.stop()
        self._peak.stop()
        return self._peak.memory


def _holding(data: Path) -> list[str]:
    return [str(path.relative_to(data)) for pattern in HOLDING for path in data.glob(pattern)]


class Damage(NamedTuple):
    """A file of the data folder, and what was done to it."""

    file: str
    how: str

    def __str__(self) -> str:
        return f"{self.file} {self.how}"


def _damage(data: Path, random: Random, *, spared: Collection[str] = ()) -> Damage:
    """Damage one file in one way."""
    files = sorted(path for pattern in FILES for path in data.glob(pattern) if path.is_file() and path.stat().st_size)
    path = random.choice([path for path in files if str(path.relative_to(data)) not in spared])
    content = path.read_bytes()
    how = random.choice(("emptied", "cut short", "a byte changed", "swapped", "log gone", "removed"))
    if how == "emptied":
        path.write_bytes(b"")
    elif how == "cut short":
        path.write_bytes(content[: random.randrange(len(content))])
    elif how == "a byte changed":
        place = random.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ (1 << random.randrange(8))]) + content[place + 1 :])
    elif how == "swapped":
        path.write_bytes(random.choice([other for other in files if other != path]).read_bytes())
    elif how == "log gone":
        path.with_name(path.name.removesuffix("-wal") + "-wal").unlink(missing_ok=True)
    else:
        path.unlink()
    return Damage(str(path.relative_to(data)), how)


def _missing(truth: Path, data: Path) -> int:
    """Count messages that are neither in the store nor in the journal any more."""
    with opened(data / "store.db") as db:
        stored = {(device, int(value)) for device, value in values(db, "metric = 'seq'")}
    said = {(one["device"], one["seq"]) for one in map(json.loads, truth.open())}
    if not (missing := said - stored):
        return 0
    held = set()
    with closing(JournalReader(data / "journal" / "0")) as reader:
        rows_of = list(iter(lambda: reader.read(64), []))
    for rows in rows_of:
        for row in rows:
            for entry in row.entries() if row.kind == Kind.MESSAGES else ():
                if b'"seq"' in entry.payload:
                    held.add((entry.topic.rpartition("/")[2], json.loads(entry.payload)["seq"]))
    return len(missing - held)


@fault("F27", "an older version's files, another topic filter, a renamed flow", scaled="25 s; files of 0.1.0")
def upgraded(rig: Rig) -> None:
    data = rig.data
    for dump in sorted((RELEASED / "0.1.0").glob("*.sql")):
        path = data / dump.stem.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path)
        db.executescript(dump.read_text())
        db.execute("PRAGMA journal_mode=WAL")
        db.close()
    (rig.config / "flows" / "renamed.yaml").write_text(FLOW.replace("name: summary", "name: renamed"))
    rig.settings["broker"] = {"url": rig.broker().url, "subscribe": [{"topic": "load/#"}, {"topic": "plant/#"}]}
    sluice = rig.sluice()
    sluice.start()
    rig.told(RELEASED / "0.1.0" / "truth.jsonl")
    rig.publish(rate=rig.length(200, 800), seconds=rig.length(12, 2))
    rig.pause(rig.length(4, 0.3))
    sluice.stop()
    rig.settings["broker"]["subscribe"] = [{"topic": "load/#"}, {"topic": "other/#"}]
    rig.write_settings()
    sluice.start()
    rig.publish(rate=rig.length(200, 400), seconds=rig.length(10, 1))
    with rig.voice() as voice:
        voice.say_all([("plant/unwanted", '{"temperature": 1.5}'), ("other/wanted", '{"temperature": 1.5}')])
    rig.recovered(30)
    rig.account(pure=False)
    with opened(data / "store.db") as db:
        devices = {device for (device,) in db.execute("SELECT device FROM devices")}
    rig.must("wanted" in devices, "a topic filter that was added is taken in")
    rig.must("unwanted" not in devices, "a topic filter that was removed is not taken in any more")
    rig.note(f"state of 0.1.0 read on {time():.0f}; nothing set aside: {not rig.status().get('set_aside')}")
    rig.must(not rig.status().get("set_aside"), "nothing of the older version is set aside")
