"""A house whose devices speak over one journal, and the flows process on it."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.store import batches, totals
from gateway.store.errors import StoreError
from gateway.store.reader import StoreReader

S = 1_000_000_000
T0 = 1_760_000_000 * S
ROWS = 240
FLOWS = {
    "climate": """
        select: {metrics: [temperature]}
        group: [device]
        window: {kind: tumbling, length: 5s, lateness: 1s}
        aggregate: {warm: mean(temperature), n: count(temperature)}
        trigger: {when: warm > 21.0, clear: warm < 20.0}
        do:
          - command: {device: "fan-{device}", set: {state: "ON"}}
            on_clear: {set: {state: "OFF"}}
        """,
    "house": """
        select: {metrics: [temperature, humidity]}
        group: []
        window: {kind: sliding, length: 20s, slide: 5s}
        aggregate: {high: p95(temperature), damp: max(humidity)}
        """,
    "warmer": """
        select: {metrics: [temperature], where: device != "t0"}
        group: [device]
        lookup: {first: {device: t0, metric: temperature}}
        window: none
        trigger: {when: value > first + 3.0}
        do: [{alert: "{device} is at {value:.1f}"}]
        """,
}
TABLES = {
    "series": "device, metric, channel, key, unit, first_seen, last_seen, last_value, last_unit, last_ts, last_id, count, kept, labels",
    "effects": "kind, flow, id, state, revision, time, at, body",
    "commands": "*",
    "dead_letters": "*",
    "devices": "device, convention, base, labels, first_seen",
    "counters": "*",
}


def message(chance, at):
    """What one of twelve devices says: as a form, as something else, late, again, or nothing that can be read."""
    device, stamp = f"t{chance.randrange(12)}", (at - chance.choice((0, 0, 0, 9 * S))) // 1_000_000
    said = {"temperature": round(chance.uniform(18, 24), 3), "humidity": chance.randrange(30, 90), "timestamp": stamp}
    if chance.random() < 0.1:
        return Entry(f"tele/tas{device}/SENSOR", json.dumps({"SI7021": {"Temperature": 20 + chance.random(), "Humidity": 44.0}}).encode())
    if chance.random() < 0.03:
        return Entry(f"home/{device}", b"{not JSON")
    if chance.random() < 0.03:
        said["note"] = chance.choice(("wet", "\ud800"))
    return Entry(f"home/{device}", json.dumps(said).encode())


def rows():
    chance, total = random.Random(5), 0
    for number in range(1, ROWS + 1):
        at, count = T0 + number * S // 2 + number, chance.choice((0, 1, 2, 8, 40))
        entries = [message(chance, at) for _ in range(count)]
        if count > 10:
            entries.append(entries[0])
        total += len(entries)
        kind = Kind.MESSAGES if entries else Kind.TICK
        yield Row(number, kind, at, at - T0 + S, 1, 1, True, len(entries), total, pack(entries) if entries else b"")


class Flows:
    """A data folder, and the flows process on it."""

    def __init__(self, folder):
        self.config, self.data = folder / "config", folder / "data"
        self.journal = self.data / "journal" / "0"
        (self.config / "flows").mkdir(parents=True)
        self.journal.mkdir(parents=True)
        (self.config / "gateway.yaml").write_text("site: home\n")
        self.written = 0
        for name, text in FLOWS.items():
            (self.config / "flows" / f"{name}.yaml").write_text(f"name: {name}\n{textwrap.dedent(text)}")

    def write(self, some):
        segment = Segment(segment_path(self.journal, 1), write="batched")
        for row in some:
            segment.append(row)
        segment.close()

    def start(self, workers, **settings):
        environment = {f"SLUICE_FLOWS__{name.upper()}": str(value) for name, value in {"workers": workers, **settings}.items()}
        words = [sys.executable, "-m", "flows.run", "--config", str(self.config), "--data", str(self.data)]
        return subprocess.Popen(words, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)

    def reached(self):
        try:
            with StoreReader(self.data / "store.db") as reader:
                progress = reader.progress()
                return progress.offset if progress else 0
        except StoreError:
            return 0

    def run(self, workers, upto, until):
        """Run until a row has been read and stop; tells that all went well."""
        process = self.start(workers)
        until(lambda: self.reached() >= upto or process.poll() is not None)
        process.terminate()
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 0, said
        assert "Traceback" not in said
        assert "refused" not in said

    def holds(self):
        """All that the store holds, without the numbers that it gives to series for itself."""
        with closing(sqlite3.connect(self.data / "store.db")) as connection:
            held = {name: connection.execute(f"SELECT {columns} FROM {name}").fetchall() for name, columns in TABLES.items()}
            for name in ("series", "devices", "counters"):
                held[name].sort(key=repr)
            names = dict(connection.execute("SELECT id, device || '/' || metric || '/' || channel FROM series"))
            held["readings"] = [(row[0], names[row[1]], *row[2:]) for row in batches.after(connection, -1)]
            held["totals"] = dict(connection.execute("SELECT term, value FROM totals"))
            held["totals"].pop(totals.EFFECTS_SYNCED, None)
            held["progress"] = connection.execute("SELECT position, messages FROM progress").fetchall()
        return held
