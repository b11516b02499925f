"""What happens to the gateway's own files: damage, and an older version's."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from time import time

from faults.account import opened
from faults.fault import fault
from faults.rig.rig import FLOW, Rig
from gateway.journal.reader import JournalReader
from gateway.journal.row import Kind

RELEASED = Path(__file__).parents[1] / "released"
"""What earlier versions left on the disk when they were killed, as SQL; `truth.jsonl` is what their journal has."""

FILES = (
    *("journal/0/*.db", "journal/0/*.db-wal", "journal/0/durable", "store.db", "store.db-wal", "recovery/*.sqlite3", "commands.db"),
    *("delivery/*.db", "gateway.json", "up.json", "subscriptions.json", "config/**/*.yaml", "config.json"),
)


@fault(
    "F25", "files damaged before a start", scaled="150 cases for 500: emptied, cut short, a byte changed, another's content, the log gone"
)
def damaged(rig: Rig) -> None:
    """Each case begins from the same folder of a gateway that was killed; what the damage spared must be there afterwards."""
    cases = round(rig.length(150, 6))
    sluice = rig.sluice(history=False)
    sluice.start()
    load = rig.publish(rate=rig.length(500, 800), seconds=rig.length(5, 2.5))
    load.wait()
    rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, "everything sent has been read", 30)
    sluice.kill_everything()
    sound = rig.folder / "sound"
    shutil.copytree(rig.data, sound, ignore=shutil.ignore_patterns("bell", "*.bell"))
    slowest, damages, incomplete = 0.0, 0, 0
    for case in range(cases):
        shutil.rmtree(rig.data)
        shutil.copytree(sound, rig.data)
        what = _damage(rig.data, Random(case))
        try:
            took = sluice.start(within=20)
        except AssertionError as error:
            rig.must(False, f"case {case}, {what}: {str(error)[:300]}")
            if sluice.running():
                sluice.kill_everything()
            continue
        slowest = max(slowest, took)
        rig.wait(lambda: rig.status()["ledger"]["pending"] == 0, f"case {case}, {what}: everything has been read", 20)
        ledger = rig.status()["ledger"]
        rig.must(not ledger["flaws"], f"case {case}, {what}: {ledger['flaws'][:2]}")
        told = bool(rig.status().get("set_aside")) or ledger.get("set_aside", 0)
        damages += bool(told)
        missing = _missing(load.truth, rig.data)
        incomplete += bool(missing)
        rig.must(not missing or told, f"case {case}, {what}: {missing} messages are gone without a word")
        sluice.kill_everything()
    rig.note(
        f"{cases} cases: the slowest start took {slowest:.1f} s; {damages} times something was set aside, {incomplete} times messages with it"
    )
    rig.must(slowest < 20, f"starts within 20 s; took {slowest:.1f} s")
    shutil.rmtree(rig.data)
    shutil.copytree(sound, rig.data)
    sluice.start()
    rig.recovered(30)
    rig.account()


def _damage(data: Path, random: Random) -> str:
    """Damage one file in one way."""
    files = sorted(path for pattern in FILES for path in data.glob(pattern) if path.is_file() and path.stat().st_size)
    path = random.choice(files)
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
    return f"{path.relative_to(data)} {how}"


def _missing(truth: Path, data: Path) -> int:
    """Count messages that are neither in the store nor in the journal any more."""
    query = "SELECT series.device, readings.value FROM readings JOIN series ON series.id = readings.series WHERE series.metric = 'seq'"
    with opened(data / "store.db") as db:
        stored = {(device, int(value)) for device, value in db.execute(query)}
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
