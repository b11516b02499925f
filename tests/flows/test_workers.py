"""Several workers, each a process: the same as one, whatever ends them, and however many there were before."""

import json
import os
import signal
import subprocess
import textwrap
from pathlib import Path

import pytest
from house import ROWS, Flows, S, rows

from gateway.damage import marked
from gateway.exit_status import DAMAGED
from gateway.journal.retention import read_durable
from gateway.ledger import balance
from gateway.status import read_books
from gateway.store.reader import StoreReader


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
