"""Several workers, each a process: the same as one, whatever ends them, and however many there were before."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from gateway.damage import marked
from gateway.exit_status import DAMAGED
from gateway.journal.retention import read_durable
from gateway.journal.row import Entry, Kind, Row, pack
from gateway.journal.segment import Segment, segment_path
from gateway.ledger import balance
from gateway.status import read_books
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


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What one worker makes of the whole journal."""
    flows = Flows(tmp_path_factory.mktemp("one"))
    flows.write(rows())

    def until(condition):
        while not condition():
            signal.sigtimedwait([], 0.01)

    flows.run(1, ROWS, until)
    held = flows.holds()
    kinds = {effect[0] for effect in held["effects"]}
    assert {"window", "alert", "command"} <= kinds
    assert held["dead_letters"]
    assert len(held["readings"]) > 1_000
    return held


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_several_workers_give_what_one_gives(workers, expected, tmp_path, until):
    flows = Flows(tmp_path)
    flows.write(rows())
    flows.run(workers, ROWS, until)
    held = flows.holds()
    assert held == expected
    assert balance(read_books(flows.data, at_rest=True)).balanced


def test_how_many_there_are_may_change_between_runs(expected, tmp_path, until):
    flows, all_rows = Flows(tmp_path), list(rows())
    for workers, start, end in ((1, 0, 60), (3, 60, 120), (2, 120, 180), (1, 180, ROWS)):
        flows.write(all_rows[start:end])
        flows.run(workers, end, until)
    assert flows.holds() == expected


def children(process):
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False).stdout.split()
    return [int(pid) for pid in found]


@pytest.mark.parametrize("victim", ["first", "other"])
def test_one_that_is_killed_ends_all_and_nothing_is_lost(victim, expected, tmp_path, until):
    flows, all_rows = Flows(tmp_path), list(rows())
    flows.write(all_rows[:100])
    process = flows.start(3, snapshot=0.05)
    until(lambda: flows.reached() >= 100 and read_durable(flows.journal) > 0)
    others = children(process)
    assert len(others) == 2
    os.kill(process.pid if victim == "first" else others[-1], signal.SIGKILL)
    said = process.communicate(timeout=30)[1]
    if victim == "first":
        assert process.returncode == -signal.SIGKILL
    elif process.returncode != -signal.SIGABRT:  # Bytewax may abort a process that loses its neighbour
        assert process.returncode == 1
        assert "killed (signal 9)" in said
    assert "Traceback" not in said
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others))
    flows.write(all_rows[100:])
    flows.run(2, ROWS, until)
    assert flows.holds() == expected


DAMAGE = """
    import flows.store_sink
    from gateway.damage import DamageError

    write_batch = flows.store_sink.StorePartition.write_batch

    def damaged(self, values):
        if any(part.offset >= 50 for part in values):
            raise DamageError("store.db", "it is torn")
        return write_batch(self, values)

    flows.store_sink.StorePartition.write_batch = damaged
    """


def test_why_another_worker_fails_is_what_all_end_with(tmp_path, monkeypatch):
    """A worker that meets damage ends the first with the status that has the supervisor mend it; the note says what is damaged."""
    flows = Flows(tmp_path)
    flows.write(rows())
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(textwrap.dedent(DAMAGE))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    process = flows.start(3)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == DAMAGED
    assert "worker 0: a file is damaged" in said
    assert "Traceback" not in said
    assert marked(flows.data) == {"store.db"}


def test_a_change_of_the_config_goes_to_all(tmp_path, until):
    """The flows run again in the same processes, each with what was changed."""
    flows, all_rows = Flows(tmp_path), list(rows())
    flows.write(all_rows[:100])
    process = flows.start(3)
    until(lambda: flows.reached() >= 100)
    others = children(process)
    path = flows.config / "flows" / "climate.yaml"
    path.write_text(path.read_text().replace("length: 5s", "length: 4s"))
    until(lambda: json.loads((flows.data / "flows.json").read_text())["version"] == 2)
    flows.write(all_rows[100:])
    until(lambda: flows.reached() >= ROWS)
    assert children(process) == others
    process.terminate()
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 0, said
    with StoreReader(flows.data / "store.db") as reader:
        lengths = {window.end - window.start for window in reader.windows("climate", newest=10_000)}
    assert lengths == {4 * S, 5 * S}
